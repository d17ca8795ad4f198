from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from horae.data.columns import parse_mapping, understand
from horae.data.reading.raw import Part, RawTable
from horae.data.sources import read_table
from horae.errors import DataError

START = 1_400_000_000


def table(rows=3, **columns):
    """A frame whose shorter columns are repeated to `rows`."""
    filled = {name: (list(values) * rows)[:rows] for name, values in columns.items()}
    frame = pl.DataFrame(filled, strict=False)
    return RawTable(frame, "log.csv", [], 2, (Part("log.csv", frame.height, 2),))


def log(**columns):
    base = {"user": ["u1", "u2"], "item": ["i1"], "ts": [START]}
    return table(**{name: values for name, values in {**base, **columns}.items() if values is not None})


def said(steps, name):
    return next(step for step in steps if step.name == name)


@pytest.mark.parametrize(
    ("user", "item", "time"),
    [
        ("user_id", "item_id", "timestamp"),
        ("USER_ID", "ITEM_ID", "TIMESTAMP"),
        ("userId", "movieId", "timestamp"),
        ("visitorid", "itemid", "timestamp"),
        ("reviewerID", "asin", "unixReviewTime"),
        ("personId", "contentId", "Time"),
        ("CustomerID", "StockCode", "InvoiceDate"),
        ("customer-no", "sku", "created_at"),
        ("client id", "Product.ID", "event_time"),
        ("用户", "商品编号", "时间"),
        ("user_guid", "business_id", "ds"),
    ],
)
def test_names_in_use_are_recognised(user, item, time):
    frame, steps = understand(table(**{item: ["i1", "i2"], time: ["2014-01-01"], user: ["u1", "u2"]}))
    assert frame.columns == ["user_id", "item_id", "timestamp"]
    assert frame.row(0) == ("u1", "i1", datetime(2014, 1, 1, tzinfo=UTC))
    assert "by name" in said(steps, "columns").message


def test_ids_keep_type_and_spelling():
    frame, _ = understand(log(user=["007", " 7"], item=[3]))
    assert frame["user_id"].to_list() == ["007", " 7", "007"]
    assert frame.schema["item_id"] == pl.Int64
    frame, _ = understand(log(user=pl.Series([2**63], dtype=pl.UInt64)))
    assert frame.schema["user_id"] == pl.UInt64


def test_whole_numbers_that_pandas_made_fractions_are_integers_again():
    frame, steps = understand(log(user=[17850.0, None, float("nan")]))
    assert frame["user_id"].to_list() == [17850, None, None]
    assert said(steps, "user_id").kind == "changed"
    with pytest.raises(DataError, match="holds fractions"):
        understand(log(user=[1.5]))


def test_spellings_of_no_id_become_unknown_and_are_counted():
    frame, steps = understand(log(rows=4, user=["u1", "", "NULL", "nan"]))
    assert frame["user_id"].to_list() == ["u1", None, None, None]
    assert said(steps, "user_id").rows == 3


def test_ids_with_commas_line_ends_and_signs_are_ids():
    odd = ['a,"b"\nc', "🦉", "e\u0301"]
    assert understand(log(user=odd))[0]["user_id"].to_list() == odd


def test_ids_of_ten_thousand_characters_are_set_aside_with_a_short_example():
    users = ["x" * 10_001, *["u1"] * 199]
    frame, steps = understand(log(rows=200, user=users))
    step = said(steps, "user_id")
    assert (frame.height, step.kind, step.rows) == (199, "set_aside", 1)
    assert step.examples[0].startswith("log.csv:2: 'xxx") and len(step.examples[0]) < 90
    with pytest.raises(DataError, match="whole texts"):
        understand(log(user=users[:3]))


@pytest.mark.parametrize(
    ("columns", "winner"),
    [
        (["price", "quantity", "amount", "rating", "value"], "value"),
        (["price", "quantity", "amount", "rating"], "rating"),
        (["price", "quantity", "amount"], "amount"),
        (["price", "quantity"], "quantity"),
        (["UnitPrice"], "UnitPrice"),
        (["weight"], "weight"),
    ],
)
def test_values_have_an_order_of_preference(columns, winner):
    values = {name: [float(position)] for position, name in enumerate(columns)}
    frame, steps = understand(log(**values))
    assert frame["value"][0] == values[winner][0]
    assert (f"value is {winner}" in said(steps, "columns").message) or winner == "value"


