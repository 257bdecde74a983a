"""Signed webhooks: a POST of JSON to an address, that its receiver can check and tell twice.

`Passerelle-Signature: t=SECONDS,v1=HEX` holds the HMAC-SHA256 of `SECONDS.BODY` under the channel's
secret; `Idempotency-Key` is the id of the notice. 2xx is delivered; 4xx is refused for good, except
408, 425 and 429; anything else is tried again, not before what `Retry-After` asks. A redirection is
not followed: what is sent is for this receiver alone.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from email.utils import parsedate_to_datetime

import urllib3

from alerts.deliver.channel import DeliveryError
from alerts.deliver.payload import payload_of
from alerts.deliver.spec import ChannelSpec
from alerts.deliver.templates.message import Wording
from alerts.model import Notice
from core.clock import NS_PER_S, Clock

SIGNATURE = "Passerelle-Signature"
IDEMPOTENCY_KEY = "Idempotency-Key"
MOST_AFTER_S = 3600.0
"""Longest wait that a receiver may ask for, seconds."""
_TEMPORARY = frozenset({408, 425, 429})
_SHOWN_BYTES = 300


class WebhookChannel:
    """A receiver of webhooks.

    Args:
        spec: of the channel.
        wording: how its texts are worded.
        clock: time of the signature.
    """

    def __init__(self, spec: ChannelSpec, *, wording: Wording, clock: Clock) -> None:
        self._spec = spec
        self._wording = wording
        self._clock = clock
        # Its debug lines hold the path of each request, which may be a secret.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)
        self._pool = urllib3.PoolManager(
            num_pools=1, timeout=urllib3.Timeout(connect=spec.timeout_s, read=spec.timeout_s)
        )

    def deliver(self, notice: Notice) -> str:
        """Post a notice; see `alerts.deliver.channel.Channel`."""
        body = payload_of(notice, self._wording)
        secret = self._spec.secret.get_secret_value()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Passerelle",
            IDEMPOTENCY_KEY: notice.id,
            SIGNATURE: signature(body, secret=secret, at_s=self._clock.now_ns() // NS_PER_S),
        }
        try:
            response = self._pool.request(
                "POST",
                self._spec.address.get_secret_value(),
                body=body,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
            )
            try:
                told = response.read(_SHOWN_BYTES, decode_content=False)
            finally:
                response.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise DeliveryError(self._spec.scrubbed(_sentence(error)), retry=True) from None
        return self._judged(response.status, response.headers, told)

    def close(self) -> None:
        """Close connections."""
        self._pool.clear()

    def _judged(self, status: int, headers: urllib3.HTTPHeaderDict, told: bytes) -> str:
        text = " ".join(told.decode(errors="replace").split())
        detail = self._spec.scrubbed(f"HTTP {status}{f': {text}' if text else ''}")
        if 200 <= status < 300:  # noqa: PLR2004 - HTTP
            return detail
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP
            detail = (
                f"HTTP {status}: it sends elsewhere, which is not followed; correct the address"
            )
        refused = 400 <= status < 500 and status not in _TEMPORARY  # noqa: PLR2004 - HTTP
        after_s = _after_s(headers.get("Retry-After"), now_s=self._clock.now_ns() / NS_PER_S)
        raise DeliveryError(detail, retry=not refused, after_s=None if refused else after_s)


def signature(body: bytes, *, secret: str, at_s: int) -> str:
    """Return the signature of a body.

    Args:
        body: as it is sent.
        secret: of the channel.
        at_s: when it is sent, seconds since the epoch; a receiver refuses what is old.
    """
    signed = f"{at_s}.".encode() + body
    return f"t={at_s},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def _after_s(asked: str | None, *, now_s: float) -> float | None:
    """Return for how long a receiver asks to wait: seconds, or a date (RFC 9110, 10.2.3)."""
    if asked is None:
        return None
    try:
        wait = float(asked) if asked.strip().isdigit() else _until(asked) - now_s
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(wait, 0.0), MOST_AFTER_S)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()


def _sentence(error: Exception) -> str:
    """Return what went wrong, without the address: it may hold a secret."""
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "the name of its host is not known"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return f"no connection: {str(error).rpartition(': ')[2]}"
    if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
        return "it did not accept the connection in time"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "it did not answer in time; whether it took the notice is not known"
    if isinstance(error, urllib3.exceptions.SSLError):
        return f"its certificate or TLS is not accepted: {error.args[0] if error.args else ''}"
    return f"the connection broke: {str(error).partition('(')[2] or type(error).__name__}"
