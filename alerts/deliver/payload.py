"""A notice for programs: the JSON of webhooks and of MQTT (`docs/alert-webhook.schema.json`)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alerts.deliver.privacy import WITHHELD
from alerts.deliver.templates.links import alert_link, plot_link
from alerts.deliver.templates.message import Message, Wording, body_of, subject_of
from alerts.deliver.templates.naming import is_withdrawn, runbook_of
from alerts.model import AlertView, Notice, Subject
from core.clock import iso

VERSION = 1


class ValueBody(msgspec.Struct, frozen=True):
    """A value that decided."""

    device: str
    quantity: str
    time: str
    value: float
    quality: int


class Links(msgspec.Struct, frozen=True):
    """Addresses of the dashboard, or ""."""

    alert: str
    plot: str


class AlertBody(msgspec.Struct, frozen=True):
    """An alert; see the schema."""

    id: str
    rule: str
    title: Mapping[str, str]
    severity: str
    alarm_class: str
    state: str
    subject: Subject
    site_name: str
    device_name: str
    time_zone: str
    fires_since: str
    over_since: str | None
    withdrawn: bool
    value: float | None
    unit: str
    facts: Mapping[str, str | float]
    evidence: tuple[ValueBody, ...]
    values_withheld: bool
    acknowledged_by: str
    runbook: str
    links: Links


class NoticeBody(msgspec.Struct, frozen=True):
    """A notice; see the schema."""

    version: int
    id: str
    occasion: str
    channel: str
    ordered_at: str
    group: str
    omitted: int
    facts: Mapping[str, str | float]
    text: Mapping[str, Message]
    alerts: tuple[AlertBody, ...]


def payload_of(notice: Notice, wording: Wording) -> bytes:
    """Return the JSON of a notice."""
    return msgspec.json.encode(
        NoticeBody(
            version=VERSION,
            id=notice.id,
            occasion=notice.occasion.value,
            channel=notice.channel,
            ordered_at=iso(notice.created_ns),
            group=notice.group,
            omitted=notice.omitted,
            facts=dict(notice.facts),
            text={
                language: Message(subject_of(notice, language), body_of(notice, language, wording))
                for language in wording.languages
            },
            alerts=tuple(_alert(view, wording) for view in notice.alerts),
        )
    )


def _alert(view: AlertView, wording: Wording) -> AlertBody:
    return AlertBody(
        id=view.id,
        rule=view.rule,
        title=dict(view.title),
        severity=view.severity.value,
        alarm_class=view.alarm_class.value,
        state=view.state,
        subject=view.subject,
        site_name=view.site_name,
        device_name=view.device_name,
        time_zone=wording.zone or view.zone,
        fires_since=iso(view.at_ns),
        over_since=None if view.resolved_ns is None else iso(view.resolved_ns),
        withdrawn=is_withdrawn(view),
        value=view.value,
        unit=view.unit,
        facts={name: fact for name, fact in view.facts.items() if name != WITHHELD},
        evidence=tuple(
            ValueBody(one.device, one.quantity, iso(one.time_ns), one.value, one.quality)
            for one in view.evidence
        ),
        values_withheld=WITHHELD in view.facts,
        acknowledged_by=view.acknowledged_by,
        runbook=runbook_of(view),
        links=Links(alert_link(view, wording.public_url), plot_link(view, wording.public_url)),
    )
