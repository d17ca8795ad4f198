import json
import shutil

import numpy as np
import pytest
import torch
from tests.recommend.rerank.models import gpt

from horae.errors import DataError
from horae.recommend.rerank.local import LocalModel
from horae.recommend.rerank.question import Question

transformers = pytest.importorskip("transformers", reason="needs the extra text")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return gpt(tmp_path_factory.mktemp("models") / "tiny-gpt")


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "model")


QUESTION = Question(("thing 1", "thing 2"), ("thing 3", "thing 4 thing 5 thing 6", "7", "unheard of"))


def by_hand(folder, question):
    """Mean log probability of each title's tokens, each text by itself and by the plain call."""
    cut = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.GPT2LMHeadModel.from_pretrained(folder).eval()
    before = cut(question.beginning().rstrip())["input_ids"]
    found = []
    for title in question.candidates:
        tokens = cut(" " + title)["input_ids"]
        with torch.inference_mode():
            logits = model(torch.tensor([before + tokens])).logits[0].log_softmax(-1)
        found.append(np.mean([logits[len(before) + n - 1, token] for n, token in enumerate(tokens)]))
    return np.array(found)


def test_the_score_is_the_titles_mean_log_probability_after_what_was_chosen(folder):
    verdict = LocalModel(folder).ask(QUESTION)
    np.testing.assert_allclose(verdict.score_K, by_hand(folder, QUESTION), atol=1e-5)
    assert verdict.tokens == LocalModel(folder).tokens_at_most(QUESTION) == 11 + 2 + 6 + 1 + 2
    assert np.ptp(verdict.score_K) > 0.1


def test_a_model_that_keeps_no_keys_says_the_same(folder, monkeypatch):
    monkeypatch.delattr(transformers.cache_utils.Cache, "batch_repeat_interleave")
    np.testing.assert_allclose(LocalModel(folder).ask(QUESTION).score_K, by_hand(folder, QUESTION), atol=1e-5)


def test_titles_in_several_goes_and_longer_than_the_model_reads(folder, monkeypatch):
    monkeypatch.setattr("horae.recommend.rerank.local.LOGITS_AT_ONCE", 1)
    np.testing.assert_allclose(LocalModel(folder).ask(QUESTION).score_K, by_hand(folder, QUESTION), atol=1e-5)
    long = Question(tuple(f"thing {n % 20}" for n in range(90)), ("thing 1 " * 500, "", "thing 2"))
    assert np.isfinite(LocalModel(folder).ask(long).score_K).all()


def test_other_weights_have_another_fingerprint(folder, copy):
    before = LocalModel(copy).fingerprint
    assert before == LocalModel(folder).fingerprint
    shutil.rmtree(copy)
    gpt(copy, activation_function="relu")
    assert LocalModel(copy).fingerprint != before


def _pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _without_weights(folder):
    (folder / "model.safetensors").unlink()


def _without_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()


def _damaged(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-40])


def _said(**keys):
    def change(folder):
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | keys))

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_pickled, "may run code"),
        (_without_weights, "incomplete"),
        (_without_tokenizer, "no tokenizer"),
        (_damaged, "cannot be loaded"),
        (_said(auto_map={"AutoModelForCausalLM": "modeling.Own"}), "runs Python code of its own"),
        (_said(model_type="unheard-of"), "architecture 'unheard-of'"),
        (_said(is_encoder_decoder=True), "no causal model"),
        (_said(n_layer=3), "weights are missing"),
    ],
)
def test_a_folder_that_cannot_be_trusted_or_used_is_refused(copy, change, says):
    change(copy)
    with pytest.raises(DataError, match=says):
        LocalModel(copy).ask(QUESTION)
