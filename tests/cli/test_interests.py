import json

import polars as pl
import pytest


@pytest.fixture(scope="module")
def shop(horae, tmp_path_factory):
    """A run with a catalog."""
    folder = tmp_path_factory.mktemp("shop")
    horae(
        "data", "simulate", "-o", folder / "shop", "--users", "40", "--items", "20", "--events", "800", "--days", "100"
    )
    (events,) = (folder / "shop").glob("events*")
    (catalog,) = (folder / "shop").glob("catalog*")
    horae("train", events, "-o", folder / "run", "--recipe", "markov", "--catalog", catalog)
    return folder / "run"


def test_interests_are_told_in_words_as_json_and_as_a_table(horae, shop, tmp_path):
    user = str(pl.read_parquet(shop / "events.parquet")["user_id"][0])
    assert (
        f"{user}: " in horae("interests", shop, "--user", user).out
        or "no interest" in horae("interests", shop, "--user", user).out
    )
    document = horae("interests", shop, "--user", user, "--most", "3", "--json").json
    assert len(document["interests"]) <= 3 and set(document) == {"run", "file", "interests", "words", "notes"}
    horae("interests", shop, "--user", user, "-o", tmp_path / "likes.csv")
    assert "weight" in (tmp_path / "likes.csv").read_text()
    horae("interests", shop, code=2)


def test_filters_rules_and_strategies_are_typed(horae, shop, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text('rules = ["cheap: boost x2 where price < 50", "quota at most 2 per category"]')
    typed = horae(
        "recommend", shop, "--all-users", "-k", "4", "--rules", rules, "--strategy", "interest", "--json"
    ).json
    assert all(isinstance(row["rules"], list) for row in typed["recommendations"])
    text = horae("recommend", shop, "--all-users", "-k", "4", "--rules", rules).out
    assert text.splitlines()[0].endswith(",rules") and "cheap" in text
    ended = horae("recommend", shop, "--all-users", "--filter", "prize < 3", code=3)
    assert "character 1" in ended.err and "Did you mean `price`" in ended.err
    rules.write_text("rule = 3")
    horae("recommend", shop, "--all-users", "--rules", rules, code=3)
    horae("recommend", shop, "--all-users", "--context", "phone", code=2)
    unused = horae("recommend", shop, "--all-users", "--context", "device=phone", "--json").json
    assert any("not used" in note for note in json.loads(json.dumps(unused))["notes"])
