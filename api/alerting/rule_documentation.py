"""What OpenAPI says of the routes of rules beside what their parameters say: bodies and headers."""

from __future__ import annotations

from typing import Any

from api.access.requires import requires
from api.alerting.rule_changes import YAML_TYPES
from api.documentation import Responses
from api.schemas.alert_rules import YAML_EXAMPLE
from core.access import Permission

WRITE = ("bad_request", "not_found", "conflict", "precondition_failed", "invalid_rule",
          "body_too_large")  # fmt: skip
REMOVE = ("bad_request", "not_found", "conflict", "precondition_failed", "invalid_rule")
ETAG: dict[str, Any] = {
    "ETag": {
        "description": "Of the version, to whoever may see its text: for `If-Match`.",
        "schema": {"type": "string"},
    }
}
IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the version that is to be changed; another one there: 412.",
    "schema": {"type": "string", "maxLength": 16},
    "example": '"3"',
}
IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "`*`: only when there is no rule of that name yet; else 412.",
    "schema": {"type": "string", "enum": ["*"]},
    "example": "*",
}


def bodies(model: type[Any], example: Any) -> dict[str, Any]:
    """Return what OpenAPI says of a body that is JSON, or the YAML itself."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    yaml = {"schema": {"type": "string"}, "example": YAML_EXAMPLE}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": example},
                YAML_TYPES[0]: yaml,
            },
        }
    }


def needs(permission: Permission, *headers: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the `openapi_extra` of a route that looks at further headers."""
    return {**requires(permission), **({"parameters": list(headers)} if headers else {}), **more}


def tagged(responses: Responses, *statuses: int) -> Responses:
    """Return responses that say of some statuses (default: 200) that they have an `ETag`."""
    return {
        status: {**said, "headers": ETAG} if status in (statuses or (200,)) else said
        for status, said in responses.items()
    }
