"""How much of a payload the decoder is willing to look at."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """Bounds that keep a hostile or broken payload cheap.

    Attributes:
        max_payload_bytes: largest payload, bytes.
        max_depth: deepest nesting of arrays and objects, levels.
        max_readings: readings in one message, at most.
    """

    max_payload_bytes: int
    max_depth: int
    max_readings: int
