"""What a run shows on a terminal, and how it is stopped from there."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from simulators.account import Progress as Step
from simulators.report import Report


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C and SIGTERM set; a second Ctrl-C interrupts at once."""
    stop = threading.Event()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def shown(title: str, console: Console) -> Iterator[Callable[[Step], None]]:
    """Yield a callback that draws a progress bar on a terminal, and does nothing elsewhere."""
    if not console.is_terminal:
        yield lambda _: None
        return
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[published]:,} published, {task.fields[in_flight]} in flight"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task(title, total=None, published=0, in_flight=0)

        def show(step: Step) -> None:
            bar.update(
                task,
                completed=step.done_s,
                total=step.total_s,
                published=step.published,
                in_flight=step.in_flight,
            )

        yield show


def summary(report: Report) -> str:
    """Return what was published, in a few lines for a person."""
    totals = report.totals()
    wall_s = max(report.wall_s, 1e-9)
    devices = sum(row.telemetry > 0 for row in report.rows)
    first = (
        f"{totals['published']:,} messages published by {devices:,} devices in {wall_s:.1f} s "
        f"({totals['published'] / wall_s:,.0f}/s), {totals['readings']:,} readings"
    )
    lines = [f"stopped: {first}" if report.stopped else first]
    faults = [
        f"{totals[name]:,} {name.replace('_', ' ')}"
        for name in (
            "duplicates",
            "malformed",
            "defective",
            "out_of_order",
            "backfilled",
            "wrong_clock",
            "reboots",
            "measurements_lost",
        )
        if totals[name]
    ]
    if faults:
        lines.append(f"of these or beside these: {', '.join(faults)}")
    if report.bad_rows:
        lines.append(f"{report.bad_rows:,} lines of the file were left out")
    if totals["refused"]:
        lines.append(f"{totals['refused']:,} messages refused by the broker")
    if not report.exact:
        lines.append(
            f"not exact: {totals['resent']:,} messages were in flight when a connection broke (the "
            f"broker may have them twice), {totals['unacknowledged']:,} never acknowledged"
        )
    return "\n".join(lines)
