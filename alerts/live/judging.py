"""The evaluator at work: begins from what was remembered, takes up other rules and devices.

Rules go on with what they remember as long as their version is the same: at once from what they had
come to, and, so that late values are judged as if nothing had happened, from the past behind it
(`alerts.live.looking_back`). A rule that is new is first given what is stored, as far back as it
looks, and says nothing meanwhile; the others are judged on. Nothing here waits for the store
(`alerts.live.history`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from alerts.evaluate.engine import Engine, HourCount, Outcome
from alerts.evaluate.watch import Kept, Told
from alerts.live.giving import AHEAD_NS, Giving
from alerts.live.history import Reader
from alerts.live.looking_back import LookingBack
from alerts.live.plan import Plan
from alerts.model import Subject
from alerts.rules.index import reach
from core.clock import NS_PER_S
from core.logs import Outage, logger
from core.reading import Reading

TICK_BEHIND_NS = NS_PER_S
"""How far device time passes behind the platform's time: so long a value may be on its way."""
QUICK_NS = 10 * NS_PER_S
"""How long values are usually on their way at most: to go on at once, only these are read again."""
_AGAIN = 1.5
"""Of the longest lateness: what a checkpoint leaves to be given again."""

ToldAlerts = Mapping[tuple[str, Subject], Sequence[Told]]


