"""Tables and numbers as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.machine import Machine

_WHOLE = 100


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table; the first column is text, the others are numbers."""
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))


def rate(value: float) -> str:
    """Return a number of things a second."""
    return f"{value:,.0f}"


def machine_line(machine: Machine) -> str:
    """Return where and with what it was measured."""
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB, {machine.kernel}, "
        f"{machine.filesystem}; Python {machine.python}, Mosquitto {machine.mosquitto}, InfluxDB "
        f"{machine.influxdb}; Passerelle {machine.passerelle} at {machine.commit}, "
        f"{machine.at[:10]}."
    )


def against(name: str, value: float, *, goal: float, at_most: bool) -> str:
    """Return a line that sets a figure against its goal."""
    met = value <= goal if at_most else value >= goal
    wanted = f"{'at most' if at_most else 'at least'} {goal:,g}"
    shown = f"{value:,.0f}" if value >= _WHOLE else f"{value:.3g}"
    return f"- {name}: **{shown}** (goal: {wanted}; {'met' if met else '**NOT met**'})"
