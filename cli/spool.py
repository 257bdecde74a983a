"""`passerelle spool`: what a worker's disk queue holds, and getting it out of a damaged one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.opened import opened_registry
from core.clock import SystemClock
from core.settings import load_settings
from ingest.damaged import files_set_aside
from ingest.salvage import salvage
from storage.factory import open_store

spool_app = typer.Typer(help="The worker's disk queue.", no_args_is_help=True)


@spool_app.command("set-aside")
def list_set_aside() -> None:
    """List the damaged spools that were set aside and are not salvaged, oldest first."""
    for path in files_set_aside(load_settings().spool_path):
        typer.echo(path)


@spool_app.command("salvage")
def salvage_spool(
    file: Annotated[Path, typer.Argument(help="The spool that was set aside.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what waits in it and can be read.")
    ] = False,
) -> None:
    """Write what waits in a damaged spool to the store, and settle its account."""
    settings = load_settings()
    with (
        opened_registry() as registry,
        Progress(
            TextColumn("messages"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bar,
    ):
        task = bar.add_task("messages", total=None)
        done = salvage(
            file,
            worker=settings.ingest.worker,
            registry=registry,
            open_store=lambda: open_store(settings),
            clock=SystemClock(),
            batch_points=settings.store.batch_points,
            dry_run=dry_run,
            progress=lambda count, total: bar.update(task, completed=count, total=total),
        )
    typer.echo(f"{done.waiting:,} messages waited for the store, {done.readable:,} can be read")
    if done.unreadable:
        typer.echo(f"not every row can be read of: {', '.join(done.unreadable)}")
    if dry_run:
        return
    typer.echo(f"{done.stored:,} of them are stored now, {done.dead_lettered:,} were refused")
    if left := done.waiting - done.stored - done.dead_lettered:
        typer.echo(f"{left:,} stay pending in the account: keep {file}")
        raise typer.Exit(1)
