"""How large the faults of alerting are."""

from __future__ import annotations

import msgspec


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of one run.

    Attributes:
        name: short or full.
        devices: of each fault.
        kills: at random.
        episodes: alarms of each device in what is filled in after an outage.
        hurry_s: leases, and the patience with a store that is away, as short as this, seconds;
            None: as shipped.
        lease_s: how long a lease outlives its holder, seconds.
        outage_s: how long something is away, seconds.
        store_s: how long the store is away, seconds: longer than whoever judges waits for it.
    """

    name: str
    devices: int
    kills: int
    episodes: int
    hurry_s: float | None
    lease_s: float
    outage_s: float
    store_s: float


SHORT = Sizes(
    name="short",
    devices=3,
    kills=2,
    episodes=4,
    hurry_s=1.0,
    lease_s=2.0,
    outage_s=2.0,
    store_s=4.0,
)
FULL = Sizes(
    name="full",
    devices=20,
    kills=20,
    episodes=20,
    hurry_s=None,
    lease_s=20.0,
    outage_s=30.0,
    store_s=45.0,
)
