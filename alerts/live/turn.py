"""One turn of judging: from taking over to giving up. Everything here is the judging thread's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from alerts.lifecycle import Lifecycle, names_of
from alerts.live.checkpoint import Checkpoint
from alerts.live.clockwatch import ClockWatch
from alerts.live.frames import Frames
from alerts.live.hearing import Hearing, Hole
from alerts.live.history import Reader
from alerts.live.hours import Hours
from alerts.live.judging import Judging
from alerts.live.listener import Listener
from alerts.live.memory import Memory
from alerts.live.outbound import Outbound
from alerts.live.plan import Plan, plan_of
from alerts.live.platform_state import UNUSABLE, PlatformState
from alerts.live.presence import Presence
from alerts.model import State, Verdict
from alerts.rules.model import Rule
from core.clock import NS_PER_S, Clock
from core.logs import Outage, logger
from core.metrics import Metrics
from core.settings import AlertsSettings
from core.sinks import STORED_UNTIL_FACT
from devices.registry import Registry, RegistryUnavailableError

_log = logger("alerts")
_WAIT_S = 0.05
_TICK_S = 0.25
_SECOND_S = 1.0
_PLAN_S = 5.0
_HOURS_S = 60.0
_CATCH_UP_S = 30.0


class Turn:
    """Judging, from taking over to giving up.

    Args:
        settings: `alerts`.
        registry: rules, devices, workers' reports, the checkpoint.
        lifecycle: is given the verdicts.
        listener: to the workers' streams; started by whoever made it.
        reader: of stored values.
        past: another one, for what is judged anew behind rules that speak already.
        clock: the time.
        metrics: `alerts.evaluator`.
        holder: of the lease.
        written: is called when verdicts were written: there may be something to be delivered.
        checkpoint: called with a name as the loop passes certain places.
    """

    def __init__(
        self,
        *,
        settings: AlertsSettings,
        registry: Registry,
        lifecycle: Lifecycle,
        listener: Listener,
        reader: Reader,
        past: Reader,
        clock: Clock,
        metrics: Metrics,
        holder: str,
        written: Callable[[], None],
        checkpoint: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._lifecycle = lifecycle
        self._reader = reader
        self._clock = clock
        self._metrics = metrics.alerts.evaluator
        self._frames = Frames(listener=listener, metrics=self._metrics)
        self._memory = Memory(registry=registry, holder=holder, clock=clock, metrics=self._metrics)
        self._pass = checkpoint
        self._outbound = Outbound(
            lifecycle=lifecycle, clock=clock, metrics=metrics, written=written
        )
        self._platform = PlatformState(lifecycle)
        self._judging = Judging(reader=reader, past=past, hear=self._outbound.hear)
        self._hours = Hours(registry)
        self._clockwatch = ClockWatch(clock)
        self._outage = Outage(_log, "registry")
        self._began_s = clock.monotonic_s()
        self._catching_up = True
        self._again_ns = 0
        self._filled: list[Hole] = []
        self._stored_before: Mapping[str, int] = {}
        self._due: dict[str, float] = {}
        self._hear_from(Hearing(heard={}, holes=(), since={}, since_ns=0))

    @property
    def rules(self) -> Sequence[Rule]:
        """The rules that are judged."""
        return () if self._judging.plan is None else self._judging.plan.rules

    @property
    def speaking(self) -> bool:
        """Whether rules were taken up, and what is found is said."""
        return not self._catching_up

    def begin(self) -> None:
        """Take up what was remembered, and have what came since read from the store.

        Raises:
            RegistryUnavailableError: the registry does not answer.
        """
        now_ns = self._clock.now_ns()
        plan = plan_of(self._registry, now_ns=now_ns)
        kept = self._memory.load()
        stored_until = self._stored_until()
        if kept is None:
            kept = Checkpoint(now_ns, now_ns, {}, (), ())
        hearing = Hearing(
            heard={
                worker: msgspec.structs.replace(one, told_ns=stored_until[worker])
                if stored_until.get(worker, 0) > one.told_ns
                else one
                for worker, one in kept.heard.items()
            },
            holes=[Hole(*one) for one in kept.holes],
            since=stored_until,
            since_ns=kept.saved_ns,
        )
        self._hear_from(hearing)
        self._again_ns = since_ns = kept.again_ns
        self._stored_before = stored_until

        def failed() -> None:
            for worker in stored_until:
                self._hearing.miss(worker, from_ns=since_ns, until_ns=now_ns)

        self._judging.begin(
            plan,
            kept=kept.watches,
            saved_ns=kept.saved_ns,
            again_ns=since_ns,
            told=self._memory.told(since_ns=since_ns),
            now_ns=now_ns,
            failed=failed,
            lost=self._fill_again,
        )
        self._resume_platform()
        self._due = {"plan": self._began_s + _PLAN_S, "save": self._began_s + _SECOND_S}
        self._describe(plan)

    def step(self) -> None:
        """Do what is to be done now; returns within a fraction of a second.

        Raises:
            LeaseLostError: another process judges rules by now.
        """
        now_s = self._clock.monotonic_s()
        while self._catching_up and self._reader.advance(wait_s=_WAIT_S):
            if self._clock.monotonic_s() - now_s > _SECOND_S:
                return  # what is heard waits meanwhile, in its order
        if self._catching_up and not self._reader.idle:
            return
        since_ns = self._hear()
        if not self._catching_up:
            self._reader.advance()
            self._look_back()
        self._watch_clock()
        if self._is_due("tick", _TICK_S) and not self._catching_up and not self._presence.deaf:
            self._judging.tick(now_ns=self._clock.now_ns())
        if self._is_due("second", _SECOND_S):
            self._each_second()
        self._pass("judged")
        self._outbound.write(since_ns=since_ns)
        self._pass("written")
        if self._is_due("save", self._settings.checkpoint_s):
            self._save()

    def end(self) -> None:
        """Write what was said and keep what is remembered: nothing has to be judged again.

        Raises:
            LeaseLostError: another process judges rules by now.
        """
        self._outbound.write()
        self._save()

    def _hear(self) -> int | None:
        """Judge what was heard; return when the oldest of it was committed."""
        now_s = self._clock.monotonic_s()
        taken = self._frames.take(self._hearing, timeout_s=_WAIT_S, now_s=now_s)
        if taken.readings:
            self._judging.take(taken.readings, now_ns=self._clock.now_ns(), lines=taken.lines)
        return taken.since_ns

    def _each_second(self) -> None:
        try:
            self._look_after_holes()
            self._presence.look(now_s=self._clock.monotonic_s())
            if self._is_due("plan", _PLAN_S):
                self._look_for_changes()
            if self._is_due("hours", _HOURS_S):
                hours = self._hours.take(self.rules, now_ns=self._clock.now_ns())
                self._judging.take_hours(hours, now_ns=self._clock.now_ns())
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            return
        self._outage.up()
        self._outbound.tick()
        self._metrics.watches.set(self._judging.watches)
        self._metrics.looking_back.set(int(self._judging.looking_back))

    def _look_after_holes(self) -> None:
        """Have holes read that are in the store by now; begin to speak once there is none."""
        now_s, now_ns = self._clock.monotonic_s(), self._clock.now_ns()
        if self._hearing.holes or self._catching_up:
            for hole in self._hearing.readable(self._stored_until()):
                _log.info("hole_read", worker=hole.worker, s=_seconds(hole))
                self._fill(hole, now_ns=now_ns)
        if self._judging.mute and not self._judging.changing:
            patient = now_s - self._began_s < _CATCH_UP_S
            waiting = not self._reader.idle or self._hearing.holes or not self._hearing.heard
            if waiting and patient:
                return
            self._judging.speak(now_ns=now_ns)
        if self._catching_up:
            self._catching_up = False
            self._judging.listen(now_ns=now_ns)
            self._say_gone(now_ns=now_ns)
            self._outbound.write()
            self._save()
            _log.info("alerts_caught_up", after_s=round(now_s - self._began_s, 1))

    def _fill(self, hole: Hole, *, now_ns: int) -> None:
        def failed() -> None:
            self._hearing.miss(hole.worker, from_ns=hole.from_ns, until_ns=hole.until_ns)

        if self._judging.looking_back and not self._catching_up:
            self._filled.append(hole)
        self._judging.fill(
            from_ns=hole.from_ns, until_ns=hole.until_ns, now_ns=now_ns, failed=failed
        )

    def _look_back(self) -> None:
        """Judge the past anew for a moment; go on with what came of it when it is as far."""
        if not self._judging.looking_back:
            return
        if not self._judging.look_back(now_s=self._clock.monotonic_s()):
            return
        self._outbound.write()
        if not self._outbound.empty:
            return
        try:
            told = self._memory.told(since_ns=self._again_ns)
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            return
        whole = not (self._hearing.holes or self._filled or self._presence.deaf)
        self._judging.have_looked_back(told=told, now_ns=self._clock.now_ns(), whole=whole)
        for hole in self._filled:
            self._hearing.miss(hole.worker, from_ns=hole.from_ns, until_ns=hole.until_ns)
        self._filled.clear()
        self._outbound.write()
        self._save()
        _log.info("alerts_looked_back", after_s=round(self._clock.monotonic_s() - self._began_s, 1))

    def _fill_again(self) -> None:
        """Note that what was heard since the beginning has to be read once the past was judged."""
        self._filled += [
            Hole(worker, self._stored_before.get(worker, self._again_ns), heard.told_ns)
            for worker, heard in self._hearing.heard.items()
        ]

    def _look_for_changes(self) -> None:
        """Take up rules and devices that changed."""
        known = self._judging.plan
        busy = self._judging.changing or self._judging.looking_back
        if known is None or busy or self._catching_up:
            return
        now_ns = self._clock.now_ns()
        due = known.until_ns is not None and known.until_ns <= now_ns
        if not due and self._registry.revision() == known.revision:
            return
        plan = plan_of(self._registry, now_ns=now_ns)
        if plan.versions == known.versions and plan.inventory == known.inventory:
            self._judging.plan = plan
            return
        stored_until = self._stored_until()

        def ready() -> None:
            self._began_s = self._clock.monotonic_s()
            if self._judging.mute:
                self._hearing.miss_all(stored_until)
            self._describe(plan)
            self._judging.repeat_unsure(now_ns=now_ns)
            self._say_gone(now_ns=now_ns)

        self._judging.change(plan, told=self._memory.told(), now_ns=now_ns, ready=ready)

    def _describe(self, plan: Plan) -> None:
        """Have the lifecycle know rules and places, and say which rules cannot be used."""
        rules = {one.name: one for one in plan.rules}
        self._lifecycle.know(rules, plan.inventory, names_of(self._registry))
        self._lifecycle.resolve_orphans({*rules, *plan.unusable})
        self._metrics.rules.set(len(plan.rules))
        self._metrics.bad_rules.set(len(plan.unusable))
        for name in {*plan.unusable, *self._platform.of(UNUSABLE)}:
            reason = plan.unusable.get(name, "")
            if reason:
                _log.warning("rule_unusable", rule=name, reason=reason)
            facts = {"rule": name, "reason": reason}
            self._platform.say(UNUSABLE, name, active=bool(reason), facts=facts)

    def _say_gone(self, *, now_ns: int) -> None:
        """End alerts whose devices are there no more."""
        verdicts = [
            Verdict(
                rule, 0, subject, State.CLEAR, now_ns, now_ns, alert_ns=told.at_ns,
                facts={"subject_gone": 1},
            )
            for rule, subject, told in self._judging.gone()
        ]  # fmt: skip
        if verdicts:
            self._lifecycle.apply(verdicts)

    def _watch_clock(self) -> None:
        step_s = self._clockwatch.stepped_s()
        if step_s:
            _log.warning("clock_stepped", by_s=round(step_s, 1))
            self._judging.listen(now_ns=self._clock.now_ns())

    def _is_due(self, what: str, every_s: float) -> bool:
        now_s = self._clock.monotonic_s()
        if now_s < self._due.get(what, 0.0):
            return False
        self._due[what] = now_s + every_s
        return True

    def _stored_until(self) -> Mapping[str, int]:
        """Return until when the store has everything that each worker committed."""
        return {
            one.worker: int(one.facts[STORED_UNTIL_FACT])
            for one in self._registry.workers.list()
            if STORED_UNTIL_FACT in one.facts
        }

    def _save(self) -> None:
        """Keep what is remembered, once everything that was said is in the registry.

        What was kept before is better as long as not everything was taken up.
        """
        if not self._outbound.empty or self._catching_up or self._judging.looking_back:
            return
        try:
            self._memory.keep(self._judging, self._hearing)
        except RegistryUnavailableError as error:
            self._outage.down(error.detail)
            return
        self._pass("kept")

    def _hear_from(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._presence = Presence(
            hearing=hearing,
            platform=self._platform,
            metrics=self._metrics,
            deaf_after_s=self._settings.deaf_after_s,
            began_s=self._began_s,
            listen=lambda: self._judging.listen(now_ns=self._clock.now_ns()),
        )

    def _resume_platform(self) -> None:
        names = {}
        for one in self._registry.alerts.open_alerts():
            if one.rule.startswith("platform."):
                names[f"{one.rule.removeprefix('platform.')} {one.device}"] = one.id
        self._platform.resume(names)


def _seconds(hole: Hole) -> float:
    return round((hole.until_ns - hole.from_ns) / NS_PER_S, 1)
