import json

import pytest

from horae.serve import create_app

from .conftest import Client, event
from .test_problems import is_problem

PATH = "/v1/events"


def test_a_body_over_a_mebibyte_is_refused(client: Client) -> None:
    is_problem(client.post(PATH, {"events": [event("e1", context={"padding": "x" * 2**20})]}), 413)


def test_a_body_of_unknown_length_is_counted_while_it_comes(client: Client) -> None:
    async def endless():
        for _ in range(200):
            yield b" " * 10_000

    headers = {"content-type": "application/json"}
    is_problem(client.post(PATH, content=endless(), headers=headers), 413)


def test_a_body_in_pieces_is_put_together(client: Client) -> None:
    async def pieces():
        for byte in json.dumps({"events": [event("e1")]}).encode():
            yield bytes([byte])

    headers = {"content-type": "application/json; charset=utf-8"}
    assert client.post(PATH, content=pieces(), headers=headers).json()["accepted"] == 1


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_web_page_can_send_without_asking_is_refused(client: Client, media: str) -> None:
    content = json.dumps({"events": [event("e1")]})
    hint = is_problem(client.post(PATH, content=content, headers={"content-type": media}), 415)["hint"]
    assert "application/json" in hint


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost:1", "LOCALHOST", "[::1]:8000", "[::1]"])
def test_this_machine_has_several_names(client: Client, host: str) -> None:
    assert client.get("/health/live", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "localhost.example.com:8000", "", "[::2]:80"])
def test_another_name_for_this_machine_is_refused(client: Client, host: str) -> None:
    is_problem(client.get("/health/live", headers={"host": host}), 421)


def test_a_service_opened_on_purpose_answers_to_any_name(echo, store) -> None:
    client = Client(create_app(echo, store, hosts=None))
    assert client.get("/health/live", headers={"host": "shop.example.com"}).status_code == 200
