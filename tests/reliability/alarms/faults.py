"""Every fault of alerting, in the order of the table."""

from __future__ import annotations

import math
import random
import sqlite3
import time
from functools import partial

from core.clock import NS_PER_S
from tests.reliability.alarms.fault import AlarmFault, Scene
from tests.reliability.alarms.truth import COOL, HOT, Value
from tests.reliability.rig import ended
from tests.servers.http_proxy import Answer

_HOUR_S = 3600
_DIGESTS = 3


def killed_at(scene: Scene, *, point: str) -> None:
    """Have the process that judges killed at a point with an alarm in hand; start another."""
    rig = scene.rig
    rig.cool(scene.devices)
    doomed = rig.alerts
    rig.order("crash", point)
    rig.heat(scene.devices)
    rig.until(lambda: ended(doomed), what=f"it dies at {point}")
    scene.kills += 1
    rig.again()
    rig.cool(scene.devices)


def killed_at_random(scene: Scene) -> None:
    """Kill it again and again, at any moment, while devices grow hot and cool down."""
    rig = scene.rig
    chance = random.Random(5)
    for _ in range(scene.sizes.kills):
        rig.wait_judging()
        rig.heat(scene.devices)
        rig.pause(chance.uniform(0.0, 0.5))
        rig.alerts.kill()
        scene.kills += 1
        rig.cool(scene.devices)
        rig.again()


def one_of_two(scene: Scene) -> None:
    """Kill the one of two processes that judges; the other takes over."""
    rig = scene.rig
    rig.wait_judging()
    first, second = rig.alerts, rig.judge()
    rig.until(lambda: "alerts_standby" in second.output(), what="the other waits")
    rig.heat(scene.devices[:1])
    first.kill()
    scene.kills += 1
    rig.alerts = second
    rig.heat(scene.devices[1:])


def frozen(scene: Scene) -> None:
    """Freeze the one of two that judges for longer than its lease; it wakes up and is too late."""
    rig = scene.rig
    rig.wait_judging()
    first, second = rig.alerts, rig.judge()
    rig.until(lambda: "alerts_standby" in second.output(), what="the other waits")
    rig.freeze(first)
    rig.heat(scene.devices)
    rig.pause(scene.sizes.lease_s)
    rig.wait_judging(second)
    rig.thaw(first)
    rig.until(lambda: "alerts_lease_lost" in first.output(), what="it saw that another one judges")
    rig.cool(scene.devices)
    scene.check("both judge", holds=not rig.judging(first))
    first.stop()
    rig.alerts = second


def worker_killed(scene: Scene) -> None:
    """Kill the worker, publish to nobody, start it."""
    rig = scene.rig
    rig.wait_judging()
    rig.heat(scene.devices[:1])
    rig.worker.kill()
    rig.heat(scene.devices[1:])
    rig.worker.start()
    rig.cool(scene.devices)


def broker_killed(scene: Scene) -> None:
    """Kill the broker with what was heard of it, and start it."""
    rig = scene.rig
    rig.wait_judging()
    rig.heat(scene.devices[:1])
    rig.until(lambda: rig.alerts_of(frozenset(scene.devices[:1])), what="one alarm was found")
    rig.broker.kill()
    rig.pause(scene.sizes.outage_s)
    rig.broker.start()
    rig.until(rig.receiving, what="the worker is back")
    rig.heat(scene.devices[1:])
    rig.cool(scene.devices)


def store_away(scene: Scene) -> None:
    """Have the store refuse everything, kill it that judges, for longer than it waits."""
    rig = scene.rig
    rig.wait_judging()
    rig.gate.rule = lambda _method, _path: Answer(503)
    rig.alerts.kill()
    scene.kills += 1
    rig.heat(scene.devices)
    rig.again()
    rig.wait_judging()
    rig.pause(scene.sizes.store_s)
    rig.gate.rule = None
    rig.cool(scene.devices)


