"""The pages' figures come from results, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.ingest.compare import cpu_ratio, rate_ratio
from benchmarks.ingest.queue import QueueRun
from benchmarks.ingest.rounds import QueueReport
from benchmarks.machine import Machine
from benchmarks.probe import Latencies
from benchmarks.publisher import Published
from benchmarks.report import UnknownPlaceError, filled, renders
from benchmarks.results import load, save
from benchmarks.source import PROTOCOLS, Kind, SourceReport, SourceRun

ROOT = Path(__file__).parents[3]
MACHINE = Machine(
    cpu="a CPU", cores=2, memory_gib=8, kernel="Linux 6", filesystem="ext4", python="3.11",
    mosquitto="2.0", influxdb="2.10", passerelle="0.1", commit="abc", at="2026-11-23T10:00Z",
)  # fmt: skip
FILL = Published(acknowledged=1000, seconds=1.0, cpu_s=0.003, began_ns=0)


def a_run(contender: str, *, seconds: float, cpu_s: float, stored: int = 1000) -> QueueRun:
    return QueueRun(
        contender=contender, messages=1000, stored=stored, seconds=seconds, cpu_s=cpu_s,
        startup_cpu_s=0.75, once_cpu_s=0.25, peak_mib=50.0, fill=FILL,
    )  # fmt: skip


def a_report(*, stored: int = 1000) -> QueueReport:
    return QueueReport(
        MACHINE,
        (
            a_run("Passerelle", seconds=0.1, cpu_s=1.01),
            a_run("Telegraf, memory buffer", seconds=0.2, cpu_s=1.02),
            a_run("Telegraf, disk buffer", seconds=2.0, cpu_s=1.2, stored=stored),
        ),
    )


def test_ratios_leave_out_what_a_run_costs_once() -> None:
    assert cpu_ratio(a_report()) == pytest.approx(0.5)
    assert rate_ratio(a_report()) == pytest.approx(20.0)


def test_a_place_is_filled_from_results_and_stays_a_place(tmp_path: Path) -> None:
    save("telegraf", a_report(), directory=tmp_path)
    page = "before\n<!-- benchmark telegraf -->\nold\n<!-- /benchmark -->\nafter"
    once = filled(page, results=tmp_path, page="page")
    assert "old" not in once
    assert "10.0 to 10.0" in once
    assert once.startswith("before\n<!-- benchmark telegraf -->\n")
    assert once.endswith("<!-- /benchmark -->\nafter")
    assert filled(once, results=tmp_path, page="page") == once


def test_a_loss_stands_in_the_table(tmp_path: Path) -> None:
    save("telegraf", a_report(stored=993), directory=tmp_path)
    kept = load("telegraf", QueueReport, directory=tmp_path)
    assert kept is not None
    assert kept.lost == 7
    page = filled("<!-- benchmark telegraf -->\n<!-- /benchmark -->", results=tmp_path, page="page")
    assert "| 7 |" in page


def test_the_sources_are_set_against_each_other(tmp_path: Path) -> None:
    taken: list[tuple[Kind, float]] = [
        ("paho", 0.02), ("bulk", 0.002), ("bulk", 0.001), ("bulk", 0.009),
    ]  # fmt: skip
    runs = tuple(
        SourceRun(kind=kind, protocol=protocol, messages=1000, seconds=0.5, cpu_s=cpu_s)
        for protocol in PROTOCOLS
        for kind, cpu_s in taken
    )
    save("source", SourceReport(MACHINE, runs), directory=tmp_path)
    page = filled("<!-- benchmark source -->\n<!-- /benchmark -->", results=tmp_path, page="page")
    assert "| bulk, MQTT 5 | 2.00 | 1.00 to 9.00 | 2,000 |" in page
    assert "**10.0 (MQTT 5) and 10.0 (MQTT 3.1.1)**" in page


def test_a_place_without_results_is_left_as_it_is(tmp_path: Path) -> None:
    page = "<!-- benchmark backlog -->\nold\n<!-- /benchmark -->"
    assert filled(page, results=tmp_path, page="page") == page


def test_a_place_for_no_benchmark_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnknownPlaceError, match="no benchmark 'speed'"):
        filled("<!-- benchmark speed -->\n<!-- /benchmark -->", results=tmp_path, page="page")


PAGES = ("README.md", "docs/performance.md", "docs/reliability.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_place_of_our_pages_is_for_a_benchmark(page: str, tmp_path: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert filled(text, results=tmp_path, page=page) == text
    assert "<!-- benchmark " in text


def test_every_benchmark_has_a_place() -> None:
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in PAGES]
    assert {name for name in renders() if f"<!-- benchmark {name} -->" in "".join(pages)} == set(
        renders()
    )


def test_a_quantile_is_the_value_of_its_rank() -> None:
    latencies = Latencies(tuple(float(n) for n in range(1, 201)))
    assert [latencies.at(share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 100, 198, 200]
