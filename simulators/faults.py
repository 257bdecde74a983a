"""Which fault strikes a device at which measurement: by chance, and by schedule.

The chances come from a stream of the device's own, apart from that of its measurements: switching
faults on changes what happens to its messages, not what it measures.
"""

from __future__ import annotations

import random
from fnmatch import fnmatchcase

from core.clock import NS_PER_S
from simulators.formats.wire import FieldFault
from simulators.malformed import Malformation
from simulators.scenario import Episode, Faults, Scheduled

_HOUR_NS = 3600 * NS_PER_S
_YEAR_2100_NS = 4_102_444_800 * NS_PER_S


class FaultPlan:
    """The faults of one device.

    Args:
        faults: by chance.
        schedule: by the clock; only those whose pattern fits the device are kept.
        device: device slug.
        rng: the device's stream for faults.
        start_ns: when the run begins, simulated.
    """

    def __init__(
        self,
        *,
        faults: Faults,
        schedule: tuple[Scheduled, ...],
        device: str,
        rng: random.Random,
        start_ns: int,
    ) -> None:
        self._faults = faults
        self._rng = rng
        self._due = sorted(
            (
                (start_ns + round(entry.at * NS_PER_S), entry)
                for entry in schedule
                if fnmatchcase(device, entry.devices)
            ),
            key=lambda pair: pair[0],
        )
        self._now: dict[str, Scheduled] = {}
        self._gap_until = self._offline_until = self._clock_until = 0
        self._clock_kind: str = "epoch"
        self._booted_ns = start_ns - round(rng.uniform(600, 20 * 86_400)) * NS_PER_S
        self.moves_clock = faults.wrong_clock.probability > 0 or any(
            entry.fault == "wrong_clock" for _, entry in self._due
        )

    def advance(self, now_ns: int) -> bool:
        """Begin the measurement at `now_ns`; return True when the device has just rebooted."""
        while self._due and self._due[0][0] <= now_ns:
            _, entry = self._due.pop(0)
            self._now[entry.fault] = entry
        faults = self._faults
        self._gap_until = self._episode("gap", faults.gap, self._gap_until, now_ns)
        self._offline_until = self._episode("offline", faults.offline, self._offline_until, now_ns)
        before, told = self._clock_until, self._now.get("wrong_clock")
        self._clock_until = self._episode("wrong_clock", faults.wrong_clock, before, now_ns)
        if self._clock_until != before:
            kind = told.kind if told is not None else None
            self._clock_kind = kind or self._rng.choice(faults.wrong_clock.kinds)
        if self._strikes("reboot", faults.reboot):
            self._booted_ns = now_ns
            return True
        return False

    def in_gap(self, now_ns: int) -> bool:
        """Whether what is measured now is lost."""
        return now_ns < self._gap_until

    def is_offline(self, now_ns: int) -> bool:
        """Whether the device cannot publish now."""
        return now_ns < self._offline_until

    def clock_is_wrong(self, now_ns: int) -> bool:
        """Whether the device's clock is wrong now."""
        return now_ns < self._clock_until

    def claimed_ns(self, now_ns: int) -> int:
        """Return the instant that the device believes it to be, nanoseconds since the epoch."""
        if not self.clock_is_wrong(now_ns):
            return now_ns
        if self._clock_kind == "epoch":
            return now_ns - self._booted_ns
        if self._clock_kind == "future":
            return _YEAR_2100_NS + now_ns - self._booted_ns
        return now_ns - _HOUR_NS

    def uptime_s(self, now_ns: int) -> int:
        """Return the time since the last boot, seconds."""
        return (now_ns - self._booted_ns) // NS_PER_S

    def duplicates(self) -> bool:
        """Whether the message now made is published twice."""
        return self._strikes("duplicate", self._faults.duplicate)

    def reorders(self) -> bool:
        """Whether the message now made is held back until after the next one."""
        return self._strikes("reorder", self._faults.reorder)

    def malformation(self) -> Malformation | None:
        """Return how the message now made is spoilt, or None."""
        scheduled = self._now.get("malformed")
        if not self._strikes("malformed", self._faults.malformed.probability):
            return None
        if scheduled is not None and scheduled.kind is not None:
            return Malformation(scheduled.kind)
        return self._rng.choice(self._faults.malformed.kinds)

    def defects(self) -> list[FieldFault]:
        """Return the defects to try on the message now made, in order; empty: none."""
        scheduled = self._now.get("defective")
        if not self._strikes("defective", self._faults.defective.probability):
            return []
        if scheduled is not None and scheduled.kind is not None:
            return [FieldFault(scheduled.kind)]
        kinds = list(self._faults.defective.kinds)
        self._rng.shuffle(kinds)
        return kinds

    @property
    def rng(self) -> random.Random:
        """The device's stream for faults."""
        return self._rng

    def _strikes(self, fault: str, probability: float) -> bool:
        if self._now.pop(fault, None) is not None:
            return True
        return probability > 0 and self._rng.random() < probability

    def _episode(self, fault: str, episode: Episode, until_ns: int, now_ns: int) -> int:
        """Return until when the fault lasts."""
        scheduled = self._now.pop(fault, None)
        if scheduled is not None:
            return now_ns + round(scheduled.duration * NS_PER_S)
        if now_ns < until_ns or not episode.probability:
            return until_ns
        if self._rng.random() >= episode.probability:
            return until_ns
        return now_ns + round(self._rng.uniform(*episode.duration) * NS_PER_S)
