"""Units: from what a device declares to the quantity's canonical unit, as `scale` and `offset`.

pint does the algebra when a profile is loaded (or a unit is first seen); the hot path only
multiplies and adds. Devices spell units in their own ways (`°C`, `ppm`, `µg/m³`), UCUM in another
(`Cel`, `[ppm]`, `ug/m3`): both are accepted, and nothing else is guessed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import pint

from core.errors import UnknownUnitError
from core.quantities import quantity

_UCUM_TO_PINT = {
    "1": "dimensionless",
    "Cel": "degC",
    "[degF]": "degF",
    "K": "kelvin",
    "%": "percent",
    "[ppm]": "ppm",
    "[ppb]": "ppb",
    "mm[Hg]": "millimeter_Hg",
    "[pH]": "pH_unit",
    "[NTU]": "NTU",
    "dB": "decibel_level",
    "dB[mW]": "decibel_milliwatt",
    "deg": "degree",
    "kW.h": "kilowatt_hour",
    "W.h": "watt_hour",
    "W/m2": "watt / meter ** 2",
    "ug/m3": "microgram / meter ** 3",
    "mg/m3": "milligram / meter ** 3",
    "Bq/m3": "becquerel / meter ** 3",
    "m3": "meter ** 3",
    "mg/dL": "milligram / deciliter",
    "mg/L": "milligram / liter",
    "mmol/L": "millimole / liter",
    "/min": "1 / minute",
    "L/min": "liter / minute",
    "m3/h": "meter ** 3 / hour",
    "L/h": "liter / hour",
    "uS/cm": "microsiemens / centimeter",
    "By": "byte",
    "kBy": "kilobyte",
    "var": "volt_ampere_reactive",
    "[in_i'Hg]": "inch_Hg",
    "[psi]": "psi",
    "[mi_i]/h": "mile / hour",
    "[lb_av]": "pound",
    "{people}": "people_item",
    "{entries}": "entry_item",
    "{steps}": "step_item",
}

_AS_DEVICES_WRITE = {
    "": "1",
    "°C": "Cel",
    "ºC": "Cel",
    "℃": "Cel",
    "C": "Cel",
    "celsius": "Cel",
    "°F": "[degF]",
    "ºF": "[degF]",
    "℉": "[degF]",
    "F": "[degF]",
    "fahrenheit": "[degF]",
    "%RH": "%",
    "percent": "%",
    "ppm": "[ppm]",
    "ppb": "[ppb]",
    "mmHg": "mm[Hg]",
    "inHg": "[in_i'Hg]",
    "psi": "[psi]",
    "mbar": "hPa",
    "bpm": "/min",
    "1/min": "/min",
    "beats/min": "/min",
    "lux": "lx",
    "dBm": "dB[mW]",
    "dBA": "dB",
    "dB(A)": "dB",
    "°": "deg",
    "kWh": "kW.h",
    "Wh": "W.h",
    "VAr": "var",
    "kvar": "kvar",
    "W/m²": "W/m2",
    "µg/m³": "ug/m3",
    "μg/m³": "ug/m3",
    "µg/m3": "ug/m3",
    "ug/m³": "ug/m3",
    "mg/m³": "mg/m3",
    "Bq/m³": "Bq/m3",
    "m³": "m3",
    "m³/h": "m3/h",
    "l/min": "L/min",
    "l/h": "L/h",
    "l": "L",
    "µS/cm": "uS/cm",
    "μS/cm": "uS/cm",
    "pH": "[pH]",
    "NTU": "[NTU]",
    "km/h": "km/h",
    "mph": "[mi_i]/h",
    "kn": "kn",
    "lb": "[lb_av]",
    "B": "By",
    "kB": "kBy",
    "lqi": "1",
    "people": "{people}",
    "steps": "{steps}",
}

_PLAIN = frozenset(
    "V mV kV A mA W kW MW VA kVA kvar Hz kHz J kJ MJ lx s ms min h d m cm mm km L mL "
    "Pa hPa kPa bar g kg m/s mm/s km/h kn".split()
)
_PINT_NAMES = {"kvar": "kilovolt_ampere_reactive", "d": "day", "h": "hour", "kn": "knot"}

_FAR = 1e6  # a point far from 0, so that an offset unit's scale keeps its digits

_GLUCOSE_MG_DL_PER_MMOL_L = 18.016  # molar mass of glucose, 180.16 g/mol


class Conversion(NamedTuple):
    """Canonical value = value as sent x `scale` + `offset`."""

    scale: float
    offset: float


IDENTITY = Conversion(1.0, 0.0)


@lru_cache(maxsize=1)
def _registry() -> Any:
    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    for definition in (
        "ppb = 1e-9",
        "pH_unit = [acidity]",
        "NTU = [turbidity]",
        "people_item = [people]",
        "entry_item = [entries]",
        "step_item = [steps]",
        "decibel_level = [sound_level]",
        "decibel_milliwatt = [power_level]",
        "volt_ampere_reactive = [reactive_power] = var_unit",
    ):
        registry.define(definition)
    return registry


def ucum(unit: str) -> str:
    """Return the UCUM code for `unit` as a device or a person writes it.

    Raises:
        UnknownUnitError: the unit is not one that Passerelle knows.
    """
    stripped = unit.strip()
    code = _AS_DEVICES_WRITE.get(stripped, stripped)
    if code in _UCUM_TO_PINT or code in _PLAIN:
        return code
    shown = stripped if len(stripped) <= 40 else f"{stripped[:40]}..."  # noqa: PLR2004 - a line
    raise UnknownUnitError(f"unit {shown!r} is not known; use a UCUM code such as Cel, hPa or kW.h")


@lru_cache(maxsize=4096)
def conversion(quantity_name: str, unit: str) -> Conversion:
    """Return how to bring a value in `unit` to the canonical unit of `quantity_name`.

    Raises:
        UnknownQuantityError: no such quantity.
        UnknownUnitError: no such unit, or it does not measure this quantity.
    """
    target = quantity(quantity_name).unit
    source = ucum(unit)
    if source == target:
        return IDENTITY
    if quantity_name == "blood_glucose" and source == "mmol/L":
        return Conversion(_GLUCOSE_MG_DL_PER_MMOL_L, 0.0)
    registry = _registry()
    try:
        zero = registry.Quantity(0.0, _pint_name(source)).to(_pint_name(target)).magnitude
        far = registry.Quantity(_FAR, _pint_name(source)).to(_pint_name(target)).magnitude
    except pint.DimensionalityError:
        raise UnknownUnitError(
            f"{quantity_name} is measured in {target}; {unit!r} cannot be converted to it"
        ) from None
    return Conversion(_tidy((far - zero) / _FAR), _tidy(zero))


def _pint_name(code: str) -> str:
    return _UCUM_TO_PINT.get(code) or _PINT_NAMES.get(code, code)


def _tidy(number: float) -> float:
    """Drop the rounding noise of pint's conversions (14 digits are far beyond any sensor)."""
    return float(f"{number:.14g}")
