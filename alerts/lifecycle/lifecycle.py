"""The lifecycle: makes alerts of verdicts, and writes down whom they are told.

Each call is one transaction of the registry: alerts, what happened to them and the orders to tell
people are kept together or not at all. So whatever dies, wherever, each change is ordered once. All
state is in the database; what this object remembers beside it only spares it queries.

The stages of a turn, each in its own module: verdicts, inhibition, silences, flapping, repetition
and escalation, tellings, notices.

Threads: any; one turn at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from alerts.evaluate.engine import Late
from alerts.lifecycle import flapping, inhibition, repetition, silencing, telling
from alerts.lifecycle.judging import RULE_GONE, closed
from alerts.lifecycle.known import Known
from alerts.lifecycle.names import Names
from alerts.lifecycle.platform_rules import PREFIX
from alerts.lifecycle.silencing import Silences
from alerts.lifecycle.turn import Turn
from alerts.lifecycle.verdicts import take_verdicts
from alerts.model import State, Subject, Verdict
from alerts.policy.model import Policy
from alerts.rules.inventory import Inventory
from alerts.rules.model import Rule
from core.clock import Clock
from core.metrics import Metrics
from devices.registry import Registry
from devices.registry.alert_records import AlertEventKind, AlertRecord
from devices.registry.alert_telling import LateValue


class Lifecycle:
    """The alerts of an installation.

    Args:
        registry: where they are kept.
        policy: who is told.
        clock: the platform's time.
        metrics: what is counted, or None.
        holder: who holds the lease `alerts`; every change checks in its own transaction that it is
            still held. None: nobody has to.
    """

    def __init__(
        self,
        *,
        registry: Registry,
        policy: Policy,
        clock: Clock,
        metrics: Metrics | None = None,
        holder: str | None = None,
    ) -> None:
        self._registry = registry
        self._policy = policy
        self._clock = clock
        self._metrics = None if metrics is None else metrics.alerts.lifecycle
        self._holder = holder
        self._known = Known()
        self._lock = threading.Lock()
        self._all = True
        self._forget = True
        self._silences: frozenset[str] | None = None

    def know(self, rules: Mapping[str, Rule], inventory: Inventory, names: Names) -> None:
        """Say what rules, devices and names there are now.

        At the next turn every alert that goes on is looked at anew. What is pending or incomplete
        is forgotten: the evaluator, which begins anew with the rules, says it again.

        Args:
            rules: those that are judged, by name.
            inventory: the devices, where they are, through what they speak.
            names: what people call them.
        """
        with self._lock:
            self._known = Known(rules=rules, inventory=inventory, names=names)
            self._all = self._forget = True

    def apply(self, verdicts: Sequence[Verdict], late: Sequence[Late] = ()) -> None:
        """Take verdicts, in the order in which they were found; the same ones again change nothing.

        Args:
            verdicts: what changed.
            late: values that came too late to be judged; they are listed.

        Raises:
            RegistryUnavailableError: the database does not answer; nothing was changed.
            LeaseLostError: another process judges rules by now; nothing was changed.
        """
        if not verdicts and not late:
            return
        with self._turn() as turn:
            turn.work.late.extend(_late(one, turn.now_ns) for one in late)
            if verdicts:
                take_verdicts(turn, verdicts)

    def tick(self) -> None:
        """Do what is due: notices, repetitions, escalation, ends of silences and of flapping.

        Raises:
            RegistryUnavailableError: the database does not answer; nothing was changed.
            LeaseLostError: another process judges rules by now; nothing was changed.
        """
        if not self._all:
            due, silences = self._registry.alerts.pressing(self._clock.now_ns())
            if not due and silences == self._silences:
                return
        with self._turn():
            pass

    def platform(
        self,
        kind: str,
        name: str,
        *,
        active: bool,
        facts: Mapping[str, str | float] | None = None,
    ) -> None:
        """Begin or end an alarm of the platform itself; saying the same again changes nothing.

        Args:
            kind: such as `channel_down` (`alerts.lifecycle.platform_rules`).
            name: of what: a channel, a worker, a rule; "" the platform as a whole.
            active: whether it goes on.
            facts: what a reader wants to know.

        Raises:
            RegistryUnavailableError: the database does not answer; nothing was changed.
            LeaseLostError: another process judges rules by now; nothing was changed.
        """
        rule, subject = f"{PREFIX}{kind}", Subject("", device=name)
        there = [
            one
            for one in self._registry.alerts.open_alerts()
            if one.rule == rule and one.device == name
        ]
        if active == bool(there):
            return
        with self._turn() as turn:
            now_ns = turn.now_ns
            bare = Verdict(rule, 1, subject, State.FIRING, now_ns, now_ns, facts=dict(facts or {}))
            if active:
                verdicts = [msgspec.structs.replace(bare, alert_ns=now_ns, since_ns=now_ns)]
            else:
                over = msgspec.structs.replace(bare, state=State.CLEAR)
                verdicts = [msgspec.structs.replace(over, alert_ns=one.at_ns) for one in there]
            take_verdicts(turn, verdicts)

    def resolve_orphans(self, rules: Collection[str]) -> None:
        """End the alerts of rules that are there no more, with the fact `rule_gone`.

        Args:
            rules: names of all rules that are judged.

        Raises:
            RegistryUnavailableError: the database does not answer; nothing was changed.
            LeaseLostError: another process judges rules by now; nothing was changed.
        """
        names = frozenset(rules)
        with self._turn() as turn:
            work = turn.work
            gone = [
                one.id
                for one in work.standing()
                if one.rule not in names and not one.rule.startswith(PREFIX)
            ]
            for record in work.load(gone).values():
                turn.put(_orphaned(record, turn.now_ns))
                turn.event(record.id, AlertEventKind.RESOLVED, rule_gone=1)
                turn.opened = True
            for record in work.unsure():
                if record.rule not in names:
                    work.forget(record.id)

    @contextmanager
    def _turn(self) -> Iterator[Turn]:
        """One transaction: what the caller does in it, and everything that follows from it."""
        with self._lock:
            now_ns = self._clock.now_ns()
            started_s = self._clock.monotonic_s()
            every, forget = self._all, self._forget
            with self._registry.alerts.work(self._holder) as work:
                turn = Turn(work=work, policy=self._policy, known=self._known, now_ns=now_ns)
                if forget:
                    for record in work.unsure():
                        work.forget(record.id)
                yield turn
                silences = Silences(work.silences(now_ns))
                self._follow(turn, silences, every=every)
            self._all = self._forget = False
            self._silences = silences.ids
            if every or work.changed:
                self._count(turn, self._clock.monotonic_s() - started_s)

    def _follow(self, turn: Turn, silences: Silences, *, every: bool) -> None:
        work = turn.work
        if every:
            turn.touched.update(one.id for one in work.standing())
            turn.touched.update(one.alert for one in work.all_waiting())
        if every or turn.opened:
            inhibition.inhibit(turn)
        silencing.silence(turn, silences, every=every or silences.ids != self._silences)
        flapping.hold_still(turn)
        repetition.repeat(turn)
        telling.tell(turn, again=every)
        telling.flush(turn)

    def _count(self, turn: Turn, seconds: float) -> None:
        metrics = self._metrics
        if metrics is None:
            return
        for event in turn.work.events:
            metrics.events.labels(event.kind).inc()
        for occasion, count in turn.ordered.items():
            metrics.notices.labels(occasion).inc(count)
        metrics.turn_seconds.observe(seconds)
        counts = self._registry.alerts.counts()
        metrics.show(
            counts.states,
            inhibited=counts.inhibited,
            silenced=counts.silenced,
            flapping=counts.flapping,
        )


def _orphaned(record: AlertRecord, now_ns: int) -> AlertRecord:
    return closed(record, until_ns=now_ns, now_ns=now_ns, facts={RULE_GONE: 1})


def _late(one: Late, now_ns: int) -> LateValue:
    subject, reading = one.subject, one.reading
    return LateValue(
        rule=one.rule,
        site=subject.site,
        building=subject.building,
        zone=subject.zone,
        person=subject.person,
        device=reading.device,
        quantity=reading.quantity,
        time_ns=reading.time_ns,
        value=reading.value,
        seen_ns=now_ns,
    )
