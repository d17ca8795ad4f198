import gzip
import io
import os
import sqlite3
import sys
import threading
import zipfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from horae.data.reading.sql import without_password
from horae.data.sources import read_table
from horae.errors import DataError, MissingExtraError, StoreError

HEADER = "user_id,item_id,timestamp\n"
ROWS = "".join(f"u{i % 7},i{i % 13},{1_400_000_000 + i}\n" for i in range(300))
FRAME = pl.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "timestamp": [1_400_000_000, 1_400_000_001]})


@pytest.fixture
def write(tmp_path):
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"{name}.csv", text)
    return buffer.getvalue()


def expect_plain(table):
    assert table.frame.columns == ["user_id", "item_id", "timestamp"]
    assert table.frame.height == 300
    assert table.frame.row(299) == ("u5", "i0", "1400000299")
    assert set(table.frame.dtypes) == {pl.String}


@pytest.mark.parametrize(
    "content",
    [
        HEADER + ROWS,
        (HEADER + ROWS).replace("\n", "\r\n"),
        (HEADER + ROWS).replace("\n", "\r"),
        (HEADER + ROWS).rstrip("\n"),
        (HEADER + ROWS).replace(",", "\t"),
        (HEADER + ROWS).replace(",", ";"),
        (HEADER + ROWS).replace(",", "|"),
        (HEADER + ROWS).replace(",", "::"),
        (HEADER + ROWS).replace(",", "   "),
        (HEADER + ROWS).replace(",", "\x01"),
        b"\xef\xbb\xbf" + (HEADER + ROWS).encode(),
        (HEADER + ROWS).encode("utf-16"),
        (HEADER + ROWS).encode("utf-16-le"),
        gzip.compress((HEADER + ROWS).encode()),
        pa.compress((HEADER + ROWS).encode(), "zstd", asbytes=True),
        zipped(only=HEADER + ROWS),
        "user_id:token,item_id:token,timestamp:float\n" + ROWS,
        "\n\n" + HEADER + ROWS + "\n\n",
    ],
)
def test_a_table_reads_the_same_however_it_is_written(write, content):
    expect_plain(read_table(write("log.any", content)))


def test_ids_of_text_files_keep_their_spelling(write):
    table = read_table(write("log.csv", "user_id,item_id,timestamp\n007,1.0,1400000000\n 8,TRUE,1400000001\n"))
    assert table.frame["user_id"].to_list() == ["007", " 8"]
    assert table.frame["item_id"].to_list() == ["1.0", "TRUE"]


@pytest.mark.parametrize(
    ("encoding", "found"), [("latin-1", "latin-1"), ("utf-8", ""), ("gb18030", "gb18030"), ("utf-16", "utf-16")]
)
def test_encodings_are_recognised_and_said(write, encoding, found):
    user, item = ("张三", "苹果") if encoding == "gb18030" else ("José", "thé")
    table = read_table(write("log.csv", (HEADER + f"{user},{item},1400000000\n").encode(encoding)))
    assert table.frame.row(0)[:2] == (user, item)
    assert found in table.steps[0].message


def test_a_byte_that_is_not_utf8_far_down_the_file_is_still_found(write):
    content = (HEADER + ROWS * 60).encode() + "José,thé,1\n".encode("latin-1")
    table = read_table(write("log.csv", content))
    assert table.frame.row(-1) == ("José", "thé", "1")
    assert table.frame.height == 300 * 60 + 1


