"""What the registry keeps of alerts: rules as written, alerts and their history, silences, notices.

Instants that a rule judged (`at_ns`, `since_ns`, `until_ns`) are device time; every other one is
the platform's. All are nanoseconds since the epoch. Texts that are JSON say so.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class RuleState(StrEnum):
    """Whether a rule counts."""

    ACTIVE = "active"
    DISABLED = "disabled"
    DELETED = "deleted"


class RuleVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as it was written, once: every change is a new version, none is ever forgotten.

    Attributes:
        name: slug of the rule.
        version: 1, 2, 3... of this name.
        source: the YAML text.
        author: who wrote this version.
        reason: why.
        created_ns: when.
        state: whether the rule counts as of this version.
    """

    name: str
    version: int
    source: str
    author: str
    reason: str
    created_ns: int
    state: str = RuleState.ACTIVE.value


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """A person wears or uses a device for a time.

    Attributes:
        id: number, given by the registry.
        device: device slug.
        person: pseudonym; never a name.
        start_ns: since when.
        end_ns: until when, exclusive, or None: still. The same as `start_ns`: it never counted.
        by: who assigned it.
        site: where the device is, or was when it ended (set by the registry).
        ended_by: who said when it ends, or "".
    """

    id: int = 0
    device: str
    person: str
    start_ns: int
    end_ns: int | None = None
    by: str = ""
    site: str = ""
    ended_by: str = ""


class AlertState(StrEnum):
    """How far an alert is."""

    PENDING = "pending"
    """The condition holds, not for long enough yet. Forgotten when it holds no longer."""
    INCOMPLETE = "incomplete"
    """It cannot be said: an input is missing. Forgotten when it can be."""
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    """It fires, and somebody looks after it."""
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    """Values that came late show that it had not fired at all."""


OPEN_STATES = (AlertState.FIRING, AlertState.ACKNOWLEDGED)
"""States of an alert that goes on."""


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, as it stands.

    Attributes:
        id: the same for the same (rule, subject, `at_ns` at which it was first found).
        rule: name of the rule; those of the platform itself begin with `platform.`.
        version: of the rule that found it.
        title: of the rule, as JSON: language code -> text.
        severity: `info`, `warning`, `critical`.
        alarm_class: `measured`, `technical`, `no_data`.
        site: of its subject, or "" (the platform).
        building: as in `alerts.model.Subject`, or "".
        zone: likewise.
        device: likewise.
        quantity: likewise.
        person: likewise: a pseudonym.
        state: one of `AlertState`.
        at_ns: since when it fires (or is pending, or incomplete), device time.
        since_ns: when its condition began to hold, device time, or None.
        until_ns: when it was over, device time, or None.
        opened_ns: when it was first recorded in this state's kind (pending, or firing).
        closed_ns: when it was found to be over, or None.
        applied: as JSON: digests of the newest verdicts that were applied, so that one that comes
            again changes nothing.
        acknowledged_ns: when somebody took it on, or None.
        acknowledged_by: who, or "".
        acknowledged_note: what they said, or "".
        value: that decided, in its canonical unit, or None.
        unit: UCUM code of `value`, or "".
        facts: as JSON, see `alerts.model.Verdict.facts`.
        evidence: as JSON: the readings that decided, oldest first.
        runbook: of the rule.
        retroactive: True when late values showed it after the fact.
        cause: id of the open alert that explains it (it is inhibited), or "".
        silence: id of the silence that mutes it, or "".
        flapping: True while it changes so often that single changes are not told.
        changes: as JSON: instants of its latest beginnings and ends, for telling flapping.
        route: names of the policy's routes that it takes, joined by commas, or "".
        group: id of the group it is told with, or "".
        told: occasion that people were last told, or "".
        told_ns: when they were, or None.
        level: how many steps of escalation were taken.
        next_ns: when the lifecycle has to look at it again though nothing comes, or None.
    """

    id: str
    rule: str
    version: int
    title: str
    severity: str
    alarm_class: str
    site: str = ""
    building: str = ""
    zone: str = ""
    device: str = ""
    quantity: str = ""
    person: str = ""
    state: str
    at_ns: int
    since_ns: int | None = None
    until_ns: int | None = None
    opened_ns: int
    closed_ns: int | None = None
    applied: str = "[]"
    acknowledged_ns: int | None = None
    acknowledged_by: str = ""
    acknowledged_note: str = ""
    value: float | None = None
    unit: str = ""
    facts: str = "{}"
    evidence: str = "[]"
    runbook: str = ""
    retroactive: bool = False
    cause: str = ""
    silence: str = ""
    flapping: bool = False
    changes: str = "[]"
    route: str = ""
    group: str = ""
    told: str = ""
    told_ns: int | None = None
    level: int = 0
    next_ns: int | None = None


class AlertEventKind(StrEnum):
    """What happened to an alert."""

    PENDING = "pending"
    FIRING = "firing"
    MOVED = "moved"
    """Late values moved its beginning or its end."""
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"
    INHIBITED = "inhibited"
    UNINHIBITED = "uninhibited"
    FLAPPING = "flapping"
    STEADY = "steady"
    """It flaps no more."""
    TOLD = "told"
    """A notice was ordered; its id and channel are in the detail."""
    ESCALATED = "escalated"


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to an alert; events are only ever added.

    Attributes:
        id: number, given by the registry, growing.
        alert: id of the alert.
        time_ns: when.
        kind: one of `AlertEventKind`.
        actor: who did it; "" the platform.
        detail: further facts as JSON.
    """

    id: int = 0
    alert: str
    time_ns: int
    kind: str
    actor: str = ""
    detail: str = "{}"


