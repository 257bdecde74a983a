"""`passerelle alerts explain`: why an alert fires, with the values that decided."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from alerts.rules.words import Language
from cli.alerts.asked import AlertArgument, JsonOption, alert_path, print_json
from cli.alerts.shown import strip
from cli.alerts.words import (
    Json,
    about,
    facts,
    instant,
    number,
    severity,
    state,
    title,
    value,
)
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import opened_api
from cli.plotting import charts
from cli.tables import plain
from core.clock import NS_PER_S

_MOST_VALUES = 10
_DECIDED = "decided"
_AT_ONCE = "0 s"


def explain(
    alert: AlertArgument,
    *,
    language: Annotated[Language, typer.Option(help="Of the rule in words.")] = "en",
    plot: Annotated[bool, typer.Option(help="Draw values, limits, and when it fired.")] = True,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Say why an alert fires: the rule in words, and the values that decided."""
    with opened_api(url, key) as api:
        found = api.ask("GET", f"{alert_path(api, alert)}/explain", params={"language": language})
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    _print_reasons(console, found)
    if plot:
        _draw(found)
    _print_evidence(console, found["evidence"])


def _print_reasons(console: Console, found: Json) -> None:
    alert, rule = found["alert"], found["rule"]
    console.print(severity(alert["severity"]), plain(title(alert), "bold"), plain(about(alert)))
    grid = Table.grid(padding=(0, 2))
    if rule is not None:
        grid.add_row("rule", plain(f"{rule['name']} {rule['version']} by {rule['author']}"))
        grid.add_row("it fires when", plain(rule["condition"]))
        if rule["for"] != _AT_ONCE:
            grid.add_row("for", rule["for"])
    rows = [("value", value(alert)), *facts(alert)]
    rows += [("since", instant(alert["at"])), ("until", instant(alert["until"]))]
    for name, text in rows:
        if text:
            grid.add_row(name, plain(text))
    grid.add_row("state", state(alert))
    cause, silence = found["cause"], found["silence"]
    if cause is not None:
        grid.add_row("explained by", plain(f"{title(cause)} ({cause['device']}, {cause['id']})"))
    if silence is not None:
        said = f"{silence['by']} until {instant(silence['end'])}: {silence['reason']}"
        grid.add_row("silenced by", plain(said))
    for one in found["overrides"]:
        counted = "counted" if one["counted"] else "did not count"
        said = f"{one['condition']} ({one['author']}: {one['reason']}), {counted}"
        grid.add_row("exception", plain(said))
    console.print(grid)


def _draw(found: Json) -> None:
    width = shutil.get_terminal_size().columns
    limits: dict[str, list[float]] = {}
    for one in found["limits"]:
        limits.setdefault(one["quantity"], []).append(one["value"])
    answer = {"zone": found["zone"], "series": list(_series(found))}
    for chart in charts(answer, width=width, color=sys.stdout.isatty(), limits=limits):
        typer.echo(chart)
    if answer["series"]:
        start_ns, end_ns = _ns(found["start"]), _ns(found["end"])
        alert = found["alert"]
        until_ns = end_ns if alert["until"] is None else _ns(alert["until"])
        fired = strip([(_ns(alert["at"]), until_ns)], start_ns=start_ns, end_ns=end_ns)
        typer.echo(f"fired  {fired}")
        levels = ", ".join(
            f"{one['quantity']} {one['kind'].replace('_', ' ')} {number(one['value'], one['unit'])}"
            for one in found["limits"]
        )
        if levels:
            typer.echo(plain(f"limits {levels}").plain)


def _series(found: Json) -> Iterator[Mapping[str, Any]]:
    """Yield the stored values, and the ones that decided as dots on them."""
    for series in found["series"]:
        yield series
        decided = [
            {"time": one["time"], "value": one["value"]}
            for one in found["evidence"]
            if (one["device"], one["quantity"]) == (series["device"], series["quantity"])
        ]
        if decided:
            yield {**series, "device": _DECIDED, "points": decided, "dots": True}


def _print_evidence(console: Console, evidence: list[Json]) -> None:
    if not evidence:
        console.print("no value decided: nothing came")
        return
    table = Table("decided at", "device", "quantity", "value", "quality")
    for one in evidence[-_MOST_VALUES:]:
        table.add_row(
            instant(one["time"]),
            plain(one["device"]),
            plain(one["quantity"]),
            number(one["value"], one["unit"]),
            " ".join(one["quality"]),
        )
    console.print(table)
    if len(evidence) > _MOST_VALUES:
        console.print(f"the newest {_MOST_VALUES} of {len(evidence)}; --json has them all")


def _ns(text: str) -> int:
    return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * NS_PER_S)
