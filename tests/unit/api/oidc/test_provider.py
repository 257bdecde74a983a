"""What a provider answers, whatever it is; a real server that answers as each test says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import pytest

from api.oidc import Provider
from api.oidc.errors import ProviderUnavailableError, TokenKeyUnknownError
from api.oidc.provider import WELL_KNOWN
from core.clock import ManualClock
from core.logs import Outage, logger
from core.oidc import OidcSettings
from tests.servers.oidc import new_key
from tests.servers.waiting import wait_until

KEY = new_key("first", "ES256")
PUBLIC = {name: value for name, value in KEY.private.items() if name != "d"}

Answer = tuple[int, bytes]


class Documents:
    """A web server: `answers` says what stands at each path, `asked` what was asked for.

    It answers while `open` is set.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.open = Event()
        self.open.set()
        documents = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                documents.asked.append(self.path)
                documents.open.wait()
                status, body = documents.answers.get(self.path, (404, b""))
                self.send_response(status)
                self.send_header("Location", "/keys")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(ConnectionError):  # the other side may have seen enough
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.describe(jwks_uri=f"{self.issuer}/keys")
        self.publish(PUBLIC)
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def describe(self, **changed: object) -> None:
        document = {"issuer": self.issuer, **changed}
        self.answers[WELL_KNOWN] = (200, json.dumps(document).encode())

    def publish(self, *keys: object) -> None:
        self.answers["/keys"] = (200, json.dumps({"keys": keys}).encode())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def documents() -> Iterator[Documents]:
    opened = Documents()
    yield opened
    opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(0)


@pytest.fixture
def provider(documents: Documents, clock: ManualClock) -> Provider:
    settings = OidcSettings.model_validate({"issuer": documents.issuer})
    return Provider(
        settings=settings, clock=clock, outage=Outage(logger("test"), "identity_provider")
    )


def test_a_key_is_found_by_its_name_and_kept(documents: Documents, provider: Provider) -> None:
    for _ in range(3):
        assert provider.key("first", "ES256").key_id == "first"
    assert documents.asked == [WELL_KNOWN, "/keys"]


def test_many_who_ask_for_an_unknown_key_at_once_ask_the_provider_once(
    documents: Documents, provider: Provider, clock: ManualClock
) -> None:
    def ask(_: int) -> type[Exception] | None:
        try:
            provider.key("unheard-of", "ES256")
        except (TokenKeyUnknownError, ProviderUnavailableError) as error:
            return type(error)
        return None

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(40))) == {TokenKeyUnknownError}
        assert documents.asked == [WELL_KNOWN, "/keys"]
        clock.advance(10)
        assert set(pool.map(ask, range(40))) == {TokenKeyUnknownError}
    assert documents.asked == [WELL_KNOWN, "/keys"] * 2


def test_a_provider_that_is_slow_holds_up_few_at_once(
    documents: Documents, provider: Provider
) -> None:
    documents.open.clear()
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(provider.key, "first", "ES256") for _ in range(20)]
        wait_until(lambda: sum(one.done() for one in asked) == 12, what="the others are told")
        told = [one.exception() for one in asked if one.done()]
        assert {type(error) for error in told} == {ProviderUnavailableError}
        documents.open.set()
        found = [one.result().key_id for one in asked if one.exception() is None]
    assert found == ["first"] * 8
    assert documents.asked == [WELL_KNOWN, "/keys"]


def test_keys_that_are_old_are_renewed_while_they_serve(
    documents: Documents, provider: Provider, clock: ManualClock
) -> None:
    provider.key("first", "ES256")
    documents.publish({**PUBLIC, "kid": "second"})
    clock.advance(600)
    assert provider.key("first", "ES256").key_id == "first"
    wait_until(lambda: len(documents.asked) == 4, what="the keys were asked for again")
    assert provider.key("second", "ES256").key_id == "second"


def not_json(documents: Documents) -> None:
    documents.answers["/keys"] = (200, b"<html>")


def no_object(documents: Documents) -> None:
    documents.answers[WELL_KNOWN] = (200, b"[1]")


def an_error(documents: Documents) -> None:
    documents.answers["/keys"] = (500, b"{}")


def elsewhere(documents: Documents) -> None:
    documents.answers[WELL_KNOWN] = (302, b"")


def another_issuer(documents: Documents) -> None:
    documents.describe(issuer="https://other.example", jwks_uri=f"{documents.issuer}/keys")


def keys_over_plain_http(documents: Documents) -> None:
    documents.describe(jwks_uri="http://keys.example/keys")


def no_address(documents: Documents) -> None:
    documents.describe()


def no_keys(documents: Documents) -> None:
    documents.publish()


def only_keys_to_encrypt(documents: Documents) -> None:
    documents.publish({**PUBLIC, "use": "enc"}, "nonsense", {"kty": "oct", "k": "AAAA"})


def too_much(documents: Documents) -> None:
    documents.answers["/keys"] = (200, b" " * (1024 * 1024 + 1) + b"{}")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (not_json, "did not answer a JSON object"),
        (no_object, "did not answer a JSON object"),
        (an_error, "answered 500"),
        (elsewhere, "answered 302"),
        (another_issuer, "oidc.issuer has to be exactly that"),
        (keys_over_plain_http, "no https address of its keys"),
        (no_address, "no https address of its keys"),
        (no_keys, "no keys for signatures"),
        (only_keys_to_encrypt, "no keys for signatures"),
        (too_much, "more than 1048576 bytes"),
    ],
)
def test_an_answer_that_cannot_be_used_is_said_and_the_known_keys_are_kept(
    documents: Documents,
    provider: Provider,
    clock: ManualClock,
    change: Callable[[Documents], None],
    said: str,
) -> None:
    provider.key("first", "ES256")
    change(documents)
    clock.advance(10)
    with pytest.raises(ProviderUnavailableError, match=said):
        provider.key("second", "ES256")
    assert provider.key("first", "ES256").key_id == "first"
    clock.advance(86_400)
    with pytest.raises(ProviderUnavailableError, match=said):
        provider.key("first", "ES256")
