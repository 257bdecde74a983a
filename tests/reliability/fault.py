"""What a fault is: a name, a sentence, and what is done to a running platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from tests.servers.mosquitto import MosquittoOptions

if TYPE_CHECKING:
    from tests.reliability.rig import Rig

BROKER = MosquittoOptions(
    # As deploy/mosquitto ships it.
    max_inflight_messages=20_000,
    max_queued_messages=0,
    lines=("max_queued_bytes 0", "autosave_interval 30"),
)
_NONE: Mapping[str, str] = MappingProxyType({})


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault of the suite.

    Attributes:
        name: how it is asked for.
        title: what is done, for the table.
        act: does it, publishes meanwhile, and mends it.
        broker: how Mosquitto is set up.
        broker_may_lose: whether Mosquitto may forget what it acknowledged to a publisher; that is
            counted in a column of its own, and must stand in the ledger as missing.
        worker_away: whether no worker runs for a while: then what is held against us is what a
            worker acknowledged, not what was on its way to one that ended.
        own_store: an InfluxDB of its own, to be stopped and killed.
        workers: names of the workers, whose spools are read.
        settings: of the workers.
    """

    name: str
    title: str
    act: Callable[[Rig], None]
    broker: MosquittoOptions = BROKER
    broker_may_lose: bool = False
    worker_away: bool = False
    own_store: bool = False
    workers: tuple[str, ...] = ("worker-1",)
    settings: Mapping[str, str] = _NONE
