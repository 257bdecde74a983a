"""What came of a fault: one row of the table, and the table."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and its count of messages.

    Attributes:
        fault: its name, as `make reliability ARGS="--faults NAME"` takes it.
        title: what was done.
        sent: messages whose publisher had the broker's PUBACK.
        stored: messages found in the store, value by value.
        duplicate: published twice, by the ledger.
        dead_lettered: messages found in the dead letters.
        set_aside: messages found in a spool file that was set aside.
        redelivered: sent again by the broker although they were on disk, by the ledger.
        lost_by_broker: acknowledged by the broker to the publisher and never delivered to a worker.
        missing: by the ledger: numbers that were never received.
        lost: delivered to a worker, or owed by the broker, and found nowhere.
        recovered_s: from the end of the fault until what was published before has met its fate,
            seconds.
        peak_mib: greatest resident memory of a worker, MiB.
        problems: what does not add up, besides; each a sentence.
    """

    fault: str
    title: str
    sent: int
    stored: int
    duplicate: int
    dead_lettered: int
    set_aside: int
    redelivered: int
    lost_by_broker: int
    missing: int
    lost: int
    recovered_s: float
    peak_mib: float
    problems: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.lost and not self.problems


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All faults of one run.

    Attributes:
        began: date and time, ISO 8601, UTC.
        machine: processor, cores, memory, versions.
        scale: `short` or `full`.
        seconds: that it took.
        outcomes: by fault.
    """

    began: str
    machine: str
    scale: str
    seconds: float
    outcomes: tuple[Outcome, ...]

    @property
    def kept(self) -> bool:
        """Whether the promise was kept in every row."""
        return bool(self.outcomes) and all(one.kept for one in self.outcomes)


_COLUMNS = (
    "fault", "sent", "stored", "duplicate", "dead letters", "set aside", "redelivered",
    "lost by the broker", "missing, by the ledger", "**lost**", "recovered in, s", "memory, MiB",
)  # fmt: skip


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" + "|--:" * (len(_COLUMNS) - 1) + "|",
    ]
    lines += ["| " + " | ".join(_cells(one)) + " |" for one in outcomes]
    return "\n".join(lines)


def verdict(report: Report) -> str:
    """Return the sum of a report in one line."""
    outcomes = report.outcomes
    return (
        f"{len(outcomes)} faults, {sum(one.sent for one in outcomes):,} messages sent: "
        f"**{sum(one.lost for one in outcomes)} lost**."
    )


def told(report: Report) -> str:
    """Return the report as it stands in a page, without a title."""
    problems = [f"- {one.fault}: {problem}" for one in report.outcomes for problem in one.problems]
    return "\n\n".join(
        [
            verdict(report),
            table(report.outcomes),
            *(["\n".join(problems)] if problems else []),
            f"{report.began}, scale {report.scale}, {report.seconds:.0f} s. {report.machine}",
        ]
    )


def markdown(report: Report) -> str:
    """Return the report as a page."""
    return f"# Reliability\n\n{told(report)}\n"


def _cells(one: Outcome) -> list[str]:
    counts = (
        one.sent, one.stored, one.duplicate, one.dead_lettered, one.set_aside, one.redelivered,
        one.lost_by_broker, one.missing,
    )  # fmt: skip
    lost = f"**{one.lost}**" + (" (see below)" if one.problems else "")
    return [
        one.title,
        *(f"{count:,}" for count in counts),
        lost,
        f"{one.recovered_s:.1f}",
        f"{one.peak_mib:.0f}",
    ]
