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
