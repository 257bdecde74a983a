"""Names that people choose (slugs), and the digest that says whether two messages are the same."""

from __future__ import annotations

import hashlib
import re

from core.errors import ConfigurationError

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_RESERVED = frozenset({"unassigned", "unidentified"})

UNASSIGNED_SITE = "unassigned"
"""Site under which messages are accounted for when no site can be told from the topic."""
UNIDENTIFIED_DEVICE = "unidentified"
"""Device under which messages are accounted for when no device can be told from the topic."""

DIGEST_SIZE = 16


def checked_slug(name: str, *, what: str) -> str:
    """Return `name` when it is a slug: 1 to 64 of a-z, 0-9, `.`, `_`, `-`, ends alphanumeric.

    Args:
        name: the proposed name.
        what: what it names, for the error: `site`, `device`.

    Raises:
        ConfigurationError: it is not a slug, or it is reserved.
    """
    if _SLUG.fullmatch(name) is None:
        raise ConfigurationError(
            f"{what} name {name[:80]!r} must be 1 to 64 of a-z, 0-9, '.', '_', '-', "
            "and start and end with a letter or digit"
        )
    if name in _RESERVED:
        raise ConfigurationError(f"{what} name {name!r} is reserved; choose another")
    return name


def slug_from(text: str) -> str:
    """Return the slug nearest to `text`, for devices that are enrolled under their own names."""
    lowered = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64].strip("._-")
    return lowered or "device"


def digest(topic: str, payload: bytes) -> bytes:
    """Return 16 bytes that are equal exactly when topic and payload are (BLAKE2b, RFC 7693)."""
    hasher = hashlib.blake2b(topic.encode(), digest_size=DIGEST_SIZE)
    hasher.update(b"\x00")
    hasher.update(payload)
    return hasher.digest()
