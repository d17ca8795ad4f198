"""The `[data]` table is checked when it is made."""

from datetime import UTC, datetime

import pytest

from horae.data.settings import DataSettings, parse_time
from horae.errors import RecipeError
from horae.recipe import Recipe, settings


def test_a_recipe_table_fills_it():
    filled = settings(DataSettings, {"min_item_events": 5, "target_behaviors": ["buy"], "max_bad": 0}, "[data]")
    assert filled == DataSettings(min_item_events=5, target_behaviors=("buy",), max_bad=0.0)


@pytest.mark.parametrize(
    "values",
    [
        {"min_user_events": 0},
        {"max_bad": 1.0},
        {"outlier_deviations": 0.0},
        {"repeat_window_seconds": -1.0, "repeats": "first"},
        {"earliest": "2024-01-01", "latest": "2023-01-01"},
        {"earliest": "yesterday"},
        {"outlier_method": "iqr", "outlier_fences": 0.0},
        {"outlier_method": "isolation_forest", "outlier_share": 0.6},
        {"missing": "linear"},
        {"missing": "mean", "fit_until": "soon"},
    ],
)
def test_an_impossible_value_is_an_error(values):
    with pytest.raises(RecipeError):
        DataSettings(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"repeat_window_seconds": 5.0},
        {"min_history": 3, "min_user_events": 3},
        {"outlier_method": "iqr", "outlier_deviations": 3.0},
        {"outlier_fences": 2.0},
        {"outlier_share": 0.1},
        {"fit_until": "2024-01-01"},
        {"fit_until": "2024-01-01", "missing": "forward_fill"},
    ],
)
def test_a_key_without_effect_is_an_error(values):
    with pytest.raises(RecipeError, match="no effect"):
        DataSettings(**values)


def test_a_latest_date_is_included_to_its_end():
    assert DataSettings(latest="2024-05-31").last_time == datetime(2024, 6, 1, tzinfo=UTC)


def test_times_without_a_zone_are_utc():
    assert parse_time("2024-05-31T18:00:00+02:00", "x") == parse_time("2024-05-31T16:00:00", "x")


def test_a_date_may_be_typed_without_quotes():
    recipe = Recipe("any").with_overrides(
        ["data.fit_until=2024-05-31", "data.missing=mean", "data.earliest=2020-01-01"]
    )
    filled = settings(DataSettings, recipe.data, "[data]")
    assert (filled.fit_until, filled.earliest) == ("2024-05-31", "2020-01-01")
