"""What people call the things that a notice speaks of."""

from __future__ import annotations

from alerts.deliver.templates.facts import quantity_name
from alerts.deliver.templates.words import say
from alerts.model import AlertView, Notice, Occasion

WITHDRAWN = "withdrawn"
"""Fact (and state) of an alert that late values show not to have been."""
_OF_CHANNELS = (Occasion.TEST, Occasion.CHANNEL_DOWN, Occasion.CHANNEL_UP)


def title_of(view: AlertView, language: str) -> str:
    """Return the rule's title, or its name where it has none."""
    return view.title.get(language) or view.title.get("en") or view.rule


def where_of(view: AlertView, language: str) -> str:
    """Return the narrowest name of what an alert is about."""
    subject = view.subject
    if subject.person:
        return subject.person
    if subject.device:
        device = view.device_name or subject.device
        if not subject.quantity:
            return device
        return f"{device}, {quantity_name(subject.quantity, language)}"
    if subject.zone or subject.building:
        return place_of(view, language)
    return view.site_name or subject.site or say("place.platform", language)


def place_of(view: AlertView, language: str) -> str:
    """Return building and zone, or ""."""
    subject = view.subject
    parts = []
    if subject.building:
        parts.append(say("place.building", language, name=subject.building))
    if subject.zone:
        parts.append(say("place.zone", language, name=subject.zone))
    return ", ".join(parts)


def is_withdrawn(view: AlertView) -> bool:
    """Return whether late values show that it did not fire at all."""
    return view.state == WITHDRAWN or WITHDRAWN in view.facts


def is_of_channels(notice: Notice) -> bool:
    """Return whether a notice speaks of channels, not of what was measured."""
    return notice.occasion in _OF_CHANNELS or not notice.alerts


def channels_of(notice: Notice) -> str:
    """Return of which channels it speaks."""
    named = dict.fromkeys(view.subject.device for view in notice.alerts if view.subject.device)
    return ", ".join(named) or str(notice.facts.get("channel", notice.channel))


def runbook_of(view: AlertView) -> str:
    """Return what the rule says is to be done, or ""."""
    return view.runbook or str(view.facts.get("runbook", ""))
