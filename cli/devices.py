"""`passerelle devices`: the registered devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from cli.assignments import assign, assignments, unassign
from cli.opened import opened_registry
from cli.tables import plain, print_table
from core.clock import iso
from devices.registry.csv_import import read_devices_csv
from devices.registry.labels import label_text, parse_labels
from devices.registry.records import Device

devices_app = typer.Typer(help="Registered devices.", no_args_is_help=True)


@devices_app.command("list")
def list_devices(
    *,
    site: Annotated[str | None, typer.Option(help="Only those of this site.")] = None,
    profile: Annotated[str | None, typer.Option(help="Only those of this profile.")] = None,
    search: Annotated[str | None, typer.Option(help="Only those with this text in them.")] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Only those with this label, name=value; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List devices."""
    wanted = parse_labels(label or ()).items()
    with opened_registry() as registry:
        found: list[Device] = []
        after: str | None = None
        while page := registry.devices.list(
            site=site, profile=profile, search=search, after=after, limit=1000
        ):
            found.extend(one for one in page if wanted <= one.labels.items())
            after = page[-1].id
    if as_json:
        for device in found:
            typer.echo(msgspec.json.encode(device).decode())
        return
    table = Table("id", "site", "profile", "name", "building", "zone", "every", "labels")
    for device in found:
        every = f"{device.interval_s:g} s" if device.interval_s else ""
        table.add_row(
            device.id,
            device.site,
            device.profile,
            plain(device.name),
            plain(device.building),
            plain(device.zone),
            every,
            plain(label_text(device.labels)),
        )
    print_table(table)
    typer.echo(f"{len(found)} devices")


@devices_app.command("add")
def add(
    device: Annotated[str, typer.Argument(help="Its id: a slug, unique on the platform.")],
    *,
    site: Annotated[str, typer.Option(help="Its site.")],
    profile: Annotated[str, typer.Option(help="The profile that decodes it.")],
    external_id: Annotated[
        str | None, typer.Option(help="Its name in topics (default: the id).")
    ] = None,
    name: Annotated[str, typer.Option(help="Its name, for people.")] = "",
    building: Annotated[str, typer.Option(help="Where it is.")] = "",
    zone: Annotated[str, typer.Option(help="Room or area.")] = "",
    interval: Annotated[
        float | None, typer.Option(help="How often it is expected to publish, seconds.")
    ] = None,
    hardware_id: Annotated[str, typer.Option(help="A stable hardware identifier.")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option(help="For rules to select by: name=value, such as floor=2; repeatable."),
    ] = None,
) -> None:
    """Register a device."""
    labels = parse_labels(label or ())
    with opened_registry() as registry:
        registry.devices.add(
            Device(
                id=device,
                site=site,
                profile=profile,
                external_id=external_id or device,
                name=name,
                building=building,
                zone=zone,
                interval_s=interval,
                hardware_id=hardware_id,
                labels=labels,
            )
        )
    typer.echo(f"device {device} is registered at {site}; workers know it within seconds")


@devices_app.command("update")
def update(
    device: Annotated[str, typer.Argument(help="Its id.")],
    *,
    name: Annotated[str | None, typer.Option(help="Its name, for people.")] = None,
    building: Annotated[str | None, typer.Option(help="Where it is.")] = None,
    zone: Annotated[str | None, typer.Option(help="Room or area.")] = None,
    interval: Annotated[
        float | None,
        typer.Option(help="How often it is expected to publish, seconds; 0: not known."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Set a label, name=value; take it away, name=; repeatable."),
    ] = None,
) -> None:
    """Change what is given of a device; the rest stays."""
    said = {"name": name, "building": building, "zone": zone}
    changes: dict[str, Any] = {field: text for field, text in said.items() if text is not None}
    if interval is not None:
        changes["interval_s"] = interval or None
    labels = parse_labels(label or ())
    with opened_registry() as registry:
        before = registry.devices.get(device)
        kept = {one: value for one, value in (before.labels | labels).items() if value}
        made = registry.devices.update(msgspec.structs.replace(before, labels=kept, **changes))
    changed = [
        one for one in before.__struct_fields__ if getattr(made, one) != getattr(before, one)
    ]
    typer.echo(f"device {device}: {', '.join(changed)} changed" if changed else "nothing changed")


@devices_app.command("show")
def show(device: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Show a device and how its messages are accounted for."""
    with opened_registry() as registry:
        found = registry.devices.get(device)
        totals = registry.ledger.totals(device=device)
    table = Table(show_header=False)
    for field in msgspec.structs.fields(Device):
        value = getattr(found, field.name)
        table.add_row(field.name, plain(_shown(field.name, value)))
    for column in ("received", "stored", "duplicate", "dead_lettered", "pending"):
        table.add_row(f"messages {column}", f"{getattr(totals, column):,}")
    print_table(table)


@devices_app.command("import")
def import_csv(
    file: Annotated[Path, typer.Argument(help="CSV with the columns id, site, profile, ...")],
) -> None:
    """Register the devices of a CSV file: all of them, or none when a line is wrong."""
    devices = read_devices_csv(file)
    with opened_registry() as registry:
        result = registry.devices.add_many(devices)
    typer.echo(
        f"{result.added} devices added, {result.updated} updated, {result.unchanged} unchanged"
    )


for _command in (assign, unassign, assignments):
    devices_app.command()(_command)


def _shown(field: str, value: Any) -> str:
    match field:
        case "created_ns":
            return iso(value)
        case "labels":
            return label_text(value)
        case _:
            return str(value)
