import numpy as np
import pytest

from horae.errors import DataError
from horae.recommend.rules.meaning import Moment
from horae.recommend.rules.ruleset import RuleSet
from horae.recommend.rules.syntax import parse_rule

from .shelf import COLUMNS, ITEMS


def rules(*texts, wanted=None):
    return RuleSet([parse_rule(text) for text in texts], wanted, COLUMNS, ITEMS)


def names(mask):
    return "".join(ITEMS.all[int(item) - 1] for item in np.flatnonzero(mask))


def test_allow_and_deny_and_the_filter_all_hold():
    found = rules("price is not null", "deny where brand == 'x'", "allow where true", wanted="price < 100")
    assert names(found.allowed(Moment()).items_I) == "a" and found.only_gates
    assert rules("boost x2 where on").allowed(Moment()).items_I is None


def test_what_leaves_nothing_is_said_and_only_allow_gives_way():
    gave = rules("price > 1000", "deny where brand == 'x'").allowed(Moment())
    assert gave.gave_way and "price > 1000" in gave.note and names(gave.items_I) == "abc"
    denied = rules("deny where true").allowed(Moment())
    assert not denied.gave_way and "deny every item" in denied.note and names(denied.items_I) == ""
    unmet = rules("price > 1000", wanted="price < 0").allowed(Moment())
    assert not unmet.gave_way and "price < 0" in unmet.note and names(unmet.items_I) == ""


def test_boosts_multiply_and_are_named():
    found = rules("spring: boost x2 where price > 1", "boost x0.5 where on")
    weights = found.log_weights(Moment())
    assert np.allclose(weights, [0, np.log(2), 0, 0, 0])
    assert found.boosts_of(4, Moment()) == ["spring", "boost x0.5 where on"] and not found.boosts_of(2, Moment())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("deny price > 3", "expected `where`"),
        ("boost 1.2 where on", "a factor such as `x1.2`"),
        ("boost x0 where on", "between"),
        ("pin at 1", "names an item"),
        ("pin 'zzz' at 1", "not in the run's item table"),
        ("pin 'a' at 0", "a rank from 1"),
        ("quota at most x per brand", "a number of items"),
        ("quota at most 3 per brnd", "Did you mean `brand`"),
        ("allow", "expected `where`"),
        ("", "expected a value"),
    ],
)
def test_rules_that_cannot_be_are_refused(text, words):
    with pytest.raises(DataError, match="character") as caught:
        rules(text)
    assert words in str(caught.value)


def test_a_column_may_be_called_like_a_verb():
    assert parse_rule("pin > 3").verb == "allow" and parse_rule("deny in [1]").verb == "allow"
    assert parse_rule("quota at most 2 per categories where on").most == 2
