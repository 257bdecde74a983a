"""Alerts of a platform in a test: rules that its registry keeps, the evaluator, the lifecycle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from alerts.evaluate.engine import Engine
from alerts.lifecycle import Lifecycle, names_of
from alerts.policy import parse_policy
from alerts.rules.inventory import inventory_of
from alerts.rules.source import parse_rule
from core.clock import NS_PER_S, Clock
from core.reading import Reading
from devices.registry import Registry
from devices.registry.alert_records import (
    OPEN_STATES,
    AlertRecord,
    AttemptOutcome,
    NoticeRecord,
    RuleState,
)
from devices.registry.alerts import AlertFilter
from devices.registry.notices import NoticeFilter

POLICY = """\
channels:
  ward-mail: {mqtt: "mail/{site}"}
  siren: {mqtt: "siren/{site}"}
routes:
  - name: grave
    match: {severity: critical}
    channels: [ward-mail, siren]
    group_by: []
    group_wait: 0s
default: {channels: [ward-mail], group_by: [], group_wait: 0s}
"""
HOT = """\
rule: server-room-hot
title: {en: Server room too hot, fr: Salle serveur trop chaude}
severity: critical
select: {device: elg-env-*}
when: {threshold: {quantity: air_temperature, above: 28 Cel, margin: 1 Cel}}
for: 2m
runbook: Look at the cooling unit; call facilities.
"""
SILENT = """\
rule: silent
title: {en: Nothing comes any more, fr: Plus rien ne vient}
severity: warning
when: {absence: {after: 1h}}
"""
_MINUTE_NS = 60 * NS_PER_S


class Judged:
    """What raises alerts, and keeps who was told.

    Args:
        registry: of the platform.
        clock: the platform's.
    """

    def __init__(self, registry: Registry, clock: Clock) -> None:
        self._registry = registry
        self._clock = clock
        self.lifecycle = Lifecycle(
            registry=registry, policy=parse_policy(POLICY, origin="test"), clock=clock
        )

    def rule(self, source: str = HOT, *, author: str = "n.ba", reason: str = "it is new") -> str:
        """Keep a rule, or its next version; return its name."""
        name = parse_rule(source, origin="test").name
        self._registry.rules.put(name, source, author=author, reason=reason)
        return name

    def judge(self, readings: Iterable[Reading], *, since_ns: int) -> None:
        """Judge values, in the order in which they come, until now, and keep what came out."""
        now_ns = self._clock.now_ns()
        kept = self._registry.rules.newest(states=(RuleState.ACTIVE,))
        rules = [
            msgspec.structs.replace(parse_rule(one.source, origin=one.name), version=one.version)
            for one in kept
        ]
        inventory = inventory_of(self._registry, at_ns=now_ns)
        self.lifecycle.know({one.name: one for one in rules}, inventory, names_of(self._registry))
        engine = Engine(
            rules=rules,
            inventory=inventory,
            since_ns=since_ns,
            fresh_for_ns=now_ns - since_ns,
        )
        for one in readings:
            found = engine.take([one], seen_ns=one.time_ns)
            self.lifecycle.apply(found.verdicts, found.late)
        self.lifecycle.apply(engine.tick(now_ns, seen_ns=now_ns).verdicts)
        self.lifecycle.tick()

    def alert(self, rule: str, device: str = "") -> AlertRecord:
        """Return the open alert of a rule, of one device where it is named."""
        wanted = AlertFilter(
            rule=rule, device=device or None, states=tuple(one.value for one in OPEN_STATES)
        )
        [found] = self._registry.alerts.list(wanted)
        return found

    def notices(self, alert: AlertRecord) -> Sequence[NoticeRecord]:
        """Return what was ordered to be told of an alert, by channel."""
        found = self._registry.notices.list(NoticeFilter(alert=alert.id), limit=100)
        return sorted(found, key=lambda one: one.channel)

    def attempted(self, notice: NoticeRecord, outcome: AttemptOutcome, detail: str) -> None:
        """Take down an attempt to deliver a notice."""
        now_ns = self._clock.now_ns()
        attempt = self._registry.notices.begin(notice.id, now_ns)
        again_ns = now_ns + _MINUTE_NS if outcome is AttemptOutcome.RETRY else None
        self._registry.notices.finish(
            attempt, outcome, detail=detail, next_ns=again_ns, now_ns=now_ns
        )
