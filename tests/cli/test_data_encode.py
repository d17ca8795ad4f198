from pathlib import Path

import polars as pl
import pytest

from tests.cli.conftest import Horae


@pytest.fixture
def items(tmp_path: Path) -> Path:
    file = tmp_path / "items.csv"
    file.write_text("sku,title,brand\n1,Red shoes,Acme\n2,Coffee machine,\n3,,\n")
    return file


def test_a_catalog_becomes_a_file_of_vectors(horae: Horae, items: Path, tmp_path: Path):
    out = tmp_path / "vectors.parquet"
    done = horae("data", "encode", items, "-o", out, "--encoder", "hashed", "--json").json
    assert done["modalities"] == {"text": {"encoder": "hashed", "width": 128, "items": 2}}
    assert [(one["column"], one["filled"]) for one in done["coverage"]] == [("title", 2), ("brand", 1)]
    frame = pl.read_parquet(out)
    assert frame.columns == ["item_id", "text"] and frame["text"].null_count() == 1
    said = horae("data", "encode", items, "-o", out, "--encoder", "hashed", "--columns", "title", "--cache", tmp_path)
    assert "title" in said.out and "2 of 3 items" in said.err and str(tmp_path) in said.err


def test_what_has_no_effect_or_cannot_be_is_refused(horae: Horae, items: Path, tmp_path: Path):
    assert ".parquet" in horae("data", "encode", items, "-o", tmp_path / "out.csv", code=2).err
    out = tmp_path / "out.parquet"
    assert "--images" in horae("data", "encode", items, "-o", out, "--image-encoder", "x", code=2).err
    said = horae("data", "encode", items, "-o", out, "--columns", "titel", "--encoder", "hashed", code=3).err
    assert "no column 'titel'" in said and "Did you mean title?" in said


def test_rows_of_a_catalog_without_an_id_are_counted_not_dropped_in_silence(horae: Horae, items: Path, tmp_path: Path):
    items.write_text("sku,title\n1,Red shoes\n,Coffee\n3,Tea\n,Cups\n")
    out = tmp_path / "out.parquet"
    said = horae("data", "encode", items, "-o", out, "--encoder", "hashed").err
    assert "2 rows have no item_id, the first is row 2 of the table; left out" in said
    items.write_text("sku,title\n,Red shoes\n")
    assert "no row has an id in item_id" in horae("data", "encode", items, "-o", out, code=3).err


def test_a_table_that_cannot_be_split_is_not_answered_with_options_of_a_log(horae: Horae, items: Path, tmp_path: Path):
    items.write_text("sku;title\n1;Red\n2;Coffee\n3;Tea;green;here\n4;Cups\n")
    said = horae("data", "encode", items, "-o", tmp_path / "out.parquet", code=3).err
    assert "2 fields in each row" in said and "quotes" in said and "--max-bad" not in said
