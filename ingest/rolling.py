"""Rolling up: hours whose values changed are made anew, and history from before there were marks.

One thread a worker; of all workers, the one that holds the lease works. Everything it does can be
done again: a roll-up is made from the values that are stored, whole, and a mark is taken away only
when nobody marked the hour since.

Marks begin with the first worker that tells them, so roll-ups are believed from the next full hour
on (`rolled_from`); history is rolled up a day at a time, backwards, and `rolled_from` goes with it.
A worker whose spool is not the one it had before may have stored values that nobody was told of,
and another store has other values: then all of it begins anew.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import groupby

from core.clock import NS_PER_HOUR, NS_PER_S, Clock, hour_of
from core.errors import PasserelleError, StoreUnavailableError
from core.logs import Outage, logger
from core.metrics import Metrics
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from devices.registry import Registry
from devices.registry.kept import LATEST_FILLED, ROLLED_FROM, Mark
from storage.ports import PointReader, Retry, Selection
from storage.refusal import EARLIEST_NS, LATEST_NS
from storage.rollups import RollupStore

LEASE = "rollups"
_SETTLE_S = 60
_LEASE_S = 60.0
_MARKS = 5000
_DEVICES = 200
_HOUR_S = 3600
_HOURS_AT_ONCE = 24
_EARLIEST_HOUR = EARLIEST_NS // NS_PER_HOUR * _HOUR_S
_LATEST_HOUR = LATEST_NS // NS_PER_HOUR * _HOUR_S
_NAME = 64
_IDENTITY_BITS = (1 << 63) - 1

_log = logger("ingest.rolling")


class Roller:
    """Keeps roll-ups and newest values in step with the store.

    Args:
        registry: where hours are marked.
        store: where values and roll-ups are.
        store_id: which store that is; another one makes all begin anew.
        worker: its name.
        spool: identity of its spool.
        clock: the time.
        metrics: `rollup_*`.
        interval_s: how often to look for marked hours, seconds.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        store: object,
        store_id: int,
        worker: str,
        spool: int,
        clock: Clock,
        metrics: Metrics,
        interval_s: float = 10.0,
    ) -> None:
        self._registry = registry
        self._reader = store if isinstance(store, PointReader) else None
        self._rollups = store if isinstance(store, RollupStore) else None
        self._worker = worker
        self._identities = {
            f"spool:{worker}"[:_NAME]: spool & _IDENTITY_BITS,
            "store": store_id & _IDENTITY_BITS,
        }
        self._clock = clock
        self._metrics = metrics
        self._interval_s = interval_s
        self._known = False
        self._oldest_hour: int | None = None
        self._outage = Outage(_log, "rollups")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ingest-rollups", daemon=True)

    def start(self) -> None:
        """Begin."""
        if self._reader is not None:
            self._thread.start()

    def halt(self) -> None:
        """Ask it to end, without waiting."""
        self._stopping.set()

    def stop(self) -> None:
        """End after the step under way; the lease is left to others."""
        self.halt()
        if self._thread.is_alive():
            self._thread.join()
        if self._known:
            try:
                self._registry.leases.let_go(LEASE, holder=self._worker)
            except PasserelleError:
                return  # it runs out by itself

    def work(self) -> bool:
        """Do one step; return whether there is more to do at once.

        Raises:
            PasserelleError: registry or store do not answer; it is done later.
        """
        self._recognise()
        if not self._registry.leases.hold(LEASE, holder=self._worker, for_s=_LEASE_S):
            return False
        if self._fill_latest():
            return True
        if self._rollups is None:
            return self._let_marks_go()
        if self._roll_marked(self._rollups):
            return True
        return self._roll_history(self._rollups)

    def _run(self) -> None:
        while not self._stopping.is_set():
            more = False
            try:
                more = self.work()
            except PasserelleError as error:
                self._outage.down(error.detail)
            else:
                self._outage.up()
            self._stopping.wait(0.05 if more else self._interval_s)

    def _recognise(self) -> None:
        """Note from when on hours are marked; begin anew with another store, or another spool."""
        if self._known:
            return
        kept = self._registry.kept
        before = {name: kept.state(name) for name in self._identities}
        others = [name for name, now in self._identities.items() if before[name] not in {None, now}]
        if kept.state(ROLLED_FROM) is None or others:
            kept.begin_anew(from_hour=hour_of(self._clock.now_ns()) + _HOUR_S)
        for name, now in self._identities.items():
            if before[name] != now:
                kept.note(name, now)
        self._known = True

    def _fill_latest(self) -> bool:
        """Tell the registry the newest values of devices that sent them before they were kept."""
        kept = self._registry.kept
        if self._reader is None or kept.state(LATEST_FILLED) == 1:
            return False
        devices = self._devices()
        for start in range(0, len(devices), _DEVICES):
            if self._stopping.is_set():
                return False
            kept.tell(self._reader.latest(devices[start : start + _DEVICES]), [])
        kept.note(LATEST_FILLED, 1)
        return True

    def _let_marks_go(self) -> bool:
        """Take all marks away: this store keeps no roll-ups, it is as quick without."""
        marks = self._registry.kept.marks(before_hour=_LATEST_HOUR, limit=_MARKS)
        self._registry.kept.rolled(marks)
        return len(marks) == _MARKS

    def _roll_marked(self, rollups: RollupStore) -> bool:
        kept = self._registry.kept
        before = (self._clock.now_ns() - _SETTLE_S * NS_PER_S) // NS_PER_HOUR * _HOUR_S
        marks = kept.marks(before_hour=before, limit=_MARKS)
        done = False
        for (hour, category), group in groupby(marks, key=lambda one: (one.hour, one.category)):
            if self._stopping.is_set():
                return False
            some = list(group)
            for start in range(0, len(some), _DEVICES):
                done |= self._roll(rollups, some[start : start + _DEVICES], hour, category)
        self._metrics.rollup_marked.set(kept.marked())
        return done and len(marks) == _MARKS

    def _roll(self, rollups: RollupStore, marks: Sequence[Mark], hour: int, category: str) -> bool:
        """Roll up one hour of some devices and take their marks away; False: it cannot be kept."""
        devices = [DeviceKey(one.site, one.device) for one in marks]
        if not self._ask(rollups, devices, category, hour, hours=1):
            return False
        self._registry.kept.rolled(marks)
        self._metrics.rollup_hours.inc(len(marks))
        return True

    def _roll_history(self, rollups: RollupStore) -> bool:
        """Roll up the day before what is rolled up; return whether there is more."""
        kept = self._registry.kept
        rolled_from = kept.rolled_from()
        if rolled_from is None or rolled_from <= _EARLIEST_HOUR:
            return False
        now_hour = self._clock.now_ns() // NS_PER_HOUR * _HOUR_S
        if rolled_from > now_hour:
            return False  # until that hour has come, values of this one may be unmarked
        devices = self._devices()
        if self._oldest_hour is None:
            self._oldest_hour = self._oldest(devices)
        first = max(self._oldest_hour, rolled_from - _HOURS_AT_ONCE * _HOUR_S)
        hours = (rolled_from - first) // _HOUR_S
        categories = sorted({str(one.category) for one in CATALOGUE.values()})
        for start in range(0, len(devices), _DEVICES):
            for category in categories if hours > 0 else ():
                if self._stopping.is_set():
                    return False
                some = devices[start : start + _DEVICES]
                if not self._ask(rollups, some, category, first, hours=hours):
                    # Beyond float64: that day is marked, and read from its values for good.
                    marks = [
                        Mark(key.site, key.device, category, first + at * _HOUR_S)
                        for key in some
                        for at in range(hours)
                    ]
                    kept.tell([], marks)
        done = first <= self._oldest_hour
        kept.note(ROLLED_FROM, _EARLIEST_HOUR if done else first)
        if done:
            _log.info("history_rolled_up", hours=(now_hour - self._oldest_hour) // _HOUR_S)
            self._oldest_hour = None
        return not done

    def _ask(
        self,
        rollups: RollupStore,
        devices: Sequence[DeviceKey],
        category: str,
        hour: int,
        *,
        hours: int,
    ) -> bool:
        start_ns = hour * NS_PER_S
        outcome = rollups.roll_up(
            devices, category, start_ns=start_ns, end_ns=start_ns + hours * NS_PER_HOUR
        )
        if isinstance(outcome, Retry):
            raise StoreUnavailableError(outcome.reason, retry_after_s=outcome.after_s)
        return outcome

    def _devices(self) -> list[DeviceKey]:
        return [
            DeviceKey(device.site, device.id) for device in self._registry.devices.list(limit=None)
        ]

    def _oldest(self, devices: Sequence[DeviceKey]) -> int:
        """Return the hour of the oldest stored value; that of now when there is none."""
        now_ns = self._clock.now_ns()
        oldest_ns = now_ns
        for start in range(0, len(devices), _DEVICES):
            if self._reader is None:
                break
            page = self._reader.read(
                Selection(
                    devices=tuple(devices[start : start + _DEVICES]),
                    quantities=tuple(CATALOGUE),
                    start_ns=EARLIEST_NS,
                    end_ns=now_ns,
                ),
                limit=1,
            )
            if page.readings:
                oldest_ns = min(oldest_ns, page.readings[0].time_ns)
        return oldest_ns // NS_PER_HOUR * _HOUR_S
