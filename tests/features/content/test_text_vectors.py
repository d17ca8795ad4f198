"""What texts of events say, as numbers: no later one moves an earlier one's, and networks learn what only they tell."""

from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import horae
from horae.errors import DataError
from horae.features.content.hashed import HashedEncoder
from horae.features.content.text_vectors import add_text_vectors
from horae.training.progress import Quiet
from horae.training.train import Options

START = datetime(2024, 1, 1, tzinfo=UTC)
SAID = ("lovely sound", "broken strings", "a gift for him", "<b>lovely</b> price", "returned it", "", None, "zzz qqq")


def log(texts, users=5):
    rows = len(texts)
    return pl.DataFrame(
        {
            "user_id": [f"u{n % users}" for n in range(rows)],
            "item_id": [f"i{n % 7}" for n in range(rows)],
            "timestamp": [START + timedelta(hours=n) for n in range(rows)],
            "review": pl.Series(texts, dtype=pl.String),
        }
    )


def told(frame, **given):
    return add_text_vectors(horae.read_events(frame), "review", cache=False, **given).frame.sort("timestamp")


def numbers(frame):
    return frame.select(pl.col(r"^text_\d+$")).fill_null(np.nan).to_numpy()


@settings(max_examples=8)
@given(
    st.lists(st.sampled_from(SAID), min_size=8, max_size=16),
    st.data(),
)
def test_from_the_boundary_on_a_text_moves_no_number_but_its_own_events(texts, data):
    texts[:2] = ["lovely sound", "broken strings"]
    cut = data.draw(st.integers(2, len(texts) - 1), label="fit_until")
    changed = data.draw(st.integers(cut, len(texts) - 1), label="changed")
    other = [*texts[:changed], data.draw(st.sampled_from(["a new word", *SAID]), label="to"), *texts[changed + 1 :]]
    until = (START + timedelta(hours=cut)).isoformat()
    before, after = (numbers(told(log(some), fit_until=until)) for some in (texts, other))
    rest = np.arange(len(texts)) != changed
    np.testing.assert_allclose(before[rest], after[rest], atol=1e-5)
    longer = numbers(told(log([*texts, "much later", "lovely"]), fit_until=until))
    np.testing.assert_allclose(longer[: len(texts)], before, atol=1e-5)


def test_what_stands_before_the_boundary_is_what_is_fitted():
    texts = ["lovely sound", "broken strings", "a gift", "returned it"] * 5
    other = ["lovely strings", *texts[1:]]
    here, there = (numbers(told(log(some), width=3))[1:] for some in (texts, other))
    assert np.abs(here - there).max() > 0.01  # so the test above can fail


def test_the_numbers_are_the_principal_components():
    """A second way: singular values of the encoder's vectors up to the boundary, in their standard deviations."""
    rng = np.random.default_rng(0)
    words = np.array(["string", "bow", "case", "tuner", "stand", "pick", "strap", "cable"])
    texts = [" ".join(rng.choice(words, 4)) for _ in range(120)]
    frame = told(log(texts), width=3, fit_until=(START + timedelta(hours=90)).isoformat())
    x = HashedEncoder().fit(list(dict.fromkeys(texts[:90]))).encode(texts).astype(np.float64)
    mean = x[:90].mean(axis=0)
    _, singular, direction = np.linalg.svd(x[:90] - mean, full_matrices=False)
    z = (x - mean) @ direction[:3].T / (singular[:3] / np.sqrt(90))
    np.testing.assert_allclose(np.abs(numbers(frame)), np.abs(z).clip(max=4), atol=2e-3)


def test_without_a_text_nothing_is_known_and_markup_and_length_do_not_matter():
    plain = ["lovely sound", "broken strings", "a gift for him", "returned it"] * 5
    odd = [*plain, "", None, " NaN ", "<script>lovely</script>", "\x00", "<p>lovely&nbsp;sound</p>", "zq " * 350_000]
    until = (START + timedelta(hours=20)).isoformat()
    frame = told(log(odd), fit_until=until)
    known = ~np.isnan(numbers(frame)).any(axis=1)
    assert known.tolist() == [True] * 20 + [False] * 5 + [True, False]  # no word of the last was ever met
    np.testing.assert_allclose(numbers(frame)[25], numbers(frame)[0], atol=1e-6)
    assert numbers(frame).shape[1] == 3, "four texts differ in three ways"


def test_by_default_it_is_fitted_where_the_default_split_trains():
    texts = ["lovely sound", "broken strings", "a gift for him", "returned it"] * 10
    events = horae.read_events(log(texts))
    split = horae.split_by_time(events)
    made = add_text_vectors(events, "review")
    first = split.events.frame.filter(split.part != "train")["timestamp"].min()
    assert first.isoformat() in made.report.steps[-1].message
    assert "40 events, in 3 numbers by hashed" in made.report.steps[-1].message


