"""One turn of the lifecycle: what its stages share while they work on one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from alerts.lifecycle.known import Known
from alerts.lifecycle.platform_rules import CHANNEL_DOWN
from alerts.policy.model import Policy, Route
from devices.registry.alert_records import AlertEvent, AlertEventKind, AlertRecord
from devices.registry.alert_work import AlertWork, Standing


class Turn:
    """What the stages of one transaction have in hand.

    Args:
        work: the transaction.
        policy: who is told.
        known: rules and devices.
        now_ns: the present; the same for all that happens in the turn.

    Attributes:
        touched: ids of alerts whose tellings have to be looked at.
        unmuted: ids of alerts that are muted no more.
        opened: whether an alert began or ended: what it mutes has to be looked at.
        ordered: how many notices were ordered, by occasion.
    """

    def __init__(self, *, work: AlertWork, policy: Policy, known: Known, now_ns: int) -> None:
        self.work = work
        self.policy = policy
        self.known = known
        self.now_ns = now_ns
        self.touched: set[str] = set()
        self.unmuted: set[str] = set()
        self.opened = False
        self.ordered: Counter[str] = Counter()
        self._routes: dict[str, Route] = {one.name: one for one in policy.routes}

    def route(self, name: str) -> Route | None:
        """Return the route of a name, or None: the policy has it no more."""
        return self._routes.get(name)

    def routes_of(self, record: AlertRecord) -> tuple[Route, ...]:
        """Return the routes that an alert takes."""
        return self.policy.routes_of(self.known.fields(record))

    def event(self, alert: str, kind: AlertEventKind, *, actor: str = "", **detail: Any) -> None:
        """Write down that something happened to an alert."""
        text = msgspec.json.encode(detail).decode()
        self.work.events.append(
            AlertEvent(alert=alert, time_ns=self.now_ns, kind=kind.value, actor=actor, detail=text)
        )

    def put(self, record: AlertRecord) -> None:
        """Have an alert kept, and its tellings looked at."""
        self.work.put(record)
        self.touched.add(record.id)

    @cached_property
    def stands_for(self) -> Counter[str]:
        """How many alerts are quiet because of another one, by the id of that."""
        return Counter(one.cause for one in self.work.standing() if one.cause)

    @cached_property
    def down(self) -> frozenset[str]:
        """The channels that cannot be reached."""
        return channels_down(self.work.standing())


def channels_down(standing: Iterable[Standing]) -> frozenset[str]:
    """Return the channels that the platform's own alarms say cannot be reached."""
    return frozenset(one.device for one in standing if one.rule == CHANNEL_DOWN)