def test_a_named_encoding_that_does_not_fit_is_an_error_with_its_row(write):
    path = write("log.csv", (HEADER + ROWS).encode() + "José,thé,1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"log\.csv:302 is not valid utf-8"):
        read_table(path, encoding="utf-8")
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        read_table(path, encoding="klingon")


def test_quoted_fields_may_hold_delimiters_quotes_and_line_ends(write):
    table = read_table(write("log.csv", 'user,note,item,ts\nu1,"a, ""b""\nc",i1,1400000000\nu2,x,"i,2",1400000001\n'))
    assert table.frame["note"].to_list() == ['a, "b"\nc', "x"]
    assert table.frame["item"].to_list() == ["i1", "i,2"]
    assert table.where(1).endswith("log.csv:3")


def test_stray_quotation_marks_are_ordinary_characters(write):
    good = "u1,plain,i1,1400000000\n" * 300
    odd = 'u2,5" pipe,i2,1400000001\nu3,"x, y\nz",i3,1400000002\n'
    odd += 'u2,"12 inch,i2,1400000003\nu1,15" x 20" y,i1,1400000004\n'
    table = read_table(write("log.csv", "user,note,item,ts\n" + good + odd + good))
    assert table.frame["note"].to_list()[300:304] == ['5" pipe', "x, y\nz", '"12 inch', '15" x 20" y']
    assert table.frame.height == 604


@pytest.mark.parametrize("bad", ["u1,i2", "u1,i2,3,4,5", '"u1,i2'])
def test_few_ragged_rows_are_set_aside_with_their_row(write, bad):
    table = read_table(write("log.csv", HEADER + ROWS + bad + "\n" + ROWS + "\n"))
    step = next(step for step in table.steps if step.kind == "set_aside")
    assert (step.rows, table.set_aside, table.frame.height) == (1, 1, 600)
    assert step.examples[0].endswith(f"log.csv:302 has {bad.count(',') + 1} fields: {bad!r}")
    assert table.where(299).endswith("log.csv:301")
    assert table.where(300).endswith("log.csv:303")


def test_many_ragged_rows_are_refused_naming_the_first(write):
    path = write("log.csv", HEADER + ROWS + "u1,i2\n" * 10)
    with pytest.raises(DataError, match=r"expected 3 fields.*log\.csv:302 has 2 fields.*10 of 310 rows") as raised:
        read_table(path)
    assert "--max-bad" in raised.value.hint
    assert read_table(path, max_bad=0.05).frame.height == 300
    with pytest.raises(DataError):
        read_table(write("one.csv", HEADER + ROWS + "u1,i2\n"), max_bad=0.0)


def test_empty_last_fields_are_not_ragged(write):
    body = "u1,i1,1400000000,\nu2,i2,1400000001,DE\n" * 10
    for name, text in (("plain.csv", body), ("quoted.csv", body.replace("i2", '"i,2"'))):
        table = read_table(write(name, "user_id,item_id,timestamp,country\n" + text))
        assert table.frame["country"].null_count() == 10
        assert table.set_aside == 0


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(*(st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=12) for _ in range(3))),
        min_size=1,
        max_size=30,
    )
)
def test_what_a_csv_writer_wrote_is_read_back(tmp_path_factory, rows):
    frame = pl.DataFrame(rows, schema=["user_id", "note", "item_id"], orient="row")
    path = tmp_path_factory.mktemp("csv") / "log.csv"
    frame.write_csv(path, quote_style="always")
    read = read_table(path, delimiter=",", header=True).frame
    assert read.fill_null("").rows() == frame.rows()


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", 4),
        ("u1,i1,1400000000\n", 3),
        ("u1,i1\nu2,i1\nu1,i2\n", 2),
        ("u1,view,2014-01-01\nu2,view,2014-01-02\n", 3),
    ],
)
def test_files_without_header_get_numbered_columns(write, content, columns):
    table = read_table(write("u.data", content))
    assert table.frame.columns == [f"column_{i}" for i in range(1, columns + 1)]
    assert table.frame.height == content.count("\n")
    assert table.where(0).endswith("u.data:1")


def test_the_caller_may_say_whether_there_is_a_header(write):
    path = write("log.csv", "a,b\nc,d\n")
    assert read_table(path, header=False).frame.height == 2
    assert read_table(path, header=True).frame.columns == ["a", "b"]


