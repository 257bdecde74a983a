"""What the commands about alerts share: options, and answers of several pages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Annotated, Any
from urllib.parse import quote

import typer

from cli.exports.client import Api
from core.errors import ConfigurationError
from devices.registry.alert_records import AlertState

AlertArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The alert; as much of it as `list` shows is enough.")
]
RuleNameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The rule.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the API's answer.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept.")]
LimitOption = Annotated[int, typer.Option(min=1, help="Rows, at most.")]
LengthOption = Annotated[str, typer.Option("--for", help="For how long: 30m, 2h, 1d.")]


EVERY_STATE = tuple(one.value for one in AlertState)
SHOWN = 12
"""So much of an alert's id is shown in a list."""
_WHOLE = 32
_LOOKED_AT = 1000

Asked = str | tuple[str, ...] | None
"""A parameter of a question; several values are repeated."""


def alert_path(api: Api, alert: str) -> str:
    """Return where the API has an alert.

    Args:
        api: where it is looked for when only the beginning of its id is given.
        alert: its id, or the beginning of one of the newest.

    Raises:
        ConfigurationError: several begin so.
    """
    if len(alert) < _WHOLE:
        found, _ = listed(api, "/v1/alerts", "alerts", limit=_LOOKED_AT, state=EVERY_STATE)
        fitting = [one["id"] for one in found if alert and one["id"].startswith(alert)]
        if len(fitting) > 1:
            raise ConfigurationError(f"{len(fitting)} alerts begin with {alert}: give more of it")
        alert = fitting[0] if fitting else alert
    return f"/v1/alerts/{quote(alert, safe='')}"


def rule_path(rule: str) -> str:
    """Return where the API has a rule."""
    return f"/v1/alert-rules/{quote(rule, safe='')}"


def listed(
    api: Api, path: str, name: str, *, limit: int | None = None, **params: Asked
) -> tuple[list[dict[str, Any]], bool]:
    """Return what a list of the API has, page by page, and whether there is more.

    Args:
        api: where to ask.
        path: of the list.
        name: under which name a page has its rows.
        limit: at most so many; None: all.
        params: of the first page; None and "" are left out.
    """
    asked = {key: text for key, text in params.items() if text}
    found = _rows(api, path, name, asked)
    if limit is None:
        return list(found), False
    rows = list(islice(found, limit))
    return rows, len(rows) == limit and next(found, None) is not None


def _rows(api: Api, path: str, name: str, params: Mapping[str, Asked]) -> Iterator[dict[str, Any]]:
    page = api.ask("GET", path, params=params)
    while True:
        yield from page[name]
        following = page.get("next")
        if not following:
            return
        page = api.ask("GET", following)


def print_json(answer: Any) -> None:
    """Print an answer as it came."""
    typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))


def counted_more(count: int, noun: str, *, more: bool) -> str:
    """Return `3 alerts`, `1 alert`, or `100 alerts; there are more: --limit`."""
    text = f"{count:,} {noun}{'' if count == 1 else 's'}"
    return f"{text}; there are more: --limit" if more else text
