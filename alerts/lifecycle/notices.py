"""Notices: what a group has to hear is written as orders, one per channel, and only once.

An order is written in the transaction that says it was told; `devices.registry.notices` delivers
from there on. Instants of the orders about an alert grow, also when the clock steps back, so that
each channel tells them in order.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from alerts.lifecycle.platform_rules import CHANNEL_DOWN
from alerts.lifecycle.turn import Turn
from alerts.lifecycle.wanted import Wanted
from alerts.model import AlarmClass, AlertView, Notice, Occasion, Severity, Subject
from core.reading import Reading
from devices.registry.alert_records import (
    AlertEventKind,
    AlertRecord,
    AlertState,
    NoticeRecord,
)

MOST_ALERTS = 20
"""How many alerts a notice shows; the others are counted."""
_RANK = {one.value: rank for rank, one in enumerate(Severity)}
_log = structlog.get_logger(__name__)


class Bucket(msgspec.Struct, kw_only=True):
    """What one notice tells.

    Attributes:
        group: id of the group.
        label: what its alerts have in common.
        occasion: why people are told.
        wanted: what was to be told of the alerts.
        records: the alerts.
    """

    group: str
    label: str = ""
    occasion: Occasion
    wanted: Wanted = Wanted.NOTHING
    records: list[AlertRecord] = []


def order_notice(turn: Turn, bucket: Bucket, channels: Sequence[str]) -> None:
    """Order that people are told, through each of some channels.

    Args:
        turn: the turn.
        bucket: what they are told.
        channels: names of channels; one that is down is not asked to tell of itself.
    """
    if not bucket.records:
        return
    gravest = sorted(bucket.records, key=_gravest)
    occasion, facts = bucket.occasion, _facts(bucket)
    first = gravest[0]
    if first.rule == CHANNEL_DOWN:
        channels = _other_channels(turn, first, channels)
        occasion = _of_channel(occasion)
        facts = {"channel": first.device, **msgspec.json.decode(first.facts)}
    views = tuple(alert_view(turn, one, bucket.wanted) for one in gravest[:MOST_ALERTS])
    ids = ",".join(one.id for one in gravest)
    after_ns = max(one.told_ns or 0 for one in gravest) + 1
    for channel in channels:
        created_ns = max(turn.now_ns, after_ns) + len(turn.work.notices)
        notice = Notice(
            id=secrets.token_hex(16),
            occasion=occasion,
            channel=channel,
            created_ns=created_ns,
            alerts=views,
            group=bucket.label,
            omitted=len(gravest) - len(views),
            facts=facts,
        )
        turn.work.notices.append(
            NoticeRecord(
                id=notice.id,
                channel=channel,
                occasion=occasion.value,
                created_ns=created_ns,
                body=msgspec.json.encode(notice).decode(),
                alerts=ids,
                next_ns=turn.now_ns,
            )
        )
        turn.ordered[occasion.value] += 1
        for one in gravest:
            turn.event(
                one.id,
                AlertEventKind.TOLD,
                notice=notice.id,
                channel=channel,
                occasion=occasion.value,
            )
    told_ns = max(turn.now_ns, after_ns) + len(turn.work.notices)
    for one in gravest:
        told = msgspec.structs.replace(one, told=bucket.occasion.value, told_ns=told_ns)
        turn.work.put(told)


def alert_view(turn: Turn, record: AlertRecord, wanted: Wanted) -> AlertView:
    """Return an alert as people are told of it."""
    names = turn.known.names
    facts: dict[str, str | float] = msgspec.json.decode(record.facts)
    if record.retroactive:
        facts["retroactive"] = 1
    stands_for = turn.stands_for.get(record.id, 0) if record.closed_ns is None else 0
    if stands_for:
        facts["stands_for"] = stands_for
    if wanted is Wanted.FLAPPING:
        facts["flapping"] = len(msgspec.json.decode(record.changes))
    if wanted is Wanted.STEADY:
        facts["steady"] = 1
    over = record.state in (AlertState.RESOLVED, AlertState.WITHDRAWN)
    return AlertView(
        id=record.id,
        rule=record.rule,
        title=msgspec.json.decode(record.title),
        severity=Severity(record.severity),
        alarm_class=AlarmClass(record.alarm_class),
        subject=Subject(
            record.site,
            record.building,
            record.zone,
            record.device,
            record.quantity,
            record.person,
        ),
        state=AlertState.RESOLVED.value if over else record.state,
        at_ns=record.at_ns,
        resolved_ns=record.until_ns,
        value=record.value,
        unit=record.unit,
        facts=facts,
        evidence=msgspec.json.decode(record.evidence, type=tuple[Reading, ...]),
        zone=names.zone(record.site),
        site_name=names.site(record.site),
        device_name=names.device(record.site, record.device) if record.device else "",
        acknowledged_by=record.acknowledged_by,
        runbook=record.runbook,
    )


def occasion_of(wanted: Wanted, record: AlertRecord) -> Occasion:
    """Return the occasion of what is wanted."""
    if wanted in (Wanted.FLAPPING, Wanted.STEADY):
        return Occasion.FIRING if record.state == AlertState.FIRING else Occasion.RESOLVED
    return Occasion(wanted.value)


def _facts(bucket: Bucket) -> Mapping[str, str | float]:
    """Return the counts of a digest: how many, from when to when."""
    if bucket.occasion is not Occasion.RETROACTIVE:
        return {}
    records = bucket.records
    return {
        "count": len(records),
        "from_ns": min(one.at_ns for one in records),
        "to_ns": max(one.until_ns or one.at_ns for one in records),
    }


def _gravest(record: AlertRecord) -> tuple[Any, ...]:
    return (
        -_RANK.get(record.severity, 0), record.at_ns, record.rule, record.site, record.device,
        record.id,
    )  # fmt: skip


def _of_channel(occasion: Occasion) -> Occasion:
    if occasion is Occasion.FIRING:
        return Occasion.CHANNEL_DOWN
    return Occasion.CHANNEL_UP if occasion is Occasion.RESOLVED else occasion


def _other_channels(turn: Turn, record: AlertRecord, channels: Sequence[str]) -> Sequence[str]:
    """Return the channels that can tell of a channel that is down; if need be, any other."""
    others = [one for one in turn.policy.channels if one != record.device]
    for some in (
        [one for one in channels if one in others and one not in turn.down],
        [one for one in others if one not in turn.down],
        others,
    ):
        if some:
            return some
    _log.error("alerts_channel_down_untold", channel=record.device, facts=record.facts)
    return ()


def buckets(records: Iterable[tuple[str, str, Wanted, AlertRecord]]) -> list[Bucket]:
    """Return what is told, in as many notices as needed: one per group and kind of thing.

    The gravest come first.

    Args:
        records: group, its label, what is wanted, and the alert.
    """
    found: dict[tuple[Any, ...], Bucket] = {}
    for group, label, wanted, record in records:
        occasion = occasion_of(wanted, record)
        key = (group, occasion, wanted in (Wanted.FLAPPING, Wanted.STEADY) and wanted)
        if key not in found:
            found[key] = Bucket(group=group, label=label, occasion=occasion, wanted=wanted)
        found[key].records.append(record)
    return sorted(found.values(), key=lambda one: min(map(_gravest, one.records)))
