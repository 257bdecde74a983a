"""The public keys of a provider: which one a token names, fit for the algorithm it names.

A key is used with one algorithm only: the one it is published for, or one of its own type. A public
key can so never be taken for a shared secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jwt

_TYPES: Mapping[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Type and curve of the keys of each algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1)."""


class KeySet:
    """Keys as a provider published them at one moment. Used from many threads.

    Args:
        entries: of `keys` of a JWK set (RFC 7517); those that cannot be used are passed over.
        fetched_at_s: when they were asked for, on the monotonic clock.
    """

    def __init__(self, entries: Iterable[Any], *, fetched_at_s: float) -> None:
        self.fetched_at_s = fetched_at_s
        self._entries = [entry for entry in entries if _for_signatures(entry)]
        self._made: dict[tuple[str | None, str], jwt.PyJWK | None] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key that a token names, or None.

        A token without a key's name gets the only key that its algorithm can have, if there is
        just one.
        """
        fitting = [
            entry
            for entry in self._entries
            if _fits(entry, algorithm) and (kid is None or entry.get("kid") == kid)
        ]
        if len(fitting) != 1:
            return None
        name = (kid, algorithm)
        if name not in self._made:
            self._made[name] = _made(fitting[0], algorithm)
        return self._made[name]


def _for_signatures(entry: Any) -> bool:
    """Tell whether it is a public key that may check signatures."""
    if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
        return False
    operations = entry.get("key_ops", ["verify"])
    return entry.get("kty") != "oct" and isinstance(operations, list) and "verify" in operations


def _fits(entry: Mapping[str, Any], algorithm: str) -> bool:
    type_, curve = _TYPES[algorithm]
    return (
        entry.get("kty") == type_
        and (curve is None or entry.get("crv") == curve)
        and entry.get("alg", algorithm) == algorithm
    )


def _made(entry: Mapping[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        return jwt.PyJWK(dict(entry), algorithm=algorithm)
    except jwt.PyJWTError:
        return None