class SilenceKind(StrEnum):
    """Why alerts are muted."""

    SILENCE = "silence"
    """Somebody does not want to hear of them for a while."""
    MAINTENANCE = "maintenance"
    """Work is done there; alerts are expected."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts nobody is told of, who said so, why, and until when.

    Attributes:
        id: random name, of a-z and 0-9.
        kind: `silence` or `maintenance`.
        match: as JSON: name (`rule`, `severity`, `alarm_class`, `site`, `building`, `zone`,
            `device`, `person`) -> list of patterns (`*` stands for anything); every name that is
            there has to fit, at least one is.
        by: who.
        reason: why.
        created_ns: when it was made.
        start_ns: since when it counts.
        end_ns: until when, exclusive.
        ended_by: who ended it before its time, or "".
    """

    id: str
    kind: str = SilenceKind.SILENCE.value
    match: str
    by: str
    reason: str
    created_ns: int
    start_ns: int
    end_ns: int
    ended_by: str = ""


class NoticeState(StrEnum):
    """How far a notice is."""

    WAITING = "waiting"
    """To be delivered, at `next_ns` or later."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """The channel refuses it for good, or it was tried for too long."""


class NoticeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An order to tell one receiver one thing: it is here before anybody is told.

    Attributes:
        id: unique; sent along, so that a receiver can tell a repetition.
        channel: name of the configured channel.
        occasion: `alerts.model.Occasion`.
        created_ns: when it was ordered.
        body: `alerts.model.Notice` as JSON.
        alerts: ids of the alerts it tells of, joined by commas.
        state: one of `NoticeState`.
        attempts: how often it was tried.
        next_ns: when it is tried next.
        finished_ns: when it was delivered or given up, or None.
        error: what the channel said last, or "".
    """

    id: str
    channel: str
    occasion: str
    created_ns: int
    body: str
    alerts: str = ""
    state: str = NoticeState.WAITING.value
    attempts: int = 0
    next_ns: int = 0
    finished_ns: int | None = None
    error: str = ""


class AttemptOutcome(StrEnum):
    """What became of an attempt to deliver a notice."""

    STARTED = "started"
    """Not known: it goes on, or the process died in the middle of it."""
    DELIVERED = "delivered"
    RETRY = "retry"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """The process died in the middle of it; it was tried again."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver a notice.

    Attributes:
        notice: id of the notice.
        number: 1, 2, 3...
        started_ns: when it began; it is here before anything is sent.
        finished_ns: when it was known what became of it, or None.
        outcome: one of `AttemptOutcome`.
        detail: what the channel answered.
    """

    notice: str
    number: int
    started_ns: int
    finished_ns: int | None = None
    outcome: str = AttemptOutcome.STARTED.value
    detail: str = ""