def test_an_event_of_unknown_time_is_told_of_but_not_fitted_on():
    texts = ["lovely sound", "broken strings", "a gift for him", "returned it"] * 30
    fourth = pl.int_range(pl.len()) == 3
    frame = log(texts).with_columns(timestamp=pl.when(~fourth).then("timestamp"))
    odd = frame.with_columns(review=pl.when(fourth).then(pl.lit("strange")).otherwise("review"))
    here, there = (
        add_text_vectors(horae.read_events(one), "review").frame.filter(pl.col("timestamp").is_not_null())
        for one in (frame, odd)
    )
    np.testing.assert_allclose(numbers(here), numbers(there), atol=1e-6)


class Lengths:
    """An encoder of one's own: how long a text is, and how many words it has."""

    name, width, fingerprint = "lengths", 2, "lengths"

    def encode(self, given, advance=None):
        return np.array([[len(text), len(text.split())] for text in given], dtype=np.float32)


def test_an_encoder_of_ones_own_and_the_features_over_time():
    texts = ["good", "very good", "not good at all", "so"] * 10
    events = add_text_vectors(horae.read_events(log(texts)), "review", encoder=Lengths(), width=1)
    table = horae.compute_features(events).sort("timestamp")
    last = table.filter(pl.col("user_id") == "u1").row(3, named=True)
    past = events.frame.filter(pl.col("user_id") == "u1").sort("timestamp").head(3)["text_0"]
    assert last["text_0_last"] == pytest.approx(past[-1], rel=1e-5)
    assert last["text_0_mean"] == pytest.approx(past.mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("frame", "given", "words"),
    [
        (log(["a b", "c d"] * 10), {"column": "gone"}, "no column 'gone' of texts"),
        (log(["a b", "c d"] * 10), {"column": "item_id"}, "no column 'item_id' of texts"),
        (log(["a b", "c d"] * 10), {"width": 0}, "width = 0"),
        (log(["a b", "c d"] * 10).with_columns(text_3=1.0), {}, "column text_3 already"),
        (log(["a b", "c d"] * 10).drop("timestamp"), {}, "no times"),
        (log(["a b", "c d"] * 10), {"fit_until": "2031-01-01"}, "fit_until = 2031-01-01"),
        (log(["a b", "c d"] * 10), {"fit_until": "soon"}, "fit_until = 'soon'"),
        (log(["A b!", "a b"] * 10), {}, "no two texts before"),
        (log([None] * 19 + ["a b"]), {}, "no two texts before"),
        (log(["a b", "c d"] * 10), {"encoder": "no-such"}, "no-such"),
    ],
)
def test_what_cannot_be_done_is_refused(frame, given, words):
    with pytest.raises(DataError, match=words):
        add_text_vectors(horae.read_events(frame), **{"column": "review", **given})


WISHES = ("needs a case", "the strings broke", "wants to learn", "plays on stage")


def wishes(users=90, length=7, kinds=4, of_kind=3):
    """Which kind comes next is said by the text of the last event, and by nothing else; a greeting goes with it."""
    rng = np.random.default_rng(3)
    rows = []
    for user in range(users):
        kind = rng.integers(kinds)
        for step in range(length):
            item = f"i{kind}{rng.integers(of_kind)}"
            kind = rng.integers(kinds)
            said = f"{rng.choice(['hello', 'dear shop', 'well'])}, {WISHES[kind]}"
            rows.append((f"u{user}", item, START + timedelta(hours=step * users + user), said))
    return pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp", "review"], orient="row")


def test_a_network_learns_what_only_the_last_text_tells():
    events = add_text_vectors(horae.read_events(wishes()), "review", width=6)
    split = horae.split_by_time(events)
    names = [f'"text_{n}"' for n in range(6)]
    small = ["model.dim=16", "model.max_len=8", "model.num_layers=1", "model.dropout=0.0", "train.relearn=false"]
    quick = ["train.epochs=12", "train.batch_tokens=64", "train.learning_rate=0.01", 'recommend.seen="include"']
    reached = {}
    for context in ([], [f"model.context=[{','.join(names)}]"]):
        run = horae.train(split, "sasrec", overrides=[*small, *quick, *context], options=Options(progress=Quiet()))
        judged = horae.evaluate(run, split, opponents={}, ks=(3,), bootstrap=100)
        assert judged.leak_audit.passed
        reached[bool(context)] = judged.metrics["hit_rate@3"].mean
    assert reached[True] > 0.8 > 0.5 > reached[False], reached
