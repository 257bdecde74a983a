"""Whatever is said again, from wherever, in whatever pieces, and whatever dies: told once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from alerts.evaluate.engine import Engine
from alerts.model import State, Verdict
from alerts.rules.inventory import Inventory
from core.reading import Reading
from tests.unit.alerts.lifecycle.scene import FILE, RULES, SITE, Scene, fires
from tests.unit.alerts.rules import ns, placed, rule

POLICY = (
    "default:\n"
    "  channels: [one]\n"
    "  group_wait: 5s\n"
    "  group_interval: 20s\n"
    "  flapping: {changes: 6, within: 60s, steady: 60s}\n"
)
JUDGED = (
    rule("{threshold: {quantity: air_temperature, above: 28}}", "lateness: 60s", name="hot"),
    rule("{absence: {after: 20s}}", "lateness: 60s", name="silent"),
    rule(
        "{threshold: {quantity: air_temperature, above: 30}}", "for: 10s", "lateness: 60s",
        name="burning",
    ),
)  # fmt: skip
SURE = ("firing", "acknowledged", "resolved", "withdrawn")
DEVICES = (placed("a"), placed("b", labels={"gateway": "a"}))


@contextmanager
def scene_on(template: Path) -> Iterator[Scene]:
    with TemporaryDirectory() as directory:
        shutil.copy(template, Path(directory) / FILE)
        scene = Scene(Path(directory), POLICY, devices=DEVICES, rules=(*RULES, *JUDGED))
        try:
            yield scene
        finally:
            scene.close()


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Reading]]:
    """Values of two devices, some of them late, in batches; an empty batch is a pause."""
    found: list[list[Reading]] = []
    for second in range(draw(st.integers(3, 14))):
        batch = [
            Reading(
                SITE,
                draw(st.sampled_from("ab")),
                "air_temperature",
                ns(max(0, second * 10 - draw(st.sampled_from([0, 0, 0, 5, 12, 30])))),
                draw(st.sampled_from([20.0, 29.0, 31.0])),
            )
            for _ in range(draw(st.integers(0, 3)))
        ]
        found.append(batch)
    return found


def arrived(*batches: str) -> list[list[Reading]]:
    """Return values of device a as they arrived: `second value, second value` a batch."""
    return [
        [
            Reading(SITE, "a", "air_temperature", ns(float(second)), float(number))
            for second, number in (one.split() for one in batch.split(", ") if one)
        ]
        for batch in batches
    ]


def judged(batches: Sequence[Sequence[Reading]]) -> list[tuple[float, tuple[Verdict, ...]]]:
    """Return what the evaluator says of values, by the second at which it says so."""
    engine = Engine(rules=JUDGED, inventory=Inventory(DEVICES, {}), since_ns=ns(0))
    said = []
    for place, batch in enumerate(batches):
        second = place * 10 + 0.5
        found = engine.take(batch, seen_ns=ns(second)).verdicts
        found += engine.tick(ns(second), seen_ns=ns(second)).verdicts
        said.append((second, found))
    return said


def stand(scene: Scene) -> list[dict[str, object]]:
    """Return every alert, without when it was found: instants of the platform may differ.

    What is pending is left out: who begins anew forgets it, and the evaluator says it once more.
    """
    return sorted(
        (
            {
                name: getattr(one, name)
                for name in ("id", "rule", "device", "state", "at_ns", "until_ns", "cause")
            }
            for one in scene.alerts(states=SURE)
        ),
        key=lambda one: str(one["id"]),
    )


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(batches=arrivals(), data=st.data())
def test_verdicts_said_again_change_nothing_and_tell_nobody(
    empty_registry: Path, batches: list[list[Reading]], data: st.DataObject
) -> None:
    with scene_on(empty_registry) as scene:
        said = judged(batches)
        for place, (second, verdicts) in enumerate(said):
            scene.clock.step_to(ns(second))
            scene.lifecycle.apply(verdicts)
            scene.lifecycle.tick()
            if data.draw(st.booleans(), label="a process dies"):
                before, told = stand(scene), scene.told()
                start = data.draw(st.integers(0, place), label="said again from")
                scene.start(POLICY)
                again = [one for _, some in said[start : place + 1] for one in some]
                cut = data.draw(st.integers(0, len(again)), label="in two pieces")
                scene.lifecycle.apply(again[:cut])
                scene.lifecycle.apply(again[cut:])
                assert stand(scene) == before
                assert scene.told() == told


@settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(batches=arrivals())
@example(batches=arrived("", "10 20, 5 29", "20 29", "", "10 29, 35 20, 40 29"))
@example(batches=arrived("0 20", "10 31", "", "30 20", "40 31", "50 20, 20 20"))
def test_what_stands_at_the_end_is_what_the_evaluator_says(
    empty_registry: Path, batches: list[list[Reading]]
) -> None:
    engine = Engine(rules=JUDGED, inventory=Inventory(DEVICES, {}), since_ns=ns(0))
    with scene_on(empty_registry) as scene:
        for place, batch in enumerate(batches):
            second = place * 10 + 0.5
            scene.clock.step_to(ns(second))
            found = engine.take(batch, seen_ns=ns(second)).verdicts
            found += engine.tick(ns(second), seen_ns=ns(second)).verdicts
            scene.lifecycle.apply(found)
        expected = {
            (watch.rule.name, watch.subject.device, one.until_ns)
            for watch in engine.watches
            for one in watch.episodes
        }
        stands = {
            (one.rule, one.device, one.until_ns)
            for one in scene.alerts(states=("firing", "acknowledged", "resolved"))
        }
        assert expected <= stands
        firing = {(one[0], one[1]) for one in expected if one[2] is None}
        assert {(one.rule, one.device) for one in scene.alerts(states=("firing",))} == firing
        pending = {
            (watch.rule.name, watch.subject.device)
            for watch in engine.watches
            if watch.phases.state is State.PENDING
        }
        assert {(one.rule, one.device) for one in scene.alerts(states=("pending",))} == pending


TOLD_ALONE = """
import sys
from pathlib import Path
from tests.unit.alerts.lifecycle.scene import Scene, ends, fires

