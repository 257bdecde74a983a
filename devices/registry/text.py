"""Text as both databases can hold it.

PostgreSQL's text cannot hold NUL, and neither database can hold half of a surrogate pair. What
devices sent (topics, names of devices that are not registered, details of dead letters) is kept
with those characters written as Python escapes; what people choose (names of devices, sites,
keys) is refused instead, with a sentence.
"""

from __future__ import annotations

import hashlib
import re

from core.errors import ConfigurationError
from devices.registry.tables import NAME

_DIGITS = 16
_MARKED = re.compile(rf"~[0-9a-f]{{{_DIGITS}}}\Z")


def storable(text: str) -> str:
    r"""Return `text` with NUL and lone surrogates written as escapes (`\x00`, `\udc80`)."""
    clean = text.replace("\x00", "\\x00")
    return clean if clean.isascii() else clean.encode(errors="backslashreplace").decode()


def clipped(text: str, longest: int) -> str:
    """Return `text` storable, and cut where it is longer than `longest` characters."""
    clean = storable(text)
    return clean if len(clean) <= longest else f"{clean[: longest - 3]}..."


def account_name(text: str) -> str:
    """Return the name under which a ledger keeps `text`: different for different texts.

    A name that cannot stand as it is (too long, or with characters that are escaped) is cut and
    marked with a digest: two such names must not become one row, of which the later would
    replace the earlier. A name that only looks marked is marked too.
    """
    clean = storable(text)
    if clean == text and len(text) <= NAME and ("~" not in text or _MARKED.search(text) is None):
        return text
    raw = text.encode(errors="surrogatepass")
    mark = hashlib.blake2b(raw, digest_size=_DIGITS // 2).hexdigest()
    return f"{clean[: NAME - _DIGITS - 1]}~{mark}"


def account_names(text: str) -> tuple[str, str]:
    """Return the names by which to look for `text`: as kept, and as a ledger showed it."""
    return storable(text), account_name(text)


def check_text(text: str, *, what: str, longest: int = NAME) -> str:
    """Return `text` when both databases can hold it.

    Args:
        text: as a person gave it.
        what: the field and whose it is, for the error.
        longest: most characters.

    Raises:
        ConfigurationError: it is too long, or holds NUL or half of a surrogate pair.
    """
    if len(text) > longest:
        raise ConfigurationError(f"{what} is longer than {longest} characters; shorten it")
    if storable(text) != text:
        raise ConfigurationError(
            f"{what} holds a character that cannot be kept (NUL, or half a character); remove it"
        )
    return text
