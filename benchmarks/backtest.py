"""How many times faster than real time is a rule tried on stored history?

`python -m benchmarks.backtest` stores a month of minutes of twenty devices, serves the API over the
store, and tries rules with what `passerelle alerts backtest` uses: the values are asked for over
HTTP, in the order of time, and judged. It prints the multiple of real time of each, and how much
judging adds to reading alone (the same values, received and decoded, and no rule). `--days` and
`--devices` choose the size.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from alerts.backtest import run
from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from cli.alerts.history import Source, of_platform
from cli.exports.client import opened_api
from core.clock import NS_PER_S, iso
from core.reading import Point
from devices.registry import Device
from storage.backends.duckdb.store import DuckDBStore
from tests.support.exports import NOW_NS, Served, served

SITE = "elgazala"
_DAY_S = 86_400
_AT_ONCE = 5000
RULES = {
    "threshold": "{threshold: {quantity: air_temperature, above: 24, margin: 1}}",
    "rate": "{rate: {quantity: air_temperature, over: 15m, above: 2}}",
    "seasonal": "{seasonal: {quantity: air_temperature}}",
    "composite": (
        "{all: [{threshold: {quantity: air_temperature, above: 24}}, "
        "{time_of_day: {from: '08:00', to: '18:00'}}]}"
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Fill, try each rule, and print the multiples."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--devices", type=int, default=20)
    chosen = parser.parse_args(arguments)
    span_s = chosen.days * _DAY_S
    start_ns = NOW_NS - span_s * NS_PER_S
    with tempfile.TemporaryDirectory() as folder, _filled(Path(folder), chosen, start_ns) as place:
        rules = {name: _rule(name, when) for name, when in RULES.items()}
        count, alone_s = _read(place, rules["threshold"], start_ns)
        print(f"{count:,} values of {chosen.devices} devices, {chosen.days} days")
        print(f"reading alone: {alone_s:.1f} s, {span_s / alone_s:,.0f} times real time")
        for name, rule in rules.items():
            took_s, alarms = _try(place, rule, start_ns)
            print(
                f"{name}: {took_s:.1f} s, {span_s / took_s:,.0f} times real time, "
                f"{took_s / alone_s:.2f} times reading alone, {count / took_s:,.0f} values/s, "
                f"{alarms} alarms"
            )
    return 0


@contextmanager
def _filled(folder: Path, chosen: argparse.Namespace, start_ns: int) -> Iterator[Served]:
    """Serve the API over a store with the values in it."""
    store = DuckDBStore(path=folder / "store.duckdb")
    devices = [f"thermo-{number:02d}" for number in range(chosen.devices)]
    with served(folder, store) as place:
        for name in devices:
            place.registry.devices.add(
                Device(id=name, site=SITE, profile="p", external_id=name, interval_s=60.0)
            )
        portion: list[Point] = []
        for minute in range(chosen.days * 1440):
            at_ns = start_ns + minute * 60 * NS_PER_S
            wave = 3 * math.sin(minute / 1440 * math.tau)
            for number, name in enumerate(devices):
                value = 21 + wave + 0.3 * math.sin(minute * (number + 7) * 0.7)
                portion.append(Point(SITE, name, "environment", at_ns, {"air_temperature": value}))
            if len(portion) >= _AT_ONCE:
                store.write(portion)
                portion = []
        if portion:
            store.write(portion)
        yield place
    store.close()


def _rule(name: str, when: str) -> Rule:
    source = f"rule: {name}\ntitle: {{en: Tried, fr: Essai}}\nwhen: {when}\nfor: 5m\n"
    return parse_rule(source, origin="benchmark")


def _sources(place: Served, rule: Rule, start_ns: int) -> Iterator[Source]:
    with opened_api(place.url, place.key) as api:
        yield from of_platform(api, rule, start=iso(start_ns), end=iso(NOW_NS))


def _read(place: Served, rule: Rule, start_ns: int) -> tuple[int, float]:
    began_s, count = time.perf_counter(), 0
    for source in _sources(place, rule, start_ns):
        counted = enumerate(source.readings, start=1)
        last = deque(counted, maxlen=1)
        count += last[0][0] if last else 0
    return count, time.perf_counter() - began_s


def _try(place: Served, rule: Rule, start_ns: int) -> tuple[float, int]:
    began_s, alarms = time.perf_counter(), 0
    for source in _sources(place, rule, start_ns):
        history = run(
            rule,
            inventory=source.inventory,
            readings=source.readings,
            start_ns=source.start_ns,
            end_ns=source.end_ns,
        )
        alarms += len(history.alarms)
    return time.perf_counter() - began_s, alarms


if __name__ == "__main__":
    raise SystemExit(main())
