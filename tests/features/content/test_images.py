import io
import struct
import zlib

import numpy as np
import pytest

from horae.errors import DataError
from horae.features.content.encode import encode_images
from horae.features.content.images import ColorEncoder, picture_of
from tests.features.content.models import vision

Image = pytest.importorskip("PIL.Image", reason="needs the extra image")


def saved(picture, format: str = "PNG", **more) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **more)
    return out.getvalue()


def plain(color, size=(40, 30)):
    return Image.new("RGB", size, color)


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that says that it is huge."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


BROKEN = {
    "no picture": (b"hello", "cannot be read"),
    "truncated": (saved(plain("red", (400, 300)), "JPEG")[:400], "cannot be read"),
    "a bomb": (bomb(), "pixels"),
    "a smaller bomb": (bomb(8_000, 8_000), "pixels"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "cannot be read"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_picture_that_cannot_be_used_is_refused_or_unknown(fault):
    content, said = BROKEN[fault]
    with pytest.raises(DataError, match=said):
        picture_of(content, 32)
    assert not encode_images([content], cache=False).any()


def test_one_pixel_is_a_picture():
    assert encode_images([saved(plain("red", (1, 1)))], cache=False).any()


def test_of_an_animated_picture_the_first_frame_counts():
    frames = [plain("red"), plain("blue")]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    still = saved(plain("red"), "GIF")
    assert np.allclose(*encode_images([moving, still], cache=False), atol=1e-6)


def test_a_turned_picture_is_put_upright():
    picture = plain("white", (40, 20))
    picture.paste("black", (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = picture_of(saved(picture, "PNG", exif=exif), 20)
    assert turned.size == (20, 40) and turned.getpixel((10, 2)) == (0, 0, 0)


def test_what_is_transparent_is_white():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert picture_of(saved(clear), 8).getpixel((4, 4)) == (255, 255, 255)


def test_pictures_that_look_alike_lie_together():
    red, ruddy, striped = plain("red"), plain((240, 10, 10)), plain("white")
    for x in range(0, 40, 4):
        striped.paste("blue", (x, 0, x + 2, 30))
    a, b, c = encode_images([saved(one) for one in (red, ruddy, striped)], cache=False)
    assert a @ b > 0.99 > 0.7 > a @ c and len(a) == ColorEncoder.width


def test_paths_and_missing_files_are_read_and_each_content_once(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(plain("red")))
    pictures = [tmp_path / "a.png", str(tmp_path / "gone.png"), None, saved(plain("red")), ""]
    vector_NC = encode_images(pictures, cache=tmp_path / "cache")
    assert vector_NC.any(axis=1).tolist() == [True, False, False, True, False]
    assert np.array_equal(encode_images(pictures, cache=tmp_path / "cache"), vector_NC)


@pytest.mark.parametrize(("kind", "width"), [("vit", 8), ("dino", 8), ("resnet", 12), ("clip", 6)])
def test_a_vision_model_from_a_folder(tmp_path, kind, width):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs the extra text")
    folder = vision(tmp_path / kind, kind)
    pictures = [saved(plain("red", (32, 32))), b"broken", saved(plain("blue", (32, 32)))]
    vector_NC = encode_images(pictures, str(folder), cache=False)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    pixel_B3YX = torch.tensor([1.0, -1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 32, 32)
    with torch.inference_mode():
        ask = model.get_image_features if kind == "clip" else model
        wanted = ask(pixel_values=pixel_B3YX).pooler_output.flatten().numpy()
    assert np.allclose(vector_NC[0], wanted / np.linalg.norm(wanted), atol=1e-5)
    assert vector_NC.shape == (3, width) and not vector_NC[1].any() and vector_NC[2].any()
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(DataError, match="preprocessor_config"):
        encode_images(pictures, str(folder), cache=False)
