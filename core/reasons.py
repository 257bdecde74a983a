"""Why a message, a field or a point is in the dead letters: the closed list of reasons.

Each reason is documented in `docs/dead-letters.md`; a test fails when one is missing there.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Stable reason codes. `MESSAGE`-scope reasons cost the message, others one field or point."""

    # the message
    TOPIC_NOT_UTF8 = "topic_not_utf8"
    TOPIC_UNBOUND = "topic_unbound"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    PAYLOAD_TOO_DEEP = "payload_too_deep"
    PAYLOAD_EMPTY = "payload_empty"
    MALFORMED = "malformed"
    NOT_A_NUMBER = "not_a_number"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_DEVICE = "unknown_device"
    NO_READING = "no_reading"
    TOO_MANY_READINGS = "too_many_readings"
    RETAINED_WITHOUT_TIME = "retained_without_time"
    INTERNAL_ERROR = "internal_error"
    # one field of it
    UNKNOWN_QUANTITY = "unknown_quantity"
    UNKNOWN_UNIT = "unknown_unit"
    OUT_OF_RANGE = "out_of_range"
    DEVICE_CLOCK = "device_clock"
    DUPLICATE_KEY = "duplicate_key"
    # one point, refused by the store
    STORE_REFUSED = "store_refused"


class Scope(StrEnum):
    """What a dead letter costs: the whole message, one field of it, or points the store refused."""

    MESSAGE = "message"
    FIELD = "field"
    POINTS = "points"
