"""`passerelle alerts list`, `show`, `history`, `late`: alerts as the API tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.model import AlarmClass, Severity
from cli.alerts.asked import (
    EVERY_STATE,
    SHOWN,
    AlertArgument,
    JsonOption,
    LimitOption,
    alert_path,
    counted_more,
    listed,
    print_json,
)
from cli.alerts.words import (
    OPEN,
    SEVERITIES,
    Json,
    about,
    cut,
    facts,
    instant,
    lasted,
    number,
    severity,
    state,
    title,
    value,
)
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import opened_api
from cli.tables import plain, print_table
from core.clock import iso
from devices.registry.alert_records import AlertState

_ROWS = 50
_WIDE = 120


class Chosen(StrEnum):
    """Alerts in which state."""

    OPEN = "open"
    PENDING = AlertState.PENDING.value
    INCOMPLETE = AlertState.INCOMPLETE.value
    FIRING = AlertState.FIRING.value
    ACKNOWLEDGED = AlertState.ACKNOWLEDGED.value
    RESOLVED = AlertState.RESOLVED.value
    WITHDRAWN = AlertState.WITHDRAWN.value
    ALL = "all"

    @property
    def states(self) -> tuple[str, ...]:
        """Which states are meant."""
        return {Chosen.OPEN: OPEN, Chosen.ALL: EVERY_STATE}.get(self, (self.value,))


SiteOption = Annotated[str | None, typer.Option(help="Only this site.")]
RuleOption = Annotated[str | None, typer.Option(help="Only this rule.")]
DeviceOption = Annotated[str | None, typer.Option(help="Only this device.")]
PersonOption = Annotated[str | None, typer.Option(help="Only this person (a pseudonym).")]
SeverityOption = Annotated[Severity | None, typer.Option("--severity", help="Only this severity.")]
ClassOption = Annotated[AlarmClass | None, typer.Option("--class", help="Only this kind.")]
SinceOption = Annotated[str | None, typer.Option(help="Opened since: 2026-11-23, -24h.")]
UntilOption = Annotated[str | None, typer.Option(help="Opened before.")]


def list_alerts(
    *,
    chosen: Annotated[Chosen, typer.Option("--state", help="In which state.")] = Chosen.OPEN,
    site: SiteOption = None,
    rule: RuleOption = None,
    device: DeviceOption = None,
    person: PersonOption = None,
    grade: SeverityOption = None,
    alarm_class: ClassOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: LimitOption = _ROWS,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List alerts, the gravest first: those that are open, or in another state."""
    with opened_api(url, key) as api:
        found, more = listed(
            api, "/v1/alerts", "alerts", limit=limit, state=chosen.states, site=site, rule=rule,
            device=device, person=person, severity=grade, since=since, until=until,
            **{"class": alarm_class},
        )  # fmt: skip
    if as_json:
        print_json(found)
        return
    if found:
        width = Console().width
        print_table(table_of(found, now=datetime.now(tz=UTC), width=width))
    word = "" if chosen is Chosen.ALL else f"{chosen.value} "
    typer.echo(counted_more(len(found), f"{word}alert", more=more))


def table_of(alerts: Sequence[Json], *, now: datetime, width: int) -> Table:
    """Return alerts as a table, the gravest first, then the newest.

    Args:
        alerts: as the API tells them.
        now: the present.
        width: of the terminal, columns; in a narrow one each alert has two lines.
    """
    ordered = sorted(alerts, key=_gravest_first)
    return _wide(ordered, now) if width >= _WIDE else _narrow(ordered, now)


def _wide(alerts: Sequence[Json], now: datetime) -> Table:
    table = Table("severity", "alert", "about", "value", "since", "for", "state", "id")
    table.columns[3].justify = "right"
    for place in (0, 4, 7):
        table.columns[place].no_wrap = True
        table.columns[place].overflow = "fold"
    table.columns[7].min_width = SHOWN
    for one in alerts:
        table.add_row(
            severity(one["severity"]),
            plain(cut(title(one))),
            plain(about(one)),
            value(one),
            instant(one["at"]),
            lasted(one, now),
            state(one),
            plain(one["id"][:SHOWN]),
        )
    return table


