"""`/metrics`."""

from __future__ import annotations

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.access.requires import requires
from api.documentation import answers
from api.services import ServicesDep
from core.access import Permission
from core.metrics import PROCESS_REGISTRY

ROUTER = APIRouter(tags=["health"])

_EXAMPLE = 'passerelle_api_requests_total{method="GET",route="/v1/sites",status="200"} 3.0\n'
_RESPONSES = answers(None)
_RESPONSES[200] = {
    "description": "Prometheus text format.",
    "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
}


@ROUTER.get(
    "/metrics",
    openapi_extra=requires(Permission.READ_METRICS),
    summary="Metrics for Prometheus",
    response_class=Response,
    responses=_RESPONSES,
)
def metrics(services: ServicesDep) -> Response:
    """Return this process's metrics; a scraper sends the key as a bearer token."""
    own = services.metrics.registry
    text = generate_latest(own)
    if own is not PROCESS_REGISTRY:
        text += generate_latest(PROCESS_REGISTRY)
    return Response(text, media_type=CONTENT_TYPE_LATEST)
