"""What a text says of the value is learned from earlier events alone, and told in the value's unit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

import horae
from horae.errors import DataError
from horae.features.content.hashed import HashedEncoder
from horae.features.content.sentiment import FIRST, SENTIMENT, add_sentiment

START = datetime(2024, 1, 1, tzinfo=UTC)
GOOD, BAD = ("lovely", "great sound", "works well"), ("broken", "poor sound", "returned it")


def reviews(rows: int = 300, seed: int = 0) -> pl.DataFrame:
    """A good or a bad word among others that say nothing, and a rating that follows the word, an hour between them."""
    rng = np.random.default_rng(seed)
    liked = rng.random(rows) < 0.6
    words = [str(rng.choice(GOOD if good else BAD)) for good in liked]
    return pl.DataFrame(
        {
            "user_id": [f"u{n % 10}" for n in range(rows)],
            "item_id": [f"i{n}" for n in rng.integers(0, 20, rows)],
            "timestamp": [START + timedelta(hours=n) for n in range(rows)],
            "rating": np.where(liked, 5.0, 2.0) + rng.integers(-1, 1, rows),
            "review": [f"the {rng.integers(9)} strings, {word}, month {rng.integers(9)}" for word in words],
            "liked": liked,
        }
    )


def told(frame: pl.DataFrame) -> pl.DataFrame:
    return add_sentiment(horae.read_events(frame), "review").frame.sort("timestamp")


def test_it_follows_the_words_and_not_the_events_own_value():
    frame = told(reviews())
    known = frame.drop_nulls(SENTIMENT)
    assert frame[SENTIMENT].null_count() == FIRST and frame[SENTIMENT].head(FIRST).null_count() == FIRST
    good, bad = (known.filter(pl.col("liked") == side)[SENTIMENT].mean() for side in (True, False))
    assert good > 4.0 and bad < 2.5
    moved = reviews().with_columns(pl.col("rating").replace({5.0: 1.0}).alias("rating"))
    moved = pl.concat([reviews().head(299), moved.tail(1)])
    assert told(moved)[SENTIMENT].to_list() == frame[SENTIMENT].to_list()


@pytest.mark.parametrize("cut", [130, 257])
def test_later_events_never_change_it(cut):
    whole = told(reviews())
    early, both = (frame[SENTIMENT].fill_null(-1).to_numpy() for frame in (told(reviews().head(cut)), whole.head(cut)))
    np.testing.assert_allclose(early, both, rtol=1e-9)  # a product of fewer rows may round otherwise


def test_the_number_is_the_ridge_regressions():
    """A second way: augmented least squares over the first 128 events, for the 150th."""
    from scipy.linalg import lstsq

    frame = told(reviews())
    encoder = HashedEncoder(128).fit(frame["review"].head(128).to_list())
    x = encoder.encode(frame["review"].to_list()).astype(np.float64)
    value = frame["value"].to_numpy()
    center, mean = x[:128].mean(axis=0), value[:128].mean()
    weight = lstsq(np.vstack([x[:128] - center, np.eye(128)]), np.concatenate([value[:128] - mean, np.zeros(128)]))[0]
    assert frame[SENTIMENT][150] == pytest.approx(mean + (x[150] - center) @ weight, abs=1e-5)


def test_what_has_no_text_or_no_value_or_an_equal_time_is_handled():
    frame = reviews().with_columns(
        pl.when(pl.int_range(pl.len()) % 10 == 3).then(pl.lit(" ")).otherwise("review").alias("review"),
        pl.when(pl.int_range(pl.len()) % 10 == 4).then(None).otherwise("rating").alias("rating"),
    )
    frame = told(frame)
    empty = frame["review"].str.strip_chars() == ""
    assert frame.filter(empty)[SENTIMENT].null_count() == int(empty.sum())
    assert frame.filter(pl.col("value").is_null()).tail(10)[SENTIMENT].null_count() == 0
    with pytest.raises(DataError, match="too few"):  # all at once: nothing is earlier
        told(reviews().with_columns(pl.lit(START).alias("timestamp")))


def test_features_and_networks_take_it_as_a_column_of_numbers():
    events = add_sentiment(horae.read_events(reviews()), "review")
    table = horae.compute_features(events).sort("timestamp")
    of_user = events.frame.filter(pl.col("user_id") == "u3").sort("timestamp")
    row = table.filter(pl.col("user_id") == "u3").row(20, named=True)
    past = of_user.head(20)[SENTIMENT].drop_nulls()
    assert row["text_sentiment_mean"] == pytest.approx(past.mean(), rel=1e-5)
    assert row["text_sentiment_last"] == pytest.approx(past[-1], rel=1e-5)
    small = ("model.dim=8", 'model.context=["text_sentiment"]', "train.epochs=1", "train.relearn=false")
    run = horae.train(horae.split_by_time(events, test=0.1), "sasrec", overrides=small)
    assert "text_sentiment (numbers)" in str(run.sequences.context)


@pytest.mark.parametrize(
    ("frame", "column", "words"),
    [
        (reviews(), "gone", "no column 'gone' of texts"),
        (reviews(), "liked", "no column 'liked' of texts"),
        (reviews(), "item_id", "no column 'item_id'"),
        (reviews().drop("rating"), "review", "too few"),
        (reviews(60), "review", "too few"),
        (reviews().with_columns(pl.lit(4.0).alias("rating")), "review", "too few"),
        (reviews().with_columns(pl.lit(4.0).alias(SENTIMENT)), "review", "already"),
    ],
)
def test_what_cannot_be_learned_is_refused(frame, column, words):
    with pytest.raises(DataError, match=words):
        add_sentiment(horae.read_events(frame), column)
