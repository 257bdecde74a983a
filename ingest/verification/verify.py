"""The whole check: spools, registry and store set against each other while messages flow.

What differs is looked at a second time after a pause, and only what differs both times is told.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping

import msgspec

from core.clock import NS_PER_HOUR, NS_PER_S, Clock, hour_of
from core.reading import DeviceKey
from ingest.verification.difference import Difference
from ingest.verification.evidence import Counted, Evidence, Sources, Told
from ingest.verification.expected import expected, older_than
from ingest.verification.registry_check import account_of, compare, counts_of
from ingest.verification.rewriting import Rewriting, rewriting_of
from ingest.verification.snapshot import Device
from ingest.verification.spool_check import check_equation, check_spool
from ingest.verification.value_check import check_values

PAUSE_S = 1.5
"""Between two looks, seconds: a worker tells the registry once a second."""
_LOOKS = 5


class Wanted(msgspec.Struct, frozen=True):
    """What part of the account is asked for; hours in seconds since the epoch, end exclusive."""

    site: str | None = None
    device: str | None = None
    start_hour: int | None = None
    end_hour: int | None = None

    def holds(self, found: Difference) -> bool:
        """Say whether a difference is asked for; one that is about no row always is."""
        if found.site and not self.of_device((found.site, found.device)):
            return False
        if found.hour is None:
            return True
        after = self.start_hour is None or found.hour >= self.start_hour
        return after and (self.end_hour is None or found.hour < self.end_hour)

    def of_device(self, device: Device) -> bool:
        """Say whether a device is asked for."""
        return self.site in (None, device[0]) and self.device in (None, device[1])


class Outcome(msgspec.Struct, frozen=True):
    """What was compared, and what differs.

    Attributes:
        rows: rows of ledgers looked at.
        letters: dead letters looked at.
        values: values in the store, None when it was not asked.
        devices: devices whose values were counted.
        differences: what differs, twice seen.
        notes: what could not be compared though nothing is wrong with it.
        obstacles: what was in the way of a comparison.
    """

    rows: int
    letters: int
    values: int | None
    devices: int
    differences: list[Difference]
    notes: list[str]
    obstacles: list[str]

    @property
    def code(self) -> int:
        """0: everything agrees; 1: something differs; 2: something could not be compared."""
        return 1 if self.differences else 2 if self.obstacles else 0


def verify(
    sources: Sources,
    wanted: Wanted,
    *,
    ahead_s: float,
    clock: Clock,
    pause: Callable[[float], None],
) -> Outcome:
    """Compare, again where something differs or is not settled, and return what is certain.

    Args:
        sources: who is asked.
        wanted: what part of the account.
        ahead_s: setting `ingest.clock_ahead_s`.
        clock: the time.
        pause: waits for so many seconds.
    """
    devices = None
    if wanted.site is not None and wanted.device is not None:
        devices = [DeviceKey(wanted.site, wanted.device)]
    seen: set[tuple[object, ...]] = set()
    for turn in range(_LOOKS):
        if turn:
            pause(PAUSE_S)
        look = _Look(sources.gather(devices), wanted, ahead_s=ahead_s, clock=clock)
        found = look.differences
        certain = [one for one in found if one.key in seen]
        if not found and not look.unsettled:
            break
        if turn and len(certain) == len(found) and (found or turn == _LOOKS - 1):
            break
        seen = {one.key for one in found}
    return look.outcome(certain)


class _Look:
    """One turn of looking.

    Attributes:
        differences: what differs now.
        unsettled: rows and dead letters that could not be compared with the registry now.
    """

    def __init__(self, evidence: Evidence, wanted: Wanted, *, ahead_s: float, clock: Clock) -> None:
        self._evidence = evidence
        self._wanted = wanted
        self._ahead_s = ahead_s
        self._clock = clock
        self._notes: list[str] = []
        self._rows = 0
        self._devices = 0
        self._values: int | None = None
        self.unsettled = 0
        found = [*self._spools(), *self._registry(), *self._store()]
        self.differences = [one for one in found if wanted.holds(one)]

    def outcome(self, certain: list[Difference]) -> Outcome:
        """Return what was found, of which `certain` was found before as well."""
        if self.unsettled:
            self._notes.append(
                f"{self.unsettled:,} rows and dead letters changed while they were looked at, or "
                "the registry was not told of them yet (a worker that runs tells it once a "
                "second): they were compared within the spool and with the store only"
            )
        before = self._evidence.before.values()
        return Outcome(
            rows=self._rows + sum(len(snapshot.ledger) for snapshot in before),
            letters=sum(len(snapshot.letters) for snapshot in before),
            values=self._values,
            devices=self._devices,
            differences=certain,
            notes=self._notes,
            obstacles=self._evidence.obstacles,
        )

    def _spools(self) -> Iterator[Difference]:
        for snapshot in self._evidence.before.values():
            yield from check_spool(snapshot)

    def _registry(self) -> Iterator[Difference]:
        told = self._evidence.told
        if told is None:
            return
        for worker, after in self._evidence.after.items():
            before = self._evidence.before.get(worker)
            if before is not None:
                mine = {
                    account_of(row): counts_of(row) for row in told.rows if row.worker == worker
                }
                compared = compare(before, mine, told.states[worker], after)
                self.unsettled += len(compared.unsettled) + len(compared.unsettled_letters)
                yield from compared.differences
        yield from self._elsewhere(told)

    def _elsewhere(self, told: Told) -> Iterator[Difference]:
        """Check rows of workers whose spool is on another host."""
        rows = [row for row in told.rows if row.worker not in self._evidence.before]
        self._rows += len(rows)
        if rows:
            names = ", ".join(sorted({row.worker for row in rows}))
            self._notes.append(
                f"the spool of {names} is not here, or was set aside: its rows were checked in the "
                "registry and against the store only; run this on its host too"
            )
        for row in rows:
            account = account_of(row)
            yield from check_equation(row.worker, account, counts_of(row), where="registry")

    def _store(self) -> Iterator[Difference]:
        counted = self._evidence.counted
        if counted is None:
            return
        stored: dict[Device, Counter[int]] = defaultdict(Counter)
        for one in counted.values:
            stored[one.site, one.device][one.hour] += one.values
        must = expected(self._evidence)
        kept_from = self._kept_from(counted)
        if kept_from is not None:
            hours, devices = older_than(must.least, kept_from)
            if hours:
                self._notes.append(
                    f"{hours:,} hours of {devices:,} devices are older than what the store keeps: "
                    "their values cannot be counted any more; their messages were compared"
                )
        if must.silent:
            self._notes.append(
                f"messages of {', '.join(sorted(must.silent))} wait for the store or were refused "
                "by it, in a spool that is not here: what the store must hold of them was not "
                "checked"
            )
        asked = sorted(device for device in {*stored, *must.most} if self._wanted.of_device(device))
        self._devices = len(asked)
        self._values = sum(stored[device].total() for device in asked)
        rewritten = {device: rewriting_of(device, self._evidence.redecodes) for device in asked}
        self._note_rewriting(rewritten)
        for device in asked:
            if not rewritten[device].known:
                continue
            yield from check_values(
                device,
                committed=must.least.get(device, []),
                most=must.most.get(device, {}),
                stored=stored[device],
                ahead_s=self._ahead_s,
                kept_from=kept_from,
                rewriting=rewritten[device],
            )

    def _note_rewriting(self, rewritten: Mapping[Device, Rewriting]) -> None:
        touched = [one for one in rewritten.values() if one.added or one.deleted]
        if touched:
            self._notes.append(
                f"passerelle redecode added and deleted values that the ledger does not count: of "
                f"{len(touched):,} devices up to {max(one.added for one in touched):,} more and "
                f"{max(one.deleted for one in touched):,} fewer were allowed in the store"
            )
        unknown = sum(not one.known for one in rewritten.values())
        if unknown:
            self._notes.append(
                f"a run of passerelle redecode is under way or was interrupted: the values of "
                f"{unknown:,} devices in the store were not compared with the ledger"
            )

    def _kept_from(self, counted: Counted) -> int | None:
        """Return the first hour of which the store keeps everything; None: of all."""
        if counted.keeps_s is None:
            return None
        return hour_of(self._clock.now_ns() - counted.keeps_s * NS_PER_S + NS_PER_HOUR)
