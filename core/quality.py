"""Quality of a point: a bit mask, stored in the field `quality` only where it is not 0."""

from __future__ import annotations

from enum import IntFlag


class Quality(IntFlag):
    """What a reader should know before trusting a point.

    The numbers are stored: never renumber them.
    """

    GOOD = 0
    SERVER_TIME = 1
    """The instant is the time of reception: the device sent none."""
    CLOCK_SUSPECT = 2
    """The device sent an instant that cannot be right; the time of reception stands instead."""
    FIELD_DROPPED = 4
    """Another field of the same message could not be used (see the dead letters)."""
    LATE = 8
    """Received more than an hour after it was measured (back-fill after an outage)."""
    SIMULATED = 16
    """Made by a simulator."""
