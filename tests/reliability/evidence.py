"""What is found where: in the store, in the dead letters, in files that were set aside.

Nothing here asks the product what became of a message: the store is asked row by row, the dead
letters are searched for the message's own bytes, and what a worker was delivered is read from the
bytes that went over its connection. The ledger is then held against that.
"""

from __future__ import annotations

import csv
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx
import msgspec

from core.reading import Point
from devices.registry import Registry
from devices.registry.records import DeadLetter
from storage.line_protocol import points_of
from tests.reliability.messages import CATEGORY, QUANTITY, name_of, seen_in
from tests.reliability.packets import PUBACK, PUBLISH, packets
from tests.servers.influxdb2 import InfluxDB2

Key = tuple[int, int]
Row = tuple[int, int, float]
"""(device, instant in nanoseconds, value)."""
_PAGE = 1000
_POINTS = msgspec.json.Decoder(tuple[Point, ...])


def rows_in(store: InfluxDB2, bucket: str) -> list[Row]:
    """Return every value of the store."""
    answer = httpx.get(
        f"{store.url}/query",
        params={
            "db": bucket,
            "q": f'SELECT "{QUANTITY}" FROM "{CATEGORY}" GROUP BY "device"',  # noqa: S608 - own names
            "epoch": "ns",
        },
        headers={"Authorization": f"Token {store.token}", "Accept": "application/csv"},
        timeout=120,
    ).raise_for_status()
    found = csv.DictReader(answer.text.splitlines())
    return [
        (int(row["tags"].rpartition("-")[2]), int(row["time"]), float(row[QUANTITY]))
        for row in found
    ]


def count_in(store: InfluxDB2, bucket: str) -> int:
    """Return how many values the store has."""
    answer = httpx.get(
        f"{store.url}/query",
        params={"db": bucket, "q": f'SELECT count("{QUANTITY}") FROM "{CATEGORY}"'},  # noqa: S608
        headers={"Authorization": f"Token {store.token}"},
        timeout=120,
    ).raise_for_status()
    series = answer.json()["results"][0].get("series")
    return int(series[0]["values"][0][1]) if series else 0


def letters_in(registry: Registry) -> list[DeadLetter]:
    """Return the open dead letters."""
    found: list[DeadLetter] = []
    while page := registry.dead_letters.list(
        state="open", after=found[-1].id if found else None, limit=_PAGE
    ):
        found += page
    return found


def keys_of(letters: Iterable[DeadLetter], by_instant: dict[tuple[str, int], Key]) -> set[Key]:
    """Return the messages that dead letters hold: as raw bytes, or as points of their instant."""
    found: set[Key] = set()
    for letter in letters:
        if letter.scope == "points":
            points = _POINTS.decode(letter.payload)
            instants = {(point.device, point.time_ns) for point in points}
            found |= {by_instant[instant] for instant in instants if instant in by_instant}
        else:
            found |= seen_in(letter.payload)
    return found


def delivered_in(heard: Iterable[bytes]) -> set[Key]:
    """Return the messages that a broker sent whole over connections."""
    found: set[Key] = set()
    for stream in heard:
        bodies = [body for kind, body in packets(stream) if kind == PUBLISH]
        found |= seen_in(b"\n".join(bodies))
    return found


def acknowledged_in(heard: Iterable[bytes], said: Iterable[bytes]) -> set[Key]:
    """Return the messages that a broker sent over connections and whose PUBACK went back."""
    found: set[Key] = set()
    for down, up in zip(heard, said, strict=True):
        acked = {int.from_bytes(body[:2]) for kind, body in packets(up) if kind == PUBACK}
        for kind, body in packets(down):
            if kind != PUBLISH:
                continue
            at = 2 + int.from_bytes(body[:2])  # behind the topic
            if int.from_bytes(body[at : at + 2]) in acked:
                found |= seen_in(body)
    return found


def keys_in_spool(file: Path, *, head: bytes, by_instant: dict[tuple[str, int], Key]) -> set[Key]:
    """Return the messages that wait in a spool that was set aside.

    Args:
        file: the spool.
        head: what its first bytes were before the fault overwrote them; empty: it did not.
        by_instant: the messages.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "spool.db"
        copy.write_bytes(head + file.read_bytes()[len(head) :])
        spool = sqlite3.connect(copy)
        try:
            bodies = [bytes(row[0]) for row in spool.execute("SELECT body FROM batch")]
        finally:
            spool.close()
    points = [point for body in bodies for point in points_of(body)]
    return {by_instant[(point.device, point.time_ns)] for point in points}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of a ledger on a worker's disk."""

    received: int = 0
    stored: int = 0
    duplicate: int = 0
    dead_lettered: int = 0
    pending: int = 0
    redelivered: int = 0
    missing: int = 0

    @property
    def balanced(self) -> bool:
        """Whether the equation holds."""
        ended = self.stored + self.duplicate + self.dead_lettered + self.pending
        return self.received == ended


_COLUMNS = Account.__struct_fields__


def account_on_disk(spools: Sequence[Path]) -> Account:
    """Return the sums of the ledgers of spool files, as they are on disk now."""
    sums = [0] * len(_COLUMNS)
    for path in spools:
        spool = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            row = spool.execute(
                f"SELECT {', '.join(f'coalesce(sum({one}), 0)' for one in _COLUMNS)} FROM ledger"  # noqa: S608
            ).fetchone()
        finally:
            spool.close()
        sums = [before + one for before, one in zip(sums, row, strict=True)]
    return Account(**dict(zip(_COLUMNS, sums, strict=True)))


def account_told(registry: Registry) -> Account:
    """Return the sums of the ledger as the workers published it."""
    totals = registry.ledger.totals()
    return Account(**{one: getattr(totals, one) for one in _COLUMNS})


def by_instant(messages: Iterable[tuple[int, int, int]]) -> dict[tuple[str, int], Key]:
    """Return the key of each (device, seq, instant) by (name of the device, instant)."""
    return {(name_of(device), time_ns): (device, seq) for device, seq, time_ns in messages}
