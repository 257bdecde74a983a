"""Which contenders meet in which comparison, and what is printed of each."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from benchmarks.ingest.passerelle import Passerelle
from benchmarks.ingest.rounds import Entry, QueueReport, conditions, rounds_table
from benchmarks.ingest.telegraf import Telegraf
from benchmarks.markdown import against
from benchmarks.workload import CONVENTIONS, PASSERELLE_JSON, Workload

CPU_GOAL = 0.5
RATE_GOAL = 15.0
_MEMORY = Telegraf(buffer="memory")
_DISK = Telegraf(buffer="disk_write_through")
_GROUP = {"PASSERELLE_MQTT__SHARED_GROUP": "bench"}


class Comparison(msgspec.Struct, frozen=True):
    """A comparison that can be run.

    Attributes:
        title: of its table.
        base: contender that the others are set against.
        entries: makes the contenders.
        remark: printed below the table.
    """

    title: str
    base: str
    entries: Callable[[], list[Entry]]
    remark: str = ""


def _telegraf() -> list[Entry]:
    workload = Workload(PASSERELLE_JSON)
    return [Entry(contender, workload) for contender in (Passerelle(), _MEMORY, _DISK)]


def _workers() -> list[Entry]:
    workload = Workload(PASSERELLE_JSON)
    return [
        Entry(Passerelle(name="one worker", settings=_GROUP), workload),
        Entry(Passerelle(name="two workers", workers=2, settings=_GROUP), workload),
    ]


def _stores() -> list[Entry]:
    workload = Workload(PASSERELLE_JSON)
    return [
        Entry(Passerelle(name="InfluxDB", count="ledger"), workload),
        Entry(Passerelle(name="DuckDB", store="duckdb", count="ledger"), workload),
    ]


def _formats() -> list[Entry]:
    return [
        Entry(Passerelle(name=convention.name), Workload(convention)) for convention in CONVENTIONS
    ]


COMPARISONS = {
    "telegraf": Comparison("Passerelle and Telegraf", "Telegraf, memory buffer", _telegraf),
    "workers": Comparison(
        "One worker and two",
        "one worker",
        _workers,
        "Both share one subscription; broker, InfluxDB and workers share the machine's cores.",
    ),
    "stores": Comparison(
        "DuckDB and InfluxDB",
        "InfluxDB",
        _stores,
        "DuckDB works inside the worker's process: its CPU and memory count. InfluxDB's do not.",
    ),
    "formats": Comparison(
        "Payload conventions",
        PASSERELLE_JSON.name,
        _formats,
        "The same three values in each.",
    ),
}


def markdown(name: str, report: QueueReport) -> str:
    """Return what is printed and documented of a comparison."""
    comparison = COMPARISONS[name]
    parts = [f"### {comparison.title}", rounds_table(report, base=comparison.base)]
    if name == "telegraf":
        parts.append(_goals(report))
    parts.append(" ".join(part for part in (comparison.remark, conditions(report)) if part))
    return "\n\n".join(parts)


def cpu_ratio(report: QueueReport) -> float:
    """Return CPU for each message, Passerelle over Telegraf with its memory buffer."""
    ours = report.median("Passerelle", lambda run: run.cpu_us)
    return ours / report.median(_MEMORY.name, lambda run: run.cpu_us)


def rate_ratio(report: QueueReport) -> float:
    """Return messages a second, Passerelle over Telegraf with its disk buffer."""
    ours = report.median("Passerelle", lambda run: run.rate)
    return ours / report.median(_DISK.name, lambda run: run.rate)


def _goals(report: QueueReport) -> str:
    return "\n".join(
        [
            against(
                "CPU for each message, Passerelle / Telegraf with its memory buffer",
                cpu_ratio(report), goal=CPU_GOAL, at_most=True,
            ),
            against(
                "messages a second, Passerelle / Telegraf with its disk buffer",
                rate_ratio(report), goal=RATE_GOAL, at_most=False,
            ),
        ]
    )  # fmt: skip
