"""HTTP to one InfluxDB server, over kept connections.

Any thread may use a client. Redirects are answers, not followed; nothing is tried again here. A
proxy that the environment names (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`) is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec
import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util.proxy import connection_requires_http_tunnel

_CONNECT_S = 5.0
_CONNECTIONS = 32
_PIECE = 1 << 16


class Answer(msgspec.Struct, frozen=True):
    """What a server answered.

    Attributes:
        status: HTTP status.
        reason: the phrase beside it.
        headers: names in lower case.
        body: whole.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def succeeded(self) -> bool:
        """Whether the status is a 2xx."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class NoAnswerError(Exception):
    """The server could not be reached, or stopped half-way; the text says what happened."""


class HttpClient:
    """Asks one server.

    Args:
        url: address, perhaps with a path that comes before every other.
        headers: sent with every request.
        timeout_s: longest wait for an answer, and for each piece of it, seconds.
    """

    def __init__(self, *, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self.url = url
        self._headers = dict(headers)
        parts = urlsplit(url)
        self._path = parts.path.rstrip("/")
        proxy = None if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme)
        self._manager = (
            urllib3.PoolManager(maxsize=_CONNECTIONS)
            if proxy is None
            else urllib3.ProxyManager(proxy, maxsize=_CONNECTIONS)
        )
        self._pool = self._manager.connection_from_url(url)
        tunnelled = connection_requires_http_tunnel(
            self._pool.proxy, self._pool.proxy_config, parts.scheme
        )
        if self._pool.proxy is not None and not tunnelled:
            self._path = f"{parts.scheme}://{parts.netloc}{self._path}"
        self._timeout = urllib3.Timeout(connect=min(_CONNECT_S, timeout_s), read=timeout_s)

    def get(self, path: str, parameters: Mapping[str, str]) -> Answer:
        """Ask for what is at a path.

        Raises:
            NoAnswerError: see there.
        """
        return self._whole("GET", f"{path}?{urlencode(parameters)}", None, {})

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send a body.

        Raises:
            NoAnswerError: see there.
        """
        return self._whole("POST", path, body, headers)

    @contextmanager
    def stream(
        self, path: str, body: bytes, headers: Mapping[str, str]
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Send a body, and take a good answer in pieces; another one is there whole.

        Raises:
            NoAnswerError: see there; also while the pieces are taken.
        """
        with _named(self.url):
            response = self._open("POST", path, body, headers)
            try:
                answer = _answer(response, b"")
                if not answer.succeeded:
                    answer = msgspec.structs.replace(answer, body=response.read())
                yield answer, response.stream(_PIECE, decode_content=True)
            finally:
                response.close()
                response.release_conn()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()
        self._manager.clear()

    def _whole(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        with _named(self.url):
            response = self._open(method, path, body, headers, preload=True)
            return _answer(response, response.data)

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        preload: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        return self._pool.urlopen(
            method,
            self._path + path,
            body=body,
            headers={**self._headers, **headers},
            retries=False,
            redirect=False,
            timeout=self._timeout,
            preload_content=preload,
        )


@contextmanager
def _named(url: str) -> Iterator[None]:
    try:
        yield
    except (HTTPError, UnicodeError) as error:
        text = str(error) or type(error).__name__
        raise NoAnswerError(f"InfluxDB at {url} does not answer: {text}") from None


def _answer(response: urllib3.BaseHTTPResponse, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, response.reason or "", headers, body)
