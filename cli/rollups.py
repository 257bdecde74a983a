"""`passerelle rollups`: what is kept beside the store, and having it made anew."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.opened import opened_registry
from core.clock import NS_PER_S, SystemClock, hour_of, iso
from devices.registry.kept import LATEST_FILLED
from storage.refusal import EARLIEST_NS

rollups_app = typer.Typer(help="Hourly roll-ups and newest values.", no_args_is_help=True)


@rollups_app.command("status")
def status() -> None:
    """Say since when hours are rolled up, how many wait, and whether newest values are complete."""
    with opened_registry() as registry:
        kept = registry.kept
        rolled_from, marked = kept.rolled_from(), kept.marked()
        filled = kept.state(LATEST_FILLED) == 1
    if rolled_from is None:
        typer.echo("no worker has begun: start one (`passerelle up`, or `python -m ingest`)")
        return
    beginning = rolled_from <= hour_of(EARLIEST_NS)
    since = "all of history" if beginning else f"from {iso(rolled_from * NS_PER_S)} on"
    typer.echo(f"rolled up: {since}")
    typer.echo(f"hours that wait to be rolled up: {marked:,}")
    typer.echo(f"newest values: {'complete' if filled else 'being looked up in the store'}")


@rollups_app.command("rebuild")
def rebuild(*, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Have roll-ups and newest values made anew from the store, by the workers that run.

    For when the store was changed by something else, or the registry was restored from a backup.
    Queries are answered from raw values meanwhile.
    """
    if not yes:
        typer.confirm("Make every roll-up anew? It takes workers a while", abort=True)
    with opened_registry() as registry:
        registry.kept.begin_anew(from_hour=hour_of(SystemClock().now_ns()) + 3600)
    typer.echo("begun; `passerelle rollups status` says how far it is")
