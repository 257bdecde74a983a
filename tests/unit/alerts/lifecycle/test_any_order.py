"""Whatever happens in whatever order: what people are told makes sense, nothing is forgotten."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from alerts.lifecycle import people
from alerts.lifecycle.wanted import FIRES
from alerts.model import Occasion
from core.errors import ConflictError
from devices.registry.alert_records import OPEN_STATES, AlertEvent, AlertRecord
from tests.unit.alerts.lifecycle.scene import FILE, Scene, ends, fires
from tests.unit.alerts.rules import placed

POLICY = """
default:
  channels: [one]
  group_by: []
  group_interval: 15s
  repeat: 2m
  escalate: [{after: 1m, channels: [two]}, {after: 3m, channels: [three]}]
"""
DEVICES = (placed("gw"), placed("a", labels={"gateway": "gw"}), placed("b"))
NAMES = st.sampled_from(["gw", "a", "b"])
RULE_NAMES = st.sampled_from(["silent", "hot", "burning"])
NEXT = {
    "": {Occasion.FIRING, Occasion.RETROACTIVE},
    Occasion.FIRING: {Occasion.REMINDER, Occasion.RESOLVED},
    Occasion.REMINDER: {Occasion.REMINDER, Occasion.RESOLVED},
    Occasion.RETROACTIVE: {Occasion.FIRING, Occasion.RESOLVED},
    Occasion.RESOLVED: {Occasion.FIRING, Occasion.RETROACTIVE},
}
"""What a channel may be told of an alert after what it was told last."""

QUIET = ("silenced", "inhibited", "acknowledged")
LOUD = {
    "unsilenced": "silenced",
    "uninhibited": "inhibited",
    "unacknowledged": "acknowledged",
}


class Anything(RuleBasedStateMachine):
    """Verdicts, people, silences, time and deaths in any order."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self._directory = TemporaryDirectory()
        directory = Path(self._directory.name)
        shutil.copy(self.template, directory / FILE)
        self.scene = Scene(directory, POLICY, devices=DEVICES)
        self.open: dict[tuple[str, str], float] = {}
        self.over: dict[tuple[str, str], float] = {}

    @initialize()
    def begin(self) -> None:
        self.scene.clock.advance(1)

    @rule(name=RULE_NAMES, device=NAMES)
    def fire(self, name: str, device: str) -> None:
        at = self.scene.now_s()
        if (name, device) not in self.open and self.over.get((name, device), 0) < at:
            self.open[name, device] = at
            self.scene.say(fires(name, device, at=at))

    @rule(name=RULE_NAMES, device=NAMES, withdrawn=st.booleans())
    def end(self, name: str, device: str, withdrawn: bool) -> None:  # noqa: FBT001
        started = self.open.pop((name, device), None)
        if started is not None:
            now = self.scene.now_s()
            if not withdrawn:
                self.over[name, device] = started
            until = started if withdrawn else now
            self.scene.say(
                ends(
                    name, device, at=until, alert=started, seen=now, withdrawn=withdrawn,
                    late=withdrawn,
                )
            )  # fmt: skip

    @rule(name=RULE_NAMES, device=NAMES)
    def go_on_after_all(self, name: str, device: str) -> None:
        started = self.over.get((name, device))
        if started is not None and (name, device) not in self.open:
            self.open[name, device] = started
            self.scene.say(fires(name, device, at=started, seen=self.scene.now_s(), late=True))

    @rule(device=NAMES, back=st.integers(100, 5000))
    def find_the_past(self, device: str, back: int) -> None:
        now = self.scene.now_s()
        self.scene.say(
            fires("warm", device, at=now - back, until=now - back + 5, seen=now, late=True)
        )

    @rule(pick=st.integers(0, 9))
    def acknowledge(self, pick: int) -> None:
        self._act(pick, people.acknowledge)

    @rule(pick=st.integers(0, 9))
    def let_go(self, pick: int) -> None:
        self._act(pick, people.unacknowledge)

    @rule(name=RULE_NAMES, seconds=st.integers(5, 300))
    def silence(self, name: str, seconds: int) -> None:
        now_ns = self.scene.clock.now_ns()
        people.silence(
            self.scene.registry,
            {"rule": [name]},
            by="a",
            reason="b",
            until_ns=now_ns + seconds * 10**9,
            now_ns=now_ns,
        )

    @rule(active=st.booleans())
    def be_deaf(self, active: bool) -> None:  # noqa: FBT001
        self.scene.lifecycle.platform("deaf", "", active=active)

    @rule(seconds=st.sampled_from([1, 5, 20, 70, 130, 400]))
    def wait(self, seconds: int) -> None:
        for _ in range(min(seconds, 8)):
            self.scene.clock.advance(seconds / min(seconds, 8))
            self.scene.lifecycle.tick()

    @rule()
    def die(self) -> None:
        self.scene.start(POLICY)

    @invariant()
    def what_is_told_follows_from_what_was_told(self) -> None:
        last: dict[tuple[str, str], str] = defaultdict(str)
        for notice in self.scene.notices():
            for view in notice.alerts:
                if notice.channel == "one":
                    key = view.id, notice.channel
                    assert notice.occasion in NEXT[last[key]], (last[key], notice.occasion)
                    last[key] = notice.occasion

    @invariant()
    def whoever_is_muted_has_a_reason_that_is_there(self) -> None:
        there = {one.id: one for one in self.scene.alerts() if one.state in OPEN_STATES}
        for one in there.values():
            if one.cause:
                assert one.cause in there
                assert not there[one.cause].cause

    def teardown(self) -> None:
        try:
            self._in_the_end_everybody_knows()
        finally:
            self.scene.close()
            self._directory.cleanup()

    def _in_the_end_everybody_knows(self) -> None:
        self.scene.clock.advance(400)
        self.scene.lifecycle.tick()
        for _ in range(40):
            self.scene.clock.advance(5)
            self.scene.lifecycle.tick()
        self.what_is_told_follows_from_what_was_told()
        told: dict[str, Occasion] = {}
        for notice in self.scene.notices():
            if notice.channel == "one":
                told |= {view.id: notice.occasion for view in notice.alerts}
        for one in self.scene.alerts():
            _check(one, told.get(one.id))
            _check_history(self.scene.registry.alerts.events(one.id))

    def _act(self, pick: int, act: Callable[..., AlertRecord]) -> None:
        there = self.scene.registry.alerts.open_alerts()
        if there:
            try:
                act(
                    self.scene.registry,
                    there[pick % len(there)].id,
                    by="nurse",
                    now_ns=self.scene.clock.now_ns(),
                )
            except ConflictError:
                return


def _check(alert: AlertRecord, told: Occasion | None) -> None:
    """Nothing waits any more: people know how it stands, or there is a reason why they do not."""
    believed = told in (Occasion.FIRING, Occasion.REMINDER)
    if alert.state == "firing" and not alert.cause and not alert.silence:
        assert believed, alert
    if alert.state in ("resolved", "withdrawn"):
        assert not believed, alert


def _check_history(events: list[AlertEvent]) -> None:
    """Nobody is told that something fires which is muted or looked after; each step is new."""
    quiet: set[str] = set()
    level = 0
    for one in events:
        detail = msgspec.json.decode(one.detail)
        if one.kind in QUIET:
            quiet.add(one.kind)
        elif one.kind in LOUD:
            quiet.discard(LOUD[one.kind])
        elif one.kind == "firing":
            quiet.discard("acknowledged")
        elif one.kind == "escalated":
            assert detail["level"] > level
            level = detail["level"]
        elif one.kind == "told" and detail["occasion"] in FIRES:
            assert not quiet, (detail, quiet)
            level = 0 if detail["occasion"] == Occasion.FIRING else level


def test_anything_in_any_order(empty_registry: Path) -> None:
    Anything.template = empty_registry
    run_state_machine_as_test(
        Anything,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
