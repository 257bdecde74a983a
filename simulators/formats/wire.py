"""What a wire format is: how one device's measurements become messages."""

from __future__ import annotations

import random
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, ClassVar, Protocol

import msgspec


class FieldFault(StrEnum):
    """A defect that should cost one field of a message and nothing else."""

    UNKNOWN_QUANTITY = "unknown_quantity"
    UNKNOWN_UNIT = "unknown_unit"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"


ABSURD = 9e14
"""A number beyond the range of every quantity of the catalogue."""


class Measurement(msgspec.Struct, frozen=True):
    """The values of one instant.

    Attributes:
        time_ns: the instant as the device believes it to be, nanoseconds since the epoch.
        values: quantity name -> value in its canonical unit.
    """

    time_ns: int
    values: dict[str, float | bool]


class Packet(msgspec.Struct, frozen=True):
    """One message to publish.

    Attributes:
        topic: where.
        payload: what.
        readings: values in it that a platform should store.
        retain: whether the broker keeps it.
    """

    topic: str
    payload: bytes
    readings: int = 0
    retain: bool = False


class Identity(msgspec.Struct, frozen=True):
    """What a wire format needs to know of its device.

    Attributes:
        site: site slug.
        external_id: the device's name in topics.
        hardware_id: IEEE address or the like: 16 hexadecimal digits after `0x`.
        zone: IANA time zone, for formats that send local time.
    """

    site: str
    external_id: str
    hardware_id: str
    zone: str


class Wire(Protocol):
    """A payload convention, for one device.

    Class attributes:
        profile: the platform's name for it.
        batches: True when a message may carry several instants, so that a device that was off
            line can send what it kept.
        counted: True when every message carries a counter; else only its time tells it from
            another.
        resolution_ns: the finest time that it can say.
        carries: the quantities that it has a place for; None: any.
        own_readings: values that it adds to each message by itself.
        shortest_interval_s: how often a device may publish, so that no two messages are equal.
    """

    profile: ClassVar[str]
    batches: ClassVar[bool]
    counted: ClassVar[bool]
    resolution_ns: ClassVar[int]
    carries: ClassVar[frozenset[str] | None]
    own_readings: ClassVar[int]
    shortest_interval_s: ClassVar[float]
    topic: str

    def __init__(self, identity: Identity) -> None: ...

    def document(self, measurements: Sequence[Measurement], *, seq: int, boot: int) -> Any:
        """Return the message as plain data, to be encoded by `encode`."""
        ...

    def encode(self, document: Any) -> bytes:
        """Return the payload."""
        ...

    def damage(self, document: Any, fault: FieldFault, rng: random.Random) -> int | None:
        """Put one bad field into `document`.

        Returns:
            how many of its readings are lost by that, or None when this format or message has no
            place for the fault (the document is then as it was).
        """
        ...

    def extras(self, *, time_ns: int, seq: int, uptime_s: int) -> list[Packet]:
        """Return what such a device sends beside its measurements, at message `seq`."""
        ...

    def status(self, *, online: bool) -> Packet | None:
        """Return the sign of life, or None when the convention has none."""
        ...
