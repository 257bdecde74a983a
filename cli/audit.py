"""`passerelle audit`: who read vital signs, was refused, or changed what somebody may."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer
from rich.table import Table

from cli.opened import opened_registry
from cli.tables import plain, print_table
from core.clock import iso
from devices.registry import AuditEvent, AuditFilter

audit_app = typer.Typer(help="Who read, was refused, or changed what.", no_args_is_help=True)


@audit_app.command("list")
def list_audit(
    *,
    event: Annotated[
        AuditEvent | None, typer.Option(help="Only read, refused, access or alert.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Only this actor, by id or name.")] = None,
    site: Annotated[str | None, typer.Option(help="Only reads at this site.")] = None,
    limit: Annotated[int, typer.Option(help="Rows, at most.", min=1)] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """Show the newest rows."""
    wanted = AuditFilter(event=event, actor=actor, site=site)
    with opened_registry() as registry:
        rows = registry.audit.list(wanted, limit=limit)
    if as_json:
        for row in rows:
            typer.echo(msgspec.json.encode(row).decode())
        return
    table = Table("id", "time", "event", "outcome", "who", "what", "sites", "quantities", "rows")
    for row in rows:
        who = row.actor.name or row.actor.id or row.actor.kind
        what = " ".join(part for part in (row.method, row.route, row.detail) if part)
        more = f" ({row.times} times)" if row.times > 1 else ""
        table.add_row(
            str(row.id),
            iso(row.time_ns),
            row.event,
            row.outcome,
            plain(f"{who} {row.actor.address}".strip()),
            plain(what + more),
            " ".join(row.sites),
            " ".join(row.quantities),
            str(row.rows),
        )
    print_table(table)


@audit_app.command("verify")
def verify() -> None:
    """Look whether every row is as it was written; the exit code is 1 when one is not."""
    with opened_registry() as registry:
        broken = registry.audit.verify()
        newest = registry.audit.list(AuditFilter(), limit=1)
    if broken is not None:
        typer.echo(f"row {broken} is not as it was written, or is missing")
        raise typer.Exit(1)
    count, chain = (newest[0].id, newest[0].chain) if newest else (0, "none")
    typer.echo(f"{count} rows are as they were written; chain {chain}")
