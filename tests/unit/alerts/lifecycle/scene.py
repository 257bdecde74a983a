"""A registry, a lifecycle and a clock: what the tests of the lifecycle play on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from alerts.lifecycle import Lifecycle, Names
from alerts.model import Notice, State, Subject, Verdict
from alerts.policy import parse_policy
from alerts.rules.inventory import Inventory, Placed
from alerts.rules.model import Rule
from core.clock import NS_PER_S, ManualClock
from devices.registry import Registry
from devices.registry.alert_records import AlertRecord, NoticeRecord
from devices.registry.alerts import AlertFilter
from devices.registry.notices import NoticeFilter
from tests.unit.alerts.rules import START_S, ns, rule

FILE = "registry.db"
SITE = "elgazala"
CHANNELS = """
channels:
  one: {mqtt: "one/{site}"}
  two: {mqtt: "two/{site}"}
  three: {mqtt: "three/{site}"}
"""
ALONE = "default: {channels: [one], group_by: [], group_interval: 0s}\n"
HOT = "{threshold: {quantity: air_temperature, above: 28}}"
SILENT = "{absence: {after: 10m}}"
RULES = (
    rule(HOT, "runbook: Look at the cooling unit.", name="hot"),
    rule(HOT, "severity: critical", name="burning"),
    rule(HOT, "severity: info", name="warm"),
    rule(HOT, "retroactive: list", name="listed"),
    rule(SILENT, name="silent"),
    rule(SILENT, "severity: critical", name="patient-silent"),
    rule(SILENT, "per: site", "severity: critical", name="site-silent"),
    rule(SILENT, "per: zone", name="zone-silent"),
    rule(HOT, name="power-out"),
)


class Scene:
    """A lifecycle on an empty registry; instants are seconds after `START_S`.

    Args:
        directory: where the registry is, its tables made.
        policy: YAML of the policy without its channels `one`, `two`, `three`.
        devices: the devices.
        rules: the rules.
    """

    def __init__(
        self,
        directory: Path,
        policy: str = ALONE,
        *,
        devices: Iterable[Placed] = (),
        rules: Iterable[Rule] = RULES,
    ) -> None:
        self.clock = ManualClock(ns(0))
        self.registry = Registry.open(f"sqlite:///{directory / FILE}", clock=self.clock)
        self.rules = {one.name: one for one in rules}
        self.devices = tuple(devices)
        self.start(policy)

    def start(self, policy: str = ALONE, *, holder: str | None = None) -> Lifecycle:
        """Begin anew, as a process does that is started again."""
        self.lifecycle = Lifecycle(
            registry=self.registry,
            policy=parse_policy(CHANNELS + policy, origin="test"),
            clock=self.clock,
            holder=holder,
        )
        self.know()
        return self.lifecycle

    def know(self) -> None:
        self.lifecycle.know(
            self.rules,
            Inventory(self.devices, {}),
            Names({SITE: "El Gazala"}, {}, {SITE: "Africa/Tunis"}),
        )

    def at(self, second: float) -> None:
        """Let the clock go on to an instant, and have done what is due again and again until then.

        Seconds apart at the end, half a minute before.
        """
        while self.clock.now_ns() < ns(second):
            left_s = (ns(second) - self.clock.now_ns()) / NS_PER_S
            self.clock.advance(min(30.0 if left_s > 60 else 1.0, left_s))
            self.lifecycle.tick()

    def now_s(self) -> float:
        return (self.clock.now_ns() - ns(0)) / NS_PER_S

    def say(self, *verdicts: Verdict) -> None:
        self.lifecycle.apply(verdicts)

    def alerts(self, **wanted: object) -> list[AlertRecord]:
        """Return alerts, the oldest first."""
        found = self.registry.alerts.list(AlertFilter(**wanted))  # type: ignore[arg-type]
        return sorted(found, key=lambda one: (one.at_ns, one.rule, one.device))

    def alert(self, **wanted: object) -> AlertRecord:
        [found] = self.alerts(**wanted)
        return found

    def records(self) -> list[NoticeRecord]:
        """Return every order, in the order in which they were given."""
        found = self.registry.notices.list(NoticeFilter(), limit=10_000)
        return sorted(found, key=lambda one: one.created_ns)

    def notices(self) -> list[Notice]:
        return [msgspec.json.decode(one.body, type=Notice) for one in self.records()]

    def told(self) -> list[str]:
        """Return who was told what: `channel occasion rule device ...`."""
        return [
            " ".join(
                [
                    one.channel,
                    one.occasion.value,
                    *(f"{it.rule}/{it.subject.device or it.subject.site}" for it in one.alerts),
                ]
            )
            for one in self.notices()
        ]

    def events(self, alert: AlertRecord) -> list[str]:
        return [one.kind for one in self.registry.alerts.events(alert.id)]

    def close(self) -> None:
        self.registry.close()


def fires(
    rule: str = "hot",
    device: str = "d",
    at: float = 0,
    *,
    alert: float | None = None,
    until: float | None = None,
    seen: float | None = None,
    late: bool = False,
    subject: Subject | None = None,
    facts: Mapping[str, str | float] | None = None,
    version: int = 1,
) -> Verdict:
    """Return the verdict that a rule fires."""
    return Verdict(
        rule=rule,
        version=version,
        subject=subject or Subject(SITE, device=device),
        state=State.FIRING,
        at_ns=ns(at),
        seen_ns=ns(at if seen is None else seen),
        alert_ns=ns(at if alert is None else alert),
        since_ns=ns(at),
        until_ns=None if until is None else ns(until),
        value=31.5,
        retroactive=late,
        facts=facts or {"unit": "Cel", "above": 28.0},
    )


def ends(
    rule: str = "hot",
    device: str = "d",
    at: float = 0,
    *,
    alert: float,
    seen: float | None = None,
    late: bool = False,
    withdrawn: bool = False,
    subject: Subject | None = None,
) -> Verdict:
    """Return the verdict that it does not fire any more."""
    return Verdict(
        rule=rule,
        version=1,
        subject=subject or Subject(SITE, device=device),
        state=State.CLEAR,
        at_ns=ns(at),
        seen_ns=ns(at if seen is None else seen),
        alert_ns=ns(alert),
        retroactive=late,
        facts={"withdrawn": 1} if withdrawn else {},
    )


def unsure(state: State, rule: str = "hot", device: str = "d", at: float = 0) -> Verdict:
    """Return a verdict that is about no alert."""
    facts = {"missing": "oxygen_saturation"} if state is State.INCOMPLETE else {}
    return Verdict(rule, 1, Subject(SITE, device=device), state, ns(at), ns(at), facts=facts)


def second(instant_ns: int | None) -> float | None:
    """Return an instant as seconds after `START_S`."""
    return None if instant_ns is None else instant_ns / NS_PER_S - START_S
