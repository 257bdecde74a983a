"""The provider: where it publishes its keys, and the keys, kept and renewed.

Its two documents are asked for when a token first needs a key, when they are `keys_age_s` old, and
when a token names a key that is not known (a rotation), never more often than every `refetch_s`.
While it does not answer, the keys that are known are good for `keys_kept_s`.

Renewing keys that still serve happens in a thread that ends with it, so no request waits for a
provider that is slow; only a token with an unknown key waits, and few of those at once: others are
told to come again. One lock: one question at a time.
"""

from __future__ import annotations

import ssl
from threading import BoundedSemaphore, Lock, Thread
from typing import Any

import httpx
import jwt
import msgspec

from api.oidc.errors import ProviderUnavailableError, TokenKeyUnknownError
from api.oidc.keys import KeySet
from core.clock import Clock
from core.logs import Outage
from core.oidc import OidcSettings, is_safe_address

WELL_KNOWN = "/.well-known/openid-configuration"
"""Where a provider describes itself (OpenID Connect Discovery 1.0, section 4)."""
_LARGEST = 1024 * 1024
_OK = 200
_WAITING = 8
"""Requests that wait for the provider at once, at most; a fifth of the threads that serve."""


class Provider:
    """Answers which key a token names. Used from many threads.

    Args:
        settings: the section `oidc`, with an issuer.
        clock: its monotonic clock is used.
        outage: noted when the provider goes away, and when it is back.
    """

    def __init__(self, *, settings: OidcSettings, clock: Clock, outage: Outage) -> None:
        self._settings = settings
        self._issuer = settings.issuer or ""
        self._clock = clock
        self._outage = outage
        self._lock = Lock()
        self._places = BoundedSemaphore(_WAITING)
        self._keys: KeySet | None = None
        self._asked_at_s: float | None = None

    def key(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """Return the key of that name for that algorithm. Blocks when it has to be asked for.

        Raises:
            TokenKeyUnknownError: the provider has no such key.
            ProviderUnavailableError: it does not answer, and the key is not known.
        """
        keys = self._serving()
        found = None if keys is None else keys.find(kid, algorithm)
        if keys is not None and found is not None:
            if self._now_s() - keys.fetched_at_s >= self._settings.keys_age_s and self._may_ask():
                Thread(target=self.renew, name="oidc-keys", daemon=True).start()
            return found
        self._renew_for_one()
        keys = self._serving()
        found = None if keys is None else keys.find(kid, algorithm)
        if found is not None:
            return found
        reason = self._outage.reason
        if keys is None or reason is not None:
            raise ProviderUnavailableError(
                f"the token cannot be checked: {reason or 'the identity provider gave no keys'}"
            )
        raise TokenKeyUnknownError(
            f"the token is signed with a key ({str(kid)[:100]!r}, {algorithm}) that "
            f"{self._issuer} does not publish; log in again"
        )

    def _renew_for_one(self) -> None:
        """Ask for the keys while a request waits; not when too many wait for that already.

        Each of them holds a thread, and the threads serve everybody.
        """
        if not self._places.acquire(blocking=False):
            raise ProviderUnavailableError(
                "the token is signed with a key that is not known yet, and many wait for the "
                "identity provider to name its keys"
            )
        try:
            self.renew()
        finally:
            self._places.release()

    def renew(self) -> None:
        """Ask for the keys, unless that was just done; what it cannot get, it keeps."""
        with self._lock:
            if not self._may_ask():
                return
            self._asked_at_s = self._now_s()
            try:
                self._keys = self._fetched(self._asked_at_s)
            except _NotAnsweredError as error:
                self._outage.down(str(error), issuer=self._issuer)
            else:
                self._outage.up()

    def _serving(self) -> KeySet | None:
        keys = self._keys
        if keys is None or self._now_s() - keys.fetched_at_s >= self._settings.keys_kept_s:
            return None
        return keys

    def _may_ask(self) -> bool:
        asked = self._asked_at_s
        return asked is None or self._now_s() - asked >= self._settings.refetch_s

    def _now_s(self) -> float:
        return self._clock.monotonic_s()

    def _fetched(self, now_s: float) -> KeySet:
        trust = self._settings.ca_file
        verify = ssl.create_default_context(cafile=trust) if trust is not None else True
        with httpx.Client(timeout=self._settings.timeout_s, verify=verify) as client:
            described = self._document(client, self._issuer.rstrip("/") + WELL_KNOWN)
            if described.get("issuer") != self._issuer:
                raise _NotAnsweredError(
                    f"{self._issuer} says that it is {described.get('issuer')!r}: the setting "
                    "oidc.issuer has to be exactly that"
                )
            address = described.get("jwks_uri")
            if not isinstance(address, str) or not is_safe_address(address):
                raise _NotAnsweredError(f"{self._issuer} names no https address of its keys")
            entries = self._document(client, address).get("keys")
        keys = KeySet(entries if isinstance(entries, list) else (), fetched_at_s=now_s)
        if not keys:
            raise _NotAnsweredError(f"{address} has no keys for signatures")
        return keys

    def _document(self, client: httpx.Client, address: str) -> dict[str, Any]:
        """Return a JSON object, of a bounded size, from where it was asked for and nowhere else."""
        body = bytearray()
        until_s = self._now_s() + self._settings.timeout_s
        try:
            with client.stream("GET", address, headers={"Accept": "application/json"}) as answer:
                if answer.status_code != _OK:
                    raise _NotAnsweredError(f"{address} answered {answer.status_code}")
                for part in answer.iter_bytes():
                    body += part
                    if self._now_s() > until_s:
                        raise _NotAnsweredError(f"{address} answers too slowly")
                    if len(body) > _LARGEST:
                        raise _NotAnsweredError(f"{address} answered more than {_LARGEST} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = str(error) or type(error).__name__
            raise _NotAnsweredError(f"{address} does not answer: {why}") from None
        try:
            return msgspec.json.decode(bytes(body), type=dict[str, Any])
        except msgspec.MsgspecError:
            raise _NotAnsweredError(f"{address} did not answer a JSON object") from None


class _NotAnsweredError(Exception):
    """What was asked for did not come, or cannot be used."""
