"""Records of who is told of an alert: one telling per route that it takes, told in groups.

Besides them, what alerting keeps that is no alert: values that came too late, and the evaluator's
state.
"""

from __future__ import annotations

import msgspec


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """How far people were told of an alert by one route.

    Attributes:
        alert: id of the alert.
        route: name of the policy's route.
        group: id of the group it is told with.
        wanted: what is to be told at the group's next notice (`alerts.lifecycle.wanted`), or "".
        told: occasion that was told last, or "": nothing yet.
        told_ns: when it was.
        since_ns: since when the steps of escalation count: it was told then, or nobody looked after
            it any more.
        level: how many steps of escalation were taken.
        next_ns: when it is repeated or goes to the next step, or None.
    """

    alert: str
    route: str
    group: str
    wanted: str = ""
    told: str = ""
    told_ns: int | None = None
    since_ns: int | None = None
    level: int = 0
    next_ns: int | None = None


class AlertGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of a route that are told together.

    Attributes:
        id: digest of the route, the kind, and what they have in common.
        route: name of the policy's route.
        kind: `now`, or `past`: what is found after the fact is told apart.
        label: what they have in common, such as `site=elgazala`, or "".
        due_ns: when its next notice is ordered, or None: nothing waits.
        told_ns: when its last one was, or None.
    """

    id: str
    route: str
    kind: str
    label: str
    due_ns: int | None = None
    told_ns: int | None = None


class LateValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value that came too late for a rule to judge it.

    Attributes:
        id: number, given by the registry, growing.
        rule: name of the rule.
        site: of the rule's subject.
        building: likewise, or "".
        zone: likewise, or "".
        person: likewise: a pseudonym, or "".
        device: that measured it.
        quantity: that was measured.
        time_ns: when, device time.
        value: in the quantity's canonical unit.
        seen_ns: when it came.
    """

    id: int = 0
    rule: str
    site: str
    building: str = ""
    zone: str = ""
    person: str = ""
    device: str
    quantity: str
    time_ns: int
    value: float
    seen_ns: int


class AlertCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The evaluator's state as it was kept.

    Attributes:
        name: of the checkpoint.
        blob: the state.
        facts: what is known of it, as JSON.
        saved_ns: when it was kept.
    """

    name: str
    blob: bytes
    facts: str
    saved_ns: int
