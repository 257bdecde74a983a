"""Who a token is about, and what its claims give: functions of the claims, without any check.

Claims are whatever a provider writes; what is not as expected gives nothing, never an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from core.access import Grant
from core.oidc import OidcGrant

_NAMES = ("name", "preferred_username", "email", "client_id", "azp")
_LONGEST = 200


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody that the provider vouches for.

    Attributes:
        subject: who it is at the provider, for good (`sub`).
        name: for people; what the provider calls them, else the subject.
        email: as the provider says, or None.
        claims_grants: what the roles claim gives, by the settings; may be empty.
        expires_ns: when the token ends, nanoseconds since the epoch, without leeway.
    """

    subject: str
    name: str
    email: str | None
    claims_grants: tuple[Grant, ...]
    expires_ns: int


def name_of(claims: Mapping[str, Any]) -> str:
    """Return what people call whoever the claims are about."""
    for claim in (*_NAMES, "sub"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return _printable(value)
    return "?"


def email_of(claims: Mapping[str, Any]) -> str | None:
    """Return the address, unless the provider says that it was never verified."""
    value = claims.get("email")
    if not isinstance(value, str) or claims.get("email_verified") is False:
        return None
    return _printable(value) or None


def values_at(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """Return the values of a claim: a list of texts, or one text.

    Args:
        claims: of the token.
        claim: its name; where there is none of that name, a path of names joined by dots.
    """
    found = claims.get(claim)
    if found is None:
        found = claims
        for name in claim.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset({found})
    if isinstance(found, list):
        return frozenset(value for value in found if isinstance(value, str))
    return frozenset()


def grants_of(values: frozenset[str], mapping: Iterable[OidcGrant]) -> tuple[Grant, ...]:
    """Return what the values give, each grant once, in the order of the settings."""
    return tuple(dict.fromkeys(entry.grant for entry in mapping if entry.value in values))


def _printable(value: str) -> str:
    """Return it as one line of a log or a table may show it."""
    return "".join(letter for letter in value if letter.isprintable()).strip()[:_LONGEST]
