"""Groups: alerts of a route that are told in one notice, and when that notice is due."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.lifecycle.platform_rules import CHANNEL_DOWN
from alerts.lifecycle.wanted import Wanted
from alerts.policy.model import Fields, GroupBy, Past, Route
from devices.registry.alert_records import AlertRecord
from devices.registry.alert_rows import digest
from devices.registry.alert_telling import AlertGroup

NOW = "now"
PAST = "past"
"""Kinds of groups: what is found after the fact is told apart from what happens."""
_DIGEST_BY = (GroupBy.SITE, GroupBy.RULE)


def group_of(route: Route, record: AlertRecord, fields: Fields, wanted: Wanted) -> AlertGroup:
    """Return the group that an alert is told with, as it is when it is new.

    The past is always told together, though each alert of the route be told alone: by site and
    rule then. A channel that is down is told alone: each takes another way.
    """
    kind, by = NOW, route.group_by
    alone = not by or record.rule == CHANNEL_DOWN
    if wanted is Wanted.RETROACTIVE:
        kind, alone = PAST, route.past is Past.EACH
        by = by or _DIGEST_BY
    if alone:
        name = digest("group", route.name, kind, "alert", record.id)
        return AlertGroup(id=name, route=route.name, kind=kind, label="")
    return AlertGroup(
        id=digest("group", route.name, kind, *(f"{one}={fields[one]}" for one in by)),
        route=route.name,
        kind=kind,
        label=_label(by, fields),
    )


def due_ns(
    group: AlertGroup, route: Route, record: AlertRecord, wanted: Wanted, now_ns: int
) -> int:
    """Return when a group's next notice is due because of an alert.

    Args:
        group: as it is.
        route: its route.
        record: an alert of it that has to be told.
        wanted: what has to be told of it.
        now_ns: the present.
    """
    wait_ns = 0
    if wanted in (Wanted.FIRING, Wanted.REMINDER):
        wait_ns = route.wait_ns(record.alarm_class)
    elif wanted is Wanted.RETROACTIVE and route.past is Past.DIGEST:
        wait_ns = route.group_interval_ns
    found_ns = now_ns + wait_ns
    if group.told_ns is not None and group.told_ns <= now_ns:  # else the clock stepped back
        found_ns = max(found_ns, group.told_ns + route.group_interval_ns)
    return found_ns if group.due_ns is None else min(found_ns, group.due_ns)


def _label(by: Sequence[GroupBy], fields: Fields) -> str:
    return " ".join(f"{one.value}={fields[one]}" for one in by if fields[one])
