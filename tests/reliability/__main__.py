"""`make reliability`: the fault suite; writes reliability.md and reliability.json.

The exit code is 0 only when no message and no alarm was lost and everything adds up in every row.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.machine import this_machine
from benchmarks.markdown import machine_line
from benchmarks.report import write_documents
from benchmarks.results import save
from tests.reliability.alarms import sizes as alarm_sizes
from tests.reliability.alarms.faults import ALARM_FAULTS
from tests.reliability.alarms.outcome import AlarmOutcome, AlarmReport, told_alarms
from tests.reliability.alarms.run import run_alarm_faults
from tests.reliability.faults import FAULTS
from tests.reliability.outcome import Outcome, Report, markdown
from tests.reliability.run import run_faults
from tests.reliability.scale import FULL, SHORT
from tests.servers.availability import ServerUnavailableError

_DISK = Path(__file__).parents[2] / ".cache"


def main(arguments: list[str] | None = None) -> int:
    """Run the suite as the arguments say; return the exit code."""
    asked = _arguments(arguments)
    names = {fault.name for fault in FAULTS} | {fault.name for fault in ALARM_FAULTS}
    if unknown := set(asked.faults) - names:
        sys.stderr.write(f"no fault is called {', '.join(sorted(unknown))}; --list names them\n")
        return 2
    if asked.list:
        titles = {one.name: one.title for one in FAULTS}
        titles |= {one.name: one.title for one in ALARM_FAULTS}
        for name, title in titles.items():
            sys.stdout.write(f"{name:18} {title}\n")
        return 0
    try:
        reports = [one for one in (_of_messages(asked), _of_alarms(asked)) if one is not None]
    except ServerUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asked.output.mkdir(parents=True, exist_ok=True)
    text = "\n".join(_page(one) for one in reports)
    (asked.output / "reliability.md").write_text(text)
    content = msgspec.json.format(msgspec.json.encode(reports), indent=2)
    (asked.output / "reliability.json").write_bytes(content + b"\n")
    sys.stdout.write(f"\n{text}\n")
    for broken in (
        outcome for report in reports for outcome in report.outcomes if not outcome.kept
    ):
        told = "; ".join(broken.problems) or f"{broken.lost} lost"
        sys.stdout.write(f"BROKEN {broken.fault}: {told}\n")
    if asked.write_docs:
        for one in reports:
            save("reliability" if isinstance(one, Report) else "reliability-alarms", one)
        write_documents()
    return 0 if reports and all(one.kept for one in reports) else 1


def _of_messages(asked: argparse.Namespace) -> Report | None:
    """Run the faults of messages that are asked for; None: none is."""
    chosen = [fault for fault in FAULTS if not asked.faults or fault.name in asked.faults]
    if not chosen:
        return None
    scale = SHORT if asked.short else FULL
    began, began_s = datetime.now(UTC), time.monotonic()
    outcomes = run_faults(chosen, scale=scale, directory=asked.directory, tell=_tell)
    return Report(
        began=began.isoformat(timespec="seconds"),
        machine=machine_line(this_machine(asked.directory)),
        scale=scale.name,
        seconds=time.monotonic() - began_s,
        outcomes=tuple(outcomes),
    )


def _of_alarms(asked: argparse.Namespace) -> AlarmReport | None:
    """Run the faults of alerting that are asked for; None: none is."""
    chosen = [
        fault
        for fault in ALARM_FAULTS
        if fault.name in asked.faults or not (asked.faults or (asked.short and not fault.brief))
    ]
    if not chosen:
        return None
    sizes = alarm_sizes.SHORT if asked.short else alarm_sizes.FULL
    began, began_s = datetime.now(UTC), time.monotonic()
    outcomes = run_alarm_faults(
        chosen, sizes=sizes, directory=asked.directory, tell=_tell_of_alarms
    )
    return AlarmReport(
        began=began.isoformat(timespec="seconds"),
        machine=machine_line(this_machine(asked.directory)),
        scale=sizes.name,
        seconds=time.monotonic() - began_s,
        outcomes=tuple(outcomes),
    )


def _page(report: Report | AlarmReport) -> str:
    if isinstance(report, Report):
        return markdown(report)
    return f"# Reliability of alerting\n\n{told_alarms(report)}\n"


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--short", action="store_true", help="small counts, as CI runs it")
    parser.add_argument("--faults", nargs="+", default=[], metavar="NAME", help="only these")
    parser.add_argument("--list", action="store_true", help="print the faults' names and end")
    parser.add_argument("--directory", type=Path, default=_DISK, help="on a disk, for all files")
    parser.add_argument("--output", type=Path, default=Path(), help="where the report is written")
    parser.add_argument("--write-docs", action="store_true", help="put it into the documentation")
    return parser.parse_args(arguments)


def _tell(outcome: Outcome) -> None:
    verdict = "kept" if outcome.kept else "BROKEN"
    told = f"lost {outcome.lost}  recovered in {outcome.recovered_s:.1f} s"
    lines = [
        f"{verdict:6} {outcome.fault:18} sent {outcome.sent:>9,}  {told}",
        *(f"       {problem}" for problem in outcome.problems),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _tell_of_alarms(outcome: AlarmOutcome) -> None:
    verdict = "kept" if outcome.kept else "BROKEN"
    told = f"due {outcome.due}  told again {outcome.repeated}  lost {outcome.lost}"
    lines = [
        f"{verdict:6} {outcome.fault:18} {told}  recovered in {outcome.recovered_s:.1f} s",
        *(f"       {problem}" for problem in outcome.problems),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
