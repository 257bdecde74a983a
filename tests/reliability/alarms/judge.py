"""From evidence to one row: which alarms were due, found, told, and what does not add up."""

from __future__ import annotations

from collections import Counter

from core.clock import iso
from devices.registry.alert_records import AlertRecord
from tests.reliability.alarms.fault import AlarmFault, Scene
from tests.reliability.alarms.outcome import AlarmOutcome
from tests.reliability.alarms.rig import AlarmRig
from tests.reliability.alarms.truth import Alarm, alarms

_SHOWN = 5


def due_of(rig: AlarmRig, devices: frozenset[str]) -> list[Alarm]:
    """Return the alarms of some devices that are due by now."""
    return alarms(one for one in rig.values if one.device in devices)


def found_of(rig: AlarmRig, due: list[Alarm], devices: frozenset[str]) -> list[Alarm]:
    """Return those that are in the registry, once, as they were."""
    there = Counter(_of(one) for one in rig.alerts_of(devices) if one.rule == "hot")
    return [one for one in due if there[one] == 1]


def told_of(rig: AlarmRig, due: list[Alarm]) -> Counter[Alarm]:
    """Return how often each was told of."""
    told = rig.witness.told()
    return Counter({one: told[one.device, iso(one.at_ns)] for one in due})


def judge(fault: AlarmFault, scene: Scene, *, recovered_s: float) -> AlarmOutcome:
    """Return what became of the alarms of a fault."""
    rig, devices = scene.rig, frozenset(scene.devices)
    due = due_of(rig, devices)
    found, told = set(found_of(rig, due, devices)), told_of(rig, due)
    lost = [one for one in due if one not in found or not told[one]]
    repeated = sum(count - 1 for count in told.values() if count > 1)
    messages = rig.witness.messages(devices)
    problems = list(scene.problems)
    if repeated > scene.kills:
        problems.append(f"{repeated} told again after {scene.kills} kills")
    if scene.most_messages is not None and messages > scene.most_messages:
        problems.append(f"{messages} messages of {len(due)} alarms of the past: a shower")
    extra = [one for one in rig.alerts_of(devices) if _of(one) not in set(due)]
    problems += [f"not due: {one.rule} {_of(one)}" for one in extra[:_SHOWN]]
    problems += [f"told before it was promised: {one}" for one in rig.witness.unpromised[:_SHOWN]]
    problems += [f"lost: {one}" for one in lost[:_SHOWN]]
    return AlarmOutcome(
        fault=fault.name,
        title=fault.title,
        kills=scene.kills,
        due=len(due),
        found=len(found),
        told=sum(1 for count in told.values() if count),
        repeated=repeated,
        messages=messages,
        lost=len(lost),
        recovered_s=recovered_s,
        problems=tuple(problems),
    )


def _of(one: AlertRecord) -> Alarm:
    return Alarm(one.device, one.at_ns, one.until_ns)
