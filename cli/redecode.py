"""`passerelle redecode`: decode what was received again, with a profile as it is now."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from cli.dead_letters.chosen import instant
from cli.opened import opened_registry
from cli.redecode_report import print_report, say_what_was_left
from core.clock import NS_PER_S, Clock, SystemClock, iso
from core.errors import ConfigurationError
from core.settings import Settings, host_name, load_settings
from ingest.kept_points import KeptWriter
from ingest.redecode import PORTION, Redecode, Redecoded, Wanted
from ingest.redecode_compare import ChangeKind
from ingest.redecode_journal import JournalLine, note
from ingest.redecode_versions import ProfileJudges
from ingest.validate import ClockPolicy
from ingest.worker import limits_of
from storage.factory import open_store
from storage.ports import Store, ValueRemover

_WHEN = "Received then or later: 2026-11-23T08:00:00Z, a day, -24h."


def redecode(
    *,
    profile: Annotated[str, typer.Option(help="Name of the profile.")],
    since: Annotated[str, typer.Option("--from", help=_WHEN)],
    until: Annotated[
        str | None, typer.Option("--to", help="Received before then (default: now).")
    ] = None,
    version: Annotated[
        int | None, typer.Option(help="Version of the profile (default: the newest).", min=1)
    ] = None,
    site: Annotated[str, typer.Option(help="Only this site.")] = "",
    device: Annotated[str, typer.Option(help="Only this device.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and stop.")
    ] = False,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Delete the values that the profile gives no more."),
    ] = False,
    rate: Annotated[int | None, typer.Option(help="Messages a second, at most.", min=1)] = None,
    examples: Annotated[
        int, typer.Option(help="How many changes of each kind are printed.", min=0)
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Decode the raw archive again with a profile, and write what differs to the store."""
    settings, clock = load_settings(), SystemClock()
    now_ns = clock.now_ns()
    begin_ns, end_ns = instant("--from", since) or 0, instant("--to", until) or now_ns
    if begin_ns >= end_ns:
        raise ConfigurationError(f"--from {iso(begin_ns)} is not before --to {iso(end_ns)}")
    wanted = Wanted(begin_ns, end_ns, site, device)
    archive = _archive(settings)
    with ExitStack() as opened:
        registry = opened.enter_context(opened_registry())
        judges = ProfileJudges(
            registry=registry,
            profile=profile,
            version=version,
            limits=limits_of(settings),
            clock=ClockPolicy.from_settings(
                earliest=settings.ingest.clock_earliest, ahead_s=settings.ingest.clock_ahead_s
            ),
        )
        store = opened.enter_context(closing(_store(settings)))
        remover = _remover(store, settings) if remove else None
        told = KeptWriter(registry=registry, writer=store, reader=store, remover=remover)
        line = JournalLine(
            event="begun", run=now_ns, at=iso(now_ns), by=_operator(), profile=profile,
            version=judges.version, begin=iso(begin_ns), end=iso(end_ns), site=site, device=device,
        )  # fmt: skip
        bar = opened.enter_context(_bar())
        task = bar.add_task("decoding", total=end_ns - begin_ns, note="")
        run = Redecode(
            archive=archive,
            spool=settings.spool_path,
            judges=judges,
            store=store,
            writer=None if dry_run else told,
            remover=told if remover is not None and not dry_run else None,
            wanted=wanted,
            clock=clock,
            at_once=settings.store.batch_points,
            examples=examples,
            pause=_pause(bar, task),
            pace=_pace(clock, rate),
            progress=lambda _messages, at_ns: bar.update(task, completed=at_ns - begin_ns),
            portion=PORTION if rate is None else min(PORTION, rate),
        )
        if not dry_run:
            note(archive, line)
        done = run.run()
        if not dry_run:
            note(archive, _ended(line, done, at_ns=clock.now_ns()))
    print_report(done, profile=profile, version=judges.version, dry_run=dry_run, as_json=as_json)
    if not as_json:
        say_what_was_left(done, judges=judges, settings=settings, dry_run=dry_run)


def _archive(settings: Settings) -> Path:
    path = settings.archive_path
    if not path.is_dir():
        raise ConfigurationError(
            f"there is no archive {path}; set archive.enabled (PASSERELLE_ARCHIVE__ENABLED=true) "
            "to keep what is received from now on, and run this where the worker runs, with its "
            "settings"
        )
    return path


def _store(settings: Settings) -> Store:
    try:
        return open_store(settings)
    except ConfigurationError as error:
        if "open in another process" not in error.detail:
            raise
        raise ConfigurationError(
            f"{settings.store_url} is open in another process, such as `passerelle up`: one "
            "process at a time uses a DuckDB file. Stop it (what it received is on its disk, the "
            "broker keeps the rest), decode again, and start it again"
        ) from None


def _remover(store: Store, settings: Settings) -> ValueRemover:
    if isinstance(store, ValueRemover):
        return store
    raise ConfigurationError(
        f"--remove: values of single quantities cannot be deleted from {settings.store_url}; "
        "without it they are listed, and stay"
    )


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


def _pause(bar: Progress, task: TaskID) -> Callable[[float, str], None]:
    told: set[str] = set()

    def pause(seconds: float, reason: str) -> None:
        if reason not in told:
            told.add(reason)
            sys.stderr.write(f"waiting: {reason}\n")
        bar.update(task, note="waiting for the store")
        time.sleep(seconds)
        bar.update(task, note="")

    return pause


def _pace(clock: Clock, rate: int | None) -> Callable[[int], None]:
    """Return what waits until so many messages may follow those before."""
    next_s = clock.monotonic_s()

    def pace(messages: int) -> None:
        nonlocal next_s
        if rate is None:
            return
        now_s = clock.monotonic_s()
        time.sleep(max(0.0, next_s - now_s))
        next_s = max(next_s, now_s) + messages / rate

    return pace


def _operator() -> str:
    try:
        return f"{getpass.getuser()}@{host_name()}"
    except (KeyError, OSError):  # a container's user may have no name
        return host_name()


def _ended(line: JournalLine, done: Redecoded, *, at_ns: int) -> JournalLine:
    return JournalLine(
        event="done", run=line.run, at=iso(at_ns // NS_PER_S * NS_PER_S), by=line.by,
        profile=line.profile, version=line.version, begin=line.begin, end=line.end,
        site=line.site, device=line.device, messages=done.messages,
        added=done.count(ChangeKind.ADDED), changed=done.count(ChangeKind.CHANGED),
        removed=done.count(ChangeKind.REMOVED), deleted=done.deleted, points=done.points,
        rejected=done.rejected,
    )  # fmt: skip
