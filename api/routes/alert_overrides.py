"""`/v1/alert-rules/{name}/overrides`: other conditions for one device or person, until a day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request, Response

from alerts.rules.looks_at import about_health
from alerts.rules.model import Rule
from alerts.rules.overriding import with_override, without_override
from alerts.rules.source import parse_rule
from api.access.visibility import AccessDep
from api.alerting.notes import caller_name
from api.alerting.parameters import ReasonParameter, RulePath
from api.alerting.rights import AlertRights
from api.alerting.rule_book import ORIGIN
from api.alerting.rule_changes import (
    Written,
    existing_rule,
    keep_rule,
    tagged_answer,
    wanted_of,
)
from api.alerting.rule_documentation import IF_MATCH, REMOVE, WRITE, needs, tagged
from api.alerting.rule_rights import check_manages
from api.documentation import answers
from api.parameters import existing_device
from api.problems import InvalidParameterError, InvalidRuleError
from api.schemas.alert_rules import OVERRIDE_EXAMPLE, RULE_EXAMPLE, OverrideOrder, RuleAnswer
from api.services import Services, ServicesDep
from core.access import Permission
from core.errors import NotFoundError, RuleError
from devices.registry.alert_records import RuleVersion

ROUTER = APIRouter(prefix="/v1/alert-rules", tags=["alerts"])
_DEEPEST = 30


@ROUTER.post(
    "/{name}/overrides",
    status_code=201,
    openapi_extra=needs(Permission.MANAGE_RULES, IF_MATCH),
    summary="Set another condition for one device or person",
    responses=tagged(answers(RULE_EXAMPLE, *WRITE, status=201), 201),
)
def add_override(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    name: RulePath,
    *,
    order: Annotated[OverrideOrder, Body(examples=[OVERRIDE_EXAMPLE])],
) -> RuleAnswer:
    """Add an override to a rule, as a new version; its author is the caller.

    One for a device needs the right at the site of that device only.
    """
    rights = AlertRights(access, services.rules)
    before = existing_rule(services, rights, name)
    said = {
        "device": order.device,
        "person": order.person,
        "set": order.set_,
        "when": order.when,
        "author": caller_name(access),
        "reason": order.reason,
        "expires": order.expires,
    }
    _check_depth(order)
    made = _edited(
        before, lambda source: with_override(
            source,
            {key: value for key, value in said.items() if value is not None},
            origin=ORIGIN,
        )
    )  # fmt: skip
    _check_may_override(services, rights, before, made, order.device)
    what = f"override for {order.device or order.person} added"
    return tagged_answer(
        services,
        rights,
        response,
        _kept(request, services, rights, before, made, reason=order.reason, what=what),
    )


@ROUTER.delete(
    "/{name}/overrides/{number}",
    openapi_extra=needs(Permission.MANAGE_RULES, IF_MATCH),
    summary="Take an override away",
    responses=tagged(answers(RULE_EXAMPLE, *REMOVE)),
)
def remove_override(
    request: Request,
    response: Response,
    services: ServicesDep,
    access: AccessDep,
    *,
    name: RulePath,
    number: Annotated[int, Path(description="Its place; 1 is the first.", ge=1, le=10_000)],
    reason: ReasonParameter,
) -> RuleAnswer:
    """Take an override out of a rule, as a new version; the numbers of later ones move up."""
    rights = AlertRights(access, services.rules)
    before = existing_rule(services, rights, name)
    rule = services.rules.parsed(before)
    there = () if rule is None else rule.overrides
    if number > len(there):
        raise NotFoundError(f"rule {name!r} has no override {number}")
    one = there[number - 1]
    made = _edited(before, lambda source: without_override(source, number, origin=ORIGIN))
    _check_may_override(services, rights, before, made, one.device or None)
    what = f"override {number} for {one.device or one.person} taken away"
    return tagged_answer(
        services,
        rights,
        response,
        _kept(request, services, rights, before, made, reason=reason, what=what),
    )


def _edited(before: RuleVersion, edit: Callable[[str], str]) -> str:
    try:
        return edit(before.source)
    except RuleError as error:
        raise InvalidRuleError(error) from None


def _kept(
    request: Request,
    services: Services,
    rights: AlertRights,
    before: RuleVersion,
    source: str,
    *,
    reason: str,
    what: str,
) -> RuleVersion:
    return keep_rule(
        request,
        services,
        rights,
        before.name,
        written=Written(source, reason),
        wanted=wanted_of(request),
        before=before,
        what=what,
    )


def _check_may_override(
    services: Services,
    rights: AlertRights,
    before: RuleVersion,
    source: str,
    device: str | None,
) -> None:
    """Refuse an override by who may change neither the rule nor what is said of the device.

    Raises:
        ForbiddenError: says what is missing.
        InvalidParameterError: there is no such device that they may know of.
    """
    access = rights.access
    rule = rights.rules.parsed(before)
    changed = parse_rule(source, origin=ORIGIN)
    if device is not None:
        try:
            site = existing_device(access, services.registry, device).site
        except NotFoundError as error:
            raise InvalidParameterError("device", error.detail, location="body") from None
        if _of_one_device(rights, rule, changed, site):
            return
    check_manages(rights, rule)
    check_manages(rights, changed)


def _of_one_device(rights: AlertRights, rule: Rule | None, changed: Rule, site: str) -> bool:
    """Tell whether the right at the device's site is enough: nobody else is concerned."""
    if rule is None:
        return False
    health = about_health(rule)
    return health == about_health(changed) and (not health or rights.reads_health(site))


def _check_depth(order: OverrideOrder) -> None:
    def depth(value: Any, left: int) -> bool:
        if left == 0:
            return False
        if isinstance(value, dict):
            return all(depth(part, left - 1) for part in value.values())
        return not isinstance(value, list) or all(depth(part, left - 1) for part in value)

    for name, said in (("set", order.set_), ("when", order.when)):
        if said is not None and not depth(said, _DEEPEST):
            raise InvalidParameterError(name, "is nested too deep", location="body")
