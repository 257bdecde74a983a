"""`passerelle alerts watch`: the open alerts in the terminal, as they change."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from cli.alerts.asked import SHOWN, counted_more, listed
from cli.alerts.listing import SiteOption, table_of
from cli.alerts.words import OPEN, Json, about, instant, title, value
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import Api, ApiError, opened_api
from cli.tables import plain

_EVERY_S = 2.0
_MOST = 200
_TOLD = ("state", "value", "cause", "silence", "flapping", "acknowledged")
"""What of an alert is worth a line when it changes."""

Alerts = Mapping[str, Json]


def watch(
    *,
    site: SiteOption = None,
    seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds; default: never.", min=0)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object for each change.")] = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show the open alerts as they change, until Ctrl-C."""
    end_s = None if seconds is None else time.monotonic() + seconds
    console = Console(highlight=False)
    try:
        with opened_api(url, key) as api:
            rounds = _rounds(api, site, end_s=end_s)
            if console.is_terminal and not as_json:
                _follow(console, rounds)
            else:
                _print_changes(rounds, as_json=as_json)
    except KeyboardInterrupt:
        return


def _rounds(api: Api, site: str | None, *, end_s: float | None) -> Iterator[tuple[Alerts, str]]:
    """Yield the open alerts again and again, with what is wrong with asking, or "".

    Raises:
        ApiError: the first question is refused.
    """
    known: Alerts | None = None
    while True:
        problem = ""
        try:
            found, _ = listed(api, "/v1/alerts", "alerts", limit=_MOST, state=OPEN, site=site)
            known = {one["id"]: one for one in found}
        except ApiError as error:
            if known is None:
                raise
            problem = error.detail
        yield known, problem
        left_s = _EVERY_S if end_s is None else min(_EVERY_S, end_s - time.monotonic())
        if left_s <= 0:
            return
        time.sleep(left_s)


def _follow(console: Console, rounds: Iterator[tuple[Alerts, str]]) -> None:
    with Live(console=console, screen=False, auto_refresh=False) as live:
        for alerts, problem in rounds:
            now = datetime.now(tz=UTC)
            count = counted_more(len(alerts), "open alert", more=len(alerts) == _MOST)
            line = (
                plain(f"not up to date: {problem}", "yellow")
                if problem
                else Text(f"{count}, {now.astimezone():%H:%M:%S}; Ctrl-C ends", style="dim")
            )
            width = console.width
            table = [table_of(list(alerts.values()), now=now, width=width)] if alerts else []
            live.update(Group(*table, line), refresh=True)


def _print_changes(rounds: Iterator[tuple[Alerts, str]], *, as_json: bool) -> None:
    before: Alerts = {}
    told = ""
    for alerts, problem in rounds:
        if problem != told:
            typer.echo(f"not up to date: {problem}" if problem else "up to date again", err=True)
            told = problem
        for one in _changed(before, alerts):
            typer.echo(json.dumps(one, ensure_ascii=False) if as_json else _line(one))
        before = alerts


def _changed(before: Alerts, after: Alerts) -> Iterator[dict[str, Any]]:
    """Yield alerts that are new or changed; those that are no longer open with state `over`."""
    for name, one in after.items():
        old = before.get(name)
        if old is None or any(one[field] != old[field] for field in _TOLD):
            yield dict(one)
    for name, one in before.items():
        if name not in after:
            yield {**one, "state": "over"}


def _line(alert: Json) -> str:
    parts = (
        instant(alert["at"]), alert["severity"], alert["state"], title(alert), about(alert),
        value(alert), alert["id"][:SHOWN],
    )  # fmt: skip
    return plain("  ".join(part for part in parts if part)).plain
