"""Rooms: who is there, the carbon dioxide they breathe out, the warmth and the light.

Pure functions of time, so that every device of a room sees the same people. Sources: carbon
dioxide per person at desk work 0.0052 L/s, 18.7 L/h (Persily and de Jonge, Indoor Air 27 (2017)
868); outdoor air 425 ppm (NOAA Global Monitoring Laboratory, 2025); one well-mixed zone, solved
exactly between two changes of occupancy (ASTM D6245); 500 lx on an office desk (EN 12464-1);
heat of a seated person 75 W (ISO 7730).
"""

from __future__ import annotations

import bisect
import math
import random
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from simulators.climate import DAY_S, Weather, humidity_percent
from simulators.streams import SmoothNoise, stream

Use = Literal["office", "home"]

OUTDOOR_CO2_PPM = 425.0
CO2_M3_PER_PERSON_H = 0.0187
_DAYS_KEPT = 4
_WORKING_DAYS = 5
_COMFORT_C = 24.5
_NIGHT_ENDS_H, _NIGHT_BEGINS_H = 6.5, 23.0


class _Day(msgspec.Struct, frozen=True):
    starts: tuple[float, ...]  # local seconds of the day
    people: tuple[int, ...]
    co2_ppm: tuple[float, ...]  # at each start


