"""The newest value of every series, kept at hand: asked of the registry only for what changed.

Workers tell the registry what they stored (`devices.registry.kept`) within about a second. Where
that is not complete yet, because a platform was updated and history was not looked through, the
store is asked instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Lock

from core.clock import NS_PER_S, Clock
from core.errors import StoreUnavailableError
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Reading
from devices.registry import Device, Registry
from devices.registry.kept import LATEST_FILLED
from storage.ports import PointReader

FRESH_S = 0.5
"""For how long an answer is given again without asking the registry, seconds."""
_RETENTION_S = 60.0
"""For how long the store's retention is believed, seconds."""
_ALL = tuple(sorted(CATALOGUE))


class NewestValues:
    """Newest values of any number of devices. Used from many threads.

    Args:
        registry: what workers tell.
        store: asked while the registry does not know every newest value, and for its retention.
        clock: the time.
    """

    def __init__(self, *, registry: Registry, store: PointReader, clock: Clock) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._found: dict[DeviceKey, dict[str, Reading]] = {}
        self._turn = 0
        self._forgotten = -1
        self._filled = False
        self._asked_s: float | None = None
        self._keeps: tuple[float | None, int | None] = (None, None)
        self._devices: tuple[int, list[Device]] | None = None

    def of(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """Return what `PointReader.latest` does; a value may be a second or so behind it.

        Raises:
            RegistryUnavailableError: the registry does not answer.
            StoreUnavailableError: the store had to be asked, and does not answer.
        """
        with self._lock:
            self._refresh()
            filled = self._filled
        if not filled:
            return self._store.latest(devices, quantities=quantities)
        earliest_ns = self._earliest_ns()
        with self._lock:
            names = _ALL if quantities is None else tuple(dict.fromkeys(quantities))
            return [
                values[name]
                for device in dict.fromkeys(devices)
                if (values := self._found.get(device)) is not None
                for name in names
                if name in values and values[name].time_ns >= earliest_ns
            ]

    def devices(self) -> list[Device]:
        """Return every registered device, asked again when the registry changed."""
        revision = self._registry.recent_revision()
        known = self._devices
        if known is None or known[0] != revision:
            known = self._devices = (revision, self._registry.devices.list(limit=None))
        return known[1]

    def _refresh(self) -> None:
        now_s = self._clock.monotonic_s()
        if self._asked_s is not None and now_s - self._asked_s < FRESH_S:
            return
        kept = self._registry.kept
        self._filled = kept.state(LATEST_FILLED) == 1
        if self._filled:
            told = kept.latest(after_turn=self._turn)
            if told.forgotten != self._forgotten or told.turn < self._turn:
                self._found.clear()
                told = kept.latest()
            self._take(told.values)
            self._turn, self._forgotten = told.turn, told.forgotten
        self._asked_s = now_s

    def _take(self, values: Iterable[Reading]) -> None:
        for value in values:
            if value.quantity in CATALOGUE:
                device = DeviceKey(value.site, value.device)
                self._found.setdefault(device, {})[value.quantity] = value

    def _earliest_ns(self) -> int:
        """Return from when on the store keeps values, as it last said: older ones are gone."""
        now_s = self._clock.monotonic_s()
        asked_s, keeps_s = self._keeps
        if asked_s is None or now_s - asked_s >= _RETENTION_S:
            with suppress(StoreUnavailableError):
                keeps_s = self._store.keeps_s()
            self._keeps = (now_s, keeps_s)
        return 0 if keeps_s is None else self._clock.now_ns() - keeps_s * NS_PER_S
