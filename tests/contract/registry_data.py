"""Registries on both databases, and records to fill them with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.clock import NS_PER_HOUR, ManualClock
from devices.registry import Binding, DeadLetter, Device, LedgerRow, ProfileVersion, Registry

NOW_NS = 1_795_428_000_123_456_789
"""2026-11-23T10:00:00.123456789Z."""
HOUR = NOW_NS // NS_PER_HOUR * 3600
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
PROFILE = "passerelle"
TEMPLATE = "passerelle/v1/{site}/{device}/telemetry"
HOSTILE = [
    "a'); DROP TABLE devices; --",
    'quo"ted %s %(x)s :x ? \\',
    "Salle d'eau — étage n°2",
    "غرفة الخوادم",
    "室温 🌡️",
    "line\nbreak\ttab\r",
    "\u202eright to left",
    "e\u0301 is not \u00e9",
    "x" * 200,
]
"""Names that both databases keep, character by character."""


def new_address(request: pytest.FixtureRequest, directory: Path, *, empty: bool = False) -> str:
    """Return the address of a new database of the kind that the test is run with.

    Args:
        request: of the test.
        directory: of the test.
        empty: it has no tables; else it may have them already, with nothing in them.
    """
    if request.param == "sqlite":
        return f"sqlite:///{directory / 'kept' / 'here' / 'registry.db'}"
    name = "postgres_database" if empty else "postgres_registry"
    make: Callable[[], str] = request.getfixturevalue(name)
    return make()


def opened(url: str, clock: ManualClock) -> Iterator[Registry]:
    """Open a registry with both sites and one profile; close it afterwards."""
    registry = Registry.open(url, clock=clock)
    try:
        registry.migrate()
        registry.seed([profile_version()], [Binding(TEMPLATE, PROFILE, "telemetry")])
        yield registry
    finally:
        registry.close()


def profile_version(name: str = PROFILE, source: str = "name: passerelle\n") -> ProfileVersion:
    digest = hashlib.sha256(source.encode()).hexdigest()
    return ProfileVersion(name=name, version=1, source=source, sha256=digest)


def device(name: str, /, **more: Any) -> Device:
    fields: dict[str, Any] = {"site": "elgazala", "profile": PROFILE, "external_id": name}
    return Device(id=name, **(fields | more))


def ledger_row(name: str = "d-1", /, **more: Any) -> LedgerRow:
    fields: dict[str, Any] = {
        "worker": "worker-1",
        "site": "elgazala",
        "hour": HOUR,
        "stored": 0,
        "duplicate": 0,
        "dead_lettered": 0,
        "pending": 0,
    } | more
    received = sum(fields[one] for one in ("stored", "duplicate", "dead_lettered", "pending"))
    return LedgerRow(**({"device": name, "received": received} | fields))


def letter(number: int, /, **more: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "id": f"worker-1-{number}",
        "worker": "worker-1",
        "scope": "message",
        "reason": "malformed",
        "detail": "the JSON ends in the middle of an object",
        "site": "elgazala",
        "device": "d-1",
        "profile": PROFILE,
        "topic": "passerelle/v1/elgazala/d-1/telemetry",
        "payload": b'{"v":',
        "properties": {"content-type": "application/json"},
        "received_ns": NOW_NS + number,
        "updated_ns": NOW_NS + number,
    }
    return DeadLetter(**(fields | more))
