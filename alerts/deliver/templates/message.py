"""Subject and body of a notice, in one language or in both."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from alerts.deliver.privacy import WITHHELD, is_scored
from alerts.deliver.templates.facts import fact_lines, quantity_name, value_text
from alerts.deliver.templates.links import alert_link, plot_link
from alerts.deliver.templates.naming import (
    channels_of,
    is_of_channels,
    is_withdrawn,
    place_of,
    runbook_of,
    title_of,
    where_of,
)
from alerts.deliver.templates.numbers import duration
from alerts.deliver.templates.times import moment
from alerts.deliver.templates.words import say
from alerts.model import AlertView, Notice, Occasion, Severity
from core.clock import NS_PER_S

BETWEEN_LANGUAGES = "\u2014 \u2014 \u2014"
"""The line between the text of one language and that of the other."""
_OF_CHANNELS = ("told.test", "told.channel_down", "told.channel_up")
_GONE = ("rule_gone", "subject_gone")
_CHANGING = ("flapping", "steady")
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
    if is_of_channels(notice):
        return one_line(f"[{mark}] {channels_of(notice)}")
    if len(notice.alerts) + notice.omitted > 1:
        return f"[{mark}] {group_text(notice, language)}"
    [view] = notice.alerts
    return one_line(f"[{mark}] {_headline(view, language)}")


def mark_of(notice: Notice, language: str) -> str:
    """Return the words in brackets with which a subject begins."""
    if is_of_channels(notice):
        return say(f"mark.{notice.occasion}", language, otherwise=notice.occasion.upper())
    for name in _CHANGING:
        if all(name in view.facts for view in notice.alerts):
            return say(f"mark.{name}", language)
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


def body_of(notice: Notice, language: str, wording: Wording) -> str:
    """Return the body in a language."""
    views = notice.alerts
    if is_of_channels(notice):
        blocks = [list(_platform(notice, language, wording))]
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


def _platform(notice: Notice, language: str, wording: Wording) -> Iterator[str]:
    if (key := f"told.{notice.occasion}") in _OF_CHANNELS:
        yield say(key, language, channel=channels_of(notice))
    if notice.occasion is Occasion.CHANNEL_DOWN and (error := notice.facts.get("error")):
        yield say("line.error", language, value=error)
    if notice.occasion is Occasion.TEST and (who := notice.facts.get("by")):
        yield say("line.by", language, who=who)
    for view in notice.alerts:
        if link := alert_link(view, wording.public_url):
            yield say(_look(notice), language, link=link)


def _single(
    notice: Notice, view: AlertView, language: str, wording: Wording
) -> Iterator[list[str]]:
    yield [title_of(view, language), _kind(view, language)]
    yield [happened(notice, view, language, wording), *_besides(view, language)]
    yield [*_places(view, language), *_decided(view, language)]
    if runbook := runbook_of(view):
        yield [say("line.runbook", language, text=runbook)]
    yield list(_links(notice, view, language, wording.public_url))


def _group(notice: Notice, language: str, wording: Wording) -> Iterator[list[str]]:
    yield [group_text(notice, language), *_past(notice, language, wording)]
    for view in notice.alerts:
        lines = [
            _headline(view, language),
            f"{_kind(view, language)} {happened(notice, view, language, wording)}",
            *_besides(view, language),
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
    elif notice.occasion is Occasion.FIRING and "retroactive" in view.facts:
        key = "told.retroactive"
    return say(key, language, **values)


def _headline(view: AlertView, language: str) -> str:
    title, where = title_of(view, language), where_of(view, language)
    return say("line.value", language, what=title, value=where)


def _kind(view: AlertView, language: str) -> str:
    severity = say(f"mark.{view.severity}", language)
    return f"{severity}, {say(f'class.{view.alarm_class}', language)}."


def _besides(view: AlertView, language: str) -> Iterator[str]:
    facts = view.facts
    if "flapping" in facts:
        yield say("told.flapping", language, count=_count(facts["flapping"]))
    if "steady" in facts:
        yield say("told.steady", language)
    for name in _GONE:
        if name in facts:
            yield say(f"told.{name}", language)
    if "stands_for" in facts:
        yield say("told.stands_for", language, count=_count(facts["stands_for"]))
    if view.acknowledged_by:
        yield say("told.acknowledged", language, who=view.acknowledged_by)


def _past(notice: Notice, language: str, wording: Wording) -> Iterator[str]:
    """Say from when to when what was found after the fact was."""
    from_ns, to_ns = notice.facts.get("from_ns"), notice.facts.get("to_ns")
    if isinstance(from_ns, int | float) and isinstance(to_ns, int | float):
        zone = wording.zone or notice.alerts[0].zone
        start, end = (moment(int(one), zone, language) for one in (from_ns, to_ns))
        yield say("told.past", language, at=start, until=end)


def _count(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, int | float) else value


def _places(view: AlertView, language: str) -> Iterator[str]:
    subject = view.subject
    if subject.site:
        yield say("line.site", language, name=_named(view.site_name, subject.site))
    if place := place_of(view, language):
        yield say("line.place", language, name=place)
    if subject.device:
        key = "line.device" if subject.site else "line.about"  # of the platform: a worker, a rule
        yield say(key, language, name=_named(view.device_name, subject.device))
    if subject.quantity:
        yield say("line.quantity", language, name=quantity_name(subject.quantity, language))
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
    over = (Occasion.RESOLVED, Occasion.RETROACTIVE, Occasion.CHANNEL_UP)
    return "line.look" if notice.occasion in over else "line.acknowledge"


def _named(name: str, slug: str) -> str:
    return f"{name} ({slug})" if name and name != slug else slug
