"""Following what the workers do about dead letters, and saying what came of it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.tables import plain, print_table
from core.clock import NS_PER_S, SystemClock
from core.errors import ConflictError, PasserelleError
from devices.registry import LetterAction, LetterFate, LetterOutcome, LetterRequest, Registry

_POLL_S = 0.2
_SILENT_S = 15.0
_STAY = (LetterFate.OPEN.value, LetterFate.MISSING.value)
_COLUMNS = {
    LetterAction.REPLAY: {"replayed": (LetterFate.REPLAYED,)},
    LetterAction.DISCARD: {"discarded": (LetterFate.DISCARDED,)},
    LetterAction.DRY_RUN: {
        "would be stored": (LetterFate.STORED,),
        "nothing to store": (LetterFate.NOTHING,),
        "duplicate": (LetterFate.DUPLICATE,),
    },
}


class InterruptedByOperatorError(PasserelleError):
    """Ctrl-C stopped the requests; the sentence says how to go on."""


def require_workers(registry: Registry, requests: Sequence[LetterRequest]) -> None:
    """Check that the workers that hold the dead letters report.

    Raises:
        PasserelleError: one does not.
    """
    now_ns = SystemClock().now_ns()
    alive = {
        status.worker
        for status in registry.workers.list()
        if now_ns - status.seen_ns < _SILENT_S * NS_PER_S
    }
    silent = sorted({request.worker for request in requests} - alive)
    if silent:
        raise PasserelleError(
            f"{', '.join(silent)}, which holds some of them, does not report; start it, and it "
            f"carries out {numbers(requests)}"
        )


def follow(registry: Registry, requests: Sequence[LetterRequest]) -> list[LetterRequest]:
    """Wait until the requests are done, with a progress bar on a terminal; return them then.

    Raises:
        InterruptedByOperatorError: Ctrl-C; the requests are stopped where they are.
        PasserelleError: a worker does not report.
    """
    try:
        return _followed(registry, requests)
    except KeyboardInterrupt:
        waiting = [one for one in requests if _stop(registry, one)]
    again = " ".join(f"--resume {one.id}" for one in waiting)
    raise InterruptedByOperatorError(
        f"stopped; `passerelle dead-letters replay {again}` goes on from there"
        if waiting
        else "the workers were done already"
    )


def numbers(requests: Sequence[LetterRequest]) -> str:
    """Return the numbers of requests, for a sentence."""
    shown = ", ".join(str(request.id) for request in requests)
    return f"request {shown}" if len(requests) == 1 else f"requests {shown}"


def print_outcomes(action: LetterAction, requests: Sequence[LetterRequest]) -> None:
    """Print what became, or would become, of dead letters of each reason, and why some stay."""
    columns = _COLUMNS[action]
    outcomes = [one for request in requests for one in request.outcomes]
    table = Table("reason", *columns, "stay" if action is LetterAction.DRY_RUN else "stayed")
    for reason in dict.fromkeys(one.reason for one in outcomes):
        mine = [one for one in outcomes if one.reason == reason]
        counts = [_sum(mine, tuple(fate.value for fate in fates)) for fates in columns.values()]
        table.add_row(reason, *(f"{count:,}" for count in (*counts, _sum(mine, _STAY))))
    if outcomes:
        print_table(table)
    stay: dict[str, tuple[int, str]] = {}
    for one in outcomes:
        if one.fate in _STAY:
            count, said = stay.get(one.reason_now, (0, one.detail))
            stay[one.reason_now] = (count + one.count, said)
    for now, (count, said) in sorted(stay.items(), key=lambda item: -item[1][0]):
        Console().print(plain(f"{count:,} stay, {now or 'missing'}: {said}"))


def _sum(outcomes: Sequence[LetterOutcome], fates: tuple[str, ...]) -> int:
    return sum(one.count for one in outcomes if one.fate in fates)


def _followed(registry: Registry, requests: Sequence[LetterRequest]) -> list[LetterRequest]:
    console = Console(stderr=True)
    pause = threading.Event()
    last = {request.id: request for request in requests}
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )
    with bars:
        tasks = {
            one.id: bars.add_task(f"{one.action} {one.worker}", total=one.matched, note="")
            for one in requests
        }
        while waiting := [one for one in last.values() if one.finished_ns is None]:
            require_workers(registry, waiting)
            for one in waiting:
                now = registry.dead_letters.get_request(one.id)
                now = msgspec.structs.replace(now, dead_letters=())
                last[one.id] = now
                note = now.waiting or (f"{now.failed:,} stay" if now.failed else "")
                total = now.done if now.finished_ns is not None else max(now.matched, now.done)
                bars.update(tasks[one.id], completed=now.done, total=total, note=note)
                if now.paused:
                    raise ConflictError(
                        f"request {one.id} was stopped by somebody; "
                        f"`passerelle dead-letters replay --resume {one.id}` lets it go on"
                    )
            if any(one.finished_ns is None for one in last.values()):
                pause.wait(_POLL_S)
    return list(last.values())


def _stop(registry: Registry, request: LetterRequest) -> bool:
    try:
        registry.dead_letters.pause(request.id, paused=True)
    except ConflictError:
        return False
    return True


def say(text: str) -> None:
    """Print a sentence for the person at the terminal, beside the output."""
    sys.stderr.write(f"{text}\n")


def confirmed(question: str, *, yes: bool) -> bool:
    """Ask, unless it was answered beforehand; return the answer."""
    return yes or typer.confirm(question, err=True)
