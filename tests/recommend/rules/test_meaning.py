from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from horae.errors import DataError
from horae.recommend.rules.columns import Columns
from horae.recommend.rules.meaning import Moment, condition
from horae.recommend.rules.syntax import parse_expression

from .shelf import COLUMNS, ITEMS

NAN = float("nan")


def held(text, now=NAN, **context):
    found = condition(parse_expression(text), text, COLUMNS).holds(Moment(now, context))
    assert not found[0]
    return "".join(ITEMS.all[int(item) - 1] for item in np.flatnonzero(found))


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("price < 10", "d"),
        ("not price < 10", "a"),  # what is unknown is neither below nor not below
        ("price is null", "bc"),
        ("price is not null and price != 5", "a"),
        ("price between 5 and 20", "ad"),
        ("price * 2 between 8 and 12", "d"),
        ("-price < -6", "a"),
        ("price / 0 > 1", ""),
        ("brand == 'x' or brand == \"y\"", "cd"),
        ("brand in ['x', 'z']", "d"),
        ("brand not in ['x']", "c"),
        ("brand starts_with 'X'", "d"),
        ("categories has 'M'", "cd"),
        ("not categories has 'M'", "a"),
        ("categories is null", "b"),
        ("genres has 'A'", "ad"),
        ("genres contains 'b'", "cd"),
        ("launch > '2024-02-01'", "c"),
        ("on", "d"),
        ("not on", "a"),
        ("on is null", "bc"),
        ("item_id in ['a', 'd']", "ad"),
        ("`my price` == 2", "c"),
        ("true", "abcd"),
        ("launch > now - 30 days", ""),
        ("price < context.budget", ""),
        ("price == 5 or (price == 20 and not on)", "ad"),
        ("price == 5 or price == 20 and on", "d"),  # `and` binds first
    ],
)
def test_a_condition_holds_for_the_items_that_it_says(text, items):
    assert held(text) == items


def test_the_request_brings_its_time_and_its_context():
    assert held("launch > now - 30 days", datetime(2024, 5, 3, tzinfo=UTC).timestamp()) == "c"
    assert held("launch <= now", datetime(2024, 1, 1, tzinfo=UTC).timestamp()) == "d"
    assert held("price < context.budget", budget=7) == "d"
    assert held("price < context.budget", budget="7") == ""  # another kind: unknown
    assert held("brand == context.brand", brand="y") == "c"
    assert held("context.device == 'phone' and price > 1", device="phone") == "ad"
    assert held("context.vip", vip=True) == "abcd" and held("context.vip") == ""


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("price < ", 9, "expected a value, got the end"),
        ("price <> 3", 8, "got `>`"),
        ("brnad == 1", 1, "Did you mean `brand`"),
        ("brand > 'x'", 7, "no order"),
        ("launch > '2024-99-01'", 8, "no date"),
        ("categories == 'x'", 12, "cannot be compared"),
        ("price < 5 days", 7, "a number cannot be compared with a duration"),
        ('"abc', 1, "does not end"),
        ("price < 10 price", 12, "expected the end"),
        ("price", 1, "expected a condition"),
        ("price + brand > 1", 7, "no meaning"),
        ("price ; 1", 7, "means nothing"),
        ("brand has price", 11, "text in quotes"),
    ],
)
def test_what_cannot_be_read_shows_the_place(text, character, words):
    with pytest.raises(DataError, match=f"character {character}:") as caught:
        held(text)
    assert words in str(caught.value)
    shown, mark = str(caught.value).splitlines()[1:3]
    assert shown[2:] == text and mark == " " * (character + 1) + "^"


def test_text_of_files_without_types_is_read_as_what_it_is():
    raw = {"price": ["1.5", "20"], "sale": ["true", "False"], "day": ["2024-05-31", "2024-06-01"], "code": ["7", "x"]}
    moment = ["2024-05-31T10:00:00Z", "2024-06-01T10:00:00Z"]
    columns = Columns(ITEMS, pl.DataFrame({"item_id": ["a", "b"], **raw, "launch": moment}))
    for text in ("price < 10", "sale", "day < '2024-06-01'", "launch < '2024-06-01'", "code == '7'"):
        assert condition(parse_expression(text), text, columns).holds(Moment()).tolist() == [False, True, *[False] * 3]


@pytest.mark.parametrize(
    ("text", "value", "what"),
    [
        ("launch_time > now", "31.05.2024", "no date"),
        ("now < launch_time", "31.05.2024", "no date"),
        ("price < 10", "12,50", "no number"),
        ("price - 1 < 10", None, None),
        ("name < 'b'", None, None),
    ],
)
def test_a_value_that_keeps_a_column_from_being_times_or_numbers_is_named(text, value, what):
    raw = {"launch_time": ["2024-05-31", "31.05.2024"], "price": ["3", "12,50"], "name": ["a", "b"]}
    columns = Columns(ITEMS, pl.DataFrame({"item_id": ["a", "b"], **raw}))
    with pytest.raises(DataError) as caught:
        condition(parse_expression(text), text, columns)
    assert ("was read as text" in caught.value.hint) == (value is not None)
    if value:
        assert f"{value!r} is {what}" in caught.value.hint


def test_a_run_without_a_catalog_says_so():
    bare = Columns(ITEMS, None)
    with pytest.raises(DataError, match="no catalog"):
        condition(parse_expression("price < 1"), "price < 1", bare)
    assert condition(parse_expression("item_id == 'a'"), "", bare).holds(Moment()).tolist() == [
        False,
        True,
        *[False] * 3,
    ]


def test_nobody_can_make_it_work_long_or_deep():
    for text in ("(" * 5_000 + "price > 1", "not " * 2_000 + "on", "-" * 3_000 + "1 > price"):
        with pytest.raises(DataError, match="levels"):
            held(text)
    with pytest.raises(DataError, match="at most 10,000"):
        held("price > 1 or " * 1_000 + "on")
    assert held("on or " * 1_000 + "price > 1") == "ad"


def test_only_the_language_is_understood():
    for text in ("__import__('os')", "price.real > 1", "on; on", "[1][0] > 0", "lambda: 1", "price if on else 1"):
        with pytest.raises(DataError):
            held(text)


leaves = st.sampled_from(["price < 10", "brand == 'x'", "on", "categories has 'L'", "price is null", "true", "false"])
wholes = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(lambda e: f"not ({e})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=8,
)
FACTS = {
    "price < 10": [False, None, None, True],
    "brand == 'x'": [None, None, False, True],
    "on": [False, None, None, True],
    "categories has 'L'": [False, None, False, True],
    "price is null": [False, True, True, False],
    "true": [True] * 4,
    "false": [False] * 4,
}


def truth(text, item):
    """Kleene's logic, by hand, over the text's own brackets."""
    if text in FACTS:
        return FACTS[text][item]
    if text.startswith("not ("):
        inner = truth(text[5:-1], item)
        return None if inner is None else not inner
    depth = 0
    place = -1
    for letter in text:
        place += 1
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            break
    left, rest = truth(text[1:place], item), text[place + 2 :]
    how, right = rest.split(" ", 1)
    pair = [left, truth(right[1:-1], item)]
    if how == "and":
        return False if False in pair else None if None in pair else True
    return True if True in pair else None if None in pair else False


@given(wholes)
def test_logic_is_kleenes(text):
    wanted = "".join(name for item, name in enumerate("abcd") if truth(text, item) is True)
    assert held(text) == wanted
