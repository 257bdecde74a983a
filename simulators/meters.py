"""Meters of energy and water, whose counters agree with what they measured.

Energy is the integral (trapezoid rule) of the power that the meter itself reported, volume that of
its flow. Mains: 230 V and 50 Hz in both countries (EN 50160); class 1 meters (EN 62053-21).
"""

from __future__ import annotations

import math

from simulators.climate import DAY_S
from simulators.place import Surroundings, Values

_INSTALLED_S = 1_704_067_200  # 2024-01-01: meters have counted since then
_J_PER_KWH = 3.6e6


class PowerMeter:
    """A plug or sub-meter on the room's circuit; its counters agree with its power."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._factor = place.rng.uniform(0.88, 0.97)
        self._last: tuple[float, float] | None = None
        mean_w = 60.0 + 45.0 * place.room.capacity
        since_s = max(0.0, place.start_s - _INSTALLED_S)
        self._total_j = round(mean_w * since_s / _J_PER_KWH, 3) * _J_PER_KWH
        self._local_day = int(place.room.local_s(place.start_s) // DAY_S)
        today_s = place.room.local_s(place.start_s) % DAY_S
        self._today_j = round(mean_w * today_s / _J_PER_KWH, 3) * _J_PER_KWH
        self._yesterday_j = round(mean_w * DAY_S / _J_PER_KWH, 3) * _J_PER_KWH

    def sample(self, time_s: float) -> Values:
        """Measure, and count what passed since the last time."""
        room, rng = self._place.room, self._place.rng
        evening = math.cos(math.tau * (room.local_s(time_s) % DAY_S / 3600 - 20) / 24)
        volts = round(231.0 - 2.5 * evening + rng.gauss(0, 0.8), 1)
        power = round(max(0.5, room.electric_power(time_s) * (1 + rng.gauss(0, 0.01))), 1)
        self._count(time_s, power)
        apparent = power / self._factor
        return {
            "voltage": volts,
            "current": round(apparent / volts, 3),
            "active_power": power,
            "apparent_power": round(apparent, 1),
            "reactive_power": round(math.sqrt(apparent**2 - power**2), 1),
            "power_factor": round(self._factor, 2),
            "energy_imported": round(self._total_j / _J_PER_KWH, 6),
            "energy_today": round(self._today_j / _J_PER_KWH, 6),
            "energy_yesterday": round(self._yesterday_j / _J_PER_KWH, 6),
        }

    def _count(self, time_s: float, power: float) -> None:
        if self._last is not None:
            then, power_then = self._last
            added = (time_s - then) * (power + power_then) / 2
            self._total_j += added
            day = int(self._place.room.local_s(time_s) // DAY_S)
            if day != self._local_day:
                self._yesterday_j, self._today_j = self._today_j, 0.0
                self._local_day = day
            self._today_j += added
        self._last = (time_s, power)


class SolarInverter:
    """Panels on the roof: power follows the sun, less what heat takes (0.4 % a Cel, IEC 61215)."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._peak_w = 1000.0 * place.rng.randint(3, 12)
        self._last: tuple[float, float] | None = None
        since_days = max(0.0, (place.start_s - _INSTALLED_S) / DAY_S)
        self._exported_j = round(self._peak_w / 1000 * 4.2 * since_days, 3) * _J_PER_KWH

    def sample(self, time_s: float) -> Values:
        """Measure what the panels give."""
        weather, rng = self._place.weather, self._place.rng
        sun = weather.irradiance(time_s)
        cell_c = weather.temperature(time_s) + 0.03 * sun
        ratio = 0.92 * (1 - 0.004 * (cell_c - 25)) * (1 + rng.gauss(0, 0.01))
        power = round(min(self._peak_w, self._peak_w * sun / 1000 * ratio), 1)
        if self._last is not None:
            then, power_then = self._last
            self._exported_j += (time_s - then) * (power + power_then) / 2
        self._last = (time_s, power)
        return {
            "solar_power": power,
            "energy_exported": round(self._exported_j / _J_PER_KWH, 6),
            "device_temperature": round(cell_c + 4 + rng.gauss(0, 0.3), 1),
        }


class WaterMeter:
    """A pulse meter: taps are opened while people are there, 45 L a person and day (CIBSE G)."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._last: tuple[float, float] | None = None
        days = max(0.0, (place.start_s - _INSTALLED_S) / DAY_S)
        self._litres = float(round(days * 30 * place.room.capacity))

    def sample(self, time_s: float) -> Values:
        """Measure the flow, and count what passed since the last time."""
        room, rng = self._place.room, self._place.rng
        drawn = room.people(time_s) * 0.9 > rng.random() * 18
        flow = round(rng.uniform(2.5, 7.5), 1) if drawn else 0.0
        if self._last is not None:
            then, flow_then = self._last
            self._litres += (time_s - then) / 60 * (flow + flow_then) / 2
        self._last = (time_s, flow)
        ground_c = 0.6 * room.weather.climate.mean_c + 0.4 * room.weather.temperature(time_s) * 0.9
        return {
            "water_flow": flow,
            "water_volume": round(self._litres / 1000, 6),
            "water_temperature": round(ground_c + rng.gauss(0, 0.1), 1),
        }
