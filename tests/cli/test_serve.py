import json
import signal
import urllib.request

from tests.cli.conftest import start


def test_the_service_answers_where_it_says_and_stops_by_hand(run, tmp_path):
    process = start("serve", run, "--port", "0", "--store", tmp_path / "events.sqlite", "--json")
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(5)]
        address = json.loads("".join(lines))["address"]
        body = json.dumps({"user_id": "007", "k": 3}).encode()
        request = urllib.request.Request(
            f"{address}/v1/recommendations", body, {"content-type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as reply:
            assert len(json.load(reply)["recommendations"]) == 3
    finally:
        process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert "Stopped" in told and "Traceback" not in told


def test_the_service_stays_on_this_machine_unless_told_otherwise(horae, run):
    assert "--allow-remote" in horae("serve", run, "--host", "0.0.0.0", code=2).err


def test_an_occupied_port_is_an_error(horae, run, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "Cannot listen" in horae("serve", run, "--port", port, "--store", tmp_path / "s", code=4).err


def test_a_missing_extra_is_named(horae, run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    assert "horae[serve]" in horae("serve", run, code=2).err
