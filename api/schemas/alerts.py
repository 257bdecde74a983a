"""Alerts, what happened to them, and who was told."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from pydantic import Field

from api.alerting.rights import Shown
from api.schemas import Schema
from api.schemas.devices import Line
from api.times import in_zone
from devices.registry.alert_records import AlertEvent, Attempt, NoticeRecord
from devices.registry.alert_telling import LateValue

LONGEST_TEXT = 2000
"""Longest note or reason, characters."""


class Acknowledgement(Schema):
    """Somebody looks after an alert."""

    by: str = Field(description="Who.")
    time: str = Field(description="When.")
    note: str = Field(description="What they said, or empty.")


class AlertAnswer(Schema):
    """An alert, as it stands."""

    id: str = Field(description="Stays the same while the alert goes on, and after.")
    rule: str = Field(description="Name of the rule; the platform's own begin with `platform.`.")
    version: int = Field(description="Version of the rule that found it.")
    title: dict[str, str] = Field(description="Of the rule: language code -> text.")
    severity: str = Field(description="`info`, `warning` or `critical`.")
    alarm_class: str = Field(
        alias="class",
        description="`measured`, `technical` (an instrument needs care) or `no_data`.",
    )
    state: str = Field(
        description="`pending`, `incomplete` (it cannot be said: an input is missing), `firing`, "
        "`acknowledged`, `resolved`, or `withdrawn` (late values show that it never was)."
    )
    site: str = Field(description="Of what it is about; empty: the platform itself.")
    building: str
    zone: str = Field(description="Room or area, or empty.")
    device: str
    quantity: str
    person: str = Field(description="A pseudonym, or empty.")
    at: str = Field(description="Since when it fires, by the devices' time, in the site's zone.")
    since: str | None = Field(description="When its condition began to hold, devices' time.")
    until: str | None = Field(description="Since when it is over, devices' time, or null.")
    opened: str = Field(description="When it was first recorded, the platform's time.")
    closed: str | None = Field(description="When it was found to be over, or null.")
    acknowledged: Acknowledgement | None
    value: float | None = Field(description="That decided; null: nothing came, or withheld.")
    unit: str = Field(description="UCUM code of `value`, or empty.")
    facts: dict[str, Any] = Field(description="Limits, scores, missing inputs, ...")
    withheld: bool = Field(
        description="True: the caller may not read what was measured; `value` and `facts` are "
        "left out."
    )
    runbook: str = Field(description="What to do, as the rule says.")
    retroactive: bool = Field(description="True when late values showed it after the fact.")
    cause: str | None = Field(
        description="The open alert that explains it (a gateway that is down): while that is so, "
        "nobody is told of this one."
    )
    silence: str | None = Field(description="The silence that mutes it, or null.")
    flapping: bool = Field(description="True while it changes too often to tell each change.")
    told: str | None = Field(description="When people were last told, or null.")
    escalated: int = Field(description="How many steps of escalation were taken.")

    @classmethod
    def of(cls, shown: Shown, zone: ZoneInfo) -> AlertAnswer:
        """Return what the API says of an alert, its instants in `zone`."""
        one = shown.record
        acknowledged = None
        if one.acknowledged_ns is not None:
            acknowledged = Acknowledgement(
                by=one.acknowledged_by,
                time=in_zone(one.acknowledged_ns, zone),
                note=one.acknowledged_note,
            )
        return cls.model_validate(
            {
                "id": one.id,
                "rule": one.rule,
                "version": one.version,
                "title": msgspec.json.decode(one.title),
                "severity": one.severity,
                "class": one.alarm_class,
                "state": one.state,
                "site": one.site,
                "building": one.building,
                "zone": one.zone,
                "device": one.device,
                "quantity": one.quantity,
                "person": one.person,
                "at": in_zone(one.at_ns, zone),
                "since": _instant(one.since_ns, zone),
                "until": _instant(one.until_ns, zone),
                "opened": in_zone(one.opened_ns, zone),
                "closed": _instant(one.closed_ns, zone),
                "acknowledged": acknowledged,
                "value": shown.value,
                "unit": one.unit,
                "facts": shown.facts,
                "withheld": shown.withheld,
                "runbook": one.runbook,
                "retroactive": one.retroactive,
                "cause": one.cause or None,
                "silence": one.silence or None,
                "flapping": one.flapping,
                "told": _instant(one.told_ns, zone),
                "escalated": one.level,
            }
        )


class AlertsAnswer(Schema):
    """A page of alerts, the newest first."""

    alerts: list[AlertAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class AlertEventAnswer(Schema):
    """One thing that happened to an alert."""

    id: int
    time: str = Field(description="When, in the site's zone.")
    kind: str = Field(description="`firing`, `acknowledged`, `silenced`, `told`, `resolved`, ...")
    actor: str = Field(description="Who did it; empty: the platform.")
    detail: dict[str, Any] = Field(description="Further facts.")

    @classmethod
    def of(cls, event: AlertEvent, zone: ZoneInfo, *, withheld: bool) -> AlertEventAnswer:
        """Return what the API says of an event; without its facts where those are withheld."""
        return cls(
            id=event.id,
            time=in_zone(event.time_ns, zone),
            kind=event.kind,
            actor=event.actor,
            detail={} if withheld else msgspec.json.decode(event.detail),
        )


class AlertHistory(Schema):
    """What happened to an alert, the oldest first."""

    alert: str
    events: list[AlertEventAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class AttemptAnswer(Schema):
    """One attempt to deliver a notice."""

    number: int
    started: str
    finished: str | None
    outcome: str = Field(
        description="`started` (it goes on), `delivered`, `retry`, `refused`, or `unknown`: the "
        "process died in the middle of it, and it was tried again."
    )
    detail: str = Field(description="What the channel answered.")

    @classmethod
    def of(cls, attempt: Attempt, zone: ZoneInfo) -> AttemptAnswer:
        """Return what the API says of an attempt."""
        return cls(
            number=attempt.number,
            started=in_zone(attempt.started_ns, zone),
            finished=_instant(attempt.finished_ns, zone),
            outcome=attempt.outcome,
            detail=attempt.detail,
        )


class NoticeAnswer(Schema):
    """An order to tell somebody."""

    id: str = Field(description="Sent along: a receiver can tell a repetition.")
    channel: str = Field(description="Name of the channel, as the policy has it.")
    occasion: str = Field(
        description="`firing`, `resolved`, `reminder`, `escalation`, `retroactive`, ..."
    )
    created: str
    state: str = Field(description="`waiting`, `delivered` or `failed`.")
    alerts: int = Field(description="How many alerts it tells of.")
    following: str | None = Field(description="When it is tried next, or null.")
    finished: str | None = Field(description="When it was delivered or given up, or null.")
    error: str = Field(description="What the channel said last, or empty.")
    attempts: list[AttemptAnswer] = Field(description="The first one first.")

    @classmethod
    def of(cls, notice: NoticeRecord, attempts: list[Attempt], zone: ZoneInfo) -> NoticeAnswer:
        """Return what the API says of a notice."""
        return cls(
            id=notice.id,
            channel=notice.channel,
            occasion=notice.occasion,
            created=in_zone(notice.created_ns, zone),
            state=notice.state,
            alerts=len([one for one in notice.alerts.split(",") if one]),
            following=in_zone(notice.next_ns, zone) if notice.finished_ns is None else None,
            finished=_instant(notice.finished_ns, zone),
            error=notice.error,
            attempts=[AttemptAnswer.of(one, zone) for one in attempts],
        )


class AlertNotices(Schema):
    """Who was told of an alert, the newest order first."""

    alert: str
    notices: list[NoticeAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class LateAnswer(Schema):
    """A value that came too late for a rule to judge it."""

    rule: str
    site: str
    building: str
    zone: str
    person: str
    device: str
    quantity: str
    unit: str
    time: str = Field(description="When it was measured, in the site's zone.")
    value: float
    seen: str = Field(description="When it came.")

    @classmethod
    def of(cls, late: LateValue, *, unit: str, zone: ZoneInfo) -> LateAnswer:
        """Return what the API says of a late value."""
        return cls(
            rule=late.rule,
            site=late.site,
            building=late.building,
            zone=late.zone,
            person=late.person,
            device=late.device,
            quantity=late.quantity,
            unit=unit,
            time=in_zone(late.time_ns, zone),
            value=late.value,
            seen=in_zone(late.seen_ns, zone),
        )


class LateValuesAnswer(Schema):
    """A page of values that came too late to be judged, the newest first."""

    values: list[LateAnswer]
    next: str | None = Field(description="Address of the next page, or null on the last one.")


class AcknowledgeOrder(Schema):
    """Somebody looks after an alert."""

    note: str = Field("", description="What is done about it.", max_length=LONGEST_TEXT)


class SilenceOrder(Schema):
    """Have nobody told of an alert for a while, whenever it fires again."""

    duration: Line = Field(
        alias="for",
        description="For how long: `30m`, `2h`, `1d`; at most 90 days.",
        max_length=32,
    )
    reason: str = Field(description="Why.", min_length=1, max_length=LONGEST_TEXT)


def _instant(time_ns: int | None, zone: ZoneInfo) -> str | None:
    return None if time_ns is None else in_zone(time_ns, zone)


ALERT_EXAMPLE: dict[str, Any] = {
    "id": "3f6b1e0c9a2d4f57",
    "rule": "server-room-hot",
    "version": 3,
    "title": {"en": "Server room too hot", "fr": "Salle serveur trop chaude"},
    "severity": "critical",
    "class": "measured",
    "state": "acknowledged",
    "site": "elgazala",
    "building": "",
    "zone": "",
    "device": "elg-env-004",
    "quantity": "",
    "person": "",
    "at": "2026-11-23T09:05:00+01:00",
    "since": "2026-11-23T09:00:00+01:00",
    "until": None,
    "opened": "2026-11-23T09:05:00.412+01:00",
    "closed": None,
    "acknowledged": {
        "by": "Amina B.",
        "time": "2026-11-23T09:07:10+01:00",
        "note": "on my way",
    },
    "value": 29.4,
    "unit": "Cel",
    "facts": {"quantity": "air_temperature", "unit": "Cel", "above": 28.0, "value": 29.4},
    "withheld": False,
    "runbook": "Look at the cooling unit; call facilities.",
    "retroactive": False,
    "cause": None,
    "silence": None,
    "flapping": False,
    "told": "2026-11-23T09:05:01+01:00",
    "escalated": 0,
}
ALERTS_EXAMPLE = {"alerts": [ALERT_EXAMPLE], "next": None}
HISTORY_EXAMPLE = {
    "alert": ALERT_EXAMPLE["id"],
    "events": [
        {
            "id": 17,
            "time": "2026-11-23T09:05:00.412+01:00",
            "kind": "firing",
            "actor": "",
            "detail": {"value": 29.4},
        },
        {
            "id": 21,
            "time": "2026-11-23T09:07:10+01:00",
            "kind": "acknowledged",
            "actor": "Amina B.",
            "detail": {"note": "on my way"},
        },
    ],
    "next": None,
}
NOTICES_EXAMPLE = {
    "alert": ALERT_EXAMPLE["id"],
    "notices": [
        {
            "id": "n-8d1f0a",
            "channel": "facilities-mail",
            "occasion": "firing",
            "created": "2026-11-23T09:05:00.5+01:00",
            "state": "delivered",
            "alerts": 1,
            "following": None,
            "finished": "2026-11-23T09:05:31+01:00",
            "error": "",
            "attempts": [
                {
                    "number": 1,
                    "started": "2026-11-23T09:05:00.6+01:00",
                    "finished": "2026-11-23T09:05:10.6+01:00",
                    "outcome": "retry",
                    "detail": "the mail server did not answer within 10 s",
                },
                {
                    "number": 2,
                    "started": "2026-11-23T09:05:30.6+01:00",
                    "finished": "2026-11-23T09:05:31+01:00",
                    "outcome": "delivered",
                    "detail": "250 OK",
                },
            ],
        }
    ],
    "next": None,
}
LATE_EXAMPLE = {
    "values": [
        {
            "rule": "server-room-hot",
            "site": "elgazala",
            "building": "",
            "zone": "",
            "person": "",
            "device": "elg-env-004",
            "quantity": "air_temperature",
            "unit": "Cel",
            "time": "2026-11-23T07:00:00+01:00",
            "value": 29.9,
            "seen": "2026-11-23T09:30:00+01:00",
        }
    ],
    "next": None,
}
ACKNOWLEDGE_EXAMPLE = {"note": "on my way"}
SILENCE_ORDER_EXAMPLE = {"for": "2h", "reason": "the cooling unit is being serviced"}
