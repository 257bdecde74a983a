"""What the parts of alerting tell each other: subjects, verdicts, and the orders to tell somebody.

A rule is evaluated for one subject at a time. Whenever what it says of a subject changes, the
evaluator gives a `Verdict`; the lifecycle makes alerts of verdicts and writes a `Notice` for each
thing that somebody has to hear; a channel delivers it.

Instants are device time (`at_ns`, `until_ns`) unless a name says otherwise (`seen_ns`): nanoseconds
since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec

from core.reading import Reading

EVIDENCE = 20
"""Most values that a verdict carries: the newest of those that decided."""


class Severity(StrEnum):
    """How bad it is, as the rule's author says."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmClass(StrEnum):
    """What kind of alarm a rule raises; the three are counted, silenced and shown apart."""

    MEASURED = "measured"
    """Something was measured that should not be: the room is hot, the patient is unwell."""
    TECHNICAL = "technical"
    """An instrument needs care: low battery, a sensor that drifts, incomplete data."""
    NO_DATA = "no_data"
    """Nothing comes any more."""


class State(StrEnum):
    """What a rule says of a subject."""

    CLEAR = "clear"
    PENDING = "pending"
    """The condition holds, but not for long enough yet (`for`)."""
    FIRING = "firing"
    INCOMPLETE = "incomplete"
    """It cannot be said: an input is missing or too old. Never taken for clear."""


class Subject(msgspec.Struct, frozen=True, order=True):
    """What a verdict is about: the narrowest of the names that are given.

    Attributes:
        site: site slug; "" for all sites together.
        building: building, where the rule counts or looks at places, else "".
        zone: zone of the building, else "".
        device: device slug, else "".
        quantity: quantity, where the rule looks at each series by itself, else "".
        person: pseudonym of a person whose devices are looked at together (NEWS2), else "".
    """

    site: str
    building: str = ""
    zone: str = ""
    device: str = ""
    quantity: str = ""
    person: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """A change of what a rule says of a subject.

    The same values give the same verdicts, whenever and in whatever pieces they are evaluated: an
    alert that begins with (rule, subject, at_ns) is one alert, however often it is found.

    Attributes:
        rule: name of the rule.
        version: version of the rule that was evaluated.
        subject: of what it speaks.
        state: what it says from `at_ns` on.
        at_ns: since when, device time.
        seen_ns: when it was found, the platform's time.
        alert_ns: `at_ns` of the alert that begins or ends with it; None where it is about none
            (pending, incomplete).
        since_ns: for `firing`: when the condition began to hold (before `for` was over).
        until_ns: for a retroactive `firing` that is over already: when it ended, else None.
        value: the value that decided, in its canonical unit, or None (nothing came).
        retroactive: True when late values changed what had been said of the past.
        evidence: values that decided, oldest first, at most `EVIDENCE`.
        facts: what a reader wants to know beside: the limit, the unit, the score of each input, the
            missing inputs; `withdrawn`: late values show that it had not fired at all. Names are
            snake_case; the words are the templates' affair.
    """

    rule: str
    version: int
    subject: Subject
    state: State
    at_ns: int
    seen_ns: int
    alert_ns: int | None = None
    since_ns: int | None = None
    until_ns: int | None = None
    value: float | None = None
    retroactive: bool = False
    evidence: tuple[Reading, ...] = ()
    facts: Mapping[str, str | float] = MappingProxyType({})


class Occasion(StrEnum):
    """Why somebody is told."""

    FIRING = "firing"
    RESOLVED = "resolved"
    REMINDER = "reminder"
    """It still fires and nobody acknowledged it (re-notification)."""
    ESCALATION = "escalation"
    """Nobody acknowledged it in time: further people are told."""
    RETROACTIVE = "retroactive"
    """Late values show that it fired in the past."""
    CHANNEL_DOWN = "channel_down"
    """Another channel cannot be reached; told through this one."""
    CHANNEL_UP = "channel_up"
    TEST = "test"
    """Somebody tries whether a channel works; nothing is the matter."""


class AlertView(msgspec.Struct, frozen=True):
    """An alert as people are told of it; everything a template may say.

    Attributes:
        id: of the alert.
        rule: name of the rule.
        title: of the rule, language code -> text.
        severity: of the rule.
        alarm_class: of the rule.
        subject: of what it speaks.
        state: `firing`, `acknowledged`, `resolved`.
        at_ns: since when it fires, device time.
        resolved_ns: since when it is over, device time, or None.
        value: that decided, or None.
        unit: UCUM code of `value`, or "".
        facts: see `Verdict`.
        evidence: see `Verdict`.
        zone: IANA zone of the site, in which its times are shown.
        site_name: for people.
        device_name: for people, or "".
        acknowledged_by: who, or "".
        runbook: of the rule: what to do, or "".
    """

    id: str
    rule: str
    title: Mapping[str, str]
    severity: Severity
    alarm_class: AlarmClass
    subject: Subject
    state: str
    at_ns: int
    resolved_ns: int | None
    value: float | None
    unit: str
    facts: Mapping[str, str | float]
    evidence: tuple[Reading, ...]
    zone: str
    site_name: str
    device_name: str = ""
    acknowledged_by: str = ""
    runbook: str = ""


class Notice(msgspec.Struct, frozen=True):
    """An order to tell one receiver one thing; it is in the registry before anybody is told.

    Attributes:
        id: unique; sent along, so that a receiver can tell a repetition.
        occasion: why.
        channel: name of the configured channel.
        created_ns: when it was ordered, the platform's time.
        alerts: what it tells of: one, or a group; the gravest first.
        group: what the alerts have in common, such as `site=elgazala`, or "".
        omitted: how many further alerts of the group are not in `alerts`.
        facts: for occasions without an alert: the channel's name and error.
    """

    id: str
    occasion: Occasion
    channel: str
    created_ns: int
    alerts: tuple[AlertView, ...] = ()
    group: str = ""
    omitted: int = 0
    facts: Mapping[str, str | float] = MappingProxyType({})
