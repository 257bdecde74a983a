"""Parameters that the routes of alerts share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Path, Query, Response
from pydantic import BeforeValidator

from alerts.rules.words import Language
from api.parameters import UTC, split_list
from api.problems import InvalidParameterError
from api.services import Services
from api.times import parse_instant

MAX_ALERTS = 1000
"""Rows that a page of alerts, events, silences or late values may have."""
_LANGUAGES: tuple[Language, ...] = ("en", "fr")


def _parted(given: Any) -> Any:
    """Return names that are repeated or comma-separated, each by itself."""
    if isinstance(given, list) and all(isinstance(one, str) for one in given):
        return list(split_list(given)) or given
    return given


SEVERAL = BeforeValidator(_parted)
"""A parameter that is repeated or comma-separated."""
AlertPath = Annotated[str, Path(description="Its identifier.", max_length=256)]
RulePath = Annotated[str, Path(description="Name of the rule.", max_length=256)]
AlertsLimit = Annotated[
    int | None,
    Query(
        description="Rows of a page, at most; default: setting `api.page_size`.",
        ge=1,
        le=MAX_ALERTS,
        examples=[100],
    ),
]
RuleFilter = Annotated[
    str | None,
    Query(description="Only of this rule.", max_length=64, examples=["server-room-hot"]),
]
InstantFilter = Annotated[str | None, Query(max_length=64, examples=["-24h"])]
LanguageParameter = Annotated[
    Language | None,
    Query(
        description="Language of the words: `en` or `fr`; default: what `Accept-Language` prefers.",
        examples=["fr"],
    ),
]
AcceptLanguage = Annotated[
    str | None,
    Header(
        description="Language of the words, where the parameter `language` is not given.",
        max_length=500,
        examples=["fr-TN, fr;q=0.9, en;q=0.5"],
    ),
]
ReasonParameter = Annotated[
    str,
    Query(
        description="Why it is changed; it is kept.",
        min_length=1,
        max_length=2000,
        examples=["the summer is over"],
    ),
]


def chosen_language(asked: Language | None, accepted: str | None, response: Response) -> Language:
    """Return the language of an answer, and say in its headers which one it is.

    Args:
        asked: the parameter `language`.
        accepted: the header `Accept-Language` (RFC 9110, 12.5.4).
        response: whose headers are set.
    """
    language = asked or _preferred(accepted or "")
    response.headers["Content-Language"] = language
    if asked is None:
        response.headers["Vary"] = "Accept-Language"
    return language


def optional_range(
    services: Services, since: str | None, until: str | None
) -> tuple[int | None, int | None]:
    """Return both ends of a range, of which either may be left open, ns since the epoch.

    Raises:
        InvalidParameterError: an end is not an instant, or the range is empty or reversed.
    """
    now_ns = services.clock.now_ns()
    since_ns, until_ns = (
        None if text is None else parse_instant(text, parameter=name, now_ns=now_ns, zone=UTC)
        for text, name in ((since, "since"), (until, "until"))
    )
    if since_ns is not None and until_ns is not None and until_ns <= since_ns:
        raise InvalidParameterError("until", "must be after since")
    return since_ns, until_ns


def page_rows(services: Services, limit: int | None) -> int:
    """Return how many rows a page has."""
    return limit or min(services.settings.api.page_size, MAX_ALERTS)


def _preferred(accepted: str) -> Language:
    best: tuple[float, Language] = (0.0, "en")
    for entry in accepted.split(","):
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = next((_weight(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        for language in _LANGUAGES:
            if name.partition("-")[0] == language and weight > best[0]:
                best = (weight, language)
    return best[1]


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
