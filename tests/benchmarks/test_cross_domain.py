"""Who is asked in the claim on domains, and how its result is told."""

import importlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from benchmarks.cross_domain import ALL, ALONE, KNN, asked_in

START = datetime(2024, 1, 1, tzinfo=UTC)
sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))  # as `python docs/generate.py` has it
results = importlib.import_module("making.results")


def test_new_is_who_was_never_in_the_part_and_all_were_somewhere_before():
    rows = [
        ("new", "Hair", 1), ("new", "Skin", 11), ("new", "Skin", 12),
        ("old", "Skin", 2), ("old", "Skin", 13),
        ("same day", "Hair", 14), ("same day", "Skin", 14),
        ("gone", "Skin", 3),
        ("elsewhere", "Hair", 4), ("elsewhere", "Hair", 15),
        ("late", "Hair", 11), ("late", "Skin", 16),
    ]  # fmt: skip
    frame = pl.DataFrame(
        [(user, part, f"{part}:i{day}", START + timedelta(days=day)) for user, part, day in rows],
        ["user_id", "platform", "item_id", "timestamp"],
        orient="row",
    )
    asked = asked_in("Skin", frame, (START + timedelta(days=10)).isoformat())
    told = {(row["user_id"], row["item_id"], row["new"]) for row in asked.iter_rows(named=True)}
    assert told == {("new", "Skin:i11", True), ("old", "Skin:i13", False), ("late", "Skin:i16", True)}


def test_the_table_tells_new_people_and_the_others():
    gap = {"difference": 0.02, "low": 0.01, "high": 0.03, "gain": 0.5}
    group = {"people": 7, "ndcg@10": {ALL: 0.06, KNN: 0.05, ALONE: 0.04}}
    group |= {f"{name} over {ALONE}": gap for name in (ALL, KNN)}
    told = list(results.FIGURES["cross_domain"]({"parts": {"Skin Care": {"new": group, "others": group}}}))
    assert len(told) == 4
    assert told[0][0][0].startswith("Skin Care, 7 people, new there")
    assert told[0][1] == "0.0600; 0.0400; +0.0200 [0.0100, 0.0300]"
