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


_WHAT_TO_DO = {
    Reason.TOPIC_NOT_UTF8: "correct the firmware",
    Reason.TOPIC_UNBOUND: "bind one, then replay",
    Reason.PAYLOAD_TOO_LARGE: "send smaller batches",
    Reason.PAYLOAD_TOO_DEEP: "correct the firmware",
    Reason.PAYLOAD_EMPTY: "correct the firmware",
    Reason.MALFORMED: "correct the firmware",
    Reason.NOT_A_NUMBER: "nothing: the value did not exist",
    Reason.WRONG_TYPE: "correct the firmware, or correct the profile, then replay",
    Reason.UNKNOWN_DEVICE: "`passerelle devices add`, then replay",
    Reason.NO_READING: "correct the profile, then replay",
    Reason.TOO_MANY_READINGS: "send smaller batches",
    Reason.RETAINED_WITHOUT_TIME: "publish without retain, or with the time",
    Reason.INTERNAL_ERROR: "report it, then replay",
    Reason.UNKNOWN_QUANTITY: "correct the name, or map it in a profile, then replay",
    Reason.UNKNOWN_UNIT: "correct the unit, or declare it in a profile, then replay",
    Reason.OUT_OF_RANGE: "look at the sensor; if the profile scales it wrongly, correct it, then "
    "replay",
    Reason.DEVICE_CLOCK: "set the device's clock",
    Reason.DUPLICATE_KEY: "correct the firmware",
    Reason.STORE_REFUSED: "mend the store, then replay",
}


def what_to_do(reason: str) -> str:
    """Return what a person can do about a reason, in a few words; "" for one that is unknown."""
    return _WHAT_TO_DO[Reason(reason)] if reason in _WHAT_TO_DO else ""
