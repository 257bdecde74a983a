"""Subject and body of a notice, in one language or in both."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import msgspec

from alerts.deliver.privacy import WITHHELD, is_scored
from alerts.deliver.templates.facts import fact_lines, value_text
from alerts.deliver.templates.numbers import duration
from alerts.deliver.templates.times import moment
from alerts.deliver.templates.words import say
from alerts.model import AlertView, Notice, Occasion, Severity
from core.clock import NS_PER_S

BETWEEN_LANGUAGES = "\u2014 \u2014 \u2014"
"""The line between the text of one language and that of the other."""
WITHDRAWN = "withdrawn"
"""Fact (and state) of an alert that late values show not to have been."""
_PLAIN_MARKS = (Occasion.TEST, Occasion.CHANNEL_DOWN, Occasion.CHANNEL_UP)
_MARKED = {
    Occasion.REMINDER: "mark.reminder",
    Occasion.ESCALATION: "mark.escalation",
    Occasion.RETROACTIVE: "mark.retroactive",
}
_GRAVEST = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_LONGEST_SUBJECT = 200


class Message(msgspec.Struct, frozen=True):
    """What is sent.

    Attributes:
        subject: one line.
        body: plain text, lines parted by newlines.
    """

    subject: str
    body: str


class Wording(msgspec.Struct, frozen=True):
    """How a channel words its notices.

    Attributes:
        languages: codes, in their order.
        zone: IANA zone of all times; "": that of each alert's site.
        public_url: address of the dashboard; "": no links.
    """

    languages: tuple[str, ...] = ("fr", "en")
    zone: str = ""
    public_url: str = ""


def message_of(notice: Notice, wording: Wording) -> Message:
    """Return the text of a notice in each of the languages, one below the other."""
    texts = [
        Message(subject_of(notice, language), body_of(notice, language, wording))
        for language in wording.languages
    ]
    subjects = dict.fromkeys(one.subject for one in texts)
    return Message(
        " / ".join(subjects)[:_LONGEST_SUBJECT],
        f"\n\n{BETWEEN_LANGUAGES}\n\n".join(one.body for one in texts),
    )


def subject_of(notice: Notice, language: str) -> str:
    """Return the subject line in a language."""
    mark = mark_of(notice, language)
    if not notice.alerts:
        return f"[{mark}] {notice.facts.get('channel', notice.channel)}"
    if len(notice.alerts) + notice.omitted > 1:
        return f"[{mark}] {group_text(notice, language)}"
    [view] = notice.alerts
    return one_line(f"[{mark}] {title_of(view, language)}: {where_of(view, language)}")


def mark_of(notice: Notice, language: str) -> str:
    """Return the words in brackets with which a subject begins."""
    if notice.occasion in _PLAIN_MARKS or not notice.alerts:
        return say(f"mark.{notice.occasion}", language, otherwise=notice.occasion.upper())
    if all(is_withdrawn(view) for view in notice.alerts):
        return say("mark.withdrawn", language)
    if notice.occasion is Occasion.RESOLVED:
        return say("mark.resolved", language)
    there = {view.severity for view in notice.alerts}
    severity = next(one for one in _GRAVEST if one in there)
    mark = say(f"mark.{severity}", language)
    if notice.occasion in _MARKED:
        return f"{mark}, {say(_MARKED[notice.occasion], language)}"
    return mark


def group_text(notice: Notice, language: str) -> str:
    """Return how many alerts a notice tells of, and what they have in common."""
    count = len(notice.alerts) + notice.omitted
    if not notice.group:
        return say("told.group_plain", language, count=count)
    return one_line(say("told.group", language, count=count, group=notice.group))


def title_of(view: AlertView, language: str) -> str:
    """Return the rule's title, or its name where it has none."""
    return view.title.get(language) or view.title.get("en") or view.rule


def where_of(view: AlertView, language: str) -> str:
    """Return the narrowest name of what an alert is about."""
    subject = view.subject
    if subject.person:
        return subject.person
    if subject.device:
        return view.device_name or subject.device
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


def body_of(notice: Notice, language: str, wording: Wording) -> str:
    """Return the body in a language."""
    views = notice.alerts
    if not views:
        blocks = [list(_platform(notice, language))]
    elif len(views) + notice.omitted == 1:
        blocks = list(_single(notice, views[0], language, wording))
    else:
        blocks = list(_group(notice, language, wording))
    if any(map(is_scored, views)):
        blocks.append([say("told.news2", language)])
    zone = wording.zone or (views[0].zone if views else "")
    ordered = moment(notice.created_ns, zone, language)
    blocks.append([say("told.notice", language, id=notice.id, at=ordered)])
    return "\n\n".join("\n".join(map(one_line, lines)) for lines in blocks if lines)


def one_line(text: str) -> str:
    """Return a text without line ends and other characters that steer."""
    return "".join(sign if sign.isprintable() or sign in "\u202f\u00a0" else " " for sign in text)


