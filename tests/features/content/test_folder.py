import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from horae.errors import DataError
from horae.features.content.choosing import text_encoder
from horae.features.content.folder import FolderEncoder, Pooling
from tests.features.content.models import bert, modules

transformers = pytest.importorskip("transformers", reason="needs the extra text")
TEXTS = ["red shoes", "coffee machine", "blue shoes coffee machine red", "red", "nothing known here"]
TRANSFORMER = ("sentence_transformers.models.Transformer", "", {})


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "model"))


def states(folder: Path, texts: list[str]) -> list[np.ndarray]:
    """Token vectors of each text alone, by the plain call."""
    import torch

    cut = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        return [model(**cut(text, return_tensors="pt")).last_hidden_state[0].numpy() for text in texts]


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def test_a_plain_model_is_averaged_over_its_tokens_whatever_the_batch(tiny):
    encoder = FolderEncoder(tiny, precision="float32")
    wanted = unit(np.stack([h_LD.mean(axis=0) for h_LD in states(tiny, TEXTS)]))
    assert np.allclose(encoder.encode(TEXTS), wanted, atol=1e-5)
    assert np.allclose(encoder.encode(TEXTS[::-1])[::-1], wanted, atol=1e-5)
    assert encoder.encode([]).shape == (0, 16) and (encoder.width, encoder.max_tokens) == (16, 20)


@pytest.mark.parametrize("kind", ["cls", "max", "last"])
def test_pooling_is_what_the_modules_say(copy, kind):
    name = {"cls": "cls_token", "max": "max_tokens", "last": "lasttoken"}[kind]
    modules(copy, TRANSFORMER, ("sentence_transformers.models.Pooling", "1_Pooling", {f"pooling_mode_{name}": True}))
    pooled = {"cls": lambda h: h[0], "max": lambda h: h.max(axis=0), "last": lambda h: h[-1]}[kind]
    wanted = np.stack([pooled(h_LD) for h_LD in states(copy, TEXTS)])  # no module Normalize: lengths stay
    assert np.allclose(FolderEncoder(copy, precision="float32").encode(TEXTS), wanted, atol=1e-5)


def test_a_dense_layer_and_two_poolings_are_applied(copy):
    import torch
    from safetensors.torch import save_file

    both = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}
    dense = {"in_features": 32, "out_features": 3, "activation_function": "torch.nn.modules.activation.Tanh"}
    modules(copy, TRANSFORMER, ("x.Pooling", "1", both), ("x.Dense", "2", dense))
    weight = torch.randn(3, 32, generator=torch.Generator().manual_seed(0))
    save_file({"linear.weight": weight, "linear.bias": torch.ones(3)}, copy / "2" / "model.safetensors")
    encoder = FolderEncoder(copy, precision="float32")
    pooled = np.stack([np.append(h_LD[0], h_LD.mean(axis=0)) for h_LD in states(copy, TEXTS)])
    assert encoder.width == 3
    assert np.allclose(encoder.encode(TEXTS), np.tanh(pooled @ weight.numpy().T + 1), atol=1e-5)