scene = Scene(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(400):
    scene.say(fires(device=f"d{number}"), fires("burning", f"d{number}"))
    scene.say(ends(device=f"d{number}", at=5, alert=0))
"""


def test_a_process_that_is_killed_again_and_again_tells_everything_once(scene: Scene) -> None:
    file = scene.registry.alerts._database.file
    assert file is not None
    kills = 0
    for killed_at in (7, 150, 151, 320, None):
        process = subprocess.Popen(
            [sys.executable, "-c", TOLD_ALONE, str(file.parent)],
            cwd=Path(__file__).parents[4],
            stdout=subprocess.PIPE,
        )
        with process:
            deadline_s = time.monotonic() + 240
            while killed_at is not None and len(scene.alerts()) < killed_at:
                assert process.poll() is None
                assert time.monotonic() < deadline_s
            if killed_at is not None:
                process.kill()
                kills += 1
            process.wait(240)
    assert kills == 4
    wanted = [f"one firing {rule}/d{n}" for n in range(400) for rule in ("hot", "burning")]
    wanted += [f"one resolved hot/d{n}" for n in range(400)]
    assert sorted(scene.told()) == sorted(wanted)


def test_two_lifecycles_on_one_registry_tell_once(scene: Scene) -> None:
    first = scene.lifecycle
    second = scene.start()
    for lifecycle in (first, second, first):
        lifecycle.apply([fires(), fires("silent")])
    scene.clock.advance(11)
    for lifecycle in (second, first, second):
        lifecycle.tick()
    assert scene.told() == ["one firing hot/d", "one firing silent/d"]