class Room:
    """One room of a building.

    Args:
        site: site slug.
        building: building name.
        zone: room name.
        use: `office` is occupied by day on working days, `home` by night and at weekends.
        time_zone: where its clocks are.
        weather: outdoors.
        seed: the scenario's seed.
    """

    def __init__(
        self,
        *,
        site: str,
        building: str,
        zone: str,
        use: Use,
        time_zone: ZoneInfo,
        weather: Weather,
        seed: int,
    ) -> None:
        self._names = (site, building, zone)
        self._seed = seed
        self._use = use
        self._time_zone = time_zone
        self.weather = weather
        rng = stream(seed, "room", *self._names)
        self.capacity = rng.randint(2, 6) if use == "office" else rng.randint(2, 5)
        self.volume_m3 = self.capacity * rng.uniform(24, 40)
        self.air_changes_per_h = rng.uniform(0.8, 2.2)
        self.daylight_factor = rng.uniform(0.01, 0.04)
        self._warmer_c = rng.uniform(-0.8, 0.8)
        self._draughts = SmoothNoise(
            stream(seed, "room", *self._names, "draughts"), shortest_s=1800, longest_s=40_000
        )
        self._days: OrderedDict[int, _Day] = OrderedDict()
        self._felt = (math.nan, 0.0)  # the instant last asked for, and its temperature
        self._offset_hour = -1
        self._offset_s = 0.0

    def local_s(self, time_s: float) -> float:
        """Return the civil time as seconds since 1970-01-01 00:00 of the site."""
        hour = int(time_s // 3600)
        if hour != self._offset_hour:
            self._offset_hour = hour
            offset = datetime.fromtimestamp(hour * 3600, UTC).astimezone(self._time_zone)
            self._offset_s = offset.utcoffset().total_seconds()  # type: ignore[union-attr]
        return time_s + self._offset_s

    def people(self, time_s: float) -> int:
        """Return how many people are in the room."""
        day, at = divmod(self.local_s(time_s), DAY_S)
        plan = self._day(int(day))
        return plan.people[bisect.bisect_right(plan.starts, at) - 1]

    def carbon_dioxide(self, time_s: float) -> float:
        """Return the concentration, ppm: mass balance of breath and of air changes."""
        day, at = divmod(self.local_s(time_s), DAY_S)
        plan = self._day(int(day))
        index = bisect.bisect_right(plan.starts, at) - 1
        return self._decay(plan.co2_ppm[index], plan.people[index], at - plan.starts[index])

    def equilibrium_ppm(self, people: int) -> float:
        """Return the concentration that `people` would bring about in the end, ppm."""
        fresh_m3_h = self.air_changes_per_h * self.volume_m3
        return OUTDOOR_CO2_PPM + 1e6 * people * CO2_M3_PER_PERSON_H / fresh_m3_h

    def temperature(self, time_s: float) -> float:
        """Return the air temperature, Cel: a third of the outdoor swing, air-conditioned."""
        if time_s == self._felt[0]:
            return self._felt[1]
        outdoor = self.weather.temperature(time_s - 2 * 3600)
        people = self.people(time_s)
        free = _COMFORT_C + 0.35 * (outdoor - _COMFORT_C) + 0.12 * people
        held = _COMFORT_C + 0.12 * (free - _COMFORT_C) if people else free
        felt = held + self._warmer_c + 0.25 * self._draughts.at(time_s)
        self._felt = (time_s, felt)
        return felt

    def humidity(self, time_s: float) -> float:
        """Return relative humidity, %: outdoor vapour, plus what people breathe out."""
        dew_point = self.weather.dew_point(time_s) + 0.15 * self.people(time_s)
        return max(8.0, humidity_percent(self.temperature(time_s), dew_point))

    def illuminance(self, time_s: float) -> float:
        """Return the light on a desk, lx: daylight, plus lamps while somebody is awake there."""
        daylight = self.daylight_factor * self.weather.illuminance(time_s)
        lamps = 0.0
        if self.people(time_s) and daylight < 500 and self._awake(time_s):  # noqa: PLR2004
            lamps = 500.0 if self._use == "office" else 150.0
        return daylight + lamps

    def electric_power(self, time_s: float) -> float:
        """Return the room's load, W: standby, 85 W a working place, lamps, air-conditioning.

        Air-conditioning takes what the room has to be cooled by, at a coefficient of performance
        of 3; loads per place as in CIBSE Guide F.
        """
        people = self.people(time_s)
        power = 18.0 + 4.0 * self.capacity
        if people:
            if self._awake(time_s):
                power += 85.0 * people
            if self.illuminance(time_s) >= 150:  # noqa: PLR2004 - somebody sees without lamps
                power += 2.2 * self.volume_m3 / 2.8
            excess = max(0.0, self.weather.temperature(time_s) - _COMFORT_C)
            power += excess * 14.0 * self.capacity
        return power * (1 + 0.06 * self._draughts.at(time_s * 3))

    def _awake(self, time_s: float) -> bool:
        hour = self.local_s(time_s) % DAY_S / 3600
        return self._use == "office" or _NIGHT_ENDS_H <= hour < _NIGHT_BEGINS_H

    def _decay(self, start_ppm: float, people: int, seconds: float) -> float:
        target = self.equilibrium_ppm(people)
        rate = math.exp(-self.air_changes_per_h * seconds / 3600)
        return target + (start_ppm - target) * rate

    def _day(self, day: int) -> _Day:
        found = self._days.get(day)
        if found is None:
            found = self._with_co2(day, self._plan(day))
            self._days[day] = found
            while len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        return found

    def _with_co2(self, day: int, plan: list[tuple[float, int]]) -> _Day:
        # the day before, begun at outdoor air, settles what is in the room at midnight: always
        # computed, never taken from what was asked before, so that the order does not matter
        _, level = self._integrate(self._plan(day - 1), OUTDOOR_CO2_PPM)
        levels, _ = self._integrate(plan, level)
        return _Day(tuple(at for at, _ in plan), tuple(n for _, n in plan), tuple(levels))

    def _integrate(self, plan: list[tuple[float, int]], level: float) -> tuple[list[float], float]:
        levels = []
        ends = [at for at, _ in plan[1:]] + [float(DAY_S)]
        for (start, people), end in zip(plan, ends, strict=True):
            levels.append(level)
            level = self._decay(level, people, end - start)
        return levels, level

    def _plan(self, day: int) -> list[tuple[float, int]]:
        """Return (second of the day, people from then on), the first at 0."""
        rng = stream(self._seed, "room", *self._names, "day", str(day))
        working = (day + 3) % 7 < _WORKING_DAYS  # 1970-01-01 was a Thursday
        changes: list[tuple[float, int]] = []
        present = 0
        for _ in range(self.capacity):
            stays = _office_day(rng, working) if self._use == "office" else _home_day(rng, working)
            for begin, end in stays:
                if begin <= 0:
                    present += 1
                else:
                    changes.append((begin, 1))
                if end < DAY_S:
                    changes.append((end, -1))
        plan = [(0.0, present)]
        for at, change in sorted(changes):
            present += change
            plan.append((at, present))
        return plan


def _office_day(rng: random.Random, working: bool) -> list[tuple[float, float]]:  # noqa: FBT001
    """Return when one person is in, seconds of the day: until lunch, and after."""
    comes = rng.random() < (0.86 if working else 0.03)
    arrives = min(max(rng.gauss(8.5, 0.5), 6.0), 11.0)
    lunch = min(max(rng.gauss(12.6, 0.3), 11.5), 13.6)
    back = lunch + min(max(rng.gauss(1.0, 0.2), 0.4), 1.6)
    leaves = max(rng.gauss(17.5, 0.7), back + 0.5)
    if not comes:
        return []
    return [(arrives * 3600, lunch * 3600), (back * 3600, min(leaves, 21.0) * 3600)]


def _home_day(rng: random.Random, working: bool) -> list[tuple[float, float]]:  # noqa: FBT001
    """Return when one person is at home, seconds of the day: at night, and in the evening."""
    out = rng.random() < (0.88 if working else 0.55)
    leaves = rng.gauss(7.7, 0.5) if working else rng.gauss(10.5, 1.2)
    returns = rng.gauss(17.8, 0.9) if working else rng.gauss(16.0, 1.5)
    if not out:
        return [(0.0, float(DAY_S))]
    leaves = min(max(leaves, 5.0), 13.0)
    returns = min(max(returns, leaves + 1.0), 22.5)
    return [(0.0, leaves * 3600), (returns * 3600, float(DAY_S))]
