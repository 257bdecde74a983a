"""The quantity catalogue."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas import Schema
from core.quantities import Category, Quantity


class Description(Schema):
    """What a quantity measures."""

    en: str = Field(description="In English.")
    fr: str = Field(description="In French.")


class QuantityAnswer(Schema):
    """A quantity that is stored."""

    name: str = Field(description="Canonical name.")
    category: Category = Field(description="The family it belongs to.")
    unit: str = Field(description="UCUM code of the unit of every stored value.")
    type: Literal["float", "boolean"] = Field(description="A boolean is stored as 0 or 1.")
    minimum: float = Field(description="Smallest value accepted, in `unit`.")
    maximum: float = Field(description="Largest value accepted, in `unit`.")
    cumulative: bool = Field(description="True for a counter that grows until it is reset.")
    loinc: list[str] = Field(description="LOINC codes, where there are some.")
    mdc: list[int] = Field(description="IEEE 11073-10101 codes, where there are some.")
    description: Description

    @classmethod
    def of(cls, quantity: Quantity) -> QuantityAnswer:
        """Return what the API says of `quantity`."""
        return cls(
            name=quantity.name,
            category=quantity.category,
            unit=quantity.unit,
            type=quantity.type,
            minimum=quantity.minimum,
            maximum=quantity.maximum,
            cumulative=quantity.cumulative,
            loinc=list(quantity.loinc),
            mdc=list(quantity.mdc),
            description=Description(en=quantity.description, fr=quantity.description_fr),
        )


class QuantitiesAnswer(Schema):
    """The catalogue, or one category of it."""

    quantities: list[QuantityAnswer]


QUANTITIES_EXAMPLE = {
    "quantities": [
        {
            "name": "heart_rate",
            "category": "vital_signs",
            "unit": "/min",
            "type": "float",
            "minimum": 20,
            "maximum": 300,
            "cumulative": False,
            "loinc": ["8867-4"],
            "mdc": [147842, 149530, 149546],
            "description": {"en": "Heart rate", "fr": "Fréquence cardiaque"},
        }
    ]
}
