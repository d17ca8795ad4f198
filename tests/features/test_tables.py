import math
from dataclasses import replace

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings

from horae.errors import DataError, RecipeError
from horae.features.compute import compute_features
from horae.features.settings import FeatureSettings
from tests.features.logs import START, Row, log_of, rows
from tests.logs import events_of

LOG = events_of([("u", "i", 100), ("u", "i", 200), ("v", "i", 200), ("u", "i", 300)])
AT = 1_600_000_000


def joined(table: pl.DataFrame, by: str = "user", **more) -> pl.DataFrame:
    return compute_features(LOG, by, tables={"plans": table}, settings=FeatureSettings(groups=["tables"]), **more)


def plans(**columns) -> pl.DataFrame:
    return pl.DataFrame({"user_id": ["u", "u"], "plan": ["free", "paid"], **columns}, strict=False)


def times(*seconds: float | None) -> pl.Series:
    return pl.Series([None if s is None else int(s * 1e6) for s in seconds], dtype=pl.Int64).cast(pl.Datetime("us"))


def test_a_row_is_seen_from_its_beginning_to_before_its_end():
    table = plans(valid_from=times(None, 200), valid_to=times(200, 300))
    assert joined(table)["plan"].to_list() == ["free", "paid", None, None]


def test_without_an_end_a_row_holds_until_the_next():
    table = plans(valid_from=times(None, 200))
    assert joined(table)["plan"].to_list() == ["free", "paid", "paid", None]


def test_a_row_is_not_seen_before_it_was_known():
    table = plans(valid_from=times(None, 150), known_at=times(None, 250))
    assert joined(table)["plan"].to_list() == ["free", None, "paid", None]


def test_numbers_are_float32_also_where_a_file_holds_them_as_text_and_ids_meet_as_text():
    table = pl.DataFrame({"item_id": ["7"], "price": ["2.5"], "valid_from": [None], "free": [True]})
    log = events_of([("u", 7, 100), ("u", 8, 200)])
    frame = compute_features(log, "item", tables={"prices": table}, settings=FeatureSettings(groups=["tables"]))
    assert frame.select("price", "free").to_dicts() == [{"price": 2.5, "free": 1.0}, {"price": None, "free": None}]
    assert frame.schema["price"] == pl.Float32


def test_a_table_for_the_whole_log_needs_no_key():
    table = pl.DataFrame({"valid_from": times(150, 250), "sale": [0.1, 0.2]})
    assert joined(table, "all")["sale"].to_list() == pytest.approx([None, 0.1, 0.2, 0.1])


def test_overlapping_rows_are_refused_and_named():
    table = plans(valid_from=times(100, 150), valid_to=times(None, 300))
    with pytest.raises(DataError, match=r"2 rows of one user_id .*row 1 \(user_id u, .*row 2 \(user_id u") as refused:
        joined(table)
    assert "valid_to" in refused.value.hint
    twice = plans(valid_from=times(100, 100))
    with pytest.raises(DataError, match="2 rows of one user_id hold at the same time"):
        joined(twice)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (plans(), "no column valid_from: .* the future"),
        (plans(valid_from=times(200, 300), valid_to=times(100, None)), "1 rows end before they begin.*row 1"),
        (plans(valid_from=["soon", "2024-01-01"]), "valid_from of 1 rows is no time, such as 'soon' in row 1"),
        (pl.DataFrame({"who": ["u"], "valid_from": [None], "plan": ["x"]}), "expected a column user_id, found who"),
        (
            pl.DataFrame({"user_id": [None, "u"], "valid_from": [None, None], "plan": ["x", "y"]}),
            "row 1 has no user_id",
        ),
        (pl.DataFrame({"user_id": ["u"], "valid_from": [None]}), "no column besides"),
        (plans(valid_from=times(1, 2)).rename({"plan": "value"}), "the column value is there already"),
    ],
)
def test_a_table_that_cannot_be_trusted_is_refused(table: pl.DataFrame, said: str):
    with pytest.raises(DataError, match=said) as refused:
        joined(table)
    assert refused.value.hint


def test_a_table_without_its_group_has_no_effect_and_is_refused():
    with pytest.raises(RecipeError, match="tables has no effect"):
        compute_features(
            LOG, tables={"plans": plans(valid_from=times(1, 2))}, settings=FeatureSettings(groups=["windows"])
        )


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_rows_that_begin_or_become_known_after_a_moment_are_never_seen(data: st.DataObject):
    made: list[Row] = data.draw(rows(unknown_times=False, most=6))
    made[0] = replace(made[0], user="a")
    stamps = st.one_of(st.none(), st.integers(-2, 12).map(lambda n: START + 40_000.0 * n))
    begins = sorted({-math.inf if (t := data.draw(stamps)) is None else t for _ in range(4)})
    table = pl.DataFrame(
        {
            "user_id": ["a"] * len(begins),
            "valid_from": times(*(None if math.isinf(t) else t for t in begins)),
            "known_at": times(*(data.draw(stamps) for _ in begins)),
            "score": [float(n) for n in range(len(begins))],
        }
    )
    known = [-math.inf if t is None else t.timestamp() for t in table["known_at"].dt.replace_time_zone("UTC")]
    frame = compute_features(log_of(made), tables={"t": table}, settings=FeatureSettings(groups=["tables"]))
    for have in frame.to_dicts():
        t = have["timestamp"].timestamp()
        holding = [n for n, begin in enumerate(begins) if begin <= t and (begins[n + 1 :] or [math.inf])[0] > t]
        seen = [n for n in holding if known[n] <= t] if have["user_id"] == "a" else []
        assert have["score"] == (seen[0] if seen else None)
