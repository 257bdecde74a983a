"""Those who are told of alerts, in tests: a mail server and a receiver of webhooks, both real."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers.ports import free_port

DROP = "drop"
"""Answer: the connection is cut, after what was sent was taken."""


class Mail(NamedTuple):
    """A mail that the server accepted."""

    to: list[str]
    message: EmailMessage

    @property
    def subject(self) -> str:
        """Its subject, decoded."""
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        """Its plain text."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """Its HTML."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        assert body is not None
        return str(body.get_content())


class MailServer:
    """An SMTP server of 127.0.0.1.

    Attributes:
        mails: what it accepted, in order.
        recipients: address -> answer to RCPT; others are accepted.
        answers: to the next mails, in order: an SMTP answer or `DROP`; then all are accepted.
        hold: while it is clear, mails are not answered.
    """

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.recipients: dict[str, str] = {}
        self.answers: deque[str] = deque()
        self.hold = threading.Event()
        self.hold.set()
        self.asked = threading.Event()
        self.port = free_port()
        self._controller: Controller | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hold.set()
        self.stop()

    def start(self) -> None:
        """Accept connections."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def url(self, *to: str) -> str:
        """Return the address of a channel to some people."""
        receivers = ",".join(to or ("ward@example.org",))
        return (
            f"mailto://127.0.0.1:{self.port}?from=passerelle@example.org&to={receivers}"
            "&mode=insecure"
        )

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Accept a recipient, or not."""
        answer = self.recipients.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        self.asked.set()
        await asyncio.get_running_loop().run_in_executor(None, self.hold.wait)
        answer = self.answers.popleft() if self.answers else "250 OK"
        if answer.startswith(("250", DROP)):
            content = envelope.content
            assert isinstance(content, bytes)
            message = message_from_bytes(content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(Mail(list(envelope.rcpt_tos), message))
        if answer == DROP:
            transport: Any = server.transport
            transport.abort()
        return answer


class Posted(NamedTuple):
    """A request that the receiver got."""

    path: str
    headers: Mapping[str, str]
    body: bytes


class HookReceiver:
    """An HTTP server of 127.0.0.1 that keeps what is posted.

    Attributes:
        posted: every request, in order.
        answers: to the next requests, in order: (status, headers); then 204.
        hold: while it is clear, requests are not answered.
    """

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.answers: deque[tuple[int, Mapping[str, str]]] = deque()
        self.hold = threading.Event()
        self.hold.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                receiver.take(self, self.rfile.read(length))

            def do_GET(self) -> None:
                receiver.take(self, b"")

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook/path"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Keep a request, and answer it."""
        self.posted.append(Posted(handler.path, dict(handler.headers.items()), body))
        self.hold.wait()
        status, headers = self.answers.popleft() if self.answers else (204, {})
        text = b"" if status == 204 else b'{"error": "as the test wants it"}'
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(text)))
        with suppress(OSError):  # who asked may be gone
            handler.end_headers()
            handler.wfile.write(text)
