import zlib

import numpy as np
import pytest

from horae.errors import NotTrainedError
from horae.features.content.hashed import BUCKETS, HashedEncoder

SHOP = [
    *(f"{color} running shoes for {who}" for color in ("red", "blue", "black") for who in ("men", "women", "children")),
    *(f"{kind} coffee machine with {part}" for kind in ("espresso", "filter") for part in ("milk", "timer", "grinder")),
    *(f"{color}运动鞋{who}" for color in ("红色", "蓝色", "黑色") for who in ("男士", "女士", "儿童")),
]  # fmt: skip


def nearest(encoder: HashedEncoder, text: str) -> str:
    return SHOP[int((encoder.encode([text]) @ encoder.encode(SHOP).T).argmax())]


def test_new_texts_lie_near_those_with_the_same_words_and_letters():
    encoder = HashedEncoder(16).fit(SHOP)
    assert "coffee" in nearest(encoder, "coffee maker")
    assert "shoes" in nearest(encoder, "runing shoe")  # no word of it was seen
    assert "运动鞋" in nearest(encoder, "女鞋运动")


def test_the_directions_are_those_of_an_exact_svd():
    encoder = HashedEncoder(6).fit(SHOP)
    weights = encoder._weighted(*encoder._counted(SHOP), len(SHOP)).toarray()
    assert np.linalg.norm(weights, axis=1) == pytest.approx(np.ones(len(SHOP)), abs=1e-6)
    right = np.linalg.svd(weights)[2][:6]
    direction = encoder.arrays()["direction"]
    assert np.linalg.svd(right @ direction)[1] == pytest.approx(np.ones(6), abs=1e-3)  # the same subspace


def test_it_is_the_same_in_every_process_and_from_its_arrays():
    encoder = HashedEncoder(8).fit(SHOP)
    assert zlib.crc32(b"shoes") % BUCKETS in encoder.arrays()["bucket"]  # Python's own hash is salted
    again = HashedEncoder(8).fit(SHOP)
    assert encoder.fingerprint == again.fingerprint != HashedEncoder(8).fit(SHOP[1:]).fingerprint
    loaded = HashedEncoder.of_arrays(encoder.arrays())
    assert np.array_equal(loaded.encode(SHOP), encoder.encode(SHOP)) and loaded.fingerprint == encoder.fingerprint


def test_what_says_nothing_known_is_zero_and_few_texts_are_enough():
    encoder = HashedEncoder(128).fit(["one text"])
    assert encoder.encode(["one text", "!!", "quartz"]).any(axis=1).tolist() == [True, False, False]
    assert not HashedEncoder(8).fit([]).encode(["a"]).any()
    assert HashedEncoder(8).fit(["same title"] * 1000).encode(["same title"])[0].any()


def test_encoding_a_text_does_not_depend_on_its_neighbours():
    encoder = HashedEncoder(8).fit(SHOP)
    assert np.allclose(encoder.encode(SHOP)[3], encoder.encode([SHOP[3]])[0], atol=1e-6)


def test_it_must_be_fitted_first():
    with pytest.raises(NotTrainedError, match="no texts"):
        HashedEncoder().encode(["a"])
