"""The group of commands `passerelle snapshots`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.exports.chosen import (
    AggregateOption,
    DevicesOption,
    EveryOption,
    FromOption,
    KeyOption,
    PercentileOption,
    QuantitiesOption,
    SiteOption,
    ToOption,
    UrlOption,
    ZoneOption,
    selection,
)
from cli.exports.client import opened_api
from cli.exports.export import fetched, made
from cli.tables import plain, print_table

_PATH = "/v1/snapshots"

snapshots_app = typer.Typer(help="Queries that are frozen, for studies.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The snapshot.")]


@snapshots_app.command("create")
def create(
    title: Annotated[str, typer.Argument(help="What it is; it stands in the citation.")],
    *,
    devices: DevicesOption = None,
    site: SiteOption = None,
    quantities: QuantitiesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    zone: ZoneOption = None,
    every: EveryOption = None,
    aggregate: AggregateOption = None,
    percentile: PercentileOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Freeze a query for good; print its hash and how to cite it."""
    order = selection(
        devices=devices, site=site, quantities=quantities, start=start, end=end, zone=zone,
        every=every, aggregate=aggregate, percentile=percentile,
    )  # fmt: skip
    with opened_api(url, key) as api:
        snapshot = str(api.ask("POST", _PATH, json={**order, "title": title})["id"])
        done = made(api, f"{_PATH}/{snapshot}")
    typer.echo(f"snapshot {snapshot}: {done['rows']:,} rows, content {done['content_sha256']}")
    typer.echo(done["citation"]["en"])
    typer.echo(done["citation"]["fr"])


@snapshots_app.command("list")
def list_snapshots(*, url: UrlOption = None, key: KeyOption = None) -> None:
    """List snapshots, the newest first."""
    table = Table("snapshot", "title", "state", "rows", "created (UTC)", "content hash")
    count = 0
    with opened_api(url, key) as api:
        path: str | None = _PATH
        while path is not None:
            page = api.ask("GET", path)
            for one in page["snapshots"]:
                count += 1
                table.add_row(
                    one["id"], plain(one["title"]), one["state"], f"{one['rows']:,}",
                    f"{one['created'][:19]}Z", (one["content_sha256"] or "")[:16],
                )  # fmt: skip
            path = page["next"]
    if count:
        print_table(table)
    typer.echo(f"{count} snapshots")


@snapshots_app.command("show")
def show(snapshot: IdArgument, *, url: UrlOption = None, key: KeyOption = None) -> None:
    """Print one as JSON: hashes, data dictionary, completeness, citation."""
    with opened_api(url, key) as api:
        found = api.ask("GET", f"{_PATH}/{snapshot}")
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


@snapshots_app.command("fetch")
def fetch(
    snapshot: IdArgument,
    output: Annotated[Path, typer.Argument(help="The file (Parquet).")],
    *,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Fetch the frozen file; the checksum is verified."""
    with opened_api(url, key) as api:
        done = made(api, f"{_PATH}/{snapshot}")
        fetched(api, done, done["data"], output)
    typer.echo(f"{output}: {done['rows']:,} rows, sha256 {done['sha256']}")


@snapshots_app.command("verify")
def verify(snapshot: IdArgument, *, url: UrlOption = None, key: KeyOption = None) -> None:
    """Compare one with the store as it is now; exit code 1 when they differ."""
    with opened_api(url, key) as api:
        found = api.ask("GET", f"{_PATH}/{snapshot}/verify", timeout=None)
    typer.echo(found["explanation"])
    days = found["by_device_and_day"]
    if days:
        table = Table("site", "device", "day", "added", "removed", "changed")
        for one in days:
            table.add_row(
                one["site"], one["device"], one["day"],
                str(one["added"]), str(one["removed"]), str(one["changed"]),
            )  # fmt: skip
        print_table(table)
    if not (found["same"] and found["intact"]):
        raise typer.Exit(1)
