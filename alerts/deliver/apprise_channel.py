"""E-mail, SMS gateways, Telegram, Slack, Matrix and a hundred more, through the library Apprise.

Apprise says only whether it worked; why not, it writes to its log. So its log is listened to, for
this thread, while it works: the codes in it (SMTP 451, HTTP 403) tell what is refused for good from
what is temporary, and its sentences become the detail of the attempt. Its log goes nowhere else, as
it holds messages and tokens.

An address may have several receivers. Those that accepted a notice are remembered for as long as
the process lives, so that a repetition for the sake of one reaches that one alone.

The notice's id is in the text, and where the service has headers, in `X-Passerelle-Notice`: Apprise
gives each mail a Message-ID of its own.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType, PersistentStoreMode
from apprise.plugins.base import _delivery_tracker

from alerts.deliver.channel import DeliveryError
from alerts.deliver.spec import ChannelSpec
from alerts.deliver.templates.message import Message, Wording, message_of
from alerts.deliver.templates.page import html_of
from alerts.deliver.templates.short_form import short_of
from alerts.model import Notice, Occasion, Severity
from core.errors import ConfigurationError

NOTICE_HEADER = "X-Passerelle-Notice"
_MAIL = ("mailto", "mailtos")
_SMALL = 500  # a service that takes less is for text messages
_REMEMBERED = 200
_LONGEST_DETAIL = 600
_MOST_REFERENCES = 10
_SMTP = re.compile(r"\((\d{3}), b['\"]|was refused: (\d{3}) ")
_HTTP = re.compile(r"\berror=(\d{3})\b")
_TEMPORARY_HTTP = frozenset({408, 425, 429})
_TOLD = ("Socket Exception", "Response Details")  # debug lines that say why
_KINDS = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.WARNING: NotifyType.WARNING,
    Severity.INFO: NotifyType.INFO,
}
_log = logging.getLogger("apprise")
_Receiver = tuple[int | None, Any]
_REFERENCES = "References"


class AppriseChannel:
    """A service that Apprise knows.

    Args:
        spec: of the channel.
        wording: how its texts are worded.

    Raises:
        ConfigurationError: Apprise cannot use the address.
    """

    def __init__(self, spec: ChannelSpec, *, wording: Wording) -> None:
        self._spec = spec
        self._wording = wording
        self._accepted: OrderedDict[str, set[_Receiver]] = OrderedDict()
        _log.setLevel(logging.DEBUG)
        _log.propagate = False
        # Debug lines of its HTTP hold the path of each request, where services have their tokens.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        self._service = self._made(spec)
        self._service.socket_connect_timeout = spec.timeout_s
        self._service.socket_read_timeout = spec.timeout_s
        if type(self._service).request_rate_per_sec == NotifyBase.request_rate_per_sec:
            # Seconds between two messages, of courtesy; what a service itself asks for is kept.
            self._service.request_rate_per_sec = 0
        self._mail = spec.address.get_secret_value().partition(":")[0].lower() in _MAIL
        headers = getattr(self._service, "headers", None)
        self._headers: dict[str, str] | None = headers if isinstance(headers, dict) else None
        self._short = spec.short or self._service.body_maxlen < _SMALL

    def deliver(self, notice: Notice) -> str:
        """Hand a notice to the service; see `alerts.deliver.channel.Channel`."""
        message = self._message(notice)
        accepted = self._accepted.setdefault(notice.id, set())
        if self._headers is not None:
            self._headers.pop(_REFERENCES, None)
            self._headers.update(self._marks(notice))
        with _heard() as lines, _remembering(accepted):
            worked = self._notify(message, notice)
        while len(self._accepted) > _REMEMBERED:
            self._accepted.popitem(last=False)
        if not worked:
            raise self._failure(lines)
        self._accepted.pop(notice.id, None)
        return "accepted"

    def close(self) -> None:
        """Nothing is kept open."""

    def _made(self, spec: ChannelSpec) -> NotifyBase:
        asset = AppriseAsset(
            app_id="Passerelle",
            app_desc="Passerelle",
            async_mode=False,
            storage_mode=PersistentStoreMode.MEMORY,
        )
        with warnings.catch_warnings(), _heard() as lines:
            # Apprise's modules use what later versions of Python do not have.
            warnings.simplefilter("ignore")
            try:
                service = Apprise.instantiate(
                    spec.address.get_secret_value(), asset=asset, suppress_exceptions=False
                )
            except Exception as error:  # noqa: BLE001 - each service raises what it likes
                lines.append(str(error))
                service = None
        if service is None:
            why = "; ".join(lines[-1:]) or "it knows no such service"
            raise ConfigurationError(
                f"channel {spec.name}: Apprise cannot use the address {spec.masked}: "
                f"{spec.scrubbed(why)}"
            )
        return service

    def _message(self, notice: Notice) -> Message:
        if self._short:
            return Message("", short_of(notice, self._wording))
        return message_of(notice, self._wording)

    def _notify(self, message: Message, notice: Notice) -> bool:
        body, form = message.body, NotifyFormat.TEXT
        if self._mail and not self._short:
            body, form = html_of(message), NotifyFormat.HTML
        try:
            return self._service.notify(
                body=body, title=message.subject, notify_type=_kind(notice), body_format=form
            )
        except Exception as error:  # noqa: BLE001 - a fault of one service is no fault of ours
            _log.warning("%s: %s", type(error).__name__, error)
            return False

    def _marks(self, notice: Notice) -> dict[str, str]:
        marks = {NOTICE_HEADER: notice.id}
        if self._mail:
            marks["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody is on holiday to us
            urgent = any(one.severity is Severity.CRITICAL for one in notice.alerts)
            marks["Importance"] = "high" if urgent else "normal"
            if notice.alerts:
                first = notice.alerts[:_MOST_REFERENCES]
                marks[_REFERENCES] = " ".join(f"<{one.id}@passerelle>" for one in first)
        return marks

    def _failure(self, lines: list[str]) -> DeliveryError:
        told = self._spec.scrubbed("; ".join(lines))[:_LONGEST_DETAIL]
        return DeliveryError(told or "Apprise does not say why", retry=not is_final(lines))


def is_final(lines: list[str]) -> bool:
    """Return whether what Apprise says is a refusal that trying again will not change.

    It is when there are codes, and every one of them is of a refusal: SMTP 5xx, HTTP 4xx.
    """
    smtp = [int(one or other) for line in lines for one, other in _SMTP.findall(line)]
    http = [int(code) for line in lines for code in _HTTP.findall(line)]
    finals = [code >= 500 for code in smtp]  # noqa: PLR2004 - RFC 5321
    finals += [400 <= code < 500 and code not in _TEMPORARY_HTTP for code in http]  # noqa: PLR2004
    return bool(finals) and all(finals)


def _kind(notice: Notice) -> NotifyType:
    if notice.occasion in (Occasion.RESOLVED, Occasion.CHANNEL_UP):
        return NotifyType.SUCCESS
    if notice.occasion is Occasion.CHANNEL_DOWN:
        return NotifyType.FAILURE
    return _KINDS[notice.alerts[0].severity] if notice.alerts else NotifyType.INFO


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Give the lines that say why something failed, of this thread, while the context lasts."""
    lines: list[str] = []
    handler = _Listener(lines)
    _log.addHandler(handler)
    try:
        yield lines
    finally:
        _log.removeHandler(handler)


@contextmanager
def _remembering(accepted: set[_Receiver]) -> Iterator[None]:
    """Have Apprise pass over those who accepted, and note who else does.

    It does so for its own repetitions, which end with one call; ours are minutes apart.
    """
    token = _delivery_tracker.set(accepted)
    try:
        yield
    finally:
        _delivery_tracker.reset(token)


class _Listener(logging.Handler):
    """Takes the lines of the thread that made it."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line that says why."""
        if record.thread != self._thread:
            return
        line = " ".join(record.getMessage().split())
        if record.levelno >= logging.WARNING or line.startswith(_TOLD):
            self._lines.append(line)
