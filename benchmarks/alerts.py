"""How many values a second do the rules of a large platform judge, on one core?

`python -m benchmarks.alerts` makes 5,000 rules (thresholds, rates, deadmen, counts of devices in a
zone, combinations) over 20,000 series of 5,000 devices in 500 zones, gives values as they would
arrive at 5,000 a second, a batch each 20 ms of them, one in a hundred out of order, and lets time
pass after each. It prints values a second of CPU, the ratio to what arrives, the p99 of judging a
batch, and the memory of a series. The baseline is the same loop without a rule.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from alerts.evaluate.engine import Engine
from alerts.rules.inventory import Inventory, Placed
from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from core.clock import NS_PER_S
from core.reading import Reading

START_NS = 1_795_500_000 * NS_PER_S
QUANTITIES = ("air_temperature", "relative_humidity", "carbon_dioxide", "battery_level")
_ZONES = 500
_BATCH_S = 0.02
_MIDDLES = (22.0, 50.0, 700.0, 80.0)
_HOT = "{{threshold: {{quantity: air_temperature, above: {limit}}}}}"
_WHEN = (
    "{{threshold: {{quantity: air_temperature, above: {limit}, margin: 1}}}}",
    "{{rate: {{quantity: relative_humidity, over: 5m, above: {limit}}}}}",
    "{{absence: {{intervals: 3}}}}",
    "{{count: {{of: {{threshold: {{quantity: carbon_dioxide, above: {limit}00}}}}, at_least: 3}}}}",
    f"{{{{all: [{_HOT}, {{{{not: {{{{absence: {{{{}}}}}}}}}}}}]}}}}",
)


def rules(count: int) -> list[Rule]:
    """Return so many rules, each over the devices of one zone."""
    found = []
    for number in range(count):
        kind = number % len(_WHEN)
        when = _WHEN[kind].format(limit=24 + number % 5)
        per = "zone" if kind == 3 else "device"  # noqa: PLR2004 - the one that counts
        source = (
            f"rule: r-{number:05d}\ntitle: {{en: A rule, fr: Une règle}}\nper: {per}\n"
            f"when: {when}\n"
            f"for: {'1m' if number % 2 else '0s'}\n"
            f"select: {{site: elgazala, zone: zone-{number % _ZONES:03d}}}\n"
        )
        found.append(parse_rule(source, origin="benchmark"))
    return found


def inventory(devices: int) -> Inventory:
    """Return the devices, spread over the zones."""
    return Inventory(
        tuple(
            Placed("elgazala", f"d-{number:05d}", "a", f"zone-{number % _ZONES:03d}", "p", 4.0)
            for number in range(devices)
        ),
        {"elgazala": ZoneInfo("Africa/Tunis")},
    )


def batches(*, devices: int, rate: float, seconds: float) -> Iterator[tuple[int, list[Reading]]]:
    """Yield batches of values, each with the instant at which it arrives."""
    chance = random.Random(7)  # noqa: S311 - the same values in every run
    series = [
        (f"d-{number:05d}", quantity, middle)
        for number in range(devices)
        for quantity, middle in zip(QUANTITIES, _MIDDLES, strict=True)
    ]
    size = round(rate * _BATCH_S)
    place = 0
    for step in range(round(seconds / _BATCH_S)):
        now_ns = START_NS + round(step * _BATCH_S * NS_PER_S)
        batch = []
        for index in range(size):
            device, quantity, middle = series[place]
            place = (place + 1) % len(series)
            late_ns = 6 * NS_PER_S if chance.random() < 0.01 else 0  # noqa: PLR2004 - a hundredth
            at_ns = now_ns - late_ns + index
            value = middle * (1 + chance.gauss(0, 0.05))
            batch.append(Reading("elgazala", device, quantity, at_ns, value))
        yield now_ns, batch


def resident_bytes() -> int:
    """Return the memory that this process has."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def judge(
    engine: Engine | None, *, devices: int, rate: float, seconds: float
) -> tuple[list[float], int]:
    """Return the CPU seconds of each batch, and how many verdicts there were."""
    taken, verdicts = [], 0
    for now_ns, batch in batches(devices=devices, rate=rate, seconds=seconds):
        began_s = time.thread_time()
        if engine is not None:
            verdicts += len(engine.take(batch, seen_ns=now_ns).verdicts)
            verdicts += len(engine.tick(now_ns - NS_PER_S, seen_ns=now_ns).verdicts)
        taken.append(time.thread_time() - began_s)
    return taken, verdicts


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rules", type=int, default=5000)
    parser.add_argument("--devices", type=int, default=5000, help="each of four series")
    parser.add_argument("--rate", type=float, default=5000.0, help="values a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the values' time")
    chosen = parser.parse_args()
    load = {"devices": chosen.devices, "rate": chosen.rate, "seconds": chosen.seconds}
    known = inventory(chosen.devices)
    every = rules(chosen.rules)
    gc.collect()
    gc.freeze()
    before = resident_bytes()
    began_s = time.thread_time()
    engine = Engine(rules=every, inventory=known, since_ns=START_NS - 10 * NS_PER_S)
    made_s = time.thread_time() - began_s
    taken, verdicts = judge(engine, **load)
    gc.collect()
    size = resident_bytes() - before
    watches = len(engine.watches)
    warm = sorted(taken[len(taken) // 4 :])
    values = chosen.rate * _BATCH_S * len(warm)
    rate = values / sum(warm)
    nothing, _ = judge(None, **load)
    series = chosen.devices * len(QUANTITIES)
    print(
        f"{chosen.rules:,} rules, {series:,} series, {watches:,} watches, {verdicts:,} verdicts; "
        f"ready in {made_s:.1f} s"
    )
    alone = values / max(1e-9, sum(sorted(nothing)[-len(warm) :]))
    print(
        f"{rate:,.0f} values/s on one core, ratio to what arrives {rate / chosen.rate:.1f} "
        f"(goal 1 or more); the loop alone {alone:,.0f}"
    )
    p50, p99, longest = (warm[place] * 1e3 for place in (len(warm) // 2, len(warm) * 99 // 100, -1))
    print(
        f"a batch of {chosen.rate * _BATCH_S:.0f}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, "
        f"longest {longest:.1f} ms"
    )
    print(f"memory: {size / series:,.0f} bytes a series, {size / watches:,.0f} a watch")


if __name__ == "__main__":
    main()
