"""Rules, devices and values for the tests of alerting."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from alerts.evaluate.engine import Engine
from alerts.model import Verdict
from alerts.rules.inventory import Inventory, Placed
from alerts.rules.model import Rule
from alerts.rules.source import parse_rule
from core.clock import NS_PER_S
from core.reading import Reading

START_S = 1_795_500_000
ZONES = {"elgazala": ZoneInfo("Africa/Tunis")}
TITLE = "title: {en: Something, fr: Quelque chose}\n"


def rule(when: str, *more: str, name: str = "rule") -> Rule:
    """Return a rule with a condition in one line of YAML."""
    return parse_rule("\n".join((f"rule: {name}", f"{TITLE}when: {when}", *more)), origin="test")


def placed(device: str, **fields: object) -> Placed:
    """Return a device of Elgazala."""
    return Placed(site="elgazala", device=device, **fields)  # type: ignore[arg-type]


def engine(
    *rules: Rule, devices: Iterable[Placed] = (), since_s: float = 0, fresh_s: float = 1e9
) -> Engine:
    """Return an engine; instants of tests are seconds after `START_S`."""
    inventory = Inventory(tuple(devices), ZONES)
    return Engine(
        rules=rules,
        inventory=inventory,
        since_ns=ns(since_s),
        fresh_for_ns=round(fresh_s * NS_PER_S),
    )


def ns(second: float) -> int:
    """Return an instant of a test, nanoseconds since the epoch."""
    return (START_S * NS_PER_S) + round(second * NS_PER_S)


def value(
    second: float, number: float, *, device: str = "d", quantity: str = "air_temperature"
) -> Reading:
    """Return a value."""
    return Reading("elgazala", device, quantity, ns(second), number)


def shown(verdicts: Iterable[Verdict]) -> list[tuple[str, float]]:
    """Return verdicts as their state and second."""
    return [(one.state.value, (one.at_ns - ns(0)) / NS_PER_S) for one in verdicts]


def feed(tested: Engine, *values: Reading) -> list[tuple[str, float]]:
    """Give values one by one, in order; return what was said."""
    found: list[tuple[str, float]] = []
    for one in values:
        found += shown(tested.take([one], seen_ns=one.time_ns).verdicts)
    return found
