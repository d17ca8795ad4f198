"""Wild values of three kinds of table are kept, clipped, forgotten or dropped, and told."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.logs import events_of

from horae.data.outliers import OutlierSettings, handle_outliers
from horae.errors import DataError

START = datetime(2024, 1, 1, tzinfo=UTC)


def series(values, name="a"):
    times = [START + timedelta(days=day) for day in range(len(values))]
    return pl.DataFrame({"series_id": name, "timestamp": times, "value": [float(value) for value in values]})


TWO = pl.concat([series([1, 2, 3, 4, 5, 900], "small"), series([900, 901, 902, 903, 904, 905], "large")])


@pytest.mark.parametrize(
    ("action", "values", "kind"),
    [
        ("keep", [1, 2, 3, 4, 5, 900], "warning"),
        ("clip", [1, 2, 3, 4, 5, 3.5 + 5 * 1.4826 * 1.5], "changed"),
        ("null", [1, 2, 3, 4, 5, None], "changed"),
        ("drop", [1, 2, 3, 4, 5], "dropped"),
    ],
)
def test_each_action_does_what_it_says_and_tells_it(action, values, kind):
    handled = handle_outliers(TWO, OutlierSettings(action=action, deviations=5))
    assert handled.data.filter(pl.col("series_id") == "small")["value"].to_list() == pytest.approx(values)
    assert (handled.step.kind, handled.step.rows) == (kind, 1)
    assert handled.step.examples == ("small, 2024-01-06 00:00:00: 900",)
    assert handled.wild.tolist() == [False] * 5 + [True] + [False] * 6


def test_as_a_whole_the_small_ones_are_wild_beside_the_large():
    handled = handle_outliers(TWO, OutlierSettings(deviations=5, by="whole"))
    assert handled.wild.tolist() == [True] * 5 + [False] * 7


def test_bounds_come_from_the_training_part():
    frame = series([1, 2, 3, 4, 5, 900, 900, 900, 900, 900, 900, 900])
    assert handle_outliers(frame, OutlierSettings(deviations=5)).step.rows == 0
    assert handle_outliers(frame, OutlierSettings(deviations=5), until="2024-01-06").step.rows == 7


def test_a_matrix_keeps_its_shape():
    matrix = np.array([[1.0, 900], [2, 901], [3, 902], [4, 903], [500, 904]])
    handled = handle_outliers(matrix, OutlierSettings(method="iqr"))
    assert np.argwhere(handled.wild).tolist() == [[4, 0]] and np.isnan(handled.data[4, 0])
    assert handled.step.examples == ("row 4, series 0: 500",)
    with pytest.raises(DataError, match="matrix"):
        handle_outliers(matrix, OutlierSettings(action="drop"))


def test_events_are_judged_by_their_behavior_across_users():
    rows = [(f"u{n % 3}", "i", 1_700_000_000 + n, "buy" if n % 2 else "rate", 900.0 + n if n % 2 else 3.0 + n / 10)
            for n in range(20)]  # fmt: skip
    rows[4] = (*rows[4][:4], 905.0)  # ordinary for buy, wild for rate
    handled = handle_outliers(events_of(rows, behaviors=("buy", "rate")), OutlierSettings(action="drop", deviations=9))
    assert len(handled.data) == 19 and handled.step.examples == ("user u1, rate: 905",)
    assert handled.data.report.steps[-1] == handled.step
    unknown = [(user, item, None, kind, value) for user, item, _, kind, value in rows]
    assert handle_outliers(events_of(unknown, behaviors=("buy", "rate")), OutlierSettings(deviations=9)).step.rows == 1


@pytest.mark.parametrize(
    "values",
    [
        {"method": "guess"},
        {"action": "hide"},
        {"by": "me"},
        {"deviations": 0.0},
        {"method": "iqr", "deviations": 3.0},
        {"share": 0.2},
        {"method": "isolation_forest", "share": 0.9},
    ],
)
def test_impossible_settings_and_those_without_effect_are_refused(values):
    with pytest.raises(DataError):
        OutlierSettings(**values)
