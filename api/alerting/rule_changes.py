"""Rules that come in a request: read, checked, and kept as a new version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from api.access.giving import in_body
from api.alerting.notes import caller_name, note_alert_change
from api.alerting.rights import AlertRights
from api.alerting.rule_book import ORIGIN
from api.alerting.rule_rights import check_manages, rule_answer, sees_all, sees_rule
from api.problems import InvalidParameterError, InvalidRuleError, PreconditionFailedError
from api.schemas.alert_rules import RuleAnswer, RuleDraft, RuleOrder
from api.services import Services
from core.errors import ConflictError, NotFoundError, Place, RuleError
from devices.registry.alert_records import RuleState, RuleVersion
from devices.registry.rules import LONGEST_SOURCE, unknown_rule

YAML_TYPES = ("application/yaml", "text/yaml", "application/x-yaml", "text/x-yaml")
"""Media types in which a rule may be sent as it is."""


class Wanted(msgspec.Struct, frozen=True):
    """What a change expects of what is there.

    Attributes:
        version: the newest version has to be this one; 0: there has to be none; None: whatever.
        header: that said so, or "".
    """

    version: int | None = None
    header: str = ""


class Written(msgspec.Struct, frozen=True):
    """A rule as it was sent.

    Attributes:
        source: YAML.
        reason: why, or "".
        state: that it is to have, or None.
    """

    source: str
    reason: str = ""
    state: RuleState | None = None


def tag_of(version: int) -> str:
    """Return the entity tag of a version."""
    return f'"{version}"'


def wanted_of(request: Request) -> Wanted:
    """Return what `If-Match` or `If-None-Match` says (RFC 9110, 13.1).

    Raises:
        InvalidParameterError: it is no tag of a rule.
    """
    if_none = request.headers.get("if-none-match")
    if if_none is not None:
        if if_none.strip() != "*":
            raise InvalidParameterError(
                "If-None-Match", "only * can be meant: there is no such rule yet", location="header"
            )
        return Wanted(0, "If-None-Match")
    if_match = request.headers.get("if-match")
    if if_match is None:
        return Wanted()
    plain = if_match.strip().removeprefix("W/").strip('"')
    if not (plain.isascii() and plain.isdecimal()) or len(plain) > 9:  # noqa: PLR2004
        raise InvalidParameterError(
            "If-Match", 'a tag such as "3" is expected: the ETag of the rule', location="header"
        )
    return Wanted(int(plain), "If-Match")


async def written(request: Request) -> Written:
    """Return the rule that a request carries, as JSON or as YAML itself.

    Raises:
        InvalidParameterError: the body is neither.
        RequestValidationError: the JSON is not of the right form.
    """
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in YAML_TYPES:
        return Written(_text(body), request.query_params.get("reason", ""))
    if "reason" in request.query_params:
        raise InvalidParameterError("reason", "stands in the body, where that is JSON")
    order = _read(RuleOrder, body)
    return Written(order.source, order.reason, order.state)


async def drafted(request: Request) -> Written:
    """Return the rule that a request carries to be looked at, as `written` does."""
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in YAML_TYPES:
        return Written(_text(body))
    return Written(_read(RuleDraft, body).source)


def read_rule(source: str, *, name: str | None = None) -> Rule:
    """Return the rule that a text describes.

    Raises:
        InvalidRuleError: it cannot be used, or is not called `name`; it says where.
    """
    try:
        rule = parse_rule(source, origin=ORIGIN)
    except RuleError as error:
        raise InvalidRuleError(error) from None
    if name is not None and rule.name != name:
        detail = f"the rule is called {rule.name!r}, and the address {name[:60]!r}; they are one"
        other = RuleError(f"{ORIGIN}: {detail}")
        other.place = Place(1, "rule", detail)
        raise InvalidRuleError(other)
    return rule


def keep_rule(
    request: Request,
    services: Services,
    rights: AlertRights,
    name: str,
    *,
    written: Written,
    wanted: Wanted,
    before: RuleVersion | None,
    what: str,
) -> RuleVersion:
    """Keep a new version of a rule, and write down who wants it and why.

    Args:
        request: of the caller.
        services: where it is kept.
        rights: of the caller.
        name: of the rule.
        written: what it is to be; its reason is there.
        wanted: what is expected of what is there.
        before: what was there when the rights were checked, or None.
        what: for the audit: `written`, `deleted`, ...

    Raises:
        ConflictError: it was changed meanwhile.
        InvalidParameterError: a text is missing, or cannot be kept.
        PreconditionFailedError: the newest version is not the one that was expected.
    """
    state = written.state
    if state is None:
        there = before is not None and before.state != RuleState.DELETED
        state = RuleState(before.state) if before is not None and there else RuleState.ACTIVE
    expected = wanted.version
    if expected is None:
        expected = 0 if before is None else before.version
    try:
        with in_body("reason"):
            made = services.registry.rules.put(
                name,
                written.source,
                author=caller_name(rights.access),
                reason=written.reason,
                state=state,
                expected=expected,
            )
    except ConflictError as error:
        if wanted.header:
            raise PreconditionFailedError(f"{wanted.header}: {error.detail}") from None
        raise
    detail = f"rule {name}, version {made.version}, {what} ({made.state}): {made.reason}"
    rule = rights.rules.parsed(made)
    sites = () if rule is None else [site for site in rule.select.site if "*" not in site]
    note_alert_change(request, services, rights.access, detail, sites=sites)
    return made


def newest_of(services: Services, name: str) -> RuleVersion | None:
    """Return the newest version of a rule, also of a deleted one, or None."""
    try:
        return services.registry.rules.get(name)
    except NotFoundError:
        return None


def existing_rule(services: Services, rights: AlertRights, name: str) -> RuleVersion:
    """Return the newest version of a rule that is there, and that the caller may see.

    Raises:
        NotFoundError: there is none; the audit is told when it may not be seen.
    """
    found = services.registry.rules.get(name)
    if found.state != RuleState.DELETED:
        if sees_rule(services, rights, rights.rules.parsed(found)):
            return found
        rights.access.trail.hidden = f"rule {name}"
    raise unknown_rule(name)


def tagged_answer(
    services: Services, rights: AlertRights, response: Response, version: RuleVersion
) -> RuleAnswer:
    """Return what the API says of a version; with its `ETag` to whoever sees all of it."""
    rule = rights.rules.parsed(version)
    if sees_all(rights, rule):
        response.headers["ETag"] = tag_of(version.version)
    return rule_answer(services, rights, version, rule)


def check_replaces(rights: AlertRights, before: RuleVersion | None) -> None:
    """Refuse to have a rule replaced by who may not change what is there.

    Raises:
        ForbiddenError: says what is missing.
    """
    if before is not None and before.state != RuleState.DELETED:
        check_manages(rights, rights.rules.parsed(before))


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidParameterError("body", "is not UTF-8", location="body") from None
    if not text.strip() or len(text) > LONGEST_SOURCE:
        raise InvalidParameterError(
            "body", f"a rule has 1 to {LONGEST_SOURCE} characters", location="body"
        )
    return text


def _read(kind: type[Any], body: bytes) -> Any:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise RequestValidationError(
            [{**entry, "loc": ("body", *entry["loc"])} for entry in _entries(error)]
        ) from None


def _entries(error: ValidationError) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for entry in error.errors(include_url=False, include_input=False):
        if entry["type"] == "json_invalid":
            found.append({**entry, "type": "value_error", "loc": ("body",)})
        else:
            found.append(dict(entry))
    return found