def test_headers_that_do_not_fit_are_mended_where_that_is_safe(write):
    r = read_table(write("r.csv", '"user","item","time"\n"1","u1","i1","2014-01-01"\n"2","u2","i2","2014-01-02"\n'))
    assert r.frame.columns == ["row_name", "user", "item", "time"]
    trailing = read_table(write("t.csv", "user,item,time\nu1,i1,2014-01-01,\nu2,i2,2014-01-02,\n"))
    assert trailing.frame.columns == ["user", "item", "time", "column_4"]
    again = read_table(write("d.csv", "user_id,item_id,item_id,timestamp\nu,i,j,1400000000\n"))
    assert again.frame.columns == ["user_id", "item_id", "item_id_2", "timestamp"]
    with pytest.raises(DataError, match="names 5 columns"):
        read_table(write("w.csv", "user,item,time,x,y\nu1,i1,2014-01-01\nu2,i2,2014-01-02\nu3,i2,2014-01-02\n"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("blank.csv", b"\n\n\n", "is empty"),
        ("header.csv", HEADER.encode(), "has a header and no rows"),
        ("picture.dat", bytes(range(256)) * 20, "is not text: it holds zero bytes, the first in line 1"),
        ("prose.txt", b"Once upon a time.\nThere was.\nA log in the deep wood, and it was long\n", "no delimiter"),
        ("two.zip", zipped(a="x", b="y"), r"holds 2 files \(a.csv, b.csv\)"),
        ("cut.gz", gzip.compress((HEADER + ROWS).encode())[:-200], "compressed and damaged"),
        ("cut.parquet", b"PAR1" + b"\x00" * 50, "not readable as Parquet"),
        ("bad.jsonl", b'{"user": 1\n{"user": 2\n', r"expected a JSON object.*bad\.jsonl:1"),
    ],
)
def test_files_that_are_no_log_are_refused_by_name(write, name, content, message):
    with pytest.raises(DataError, match=message) as raised:
        read_table(write(name, content))
    assert name in raised.value.message
    assert raised.value.hint


def test_a_missing_file_suggests_its_neighbour(write):
    path = write("events.csv", HEADER + ROWS)
    with pytest.raises(DataError, match="There is no file") as raised:
        read_table(path.with_name("event.csv"))
    assert str(path) in raised.value.hint


def test_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress((HEADER + ROWS).encode()))))
    table = read_table("-")
    expect_plain(table)
    assert table.where(0) == "standard input:2"


def test_json_lines_keep_types_and_flatten_nested_fields(write):
    text = '{"user":"007","item":1,"ts":1.5,"c":{"os":"x","v":[1,2]}}\n\n{"user":"8","item":2,"ts":2}\n'
    table = read_table(write("log.jsonl", text))
    assert table.frame.schema["item"] == pl.Int64
    assert table.frame.schema["ts"] == pl.Float64
    assert table.frame.row(0, named=True) == {"user": "007", "item": 1, "ts": 1.5, "c.os": "x", "c.v": "[1, 2]"}
    assert table.where(1).endswith("log.jsonl:3")
    packed = read_table(write("log.jsonl.gz", gzip.compress(text.encode())))
    assert packed.frame.equals(table.frame)


def test_few_lines_that_are_not_json_are_set_aside(write):
    good = '{"user":"007","item":1}\n'
    table = read_table(write("log.jsonl", good * 200 + '{"user":\n' + good))
    assert (table.frame.height, table.set_aside) == (201, 1)
    assert table.where(200).endswith(":202")


def test_json_ids_of_mixed_types_become_text(write):
    assert read_table(write("a.jsonl", '{"user":1}\n{"user":"007"}\n')).frame["user"].to_list() == ["1", "007"]
    assert read_table(write("b.json", '[{"user":1},{"user":2}]')).frame["user"].to_list() == [1, 2]


