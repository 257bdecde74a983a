"""What came of alarms under a fault: one row of the table, and the table."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class AlarmOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and its count of alarms.

    Attributes:
        fault: its name.
        title: what was done.
        kills: how often the process that judges was ended in the middle of its work.
        due: alarms, from what was published.
        found: of those, in the registry, once, with their beginning and their end.
        told: of those, told at least once.
        repeated: how often one was told again.
        messages: that people got about beginnings.
        lost: due, and not found or not told.
        recovered_s: from the end of the fault until all was found and told, seconds.
        problems: what does not add up, besides; each a sentence.
    """

    fault: str
    title: str
    kills: int
    due: int
    found: int
    told: int
    repeated: int
    messages: int
    lost: int
    recovered_s: float
    problems: tuple[str, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether the promise was kept."""
        return not self.lost and self.due > 0 and not self.problems


class AlarmReport(msgspec.Struct, frozen=True, kw_only=True):
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
    outcomes: tuple[AlarmOutcome, ...]

    @property
    def kept(self) -> bool:
        """Whether the promise was kept in every row."""
        return bool(self.outcomes) and all(one.kept for one in self.outcomes)


_COLUMNS = (
    "fault", "kills", "alarms due", "found", "told", "told again", "messages", "**lost**",
    "recovered in, s",
)  # fmt: skip


def told_alarms(report: AlarmReport) -> str:
    """Return the report as it stands in a page, without a title."""
    outcomes = report.outcomes
    head = (
        f"{len(outcomes)} faults, {sum(one.due for one in outcomes):,} alarms due: "
        f"**{sum(one.lost for one in outcomes)} lost**, "
        f"{sum(one.repeated for one in outcomes)} told again after "
        f"{sum(one.kills for one in outcomes)} kills."
    )
    problems = [f"- {one.fault}: {problem}" for one in outcomes for problem in one.problems]
    return "\n\n".join(
        [
            head,
            _table(outcomes),
            *(["\n".join(problems)] if problems else []),
            f"{report.began}, scale {report.scale}, {report.seconds:.0f} s. {report.machine}",
        ]
    )


def _table(outcomes: Sequence[AlarmOutcome]) -> str:
    rows = [
        "| " + " | ".join(_COLUMNS) + " |",
        "|---" + "|--:" * (len(_COLUMNS) - 1) + "|",
    ]
    for one in outcomes:
        counts = (one.kills, one.due, one.found, one.told, one.repeated, one.messages)
        lost = f"**{one.lost}**" + (" (see below)" if one.problems else "")
        cells = [one.title, *(f"{count:,}" for count in counts), lost, f"{one.recovered_s:.1f}"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