def alert_link(view: AlertView, public_url: str) -> str:
    """Return the address of an alert's page, or "" without a dashboard."""
    return f"{public_url.rstrip('/')}/#/alerts/{quote(view.id, safe='')}" if public_url else ""


def plot_link(view: AlertView, public_url: str) -> str:
    """Return the address of the plot of what decided, or "" where there is none."""
    subject, evidence = view.subject, view.evidence
    device = subject.device or (evidence[-1].device if evidence else "")
    if not public_url or not device:
        return ""
    name = subject.quantity or str(view.facts.get("quantity", ""))
    if not name:
        name = next((one.quantity for one in reversed(evidence) if one.device == device), "")
    chosen = {"site": subject.site, "device": device, "quantity": name, "range": "24h"}
    there = urlencode({key: value for key, value in chosen.items() if value})
    return f"{public_url.rstrip('/')}/#{there}"


def _platform(notice: Notice, language: str) -> Iterator[str]:
    channel = notice.facts.get("channel", notice.channel)
    yield say(f"told.{notice.occasion}", language, otherwise=str(notice.occasion), channel=channel)
    if error := notice.facts.get("error"):
        yield say("line.error", language, value=error)


def _single(
    notice: Notice, view: AlertView, language: str, wording: Wording
) -> Iterator[list[str]]:
    yield [title_of(view, language), _kind(view, language)]
    yield [happened(notice, view, language, wording), *_taken_on(view, language)]
    yield [*_places(view, language), *_decided(view, language)]
    if view.runbook:
        yield [say("line.runbook", language, text=view.runbook)]
    yield list(_links(notice, view, language, wording.public_url))


def _group(notice: Notice, language: str, wording: Wording) -> Iterator[list[str]]:
    yield [group_text(notice, language)]
    for view in notice.alerts:
        lines = [
            f"{title_of(view, language)}: {where_of(view, language)}",
            f"{_kind(view, language)} {happened(notice, view, language, wording)}",
        ]
        if WITHHELD not in view.facts and (value := value_text(view, language)):
            lines.append(say("line.value", language, what=say("name.value", language), value=value))
        if link := alert_link(view, wording.public_url):
            lines.append(say(_look(notice), language, link=link))
        yield lines
    if any(WITHHELD in view.facts for view in notice.alerts):
        yield [say("told.hidden", language)]
    if notice.omitted:
        yield [say("told.omitted", language, count=notice.omitted)]


def happened(notice: Notice, view: AlertView, language: str, wording: Wording) -> str:
    """Return the sentence that says what happened to an alert."""
    zone = wording.zone or view.zone
    values = {"at": moment(view.at_ns, zone, language)}
    key = f"told.{notice.occasion}"
    if is_withdrawn(view):
        key = "told.withdrawn"
    elif view.resolved_ns is not None:
        values["until"] = moment(view.resolved_ns, zone, language)
        values["lasted"] = duration((view.resolved_ns - view.at_ns) / NS_PER_S, language)
        key = "told.resolved"
        if notice.occasion is Occasion.RETROACTIVE:
            key = "told.retroactive_over"
    elif notice.occasion is Occasion.RESOLVED:
        key = "told.resolved_unknown"
    return say(key, language, **values)


def _kind(view: AlertView, language: str) -> str:
    severity = say(f"mark.{view.severity}", language)
    return f"{severity}, {say(f'class.{view.alarm_class}', language)}."


def _taken_on(view: AlertView, language: str) -> Iterator[str]:
    if view.acknowledged_by:
        yield say("told.acknowledged", language, who=view.acknowledged_by)


def _places(view: AlertView, language: str) -> Iterator[str]:
    subject = view.subject
    if subject.site:
        yield say("line.site", language, name=_named(view.site_name, subject.site))
    if place := place_of(view, language):
        yield say("line.place", language, name=place)
    if subject.device:
        yield say("line.device", language, name=_named(view.device_name, subject.device))
    if subject.person:
        yield say("line.person", language, name=subject.person)
    yield say("line.rule", language, name=view.rule)


def _decided(view: AlertView, language: str) -> Iterator[str]:
    if WITHHELD in view.facts:
        yield say("told.hidden", language)
    else:
        yield from fact_lines(view, language)


def _links(notice: Notice, view: AlertView, language: str, public_url: str) -> Iterator[str]:
    if link := alert_link(view, public_url):
        yield say(_look(notice), language, link=link)
    if link := plot_link(view, public_url):
        yield say("line.plot", language, link=link)


def _look(notice: Notice) -> str:
    over = (Occasion.RESOLVED, Occasion.RETROACTIVE)
    return "line.look" if notice.occasion in over else "line.acknowledge"


def _named(name: str, slug: str) -> str:
    return f"{name} ({slug})" if name and name != slug else slug
