"""From a condition as it is written to a condition at work, for one subject."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec

from alerts.conditions.absence import AbsenceNode
from alerts.conditions.battery import BatteryNode
from alerts.conditions.combine import AllNode, AnyNode, CountNode, NotNode, RecentlyNode
from alerts.conditions.completeness import CompletenessNode
from alerts.conditions.limits import RateNode, ThresholdNode
from alerts.conditions.news2 import News2Node
from alerts.conditions.node import Member, Node
from alerts.conditions.seasonal import SeasonalNode
from alerts.conditions.time_of_day import TimeOfDayNode
from alerts.rules.conditions import holds_kind
from alerts.rules.model import (
    Absence,
    All,
    Any,
    Battery,
    Completeness,
    Condition,
    Count,
    News2,
    Not,
    Rate,
    Recently,
    Seasonal,
    Threshold,
    TimeOfDay,
)


class Surroundings(msgspec.Struct, frozen=True):
    """What a condition has to know of its subject.

    Attributes:
        members: its devices.
        zone: of its site.
        since_ns: since when somebody listens, nanoseconds since the epoch.
        single: whether the subject is one device.
        series: whether it is one series: nobody knows of one before its first value.
    """

    members: tuple[Member, ...]
    zone: ZoneInfo
    since_ns: int
    single: bool
    series: bool = False


def build(said: Condition, around: Surroundings) -> Node:
    """Return the condition at work.

    In a subject of several devices a threshold, a rate, a seasonal or a battery holds when it does
    for any one of them; an absence when all of them are silent.
    """
    if isinstance(said, Threshold | Rate | Seasonal | Battery):
        if around.single:
            return _of_device(said, around)
        wanted = said
        return CountNode(lambda _: _of_device(wanted, around), needed=1)
    if isinstance(said, All | Any | Not | Recently):
        return _of_parts(said, around)
    return _count(said, around) if isinstance(said, Count) else _of_subject(said, around)


def _of_parts(said: All | Any | Not | Recently, around: Surroundings) -> Node:
    if isinstance(said, All):
        return AllNode([build(part, around) for part in said.parts])
    if isinstance(said, Any):
        return AnyNode([build(part, around) for part in said.parts])
    part = build(said.part, around)
    return (
        NotNode([part]) if isinstance(said, Not) else RecentlyNode(part, within_ns=said.within_ns)
    )


def _of_device(said: Threshold | Rate | Seasonal | Battery, around: Surroundings) -> Node:
    if isinstance(said, Threshold):
        return ThresholdNode(said)
    if isinstance(said, Seasonal):
        return SeasonalNode(said, zone=around.zone)
    return RateNode(said) if isinstance(said, Rate) else BatteryNode(said)


def _of_subject(said: Absence | TimeOfDay | Completeness | News2, around: Surroundings) -> Node:
    if isinstance(said, Absence):
        return AbsenceNode(
            said,
            members=around.members,
            since_ns=around.since_ns,
            from_first=around.series,
        )
    if isinstance(said, TimeOfDay):
        return TimeOfDayNode(said, zone=around.zone)
    return CompletenessNode(said) if isinstance(said, Completeness) else News2Node(said)


def _count(said: Count, around: Surroundings) -> Node:
    known = {member.device: member for member in around.members}

    def make(device: str) -> Node:
        member = known.get(device, Member(device))
        alone = msgspec.structs.replace(around, members=(member,), single=True)
        return build(said.part, alone)

    needed = said.at_least
    if needed is None:
        needed = max(1, math.ceil((said.share or 0.0) * len(known)))
    silent = holds_kind(said.part, Absence)
    return CountNode(make, needed=needed, devices=sorted(known) if silent else ())


def absences(node: Node) -> Iterator[AbsenceNode]:
    """Yield the deadmen inside a condition at work."""
    if isinstance(node, AbsenceNode):
        yield node
    parts: Sequence[Node] = ()
    if isinstance(node, CountNode):
        parts = list(node.parts)
    elif isinstance(node, AllNode | AnyNode | NotNode | RecentlyNode):
        parts = node.parts
    for part in parts:
        yield from absences(part)