def test_a_value_column_of_text_is_no_value():
    assert "value" not in understand(log(rating=["good", "bad"]))[0].columns


def test_unranked_rivals_are_an_error_that_names_the_option():
    with pytest.raises(DataError, match="'customer_id' and 'visitorid' may each be user_id") as raised:
        understand(log(user=None, customer_id=["a"], visitorid=["b"]))
    assert raised.value.hint == "Name it: --columns user_id=customer_id."
    frame, _ = understand(log(user=None, customer_id=["a"], visitorid=["b"]), columns={"user_id": "visitorid"})
    assert frame["user_id"][0] == "b"
    assert frame["customer_id"][0] == "a"


def test_a_canonical_name_beats_its_aliases():
    frame, steps = understand(log(user_id=["canonical"]))
    assert frame["user_id"][0] == "canonical"
    assert "user_id could also be user" in said(steps, "columns").message


def test_the_finer_of_two_times_wins():
    times = {"timestamp": [START], "timestamp_ms": [START * 1000 + 277]}
    frame, steps = understand(log(ts=None, **times))
    assert frame["timestamp"][0] == datetime.fromtimestamp(START, UTC) + timedelta(milliseconds=277)
    assert frame["timestamp_in_log"][0] == START
    assert "timestamp_ms says the same as timestamp" in said(steps, "columns").message
    both = understand(log(ts=None, order_date=["2014-01-01"], order_time=["2014-02-01 10:11:12"]))[0]
    assert both["timestamp"][0] == datetime(2014, 2, 1, 10, 11, 12, tzinfo=UTC)


def test_a_canonical_time_of_another_meaning_is_not_replaced():
    frame, _ = understand(log(ts=None, timestamp=[START], created_at=["2010-01-01 10:11:12.5"]))
    assert frame["timestamp"][0] == datetime.fromtimestamp(START, UTC)


def test_two_times_of_one_fineness_and_two_meanings_are_rivals():
    with pytest.raises(DataError, match="may each be timestamp"):
        understand(log(ts=None, order_date=["2014-01-01"], created_at=["2014-02-01"]))
    same = understand(log(ts=None, unixReviewTime=[1393545600], reviewTime=["02 28, 2014"]))[0]
    assert same["timestamp"][0] == datetime(2014, 2, 28, tzinfo=UTC)


def test_a_date_and_a_clock_time_are_one_time():
    frame, steps = understand(log(ts=None, date=["2014-01-01"], time=["08:26"]), timezone="Europe/Berlin")
    assert frame["timestamp"][0] == datetime(2014, 1, 1, 7, 26, tzinfo=UTC)
    assert "clock times are time" in said(steps, "columns").message


def test_a_session_stands_for_a_user_where_there_is_none():
    frame, steps = understand(log(user=None, SessionId=["s1"]))
    assert frame["user_id"][0] == "s1"
    assert "each session of SessionId stands for one" in said(steps, "columns").message
    both = understand(log(SessionId=["s1"]))[0]
    assert both.columns == ["user_id", "item_id", "timestamp", "session_id"]


def test_content_tells_where_names_do_not():
    count = 60
    columns = {
        "who": [f"u{i % 9}" for i in range(count)],
        "what": [i % 20 for i in range(count)],
        "how": ["view", "cart", "purchase"] * 20,
        "when": [START + i for i in range(count)],
        "country": ["DE", "FR"] * 30,
    }
    frame, steps = understand(table(rows=count, **columns))
    assert frame.columns == ["user_id", "item_id", "behavior", "timestamp", "country"]
    assert frame["user_id"].to_list() == columns["who"]
    step = said(steps, "columns")
    assert "user_id is who (by content)" in step.message
    assert "--columns" in step.hint


