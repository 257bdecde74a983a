"""The policy as it is written, checked. Durations are nanoseconds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from alerts.deliver.spec import ChannelSpec
from alerts.model import AlarmClass, Severity
from alerts.rules.inventory import matches
from core.clock import NS_PER_HOUR, NS_PER_S

DEFAULT = "default"
"""Name of the route of what no other one takes."""
SILENCE_WAIT_NS = 10 * NS_PER_S
"""How long the notice of a silence waits for its cause, where the policy says nothing."""
REPEAT_NS = {Severity.CRITICAL.value: NS_PER_HOUR, Severity.WARNING.value: 4 * NS_PER_HOUR}
"""How often something is repeated, where the policy says nothing; what is not here never is."""
Fields = Mapping[str, str]
"""What an alert is matched by: `class`, `severity`, `rule`, `site`, `building`, `zone`, `device`,
`person`, and `label:NAME` of its device."""


class GroupBy(StrEnum):
    """What alerts that are told together have in common."""

    SITE = "site"
    BUILDING = "building"
    ZONE = "zone"
    DEVICE = "device"
    PERSON = "person"
    RULE = "rule"
    CLASS = "class"
    SEVERITY = "severity"


class Past(StrEnum):
    """How people are told of what is found after it was over."""

    DIGEST = "digest"
    """Together, in one notice with counts."""
    EACH = "each"
    NONE = "none"


class Match(msgspec.Struct, frozen=True):
    """Which alerts: those that fit every field that is given.

    Attributes:
        patterns: field -> patterns of which one has to fit; `*` stands for anything.
    """

    patterns: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)

    def fits(self, fields: Fields) -> bool:
        """Return whether an alert is meant."""
        return all(matches(some, fields.get(name, "")) for name, some in self.patterns.items())


class Step(msgspec.Struct, frozen=True):
    """Further people, when nobody looks after an alert in time.

    Attributes:
        after_ns: how long after it was first told.
        channels: through which they are told.
    """

    after_ns: int
    channels: tuple[str, ...]


class Flapping(msgspec.Struct, frozen=True):
    """When something changes too often for each change to be told.

    Attributes:
        changes: so many beginnings and ends,
        within_ns: within such a time.
        steady_ns: it is over when nothing changed for so long.
    """

    changes: int
    within_ns: int
    steady_ns: int


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of some alerts, and how.

    Attributes:
        name: slug.
        match: which alerts.
        channels: through which people are told.
        group_by: what those that are told together have in common; empty: each is told alone.
        group_wait_ns: how long the first notice of a group waits for company; None: as long as
            `SILENCE_WAIT_NS` for `no_data`, else not at all.
        group_interval_ns: how long a group that was told waits with what changes.
        repeat_ns: how often it is told again while nobody looks after it; 0: never; None: by
            `REPEAT_NS`.
        escalate: further people, in order of time.
        resolved: whether ends are told.
        past: how people are told of what was over when it was found.
        flapping: or None: every change is told.
        goes_on: further routes are asked as well.
    """

    name: str
    match: Match
    channels: tuple[str, ...]
    group_by: tuple[GroupBy, ...] = (GroupBy.SITE, GroupBy.RULE)
    group_wait_ns: int | None = None
    group_interval_ns: int = 60 * NS_PER_S
    repeat_ns: int | None = None
    escalate: tuple[Step, ...] = ()
    resolved: bool = True
    past: Past = Past.DIGEST
    flapping: Flapping | None = None
    goes_on: bool = False

    def wait_ns(self, alarm_class: str) -> int:
        """Return how long the first notice of an alert waits for company."""
        if self.group_wait_ns is not None:
            return self.group_wait_ns
        return SILENCE_WAIT_NS if alarm_class == AlarmClass.NO_DATA.value else 0

    def again_ns(self, severity: str) -> int | None:
        """Return how often an alert is told again, or None: never."""
        if self.repeat_ns is None:
            return REPEAT_NS.get(severity)
        return self.repeat_ns or None


class Inhibit(msgspec.Struct, frozen=True):
    """What keeps quiet while something else fires.

    Attributes:
        source: what fires.
        target: what keeps quiet.
        equal: fields in which the two are the same.
    """

    source: Match
    target: Match
    equal: tuple[str, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told of which alerts.

    Attributes:
        channels: by name.
        routes: in their order; the last one takes what no other does.
        inhibits: what keeps quiet while something else fires, beside what is built in.
    """

    channels: Mapping[str, ChannelSpec]
    routes: tuple[Route, ...]
    inhibits: tuple[Inhibit, ...] = ()

    def route(self, name: str) -> Route | None:
        """Return the route of a name, or None."""
        return next((one for one in self.routes if one.name == name), None)

    def routes_of(self, fields: Fields) -> tuple[Route, ...]:
        """Return the routes that an alert takes: the first that fits, and on while they say so."""
        found: list[Route] = []
        for one in self.routes:
            if one.name == DEFAULT and found:
                break
            if one.match.fits(fields):
                found.append(one)
                if not one.goes_on:
                    break
        return tuple(found)
