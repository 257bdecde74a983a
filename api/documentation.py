"""What OpenAPI says beside the routes: tags, examples, and the problems each route answers with."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.idempotency import HEADER, KEY_PATTERN, WRITES
from api.problems import MEDIA_TYPE, PROBLEMS, Problem
from api.security import PUBLIC_PATHS

DESCRIPTION = """
Sites, devices, readings and the account of every message of a Passerelle platform.

Send an API key in the header `X-API-Key`, or as `Authorization: Bearer KEY`; only health and this
description answer without one. Every error is `application/problem+json` (RFC 9457) and names the
parameter that caused it. Instants are RFC 3339, exact to the nanosecond. Lists are paged: follow
`next` as it is given until it is null.
"""

TAGS = [
    {"name": "sites", "description": "Pilot sites and their time zones."},
    {"name": "quantities", "description": "What is measured: units, ranges, codes."},
    {"name": "devices", "description": "Registered devices and their latest values."},
    {"name": "assignments", "description": "Who wears or uses which device, by pseudonym."},
    {"name": "readings", "description": "Stored values, raw or one a window."},
    {"name": "live", "description": "Values as they arrive."},
    {"name": "exports", "description": "Values as files of any size: streamed, or by a job."},
    {"name": "snapshots", "description": "Queries that are frozen, for studies to cite."},
    {"name": "completeness", "description": "The ledger: every message accounted for."},
    {"name": "dead letters", "description": "What could not be stored, why, and its replay."},
    {"name": "alerts", "description": "What is wrong, who was told; rules, silences, channels."},
    {"name": "access", "description": "Who may do what: you, users, keys, and the audit."},
    {"name": "health", "description": "Which part is down, and metrics."},
]

KEY_SCHEMES: dict[str, dict[str, str]] = {
    "ApiKeyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key, as `passerelle keys create` prints it.",
    },
    "ApiKeyBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The same API key, or a token of the OpenID provider.",
    },
}
"""How a key is sent."""

_KEY_PROBLEMS = ("bad_request", "conflict", "idempotency_key_reused")
_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}

Responses = dict[int | str, dict[str, Any]]


class DocumentedApi(FastAPI):
    """FastAPI whose description holds the schema of problems."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI description; made once."""
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                tags=self.openapi_tags,
            )
            schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(schema.pop("$defs"))
            schemas["Problem"] = schema
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            _describe_keys(document)
            _describe_conditional(document)
            _describe_idempotency(document)
            self.openapi_schema = document
        return self.openapi_schema


def _describe_keys(document: dict[str, Any]) -> None:
    """Say of every route but the public ones that it takes a key (`api.security` checks it)."""
    document["components"]["securitySchemes"] = KEY_SCHEMES
    for path, methods in document["paths"].items():
        if path not in PUBLIC_PATHS:
            for operation in methods.values():
                operation["security"] = [{name: []} for name in KEY_SCHEMES]


def _describe_conditional(document: dict[str, Any]) -> None:
    """Say of every GET that it may answer 304 (`api.conditional`)."""
    for methods in document["paths"].values():
        if "get" in methods:
            methods["get"]["responses"].setdefault(
                "304", {"description": "Not modified: the ETag sent as If-None-Match still holds"}
            )


def _describe_idempotency(document: dict[str, Any]) -> None:
    """Say of every write that it takes an idempotency key (`api.idempotency`)."""
    parameter = {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "Sent again with the same key, the request is answered as the first time.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": KEY_PATTERN},
    }
    for methods in document["paths"].values():
        for method, operation in methods.items():
            if method.upper() in WRITES:
                operation.setdefault("parameters", []).append(parameter)
                for status, described in problems(*_KEY_PROBLEMS).items():
                    operation["responses"].setdefault(str(status), described)


def answers(
    example: Any, *codes: str, status: int = 200, media: dict[str, Any] | None = None
) -> Responses:
    """Return the `responses` of a route.

    Args:
        example: an example of the answer.
        codes: problem codes beside those that every route with a key has.
        status: of the answer.
        media: further media types of the answer, with an example each.
    """
    content = {"application/json": {"example": example}}
    content.update({name: {"example": sample} for name, sample in (media or {}).items()})
    every = (
        "unauthorized",
        "forbidden",
        "invalid_parameter",
        "rate_limited",
        "registry_unavailable",
        "identity_provider_unavailable",
        "audit_unavailable",
        *codes,
    )
    return {status: {"content": content}, **problems(*every)}


def problems(*codes: str) -> Responses:
    """Return the problem responses for `codes`, grouped by status."""
    grouped: dict[int | str, list[str]] = {}
    for code in codes:
        grouped.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        status: {
            "description": "; ".join(PROBLEMS[code].title for code in names),
            "content": {
                MEDIA_TYPE: {
                    "schema": _PROBLEM_REF,
                    "examples": {code: {"value": _problem_example(code)} for code in names},
                }
            },
        }
        for status, names in sorted(grouped.items(), key=lambda item: int(item[0]))
    }


def _problem_example(code: str) -> dict[str, Any]:
    kind = PROBLEMS[code]
    example: dict[str, Any] = {
        "type": f"urn:passerelle:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title,
        "instance": "/v1/readings",
        "errors": [],
    }
    if code == "invalid_parameter":
        detail = "'Africa/Tuni' is not an IANA time zone; did you mean Africa/Tunis?"
        example["detail"] = detail
        example["errors"] = [{"parameter": "zone", "location": "query", "detail": detail}]
    if code == "query_too_large":
        example["detail"] = "44641 windows of 1min for 20 series are more than 100000 values"
        example["hint"] = "every=10min would fit"
    return example
