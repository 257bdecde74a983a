"""A person's vital signs over the day, as pure functions of time.

No model of an illness: a healthy adult, so that the readings are plausible and nothing more.
Sources: body temperature 36.8 Cel, lowest about 5 h and highest about 17 h (Mackowiak, Wasserman
and Levine, JAMA 268 (1992) 1578); heart rate rises by 8.5 /min for each Cel of body temperature
(Karjalainen and Viitasalo, Arch. Intern. Med. 146 (1986) 1169) and is lower in sleep than over the
waking day by about a fifth;
blood pressure falls by 10 to 20 % in sleep (O'Brien, Sheridan and O'Malley, Lancet 332 (1988)
397); mean pressure = diastolic + a third of the pulse pressure; saturation is about 1 % lower
in sleep (Gries and Brooks, Chest 110 (1996) 1489); respiration 12 to 20 /min at rest.
"""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

import msgspec

from simulators.streams import SmoothNoise, stream

_DAY_H = 24
_WARMEST_HOUR = 17.0
_MEAN_BODY_C = 36.8
_PER_CELSIUS = 8.5
_MOST_STEPS_MIN = 110


class Signs(msgspec.Struct, frozen=True):
    """What a monitor shows at one instant.

    Attributes:
        heart_rate: beats a minute.
        respiratory_rate: breaths a minute.
        oxygen_saturation: %.
        body_temperature: Cel.
        systolic: mm[Hg].
        diastolic: mm[Hg].
        cadence: steps a minute.
    """

    heart_rate: float
    respiratory_rate: float
    oxygen_saturation: float
    body_temperature: float
    systolic: float
    diastolic: float
    cadence: float


class Person:
    """Somebody who wears a monitor; known by the device only, never by a name.

    Args:
        seed: the scenario's seed.
        device: device slug, which names the stream.
        time_zone: where the person lives.
    """

    def __init__(self, *, seed: int, device: str, time_zone: ZoneInfo) -> None:
        rng = stream(seed, "person", device)
        self._time_zone = time_zone
        self._resting_rate = rng.gauss(66, 6)
        self._breaths = rng.gauss(14.5, 1.2)
        self._saturation = min(rng.gauss(97.6, 0.5), 98.8)
        self._temperature_c = _MEAN_BODY_C + rng.gauss(0, 0.12)
        self._systolic = rng.gauss(119, 8)
        self._diastolic = min(rng.gauss(76, 5), self._systolic - 30)
        self._bed_h = rng.gauss(22.9, 0.5)
        self._wakes_h = rng.gauss(6.6, 0.5)

        def noise(name: str, shortest_s: float, longest_s: float) -> SmoothNoise:
            return SmoothNoise(
                stream(seed, "person", device, name), shortest_s=shortest_s, longest_s=longest_s
            )

        self._moving = noise("activity", 300, 9000)
        self._heart = noise("heart", 40, 2400)
        self._vessels = noise("vessels", 600, 20_000)
        self._lungs = noise("lungs", 60, 3000)
        self._warmth = noise("warmth", 3000, 90_000)

    def sleep(self, hour: float) -> float:
        """Return how deeply asleep the person is at a civil `hour`: 0 awake, 1 asleep."""
        asleep = _rises(hour, self._bed_h) + 1 - _rises(hour, self._wakes_h)
        return min(1.0, max(0.0, asleep))

    def signs(self, time_s: float, *, hour: float) -> Signs:
        """Return the vital signs.

        Args:
            time_s: seconds since the epoch.
            hour: the civil hour there, 0..24.
        """
        sleep = self.sleep(hour)
        effort = (1 - sleep) * max(0.0, self._moving.at(time_s) - 0.3) / 2
        warmth = (
            self._temperature_c
            + 0.4 * math.cos(math.tau * (hour - _WARMEST_HOUR) / _DAY_H)
            + 0.25 * effort
            + 0.06 * self._warmth.at(time_s)
        )
        resting_rate = self._resting_rate * (1 - 0.08 * sleep)
        heart = (
            resting_rate
            + 42 * effort
            + _PER_CELSIUS * (warmth - _MEAN_BODY_C)
            + 2.5 * self._heart.at(time_s)
        )
        breaths = self._breaths * (1 - 0.08 * sleep) + 8 * effort + 0.7 * self._lungs.at(time_s)
        saturation = self._saturation - 1.0 * sleep - 0.5 * effort + 0.3 * self._lungs.at(time_s)
        dip = 1 - 0.14 * sleep
        systolic = self._systolic * dip + 22 * effort + 3.5 * self._vessels.at(time_s)
        diastolic = self._diastolic * dip + 6 * effort + 2.2 * self._vessels.at(time_s)
        return Signs(
            heart_rate=min(max(heart, 38.0), 190.0),
            respiratory_rate=min(max(breaths, 8.0), 40.0),
            oxygen_saturation=min(max(saturation, 88.0), 100.0),
            body_temperature=warmth,
            systolic=max(systolic, 80.0),
            diastolic=max(min(diastolic, systolic - 20), 45.0),
            cadence=_MOST_STEPS_MIN * min(1.0, effort * 1.2) if effort > 0.15 else 0.0,  # noqa: PLR2004
        )


def _rises(hour: float, at: float) -> float:
    """Return a step from 0 to 1 at `at`, taking about an hour."""
    return 1 / (1 + math.exp(-(hour - at) * 5))