@pytest.mark.parametrize(
    ("rows", "roles"),
    [
        ([["u1", "i1", "1400000000"]], ["user_id", "item_id", "timestamp"]),
        ([["1", "10", "4", "881250949"], ["2", "20", "3", "881250950"]], ["user_id", "item_id", "value", "timestamp"]),
        ([["1", "9", "7", "pv", "1511544070"], ["2", "8", "7", "buy", "1511544071"]],
         ["user_id", "item_id", None, "behavior", "timestamp"]),
        ([["A1", "B1", "5.0", "1370304000"], ["A1", "B2", "3.0", "1370304001"]],
         ["user_id", "item_id", "value", "timestamp"]),
        ([["00001", "19970101", "1", "11.77"], ["00002", "19970112", "2", "12.00"]] * 2,
         ["user_id", "timestamp", "item_id", "value"]),
    ],
)  # fmt: skip
def test_headerless_columns_are_told_by_content_and_position(rows, roles):
    frame = pl.DataFrame(rows, schema=[f"column_{i + 1}" for i in range(len(rows[0]))], orient="row")
    understood, _ = understand(RawTable(frame, "u.data"))
    for position, role in enumerate(roles):
        if role in ("user_id", "item_id", "behavior"):
            assert understood[role].to_list() == [row[position] for row in rows]
        elif role == "value":
            assert understood["value"].to_list() == [float(row[position]) for row in rows]
    assert understood["timestamp"].null_count() == 0


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user": None}, "recognised as user_id; its columns are item, ts"),
        ({"ts": None}, "recognised as timestamp; its columns are user, item"),
        ({"user": None, "ts": None, "item": None, "title": ["a"]}, "as user_id or as timestamp"),
        ({"item": None, "ts": None, "position": [0]}, "recognised as timestamp"),
        ({"user": None, "item": None, "ts": None, "ds": ["2014-01-01"], "y": [1.5]}, "series of values over time"),
    ],
)
def test_what_is_missing_is_named_with_the_way_out(columns, message):
    with pytest.raises(DataError, match=message) as raised:
        understand(log(**columns))
    assert "--columns" in raised.value.hint


def test_a_log_of_texts_under_unknown_names_is_not_called_a_series():
    texts = {"Leser": ["a", "b", "a"], "Buch": ["x", "x", "y"], "Art": ["p", "q", "p"], "Zeit": ["2024-01-01"] * 3}
    with pytest.raises(DataError, match="recognised as user_id") as raised:
        understand(table(**texts))
    assert "series" not in str(raised.value)


def test_a_log_without_items_is_read_and_says_so():
    frame, steps = understand(log(item=None, amount=[3.5]))
    assert frame.columns == ["user_id", "timestamp", "value"]
    assert said(steps, "item_id").kind == "warning"


def test_a_log_with_an_order_and_no_times_is_read():
    frame, _ = understand(log(ts=None, position=["0", "1", "2"]))
    assert frame["position"].to_list() == [0, 1, 2]
    assert "timestamp" not in frame.columns
    rows = understand(log(ts=None), columns={"position": "#row"})[0]
    assert rows["position"].to_list() == [0, 1, 2]
    with pytest.raises(DataError, match=r"log\.csv:3: expected a whole number in column position .*'x'"):
        understand(log(ts=None, position=["0", "x", "2"]))


def test_unknown_times_stay_unknown_and_are_counted():
    frame, steps = understand(log(ts=[START, None, None]))
    assert frame["timestamp"].null_count() == 2
    assert said(steps, "unknown_times").rows == 2


def test_few_unreadable_times_are_set_aside_and_many_are_refused():
    times = [str(START)] * 199 + ["soon"]
    frame, steps = understand(log(rows=200, ts=times))
    step = said(steps, "unreadable_times")
    assert (frame.height, step.kind, step.rows, step.examples) == (199, "set_aside", 1, ("log.csv:201: 'soon'",))
    with pytest.raises(DataError, match=r"Column ts: expected times.*log\.csv:3: 'soon'.*1 of 3 rows"):
        understand(log(ts=[str(START), "soon", str(START)]))
    with pytest.raises(DataError):
        understand(log(rows=200, ts=times), max_bad=0.0)


def test_mixed_units_are_refused_with_the_rows_of_each():
    with pytest.raises(DataError, match="mixes units of time: 2 rows of seconds, 1 rows of milliseconds"):
        understand(log(ts=[START, START * 1000, START]))


def test_values_that_are_no_number_become_unknown_with_examples():
    frame, steps = understand(log(rows=6, value=["1", "-2.5", "NaN", "inf", "many", ""]))
    assert frame["value"].to_list() == [1.0, -2.5, None, None, None, None]
    step = said(steps, "values")
    assert (step.kind, step.rows) == ("changed", 3)
    assert step.examples == ("log.csv:4: 'NaN'", "log.csv:5: 'inf'", "log.csv:6: 'many'")


