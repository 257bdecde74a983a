"""Several contenders, several rounds, in an order that turns: one report."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.ingest.contender import Contender
from benchmarks.ingest.queue import QueueRun, run_queue
from benchmarks.machine import Machine, this_machine
from benchmarks.markdown import machine_line, rate, table
from benchmarks.stack import Servers
from benchmarks.workload import Workload


class Entry(msgspec.Struct, frozen=True):
    """Who takes part, with which messages."""

    contender: Contender
    workload: Workload


class QueueReport(msgspec.Struct, frozen=True):
    """Every run of a comparison.

    Attributes:
        machine: where.
        runs: in the order in which they took place.
    """

    machine: Machine
    runs: tuple[QueueRun, ...]

    def of(self, contender: str) -> list[QueueRun]:
        """Return the runs of one contender.

        Raises:
            KeyError: it took no part.
        """
        found = [run for run in self.runs if run.contender == contender]
        if not found:
            raise KeyError(contender)
        return found

    def median(self, contender: str, figure: Callable[[QueueRun], float]) -> float:
        """Return the median of a figure over the runs of one contender."""
        return statistics.median(figure(run) for run in self.of(contender))

    @property
    def contenders(self) -> list[str]:
        """The names, in the order of their first run."""
        return list(dict.fromkeys(run.contender for run in self.runs))

    @property
    def lost(self) -> int:
        """Messages that are not in the store, over all runs."""
        return sum(run.lost for run in self.runs)


def run_rounds(
    *, servers: Servers, entries: Sequence[Entry], messages: int, rounds: int, name: str
) -> QueueReport:
    """Run every entry in every round; each round begins with another one, every other backwards."""
    runs: list[QueueRun] = []
    machine = this_machine(servers.directory)
    for number in range(rounds):
        turn = number % len(entries)
        order = [*entries[turn:], *entries[:turn]]
        for place, entry in enumerate(order if number % 2 == 0 else reversed(order)):
            run = run_queue(
                servers=servers,
                contender=entry.contender,
                workload=entry.workload,
                messages=messages,
                name=f"{name}-{number + 1}-{place + 1}",
            )
            sys.stderr.write(
                f"{name} {number + 1}/{rounds}: {run.contender}: {run.rate:,.0f} messages/s, "
                f"{run.cpu_us:.1f} us CPU a message\n"
            )
            runs.append(run)
    return QueueReport(machine, tuple(runs))


def rounds_table(report: QueueReport, *, base: str) -> str:
    """Return the medians of every contender, and their ratios to one of them, as Markdown."""
    base_rate = report.median(base, lambda run: run.rate)
    base_cpu = report.median(base, lambda run: run.cpu_us)
    rows = []
    for name in report.contenders:
        runs = report.of(name)
        rates = sorted(run.rate for run in runs)
        cpus = sorted(run.cpu_us for run in runs)
        rows.append(
            [
                name,
                rate(statistics.median(rates)),
                f"{rate(rates[0])} to {rate(rates[-1])}",
                f"{statistics.median(rates) / base_rate:.2f}",
                f"{statistics.median(cpus):.1f}",
                f"{cpus[0]:.1f} to {cpus[-1]:.1f}",
                f"{statistics.median(cpus) / base_cpu:.2f}",
                f"{statistics.median([run.fixed_cpu_s for run in runs]):.2f}",
                f"{max(run.peak_mib for run in runs):.0f}",
                f"{sum(run.lost for run in runs):,}",
            ]
        )
    head = [
        "", "messages/s", "runs", f"/ {base}", "µs CPU a message", "runs", f"/ {base}",
        "once a run, s CPU", "peak memory, MiB", "lost",
    ]  # fmt: skip
    return table(head, rows)


def conditions(report: QueueReport) -> str:
    """Return how it was measured, in a line or two."""
    messages = report.runs[0].messages
    rounds = len(report.of(report.contenders[0]))
    return (
        f"{messages:,} messages in the queue, median of {rounds} runs each, in turn. "
        f"{machine_line(report.machine)}"
    )
