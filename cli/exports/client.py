"""The API as the commands use it: JSON asked, files fetched whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from cli.data_directory import LOCAL_KEY_FILE
from core.errors import ConfigurationError, PasserelleError
from core.settings import load_settings

_TIMEOUT_S = 60.0
_ATTEMPTS = 5
_PAUSE_S = 0.5
_PARTIAL = 206
_CHUNK = 1024 * 1024


class ApiError(PasserelleError):
    """What the API answered instead of what was asked for."""


class Api:
    """One API.

    Args:
        client: with its address and a key.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Return the answer to a request; nothing where there is nothing to say.

        Raises:
            ApiError: the API cannot be reached, or refuses; the sentence is its own.
        """
        answer = self._answer(method, path, **options)
        found: dict[str, Any] = (
            {} if answer.status_code == httpx.codes.NO_CONTENT else answer.json()
        )
        return found

    def ask_csv(self, path: str, **options: Any) -> tuple[str, str | None]:
        """Return a page of CSV, and the address of the next one or None.

        Raises:
            ApiError: as `ask`.
        """
        answer = self._answer("GET", path, headers={"Accept": "text/csv"}, **options)
        return answer.text, answer.links.get("next", {}).get("url")

    def _answer(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)
        except httpx.TransportError as error:
            where = self._client.base_url
            raise ApiError(f"the API at {where} cannot be reached: {error}; see --url") from None
        if not answer.is_success:
            raise ApiError(_said(answer))
        return answer

    def wait(self, path: str, *, told: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Return a job or snapshot when it is done.

        Args:
            path: of it.
            told: called with every state on the way.

        Raises:
            ApiError: it failed or was cancelled.
        """
        pause = threading.Event()
        while True:
            found = self.ask("GET", path)
            told(found)
            if found["state"] == "done":
                return found
            if found["state"] not in {"queued", "running"}:
                why = found["error"] or "order it again"
                raise ApiError(f"{found['id']} is {found['state']}: {why}")
            pause.wait(_PAUSE_S)

    def fetch(self, path: str, target: Path, *, sha256: str, told: Callable[[int], None]) -> None:
        """Fetch a file, going on where a broken connection left it; check it, then name it.

        Args:
            path: of the file.
            target: where it goes; until it is whole it has the suffix `.part`.
            sha256: that it must have.
            told: called with the bytes that are there so far.

        Raises:
            ApiError: the API refuses, cannot be reached any more, or the checksum is another.
            ConfigurationError: the file cannot be written.
        """
        part = target.with_name(f"{target.name}.part")
        pause = threading.Event()
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    self._rest(path, part, sha256=sha256, told=told)
                    break
                except httpx.TransportError as error:
                    if attempt == _ATTEMPTS - 1:
                        raise ApiError(
                            f"the connection broke {_ATTEMPTS} times ({error}); run it again: it "
                            f"goes on from {part}"
                        ) from None
                    pause.wait(_PAUSE_S * 2**attempt)
            if _sha256(part) != sha256:
                part.unlink()
                raise ApiError(f"{target} did not arrive as it was sent; fetch it again")
            part.rename(target)
        except OSError as error:
            raise ConfigurationError(f"{target} cannot be written: {error.strerror}") from None

    @contextmanager
    def stream(self, path: str, *, params: Mapping[str, Any]) -> Iterator[io.BufferedReader]:
        """Yield the body of an answer as it arrives.

        Raises:
            ApiError: the API cannot be reached, refuses, or the connection broke.
        """
        try:
            with self._client.stream("GET", path, params=params) as answer:
                if not answer.is_success:
                    answer.read()
                    raise ApiError(_said(answer))
                yield io.BufferedReader(_Arriving(answer.iter_raw(_CHUNK)))
        except httpx.TransportError as error:
            raise ApiError(f"the connection to the API broke: {error}") from None

    def _rest(self, path: str, part: Path, *, sha256: str, told: Callable[[int], None]) -> None:
        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": f'"{sha256}"'}
        with self._client.stream("GET", path, headers=headers) as answer:
            if answer.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # nothing is left to fetch
            if not answer.is_success:
                answer.read()
                raise ApiError(_said(answer))
            going_on = answer.status_code == _PARTIAL
            have = have if going_on else 0
            with part.open("ab" if going_on else "wb") as file:
                for chunk in answer.iter_bytes(_CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    told(have)


class _Arriving(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; return how much, 0 at the end."""
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = chunk
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size


@contextmanager
def opened_api(url: str | None, key: str | None) -> Iterator[Api]:
    """Open the API at `url` with `key`; by default that of the settings, and its local key.

    Raises:
        ConfigurationError: there is no key.
    """
    address, secret = reachable(url, key)
    with httpx.Client(
        base_url=address, headers={"X-API-Key": secret}, timeout=_TIMEOUT_S
    ) as client:
        yield Api(client)


def reachable(url: str | None, key: str | None) -> tuple[str, str]:
    """Return where the API is and a key for it: those given, else of the settings.

    Raises:
        ConfigurationError: there is no key.
    """
    settings = load_settings()
    host = settings.api.host if settings.api.host != "0.0.0.0" else "127.0.0.1"
    address = url or f"http://{host}:{settings.api.port}"
    if key is None:
        with contextlib.suppress(OSError):
            file = settings.data_dir.absolute() / LOCAL_KEY_FILE
            key = file.read_text(encoding="utf-8").strip()
    if not key:
        raise ConfigurationError(
            "an API key is needed: --key, or PASSERELLE_KEY; `passerelle keys create` makes one"
        )
    return address, key


def _said(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return f"{problem['detail']} ({answer.status_code})"
    except (ValueError, KeyError, TypeError):
        return f"the API answered {answer.status_code} to {answer.request.url.path}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
