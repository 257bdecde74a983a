"""The weather outdoors: daily and seasonal cycles of a city, as pure functions of time.

Sources: monthly normals of temperature and humidity of Tunis-Carthage (Met Office, Tunis weather
averages; daily maxima 15.7 in January to 32.7 Cel in August, humidity 76 % to 57 %) and of
Dakar-Yoff (daily minima and maxima 17.0 to 24.6 in February, 24.4 to 30.4 Cel in September;
humidity 66 % in December to 81 % in September), each reduced to one annual harmonic. Saturation
vapour pressure: Alduchov and Eskridge, J. Appl. Meteor. 35 (1996) 601. Clear-sky irradiance:
Haurwitz 1945, as given by Reno, Hansen and Stein, SAND2012-2389. Declination of the sun: Cooper,
Solar Energy 12 (1969) 333. Twice-daily atmospheric tide: Chapman and Lindzen 1970.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from simulators.streams import SmoothNoise, stream

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY_S = 86_400
_YEAR_DAYS = 365.2425
_WARMEST_SOLAR_HOUR = 14.5
_MAGNUS_A, _MAGNUS_B = 17.625, 243.04


class Climate(BaseModel):
    """What makes one city's weather."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    mean_c: float = Field(description="Annual mean air temperature, Cel.")
    annual_amplitude_c: float = Field(ge=0, description="Half the annual range, Cel.")
    warmest_day: float = Field(ge=1, le=366, description="Day of the year of the maximum.")
    daily_amplitude_c: float = Field(ge=0, description="Half the mean daily range, Cel.")
    dew_point_mean_c: float = Field(description="Annual mean dew point, Cel.")
    dew_point_amplitude_c: float = Field(ge=0, description="Half its annual range, Cel.")
    dew_point_day: float = Field(ge=1, le=366, description="Day of the year of its maximum.")
    weather_sd_c: float = Field(ge=0, description="Spread of the days around the cycle, Cel.")
    pressure_hpa: float = Field(ge=850, le=1100, description="Mean sea-level pressure, hPa.")
    pressure_sd_hpa: float = Field(ge=0, description="Its spread, hPa.")
    wind_m_s: float = Field(gt=0, description="Mean wind speed, m/s.")
    wind_from_deg: float = Field(ge=0, lt=360, description="Prevailing wind direction, degrees.")
    fine_dust_ug_m3: float = Field(gt=0, description="Typical PM2.5, ug/m3.")
    coarse_ratio: float = Field(gt=1, description="PM10 divided by PM2.5: dust from the desert.")
    elevation_m: float = Field(ge=-430, le=9000, description="Height above the sea, metres.")


CLIMATES: Mapping[str, Climate] = MappingProxyType(
    {
        "tunis": Climate(
            mean_c=18.9,
            annual_amplitude_c=8.0,
            warmest_day=215,
            daily_amplitude_c=5.0,
            dew_point_mean_c=12.6,
            dew_point_amplitude_c=5.6,
            dew_point_day=222,
            weather_sd_c=1.8,
            pressure_hpa=1016.5,
            pressure_sd_hpa=5.0,
            wind_m_s=4.1,
            wind_from_deg=320,
            fine_dust_ug_m3=22,
            coarse_ratio=2.1,
            elevation_m=12,
        ),
        "dakar": Climate(
            mean_c=24.3,
            annual_amplitude_c=3.4,
            warmest_day=253,
            daily_amplitude_c=3.3,
            dew_point_mean_c=19.3,
            dew_point_amplitude_c=4.0,
            dew_point_day=243,
            weather_sd_c=1.0,
            pressure_hpa=1012.5,
            pressure_sd_hpa=1.5,
            wind_m_s=4.6,
            wind_from_deg=350,
            fine_dust_ug_m3=32,
            coarse_ratio=3.2,
            elevation_m=35,
        ),
    }
)
"""Climates that a scenario may name."""


def vapour_pressure_hpa(temperature_c: float) -> float:
    """Return the saturation vapour pressure over water, hPa."""
    return 6.1094 * math.exp(_MAGNUS_A * temperature_c / (_MAGNUS_B + temperature_c))


def humidity_percent(temperature_c: float, dew_point_c: float) -> float:
    """Return relative humidity, %, never more than 100."""
    return min(100.0, 100 * vapour_pressure_hpa(dew_point_c) / vapour_pressure_hpa(temperature_c))


