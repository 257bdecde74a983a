"""What people still have to hear of an alert: a function of how it stands and of what was told.

It is asked anew whenever something changes and again before a notice is written, so that nobody is
told what is not so any more. An end is told to whoever was told of the beginning, muted or not: a
lamp that was lit has to go out.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from alerts.lifecycle.judging import GONE
from alerts.model import AlarmClass, Occasion
from alerts.policy.model import Past, Route
from devices.registry.alert_records import AlertRecord, AlertState
from devices.registry.alert_telling import Telling


class Wanted(StrEnum):
    """What is to be told of an alert, or was."""

    NOTHING = ""
    FIRING = "firing"
    RESOLVED = "resolved"
    REMINDER = "reminder"
    RETROACTIVE = "retroactive"
    """It is over, and was so before anybody was told."""
    FLAPPING = "flapping"
    """It changes too often; further changes are not told."""
    STEADY = "steady"
    """It flaps no more; how it stands is told."""
    HANDED_ON = "handed_on"
    """It flapped, and the next alert is told in its place. Never to be told; only was."""


FIRES = frozenset({Occasion.FIRING.value, Occasion.REMINDER.value, Occasion.ESCALATION.value})
"""Occasions after which people believe that it fires."""


def is_muted(record: AlertRecord) -> bool:
    """Return whether nobody is told that an alert fires."""
    return bool(record.cause or record.silence)


def wanted_of(
    record: AlertRecord, telling: Telling, route: Route, *, listed: bool, unmuted: bool = False
) -> Wanted:
    """Return what people have to hear of an alert by a route.

    Args:
        record: the alert, as it stands.
        telling: how far people were told by the route.
        route: the route.
        listed: its rule says that what is over when it is found is only listed.
        unmuted: it was muted until now.
    """
    if telling.told == Wanted.HANDED_ON:
        return Wanted.NOTHING
    muted = is_muted(record)
    acknowledged = record.state == AlertState.ACKNOWLEDGED
    if record.flapping:
        told = muted or acknowledged or telling.told == Wanted.FLAPPING
        return Wanted.NOTHING if told else Wanted.FLAPPING
    if telling.told == Wanted.FLAPPING:
        quiet = acknowledged or (muted and record.state == AlertState.FIRING)
        return Wanted.NOTHING if quiet else Wanted.STEADY
    if record.state == AlertState.FIRING:
        return _of_firing(telling, muted=muted, unmuted=unmuted)
    if record.state in (AlertState.RESOLVED, AlertState.WITHDRAWN):
        return _of_over(record, telling, route, muted=muted, listed=listed)
    return Wanted.NOTHING


def _of_firing(telling: Telling, *, muted: bool, unmuted: bool) -> Wanted:
    if muted:
        return Wanted.NOTHING
    if telling.told not in FIRES:
        return Wanted.FIRING
    return Wanted.REMINDER if unmuted or telling.wanted == Wanted.REMINDER else Wanted.NOTHING


def _of_over(
    record: AlertRecord, telling: Telling, route: Route, *, muted: bool, listed: bool
) -> Wanted:
    if telling.told in FIRES:
        return Wanted.RESOLVED if route.resolved else Wanted.NOTHING
    withdrawn = record.state == AlertState.WITHDRAWN
    if telling.told == Wanted.RETROACTIVE and withdrawn and route.resolved:
        return Wanted.RESOLVED
    if telling.told or muted or withdrawn or route.past is Past.NONE:
        return Wanted.NOTHING
    if record.retroactive:
        return Wanted.NOTHING if listed else Wanted.RETROACTIVE
    # it was over before its notice was due; silence that nobody heard of is not worth a word
    if record.alarm_class == AlarmClass.NO_DATA or GONE & msgspec.json.decode(record.facts).keys():
        return Wanted.NOTHING
    return Wanted.RETROACTIVE
