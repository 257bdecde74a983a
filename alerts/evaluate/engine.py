"""Every rule at work: routes values to the rules that look at them, and lets time pass.

It reads no clock, does no I/O, and is deterministic: the same calls give the same verdicts. A watch
(a rule for one subject) begins with the first value that concerns it; one that waits for silence
begins with the engine, but for a series, which nobody knows of before its first value.

What an engine remembers can be taken up by another one (`save`, `restore`): with other rules or
devices, or in another process. A rule that is mute says nothing until `speak`, so that it can be
given history first.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

import msgspec

from alerts.conditions.build import Surroundings, absences, build
from alerts.conditions.node import MISSING, RECEIVED, Member, Node
from alerts.evaluate.watch import Kept, Told, Watch
from alerts.model import Subject, Verdict
from alerts.rules.conditions import holds_kind
from alerts.rules.index import RuleIndex
from alerts.rules.inventory import Inventory, Placed, fits, subject_of
from alerts.rules.model import Absence, Condition, Rule
from alerts.rules.series import asked_of
from core.clock import NS_PER_S
from core.reading import Reading

_UTC = ZoneInfo("UTC")
FRESH_FOR_NS = 15 * 60 * NS_PER_S
"""What began longer ago than this when it is found is told as retroactive, nanoseconds."""
BEHIND_NS = 60 * NS_PER_S
"""A device whose values are older than this when they arrive is heard by their arrival too."""
_Series = tuple[str, str, str]


class Late(msgspec.Struct, frozen=True):
    """A value that came later than its rule allows; it was not judged.

    Attributes:
        rule: name of the rule.
        subject: of the watch.
        reading: the value.
    """

    rule: str
    subject: Subject
    reading: Reading


class Outcome(msgspec.Struct, frozen=True):
    """What came of some values.

    Attributes:
        verdicts: what changed.
        late: what came too late.
    """

    verdicts: tuple[Verdict, ...] = ()
    late: tuple[Late, ...] = ()


class HourCount(msgspec.Struct, frozen=True):
    """What the ledger says of a device's hour.

    Attributes:
        site: site slug.
        device: device slug.
        end_ns: end of the hour, nanoseconds since the epoch.
        received: messages that came.
        missing: numbers of the device's counter that did not.
    """

    site: str
    device: str
    end_ns: int
    received: int
    missing: int


_NOTHING: Mapping[tuple[str, Subject], Sequence[Told]] = MappingProxyType({})


class Engine:
    """Rules at work.

    Args:
        rules: the rules.
        inventory: the devices.
        since_ns: since when values are given; silence before it is nobody's.
        deaf_until_ns: silence before it is nobody's either; None: `since_ns`.
        fresh_for_ns: see `FRESH_FOR_NS`.
        told: (rule, subject) -> alerts that people were told of and that may go on.
        mute: names of rules that say nothing until `speak`.
        adopt: other engines, each with the names of rules that go on here where they are there.

    Attributes:
        since_ns: what was measured before it is not judged, where nothing is remembered.
    """

    def __init__(
        self,
        *,
        rules: Sequence[Rule],
        inventory: Inventory,
        since_ns: int,
        deaf_until_ns: int | None = None,
        fresh_for_ns: int = FRESH_FOR_NS,
        told: Mapping[tuple[str, Subject], Sequence[Told]] = _NOTHING,
        mute: Collection[str] = (),
        adopt: Sequence[tuple[Engine, Collection[str]]] = (),
    ) -> None:
        self._told = told
        self._mute = frozenset(mute)
        self._zones = inventory.zones
        self.since_ns = since_ns
        self._now_ns = self._deaf_until_ns = since_ns if deaf_until_ns is None else deaf_until_ns
        self._fresh_for_ns = fresh_for_ns
        self._devices = {(one.site, one.device): one for one in inventory.devices}
        self._index = RuleIndex(rules)
        self._fitting: dict[tuple[str, str], tuple[Rule, ...]] = {}
        self._members: dict[tuple[str, Subject], list[Placed]] = defaultdict(list)
        self._watches: dict[tuple[str, Subject], Watch] = {}
        self._targets: dict[_Series, tuple[Watch, ...]] = {}
        self._due: list[tuple[int, int, Watch]] = []
        self._pushed = 0
        self._expiries: list[tuple[int, int, Watch]] = []
        for device in inventory.devices:
            self._place(device)
        for other, names in adopt:
            self._adopt(other, names)
        for (name, subject), members in self._members.items():
            rule = self._index.by_name[name]
            if holds_kind(rule.when, Absence) and (name, subject) not in self._watches:
                self._queue(self._watch(rule, subject, members))

    @property
    def watches(self) -> list[Watch]:
        """Every rule at work for a subject."""
        return list(self._watches.values())

    def judges(self, rule: str, subject: Subject) -> bool:
        """Return whether a rule looks at a subject."""
        return bool(self._members_of(rule, subject))

    def take(
        self,
        readings: Iterable[Reading],
        *,
        seen_ns: int,
        rules: frozenset[str] | None = None,
        again: bool = False,
        live: bool = False,
    ) -> Outcome:
        """Take values, in any order.

        Args:
            readings: values.
            seen_ns: the platform's time, nanoseconds since the epoch.
            rules: give them to these rules alone; None: to every one.
            again: they may have been given before: what comes too late is not listed.
            live: they arrive now, whatever they say of when they were measured: a device that is
                heard is not silent, even if its clock is behind.
        """
        targets = self._targets
        touched: list[Watch] = []
        behind_ns = seen_ns - BEHIND_NS if live else 0
        for one in readings:
            series = (one.site, one.device, one.quantity)
            found = targets.get(series)
            if found is None:
                found = targets[series] = self._resolve(series)
            if found:
                entry = (one.time_ns, one.device, one.quantity, one.value)
                for watch in found:
                    if one.quality & watch.rule.ignore_quality:
                        continue
                    if rules is not None and watch.rule.name not in rules:
                        continue
                    if one.time_ns < behind_ns:
                        for node in absences(watch.phases.node):
                            node.hear(entry, seen_ns)
                    if watch.offer(entry):
                        touched.append(watch)
        return self._settle(touched, seen_ns=seen_ns, again=again, live=live)

    def take_hours(self, hours: Iterable[HourCount], *, seen_ns: int) -> Outcome:
        """Take what the ledger says of whole hours."""
        readings = [
            Reading(one.site, one.device, name, one.end_ns, float(count))
            for one in hours
            for name, count in ((RECEIVED, one.received), (MISSING, one.missing))
        ]
        return self.take(readings, seen_ns=seen_ns)

    def tick(self, until_ns: int, *, seen_ns: int) -> Outcome:
        """Let device time pass for every rule: all that was measured until then has been given.

        Args:
            until_ns: device time.
            seen_ns: the platform's time.
        """
        self._now_ns = max(self._now_ns, until_ns)
        verdicts = self._expire(seen_ns=seen_ns)
        due = self._due
        while due and due[0][0] <= until_ns:
            at_ns, _, watch = heapq.heappop(due)
            if watch.queued_ns != at_ns:
                continue
            watch.queued_ns = None
            next_ns = watch.phases.next_ns()
            if next_ns is not None and next_ns <= until_ns:
                verdicts += watch.pass_time(until_ns, seen_ns=seen_ns)
            self._queue(watch)
        return Outcome(tuple(verdicts))

    def listen(self, since_ns: int) -> None:
        """Say that nothing could be heard until an instant: silence counts from then on."""
        self._deaf_until_ns = max(self._deaf_until_ns, since_ns)
        for watch in self._watches.values():
            for node in absences(watch.phases.node):
                node.listen(since_ns)
            self._queue(watch)

    def speak(self, asked_ns: Mapping[str, int], *, seen_ns: int) -> Outcome:
        """Have rules say what holds now, and from now on every change.

        Args:
            asked_ns: name -> since when somebody wants to know what the rule finds, device time:
                what was over before stays unsaid.
            seen_ns: the platform's time.
        """
        self._mute = self._mute.difference(asked_ns)
        verdicts: list[Verdict] = []
        for (name, _), watch in self._watches.items():
            if name in asked_ns:
                verdicts += watch.speak(asked_ns=asked_ns[name], seen_ns=seen_ns)
                self._queue(watch)
        return Outcome(tuple(verdicts))

    def repeat_unsure(self, *, seen_ns: int) -> Outcome:
        """Say once more of what is pending, and what cannot be said: others are forgotten."""
        verdicts: list[Verdict] = []
        for watch in self._watches.values():
            verdicts += watch.repeat_unsure(seen_ns=seen_ns)
        return Outcome(tuple(verdicts))

    def save(self, *, entries_before_ns: int | None = None) -> Iterator[Kept]:
        """Yield what every watch remembers.

        Args:
            entries_before_ns: only entries before this instant, as those behind it are given again
                to whoever takes it up; None: all.
        """
        for watch in self._watches.values():
            yield watch.save(entries_before_ns=entries_before_ns)

    def restore(self, kept: Iterable[Kept]) -> frozenset[str]:
        """Take up what was remembered; what is of another version, or of nobody, is passed over.

        Returns:
            The rules that went on.
        """
        found = set()
        for one in kept:
            rule = self._index.by_name.get(one.rule)
            members = self._members_of(one.rule, one.subject)
            if rule is None or rule.version != one.version or not members:
                continue
            watch = self._watches.get((one.rule, one.subject))
            if watch is None:
                watch = self._watch(rule, one.subject, members)
            watch.restore(one)
            found.add(one.rule)
            self._queue(watch)
        return frozenset(found)

    def doubt_nothing(self) -> None:
        """Withdraw nothing of what was told before: what showed it may not be given again."""
        for watch in self._watches.values():
            watch.doubt_nothing()

    def follow(
        self,
        other: Engine,
        told: Mapping[tuple[str, Subject], Sequence[Told]],
        *,
        given_until_ns: int | None,
    ) -> None:
        """Speak in place of another engine with the same rules and devices, once `speak` is called.

        Args:
            other: says nothing any more.
            told: what was told until now, by that one too.
            given_until_ns: all that was measured until then has been given, device time: what was
                told and is not found is withdrawn; None: some may be missing.
        """
        self._told = told
        for key, watch in self._watches.items():
            before = other._watches.get(key, watch)
            watch.follow(before, told.get(key, ()), given_until_ns=given_until_ns)

    def _settle(
        self, touched: Sequence[Watch], *, seen_ns: int, again: bool, live: bool
    ) -> Outcome:
        if not touched:
            return Outcome()
        verdicts: list[Verdict] = []
        late: list[Late] = []
        for watch in touched:
            found, missed = watch.settle(seen_ns=seen_ns)
            if found:
                verdicts += found
            phases = watch.phases
            if missed and live and phases.node.timed and any(absences(phases.node)):
                verdicts += watch.look(seen_ns, seen_ns=seen_ns)
            for time_ns, device, quantity, value in () if again else missed:
                reading = Reading(watch.subject.site, device, quantity, time_ns, value)
                late.append(Late(watch.rule.name, watch.subject, reading))
            if phases.node.timed or found or phases.pending_ns is not None or phases.firing:
                self._queue(watch)
        return Outcome(tuple(verdicts), tuple(late))

    def _queue(self, watch: Watch) -> None:
        """Have time pass for a watch when it is due.

        One that is due later than it stands in the queue is put back when its turn comes: each
        value of a device moves its deadman, and none of them costs an entry.
        """
        next_ns = watch.phases.next_ns()
        if next_ns is None or (watch.queued_ns is not None and watch.queued_ns <= next_ns):
            return
        watch.queued_ns = next_ns
        self._pushed += 1
        heapq.heappush(self._due, (next_ns, self._pushed, watch))

    def _place(self, device: Placed) -> None:
        fitting = self._index.of(device)
        self._fitting[device.site, device.device] = fitting
        for rule in fitting:
            subject = subject_of(rule, device)
            if subject is not None:
                self._members[rule.name, subject].append(device)

    def _members_of(self, rule: str, subject: Subject) -> Sequence[Placed]:
        """Return the devices of a subject; of a series it is told by the subject alone."""
        if not subject.quantity:
            return self._members.get((rule, subject), ())
        placed = self._devices.get((subject.site, subject.device))
        said = self._index.by_name.get(rule)
        if placed is None or said is None or not fits(said.select, placed):
            return ()
        return [placed] if subject_of(said, placed, subject.quantity) == subject else ()

    def _resolve(self, series: _Series) -> tuple[Watch, ...]:
        """Return the watches that a series concerns; they begin with it."""
        site, device, quantity = series
        placed = self._devices.get((site, device))
        if placed is None:
            placed = self._devices[site, device] = Placed(site, device)
            self._place(placed)
        found = []
        for rule in self._fitting[site, device]:
            subject = subject_of(rule, placed, quantity)
            if subject is None:
                continue
            watch = self._watches.get((rule.name, subject))
            if watch is None:
                members = [placed] if subject.quantity else self._members[rule.name, subject]
                if not _concerns(self._node(rule, subject, members), quantity):
                    continue
                watch = self._watch(rule, subject, members)
            if _concerns(watch.phases.node, quantity):
                found.append(watch)
        return tuple(found)

    def _watch(self, rule: Rule, subject: Subject, members: Sequence[Placed]) -> Watch:
        watch = Watch(
            rule=rule,
            subject=subject,
            node=self._node(rule, subject, members),
            start_ns=self.since_ns - 1,
            fresh_for_ns=self._fresh_for_ns,
            told=[
                Told(one.at_ns, one.until_ns, before=True)
                for one in self._told.get((rule.name, subject), ())
            ],
            mute=rule.name in self._mute,
        )
        self._put(watch)
        return watch

    def _put(self, watch: Watch) -> None:
        self._watches[watch.rule.name, watch.subject] = watch
        for one in watch.rule.overrides:
            if one.expires_ns > self._now_ns and _is_of(one.device, one.person, watch.subject):
                self._pushed += 1
                heapq.heappush(self._expiries, (one.expires_ns, self._pushed, watch))

    def _adopt(self, other: Engine, names: Collection[str]) -> None:
        """Take over the watches of another engine, as long as their devices are the same."""
        self._now_ns = max(self._now_ns, other._now_ns)
        for key, watch in other._watches.items():
            members = self._members_of(*key)
            if key[0] not in names or not members:
                continue
            if members == other._members_of(*key):
                watch.queued_ns = None
                self._put(watch)
                self._queue(watch)
            else:
                self.restore([watch.save()])

    def _node(self, rule: Rule, subject: Subject, members: Sequence[Placed]) -> Node:
        around = Surroundings(
            members=tuple(Member(one.device, one.interval_s) for one in members),
            zone=self._zones.get(subject.site, _UTC),
            since_ns=self._deaf_until_ns,
            single=bool(subject.device),
            series=bool(subject.quantity),
        )
        return build(self._when(rule, subject), around)

    def _when(self, rule: Rule, subject: Subject) -> Condition:
        """Return the condition that counts for a subject now; of several overrides the last."""
        for one in reversed(rule.overrides):
            if one.expires_ns > self._now_ns and _is_of(one.device, one.person, subject):
                return asked_of(one.when, subject.quantity)
        return asked_of(rule.when, subject.quantity)

    def _expire(self, *, seen_ns: int) -> list[Verdict]:
        """Return to the rule's own condition where an override is over."""
        verdicts: list[Verdict] = []
        while self._expiries and self._expiries[0][0] <= self._now_ns:
            _, _, watch = heapq.heappop(self._expiries)
            members = self._members_of(watch.rule.name, watch.subject)
            node = self._node(watch.rule, watch.subject, members)
            verdicts += watch.exchange(node, seen_ns=seen_ns)
            self._queue(watch)
        return verdicts


def _concerns(node: Node, quantity: str) -> bool:
    if node.quantities is None:
        return not quantity.startswith("#")
    return quantity in node.quantities


def _is_of(device: str, person: str, subject: Subject) -> bool:
    return subject.device == device if device else subject.person == person