class Weather:
    """The weather over one site, the same for every device there.

    Every method takes seconds since the epoch and may be called in any order.

    Args:
        climate: the city's.
        latitude: degrees north.
        longitude: degrees east.
        seed: the scenario's seed.
        site: site slug, which names the stream.
    """

    def __init__(
        self, climate: Climate, *, latitude: float, longitude: float, seed: int, site: str
    ) -> None:
        self.climate = climate
        self._latitude = math.radians(latitude)
        self._longitude = longitude

        def noise(name: str, shortest_h: float, longest_h: float) -> SmoothNoise:
            return SmoothNoise(
                stream(seed, "weather", site, name),
                shortest_s=shortest_h * 3600,
                longest_s=longest_h * 3600,
            )

        self._fronts = noise("fronts", 60, 400)
        self._air_mass = noise("air mass", 40, 300)
        self._clouds = noise("clouds", 0.4, 60)
        self._highs = noise("highs", 70, 500)
        self._wind = noise("wind", 0.2, 50)
        self._veering = noise("veering", 1, 90)
        self._dust = noise("dust", 8, 300)

    def _season(self, time_s: float, peak_day: float) -> float:
        days = time_s / DAY_S
        # 1970-01-01 is day 1 of a year; the calendar drifts by less than a day from this
        return math.cos(math.tau * (days + 1 - peak_day) / _YEAR_DAYS)

    def solar_hour(self, time_s: float) -> float:
        """Return the mean solar time at the site, hours 0..24."""
        return (time_s / 3600 + self._longitude / 15) % 24

    def temperature(self, time_s: float) -> float:
        """Return the air temperature, Cel."""
        c = self.climate
        hour = self.solar_hour(time_s) - _WARMEST_SOLAR_HOUR
        return (
            c.mean_c
            + c.annual_amplitude_c * self._season(time_s, c.warmest_day)
            + c.daily_amplitude_c * math.cos(math.tau * hour / 24)
            + c.weather_sd_c * self._fronts.at(time_s)
        )

    def dew_point(self, time_s: float) -> float:
        """Return the dew point, Cel: it follows the air mass, not the hour, and never exceeds T."""
        c = self.climate
        told = (
            c.dew_point_mean_c
            + c.dew_point_amplitude_c * self._season(time_s, c.dew_point_day)
            + c.weather_sd_c * self._air_mass.at(time_s)
        )
        return min(told, self.temperature(time_s) - 0.2)

    def humidity(self, time_s: float) -> float:
        """Return relative humidity, %: high in the cool of the night, low in the afternoon."""
        return humidity_percent(self.temperature(time_s), self.dew_point(time_s))

    def sea_level_pressure(self, time_s: float) -> float:
        """Return the pressure reduced to sea level, hPa, with its twice-daily tide of 1 hPa."""
        c = self.climate
        tide = math.cos(math.tau * (self.solar_hour(time_s) - 10) / 12)
        return c.pressure_hpa + c.pressure_sd_hpa * self._highs.at(time_s) + tide

    def pressure(self, time_s: float) -> float:
        """Return the pressure at the site, hPa (scale height of the standard atmosphere)."""
        return self.sea_level_pressure(time_s) * math.exp(-self.climate.elevation_m / 8434.5)

    def sun_height(self, time_s: float) -> float:
        """Return the sine of the sun's elevation, negative at night."""
        day = time_s / DAY_S % _YEAR_DAYS + 1
        declination = math.radians(23.45) * math.sin(math.tau * (284 + day) / 365)
        hour_angle = math.tau * (self.solar_hour(time_s) - 12) / 24
        return math.sin(self._latitude) * math.sin(declination) + math.cos(
            self._latitude
        ) * math.cos(declination) * math.cos(hour_angle)

    def irradiance(self, time_s: float) -> float:
        """Return global horizontal irradiance, W/m2; 0 at night."""
        height = self.sun_height(time_s)
        if height <= 0.01:  # noqa: PLR2004 - half a degree: nothing measurable below
            return 0.0
        clear = 1098 * height * math.exp(-0.057 / height)
        cover = 1 / (1 + math.exp(-1.6 * self._clouds.at(time_s) + 1.2))
        return clear * (1 - 0.72 * cover)

    def illuminance(self, time_s: float) -> float:
        """Return outdoor illuminance, lx, at 115 lm/W (Littlefair, LR&T 17 (1985) 162)."""
        return 115 * self.irradiance(time_s)

    def wind_speed(self, time_s: float) -> float:
        """Return the mean wind, m/s: stronger in the afternoon."""
        sun = 1 + 0.25 * math.cos(math.tau * (self.solar_hour(time_s) - 15) / 24)
        return self.climate.wind_m_s * sun * math.exp(0.45 * self._wind.at(time_s) - 0.1)

    def wind_direction(self, time_s: float) -> float:
        """Return where the wind comes from, degrees, 0 <= d < 360."""
        return (self.climate.wind_from_deg + 38 * self._veering.at(time_s)) % 360

    def fine_dust(self, time_s: float) -> float:
        """Return PM2.5, ug/m3: log-normal, with rush hours at 8 and 19 h."""
        hour = self.solar_hour(time_s)
        rush = sum(math.exp(-(((hour - at) / 1.8) ** 2)) for at in (8, 19))
        return (
            self.climate.fine_dust_ug_m3
            * math.exp(0.45 * self._dust.at(time_s) - 0.1)
            * (0.85 + 0.45 * rush)
        )
