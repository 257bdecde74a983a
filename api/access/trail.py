"""What one request read of vital signs, and what it was refused: what the audit says of it."""

from __future__ import annotations

from collections.abc import Iterable

from core.access import HEALTH_QUANTITIES
from core.reading import DeviceKey


class Trail:
    """Filled in while a request is served, by one thread at a time.

    Attributes:
        devices: whose vital signs were read.
        quantities: which vital signs; names of the catalogue.
        around: sites of which vital signs may be read, whosever they are.
        rows: how many values were read to answer, as far as is known.
        start_ns: from when on, nanoseconds since the epoch; None: not asked for by time.
        end_ns: until when.
        planned: they are read after the answer has begun, or in the background.
        hidden: what was asked for that exists, and that the caller may not know of.
    """

    def __init__(self) -> None:
        self.devices: set[DeviceKey] = set()
        self.quantities: set[str] = set()
        self.around: set[str] = set()
        self.rows = 0
        self.start_ns: int | None = None
        self.end_ns: int | None = None
        self.planned = False
        self.hidden = ""

    @property
    def reads_health(self) -> bool:
        """Whether vital signs were asked for, read or about to be; perhaps there were none."""
        return bool(self.devices) or self.start_ns is not None

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites of what was read, in order."""
        return tuple(sorted({device.site for device in self.devices} | self.around))

    def between(self, start_ns: int, end_ns: int) -> None:
        """Note a range that was asked for; several become one."""
        self.start_ns = start_ns if self.start_ns is None else min(self.start_ns, start_ns)
        self.end_ns = end_ns if self.end_ns is None else max(self.end_ns, end_ns)

    def value(self, device: DeviceKey, quantity: str, rows: int = 1) -> None:
        """Note that a vital sign of a device was read."""
        self.devices.add(device)
        self.quantities.add(quantity)
        self.rows += rows

    def look(self, sites: Iterable[str], quantities: Iterable[str], *, now_ns: int) -> None:
        """Note that vital signs of some sites are handed out from now on, whosever they are."""
        self.between(now_ns, now_ns)
        self.around.update(sites)
        self.quantities.update(quantities)
        self.planned = True

    def plan(self, devices: Iterable[DeviceKey], quantities: Iterable[str], *, rows: int) -> None:
        """Note that vital signs may be handed out later, if any are among `quantities`."""
        found = HEALTH_QUANTITIES.intersection(quantities)
        if found:
            self.devices.update(devices)
            self.quantities |= found
            self.rows += rows
            self.planned = True
