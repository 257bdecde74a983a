"""A message on its way to the broker, with what has to be counted once it is acknowledged."""

from __future__ import annotations

import msgspec

from simulators.device import MessageKind
from simulators.formats.wire import Packet


class Outgoing(msgspec.Struct, frozen=True):
    """One message and its account.

    Attributes:
        row: the line of the report that it belongs to.
        packet: topic, payload, number of readings.
        kind: measurements, sign of life, or facts about devices.
        duplicate: True for the second copy of a message.
        out_of_order: True when a later message of the device went first.
        backfilled: measurements in it that waited while the device was off line.
        wrong_clock: True when the time in it is not the time.
        malformed: how it was spoilt, or "".
        defective: what is wrong with one field, or "".
    """

    row: int
    packet: Packet
    kind: MessageKind = "telemetry"
    duplicate: bool = False
    out_of_order: bool = False
    backfilled: int = 0
    wrong_clock: bool = False
    malformed: str = ""
    defective: str = ""