def test_a_decimal_comma_is_understood():
    assert understand(log(price=["3,5", "4,25"]))[0]["value"].to_list() == [3.5, 4.25, 3.5]


def test_the_zone_is_applied_and_said():
    frame, steps = understand(log(ts=["2014-01-01 08:26:00"]), timezone="Europe/Berlin")
    assert frame["timestamp"][0] == datetime(2014, 1, 1, 7, 26, tzinfo=UTC)
    assert "taken as Europe/Berlin" in said(steps, "times").message
    assert "changes nothing" in said(understand(log(), timezone="Europe/Berlin")[1], "times").message
    with pytest.raises(DataError, match="no time zone"):
        understand(log(), timezone="Nowhere")


def test_day_and_month_that_cannot_be_told_apart_are_a_warning():
    _, steps = understand(log(ts=["01.02.2014", "03.04.2014", "05.06.2014"]))
    assert any(step.kind == "warning" and "write dates like" in step.message for step in steps)


def test_the_users_mapping_is_obeyed():
    frame, steps = understand(log(sku=["s1"], rating=[1]), columns={"item_id": "sku", "value": ""})
    assert frame["item_id"][0] == "s1"
    assert "value" not in frame.columns
    assert "item_id is sku (as given)" in said(steps, "columns").message


@pytest.mark.parametrize(
    ("columns", "message", "hint"),
    [
        ({"user": "user"}, "no role 'user'", "Did you mean user_id?"),
        ({"user_id": "usr"}, "no column 'usr' to be user_id", "Did you mean user?"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_nearest_name(columns, message, hint):
    with pytest.raises(DataError, match=message) as raised:
        understand(log(), columns=columns)
    assert hint in raised.value.hint


def test_mappings_are_parsed_from_text():
    assert parse_mapping("user_id=customer, item_id = sku id,value=") == {
        "user_id": "customer",
        "item_id": "sku id",
        "value": "",
    }
    with pytest.raises(DataError, match="not of the form"):
        parse_mapping("user_id")
    with pytest.raises(DataError, match="no role"):
        parse_mapping("usr=customer")


def test_other_columns_pass_unchanged():
    frame, _ = understand(log(country=["DE"], score_note=["x"]))
    assert frame.columns == ["user_id", "item_id", "timestamp", "country", "score_note"]


EVENT_LOGS = {
    "ml-100k/raw/u.data": (100_000, 943, 1_682, "1997-09-20", "1998-04-22", "value"),
    "ml-100k/recbole_atomic/ml-100k.inter": (100_000, 943, 1_682, "1997-09-20", "1998-04-22", "value"),
    "ml-100k/interactions.parquet": (100_000, 943, 1_682, "1997-09-20", "1998-04-22", "value"),
    "ml-1m/interactions.parquet": (1_000_209, 6_040, 3_706, "2000-04-25", "2003-02-28", "value position"),
    "ml-1m/interactions_timestamped_users_1_2999.parquet": (
        *(487_650, 2_999, 3_615, "2000-10-04", "2003-02-27", "value position"),
    ),
    "ml-1m/raw/ratings_users_1_2999.dat.gz": (487_650, 2_999, 3_615, "2000-10-04", "2003-02-27", "value"),
    "amazon-beauty-2014/interactions.parquet": (198_502, 22_363, 12_101, "2002-06-12", "2014-07-23", "position"),
    "amazon-musical-instruments-2014/interactions.parquet": (10_261, 1_429, 900, "2004-09-18", "2014-07-22", "value"),
    "amazon-musical-instruments-2014/raw/Musical_Instruments_5.json.gz": (
        *(10_261, 1_429, 900, "2004-09-18", "2014-07-22", "value"),
    ),
    "deskdrop/interactions.parquet": (72_312, 1_895, 2_987, "2016-03-14", "2017-02-28", "behavior session_id"),
    "deskdrop/raw/users_interactions.csv.zip": (
        72_312,
        1_895,
        2_987,
        "2016-03-14",
        "2017-02-28",
        "behavior session_id",
    ),
    "foursquare-nyc/interactions.parquet": (147_938, 1_083, 5_135, "2012-04-03", "2013-02-16", ""),
    "yoochoose-100k/interactions.parquet": (83_846, 21_210, 2_933, "2014-04-01", "2014-04-08", ""),
    "yoochoose-100k/raw/yoochoose-clicks-100k_train_full.txt.gz": (70_278, None, None, "2014-04-01", "2014-04-07", ""),
    "yoochoose-100k/raw/yoochoose-clicks-100k_test.txt.gz": (13_568, None, None, "2014-04-07", "2014-04-08", ""),
    "diginetica-sessions/interactions.parquet": (982_961, 202_633, 43_097, None, None, "position"),
    "online-retail/interactions.parquet": (541_909, 4_372, 4_070, "2010-12-01", "2011-12-09", "behavior value"),
    "cdnow/transactions.parquet": (69_659, 23_570, None, "1997-01-01", "1998-06-30", "value"),
    "cdnow/raw/CDNOW_master.txt": (69_659, 23_570, None, "1997-01-01", "1998-06-30", "value"),
}


@pytest.mark.data
@pytest.mark.parametrize("name", EVENT_LOGS)
def test_public_logs_read_without_any_option(data_dir, name):
    rows, users, items, first, last, has = EVENT_LOGS[name]
    frame, _ = understand(read_table(data_dir / name), max_bad=0.0)
    assert frame.height == rows
    assert users is None or frame["user_id"].drop_nulls().n_unique() == users
    assert items is None or frame["item_id"].n_unique() == items
    assert ("item_id" in frame.columns) == (not name.startswith("cdnow"))
    if first is None:
        assert "timestamp" not in frame.columns
    else:
        assert f"{frame['timestamp'].min():%Y-%m-%d}" == first
        assert f"{frame['timestamp'].max():%Y-%m-%d}" == last
    optional = {"behavior", "value", "position", "session_id"} & set(frame.columns)
    assert optional == set(has.split())


@pytest.mark.data
def test_public_facts_survive_reading(data_dir):
    ml_1m, _ = understand(read_table(data_dir / "ml-1m/interactions.parquet"))
    assert ml_1m.height - ml_1m["timestamp"].null_count() == 541_830
    assert ml_1m.height - ml_1m["value"].null_count() == 539_069
    retail, _ = understand(read_table(data_dir / "online-retail/interactions.parquet"))
    assert retail["user_id"].null_count() == 135_080
    assert dict(retail["behavior"].value_counts().iter_rows()) == {"purchase": 532_618, "cancel": 9_288, "adjust": 3}
    cdnow, _ = understand(read_table(data_dir / "cdnow/raw/CDNOW_master.txt"))
    assert cdnow["user_id"][0] == "00001"
    assert cdnow["value"][0] == 11.77
    desk, _ = understand(read_table(data_dir / "deskdrop/raw/users_interactions.csv.zip"))
    assert desk.filter(pl.col("behavior") == "VIEW").height == 61_086
    raw, _ = understand(read_table(data_dir / "ml-100k/raw/u.data"))
    assert raw.row(0)[:2] == ("196", "242")


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "wikipedia-pageviews-daily/daily_series.parquet",
        "wikipedia-pageviews-daily/raw/example_wp_log_R.csv",
        "wikipedia-pageviews-daily/raw/example_wp_log_peyton_manning.csv",
        "online-retail/daily_series.parquet",
    ],
)
def test_series_are_not_mistaken_for_logs(data_dir, name):
    with pytest.raises(DataError, match=r"recognised as user_id.*series of values over time"):
        understand(read_table(data_dir / name))


@pytest.mark.parametrize("name", ["value", "position", "event_order"])
def test_a_column_that_does_not_hold_what_its_name_says_is_context_under_another_name(name):
    frame, steps = understand(log(**{name: ["good", "bad"]}))
    assert frame[f"{name}_in_log"].to_list() == ["good", "bad", "good"] and name not in frame.columns
    assert any(f"called '{name}_in_log'" in step.message for step in steps)


def test_a_column_that_the_user_denies_a_role_does_not_keep_its_name():
    frame, _ = understand(log(ts=None, timestamp=[START]), columns={"timestamp": "", "position": "#row"})
    assert "timestamp" not in frame.columns and frame["timestamp_in_log"].to_list() == [START] * 3


@pytest.mark.data
@pytest.mark.parametrize("name", ["ml-100k/items.parquet", "ml-100k/users.parquet", "ml-100k/raw/u.item"])
def test_tables_of_items_and_users_are_not_mistaken_for_logs(data_dir, name):
    with pytest.raises(DataError, match="no column that can be recognised"):
        understand(read_table(data_dir / name))
