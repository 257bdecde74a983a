"""What is written down of requests: reads of vital signs, and refusals.

A read of vital signs is written down before its answer is sent; where that cannot be done the
answer is 503 instead. What is read while the answer is under way is written down as begun, and once
more at its end. Everybody who was let in and is refused has a row for each refusal; of those who
were not let in, the first refusal of an address in a minute has a row, and one more row counts the
others of that minute.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import msgspec

from api.access.errors import AuditUnavailableError
from core.clock import Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from devices.registry import Actor, AuditEntry, AuditEvent, AuditOutcome, Registry
from devices.registry.errors import RegistryUnavailableError

_MINUTE_S = 60.0
_ADDRESSES = 10_000
_OTHERS = "others"


class Audit:
    """Writes rows down. Used from many threads.

    Rows of several requests at a time are written in one transaction: while one is written, the
    others wait and go together.

    Args:
        registry: where they are kept.
        metrics: counts them.
        clock: the time.
    """

    def __init__(self, *, registry: Registry, metrics: Metrics, clock: Clock) -> None:
        self._registry = registry
        self._metrics = metrics
        self._clock = clock
        self._outage = Outage(logger("api"), "audit")
        self._waiting_lock = Lock()
        self._writing = Lock()
        self._waiting: list[_Waiting] = []
        self._unknown: OrderedDict[str, _Minute] = OrderedDict()
        self._unknown_lock = Lock()

    def write(self, entry: AuditEntry) -> None:
        """Write a row down; return when it is kept. Blocks.

        Raises:
            AuditUnavailableError: it cannot be written; nothing is kept of it.
        """
        mine = _Waiting(entry)
        with self._waiting_lock:
            self._waiting.append(mine)
        with self._writing:
            if not mine.done:
                with self._waiting_lock:
                    batch, self._waiting = self._waiting, []
                self._write(batch)
        if mine.error is not None:
            raise AuditUnavailableError(
                f"this is not answered because it cannot be written down: {mine.error}"
            )

    def refused_unknown(self, *, address: str, key: str, route: str, detail: str) -> None:
        """Note that somebody was not let in. Blocks at most once a minute and address.

        Args:
            address: from where.
            key: the public part of what was sent, or "".
            route: the path.
            detail: why.
        """
        now_s = self._clock.monotonic_s()
        with self._unknown_lock:
            ended = self._ended(now_s)
            place = address
            if address not in self._unknown and len(self._unknown) >= _ADDRESSES:
                place = _OTHERS
            minute = self._unknown.get(place)
            if minute is None:
                entry = AuditEntry(
                    time_ns=self._clock.now_ns(),
                    event=AuditEvent.REFUSED,
                    outcome=AuditOutcome.REFUSED,
                    actor=Actor("unknown", key, "", address),
                    route=route,
                    status=401,
                    detail=detail,
                )
                self._unknown[place] = _Minute(entry, now_s)
                ended.append(entry)
            else:
                minute.more += 1
        self._note(ended)

    def flush(self) -> None:
        """Write down what was only counted so far. Blocks."""
        with self._unknown_lock:
            ended = self._ended(None)
        self._note(ended)

    def _ended(self, now_s: float | None) -> list[AuditEntry]:
        """Return the counts of minutes that are over (None: of all), and forget them."""
        found = []
        while self._unknown:
            place, minute = next(iter(self._unknown.items()))
            if now_s is not None and now_s - minute.began_s < _MINUTE_S:
                break
            del self._unknown[place]
            if minute.more:
                found.append(
                    msgspec.structs.replace(
                        minute.first,
                        time_ns=self._clock.now_ns(),
                        times=minute.more,
                        detail="further refusals of the same minute",
                    )
                )
        return found

    def _note(self, entries: list[AuditEntry]) -> None:
        for entry in entries:
            try:
                self.write(entry)
            except AuditUnavailableError:  # counted and logged; the refusal stands all the same
                return

    def _write(self, batch: list[_Waiting]) -> None:
        try:
            self._registry.audit.append([one.entry for one in batch])
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            for one in batch:
                one.error = error.detail
                self._metrics.audit_unwritten.labels(one.entry.event).inc()
        else:
            self._outage.up()
            for one in batch:
                self._metrics.audit_entries.labels(one.entry.event).inc()
        for one in batch:
            one.done = True


class _Waiting:
    def __init__(self, entry: AuditEntry) -> None:
        self.entry = entry
        self.done = False
        self.error: str | None = None


class _Minute:
    def __init__(self, first: AuditEntry, began_s: float) -> None:
        self.first = first
        self.began_s = began_s
        self.more = 0
