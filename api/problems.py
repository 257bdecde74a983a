"""Every error as `application/problem+json` (RFC 9457), with the parameter that caused it.

`type` is `urn:passerelle:problem:CODE`: stable, to branch on. `docs/api.md` describes every code;
a test fails when one is missing there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core.errors import (
    PasserelleError,
    QueryTooLargeError,
    RuleError,
    StoreUnavailableError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
"""What `Retry-After` says when the part that is down did not say, seconds."""


class ProblemType(NamedTuple):
    """The status and the title of one problem code."""

    status: int
    title: str


PROBLEMS: Mapping[str, ProblemType] = {
    "bad_request": ProblemType(400, "The request cannot be read"),
    "unauthorized": ProblemType(401, "An API key or a bearer token is needed"),
    "token_malformed": ProblemType(401, "The bearer token is not usable"),
    "token_algorithm_refused": ProblemType(401, "The bearer token is signed in another way"),
    "token_key_unknown": ProblemType(401, "The bearer token is signed with an unknown key"),
    "token_signature_wrong": ProblemType(401, "The signature of the bearer token is wrong"),
    "token_wrong_issuer": ProblemType(401, "The bearer token is another provider's"),
    "token_wrong_audience": ProblemType(401, "The bearer token is for another program"),
    "token_wrong_client": ProblemType(401, "The bearer token was given to another client"),
    "token_expired": ProblemType(401, "The bearer token has ended"),
    "token_not_yet_valid": ProblemType(401, "The bearer token is not good yet"),
    "forbidden": ProblemType(403, "There is no right to this"),
    "not_found": ProblemType(404, "There is no such thing"),
    "method_not_allowed": ProblemType(405, "The resource does not know this method"),
    "conflict": ProblemType(409, "It exists already, or is in another state"),
    "precondition_failed": ProblemType(412, "It was changed meanwhile"),
    "invalid_rule": ProblemType(422, "The alert rule cannot be used"),
    "idempotency_key_reused": ProblemType(422, "The idempotency key stands for another request"),
    "query_too_large": ProblemType(413, "The query asks for too much"),
    "body_too_large": ProblemType(413, "The request body is too large"),
    "invalid_parameter": ProblemType(422, "A parameter is not usable"),
    "rate_limited": ProblemType(429, "It was asked too often"),
    "internal_error": ProblemType(500, "The program failed"),
    "audit_unavailable": ProblemType(503, "It cannot be written down who reads vital signs"),
    "live_busy": ProblemType(503, "Too many readers look on"),
    "exports_busy": ProblemType(503, "Too many exports are under way"),
    "exports_unavailable": ProblemType(503, "Files of exports cannot be kept"),
    "store_unavailable": ProblemType(503, "The telemetry store does not answer"),
    "identity_provider_unavailable": ProblemType(503, "The identity provider does not answer"),
    "registry_unavailable": ProblemType(503, "The registry does not answer"),
}
"""Every problem code that the API answers with."""

_CODE_BY_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    422: "invalid_parameter",
}


class ParameterProblem(BaseModel):
    """What is wrong with one parameter."""

    parameter: str = Field(description="Its name; fields of a body are joined by dots.")
    location: str = Field(description="`query`, `path`, `header` or `body`.")
    detail: str = Field(description="What is wrong, and what would be right.")


class PlaceProblem(BaseModel):
    """What is wrong at one place of a document that was sent (`invalid_rule`)."""

    line: int = Field(description="Line of the document; 1 is the first.")
    field: str = Field(description="Such as `when.threshold.above`; empty: the whole document.")
    detail: str = Field(description="What is wrong there, and what would be right.")


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(description="Stable identifier, `urn:passerelle:problem:CODE`.")
    title: str = Field(description="What kind of problem it is; the same for every case of it.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened here, and what to do.")
    instance: str = Field(description="The path that was asked for.")
    errors: list[ParameterProblem | PlaceProblem] = Field(
        default_factory=list,
        description="The parameters that caused it, or the places in a document.",
    )
    hint: str | None = Field(None, description="A query that would fit (`query_too_large`).")
    reference: str | None = Field(
        None, description="What to look for in the server's log (`internal_error`)."
    )


class InvalidParameterError(PasserelleError):
    """A parameter that has the right form and still cannot be used.

    Args:
        parameter: its name.
        detail: what is wrong with it, and what would be right.
        location: `query`, `path` or `body`.
    """

    code = "invalid_parameter"

    def __init__(self, parameter: str, detail: str, *, location: str = "query") -> None:
        super().__init__(detail)
        self.errors = [ParameterProblem(parameter=parameter, location=location, detail=detail)]

    def in_body(self) -> InvalidParameterError:
        """Return the same about a field of the body of that name."""
        return InvalidParameterError(self.errors[0].parameter, self.detail, location="body")


class PreconditionFailedError(PasserelleError):
    """What `If-Match` or `If-None-Match` expected is not so: somebody else changed it."""

    code = "precondition_failed"


class InvalidRuleError(PasserelleError):
    """An alert rule that cannot be used.

    Args:
        error: what reading it said.
    """

    code = "invalid_rule"

    def __init__(self, error: RuleError) -> None:
        super().__init__(error.detail)
        place = error.place
        self.errors = [] if place is None else [PlaceProblem(**place._asdict())]


def problem_response(
    code: str,
    detail: str,
    *,
    instance: str,
    errors: Sequence[ParameterProblem | PlaceProblem] = (),
    hint: str | None = None,
    reference: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer for the problem `code`, with the status that belongs to it."""
    kind = PROBLEMS[code]
    problem = Problem(
        type=f"urn:passerelle:problem:{code}",
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=instance,
        errors=list(errors),
        hint=hint,
        reference=reference,
    )
    left_out = {name for name in ("hint", "reference") if getattr(problem, name) is None}
    return Response(
        problem.model_dump_json(exclude=left_out),
        status_code=kind.status,
        media_type=MEDIA_TYPE,
        headers=dict(headers or {}),
    )


