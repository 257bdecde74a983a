"""`passerelle sinks`: the further sinks of the settings, what they miss, and filling it."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import date
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.opened import opened_registry
from cli.tables import print_table
from core.clock import SystemClock, iso
from core.errors import ConfigurationError, NotFoundError
from core.settings import Settings, SinkSettings, load_settings
from core.sinks import SINKS_FACT, SinkReport
from ingest.refill import Refill
from storage.factory import open_sink, open_store
from storage.ports import SpanWriter

sinks_app = typer.Typer(help="Further sinks beside the store.", no_args_is_help=True)


@sinks_app.command("list")
def list_sinks(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List the sinks of every worker, by its last report, and what this worker's spool misses."""
    with opened_registry() as registry:
        reports = [
            (status.worker, report)
            for status in registry.workers.list()
            for report in msgspec.convert(status.facts.get(SINKS_FACT, []), list[SinkReport])
        ]
    if as_json:
        for worker, report in reports:
            line = {"worker": worker, **msgspec.to_builtins(report)}
            typer.echo(msgspec.json.encode(line).decode())
        return
    table = Table("worker", "sink", "circuit", "since", "waiting", "missed messages", "why")
    for worker, report in reports:
        table.add_row(
            worker,
            report.name,
            report.state.value,
            iso(report.since_ns),
            f"{report.lag_messages:,} messages, {report.lag_bytes:,} bytes, {report.lag_s:.0f} s",
            f"{report.missed_messages:,}",
            report.reason,
        )
    print_table(table)
    _print_gaps(load_settings())


def _print_gaps(settings: Settings) -> None:
    if not settings.spool_path.exists():
        return
    table = Table("sink", "positions", "received from", "to", "messages", "points")
    for sink in settings.sinks:
        with closing(Refill(path=settings.spool_path, sink=sink.name)) as refill:
            for gap in refill.gaps():
                table.add_row(
                    sink.name,
                    f"{gap.first_seq} to {gap.last_seq}",
                    iso(gap.since_ns),
                    iso(gap.until_ns),
                    f"{gap.messages:,}",
                    f"{gap.points:,}",
                )
    if table.row_count:
        typer.echo(f"not given, by {settings.spool_path}; `passerelle sinks refill NAME` fills it:")
        print_table(table)


@sinks_app.command("refill")
def refill_sink(name: Annotated[str, typer.Argument(help="Name of the sink.")]) -> None:
    """Write to a sink what it was not given, read from the store; interrupted, it goes on later."""
    settings = load_settings()
    sink = _named(settings, name)
    with (
        closing(Refill(path=settings.spool_path, sink=sink.name)) as refill,
        closing(open_store(settings)) as store,
        closing(open_sink(settings, sink)) as writer,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        ) as bar,
    ):
        task = bar.add_task("device days", total=refill.waiting()[0])

        def pause(seconds: float, reason: str) -> None:
            bar.update(task, description=f"{reason[:60]}; waiting")
            time.sleep(seconds)
            bar.update(task, description="device days")

        done = refill.run(
            store=store,
            writer=writer,
            at_once=writer.span_points if isinstance(writer, SpanWriter) else sink.batch_points,
            clock=SystemClock(),
            pause=pause,
            progress=lambda pieces: bar.advance(task, pieces),
        )
    typer.echo(f"{done.points:,} points of {done.pieces:,} device days written to {sink.name}")
    if done.rejected:
        typer.echo(f"{done.rejected:,} of them were refused: {'; '.join(done.reasons)}")
    if done.left:
        typer.echo(
            f"{done.left:,} device days are left: the store has not confirmed them yet, or they "
            "were passed over meanwhile; run this again later"
        )


@sinks_app.command("compact")
def compact_sink(
    name: Annotated[str, typer.Argument(help="Name of a sink of Parquet files.")],
    *,
    before: Annotated[str, typer.Option(help="Only days before this date (YYYY-MM-DD, UTC).")],
) -> None:
    """Merge the small files of past days into one for each site and day."""
    # Loading Arrow takes a while: only this command needs it.
    from storage.backends.parquet import directory_of  # noqa: PLC0415
    from storage.backends.parquet.compaction import Compacted, compact  # noqa: PLC0415

    sink = _named(load_settings(), name)
    if not sink.url.startswith("parquet:"):
        raise ConfigurationError(f"the sink {name} is not one of Parquet files: {sink.url}")
    try:
        day = date.fromisoformat(before)
    except ValueError:
        raise ConfigurationError(f"--before {before!r} is not a date like 2026-11-23") from None

    def tell(done: Compacted) -> None:
        typer.echo(
            f"site {done.site}, {done.day}: {done.files:,} files became one, "
            f"{done.rows_before:,} rows became {done.rows:,}"
        )

    try:
        changed = compact(directory_of(sink.url), before=day, progress=tell)
    except OSError as error:
        raise ConfigurationError(f"the files of {name} cannot be compacted: {error}") from None
    typer.echo(f"{changed:,} directories changed")


def _named(settings: Settings, name: str) -> SinkSettings:
    for sink in settings.sinks:
        if sink.name == name:
            return sink
    known = ", ".join(sink.name for sink in settings.sinks) or "none"
    raise NotFoundError(f"no sink is called {name!r} in the settings; there are: {known}")