class Judging:
    """Rules at work, live.

    Args:
        reader: of stored values.
        past: another one, for what is judged anew behind rules that speak already.
        hear: is given what comes of values and of time.
    """

    def __init__(self, *, reader: Reader, past: Reader, hear: Callable[[Outcome], None]) -> None:
        self._past = past
        self._hear = hear
        outage = Outage(logger("alerts.history"), "store")
        self._giving, self._giving_past = (
            Giving(reader=one, in_place_of=self._in_place_of, hear=hear, outage=outage)
            for one in (reader, past)
        )
        self._engine: Engine | None = None
        self._warming: Engine | None = None
        self._looking_back: LookingBack | None = None
        self.plan: Plan | None = None
        self._silent: frozenset[str] = frozenset()
        self._gone_on: frozenset[str] = frozenset()
        self._told: ToldAlerts = {}

    @property
    def watches(self) -> int:
        """How many rules are at work for a subject."""
        return 0 if self._engine is None else len(self._engine.watches)

    @property
    def mute(self) -> bool:
        """Whether there are rules that say nothing yet and could."""
        return bool(self._may_speak)

    @property
    def _may_speak(self) -> frozenset[str]:
        return self._silent if self._looking_back is None else self._silent & self._gone_on

    @property
    def looking_back(self) -> bool:
        """Whether the past is judged anew behind the rules that speak."""
        return self._looking_back is not None

    @property
    def again_for_ns(self) -> int:
        """How far before the present values have to be given again to who takes up a checkpoint."""
        rules = () if self.plan is None else self.plan.rules
        return round(_AGAIN * max((one.lateness_ns for one in rules), default=0))

    def begin(
        self,
        plan: Plan,
        *,
        kept: Sequence[Kept],
        saved_ns: int,
        again_ns: int,
        told: ToldAlerts,
        now_ns: int,
        failed: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        """Take up what was remembered; what came since is read from the store.

        Args:
            plan: what is to be judged.
            kept: what each watch remembers.
            saved_ns: when that was, the platform's time.
            again_ns: what was measured since this instant has to be given again.
            told: alerts that people were told of and that may go on.
            now_ns: the platform's time.
            failed: is called when the store does not answer.
            lost: is called when what is heard while it looks back is more than can be kept.
        """
        self._use(plan)
        self._told = told
        self._warming, self._looking_back = None, None
        self._silent = frozenset(one.name for one in plan.rules)
        self._engine = engine = self._restored(plan, now_ns=now_ns)
        self._gone_on = engine.restore(one.as_of_its_end() for one in kept)
        if not self._gone_on:
            self._giving.give_all(engine, plan.rules, now_ns=now_ns)
            return
        engine.doubt_nothing()
        going_on = [one for one in plan.rules if one.name in self._gone_on]
        start_ns = saved_ns - QUICK_NS
        self._giving.give(engine, going_on, start_ns=start_ns, now_ns=now_ns, failed=failed)

        def begin(failed: Callable[[], None]) -> Engine:
            engine = self._restored(plan, now_ns=now_ns)
            gone_on = engine.restore(kept)
            going_on = [one for one in plan.rules if one.name in gone_on]
            fresh = [one for one in plan.rules if one.name not in gone_on]
            giving = self._giving_past
            giving.give(engine, going_on, start_ns=again_ns, now_ns=now_ns, failed=failed)
            giving.give_all(engine, fresh, now_ns=now_ns, failed=failed)
            return engine

        self._looking_back = LookingBack(reader=self._past, begin=begin, hear=self._hear, lost=lost)

    def _restored(self, plan: Plan, *, now_ns: int) -> Engine:
        """Return an engine that is mute, to take up what was remembered."""
        engine = Engine(
            rules=plan.rules,
            inventory=plan.inventory,
            since_ns=now_ns - max((self._giving.back_ns(one) for one in plan.rules), default=0),
            told=self._told,
            mute={one.name for one in plan.rules},
        )
        engine.listen(now_ns)
        return engine

    def look_back(self, *, now_s: float) -> bool:
        """Judge the past anew for a moment; return whether nothing of it is left.

        Args:
            now_s: a clock that never steps, seconds.
        """
        return self._looking_back is None or self._looking_back.advance(now_s=now_s)

    def have_looked_back(self, *, told: ToldAlerts, now_ns: int, whole: bool) -> None:
        """Go on with what came of the past, and say in what it differs from what was told.

        Args:
            told: alerts that people were told of by now.
            now_ns: the platform's time.
            whole: whether everything was heard or read by now.
        """
        engine = None if self._looking_back is None else self._looking_back.engine
        if engine is None or self._engine is None:
            return
        until_ns = now_ns - TICK_BEHIND_NS
        if whole:
            engine.tick(until_ns, seen_ns=now_ns)
        engine.follow(self._engine, told, given_until_ns=until_ns if whole else None)
        self._engine, self._looking_back, self._told = engine, None, told
        self._silent = frozenset(() if self.plan is None else (one.name for one in self.plan.rules))
        self.speak(now_ns=now_ns)

    def change(
        self, plan: Plan, *, told: ToldAlerts, now_ns: int, ready: Callable[[], None]
    ) -> None:
        """Take up other rules or devices.

        Args:
            plan: what is to be judged from now on.
            told: as in `begin`.
            now_ns: the platform's time.
            ready: is called once they are at work: what was stored is judged; of rules that are
                new, what came since and was not stored yet has to be given again.
        """
        assert self._engine is not None and self.plan is not None  # noqa: S101, PT018 - begun
        known = self.plan.versions
        fresh = [one for one in plan.rules if (one.name, one.version) not in known]
        self._told = told
        if not fresh:
            self._exchange(plan, now_ns=now_ns)
            ready()
            return
        self._giving.know(reach(plan.rules, plan.inventory.devices))
        self._warming = warming = Engine(
            rules=fresh,
            inventory=plan.inventory,
            since_ns=now_ns - max(self._giving.back_ns(one) for one in fresh),
            told=told,
            mute={one.name for one in fresh},
        )
        warming.listen(now_ns)

        def done() -> None:
            if self._warming is warming:
                self._warming = None
                self._exchange(plan, now_ns=now_ns, warmed=warming)
                ready()

        self._giving.give_all(warming, fresh, now_ns=now_ns, then=done)

    @property
    def changing(self) -> bool:
        """Whether rules that are new are being given what is stored."""
        return self._warming is not None

    def _exchange(self, plan: Plan, *, now_ns: int, warmed: Engine | None = None) -> None:
        old = self._engine
        assert old is not None and self.plan is not None  # noqa: S101, PT018 - begun
        same = {name for name, _ in plan.versions & self.plan.versions}
        fresh = {one.name for one in plan.rules} - same
        self._silent = frozenset(fresh | (same & self._silent))
        self._gone_on &= same
        self._engine = Engine(
            rules=plan.rules,
            inventory=plan.inventory,
            since_ns=old.since_ns,
            deaf_until_ns=now_ns,
            told=self._told,
            mute=self._silent,
            adopt=[(old, same)] if warmed is None else [(old, same), (warmed, fresh)],
        )
        self._use(plan)

    def _use(self, plan: Plan) -> None:
        self.plan = plan
        reached = reach(plan.rules, plan.inventory.devices)
        for one in (self._giving, self._giving_past):
            one.know(reached)

    def speak(self, *, now_ns: int) -> None:
        """Have rules that were mute say what holds."""
        silent = self._may_speak
        if self._engine is not None and silent:
            self._silent -= silent
            asked_ns = {} if self.plan is None else self.plan.asked_ns
            since = {name: asked_ns.get(name, 0) for name in silent}
            since.update(dict.fromkeys(silent & self._gone_on, 0))
            self._hear(self._engine.speak(since, seen_ns=now_ns))

    def take(
        self, readings: Iterable[Reading], *, now_ns: int, lines: Sequence[bytes] = ()
    ) -> None:
        """Judge values that arrive now.

        Args:
            readings: the values.
            now_ns: the platform's time.
            lines: the same, as they were heard.
        """
        if self._engine is None:
            return
        back = self._looking_back
        if back is not None:
            # what is too late is listed when it comes there, not twice
            back.note_values(lines, seen_ns=now_ns)
        self._hear(self._engine.take(readings, seen_ns=now_ns, live=True, again=back is not None))

    def take_hours(self, hours: Iterable[HourCount], *, now_ns: int) -> None:
        """Judge what the ledger says of whole hours."""
        known = tuple(hours)
        self._tell(lambda engine: engine.take_hours(known, seen_ns=now_ns))

    def repeat_unsure(self, *, now_ns: int) -> None:
        """Say once more of what is pending, and what cannot be said."""
        if self._engine is not None:
            self._hear(self._engine.repeat_unsure(seen_ns=now_ns))

    def tick(self, *, now_ns: int) -> None:
        """Let device time pass: all that was measured has been given, but for the last second."""
        if self._engine is not None:
            self._hear(self._engine.tick(now_ns - TICK_BEHIND_NS, seen_ns=now_ns))

    def listen(self, *, now_ns: int) -> None:
        """Say that until now nobody could be heard."""

        def listen(engine: Engine) -> Outcome:
            engine.listen(now_ns)
            return Outcome()

        self._tell(listen)

    def _tell(self, do: Callable[[Engine], Outcome]) -> None:
        """Tell the engine something, and what is behind it when it is as far."""
        if self._looking_back is not None:
            self._looking_back.note(do)
        if self._engine is not None:
            self._hear(do(self._engine))

    def fill(self, *, from_ns: int, until_ns: int, now_ns: int, failed: Callable[[], None]) -> None:
        """Read what arrived in a time and was not heard, and judge it.

        While it looks back, only what can be judged at once: it has to be filled again after that.

        Args:
            from_ns: since when it arrived.
            until_ns: until when.
            now_ns: the platform's time.
            failed: is called when the store does not answer.
        """
        assert self._engine is not None and self.plan is not None  # noqa: S101, PT018 - begun
        late_ns = max((one.lateness_ns for one in self.plan.rules), default=0)
        if self._looking_back is not None:
            late_ns = min(late_ns, QUICK_NS)
        self._giving.give(
            self._engine,
            self.plan.rules,
            start_ns=from_ns - late_ns,
            end_ns=until_ns + AHEAD_NS,
            now_ns=now_ns,
            failed=failed,
        )

    def gone(self) -> list[tuple[str, Subject, Told]]:
        """Return alerts that people were told of and that no rule looks at any more."""
        if self._engine is None:
            return []
        return [
            (rule, subject, one)
            for (rule, subject), told in self._told.items()
            if not self._engine.judges(rule, subject)
            for one in told
            if one.until_ns is None
        ]

    def save(self, *, entries_before_ns: int) -> list[Kept]:
        """Return what each watch remembers; of rules that are mute nothing: they begin anew."""
        if self._engine is None:
            return []
        found = self._engine.save(entries_before_ns=entries_before_ns)
        return [one for one in found if one.rule not in self._silent]

    def _in_place_of(self, engine: Engine) -> Engine:
        """Return the engine that goes on in place of one that may have been exchanged meanwhile."""
        behind = None if self._looking_back is None else self._looking_back.engine
        if engine in (self._warming, behind) or self._engine is None:
            return engine
        return self._engine