def test_parquet_file_folder_and_glob_keep_types(tmp_path):
    for name in ("a", "b"):
        FRAME.write_parquet(tmp_path / f"{name}.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "notes.md").write_text("not data")
    assert read_table(tmp_path / "a.parquet").frame.equals(FRAME)
    for many in (tmp_path, tmp_path / "*.parquet"):
        table = read_table(many)
        assert table.frame.equals(pl.concat([FRAME, FRAME]))
        assert table.where(2) == f"{tmp_path / 'b.parquet'}:1"


def test_folders_named_key_value_become_columns(tmp_path):
    for year in (2020, 2021):
        (tmp_path / f"year={year}").mkdir()
        FRAME.write_parquet(tmp_path / f"year={year}" / "part.parquet")
    assert read_table(tmp_path).frame["year"].to_list() == [2020, 2020, 2021, 2021]


def test_mixed_schemas_are_refused_naming_files_and_columns(tmp_path):
    FRAME.write_parquet(tmp_path / "a.parquet")
    FRAME.with_columns(pl.col("user_id").cast(pl.String)).rename({"timestamp": "ts"}).write_parquet(
        tmp_path / "b.parquet"
    )
    with pytest.raises(DataError, match=r"a\.parquet and .*b\.parquet do not have the same columns") as raised:
        read_table(tmp_path)
    assert "user_id is Int64 and String" in raised.value.message
    assert "timestamp is Int64 and absent" in raised.value.message


def test_a_folder_of_text_files_is_one_table(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(HEADER + ROWS)
    table = read_table(tmp_path)
    assert table.frame.height == 600
    assert table.where(300).endswith("b.csv:2")
    (tmp_path / "c.csv").write_text("user,item\n1,2\n")
    with pytest.raises(DataError, match=r"a\.csv and .*c\.csv"):
        read_table(tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="holds no data files"):
        read_table(tmp_path)


def test_frames_are_taken_as_they_are():
    assert read_table(FRAME).frame is FRAME
    assert read_table(FRAME.lazy()).frame.equals(FRAME)
    indexed = pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]}).set_index("user_id")
    assert read_table(indexed).frame.columns == ["user_id", "item_id"]
    with pytest.raises(DataError, match="holds no rows"):
        read_table(FRAME.clear())
    with pytest.raises(DataError, match="from list"):
        read_table([1, 2])


@pytest.fixture
def sqlite_file(tmp_path):
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("create table events (user_id text, item_id, timestamp int)")
    connection.executemany("insert into events values (?, ?, ?)", [("007", 1, 1_400_000_000), ("8", "x", None)])
    connection.commit()
    connection.close()
    return path


@pytest.mark.parametrize("query", [None, "events", "select * from events;"])
def test_sqlite_by_url_and_query(sqlite_file, query):
    table = read_table(f"sqlite:///{sqlite_file}", query=query)
    assert table.frame.rows() == [("007", "1", 1_400_000_000), ("8", "x", None)]


def test_a_database_file_needs_no_url(sqlite_file):
    assert read_table(sqlite_file).frame.height == 2
    assert read_table(sqlite_file, query="select user_id from events").frame.width == 1


@pytest.mark.parametrize(
    ("query", "message"),
    [("sales", "no table 'sales'; it has: events"), ("select nope from events", "no such column: nope")],
)
def test_sql_that_is_refused_says_why(sqlite_file, query, message):
    with pytest.raises(DataError, match=message):
        read_table(f"sqlite:///{sqlite_file}", query=query)


def test_missing_databases_and_queries_without_database_are_refused(tmp_path, write):
    with pytest.raises(DataError, match="no database file"):
        read_table(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(DataError, match="A query needs a database"):
        read_table(write("log.csv", HEADER + ROWS), query="select 1")


def test_duckdb_by_url_and_query(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    connection = duckdb.connect(str(path))
    connection.execute("create table events as select 'a' as user_id, 5 as item_id, timestamp '2020-01-01' as ts")
    connection.close()
    for source, query in ((f"duckdb:///{path}", None), (path, "select * from events")):
        assert read_table(source, query=query).frame.row(0)[:2] == ("a", 5)
    with pytest.raises(DataError, match="refused the query"):
        read_table(f"duckdb:///{path}", query="select nope from events")


def test_postgresql_that_does_not_answer_never_shows_the_password():
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match="Cannot reach postgresql://bob@127") as raised:
        read_table("postgresql://bob:secret@127.0.0.1:9/shop", query="events")
    assert "secret" not in str(raised.value)
    assert without_password("postgresql://a:b@h/d") == "postgresql://a@h/d"


@pytest.mark.parametrize(("module", "url"), [("duckdb", "duckdb:///{}"), ("psycopg", "postgresql://h/d")])
def test_a_missing_driver_names_its_extra(monkeypatch, sqlite_file, module, url):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="needs") as raised:
        read_table(url.format(sqlite_file), query="events")
    assert "horae[sql]" in raised.value.hint


def test_a_named_pipe_is_read_once_and_whole(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(b"user_id,item_id\nu1,i1\n"),))
    writer.start()
    assert read_table(pipe).frame.rows() == [("u1", "i1")]
    writer.join()


def test_bytes_are_read_as_a_file_is():
    assert read_table(b"user_id,item_id\nu1,i1\n").frame.rows() == [("u1", "i1")]
