"""What InfluxDB's answer to a write means.

Only 204 means stored. Only a 400 or 422 in InfluxDB's own JSON means that points are refused: the
same codes come from proxies (plain HTTP sent to a TLS port, say), and a point refused is a dead
letter. Everything else is a reason to write the same again later: nothing may be lost because a
token has expired, a bucket was not made yet or the address points elsewhere.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec

from storage.backends.influxdb.http import Answer as HttpAnswer
from storage.ports import Retry

LONGEST_WAIT_S = 300.0
"""How long a `Retry-After` is heeded, at most, seconds."""

_SHOWN = 300
_ADVICE = {
    HTTPStatus.UNAUTHORIZED: "; check PASSERELLE_STORE__TOKEN",
    HTTPStatus.FORBIDDEN: "; check the permissions of PASSERELLE_STORE__TOKEN",
    HTTPStatus.NOT_FOUND: "; check PASSERELLE_STORE__BUCKET and PASSERELLE_STORE__ORG",
}


class Stored(msgspec.Struct, frozen=True):
    """Every line is on the server's disk."""


class Refused(msgspec.Struct, frozen=True):
    """Some lines are refused for good; the others may be stored or not.

    Attributes:
        reason: what the server said.
    """

    reason: str


class TooLarge(msgspec.Struct, frozen=True):
    """The request was too long; a shorter one may pass.

    Attributes:
        reason: what the server said.
    """

    reason: str


class _Body(msgspec.Struct):
    message: str | None = None
    error: str | None = None


Answer = Stored | Refused | TooLarge | Retry


def answer_to_write(response: HttpAnswer) -> Answer:
    """Return what `response`, says of the lines that were sent."""
    if response.status == HTTPStatus.NO_CONTENT:
        return Stored()
    reason = said(response)
    if response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return TooLarge(reason)
    refusing = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}
    message = _message(response)
    if response.status in refusing and message is not None:
        return Refused(message)
    return Retry(reason, after_s=retry_after_s(response))


def said(response: HttpAnswer) -> str:
    """Return one sentence of what the server answered, and what to check."""
    text = _message(response) or " ".join(_text(response).split()) or response.reason
    advice = _ADVICE.get(HTTPStatus(response.status), "") if _known(response) else ""
    return f"InfluxDB answered {response.status}: {text[:_SHOWN]}{advice}"


def retry_after_s(response: HttpAnswer) -> float | None:
    """Return the seconds that `Retry-After` asks to wait (RFC 9110, 10.2.3), or None.

    A date is measured from the server's own `Date`, as clocks differ.
    """
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_WAIT_S)
    try:
        until = parsedate_to_datetime(text)
        wait_s = (until - parsedate_to_datetime(response.headers["date"])).total_seconds()
    except (KeyError, TypeError, ValueError):
        return None
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def _known(response: HttpAnswer) -> bool:
    return response.status in set(HTTPStatus)


def _text(response: HttpAnswer) -> str:
    return response.body.decode(errors="replace")


def _message(response: HttpAnswer) -> str | None:
    """Return the message of a body in InfluxDB's form: `message` in 2.x, `error` in 1.x."""
    try:
        body = msgspec.json.decode(response.body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return body.message or body.error
