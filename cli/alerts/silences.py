"""`passerelle alerts silences` and `maintenance`: what nobody is told of for a while."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from alerts.rules.reading import RuleProblem, duration_ns
from api.problems import InvalidParameterError
from api.times import parse_instant
from cli.alerts.asked import (
    JsonOption,
    LimitOption,
    ReasonOption,
    counted_more,
    listed,
    print_json,
)
from cli.alerts.words import Json, cut, instant
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import opened_api
from cli.tables import plain, print_table
from core.clock import SystemClock, iso
from core.errors import ConfigurationError

_PATH = "/v1/silences"
_ROWS = 100
_UTC = ZoneInfo("UTC")

silences_app = typer.Typer()
maintenance_app = typer.Typer(help="Windows in which work is done.", no_args_is_help=True)


class Kind(StrEnum):
    """Why alerts are muted."""

    SILENCE = "silence"
    MAINTENANCE = "maintenance"


RulesOption = Annotated[list[str] | None, typer.Option("--rule", help="Rules; repeatable.")]
SeveritiesOption = Annotated[list[str] | None, typer.Option("--severity", help="Severities.")]
ClassesOption = Annotated[list[str] | None, typer.Option("--class", help="Kinds of alerts.")]
SitesOption = Annotated[list[str] | None, typer.Option("--site", help="Sites; * is anything.")]
BuildingsOption = Annotated[list[str] | None, typer.Option("--building", help="Buildings.")]
ZonesOption = Annotated[list[str] | None, typer.Option("--zone", help="Rooms or areas.")]
DevicesOption = Annotated[list[str] | None, typer.Option("--device", help="Devices.")]
PersonsOption = Annotated[list[str] | None, typer.Option("--person", help="Pseudonyms.")]
StartOption = Annotated[str, typer.Option("--from", help="Since when: now, 2026-11-24T07:00Z.")]
EndOption = Annotated[str | None, typer.Option("--until", help="Until when, exclusive.")]
LengthOption = Annotated[str | None, typer.Option("--for", help="For how long: 30m, 2h, 1d.")]


@silences_app.callback(invoke_without_command=True)
def silences(
    context: typer.Context,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """What nobody is told of for a while, and why; alone it lists them."""
    if context.invoked_subcommand is None:
        list_silences(as_json=as_json, url=url, key=key)


@silences_app.command("list")
def list_silences(
    *,
    limit: LimitOption = _ROWS,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List silences and maintenance windows that are not over."""
    with opened_api(url, key) as api:
        found, more = listed(api, _PATH, "silences", limit=limit)
    if as_json:
        print_json(found)
        return
    table = Table("kind", "what", "by", "reason", "from", "until", "now", "id")
    for one in found:
        table.add_row(
            one["kind"],
            plain(_match_text(one["match"])),
            plain(one["by"]),
            plain(cut(one["reason"])),
            instant(one["start"]),
            instant(one["end"]),
            "counts" if one["active"] else "",
            plain(one["id"]),
        )
    if found:
        print_table(table)
    typer.echo(counted_more(len(found), "silence", more=more))


@silences_app.command("add")
def add(
    *,
    rule: RulesOption = None,
    severity: SeveritiesOption = None,
    alarm_class: ClassesOption = None,
    site: SitesOption = None,
    building: BuildingsOption = None,
    zone: ZonesOption = None,
    device: DevicesOption = None,
    person: PersonsOption = None,
    start: StartOption = "now",
    length: LengthOption = None,
    end: EndOption = None,
    reason: ReasonOption,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Silence whatever fits everything that is given; one option may be given several times."""
    match = _match(rule, severity, alarm_class, site, building, zone, device, person)
    order = {"kind": Kind.SILENCE.value, "match": match, "reason": reason}
    _make(order | _times(start, length, end), as_json=as_json, url=url, key=key)


@maintenance_app.command("add")
def add_maintenance(
    *,
    rule: RulesOption = None,
    severity: SeveritiesOption = None,
    alarm_class: ClassesOption = None,
    site: SitesOption = None,
    building: BuildingsOption = None,
    zone: ZonesOption = None,
    device: DevicesOption = None,
    person: PersonsOption = None,
    start: StartOption = "now",
    length: LengthOption = None,
    end: EndOption = None,
    reason: ReasonOption,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Plan a maintenance window: alerts are expected there, and nobody is told of them."""
    match = _match(rule, severity, alarm_class, site, building, zone, device, person)
    order = {"kind": Kind.MAINTENANCE.value, "match": match, "reason": reason}
    _make(order | _times(start, length, end), as_json=as_json, url=url, key=key)


@silences_app.command("end")
def end_silence(
    silence: Annotated[str, typer.Argument(metavar="ID", help="The silence.")],
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """End a silence or a maintenance window before its time."""
    with opened_api(url, key) as api:
        found = api.ask("POST", f"{_PATH}/{quote(silence, safe='')}/end")
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{found['kind']} {found['id']} ended at {instant(found['end'])}")


def _match(*given: list[str] | None) -> dict[str, list[str]]:
    names = ("rule", "severity", "class", "site", "building", "zone", "device", "person")
    found = {name: patterns for name, patterns in zip(names, given, strict=True) if patterns}
    if not found:
        raise ConfigurationError(
            "say which alerts are meant: --rule, --site, --device ...; --rule '*' means all"
        )
    return found


def _times(start: str, length: str | None, end: str | None) -> dict[str, str]:
    if (length is None) == (end is None):
        raise ConfigurationError("say until when: one of --for and --until")
    if length is None:
        return {"start": start, "end": str(end)}
    try:
        lasts_ns = duration_ns(length, ())
        start_ns = parse_instant(
            start, parameter="--from", now_ns=SystemClock().now_ns(), zone=_UTC
        )
    except RuleProblem as problem:
        raise ConfigurationError(f"option --for: {problem.detail}") from None
    except InvalidParameterError as error:
        raise ConfigurationError(f"option --from: {error.detail}") from None
    return {"start": start, "end": iso(start_ns + lasts_ns)}


def _make(order: dict[str, Any], *, as_json: bool, url: str | None, key: str | None) -> None:
    with opened_api(url, key) as api:
        found = api.ask("POST", _PATH, json=order)
    if as_json:
        print_json(found)
        return
    what = plain(_match_text(found["match"])).plain
    times = f"{instant(found['start'])} to {instant(found['end'])}"
    typer.echo(f"{found['kind']} {found['id']} of {what}, {times}")


def _match_text(match: Json) -> str:
    return "; ".join(f"{name} {', '.join(some)}" for name, some in match.items() if some)
