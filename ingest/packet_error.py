"""What a broker sent that is no MQTT, or not what was agreed with it."""

from __future__ import annotations

from enum import IntEnum

from core.errors import PasserelleError


class Refusal(IntEnum):
    """Why a connection is closed, as MQTT 5 tells it in DISCONNECT (table 3-10)."""

    MALFORMED = 0x81
    PROTOCOL = 0x82
    TOPIC_NAME = 0x90
    TOPIC_ALIAS = 0x94
    TOO_LARGE = 0x95


class PacketError(PasserelleError):
    """A packet after which the connection has to be closed.

    Args:
        what: what is wrong with it, in words.
        at: the byte of the connection where it is wrong; the first is 0; None: not known.
        refusal: what MQTT 5 calls it.
    """

    code = "malformed_packet"

    def __init__(self, what: str, *, at: int | None, refusal: Refusal = Refusal.MALFORMED) -> None:
        where = "" if at is None else f" (byte {at} of the connection)"
        super().__init__(what + where)
        self.at = at
        self.refusal = refusal
