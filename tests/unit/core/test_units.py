from __future__ import annotations

import pytest

from core.errors import UnknownQuantityError, UnknownUnitError
from core.quantities import CATALOGUE, Category, quantity
from core.units import conversion, ucum


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
