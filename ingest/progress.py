"""How far each device has come: its latest instants, and the sequence numbers of its boots.

From the instants the ledger tells values that are certainly new from values that may replace
others; from the numbers it tells which messages never came. Both are kept in the spool, changed in
the transaction of the batch that changed them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from ingest.ledger import NO_BOOT
from ingest.sequence import Stream

_MAX_BOOTS = 8
_MAX_BOOTS_AN_HOUR = 32
_MAX_DEVICES = 50_000


class _Kept(msgspec.Struct, array_like=True):
    latest: dict[str, int]
    streams: list[tuple[int, bytes]]


_KEPT = msgspec.msgpack.Decoder(_Kept)


class Progress:
    """One device.

    Args:
        packed: what `encode` returned earlier, or None.

    Attributes:
        latest: last instant committed of each category, nanoseconds since the epoch.
    """

    __slots__ = ("_hour", "_hour_boots", "_streams", "latest")

    def __init__(self, packed: bytes | None = None) -> None:
        kept = _Kept({}, []) if packed is None else _KEPT.decode(packed)
        self.latest = kept.latest
        self._streams = {boot: Stream.decode(state) for boot, state in kept.streams}
        self._hour = -1
        self._hour_boots: set[int] = set()

    def stream(self, boot: int) -> Stream:
        """Return the numbers of one boot; those of the boots used longest ago are forgotten."""
        found = self._streams.pop(boot, None) or Stream()
        self._streams[boot] = found
        if len(self._streams) > _MAX_BOOTS:
            del self._streams[next(iter(self._streams))]
        return found

    def boot(self, told: int | None, hour: int) -> int:
        """Return the boot under which messages are accounted for.

        A device that invents a new one for every message is held to so many an hour, so that it
        cannot fill the ledger; what is beyond is accounted for without a boot.

        Args:
            told: by the message, or None.
            hour: of reception, seconds since the epoch.
        """
        if told is None:
            return NO_BOOT
        if hour != self._hour:
            self._hour = hour
            self._hour_boots = set()
        if told not in self._hour_boots:
            if len(self._hour_boots) >= _MAX_BOOTS_AN_HOUR:
                return NO_BOOT
            self._hour_boots.add(told)
        return told

    def encode(self) -> bytes:
        """Return it as the spool keeps it."""
        streams = [(boot, stream.encode()) for boot, stream in self._streams.items()]
        return msgspec.msgpack.encode(_Kept(self.latest, streams))


class ProgressTable:
    """The devices heard of lately; the others are read from the spool when they are heard again.

    Args:
        load: returns what the spool keeps of (site, device), or None.
    """

    def __init__(self, *, load: Callable[[str, str], bytes | None]) -> None:
        self._load = load
        self._devices: dict[tuple[str, str], Progress] = {}
        self._changed: dict[tuple[str, str], Progress] = {}

    def of(self, site: str, device: str) -> Progress:
        """Return a device's progress, which the caller is about to change."""
        key = (site, device)
        found = self._devices.get(key)
        if found is None:
            if len(self._devices) >= _MAX_DEVICES:
                self._devices = dict(self._changed)
            found = self._devices[key] = Progress(self._load(site, device))
        self._changed[key] = found
        return found

    def take_changed(self) -> Iterator[tuple[str, str, bytes]]:
        """Yield (site, device, packed) of those asked for since the last call."""
        changed, self._changed = self._changed, {}
        for (site, device), progress in changed.items():
            yield site, device, progress.encode()

    def forget(self) -> None:
        """Read everything from the spool again: what was changed did not get there."""
        self._devices.clear()
        self._changed.clear()
