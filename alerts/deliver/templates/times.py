"""Instants as people at the site read them: the local time, and the name of its zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from core.clock import NS_PER_S

_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.".split(),
}


def moment(at_ns: int, zone: str, language: str) -> str:
    """Return an instant: `23 Nov 2026 11:00:05 (Africa/Tunis)`.

    Args:
        at_ns: nanoseconds since the epoch.
        zone: IANA name; "": UTC.
        language: `en` or `fr`.
    """
    local = _local(at_ns, zone)
    month = _MONTHS[language][local.month - 1]
    return f"{local.day} {month} {local.year} {local:%H:%M:%S} ({zone or 'UTC'})"


def brief_moment(at_ns: int, zone: str) -> str:
    """Return an instant in eleven characters: `23/11 11:00`."""
    return f"{_local(at_ns, zone):%d/%m %H:%M}"


def _local(at_ns: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).astimezone(ZoneInfo(zone or "UTC"))
