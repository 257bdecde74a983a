"""One rule for one subject: what was said of it, and what late values change in that.

Entries of the last `lateness` are kept, with states of the condition in between. A late entry is
put where it belongs and everything behind it is judged again; what then differs from what was said
is said. So the same entries come to the same episodes in whatever order they arrive.

What a watch remembers can be kept (`save`) and taken up by another process (`restore`), which is
given the entries behind it again: those that are there already change nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from alerts.conditions.build import absences
from alerts.conditions.node import Entry, Node
from alerts.evaluate.phases import Episode, Phases, phases_at_ns
from alerts.model import EVIDENCE, State, Subject, Verdict
from alerts.rules.model import Rule
from core.reading import Reading

MISSING_FACT = "missing"
"""Name of the fact that says which inputs are missing."""
_STATES = 4
_UNSURE = (State.PENDING, State.INCOMPLETE)
_instant = itemgetter(0)


class Told(msgspec.Struct):
    """An alert that was told of.

    Attributes:
        at_ns: since when, device time.
        until_ns: when it ended, if that was told, else None.
        before: it was told by whoever judged before, perhaps by another version of the rule.
    """

    at_ns: int
    until_ns: int | None
    before: bool = False


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """What a watch remembers, to be taken up again.

    Attributes:
        rule: name of the rule.
        version: version of the rule.
        subject: `alerts.model.Subject`.
        from_ns: instant of `state`, device time.
        state: of its phases then, and of its condition.
        entries: what came behind it.
        newest: the state when all entries had come, in the form of `state`; None: that is `state`.
    """

    rule: str
    version: int
    subject: Subject
    from_ns: int
    state: Any
    entries: tuple[Entry, ...]
    newest: Any = None

    def as_of_its_end(self) -> Kept:
        """Return the same without its past: to go on from, not to judge late values by."""
        state = self.state if self.newest is None else self.newest
        return Kept(self.rule, self.version, self.subject, phases_at_ns(state), state, ())


class Watch:
    """A rule at work for a subject.

    Args:
        rule: the rule.
        subject: the subject.
        node: its condition.
        start_ns: nothing is judged before this instant.
        fresh_for_ns: what began longer ago than this is told as retroactive.
        told: what was told of the subject by whoever judged it before.
        mute: say nothing until `speak`.
    """

    __slots__ = (
        "_episodes_told", "_fold_every_ns", "_forgotten", "_fresh_for_ns", "_given_ns", "_mute",
        "_new", "_start_ns", "_states", "_tail", "_told", "_told_state",
        "_unsure_told", "phases", "queued_ns", "rule", "subject",
    )  # fmt: skip

    def __init__(
        self,
        *,
        rule: Rule,
        subject: Subject,
        node: Node,
        start_ns: int,
        fresh_for_ns: int,
        told: Iterable[Told] = (),
        mute: bool = False,
    ) -> None:
        self.rule = rule
        self.subject = subject
        self.queued_ns: int | None = None
        self._start_ns = self._given_ns = start_ns
        self._fresh_for_ns = fresh_for_ns
        self._fold_every_ns = rule.lateness_ns // _STATES
        self._new: list[Entry] = []
        self._tail: list[Entry] = []
        self._told: list[Told] = list(told)
        self._told_state = State.CLEAR
        self._unsure_told = False
        self._episodes_told = -1 if self._told else 0
        self._mute = mute
        self._begin(node)

    @property
    def episodes(self) -> list[Episode]:
        """When it fired, as far as it is remembered: those that late values may still change."""
        return list(self.phases.episodes)

    def offer(self, entry: Entry) -> bool:
        """Take an entry, to be judged with `settle`; return whether it is the first."""
        self._new.append(entry)
        return len(self._new) == 1

    def settle(self, *, seen_ns: int) -> tuple[list[Verdict], list[Entry]]:
        """Judge what was offered.

        Args:
            seen_ns: the platform's time.

        Returns:
            What changed, and the entries that came too late to be judged.
        """
        new, self._new = self._new, []
        if len(new) > 1:
            new.sort()
        if new[0][0] > self.phases.at_ns:
            self._fold(new)
            return self._say(seen_ns=seen_ns), []
        floor_ns = max(self.phases.at_ns - self.rule.lateness_ns, self._states[0][0] + 1)
        late = [entry for entry in new if entry[0] < floor_ns]
        if known := self._unknown([entry for entry in new if entry[0] >= floor_ns]):
            self._refold(known)
        return self._say(seen_ns=seen_ns, again=bool(known)), late

    def pass_time(self, to_ns: int, *, seen_ns: int) -> list[Verdict]:
        """Let time pass up to an instant with nothing coming; return what changed."""
        if to_ns > self.phases.at_ns:
            self.phases.advance(to_ns)
        return self._say(seen_ns=seen_ns)

    def look(self, at_ns: int, *, seen_ns: int) -> list[Verdict]:
        """Ask the condition at an instant: something else than a value changed."""
        if at_ns > self.phases.at_ns:
            self.phases.look(at_ns)
        return self._say(seen_ns=seen_ns)

    def speak(self, *, asked_ns: int, seen_ns: int) -> list[Verdict]:
        """Say what holds now, and from now on every change.

        What was over before anybody asked for it stays unsaid.

        Args:
            asked_ns: since when somebody wants to know, device time.
            seen_ns: the platform's time.
        """
        self._mute = False
        self._drop(self._final(before_ns=asked_ns))
        for one in self.phases.episodes:
            if one.until_ns is not None and one.until_ns < asked_ns:
                self._know(one)
        self._episodes_told = -1
        return self._say(seen_ns=seen_ns)

    def repeat_unsure(self, *, seen_ns: int) -> list[Verdict]:
        """Say once more that it is pending, or that it cannot be said."""
        self._told_state = State.CLEAR
        return self._say(seen_ns=seen_ns)

    def save(self, *, entries_before_ns: int | None = None) -> Kept:
        """Return what is remembered.

        Args:
            entries_before_ns: only entries before this instant, as those behind it are given again;
                None: all.
        """
        from_ns, state = self._states[0]
        end = len(self._tail)
        if entries_before_ns is not None:
            end = bisect_left(self._tail, entries_before_ns, key=_instant)
        return Kept(
            rule=self.rule.name,
            version=self.rule.version,
            subject=self.subject,
            from_ns=from_ns,
            state=state,
            entries=tuple(self._tail[:end]),
            newest=self.phases.save(forgotten=self._forgotten)
            if self.phases.at_ns > phases_at_ns(state)
            else None,
        )

    def restore(self, kept: Kept) -> None:
        """Take up what was remembered; what was over by then was told."""
        last = kept.state[-1]
        phases = self.phases
        phases.episodes = [] if last is None else [last]
        self._forgotten = kept.state[-2] - len(phases.episodes)
        phases.load(kept.state, forgotten=self._forgotten)
        if last is not None and last.until_ns is not None:
            self._know(last)
        self._start_ns = kept.from_ns
        self._states[:] = [(kept.from_ns, kept.state)]
        self._doubt()
        self._fold(list(kept.entries))
        self._told_state = State.CLEAR
        self._episodes_told = -1

    def follow(self, other: Watch, told: Iterable[Told], *, given_until_ns: int | None) -> None:
        """Speak in place of another watch of the same, from what was told until now.

        Args:
            other: says nothing any more.
            told: what was told of the subject, by that one too.
            given_until_ns: see `Engine.follow`.
        """
        over = [one for one in self._told if one.until_ns is not None]
        self._told = [Told(one.at_ns, one.until_ns) for one in told]
        self._doubt()
        if given_until_ns is not None:
            self._given_ns = given_until_ns
        self._told += [one for one in over if not any(_overlap(one, it) for it in self._told)]
        self._told_state, self._unsure_told = other._told_state, other._unsure_told

    def doubt_nothing(self) -> None:
        """Withdraw nothing of what was told before: what showed it may not be given again."""
        for told in self._told:
            told.before = True

    def _doubt(self) -> None:
        """Sort what was told: values that are given again find it again, or did not show it.

        What silence showed they do not find.
        """
        by_silence = any(absences(self.phases.node))
        for told in self._told:
            told.before = by_silence or told.at_ns <= self._start_ns

    def exchange(self, node: Node, *, seen_ns: int) -> list[Verdict]:
        """Go on with another condition, from what is remembered; return what changed."""
        at_ns = self.phases.at_ns
        entries, self._tail = self._tail, []
        self._begin(node)
        self._fold(entries)
        self.phases.advance(at_ns)
        return self._say(seen_ns=seen_ns, again=True)

    def _know(self, one: Episode) -> None:
        if not any(_overlap(told, one) for told in self._told):
            self._told.append(Told(one.at_ns, one.until_ns))

    def _begin(self, node: Node) -> None:
        rule = self.rule
        self.phases = Phases(
            node, for_ns=rule.for_ns, clear_for_ns=rule.clear_for_ns, start_ns=self._start_ns
        )
        self._states: list[tuple[int, Any]] = [(self._start_ns, self.phases.save())]
        self._forgotten = 0

    def _unknown(self, entries: list[Entry]) -> list[Entry]:
        """Return the entries that are not there already; take those away that they replace."""
        found = []
        for entry in entries:
            place = bisect_left(self._tail, entry[:3], key=itemgetter(0, 1, 2))
            if place < len(self._tail) and self._tail[place][:3] == entry[:3]:
                if self._tail[place][3] == entry[3]:
                    continue
                del self._tail[place]
            found.append(entry)
        return found

    def _fold(self, entries: list[Entry]) -> None:
        """Judge entries that are newer than all before, in order."""
        phases = self.phases
        for at_ns, group in groupby(entries, _instant):
            if at_ns - self._states[-1][0] > self._fold_every_ns:
                self._remember()
            same = list(group)
            phases.take(same)
            self._tail += same

    def _refold(self, entries: list[Entry]) -> None:
        """Go back before entries and judge them with everything behind them again."""
        until_ns = self.phases.at_ns
        first_ns = entries[0][0]
        while len(self._states) > 1 and self._states[-1][0] >= first_ns:
            self._states.pop()
        from_ns, saved = self._states[-1]
        self.phases.load(saved, forgotten=self._forgotten)
        behind = bisect_right(self._tail, from_ns, key=_instant)
        again = self._tail[behind:] + entries
        del self._tail[behind:]
        again.sort()
        self._fold(again)
        if until_ns > self.phases.at_ns:
            self.phases.advance(until_ns)

    def _remember(self) -> None:
        """Keep the state as it is now, and forget what no late entry can change any more."""
        phases = self.phases
        self._states.append((phases.at_ns, phases.save(forgotten=self._forgotten)))
        final_ns = phases.at_ns - self.rule.lateness_ns
        old = sum(1 for at_ns, _ in self._states[1:] if at_ns <= final_ns)
        if not old:
            return
        del self._states[:old]
        from_ns = self._states[0][0]
        del self._tail[: bisect_right(self._tail, from_ns, key=_instant)]

    def _forget(self) -> None:
        """Forget the episodes that no late entry can change any more; they were told of."""
        over = self._final(before_ns=self._states[0][0])
        if over > 0:
            known, _ = self._matched()
            gone = [known[place] for place in range(over) if place in known]
            self._told = [one for one in self._told if not any(one is it for it in gone)]
            self._drop(over)

    def _final(self, *, before_ns: int) -> int:
        """Return how many of the first episodes were over before an instant, for good.

        One that fired at the oldest state that is kept is needed when that is loaded.
        """
        from_ns, state = self._states[0]
        before_ns = min(before_ns, from_ns)
        firing, count = state[2], state[-2]
        settled = count - self._forgotten - (1 if firing else 0)
        episodes = self.phases.episodes
        over = 0
        while over < min(settled, len(episodes) - 1):
            until_ns = episodes[over].until_ns
            if until_ns is None or until_ns >= before_ns:
                break
            over += 1
        return over

    def _drop(self, over: int) -> None:
        del self.phases.episodes[:over]
        self._forgotten += over

    def _say(self, *, seen_ns: int, again: bool = False) -> list[Verdict]:
        phases = self.phases
        state = phases.state
        if self._mute:
            return []
        same = state is self._told_state and len(phases.episodes) == self._episodes_told
        if same and not again and not (self._told and self._owes()):
            return []
        found = list(self._of_episodes(seen_ns=seen_ns, again=again))
        if state is not self._told_state:
            fires = any(one.state is State.FIRING for one in found)
            found += self._of_unsure(state, fires=fires, seen_ns=seen_ns)
        self._told_state = state
        self._forget()
        self._episodes_told = len(phases.episodes)
        return found

    def _owes(self) -> bool:
        """Return whether somebody else told of an alert that may be over without another change."""
        return any(told.before and told.until_ns is None for told in self._told)

    def _of_unsure(self, state: State, *, fires: bool, seen_ns: int) -> Iterator[Verdict]:
        """Say that it is pending, or which inputs are missing, or that this is over.

        That there are too few values yet to say anything is nobody's concern.

        Args:
            state: what is said now.
            fires: it was just said that it fires: whoever hears that knows that this is over.
            seen_ns: the platform's time.
        """
        phases = self.phases
        facts: dict[str, str | float] = {}
        if state in _UNSURE:
            facts = dict(phases.node.facts(phases.at_ns))
            if state is State.INCOMPLETE and MISSING_FACT not in facts:
                return
        elif fires or not self._unsure_told:
            self._unsure_told = False
            return
        self._unsure_told = state in _UNSURE
        pending_ns = phases.pending_ns
        at_ns = phases.at_ns if pending_ns is None else pending_ns
        yield self._verdict(state, at_ns, seen_ns=seen_ns, facts=facts)

    def _of_episodes(self, *, seen_ns: int, again: bool) -> Iterator[Verdict]:
        """Say what differs from what was told; what is not so first, or news would pass for it."""
        known, left = self._matched()
        yield from self._of_none(left, seen_ns=seen_ns)
        for place, one in enumerate(self.phases.episodes):
            told = known.get(place)
            if told is None:
                self._told.append(Told(one.at_ns, one.until_ns))
                yield self._firing(one, alert_ns=one.at_ns, seen_ns=seen_ns, again=again)
                continue
            told.before = False
            if told.until_ns == one.until_ns:
                continue
            told.until_ns = one.until_ns
            if one.until_ns is None:
                yield self._firing(one, alert_ns=told.at_ns, seen_ns=seen_ns, again=again)
            else:
                yield self._verdict(
                    State.CLEAR, one.until_ns, seen_ns=seen_ns, alert_ns=told.at_ns, again=again
                )

    def _of_none(self, left: Iterable[Told], *, seen_ns: int) -> Iterator[Verdict]:
        """End or withdraw alerts that were told of no episode there is."""
        for told in left:
            at_ns = self.phases.at_ns
            given_ns = at_ns if told.before else max(at_ns, self._given_ns)
            if told.at_ns > given_ns:  # what showed it was not given again yet
                continue
            if told.before:
                yield from self._of_before(told, seen_ns=seen_ns)
                continue
            self._told.remove(told)
            yield self._verdict(
                State.CLEAR, told.at_ns, seen_ns=seen_ns, alert_ns=told.at_ns, again=True,
                facts={"withdrawn": 1},
            )  # fmt: skip

    def _matched(self) -> tuple[dict[int, Told], list[Told]]:
        """Return which alert was told of which episode, by its place, and those told of none now.

        An alert is the episode in which it began; if late values moved the beginning behind that,
        the first one that it overlaps. Of several that became one episode the first stays.
        """
        episodes = self.phases.episodes
        found: dict[int, Told] = {}
        moved, left = [], []
        for told in sorted(self._told, key=lambda one: one.at_ns):
            place = next((at for at, one in enumerate(episodes) if _began_in(told, one)), None)
            if place is None:
                moved.append(told)
            elif place in found:
                left.append(told)
            else:
                found[place] = told
        for told in moved:
            place = next(
                (at for at, one in enumerate(episodes) if at not in found and _overlap(told, one)),
                None,
            )
            if place is None:
                left.append(told)
            else:
                found[place] = told
        return found, left

    def _of_before(self, told: Told, *, seen_ns: int) -> Iterator[Verdict]:
        """End an alert that somebody else told of, once it can be said that it does not hold."""
        if told.until_ns is not None or self.phases.unsaid or not self._tail:
            return
        told.until_ns = self.phases.at_ns
        yield self._verdict(State.CLEAR, told.until_ns, seen_ns=seen_ns, alert_ns=told.at_ns)

    def _firing(self, one: Episode, *, alert_ns: int, seen_ns: int, again: bool) -> Verdict:
        value = one.facts.get("value")
        found = self._verdict(
            State.FIRING,
            one.at_ns,
            seen_ns=seen_ns,
            alert_ns=alert_ns,
            again=again,
            facts=one.facts,
        )
        return msgspec.structs.replace(
            found,
            since_ns=one.since_ns,
            until_ns=one.until_ns,
            value=value if isinstance(value, float) else None,
            evidence=self._evidence(one.at_ns),
        )

    def _verdict(
        self,
        state: State,
        at_ns: int,
        *,
        seen_ns: int,
        alert_ns: int | None = None,
        again: bool = False,
        facts: dict[str, str | float] | None = None,
    ) -> Verdict:
        return Verdict(
            rule=self.rule.name,
            version=self.rule.version,
            subject=self.subject,
            state=state,
            at_ns=at_ns,
            seen_ns=seen_ns,
            alert_ns=alert_ns,
            retroactive=again or seen_ns - at_ns > self._fresh_for_ns,
            facts=facts or {},
        )

    def _evidence(self, at_ns: int) -> tuple[Reading, ...]:
        end = bisect_right(self._tail, at_ns, key=_instant)
        return tuple(
            Reading(self.subject.site, device, quantity, time_ns, value)
            for time_ns, device, quantity, value in self._tail[max(0, end - EVIDENCE) : end]
        )


def _began_in(told: Told, one: Episode) -> bool:
    return one.at_ns <= told.at_ns and (one.until_ns is None or told.at_ns <= one.until_ns)


def _overlap(told: Told, one: Episode | Told) -> bool:
    return (one.until_ns is None or told.at_ns <= one.until_ns) and (
        told.until_ns is None or one.at_ns <= told.until_ns
    )
