"""An encoder of texts that is trained with the network: it learns, its base stays, and a run keeps what it became."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from tests.features.content.models import bert
from tests.logs import chain_log, events_of

import horae
from horae.errors import DataError, MissingExtraError, RecipeError
from horae.features.content.choosing import learning_encoder, text_encoder
from horae.features.content.folder import FolderEncoder
from horae.features.content.of_items import Reduction, content_of
from horae.features.content.settings import ContentSettings
from horae.models.compose import compose
from horae.models.ensemble import as_table
from horae.recipe import Recipe, load_recipe
from horae.sequences.framing import windows
from horae.sequences.history import Sequences
from horae.sequences.vocabulary import Vocabulary
from horae.training import learned_texts
from horae.training.learned_texts import LearnedTexts
from horae.training.progress import Quiet
from horae.training.train import Options, refit

pytest.importorskip("transformers", reason="needs the extra text")
pytest.importorskip("peft", reason="needs the extra text")

NOISE = ["shoes coffee machine", "coffee item", "machine machine query", "item query shoes", "query coffee coffee"]
QUIET = Options(progress=Quiet(), device="cpu")
SMALL = ["model.dim=16", "model.num_heads=1", "model.num_layers=1", "model.max_len=6", "train.epochs=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return bert(tmp_path_factory.mktemp("models") / "tiny-bert")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("HORAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


LOG = chain_log(users=60, items=12, length=8)
CATALOG = pl.DataFrame(
    {
        "item_id": [f"i{n:03}" for n in range(12)],
        "title": [f"{'red' if n % 2 else 'blue'} {NOISE[n % 5]} {NOISE[n // 5]}" for n in range(11)] + [None],
    }
)


def trained(folder, *overrides, recipe="text-sasrec", log=LOG, catalog=CATALOG, options=QUIET):
    these = [*(SMALL if recipe == "text-sasrec" else ()), f"content.text={folder}", *overrides]
    return horae.train(log, recipe, overrides=these, catalog=catalog, options=options)


@pytest.fixture(scope="module")
def tuned(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HORAE_CACHE", str(folder.parent / "cache"))
        how = ("content.width=4", "model.fusion=content", "train.learning_rate=0.02", "train.average_steps=0")
        return trained(folder, "content.lora=2", "content.lora_items=6", "train.batch_tokens=64", *how)


def parts(folder, most=99, log=LOG, blind=False):
    """A network, its texts that are learned, and a batch; `blind`: the components that are kept do not show colors."""
    items = Vocabulary(pl.Series("item_id", CATALOG["item_id"]))
    settings = ContentSettings(text=str(folder), lora=2, lora_items=most, width=4)
    content = content_of(items, settings, CATALOG)
    if blind:
        content = without_color(content, folder)
    torch.manual_seed(0)
    table = {"encoder": "transformer", "fusion": "content", "dim": 8, "max_len": 6, "dropout": 0.0}
    network = compose(table, 12, 1, content).train()
    encoder = learning_encoder(str(folder))
    encoder.precision = "float32"
    text_I = learned_texts._texts(CATALOG, content, items)
    network.texts = LearnedTexts(encoder, content, text_I, 0, torch.device("cpu"))
    with torch.no_grad():  # B is zero at first, and A has no gradient then
        for one in network.texts.weights:
            one.add_(0.1 * torch.randn(one.shape))
    sequences = Sequences.from_events(log, items)
    cut = windows(sequences, 6, "all", np.random.default_rng(0))
    framed = network.framing.frame(cut.take(np.arange(20)), np.random.default_rng(0))
    return network, framed, content


def without_color(content, folder):
    """As if the principal components had left out what the first word says."""
    vector_NC = FolderEncoder(folder, precision="float32").encode(CATALOG["title"][:11].to_list())
    reduction = content.reductions["text"]
    color_C = vector_NC[1::2].mean(axis=0) - vector_NC[::2].mean(axis=0)
    color_C /= np.linalg.norm(color_C)
    kept_CP = reduction.direction_CP - np.outer(color_C, color_C @ reduction.direction_CP)
    blind = Reduction(reduction.mean_C, kept_CP)
    text_IP = content.vectors["text"].copy()
    text_IP[1:12] = blind.of(vector_NC)
    return replace(content, vectors={"text": text_IP}, reductions={"text": blind})


def test_it_learns_the_one_word_that_matters_and_that_the_frozen_vectors_do_not_show(folder):
    """Of eleven items people want the red ones nine times of ten; the first word of the title says which they are."""
    rng = np.random.default_rng(0)
    red, other = [1, 3, 5, 7, 9], [0, 2, 4, 6, 8, 10]
    drawn = [[rng.choice(red if rng.random() < 0.9 else other) for _ in range(7)] for _ in range(20)]
    log = events_of([(f"u{u:02}", f"i{n:03}", 86_400 * t) for u, line in enumerate(drawn) for t, n in enumerate(line)])
    ended = {}
    for way in ("frozen", "lora"):
        network, framed, _ = parts(folder, log=log, blind=True)
        if way == "frozen":
            network.texts = None
        optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
        for _ in range(80):
            optimiser.zero_grad()
            if network.texts is not None:
                network.texts.begin_step(network.items, framed, rng)
            loss = loss_of(network, framed) / (framed.target_BL > 0).sum()
            loss.backward()
            if network.texts is not None:
                network.texts.end_step(network.items)
            optimiser.step()
        ended[way] = loss.item()
    assert ended["lora"] < ended["frozen"] - 0.1, ended


def loss_of(network, framed):
    h_BLD, e_ID = network.states(framed.batch), network.item_vectors()
    logits = (h_BLD @ e_ID.T).flatten(0, 1)
    return torch.nn.functional.cross_entropy(logits, framed.target_BL.flatten(), ignore_index=0, reduction="sum")


def slopes(network):
    return [one.grad.clone() for one in network.texts.weights]


@pytest.mark.parametrize("pieces", [1, 3])
def test_the_adapters_gradient_is_that_of_the_plain_computation(folder, monkeypatch, pieces):
    """However many pieces the batch comes in, and however many batches its texts are encoded in."""
    monkeypatch.setattr(
        "horae.features.content.folder.by_length", lambda lengths: np.array_split(range(len(lengths)), 3)
    )
    network, framed, content = parts(folder)
    texts, table = network.texts, network.items
    texts.begin_step(table, framed, np.random.default_rng(0))
    for piece in [framed] if pieces == 1 else framed.pieces(pieces):
        loss_of(network, piece).backward()
    assert all(one.grad is None for one in texts.weights)  # it waits at the vectors until all pieces are there
    texts.end_step(table)
    got = slopes(network)

    network.zero_grad()
    vector_TC = texts.encoder.with_gradient([texts.texts[row] for row in range(1, len(texts.texts))])
    reduction = content.reductions["text"]
    z_TP = ((vector_TC - torch.from_numpy(reduction.mean_C)) @ torch.from_numpy(reduction.direction_CP)).clamp(
        -4, 4
    ) / 2
    fixed_IP = torch.cat([torch.zeros(1, 4), z_TP])[torch.from_numpy(texts.row_I)]
    table._fixed = lambda: [fixed_IP]
    loss_of(network, framed).backward()
    assert any(grad.abs().max() > 1e-3 for grad in got)
    for mine, plain in zip(got, slopes(network), strict=True):
        torch.testing.assert_close(mine, plain, rtol=1e-3, atol=1e-5)


def test_only_the_adapters_learn(folder):
    network, framed, _ = parts(folder)
    model = network.texts.encoder._model()[0]
    base = {name: one.clone() for name, one in model.named_parameters() if "lora_" not in name}
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        network.texts.begin_step(network.items, framed, np.random.default_rng(0))
        loss_of(network, framed).backward()
        network.texts.end_step(network.items)
        optimiser.step()
    after = dict(model.named_parameters())
    assert len(base) > 20 and all(
        torch.equal(after[name], one) and after[name].grad is None for name, one in base.items()
    )
    assert {name for name in after if "lora_" in name} == set(network.texts.names)
    assert not any("pooler" in name for name in network.texts.names)
    assert sum(one.numel() for one in network.texts.parameters()) == sum(one.numel() for one in network.texts.weights)


def test_a_step_encodes_so_many_texts_anew_and_an_epoch_all_of_them(folder):
    network, framed, content = parts(folder, most=3)
    texts, table = network.texts, network.items
    stale = torch.from_numpy(content.vectors["text"])
    texts.begin_step(table, framed, np.random.default_rng(0))
    told = table._said(None)[0]
    moved = (told != stale).any(dim=1)
    assert moved.sum() == 3 and not moved[0] and not moved[12]  # item 12 has no title
    assert torch.equal(table._said(torch.tensor([5, 12, 0]))[0], told[[5, 12, 0]])
    texts.end_step(table)
    assert torch.equal(table._said(None)[0], stale)
    texts.refresh(table)
    wanted = content.reductions["text"].of(texts.encoder.encode(CATALOG["title"][:11].to_list()))
    assert np.allclose(table.told("text")[1:12], wanted, atol=1e-5) and not table.told("text")[[0, 12]].any()
    assert (content.vectors["text"][1:12] != table.told("text")[1:12]).any(axis=1).all()  # the run's own are untouched


def test_a_run_keeps_vectors_and_adapters_and_needs_no_encoder_to_answer(tuned, folder, tmp_path, monkeypatch):
    assert tuned.model.texts is None and tuned.content.adapter.rank == 2
    assert np.array_equal(tuned.model.items.told("text"), tuned.content.vectors["text"])
    tuned.save(tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "transformers", None)
        patch.setitem(sys.modules, "peft", None)
        again = horae.load(tmp_path / "run")
        asked = {"users": ["u0001", "u0007"], "k": 5}
        assert again.recommend(**asked).frame.equals(tuned.recommend(**asked).frame)
    assert torch.equal(again.model.item_vectors(), tuned.model.item_vectors())
    assert again.content.adapter.fingerprint == tuned.content.adapter.fingerprint
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    assert card["content"]["adapter"] == {"rank": 2, "base": tuned.content.adapter.base}
    assert card["training"]["cpu_seconds"] > 0 and all("texts_seconds" in line for line in tuned.log)


def test_the_runs_vectors_are_those_of_its_encoder_and_no_frozen_ones(tuned, folder):
    texts = CATALOG["title"][:11].to_list()
    reduction = tuned.content.reductions["text"]
    learned = reduction.of(learning_encoder(str(folder), tuned.content.adapter).encode(texts))
    frozen = reduction.of(text_encoder(str(folder), []).encode(texts))
    kept = tuned.content.vectors["text"][1:12]
    assert np.allclose(kept, learned, atol=1e-3) and np.abs(kept - frozen).max() > 0.03


def test_new_items_are_encoded_with_the_adapters_and_the_cache_keeps_both_apart(tuned, folder, tmp_path):
    tuned.save(tmp_path / "run")
    run = horae.load(tmp_path / "run")
    title = CATALOG["title"][3]
    text_encoder(str(folder), [])  # frozen vectors of these very texts are in the cache already
    run.add_items(pl.DataFrame({"item_id": ["n1", "n2"], "title": [title, "red machine"]}))
    vectors = run.content.vectors["text"]
    assert np.allclose(vectors[13], vectors[4], atol=0.01)
    frozen = run.content.reductions["text"].of(horae.encode_texts([title], str(folder)))
    assert np.abs(vectors[13] - frozen[0]).max() > 0.02
    again = trained(folder, "content.width=4", "model.fusion=content")
    assert np.allclose(again.content.reductions["text"].of(horae.encode_texts([title], str(folder))), frozen, atol=0.3)
    assert again.content.adapter is None and np.allclose(
        again.content.vectors["text"][4], again.content.reductions["text"].of(horae.encode_texts([title], str(folder)))
    )


@pytest.mark.parametrize("how", ["gone", "another"])
def test_new_items_are_refused_without_the_encoder_that_was_trained(folder, tmp_path, how):
    mine = shutil.copytree(folder, tmp_path / "model")
    run = trained(mine, "content.lora=2", "train.epochs=1", "train.relearn=false")
    if how == "gone":
        shutil.rmtree(mine)
    else:
        weights = bytearray((mine / "model.safetensors").read_bytes())
        weights[-1] ^= 1
        (mine / "model.safetensors").write_bytes(weights)
    words = {"gone": "neither an encoder of Horae nor a folder", "another": "its files are others"}[how]
    with pytest.raises(DataError, match=words):
        run.add_items(pl.DataFrame({"item_id": ["n1"], "title": ["red coffee"]}))
    assert len(run.items) == 12


def test_it_is_learned_again_from_everything(tuned):
    again = refit(tuned, options=QUIET)
    # This run has no test part, so that it was learned again from everything before: from the frozen encoder, too.
    assert again.model.texts is None and again.content.adapter.fingerprint == tuned.content.adapter.fingerprint
    assert np.array_equal(again.model.items.told("text"), again.content.vectors["text"])
    assert again.card["content"]["adapter"]["rank"] == 2


def test_stop_and_resume_gives_the_run_of_an_uninterrupted_training(folder, tmp_path):
    how = ("content.lora=2", "content.lora_items=4", "train.average_steps=10", "train.batch_tokens=128")
    how += ("train.relearn=false",)
    whole = trained(folder, *how, "train.epochs=3")
    there = tmp_path / "going"
    trained(folder, *how, "train.epochs=1", options=Options(progress=Quiet(), device="cpu", folder=there))
    resumed = Options(progress=Quiet(), device="cpu", folder=there, resume=True)
    again = trained(folder, *how, "train.epochs=3", options=resumed)
    assert [line["epoch"] for line in again.log] == [1, 2, 3]
    assert again.content.adapter.fingerprint == whole.content.adapter.fingerprint
    assert np.array_equal(again.content.vectors["text"], whole.content.vectors["text"])
    assert torch.equal(again.model.item_vectors(), whole.model.item_vectors())


def test_a_training_that_starts_from_such_a_run_reads_as_it_does(tuned, folder):
    how = ("content.width=4", "model.fusion=content", "train.epochs=1")
    still = ("train.learning_rate=1e-12", "train.weight_decay=0.0", "train.average_steps=0")
    start = Options(progress=Quiet(), device="cpu", start=tuned)
    frozen = trained(folder, *how, *still, options=start)
    assert frozen.content.adapter.fingerprint == tuned.content.adapter.fingerprint  # and new items are read so, too
    assert np.allclose(frozen.content.vectors["text"], tuned.content.vectors["text"], atol=0.01)
    further = trained(folder, *how, *still, "content.lora=2", options=start)
    for name, array in further.content.adapter.arrays.items():
        assert np.allclose(array, tuned.content.adapter.arrays[name], atol=1e-6)
    with pytest.raises(RecipeError, match="lora = 3 here, 2 in the run"):
        trained(folder, *how, "content.lora=3", options=start)


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.accumulate=3"],
        ["train.loss=gbce", "train.item_rows=touched"],
        ["model.framing=masked", "model.mask_share=0.3"],
        ["lstm-bert"],
    ],
    ids=lambda given: given[0],
)
def test_other_ways_of_training_train_it_too(folder, overrides):
    recipe = "lstm-bert" if overrides == ["lstm-bert"] else "text-sasrec"
    more = ["model.dim=16", "model.max_len=6"] if recipe == "lstm-bert" else overrides
    run = trained(folder, "content.lora=2", "train.relearn=false", "train.epochs=1", *more, recipe=recipe)
    moved = [np.abs(array).max() for name, array in run.content.adapter.arrays.items() if "lora_B" in name]
    assert min(moved) > 0 and len(run.recommend(users=["u0001"], k=5).frame) == 5


def test_the_estimate_counts_the_adapters_and_their_encoder(folder):
    def told(*overrides):
        how = [*SMALL, f"content.text={folder}", *overrides]
        return horae.estimate(LOG, "text-sasrec", overrides=how, catalog=CATALOG, seconds=0.01).networks[0]

    frozen, learning = told(), told("content.lora=2")
    # Two layers: four products of 16 by 16, one to 32 and one back.
    assert learning.weights - frozen.weights == 2 * 2 * (4 * (16 + 16) + 2 * (16 + 32))
    assert learning.memory_bytes - frozen.memory_bytes > (folder / "model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("recipe", "overrides", "words"),
    [
        ("text-sasrec", ["content.text=hashed", "content.lora=8"], 'not possible with text = "hashed"'),
        ("text-sasrec", ["content.text=multilingual", "content.lora=8"], 'not possible with text = "multilingual"'),
        ("text-sasrec", ["content.lora=-1"], "0 or more"),
        ("text-sasrec", ["content.lora_items=8"], "lora_items has no effect"),
        ("text-sasrec", ["content.lora=8", "content.lora_items=0"], "at least 1"),
        ("sasrec", ["content.text=minilm", "content.lora=8"], "has no effect: only a network"),
        ("content-neighbours", ["content.text=minilm", "content.lora=8"], "has no effect: only a network"),
    ],
)
def test_recipes_that_cannot_be_are_refused(recipe, overrides, words):
    with pytest.raises(RecipeError, match=words):
        horae.train(LOG, recipe, overrides=overrides, catalog=CATALOG, options=QUIET)


def test_an_ensemble_is_refused():
    members = [as_table(load_recipe("content-only")), as_table(load_recipe("sasrec"))]
    both = Recipe("late", content={"text": "minilm", "lora": 8}, model={"ensemble": members})
    with pytest.raises(RecipeError, match="not possible with an ensemble"):
        horae.train(LOG, both, catalog=CATALOG, options=QUIET)


def test_an_encoder_that_auto_chose_and_that_cannot_learn_is_refused(monkeypatch):
    monkeypatch.setattr("horae.features.content.choosing._chosen", lambda texts: "hashed")
    with pytest.raises(RecipeError, match='not possible with text = "hashed"'):
        horae.train(LOG, "text-sasrec", overrides=[*SMALL, "content.lora=8"], catalog=CATALOG, options=QUIET)


def test_without_peft_it_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtraError, match="needs peft") as refused:
        trained(folder, "content.lora=2")
    assert "horae[text]" in str(refused.value.hint)