async def on_passerelle_error(request: Request, error: Exception) -> Response:
    """Answer one of our own errors; one that is not a caller's to see becomes a 500."""
    if not isinstance(error, PasserelleError) or error.code not in PROBLEMS:
        raise error
    headers = {}
    if PROBLEMS[error.code].status == 503:  # noqa: PLR2004 - Service Unavailable
        asked = error.retry_after_s if isinstance(error, StoreUnavailableError) else None
        headers["Retry-After"] = str(max(1, math.ceil(asked or RETRY_AFTER_S)))
    return problem_response(
        error.code,
        error.detail,
        instance=request.url.path,
        errors=(
            error.errors if isinstance(error, InvalidParameterError | InvalidRuleError) else ()
        ),
        hint=error.hint if isinstance(error, QueryTooLargeError) else None,
        headers=headers,
    )


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Answer what FastAPI found wrong with parameters or body, naming each."""
    if not isinstance(error, RequestValidationError):
        raise error
    errors = [_parameter_problem(entry) for entry in error.errors()]
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return problem_response(
        "invalid_parameter",
        f"{first.location} parameter {first.parameter}: {first.detail}{more}",
        instance=request.url.path,
        errors=errors,
    )


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework refuses itself: unknown paths and methods, unreadable bodies."""
    if not isinstance(error, HTTPException):
        raise error
    code = _CODE_BY_STATUS.get(error.status_code)
    if code is None:
        raise error
    detail = {
        "not_found": f"there is nothing at {request.url.path}; see /docs for every route",
        "method_not_allowed": f"{request.url.path} does not know {request.method}",
    }.get(code, str(error.detail))
    return problem_response(
        code, detail, instance=request.url.path, headers=dict(error.headers or {})
    )


def _parameter_problem(entry: Mapping[str, Any]) -> ParameterProblem:
    location, *path = [str(part) for part in entry["loc"]]
    detail = str(entry["msg"])
    if entry["type"] == "missing":
        detail = "is required"
    elif entry["type"] == "json_invalid":
        return ParameterProblem(
            parameter="body",
            location="body",
            detail=f"is not JSON: {entry['ctx']['error']} at character {path[0]}",
        )
    return ParameterProblem(parameter=".".join(path) or location, location=location, detail=detail)
