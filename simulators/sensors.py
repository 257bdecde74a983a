"""What each kind of device measures: from the simulated world to rounded, noisy readings.

Resolutions and noise are those of common data sheets: BME280 (temperature 0.1 Cel, humidity 1 %),
SCD41 (carbon dioxide 40 ppm + 5 %, here its repeatability of 10 ppm). Meters are in
`simulators.meters`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from simulators.climate import DAY_S
from simulators.meters import PowerMeter, SolarInverter, WaterMeter
from simulators.place import Battery, Sensor, Surroundings, Values

if TYPE_CHECKING:
    from collections.abc import Mapping


class WeatherStation:
    """A station on the roof."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place

    def sample(self, time_s: float) -> Values:
        """Measure the weather."""
        weather, rng = self._place.weather, self._place.rng
        wind = weather.wind_speed(time_s)
        gust = wind * (1.25 + 0.2 * rng.random())
        return {
            "air_temperature": round(weather.temperature(time_s) + rng.gauss(0, 0.1), 1),
            "relative_humidity": round(min(100.0, weather.humidity(time_s) + rng.gauss(0, 0.6)), 1),
            "dew_point": round(weather.dew_point(time_s), 1),
            "barometric_pressure": round(weather.pressure(time_s) + rng.gauss(0, 0.05), 2),
            "wind_speed": round(wind, 1),
            "wind_gust": round(max(gust, wind), 1),
            "wind_direction": float(round(weather.wind_direction(time_s)) % 360),
            "solar_irradiance": round(weather.irradiance(time_s), 1),
        }


class AirStation:
    """A dust and gas station outdoors."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place

    def sample(self, time_s: float) -> Values:
        """Measure dust; PM1 is part of PM2.5, which is part of PM10."""
        weather, rng = self._place.weather, self._place.rng
        fine = weather.fine_dust(time_s) * math.exp(rng.gauss(0, 0.04))
        coarse = fine * (weather.climate.coarse_ratio - 1) * math.exp(rng.gauss(0, 0.1))
        return {
            "particulate_matter_1": round(0.7 * fine, 1),
            "particulate_matter_2_5": round(fine, 1),
            "particulate_matter_10": round(fine + coarse, 1),
            "air_temperature": round(weather.temperature(time_s) + rng.gauss(0, 0.15), 1),
            "relative_humidity": round(min(100.0, weather.humidity(time_s) + rng.gauss(0, 1.0)), 1),
        }


class RoomClimate:
    """A room sensor with carbon dioxide."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place

    def sample(self, time_s: float) -> Values:
        """Measure the room's air."""
        room, rng = self._place.room, self._place.rng
        ppm = room.carbon_dioxide(time_s) + rng.gauss(0, 10)
        return {
            "air_temperature": round(room.temperature(time_s) + rng.gauss(0, 0.05), 2),
            "relative_humidity": round(min(100.0, room.humidity(time_s) + rng.gauss(0, 0.5)), 1),
            "carbon_dioxide": float(round(max(390.0, ppm))),
        }


class Thermometer:
    """A small battery sensor of temperature and humidity."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._battery = Battery(place)

    def sample(self, time_s: float) -> Values:
        """Measure the room's air."""
        room, rng = self._place.room, self._place.rng
        return {
            "air_temperature": round(room.temperature(time_s) + rng.gauss(0, 0.08), 1),
            "relative_humidity": round(min(100.0, room.humidity(time_s) + rng.gauss(0, 0.5)), 1),
            "battery_level": self._battery.level(time_s),
        }


class Motion:
    """A motion sensor: it misses people who sit still, and sees nobody in an empty room."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._battery = Battery(place)

    def sample(self, time_s: float) -> Values:
        """Look for movement."""
        room, rng = self._place.room, self._place.rng
        seen = 1 - 0.3 ** room.people(time_s)
        return {
            "occupancy": rng.random() < seen,
            "illuminance": float(round(room.illuminance(time_s) * math.exp(rng.gauss(0, 0.03)))),
            "battery_level": self._battery.level(time_s),
        }


class Door:
    """A contact: opened when people come and go, seldom left open."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._battery = Battery(place)
        self._people = place.room.people(place.start_s)

    def sample(self, time_s: float) -> Values:
        """Say whether the door is open."""
        people, rng = self._place.room.people(time_s), self._place.rng
        moved = people != self._people
        self._people = people
        stays = 0.06 if people else 0.0
        return {
            "door_open": moved or rng.random() < stays,
            "battery_level": self._battery.level(time_s),
        }


class Monitor:
    """A wearable monitor of vital signs."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._person = place.person()
        self._battery = Battery(place, days=4)
        self._steps = 0.0
        self._last_s = place.start_s
        self._local_day = int(place.room.local_s(place.start_s) // DAY_S)

    def sample(self, time_s: float) -> Values:
        """Measure, and count the steps since local midnight."""
        rng = self._place.rng
        local_s = self._place.room.local_s(time_s)
        signs = self._person.signs(time_s, hour=local_s % DAY_S / 3600)
        day = int(local_s // DAY_S)
        if day != self._local_day:
            self._local_day, self._steps = day, 0.0
        self._steps += signs.cadence * max(0.0, time_s - self._last_s) / 60
        self._last_s = time_s
        return {
            "heart_rate": float(round(signs.heart_rate + rng.gauss(0, 0.8))),
            "oxygen_saturation": float(
                round(min(100.0, signs.oxygen_saturation + rng.gauss(0, 0.3)))
            ),
            "respiratory_rate": float(round(signs.respiratory_rate + rng.gauss(0, 0.4))),
            "body_temperature": round(signs.body_temperature + rng.gauss(0, 0.03), 2),
            "step_count": float(int(self._steps)),
            "battery_level": self._battery.level(time_s),
        }


class Cuff:
    """A blood-pressure cuff: whole mm[Hg], and mean = diastolic + a third of the difference."""

    def __init__(self, place: Surroundings) -> None:
        self._place = place
        self._person = place.person()

    def sample(self, time_s: float) -> Values:
        """Take the blood pressure."""
        rng = self._place.rng
        hour = self._place.room.local_s(time_s) % DAY_S / 3600
        signs = self._person.signs(time_s, hour=hour)
        systolic = round(signs.systolic + rng.gauss(0, 2))
        diastolic = min(round(signs.diastolic + rng.gauss(0, 1.5)), systolic - 15)
        return {
            "systolic_blood_pressure": float(systolic),
            "diastolic_blood_pressure": float(diastolic),
            "mean_blood_pressure": round(diastolic + (systolic - diastolic) / 3, 1),
            "heart_rate": float(round(signs.heart_rate + rng.gauss(0, 1))),
        }


SENSORS: Mapping[str, Callable[[Surroundings], Sensor]] = MappingProxyType(
    {
        "weather_station": WeatherStation,
        "air_station": AirStation,
        "room_climate": RoomClimate,
        "thermometer": Thermometer,
        "motion": Motion,
        "door": Door,
        "power_meter": PowerMeter,
        "solar_inverter": SolarInverter,
        "water_meter": WaterMeter,
        "vital_signs": Monitor,
        "blood_pressure": Cuff,
    }
)
"""Every kind of device, by the name that a scenario gives it."""