def test_the_folders_prompt_for_documents_is_put_before_each_text(copy):
    prompts = {"prompts": {"query": "query: ", "passage": "item: "}}
    (copy / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    encoder, plain = FolderEncoder(copy), FolderEncoder(copy, prefix="")
    assert encoder.prefix == "item: " and encoder.fingerprint != plain.fingerprint
    assert np.allclose(encoder.encode(["red"]), plain.encode(["item: red"]), atol=1e-6)


def test_a_long_text_is_cut_to_what_the_network_holds(tiny):
    encoder = FolderEncoder(tiny, precision="float32")
    assert np.allclose(encoder.encode(["red " * 250_000]), encoder.encode(["red " * 18]), atol=1e-6)


def test_bfloat16_moves_vectors_a_little_and_has_its_own_fingerprint(tiny):
    exact, fast = FolderEncoder(tiny, precision="float32"), FolderEncoder(tiny, precision="bfloat16")
    cosine = (exact.encode(TEXTS) * fast.encode(TEXTS)).sum(axis=1)
    assert cosine.min() > 0.999 and exact.fingerprint != fast.fingerprint


def test_other_weights_have_another_fingerprint(copy, tiny):
    before = FolderEncoder(tiny).fingerprint
    assert FolderEncoder(copy).fingerprint == before
    weights = bytearray((copy / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "model.safetensors").write_bytes(weights)
    assert FolderEncoder(copy).fingerprint != before


def edited(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def truncated(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])


def without_a_layer(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    arrays = load_file(folder / "model.safetensors")
    kept = {name: array for name, array in arrays.items() if "layer.1.output.dense" not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()


SPOILED = {
    "pickled": (pickled, "pytorch_model.bin, which may run code"),
    "remote code": (lambda folder: edited(folder, auto_map={"AutoModel": "evil.Model"}), "Python code of its own"),
    "unknown architecture": (lambda folder: edited(folder, model_type="martian"), "'martian', which transformers"),
    "encoder-decoder": (lambda folder: edited(folder, is_encoder_decoder=True), "decoder"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no \\*.safetensors"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json with a model_type"),
    "config no JSON": (lambda folder: (folder / "config.json").write_text("{"), "config.json is damaged"),
    "truncated": (truncated, "cannot be loaded"),
    "a layer missing": (without_a_layer, "weights are missing, such as encoder.layer.1.output.dense.bias"),
    "no tokenizer": (without_tokenizer, "no tokenizer"),
    "strange step": (lambda folder: modules(folder, TRANSFORMER, ("my.code.Magic", "1", {})), "'Magic'"),
    "shard missing": (
        lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b.safetensors"}}'),
        "b.safetensors is missing",
    ),
}


@pytest.mark.parametrize("fault", SPOILED)
def test_a_folder_that_cannot_be_trusted_is_refused_with_what_to_do(copy, fault):
    spoil, said = SPOILED[fault]
    spoil(copy)
    with pytest.raises(DataError, match=said) as raised:
        FolderEncoder(copy).encode(["red"])
    assert raised.value.hint


def test_a_name_that_is_no_folder_is_refused_without_asking_the_network(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("somebody/some-model", "no such folder at all!"):
        with pytest.raises(DataError, match="neither an encoder") as raised:
            text_encoder(name, [])
        assert "hf download" in raised.value.hint


def test_modules_of_newer_versions_are_read(copy):
    modules(copy, TRANSFORMER, ("x.Pooling", "1", {"pooling_mode": "cls"}), ("x.Normalize", "2", {}))
    assert Pooling.of_folder(copy) == Pooling(("cls",), (), True)


def test_an_onnx_file_of_the_folder_can_do_the_work(copy):
    onnx = pytest.importorskip("onnx", reason="needs the extra export")
    pytest.importorskip("onnxruntime", reason="needs the extra export")
    from onnx import TensorProto, helper, numpy_helper

    table = np.random.default_rng(0).standard_normal((20, 16)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "look-up",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["B", "L"])
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["B", "L", 16])],
        [numpy_helper.from_array(table, "table")],
    )
    (copy / "onnx").mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, copy / "onnx" / "model_quantized.onnx")
    encoder = FolderEncoder(copy, precision="onnx")
    token = {"[CLS]": 2, "red": 5, "shoes": 7, "[SEP]": 3}
    wanted = unit(table[list(token.values())].mean(axis=0))
    assert np.allclose(encoder.encode(["red shoes"])[0], wanted, atol=1e-5)
    (copy / "onnx" / "model_quantized.onnx").write_bytes(b"broken")
    with pytest.raises(DataError, match="cannot be loaded"):
        FolderEncoder(copy, precision="onnx").encode(["red"])
