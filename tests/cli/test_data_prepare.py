import polars as pl

from horae.sequences.prepared import open_large


def test_prepare_writes_a_folder_and_one_document(horae, log, tmp_path):
    horae("data", "convert", log, "-o", tmp_path / "events.parquet")
    ended = horae("data", "prepare", tmp_path / "events.parquet", "-o", tmp_path / "out", "--json")
    assert ended.json["events"] == 480 and ended.json["users"] == 60 and ended.json["items"] == 15
    assert len(open_large(tmp_path / "out")) == 480
    assert "--overwrite" in horae("data", "prepare", tmp_path / "events.parquet", "-o", tmp_path / "out", code=4).err


def test_prepare_maps_columns_and_takes_data_keys(horae, tmp_path):
    frame = pl.DataFrame({"who": ["a"] * 9 + ["b"], "what": range(10), "when": [1_600_000_000] * 10})
    frame.write_parquet(tmp_path / "odd.parquet")
    mapping = ("--columns", "user_id=who,item_id=what", "--columns", "timestamp=when")
    out = tmp_path / "out"
    document = horae("data", "prepare", tmp_path / "odd.parquet", "-o", out, *mapping, "--json").json
    assert document["users"] == 2 and document["events"] == 10
    horae(
        "data",
        "prepare",
        tmp_path / "odd.parquet",
        "-o",
        out,
        *mapping,
        "--overwrite",
        "--set",
        "data.outliers=drop",
        code=2,
    )
    horae("data", "prepare", tmp_path / "odd.parquet", "-o", out, *mapping, "--memory-gb", "0.1", "--overwrite", code=3)
