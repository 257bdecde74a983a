"""`python -m benchmarks.ingest`: what `make benchmark` runs; `--help` lists what it measures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from benchmarks.ingest import backlog, compare, latency
from benchmarks.ingest.compare import COMPARISONS
from benchmarks.ingest.queue import MessagesLostError
from benchmarks.ingest.rounds import run_rounds
from benchmarks.report import write_documents
from benchmarks.results import RESULTS, save
from benchmarks.stack import Servers, only_local_programs, running_servers
from tests.servers.availability import ServerUnavailableError

_EVERYTHING = (*COMPARISONS, "latency", "backlog")
_DISK = Path(__file__).parents[2] / ".cache"


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    made.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help=f"{', '.join(_EVERYTHING)}; nothing: all of them, in this order",
    )
    made.add_argument("--messages", type=int, default=200_000, help="in each queue")
    made.add_argument("--rounds", type=int, default=3, help="runs of each contender")
    made.add_argument("--rate", type=float, default=1000.0, help="messages/s of latency")
    made.add_argument("--seconds", type=float, default=60.0, help="length of latency")
    made.add_argument("--outage-rate", type=float, default=100.0, help="messages/s of backlog")
    made.add_argument("--outage-s", type=float, default=3600.0, help="length of the outage")
    made.add_argument("--directory", type=Path, default=_DISK, help="on a disk, for all files")
    made.add_argument("--results", type=Path, default=RESULTS, help="where results are written")
    made.add_argument(
        "--write-docs", action="store_true", help="put the figures into the documentation"
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked, print it, and keep it; return 1 when a message was lost."""
    asked = parser().parse_args(arguments)
    only_local_programs()
    if unknown := [what for what in asked.what if what not in _EVERYTHING]:
        sys.stderr.write(f"there is no {unknown[0]!r}; there are {', '.join(_EVERYTHING)}\n")
        return 2
    asked.directory.mkdir(parents=True, exist_ok=True)
    lost = 0
    try:
        for what in asked.what or _EVERYTHING:
            with (
                tempfile.TemporaryDirectory(prefix="benchmark-", dir=asked.directory) as directory,
                running_servers(Path(directory)) as servers,
            ):
                lost += _measure(what, servers, asked)
    except ServerUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except MessagesLostError as error:
        sys.stderr.write(f"MESSAGES WERE LOST: {error}\n")
        return 1
    if asked.write_docs:
        write_documents(results=asked.results)
    if lost:
        sys.stderr.write(f"MESSAGES WERE LOST: {lost}; the column `lost` says whose\n")
    return 1 if lost else 0


def _measure(what: str, servers: Servers, asked: argparse.Namespace) -> int:
    """Measure one thing, print and keep it; return how many messages were lost."""
    if what in COMPARISONS:
        report = run_rounds(
            servers=servers,
            entries=COMPARISONS[what].entries(),
            messages=asked.messages,
            rounds=asked.rounds,
            name=what,
        )
        _keep(what, report, lambda: compare.markdown(what, report), asked)
        return report.lost
    if what == "latency":
        measured = latency.measure_latency(
            servers=servers, messages_s=asked.rate, seconds=asked.seconds
        )
        _keep(what, measured, lambda: latency.markdown(measured), asked)
    else:
        drained = backlog.measure_backlog(
            servers=servers, messages_s=asked.outage_rate, outage_s=asked.outage_s
        )
        _keep(what, drained, lambda: backlog.markdown(drained), asked)
    return 0


def _keep(
    what: str, report: msgspec.Struct, markdown: Callable[[], str], asked: argparse.Namespace
) -> None:
    save(what, report, directory=asked.results)
    print(f"\n{markdown()}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
