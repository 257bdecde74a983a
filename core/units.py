"""Units: from what a device declares to the quantity's canonical unit, as `scale` and `offset`.

Devices spell units in their own ways (`°C`, `ppm`, `µg/m³`), UCUM in another (`Cel`, `[ppm]`,
`ug/m3`): both are accepted, and nothing else is guessed. The factors are exact; a test compares
each conversion with pint's (decision 0036).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from core.errors import UnknownUnitError
from core.quantities import quantity


class _Unit(NamedTuple):
    """Value in the kind's base unit = value x `factor` + `offset`."""

    kind: str
    factor: Fraction
    offset: Fraction = Fraction(0)


_KINDS: dict[str, dict[str, str]] = {
    "ratio": {"1": "1", "%": "0.01", "[ppm]": "1e-6", "[ppb]": "1e-9"},
    "temperature": {"K": "1", "Cel": "1", "[degF]": "5/9"},
    "pressure": {
        "Pa": "1", "hPa": "100", "kPa": "1000", "bar": "100000", "mm[Hg]": "133.322387415",
        "[in_i'Hg]": "3386.388640341", "[psi]": "6894.757293168361",
    },
    "length": {"m": "1", "cm": "0.01", "mm": "0.001", "km": "1000"},
    "speed": {
        "m/s": "1", "mm/s": "0.001", "km/h": "10/36", "kn": "1852/3600", "[mi_i]/h": "0.44704",
    },
    "volume": {"m3": "1", "L": "0.001", "mL": "1e-6"},
    "flow": {"m3/h": "1", "L/h": "0.001", "L/min": "0.06"},
    "mass": {"kg": "1", "g": "0.001", "[lb_av]": "0.45359237"},
    "time": {"s": "1", "ms": "0.001", "min": "60", "h": "3600", "d": "86400"},
    "frequency": {"Hz": "1", "kHz": "1000", "/min": "1/60"},
    "voltage": {"V": "1", "mV": "0.001", "kV": "1000"},
    "current": {"A": "1", "mA": "0.001"},
    "power": {"W": "1", "kW": "1000", "MW": "1000000", "VA": "1", "kVA": "1000"},
    "reactive power": {"var": "1", "kvar": "1000"},
    "energy": {"J": "1", "kJ": "1000", "MJ": "1000000", "W.h": "3600", "kW.h": "3600000"},
    "mass concentration": {"ug/m3": "1", "mg/m3": "1000", "mg/L": "1000000", "mg/dL": "10000000"},
    "size": {"By": "1", "kBy": "1000"},
}  # fmt: skip
"""Units of a kind, with how many of its first one each is: UCUM 2.1; millimetre of mercury and what
is derived of it by the density of mercury of 13.5951 g/cm3 and the standard gravity."""

_ALONE = (
    "deg", "dB", "dB[mW]", "lx", "W/m2", "Bq/m3", "uS/cm", "mmol/L", "[pH]", "[NTU]", "{people}",
    "{entries}", "{steps}",
)  # fmt: skip
"""Units that are converted into no other."""

_OFFSETS = {"Cel": "273.15", "[degF]": "459.67"}
"""Zero of a scale: kelvins below it, in its own degrees."""

_UNITS = {
    code: _Unit(kind, Fraction(factor), Fraction(_OFFSETS.get(code, 0)) * Fraction(factor))
    for kind, units in _KINDS.items()
    for code, factor in units.items()
} | {code: _Unit(code, Fraction(1)) for code in _ALONE}

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

_GLUCOSE_MG_DL_PER_MMOL_L = 18.016  # molar mass of glucose, 180.16 g/mol


class Conversion(NamedTuple):
    """Canonical value = value as sent x `scale` + `offset`."""

    scale: float
    offset: float


IDENTITY = Conversion(1.0, 0.0)


def units() -> tuple[str, ...]:
    """Return the UCUM code of every unit that is known."""
    return tuple(_UNITS)


def ucum(unit: str) -> str:
    """Return the UCUM code for `unit` as a device or a person writes it.

    Raises:
        UnknownUnitError: the unit is not one that Passerelle knows.
    """
    stripped = unit.strip()
    code = _AS_DEVICES_WRITE.get(stripped, stripped)
    if code in _UNITS:
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
    canonical = quantity(quantity_name).unit
    code = ucum(unit)
    if code == canonical:
        return IDENTITY
    if quantity_name == "blood_glucose" and code == "mmol/L":
        return Conversion(_GLUCOSE_MG_DL_PER_MMOL_L, 0.0)
    source, target = _UNITS[code], _UNITS[canonical]
    if source.kind != target.kind:
        raise UnknownUnitError(
            f"{quantity_name} is measured in {canonical}; {unit!r} cannot be converted to it"
        )
    return Conversion(
        float(source.factor / target.factor),
        float((source.offset - target.offset) / target.factor),
    )
