"""`passerelle dead-letters list` and `summary`."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from cli.dead_letters.chosen import (
    DeviceOption,
    ProfileOption,
    ReasonOption,
    ScopeOption,
    SinceOption,
    SiteOption,
    State,
    StateOption,
    UntilOption,
    WorkerOption,
    chosen,
    counted,
    pages,
)
from cli.opened import opened_registry
from cli.tables import plain, print_table
from core.clock import iso
from core.reasons import what_to_do
from devices.registry import DeadLetter, DeadLetterState, Registry

_ROWS = 50
_DETAIL = 60


def list_letters(
    *,
    site: SiteOption = None,
    device: DeviceOption = None,
    reason: ReasonOption = None,
    scope: ScopeOption = None,
    profile: ProfileOption = None,
    worker: WorkerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    state: StateOption = State.OPEN,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help=f"Rows, at most (default: {_ROWS}; with --json: all)."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines.")] = False,
) -> None:
    """List dead letters, newest first, then how many there are of each reason."""
    wanted = chosen(
        site=site, device=device, reason=reason, scope=scope, profile=profile, worker=worker,
        since=since, until=until,
    )  # fmt: skip
    with opened_registry() as registry:
        found = (one for page in pages(registry, wanted, state, payloads=False) for one in page)
        if as_json:
            for letter in islice(found, limit):
                typer.echo(msgspec.json.encode(shown(letter)).decode())
            return
        rows = list(islice(found, limit or _ROWS))
        counts = counted(registry, wanted, state)
    table = Table("id", "received (UTC)", "site", "device", "reason", "scope", "bytes", "detail")
    for letter in rows:
        detail = letter.detail
        table.add_row(
            letter.id,
            iso(letter.received_ns)[:19] + "Z",
            plain(letter.site),
            plain(letter.device),
            letter.reason,
            letter.scope,
            f"{letter.size:,}",
            plain(detail if len(detail) <= _DETAIL else f"{detail[:_DETAIL]}..."),
        )
    if rows:
        print_table(table)
    for name, count in counts.items():
        typer.echo(f"{count:>9,}  {name}")
    total = sum(counts.values())
    hidden = f"; the newest {len(rows):,} are shown" if total > len(rows) else ""
    word = "" if state is State.ALL else f"{state.value} "
    typer.echo(f"{total:>9,}  {word}dead letters{hidden}")


def summary() -> None:
    """Say how many dead letters there are, how full the workers are, and what to do."""
    with opened_registry() as registry:
        by_reason: dict[str, dict[str, int]] = {}
        for (reason, state), count in registry.dead_letters.counts().items():
            by_reason.setdefault(reason, {})[state] = count
        workers = _workers(registry)
    table = Table("reason", "open", "replayed", "discarded", "what to do")
    order = sorted(
        by_reason.items(), key=lambda item: (-item[1].get(DeadLetterState.OPEN, 0), item[0])
    )
    for reason, states in order:
        table.add_row(
            reason, *(f"{states.get(state, 0):,}" for state in DeadLetterState), what_to_do(reason)
        )
    if by_reason:
        print_table(table)
    else:
        typer.echo("no dead letter: everything that was received could be used")
    for line in workers:
        typer.echo(line)


def shown(letter: DeadLetter) -> dict[str, Any]:
    """Return what a list says of a dead letter, as JSON has it."""
    return {
        "id": letter.id,
        "received": iso(letter.received_ns),
        "site": letter.site,
        "device": letter.device,
        "reason": letter.reason,
        "detail": letter.detail,
        "scope": letter.scope,
        "state": letter.state,
        "profile": letter.profile,
        "worker": letter.worker,
        "topic": letter.topic,
        "properties": letter.properties,
        "size": letter.size,
        "attempts": letter.attempts,
        "updated": iso(letter.updated_ns),
        "settled_by": letter.settled_by,
        "settled_why": letter.settled_why,
    }


def _workers(registry: Registry) -> list[str]:
    lines = []
    for status in registry.workers.list():
        told = status.facts.get("dead_letters")
        if isinstance(told, dict):
            line = f"{status.worker}: {told.get('open', 0):,} open, {told.get('bytes', 0):,} bytes"
            if note := told.get("note"):
                line += f"; {note}"
            lines.append(line)
        if status.spool_full and "spool" in status.facts:
            lines.append(f"{status.worker} has stopped acknowledging: {status.facts['spool']}")
    return lines
