"""`/v1/quantities`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.access.requires import requires
from api.documentation import answers
from api.schemas.quantities import QUANTITIES_EXAMPLE, QuantitiesAnswer, QuantityAnswer
from core.access import Permission
from core.quantities import CATALOGUE, Category

ROUTER = APIRouter(prefix="/v1/quantities", tags=["quantities"])


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.USE),
    summary="List the quantities",
    responses=answers(QUANTITIES_EXAMPLE),
)
def list_quantities(
    category: Annotated[
        Category | None, Query(description="Only this category.", examples=["vital_signs"])
    ] = None,
) -> QuantitiesAnswer:
    """Return what is measured: canonical name, unit, accepted range, LOINC and MDC codes."""
    return QuantitiesAnswer(
        quantities=[
            QuantityAnswer.of(entry)
            for entry in CATALOGUE.values()
            if category is None or entry.category == category
        ]
    )
