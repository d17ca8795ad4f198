"""The registry: what it says of each column holds, and the page says the same."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from horae.errors import RecipeError
from horae.features.calendar import CalendarSettings
from horae.features.compute import FeatureBlocks
from horae.features.group import is_column_of
from horae.features.groups import GROUPS, ON_REQUEST, check_groups
from horae.features.settings import FeatureSettings
from tests.features.logs import HALF_LIVES, START, WINDOWS, Row, log_of

DOCS = Path(__file__).parents[2] / "docs"
LOG = log_of(
    [
        Row("a", "x", START, "view", 1.0, "phone", 2.0, "s"),
        Row("a", "y", START + 60, "cart", None, None, None, "s"),
        Row("b", "x", START + 90, "view", 3.0, "desk", 1.0, "t"),
        Row("a", "x", START + 9_000, "view", 4.0, "phone", 3.0, "u"),
    ]
)
RELATIONS = pl.DataFrame({"user_id": ["a"], "other_id": ["b"], "valid_from": ["2020-01-01"]})
TABLE = pl.DataFrame({"user_id": ["a"], "valid_from": ["2020-01-01"], "plan": ["paid"]})
SALE = pl.DataFrame({"name": ["sale"], "start": [date(2020, 9, 14)], "end": [date(2020, 9, 15)]})
LISTED = r"(?m)^\| `([a-z_]*\{?[a-z_{}]+)` \|(?:[^|]+\|){3}$"
FEATURES = [(name, feature) for name, group in GROUPS.items() for feature in group.features]


def computed(by: str, country: str | None = None) -> dict[str, list[str]]:
    """Columns of each group."""
    more = {"relations": RELATIONS, "tables": {"plans": TABLE}} if by == "user" else {}
    more |= {"promotions": SALE, "by": by}
    told = FeatureSettings(windows=WINDOWS, half_lives=HALF_LIVES, calendar=CalendarSettings(country))
    names = [*FeatureBlocks(LOG, settings=told, **more).groups, *ON_REQUEST]
    blocks = FeatureBlocks(LOG, settings=replace(told, groups=names), **more)
    ((_, at),) = blocks.asked.moments(blocks.book, 100)
    return {name: list(group.compute(at.lines, at)) for name, group in blocks.groups.items()}


def test_every_column_is_one_feature_of_its_group_and_every_feature_has_a_column():
    pytest.importorskip("holidays")
    found = set()
    for by in ("user", "item"):
        for name, columns in computed(by, "DE").items():
            for column in columns:
                features = [feature for feature in GROUPS[name].features if is_column_of(feature.name, column)]
                assert len(features) == 1, (name, column)
                found.add((name, features[0]))
    assert found == set(FEATURES)


def test_no_column_belongs_to_two_groups():
    columns = [column for group in computed("user").values() for column in group]
    assert len(columns) == len(set(columns))


def test_the_page_lists_every_feature_with_its_unit_and_null_rule():
    text = (DOCS / "features.md").read_text(encoding="utf-8")
    for name, feature in FEATURES:
        assert f"| `{feature.name}` | {feature.unit} | {feature.doc} | {feature.null} |" in text, feature.name
        assert f"**`{name}`**" in text
    assert set(re.findall(LISTED, text)) == {feature.name for _, feature in FEATURES}


def test_the_chinese_page_lists_no_feature_that_is_not_there():
    text = (DOCS / "zh" / "features.md").read_text(encoding="utf-8")
    listed = re.findall(LISTED, text)
    assert len(listed) > 25 and set(listed) <= {feature.name for _, feature in FEATURES}


def test_groups_that_are_none_are_refused_by_name():
    with pytest.raises(RecipeError, match="'weather'") as refused:
        check_groups(["windows", "weather"])
    assert "recency" in refused.value.hint
    with pytest.raises(RecipeError, match="each name once"):
        check_groups(["windows", "windows"])
