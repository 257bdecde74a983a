"""How history with alarms is shown in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from alerts.backtest import Alarm, History, Label, Score
from alerts.model import Subject
from alerts.rules.model import Rule
from cli.plotting import charts
from cli.tables import plain
from core.clock import NS_PER_S, iso
from core.quantities import CATALOGUE
from core.reading import Reading

_COLUMNS = 240
_MOST_SHOWN = 30
_STRIP = 80
_FILLED, _EMPTY = "█", "·"
_UNITS_S = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_IN_UNIT = ("value", "expected", "change")
_FACTS = ("value", "expected", "change", "silent_s", "days_left", "score", "count", "missing")


class Thinned:
    """The extremes of each series in equal parts of a range: enough for a chart.

    Args:
        quantities: of which quantities.
        start_ns: of the range.
        end_ns: of the range.
    """

    def __init__(self, quantities: Iterable[str], *, start_ns: int, end_ns: int) -> None:
        self._quantities = frozenset(quantities)
        self._start_ns = start_ns
        self._width_ns = max(1, (end_ns - start_ns) // _COLUMNS + 1)
        self._parts: dict[tuple[str, str], dict[int, tuple[Reading, Reading]]] = {}

    def through(self, readings: Iterable[Reading]) -> Iterator[Reading]:
        """Yield the values as they are, and remember their extremes."""
        for one in readings:
            if one.quantity in self._quantities:
                parts = self._parts.setdefault((one.device, one.quantity), {})
                place = (one.time_ns - self._start_ns) // self._width_ns
                low, high = parts.get(place, (one, one))
                parts[place] = (
                    one if one.value < low.value else low,
                    one if one.value > high.value else high,
                )
            yield one

    def chart(
        self, device: str, quantity: str, *, zone: ZoneInfo, width: int, color: bool
    ) -> Iterator[str]:
        """Yield the chart of a series; of any quantity, and any device, where one is ""."""
        if not self._parts:
            return
        own = [key for key in self._parts if key[0] == device and quantity in ("", key[1])]
        key = next(iter(own or self._parts))
        found, name = self._parts[key], key[1]
        points: dict[int, float] = {}
        for low, high in found.values():
            points |= {low.time_ns: low.value, high.time_ns: high.value}
        shown = [
            {"time": _local(time_ns, zone).isoformat(), "value": value}
            for time_ns, value in sorted(points.items())
        ]
        unit = CATALOGUE[name].unit
        answer: dict[str, Any] = {
            "zone": zone.key,
            "series": [{"device": device, "quantity": name, "unit": unit, "points": shown}],
        }
        yield from charts(answer, width=width, color=color)


def strip(spans: Iterable[tuple[int, int]], *, start_ns: int, end_ns: int) -> str:
    """Return a line in which the spans are filled."""
    width_ns = max(1, end_ns - start_ns)
    line = [_EMPTY] * _STRIP
    for first_ns, last_ns in spans:
        first = (first_ns - start_ns) * _STRIP // width_ns
        last = (last_ns - start_ns) * _STRIP // width_ns
        for place in range(max(0, first), min(_STRIP - 1, last) + 1):
            line[place] = _FILLED
    return "".join(line)


def show_alarms(console: Console, alarms: Sequence[Alarm], *, zone: ZoneInfo, end_ns: int) -> None:
    """Print alarms as a table."""
    if not alarms:
        return
    table = Table("from", "to", "for", "about", "because", box=None, pad_edge=False)
    for one in alarms[:_MOST_SHOWN]:
        until_ns = end_ns if one.until_ns is None else one.until_ns
        table.add_row(
            f"{_local(one.at_ns, zone):%Y-%m-%d %H:%M:%S}",
            "still" if one.until_ns is None else f"{_local(one.until_ns, zone):%Y-%m-%d %H:%M:%S}",
            duration(until_ns - one.at_ns),
            plain(about(one.subject)),
            plain(because(one)),
        )
    console.print(table)
    if len(alarms) > _MOST_SHOWN:
        console.print(f"... and {len(alarms) - _MOST_SHOWN} more; --json has them all")


def about(subject: Subject) -> str:
    """Return what an alarm is about, in a few words."""
    parts = (
        subject.site, subject.building, subject.zone, subject.device, subject.quantity,
        subject.person,
    )  # fmt: skip
    return "/".join(part for part in parts if part)


def because(alarm: Alarm) -> str:
    """Return the facts that decided."""
    unit = str(alarm.facts.get("unit", ""))
    found = []
    for name in _FACTS:
        if name in alarm.facts:
            fact = alarm.facts[name]
            number = f"{fact:.4g}" if isinstance(fact, int | float) else fact
            shown = f"{number} {unit}" if name in _IN_UNIT and unit else str(number)
            found.append(f"{name.removesuffix('_s').replace('_', ' ')} {shown}")
    return ", ".join(found)


def duration(span_ns: float) -> str:
    """Return a duration with its two largest units: `2 h 15 min`."""
    left_s = round(span_ns / NS_PER_S)
    found: list[str] = []
    for size_s, unit in _UNITS_S:
        count, left_s = divmod(left_s, size_s)
        if count or found:
            found.append(f"{count} {unit}")
    return " ".join(found[:2]) or "0 s"


def counted(number: int, noun: str) -> str:
    """Return `1 alarm`, `2 alarms`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(share: float | None) -> str:
    """Return a share in per cent, or a dash."""
    return "-" if share is None else f"{share:.0%}"


def show_score(console: Console, found: Score) -> None:
    """Print how alarms and labels fit."""
    delay = "" if found.delay_ns is None else f", found after {duration(found.delay_ns)} (median)"
    console.print(
        f"labels {found.found + found.missed}: recall {percent(found.recall)} ({found.found} found"
        f"{delay}), precision {percent(found.precision)} ({counted(found.false, 'false alarm')})"
    )


def as_json(rule: Rule, history: History, found: Score | None) -> dict[str, Any]:
    """Return a run as JSON has it; instants RFC 3339 in UTC."""
    return {
        "rule": rule.name,
        "version": rule.version,
        "from": iso(history.start_ns),
        "to": iso(history.end_ns),
        "values": history.readings,
        "late": history.late,
        "incomplete": history.incomplete,
        "subjects": history.subjects,
        "alarms_a_day": history.alarms_a_day,
        "alarms_a_subject_and_day": history.alarms_a_subject_and_day,
        "alarms": [
            {
                "about": about(one.subject),
                "from": iso(one.at_ns),
                "to": None if one.until_ns is None else iso(one.until_ns),
                "facts": one.facts,
            }
            for one in history.alarms
        ],
        "score": None
        if found is None
        else {
            "precision": found.precision,
            "recall": found.recall,
            "true": found.true,
            "false": found.false,
            "found": found.found,
            "missed": found.missed,
            "delay_s": None if found.delay_ns is None else found.delay_ns / NS_PER_S,
        },
    }


def spans_of(alarms: Iterable[Alarm], end_ns: int) -> list[tuple[int, int]]:
    """Return alarms as spans."""
    return [(one.at_ns, end_ns if one.until_ns is None else one.until_ns) for one in alarms]


def label_spans(labels: Iterable[Label]) -> list[tuple[int, int]]:
    """Return labels as spans."""
    return [(one.start_ns, one.end_ns) for one in labels]


def _local(time_ns: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(time_ns / NS_PER_S, UTC).astimezone(zone)
