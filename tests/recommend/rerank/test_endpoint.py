import socket
import time

import numpy as np
import pytest
from tests.recommend.rerank.models import Stub, serving

from horae.errors import RecipeError, RemoteError
from horae.recommend.rerank.endpoint import Endpoint, checked_url
from horae.recommend.rerank.question import Question

QUESTION = Question(("tea", "cup"), ("pot", "milk", "spoon"))


@pytest.fixture
def stub():
    return Stub()


@pytest.fixture
def url(stub):
    with serving(stub) as where:
        yield where


def test_a_good_answer_is_an_order_and_what_was_sent_is_the_protocol_alone(stub, url, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "secret-1")
    verdict = Endpoint(url, "small", "SHOP_KEY").ask(QUESTION)
    assert np.argsort(-verdict.score_K).tolist() == [2, 1, 0] and (verdict.tokens, verdict.strange) == (100, 0)
    [(path, headers, document)] = stub.asked
    assert path == "/v1/chat/completions" and headers["Authorization"] == "Bearer secret-1"
    assert (document["model"], document["temperature"]) == ("small", 0)
    assert document["messages"][1] == {"role": "user", "content": QUESTION.prompt()}
    assert set(document) == {"model", "messages", "temperature", "max_tokens"}


def test_without_a_key_none_is_sent_and_a_key_that_is_not_set_is_an_error(stub, url, monkeypatch):
    Endpoint(url, "small").ask(QUESTION)
    assert "Authorization" not in stub.asked[0][1]
    monkeypatch.delenv("SHOP_KEY", raising=False)
    with pytest.raises(RecipeError, match="SHOP_KEY, which is not set"):
        Endpoint(url, "small", "SHOP_KEY").ask(QUESTION)


@pytest.mark.parametrize("drip", [False, True])
def test_one_that_hangs_or_drips_is_left_in_time(stub, url, drip):
    stub.wait, stub.drip = (0.0, True) if drip else (1.5, False)
    started = time.monotonic()
    with pytest.raises(RemoteError, match=r"no answer within 0\.3 s"):
        Endpoint(url, "small", timeout=0.3, retries=0).ask(QUESTION)
    assert time.monotonic() - started < 1.2


def test_a_busy_server_is_asked_again_and_then_left(stub, url):
    stub.status = [500, 429, 200]
    assert Endpoint(url, "small", retries=2).ask(QUESTION).tokens == 100
    stub.status = 500
    with pytest.raises(RemoteError, match="HTTP 500"):
        Endpoint(url, "small", retries=1).ask(QUESTION)
    assert len(stub.asked) == 3 + 2


@pytest.mark.parametrize("status", [401, 404, 302, 307])
def test_a_refusal_is_not_tried_again_and_nothing_is_followed(stub, url, status):
    stub.status = status
    with pytest.raises(RemoteError, match=f"HTTP {status}"):
        Endpoint(url, "small", retries=3).ask(QUESTION)
    assert [path for path, _, _ in stub.asked] == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "not of the chat-completions protocol"),
        (b"\xff\xfe", "not of the chat-completions protocol"),
        (b'{"choices": []}', "not of the chat-completions protocol"),
        (b'{"choices": [{"message": {"content": null}}]}', "holds no text"),
        (b'{"choices": [{"message": {"content": "as an assistant"}}]}', "names no candidate"),
        (b"[" * 100_000, "not of the chat-completions protocol"),
        (b"x" * (1 << 21), "longer than a megabyte"),
    ],
)
def test_nonsense_is_told_from_an_answer(stub, url, body, says):
    stub.body = body
    with pytest.raises(RemoteError, match=says):
        Endpoint(url, "small", retries=0).ask(QUESTION)


@pytest.mark.parametrize("usage", [None, {}, {"total_tokens": -5}, {"total_tokens": "many"}, [1]])
def test_tokens_are_reckoned_where_the_server_does_not_count(stub, url, usage):
    stub.usage = usage
    endpoint = Endpoint(url, "small")
    assert 50 < endpoint.ask(QUESTION).tokens <= endpoint.tokens_at_most(QUESTION)


def test_nobody_there_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RemoteError, match="no connection"):
        Endpoint(f"http://127.0.0.1:{port}/v1", "small", retries=0).ask(QUESTION)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://x/v1",
        "http://",
        "http://x:99999/v1",
        "file:///etc/passwd",
        "http://a b/v1",
        "http://[x",
    ],
)
def test_what_is_no_url_is_refused(url):
    with pytest.raises(RecipeError, match="is no URL"):
        checked_url(url)


def test_a_url_with_a_secret_or_a_key_in_the_open_is_refused():
    for url in ("https://me:secret@x/v1", "https://x/v1?key=secret"):
        with pytest.raises(RecipeError, match="would be kept with the run") as raised:
            checked_url(url)
        assert "secret" not in str(raised.value)
    with pytest.raises(RecipeError, match="unencrypted"):
        checked_url("http://models.example/v1", "SHOP_KEY")
    assert checked_url("http://localhost:8000/v1", "SHOP_KEY").port == 8000
    assert checked_url("https://models.example/v1", "SHOP_KEY").scheme == "https"
