"""`passerelle devices assign`, `unassign`, `assignments`: who wears or uses which device."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from cli.dead_letters.chosen import instant
from cli.opened import opened_registry
from cli.tables import plain, print_table
from core.clock import iso
from core.errors import NotFoundError
from devices.registry import Assignment, AuditEntry, AuditEvent, AuditOutcome, Registry
from devices.registry.access_records import LOCAL

DeviceId = Annotated[str, typer.Argument(help="Its id.", show_default=False)]
_PERSON = "person"


def assign(
    device: DeviceId,
    person: Annotated[str, typer.Argument(help="A pseudonym, never a name.", show_default=False)],
    *,
    since: Annotated[
        str, typer.Option("--from", help="Since when: an instant, a day (UTC), or such as -2h.")
    ] = "now",
    until: Annotated[
        str | None, typer.Option("--until", help="Until when; default: until further notice.")
    ] = None,
) -> None:
    """Give a device to a person; it is with one person at a time."""
    start_ns = instant("--from", since) or 0
    end_ns = instant("--until", until)
    with opened_registry() as registry:
        made = registry.assignments.assign(
            device, person, start_ns=start_ns, end_ns=end_ns, by=LOCAL.name
        )
        _note(registry, "devices assign", [made])
    until_text = "until further notice" if end_ns is None else f"until {iso(end_ns)}"
    typer.echo(f"device {device} is with {person} from {iso(start_ns)} {until_text}")


def unassign(
    device: DeviceId,
    *,
    at: Annotated[
        str, typer.Option(help="When it ends: an instant, a day (UTC), or such as -2h.")
    ] = "now",
) -> None:
    """Say that a device is with a person no more."""
    end_ns = instant("--at", at) or 0
    with opened_registry() as registry:
        found = registry.assignments.list(device=device, at_ns=end_ns)
        if not found:
            raise NotFoundError(
                f"device {device[:80]!r} is with nobody at {iso(end_ns)}; "
                "see `passerelle devices assignments`"
            )
        ended = registry.assignments.end(found[0].id, end_ns=end_ns, by=LOCAL.name)
        _note(registry, "devices unassign", [ended])
    typer.echo(f"device {device} was with {ended.person} until {iso(end_ns)}")


def assignments(
    *,
    device: Annotated[str | None, typer.Option(help="Only those of this device.")] = None,
    person: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    site: Annotated[str | None, typer.Option(help="Only those at this site.")] = None,
    at: Annotated[str | None, typer.Option(help="Only those that count at this instant.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List who wears or uses which device, the newest first."""
    with opened_registry() as registry:
        found = registry.assignments.list(
            device=device,
            person=person,
            sites=None if site is None else [site],
            at_ns=instant("--at", at),
        )
        _note(registry, "devices assignments", found)
    if as_json:
        for one in found:
            typer.echo(msgspec.json.encode(one).decode())
        return
    table = Table("number", "device", "person", "from", "until")
    for one in found:
        until = "" if one.end_ns is None else iso(one.end_ns)
        table.add_row(str(one.id), one.device, plain(one.person), iso(one.start_ns), until)
    print_table(table)
    typer.echo(f"{len(found)} assignments")


def _note(registry: Registry, command: str, told: list[Assignment]) -> None:
    """Write down who looked at whose devices, as the API does."""
    if not told:
        return
    registry.audit.append(
        [
            AuditEntry(
                time_ns=0,
                event=AuditEvent.READ,
                outcome=AuditOutcome.ANSWERED,
                actor=LOCAL,
                route=command,
                sites=tuple(sorted({one.site for one in told})),
                devices=len({one.device for one in told}),
                quantities=(_PERSON,),
                rows=len(told),
            )
        ]
    )
