"""How large the faults are: the short form that every change goes through, and the full one."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of one run of the suite.

    Attributes:
        name: short or full.
        messages: published under a usual fault.
        rate: messages a second.
        devices: that publish them.
        outage_s: how long the store is away, seconds.
        slow_writes: writes that the slow store answers late.
        devices_at_once: that connect together.
        backlog: messages that wait while the store is away, for the memory.
        backfill_step_s: between the messages of a day that arrives at once, seconds.
        settings: of the workers, beside what ships.
    """

    name: str
    messages: int
    rate: float
    devices: int
    outage_s: float
    slow_writes: int
    devices_at_once: int
    backlog: int
    backfill_step_s: int
    settings: Mapping[str, str]


SHORT = Scale(
    name="short",
    messages=3000,
    rate=1500.0,
    devices=10,
    outage_s=4.0,
    slow_writes=1,
    devices_at_once=1000,
    backlog=100_000,
    backfill_step_s=300,
    settings={"PASSERELLE_MQTT__KEEPALIVE_S": "5"},
)
FULL = Scale(
    name="full",
    messages=30_000,
    rate=2000.0,
    devices=50,
    outage_s=600.0,
    slow_writes=6,
    devices_at_once=10_000,
    backlog=1_000_000,
    backfill_step_s=60,
    settings={},
)