def _narrow(alerts: Sequence[Json], now: datetime) -> Table:
    table = Table("severity", "alert", "since", "id", show_lines=True)
    for place in (0, 2, 3):
        table.columns[place].no_wrap = True
    table.columns[1].overflow = "fold"
    for one in alerts:
        table.add_row(
            Text.assemble(severity(one["severity"]), "\n", value(one)),
            Text.assemble(plain(cut(title(one))), "\n", plain(about(one))),
            Text.assemble(instant(one["at"])[5:], "\n", lasted(one, now), ", ", state(one)),
            plain(one["id"][:SHOWN]),
        )
    return table


def show(
    alert: AlertArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show an alert: what it says, since when, who looks after it, and who was told."""
    with opened_api(url, key) as api:
        path = alert_path(api, alert)
        found = api.ask("GET", path)
        notices, _ = listed(api, f"{path}/notices", "notices")
    if as_json:
        print_json({**found, "notices": notices})
        return
    console = Console(highlight=False)
    console.print(severity(found["severity"]), plain(title(found), "bold"))
    grid = Table.grid(padding=(0, 2))
    for name, text in (("about", plain(about(found))), *_lines(found)):
        grid.add_row(name, text)
    console.print(grid)
    print_notices(console, notices)


def history(
    alert: AlertArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show what happened to an alert, the oldest first."""
    with opened_api(url, key) as api:
        found, _ = listed(api, f"{alert_path(api, alert)}/history", "events")
    if as_json:
        print_json(found)
        return
    table = Table("time", "what", "who", "detail")
    for event in found:
        detail = ", ".join(_detail(name, fact) for name, fact in event["detail"].items())
        table.add_row(instant(event["time"]), event["kind"], plain(event["actor"]), plain(detail))
    print_table(table)


def late(
    *,
    rule: RuleOption = None,
    limit: LimitOption = _ROWS,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List values that came too late to be judged, the newest first."""
    with opened_api(url, key) as api:
        found, more = listed(api, "/v1/alerts/late", "values", limit=limit, rule=rule)
    if as_json:
        print_json(found)
        return
    table = Table("measured", "came", "rule", "device", "quantity", "value")
    for one in found:
        table.add_row(
            instant(one["time"]),
            instant(one["seen"]),
            plain(one["rule"]),
            plain(f"{one['site']}/{one['device']}"),
            plain(one["quantity"]),
            number(one["value"], one["unit"]),
        )
    if found:
        print_table(table)
    typer.echo(counted_more(len(found), "late value", more=more))


def print_notices(console: Console, notices: Sequence[Json]) -> None:
    """Print who was told, by which channel, and with what outcome."""
    if not notices:
        console.print("nobody was told")
        return
    table = Table("told", "channel", "because", "outcome", "attempts", "said last")
    for one in notices:
        attempts = one["attempts"]
        said = one["error"] or (attempts[-1]["detail"] if attempts else "")
        table.add_row(
            instant(one["finished"] or one["created"]),
            plain(one["channel"]),
            one["occasion"],
            one["state"],
            str(len(attempts)),
            plain(cut(said)),
        )
    console.print(table)


def _detail(name: str, fact: Any) -> str:
    if name.endswith("_ns") and isinstance(fact, int):
        return f"{name.removesuffix('_ns')} {iso(fact)}"
    return f"{name} {fact}"


def _lines(alert: Json) -> list[tuple[str, Any]]:
    taken = alert["acknowledged"]
    who = f"{taken['by']} at {instant(taken['time'])}" if taken else ""
    rows: list[tuple[str, Any]] = [
        ("state", state(alert)),
        ("since", instant(alert["at"])),
        ("until", instant(alert["until"])),
        ("for", lasted(alert, datetime.now(tz=UTC))),
        ("class", alert["class"]),
        ("value", value(alert)),
        *((name, plain(text)) for name, text in facts(alert)),
        ("looked after by", plain(who)),
        ("note", plain(taken["note"] if taken else "")),
        ("explained by", plain(alert["cause"] or "")),
        ("silence", plain(alert["silence"] or "")),
        ("rule", plain(f"{alert['rule']} {alert['version']}")),
        ("what to do", plain(alert["runbook"])),
        ("id", plain(alert["id"])),
    ]
    return [(name, text) for name, text in rows if str(text)]


def _gravest_first(alert: Json) -> tuple[bool, int, float]:
    rank = SEVERITIES.index(alert["severity"]) if alert["severity"] in SEVERITIES else 0
    return (alert["state"] not in OPEN, rank, -datetime.fromisoformat(alert["at"]).timestamp())
