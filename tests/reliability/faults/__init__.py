"""Every fault of the suite, in the order of the table."""

from __future__ import annotations

from tests.reliability.fault import Fault
from tests.reliability.faults import broker, disk, load, network, store, workers

FAULTS: tuple[Fault, ...] = (
    *workers.FAULTS,
    *broker.FAULTS,
    *network.FAULTS,
    *store.FAULTS,
    *disk.FAULTS,
    *load.FAULTS,
)
