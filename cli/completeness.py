"""`passerelle completeness`: the account of every message, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from cli.opened import opened_registry
from cli.ranges import DeviceOption, FromOption, SiteOption, ToOption, chosen_hours
from cli.tables import print_table
from core.clock import NS_PER_S, iso
from devices.registry import LedgerRow, Registry
from ingest.ledger import NO_BOOT

_PAGE = 5000
_COUNTS = ("received", "stored", "duplicate", "dead_lettered", "pending", "missing")


class By(StrEnum):
    """What one row counts."""

    HOUR = "hour"
    BOOT = "boot"
    DEVICE = "device"
    SITE = "site"


class _Row(msgspec.Struct, frozen=True):
    site: str
    device: str | None
    hour: str | None
    boot: int | None
    counts: dict[str, int]

    @property
    def stored_percent(self) -> float | None:
        """Stored of received, percent."""
        received = self.counts["received"]
        return 100 * self.counts["stored"] / received if received else None

    def told(self) -> dict[str, Any]:
        """Return the row as JSON shows it."""
        counts = self.counts
        accounted = sum(counts[name] for name in _COUNTS[1:5])
        return {
            "site": self.site,
            "device": self.device,
            "hour": self.hour,
            "boot": self.boot,
            **counts,
            "stored_percent": self.stored_percent,
            "balanced": counts["received"] == accounted,
        }


def completeness(
    *,
    site: SiteOption = None,
    device: DeviceOption = None,
    start: FromOption = "-24h",
    end: ToOption = None,
    by: Annotated[By, typer.Option(help="What one row counts.")] = By.DEVICE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Show what became of every message, and how many never came."""
    first, after = chosen_hours(start, end)
    with opened_registry() as registry:
        rows = _rows(registry, by, site=site, device=device, start_hour=first, end_hour=after)
        if as_json:
            for row in rows:
                typer.echo(msgspec.json.encode(row.told()).decode())
            return
        shown = list(rows)
    keys = {
        By.HOUR: ("site", "device", "hour"),
        By.BOOT: ("site", "device", "boot"),
        By.DEVICE: ("site", "device"),
        By.SITE: ("site",),
    }[by]
    table = Table()
    for name in keys:
        table.add_column(name, overflow="fold")
    for name in (*_COUNTS[:5], "stored %", "never received"):
        table.add_column(name.replace("_", "-"), justify="right")
    for row in shown:
        table.add_row(*(_key(row, name) for name in keys), *_figures(row.counts))
    total = {name: sum(row.counts[name] for row in shown) for name in _COUNTS}
    if len(shown) != 1:
        table.add_section()
        table.add_row("total", *("" for _ in keys[1:]), *_figures(total))
    print_table(table)
    typer.echo(
        "received = stored + duplicate + dead-lettered + pending. Never received: numbers of the "
        "devices' own counters that did not come; they are no part of received, and a message "
        "that is dead-lettered unread has its number among them."
    )


def _figures(counts: dict[str, int]) -> list[str]:
    received, missing = counts["received"], counts["missing"]
    stored = f"{100 * counts['stored'] / received:.2f}" if received else "-"
    sent = received - counts["duplicate"] + missing
    share = f" ({100 * missing / sent:.2f} %)" if missing else ""
    return [*(f"{counts[name]:,}" for name in _COUNTS[:5]), stored, f"{missing:,}{share}"]


def _key(row: _Row, name: str) -> Text:
    value = getattr(row, name)
    if name == "boot":
        return Text("none told" if value == NO_BOOT else str(value), justify="right")
    return Text(value or "")


def _rows(
    registry: Registry,
    by: By,
    *,
    site: str | None,
    device: str | None,
    start_hour: int | None,
    end_hour: int | None,
) -> Iterator[_Row]:
    ledger = registry.ledger
    if by is By.BOOT:
        pages = _pages(
            lambda after: ledger.by_boot(
                site=site,
                device=device,
                start_hour=start_hour,
                end_hour=end_hour,
                after=after,
                limit=_PAGE,
            ),
            lambda row: (row.site, row.device, row.boot),
        )
        for row in pages:
            yield _Row(row.site, row.device, None, row.boot, _summed([row]))
        return
    found = _pages(
        lambda after: ledger.read(
            site=site,
            device=device,
            start_hour=start_hour,
            end_hour=end_hour,
            after=after,
            limit=_PAGE,
        ),
        lambda row: (row.site, row.device, row.hour),
    )
    if by is By.HOUR:
        for row in found:
            yield _Row(row.site, row.device, iso(row.hour * NS_PER_S), None, _summed([row]))
        return
    keys: dict[By, Callable[[LedgerRow], tuple[str, str | None]]] = {
        By.DEVICE: lambda row: (row.site, row.device),
        By.SITE: lambda row: (row.site, None),
    }
    for (at, name), members in groupby(found, key=keys[by]):
        yield _Row(at, name, None, None, _summed(members))


def _pages(
    read: Callable[[tuple[str, str, int] | None], list[LedgerRow]],
    place: Callable[[LedgerRow], tuple[str, str, int]],
) -> Iterator[LedgerRow]:
    after: tuple[str, str, int] | None = None
    while page := read(after):
        yield from page
        after = place(page[-1])


def _summed(rows: Iterable[LedgerRow]) -> dict[str, int]:
    counts = dict.fromkeys(_COUNTS, 0)
    for row in rows:
        for name in _COUNTS:
            counts[name] += getattr(row, name)
    return counts
