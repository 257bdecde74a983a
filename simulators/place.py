"""Where a sensor is and what it has to do: sampled in the order of time, with its own noise."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

import msgspec

from simulators.climate import DAY_S, Weather
from simulators.rooms import Room
from simulators.vitals import Person

Values = dict[str, float | bool]


class Surroundings(msgspec.Struct, frozen=True):
    """What a sensor is placed in.

    Attributes:
        weather: outdoors at the site.
        room: the room that it stands in.
        person: makes the person who wears it.
        rng: the device's own stream of measuring noise.
        start_s: when the run begins, seconds since the epoch.
    """

    weather: Weather
    room: Room
    person: Callable[[], Person]
    rng: random.Random
    start_s: float


class Sensor(Protocol):
    """One device's measuring part."""

    def sample(self, time_s: float) -> Values:
        """Return quantity name -> value in its canonical unit, at `time_s`; times ascend."""
        ...


class Battery:
    """A cell that lasts `days`, then is changed."""

    def __init__(self, place: Surroundings, *, days: float = 540) -> None:
        self._life_s = days * DAY_S
        self._phase_s = place.rng.random() * self._life_s

    def level(self, time_s: float) -> float:
        """Return the charge, %, never below 5."""
        used = (time_s + self._phase_s) % self._life_s / self._life_s
        return float(round(100 - 95 * used))
