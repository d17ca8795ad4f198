import polars as pl


def test_odd_events_are_listed_for_people_and_programs(horae, run, log, tmp_path):
    told = horae("anomalies", run, "--false-alarms", "0.2")
    assert "Odd events:" in told.out and max(map(len, told.out.splitlines())) <= 80
    document = horae("anomalies", run, log, "--false-alarms", "0.2", "--json").json
    assert document["by"] == "event" and len(document["events_listed"]) == document["odd_events"]
    file = tmp_path / "users.csv"
    shown = horae("anomalies", run, "--false-alarms", "0.2", "--by", "user", "--all", "-o", file)
    users = pl.read_csv(file)
    assert {"user_id", "events", "p_value", "why"} <= set(users.columns) and f"{users.height} users" in shown.err


def test_odd_events_of_a_planted_robot_are_found(horae, run, tmp_path):
    rows = [f"bot,i{(7 * n) % 15:02},{1_600_900_000 + 5 * n}" for n in range(40)]
    file = tmp_path / "new.csv"
    file.write_text("\n".join(["user_id,item_id,timestamp", *rows]) + "\n")
    document = horae("anomalies", run, file, "--false-alarms", "0.1", "--json").json
    assert document["source"] == str(file) and document["odd_events"] > 20
    assert "5 events within 20 seconds" in document["events_listed"][0]["why"]


def test_what_has_no_effect_or_is_no_rate_is_a_usage_error(horae, run):
    horae("anomalies", run, "--false-alarms", "1.5", code=2)
    horae("anomalies", run, "--all", code=2)
    horae("anomalies", run, "--json", "-o", "-", code=2)
    horae("anomalies", run, "--by", "item", code=2)