def registry_busy(scene: Scene) -> None:
    """Have another program hold the registry's database for itself."""
    rig = scene.rig
    rig.wait_judging()
    other = sqlite3.connect(rig.directory / "data" / "registry.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        rig.heat(scene.devices)
        rig.until(
            lambda: "registry_unavailable" in rig.alerts.output(),
            what="it cannot write",
            seconds=120,
        )
    finally:
        other.close()
    rig.cool(scene.devices)


def receiver_refusing(scene: Scene) -> None:
    """Have who is told answer that it cannot be told now, again and again."""
    rig = scene.rig
    rig.wait_judging()
    rig.witness.refusing = 2 * len(scene.devices)
    rig.heat(scene.devices)
    rig.until(lambda: not rig.witness.refusing, what="every refusal was heard", seconds=180)
    rig.cool(scene.devices)


def receiver_slow(scene: Scene) -> None:
    """Have who is told answer only after it that told was killed."""
    rig = scene.rig
    rig.wait_judging()
    before = len(rig.witness.posted)
    rig.witness.hold.clear()
    rig.heat(scene.devices[:1])
    rig.until(lambda: len(rig.witness.posted) > before, what="it is being told")
    rig.alerts.kill()
    scene.kills += 1
    rig.witness.hold.set()
    rig.again()
    rig.heat(scene.devices[1:])


def filled_in(scene: Scene) -> None:
    """Have an hour and a half arrive at once, after an outage: people get a summary."""
    rig = scene.rig
    rig.wait_judging()
    now_ns = time.time_ns()
    outage_ns = 3 * _HOUR_S * NS_PER_S // 2
    step_ns = outage_ns // (2 * scene.sizes.episodes + 1)
    began_s = time.monotonic()
    for number in range(2 * scene.sizes.episodes):
        at_ns = now_ns - outage_ns + number * step_ns
        value = COOL if number % 2 else HOT
        rig.publish(*[Value(device, at_ns, value) for device in scene.devices])
    devices, due = frozenset(scene.devices), scene.sizes.episodes * len(scene.devices)
    rig.until(lambda: len(rig.alerts_of(devices)) >= due, what="what was filled in was judged")
    rig.settle(devices, seconds=30)
    # The rig's groups are told once a second, for as long as alarms of the past are found.
    scene.most_messages = _DIGESTS + math.ceil(2 * (time.monotonic() - began_s))


def clock_behind(scene: Scene) -> None:
    """Have a device measure whose clock is two hours behind."""
    rig = scene.rig
    rig.wait_judging()
    for _ in range(2):
        rig.heat(scene.devices, behind_s=2 * _HOUR_S)
        rig.cool(scene.devices, behind_s=2 * _HOUR_S)


def clock_stepped(scene: Scene) -> None:
    """Step the clock of it that judges: an hour on, two back, and right again."""
    rig = scene.rig
    rig.wait_judging()
    for off_s in (_HOUR_S, -_HOUR_S, 0):
        rig.order("clock", str(off_s))
        rig.heat(scene.devices)
        rig.cool(scene.devices)
        rig.settle(frozenset(scene.devices), seconds=30)


_POINTS = {
    "judged": "after it found an alarm, before that is in the registry",
    "written": "after that is in the registry",
    "kept": "after what it remembers is in the registry",
    "begun": "before it tells somebody",
    "sent": "after it told somebody, before that is in the registry",
    "recorded": "after that is in the registry, too",
}

ALARM_FAULTS = (
    *(
        AlarmFault(
            name=f"alarms-{point}",
            title=f"alerting SIGKILL {where}",
            act=partial(killed_at, point=point),
            brief=point in {"judged", "sent"},
        )
        for point, where in _POINTS.items()
    ),
    AlarmFault(
        name="alarms-random",
        title="alerting SIGKILL at any moment",
        act=killed_at_random,
        brief=False,
    ),
    AlarmFault(
        name="alarms-one-of-two",
        title="the one of two that judges SIGKILL",
        act=one_of_two,
    ),
    AlarmFault(
        name="alarms-frozen",
        title="the one of two that judges frozen for longer than its lease",
        act=frozen,
        brief=False,
    ),
    AlarmFault(name="alarms-worker", title="worker SIGKILL", act=worker_killed),
    AlarmFault(name="alarms-broker", title="broker SIGKILL", act=broker_killed),
    AlarmFault(
        name="alarms-store",
        title="alerting SIGKILL, InfluxDB away for longer than it waits",
        act=store_away,
        brief=False,
    ),
    AlarmFault(
        name="alarms-registry",
        title="registry held by another program",
        act=registry_busy,
        brief=False,
    ),
    AlarmFault(
        name="alarms-refused", title="who is told refuses, time and again", act=receiver_refusing
    ),
    AlarmFault(name="alarms-slow", title="who is told answers after SIGKILL", act=receiver_slow),
    AlarmFault(
        name="alarms-filled-in", title="90 minutes filled in after an outage", act=filled_in
    ),
    AlarmFault(name="alarms-behind", title="devices' clocks two hours behind", act=clock_behind),
    AlarmFault(
        name="alarms-clock",
        title="alerting's clock stepped +1 h, -2 h, +1 h",
        act=clock_stepped,
    ),
)
"""Every fault."""
