"""`/v1/alerts/{id}/explain`: why an alert fires."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from api.access.requires import requires
from api.access.visibility import AccessDep
from api.alerting.explanation import explanation
from api.alerting.parameters import (
    AcceptLanguage,
    AlertPath,
    LanguageParameter,
    chosen_language,
)
from api.alerting.rights import AlertRights
from api.documentation import answers
from api.parameters import UTC
from api.routes.alerts import existing_alert, site_zones
from api.schemas.alert_explain import EXPLANATION_EXAMPLE, AlertExplanation
from api.services import Services, ServicesDep
from core.access import Permission

ROUTER = APIRouter(prefix="/v1/alerts", tags=["alerts"])


@ROUTER.get(
    "/{id}/explain",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Explain an alert",
    responses=answers(EXPLANATION_EXAMPLE, "not_found", "store_unavailable"),
)
def explain_alert(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    *,
    id: AlertPath,  # noqa: A002 - the name in the path
    language: LanguageParameter = None,
    accept_language: AcceptLanguage = None,
) -> AlertExplanation:
    """Return the rule in words, the values that decided, those around them, and what muted it."""
    rights = AlertRights(access, services.rules)
    alert = existing_alert(services, rights, id)
    whole: Services = request.app.state.services
    return explanation(
        whole.for_caller(access.also(Permission.READ_READINGS)),
        rights,
        alert,
        language=chosen_language(language, accept_language, response),
        zone=site_zones(services).get(alert.site, UTC),
    )
