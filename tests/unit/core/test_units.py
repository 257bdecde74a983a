from __future__ import annotations

import re
from typing import Any

import pint
import pytest

from core.errors import UnknownQuantityError, UnknownUnitError
from core.quantities import CATALOGUE, Category, quantity
from core.units import conversion, ucum, units

IN_PINT = {
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
    "kvar": "kilovolt_ampere_reactive",
    "d": "day",
    "h": "hour",
    "kn": "knot",
}
"""Units of which pint has another name than UCUM."""
KIND = {"By": "size", "kBy": "size", "deg": "angle"}
"""pint has no dimension for these: it takes a missing unit for a number of radians or bits."""
BY_SUBSTANCE = {"blood_glucose": {"mmol/L"}}
"""Converted by the mass of a mole, of which pint knows nothing."""


def convert(name: str, value: float, unit: str) -> float:
    scale, offset = conversion(name, unit)
    return value * scale + offset


@pytest.mark.parametrize(
    ("name", "value", "unit", "canonical"),
    [
        ("air_temperature", 69.88083514, "°F", (69.88083514 - 32) / 1.8),
        ("air_temperature", 294.15, "K", 21.0),
        ("barometric_pressure", 29.92, "inHg", 1013.21),
        ("energy_imported", 1500, "Wh", 1.5),
        ("blood_glucose", 5.5, "mmol/L", 99.088),
        ("wind_speed", 36, "km/h", 10.0),
        ("carbon_dioxide", 0.04, "%", 400.0),
        ("power_factor", 95, "%", 0.95),
        ("heart_rate", 60, "bpm", 60.0),
        ("mean_blood_pressure", 12, "kPa", 90.007),
    ],
)
def test_a_value_is_brought_to_the_canonical_unit(
    name: str, value: float, unit: str, canonical: float
) -> None:
    assert convert(name, value, unit) == pytest.approx(canonical, rel=1e-4)


def test_fahrenheit_keeps_its_digits() -> None:
    assert convert("air_temperature", 69.88083514, "[degF]") == pytest.approx(
        (69.88083514 - 32) / 1.8, abs=1e-9
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_canonical_unit_is_known_and_converts_to_itself(name: str) -> None:
    assert conversion(name, CATALOGUE[name].unit) == (1.0, 0.0)


def test_a_unit_of_something_else_is_refused() -> None:
    with pytest.raises(UnknownUnitError, match="measured in Cel"):
        conversion("air_temperature", "V")


def test_c_is_celsius_and_never_coulomb() -> None:
    assert ucum("C") == "Cel"
    with pytest.raises(UnknownUnitError):
        conversion("current", "C")


def test_an_unknown_unit_is_refused_with_a_hint() -> None:
    with pytest.raises(UnknownUnitError, match="UCUM"):
        ucum("furlong/fortnight")


def test_an_unknown_quantity_names_the_nearest() -> None:
    with pytest.raises(UnknownQuantityError, match="did you mean air_temperature"):
        quantity("air_temprature")


def test_the_catalogue_covers_every_category_with_sixty_quantities_or_more() -> None:
    assert len(CATALOGUE) >= 60
    assert {entry.category for entry in CATALOGUE.values()} == set(Category)
    for entry in CATALOGUE.values():
        assert entry.minimum < entry.maximum, entry.name
        assert entry.description, entry.name
        assert entry.description_fr, entry.name


@pytest.fixture(scope="module")
def registry() -> Any:
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


@pytest.mark.parametrize("name", {entry.unit: entry.name for entry in CATALOGUE.values()}.values())
def test_every_conversion_is_the_one_of_pint(registry: Any, name: str) -> None:
    canonical = CATALOGUE[name].unit
    for unit in set(units()) - BY_SUBSTANCE.get(name, set()):
        source, target = (registry.Unit(IN_PINT.get(one, one)) for one in (unit, canonical))
        apart = KIND.get(unit) != KIND.get(canonical)
        if source.dimensionality != target.dimensionality or apart:
            with pytest.raises(UnknownUnitError, match=f"measured in {re.escape(canonical)}"):
                conversion(name, unit)
            continue
        for value in (0.0, 1.0, -40.0, 123_456.789):
            expected = registry.Quantity(value, source).to(target).magnitude
            assert convert(name, value, unit) == pytest.approx(expected, rel=1e-9, abs=1e-9)
