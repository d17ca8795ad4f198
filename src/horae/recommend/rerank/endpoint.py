"""A language model behind a URL that the user wrote, by OpenAI's chat-completions protocol and the standard library.

In: a question. Out: a verdict, or a `RemoteError` within the time that was allowed. Titles leave the machine here and
nowhere else. The key is read from the environment when it is needed; it is in no recipe, no message and no cache.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from horae.errors import RecipeError, RemoteError
from horae.features.content.encoder import fingerprint_of
from horae.recommend.rerank.question import TASK, Question, Verdict, scores_of

__all__ = ["Endpoint", "checked_url"]

MOST_BYTES: Final = 1 << 20
"""Of an answer; more is nonsense."""
AGAIN: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
"""What a server says when it may do better the next time."""
PAUSE_SECONDS: Final = 0.2
CHARS_A_TOKEN: Final = 3
"""Fewer than in most languages' texts, so that a cap is kept rather than overrun."""


class Endpoint:
    """An OpenAI-compatible server.

    Args:
        url: As the user wrote it, up to `/v1`; redirects are not followed.
        model: As the server calls it.
        key_env: The environment variable that holds the key; empty: no key is sent.
        timeout: Seconds for an answer, the whole of it; each try has them anew.
        retries: Further tries where the server is busy, broken or silent.

    Raises:
        RecipeError: A URL that is none.
    """

    at_once = 4

    def __init__(self, url: str, model: str, key_env: str = "", timeout: float = 20.0, retries: int = 1) -> None:
        self.url = checked_url(url, key_env)
        self.model, self.key_env, self.timeout, self.retries = model, key_env, timeout, retries
        self.name = f"{model} at {self.url.netloc}"
        self.fingerprint = fingerprint_of("endpoint", url, model)

    def tokens_at_most(self, question: Question) -> int:
        """See `Judge`."""
        return (len(TASK) + len(question.prompt())) // CHARS_A_TOKEN + _room(question)

    def ask(self, question: Question) -> Verdict:
        """See `Judge`.

        Raises:
            RemoteError: No answer in time, an error, or nonsense; after the last try.
            RecipeError: The key's variable is not set.
        """
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": TASK}, {"role": "user", "content": question.prompt()}],
            "temperature": 0,
            "max_tokens": _room(question),
        }
        content = json.dumps(body).encode()
        for tries_left in range(self.retries, -1, -1):
            try:
                return self._verdict(self._post(content), question)
            except _BusyError as error:
                if not tries_left:
                    raise RemoteError(
                        str(error), hint="See whether the server is up, or raise rerank_timeout."
                    ) from error
                time.sleep(PAUSE_SECONDS)
        raise AssertionError("unreachable")

    def _verdict(self, answer: bytes, question: Question) -> Verdict:
        try:
            document = json.loads(answer)
            text = document["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            raise RemoteError("the answer is not of the chat-completions protocol", hint="Check rerank_url.") from error
        if not isinstance(text, str):
            raise RemoteError("the answer holds no text", hint="Try another model.")
        score_K, strange = scores_of(text, len(question.candidates))
        return Verdict(score_K, self._tokens(document, question, text), strange)

    def _tokens(self, document: dict[str, Any], question: Question, text: str) -> int:
        """As the server counts them; reckoned where it does not."""
        usage = document.get("usage")
        told = usage.get("total_tokens") if isinstance(usage, dict) else None
        if isinstance(told, int) and 0 < told < 10**9:
            return told
        return (len(TASK) + len(question.prompt()) + len(text)) // CHARS_A_TOKEN

    def _post(self, content: bytes) -> bytes:
        """The body of a good answer.

        Raises:
            RemoteError: A refusal that another try would not change.
            _BusyError: Anything else.
        """
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
        if self.key_env:
            headers["Authorization"] = f"Bearer {self._key()}"
        with _no_longer_than(self.timeout, self._connection()) as connection:
            connection.request("POST", self.url.path.rstrip("/") + "/chat/completions", content, headers)
            response = connection.getresponse()
            answer = response.read(MOST_BYTES + 1)
        if response.status in AGAIN:
            raise _BusyError(f"HTTP {response.status}")
        if response.status != 200:
            raise RemoteError(f"HTTP {response.status}", hint="Check rerank_url, rerank_model and the key.")
        if len(answer) > MOST_BYTES:
            raise RemoteError("the answer is longer than a megabyte", hint="Check rerank_url.")
        return answer

    def _connection(self) -> http.client.HTTPConnection:
        kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
        assert self.url.hostname is not None
        return kind(self.url.hostname, self.url.port, timeout=self.timeout)

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip()
        if not key or not key.isascii() or not key.isprintable():
            raise RecipeError(
                f"[recommend] rerank_key_env names {self.key_env}, which is not set, or holds no key.",
                hint=f"Set it: export {self.key_env}=...",
            )
        return key


class _BusyError(Exception):
    """The server did not answer this time."""


@contextlib.contextmanager
def _no_longer_than(seconds: float, connection: http.client.HTTPConnection) -> Iterator[http.client.HTTPConnection]:
    """The connection, cut off when the time is over: a server that drips bytes is as silent as one that sends none."""
    late = threading.Event()
    wire: list[socket.socket] = []  # the connection forgets its own as soon as an answer begins

    def cut_off() -> None:
        late.set()
        for one in wire:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut_off)
    timer.daemon = True
    timer.start()
    try:
        connection.connect()
        wire.append(connection.sock)
        if late.is_set():
            raise TimeoutError
        yield connection
    except (OSError, http.client.HTTPException) as error:
        if late.is_set() or isinstance(error, TimeoutError):
            raise _BusyError(f"no answer within {seconds:g} s") from error
        raise _BusyError(f"no connection ({type(error).__name__})") from error
    finally:
        timer.cancel()
        connection.close()
    if late.is_set():
        raise _BusyError(f"no answer within {seconds:g} s")


def checked_url(url: str, key_env: str = "") -> SplitResult:
    """The URL in parts.

    Raises:
        RecipeError: It is none, holds a password, or would carry a key over an open network.
    """
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or re.search(r"[\s\x00-\x1f]", url):
        raise RecipeError(
            f"[recommend] rerank_url = {url!r} is no URL.", hint='Write it up to /v1: "http://localhost:8000/v1".'
        )
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise RecipeError(
            "[recommend] rerank_url holds a user, a query or a fragment, which would be kept with the run.",
            hint="Give the key by an environment variable: rerank_key_env.",
        )
    if key_env and parts.scheme == "http" and not _is_here(parts.hostname or ""):
        raise RecipeError(f"[recommend] rerank_url = {url!r} would send the key unencrypted.", hint="Write https://.")
    return parts


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _room(question: Question) -> int:
    """Tokens that an answer may have."""
    return 64 + 6 * len(question.candidates)
