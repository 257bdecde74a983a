"""`passerelle alerts stats`: how many alarms, from what, and how soon somebody took them on."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.alerts.asked import JsonOption, print_json
from cli.alerts.listing import RuleOption, SiteOption
from cli.alerts.shown import duration, percent
from cli.alerts.words import about, instant
from cli.exports.chosen import KeyOption, ToOption, UrlOption
from cli.exports.client import opened_api
from cli.tables import plain
from core.clock import NS_PER_S

_RULES = 20


def stats(
    *,
    start: Annotated[
        str | None, typer.Option("--from", help="First instant: 2026-11-01, -30d; default -7d.")
    ] = None,
    end: ToOption = None,
    site: SiteOption = None,
    rule: RuleOption = None,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Show how many alarms there were, which few make most of them, and who was soon there."""
    given = {"from": start, "to": end, "site": site, "rule": rule}
    asked = {name: text for name, text in given.items() if text}
    with opened_api(url, key) as api:
        found = api.ask("GET", "/v1/alerts/statistics", params=asked)
    if as_json:
        print_json(found)
        return
    console = Console(highlight=False)
    a_day = found["alarms"] / found["days"] if found["days"] else 0.0
    noisiest, acknowledged = found["noisiest"], found["acknowledged"]
    each = found["alarms_per_subject_day"]
    half, most = (_seconds(acknowledged[name]) for name in ("p50_s", "p90_s"))
    rows = {
        "from": instant(found["start"]),
        "to": instant(found["end"]),
        "alarms": f"{found['alarms']:,} ({a_day:.3g} a day)",
        "a subject and day": "-" if each is None else f"{each:.3g}",
        "the noisiest 10 %": f"{noisiest['subjects']} of {found['subjects']} subjects make "
        f"{percent(noisiest['share'])}",
        "acknowledged": f"{acknowledged['count']:,}; half within {half}, nine tenths within {most}",
        "never acknowledged": f"{found['unattended']:,}",
        "open now": f"{found['open']:,}",
        "withdrawn": f"{found['withdrawn']:,}",
        "found afterwards": f"{found['retroactive']:,}",
    }
    grid = Table.grid(padding=(0, 2))
    for name, text in rows.items():
        grid.add_row(name, text)
    console.print(grid)
    if found["by_rule"]:
        table = Table("rule", "subjects", "alarms", "share")
        for one in found["by_rule"][:_RULES]:
            table.add_row(
                plain(one["rule"]), f"{one['subjects']:,}", f"{one['alarms']:,}",
                percent(one["share"]),
            )  # fmt: skip
        console.print(table)
    if noisiest["examples"]:
        table = Table("noisiest", "alarms", "share")
        for one in noisiest["examples"]:
            table.add_row(plain(about(one)), f"{one['alarms']:,}", percent(one["share"]))
        console.print(table)


def _seconds(found: float | None) -> str:
    return "-" if found is None else duration(found * NS_PER_S)
