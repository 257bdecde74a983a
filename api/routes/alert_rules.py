"""`/v1/alert-rules`: what raises an alert; every change is a new version, with who and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request, Response

from api.access.requires import requires
from api.access.visibility import Access, AccessDep
from api.alerting.parameters import SEVERAL, ReasonParameter, RulePath
from api.alerting.rights import AlertRights
from api.alerting.rule_changes import (
    Written,
    check_replaces,
    drafted,
    existing_rule,
    keep_rule,
    newest_of,
    read_rule,
    tagged_answer,
    wanted_of,
    written,
)
from api.alerting.rule_check import checked_rule
from api.alerting.rule_documentation import (
    ETAG,
    IF_MATCH,
    IF_NONE_MATCH,
    REMOVE,
    WRITE,
    bodies,
    needs,
    tagged,
)
from api.alerting.rule_rights import check_manages, rule_answer, sees_all, sees_rule
from api.documentation import answers
from api.problems import InvalidParameterError
from api.schemas.alert_rules import (
    CHECK_EXAMPLE,
    REASON_EXAMPLE,
    RULE_EXAMPLE,
    RULE_ORDER_EXAMPLE,
    RULES_EXAMPLE,
    VERSIONS_EXAMPLE,
    ReasonOrder,
    RuleAnswer,
    RuleCheck,
    RuleDraft,
    RuleOrder,
    RulesAnswer,
    RuleVersionAnswer,
    RuleVersionsAnswer,
)
from api.services import Services, ServicesDep
from core.access import Permission
from devices.registry.alert_records import RuleState, RuleVersion
from devices.registry.rules import unknown_rule

ROUTER = APIRouter(prefix="/v1/alert-rules", tags=["alerts"])


@ROUTER.get(
    "",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="List alert rules",
    responses=answers(RULES_EXAMPLE),
)
def list_rules(
    services: ServicesDep,
    access: AccessDep,
    *,
    state: Annotated[
        list[RuleState] | None,
        Query(
            description="Only these states, repeated or comma-separated; default: active and "
            "disabled.",
            max_length=3,
            examples=[["active"]],
        ),
        SEVERAL,
    ] = None,
) -> RulesAnswer:
    """Return the newest version of every rule that works where the caller may read alerts."""
    rights = AlertRights(access, services.rules)
    states = tuple(state or (RuleState.ACTIVE, RuleState.DISABLED))
    found = []
    for version in services.registry.rules.newest(states=states):
        rule = services.rules.parsed(version)
        if sees_rule(services, rights, rule):
            found.append(rule_answer(services, rights, version, rule))
    return RulesAnswer(rules=found)


@ROUTER.post(
    "/check",
    openapi_extra=needs(
        Permission.MANAGE_RULES, **bodies(RuleDraft, {"source": RULE_ORDER_EXAMPLE["source"]})
    ),
    summary="Look what a rule would do",
    responses=answers(CHECK_EXAMPLE, "bad_request", "invalid_rule", "body_too_large"),
)
def check_rule(
    services: ServicesDep,
    access: AccessDep,
    draft: Annotated[Written, Depends(drafted)],
) -> RuleCheck:
    """Read a rule, keep nothing, and say which devices it would look at and what seems wrong."""
    return checked_rule(services, AlertRights(access, services.rules), read_rule(draft.source))


@ROUTER.get(
    "/{name}",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="Show an alert rule",
    responses=tagged(answers(RULE_EXAMPLE, "not_found")),
)
def show_rule(
    services: ServicesDep, access: AccessDep, response: Response, name: RulePath
) -> RuleAnswer:
    """Return the newest version of a rule."""
    rights = AlertRights(access, services.rules)
    return tagged_answer(services, rights, response, existing_rule(services, rights, name))


@ROUTER.get(
    "/{name}/versions",
    openapi_extra=requires(Permission.READ_ALERTS),
    summary="List the versions of an alert rule",
    responses=answers(VERSIONS_EXAMPLE, "not_found"),
)
def list_versions(services: ServicesDep, access: AccessDep, name: RulePath) -> RuleVersionsAnswer:
    """Return every version of a rule, the newest first, also of one that was deleted."""
    rights = AlertRights(access, services.rules)
    found = []
    for version in services.registry.rules.versions(name):
        rule = services.rules.parsed(version)
        if sees_rule(services, rights, rule):
            source = version.source if sees_all(rights, rule) else None
            found.append(RuleVersionAnswer.of(version, source=source))
    if not found:
        access.trail.hidden = f"rule {name}"
        raise unknown_rule(name)
    return RuleVersionsAnswer(name=name, versions=found)


_PUT_RESPONSES = {
    **tagged(answers(RULE_EXAMPLE, *WRITE)),
    201: {
        "description": "There was none of that name.",
        "model": RuleAnswer,
        "headers": ETAG,
        "content": {"application/json": {"example": RULE_EXAMPLE}},
    },
}


@ROUTER.put(
    "/{name}",
    openapi_extra=needs(
        Permission.MANAGE_RULES,
        IF_MATCH,
        IF_NONE_MATCH,
        **bodies(RuleOrder, RULE_ORDER_EXAMPLE),
    ),
    summary="Write an alert rule",
    responses=_PUT_RESPONSES,
)
def put_rule(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    *,
    name: RulePath,
    draft: Annotated[Written, Depends(written)],
    reason: Annotated[
        str | None,
        Query(
            description="Why, where the body is YAML.",
            max_length=2000,
            examples=["the new rack runs warmer"],
        ),
    ] = None,
) -> RuleAnswer:
    """Keep a rule as its next version; at work within seconds.

    The body is JSON with the YAML text in it, or the YAML itself with `reason` as a parameter.
    """
    del reason  # `written` took it
    rights = AlertRights(access, services.rules)
    rule = read_rule(draft.source, name=name)
    check_manages(rights, rule)
    if not draft.reason.strip():
        raise InvalidParameterError("reason", "is required: say why")
    if draft.state is RuleState.DELETED:
        raise InvalidParameterError("state", "use DELETE to delete a rule", location="body")
    before = newest_of(services, name)
    check_replaces(rights, before)
    made = keep_rule(
        request,
        services,
        rights,
        name,
        written=draft,
        wanted=wanted_of(request),
        before=before,
        what="written",
    )
    new = before is None or before.state == RuleState.DELETED
    response.status_code = 201 if new else 200
    return tagged_answer(services, rights, response, made)


@ROUTER.delete(
    "/{name}",
    status_code=204,
    openapi_extra=needs(Permission.MANAGE_RULES, IF_MATCH),
    summary="Delete an alert rule",
    responses={key: said for key, said in answers(None, *REMOVE).items() if key != 200},  # noqa: PLR2004
)
def delete_rule(
    request: Request,
    services: ServicesDep,
    access: AccessDep,
    name: RulePath,
    *,
    reason: ReasonParameter,
) -> None:
    """Have a rule work no more; its versions are kept. Alerts of it that are open are closed."""
    _switch(request, services, access, name, reason=reason, state=RuleState.DELETED)


@ROUTER.post(
    "/{name}/enable",
    openapi_extra=needs(Permission.MANAGE_RULES, IF_MATCH),
    summary="Switch an alert rule on",
    responses=tagged(answers(RULE_EXAMPLE, *WRITE)),
)
def enable_rule(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    name: RulePath,
    *,
    order: Annotated[ReasonOrder, Body(examples=[REASON_EXAMPLE])],
) -> RuleAnswer:
    """Have a rule work again."""
    made = _switch(request, services, access, name, reason=order.reason, state=RuleState.ACTIVE)
    return tagged_answer(services, AlertRights(access, services.rules), response, made)


@ROUTER.post(
    "/{name}/disable",
    openapi_extra=needs(Permission.MANAGE_RULES, IF_MATCH),
    summary="Switch an alert rule off",
    responses=tagged(answers(RULE_EXAMPLE, *WRITE)),
)
def disable_rule(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    name: RulePath,
    *,
    order: Annotated[ReasonOrder, Body(examples=[REASON_EXAMPLE])],
) -> RuleAnswer:
    """Have a rule work no more, until it is switched on again."""
    made = _switch(request, services, access, name, reason=order.reason, state=RuleState.DISABLED)
    return tagged_answer(services, AlertRights(access, services.rules), response, made)


def _switch(
    request: Request,
    services: Services,
    access: Access,
    name: str,
    *,
    reason: str,
    state: RuleState,
) -> RuleVersion:
    """Keep the same text in another state."""
    rights = AlertRights(access, services.rules)
    before = existing_rule(services, rights, name)
    check_replaces(rights, before)
    what = {RuleState.ACTIVE: "switched on", RuleState.DISABLED: "switched off"}.get(
        state, "deleted"
    )
    return keep_rule(
        request,
        services,
        rights,
        name,
        written=Written(before.source, reason, state),
        wanted=wanted_of(request),
        before=before,
        what=what,
    )
