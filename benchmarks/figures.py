"""What each kind of result looks like in a page, by the name of its place."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from benchmarks import source, sustained
from benchmarks.ingest import backlog, compare, latency
from benchmarks.ingest.backlog import BacklogReport
from benchmarks.ingest.latency import LatencyReport
from benchmarks.ingest.rounds import QueueReport
from benchmarks.markdown import machine_line
from benchmarks.report import Render
from benchmarks.results import load
from benchmarks.sustained import SustainedReport
from benchmarks.workload import QUANTITIES
from tests.reliability.alarms.outcome import AlarmReport, told_alarms
from tests.reliability.outcome import Report, told, verdict


def _comparison(name: str, results: Path) -> str | None:
    report = load(name, QueueReport, directory=results)
    return None if report is None else compare.markdown(name, report)


def _latency(results: Path) -> str | None:
    report = load("latency", LatencyReport, directory=results)
    return None if report is None else latency.markdown(report)


def _backlog(results: Path) -> str | None:
    report = load("backlog", BacklogReport, directory=results)
    return None if report is None else backlog.markdown(report)


def _sustained(results: Path) -> str | None:
    report = load("sustained", SustainedReport, directory=results)
    return None if report is None else sustained.markdown(report)


def _reliability(results: Path) -> str | None:
    report = load("reliability", Report, directory=results)
    return None if report is None else told(report)


def _reliability_alarms(results: Path) -> str | None:
    report = load("reliability-alarms", AlarmReport, directory=results)
    return None if report is None else told_alarms(report)


def _reliability_line(results: Path) -> str | None:
    report = load("reliability", Report, directory=results)
    return None if report is None else f"- {verdict(report)}"


def _summary(results: Path) -> str | None:
    """Return the few lines of the README, from those results that there are."""
    told = [line for line in (_sustained_line(results), _telegraf_line(results)) if line]
    return "\n".join(told) if told else None


def _sustained_line(results: Path) -> str | None:
    report = load("sustained", SustainedReport, directory=results)
    if report is None:
        return None
    latencies = report.run.latencies
    seconds = report.run.published.acknowledged / report.run.rate
    return (
        f"- Broker, InfluxDB, worker, API and publisher on one machine, for {seconds / 60:.3g} "
        f"minutes: **{report.rate:,.0f} messages/s and {report.rate * len(QUANTITIES):,.0f} "
        f"values/s, {report.unaccounted:,} unaccounted for** of {report.acknowledged:,}; publish "
        f"to queryable p50 {latencies.at(0.5):.0f} ms, p99 {latencies.at(0.99):.0f} ms. "
        f"{machine_line(report.machine)}"
    )


def _telegraf_line(results: Path) -> str | None:
    report = load("telegraf", QueueReport, directory=results)
    if report is None:
        return None
    ours = report.median("Passerelle", lambda run: run.cpu_us)
    return (
        f"- Against Telegraf on the same queue: {ours:.1f} µs CPU a message, "
        f"{compare.cpu_ratio(report):.2f} times what Telegraf takes with its memory buffer; "
        f"{compare.rate_ratio(report):.1f} times the throughput of its disk buffer."
    )


RENDERS: Mapping[str, Render] = MappingProxyType(
    {
        **{name: partial(_comparison, name) for name in compare.COMPARISONS},
        "latency": _latency,
        "backlog": _backlog,
        "sustained": _sustained,
        source.NAME: source.documented,
        "summary": _summary,
        "reliability": _reliability,
        "reliability-alarms": _reliability_alarms,
        "reliability-summary": _reliability_line,
    }
)
