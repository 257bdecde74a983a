"""One line of at most 160 characters, for text messages.

Only characters of the GSM alphabet (3GPP TS 23.038, 6.2.1) are in it: any other one would make a
message of 70 characters of it. So names are those of the registry, which are plain letters.
"""

from __future__ import annotations

import unicodedata

from alerts.deliver.privacy import WITHHELD
from alerts.deliver.templates.facts import value_text
from alerts.deliver.templates.links import alert_link
from alerts.deliver.templates.message import Wording, group_text, mark_of
from alerts.deliver.templates.naming import channels_of, is_of_channels, is_withdrawn, title_of
from alerts.deliver.templates.numbers import duration
from alerts.deliver.templates.times import brief_moment
from alerts.model import AlertView, Notice
from core.clock import NS_PER_S

LONGEST = 160
_MARK = 8
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_INSTEAD = {
    "\u202f": " ", "\u00a0": " ", "°": "", "µ": "u", "²": "2", "³": "3", "\u2019": "'",
    "\u2014": "-", "\u2013": "-", "\u2026": "...", "œ": "oe", "Œ": "OE", "[": "(", "]": ")",
    "«": '"', "»": '"',
}  # fmt: skip


def short_of(notice: Notice, wording: Wording) -> str:
    """Return the line, in the first of the languages.

    It ends with the end of the notice's id, so that a repetition can be told.
    """
    language = wording.languages[0]
    mark = f" #{notice.id[-_MARK:]}"
    said = f"{mark_of(notice, language)}: {_what(notice, language, wording)}"
    link = ""
    if len(notice.alerts) == 1:
        link = alert_link(notice.alerts[0], wording.public_url)
    room = LONGEST - len(mark)
    text = gsm(said)
    if link and len(text) + 1 + len(link) <= room:
        text = f"{text} {link}"
    elif len(text) > room:
        text = f"{text[: room - 3].rstrip()}..."
    return text + gsm(mark)


def gsm(text: str) -> str:
    """Return a text in the GSM alphabet; a letter that is not in it loses its accent."""
    return "".join(map(_in_gsm, text))


def _in_gsm(sign: str) -> str:
    if sign in _INSTEAD:
        return _INSTEAD[sign]
    if sign in _GSM and sign.isprintable():
        return sign
    plain = "".join(one for one in unicodedata.normalize("NFKD", sign) if one in _GSM)
    return plain if plain.isprintable() and plain else "?"


def _what(notice: Notice, language: str, wording: Wording) -> str:
    if is_of_channels(notice):
        return channels_of(notice)
    if len(notice.alerts) + notice.omitted > 1:
        first = notice.alerts[0]
        return f"{group_text(notice, language)}: {title_of(first, language)}, {_where(first)}"
    [view] = notice.alerts
    parts = [title_of(view, language), _where(view)]
    if WITHHELD not in view.facts and not is_withdrawn(view):
        parts.append(_decided(view, language))
    zone = wording.zone or view.zone
    at = brief_moment(view.resolved_ns or view.at_ns, zone)
    return f"{', '.join(part for part in parts if part)}, {at}"


def _where(view: AlertView) -> str:
    subject = view.subject
    narrow = subject.person or subject.device or subject.zone or subject.building
    parts = (subject.site, narrow, subject.quantity)
    return "/".join(part for part in parts if part) or "passerelle"


def _decided(view: AlertView, language: str) -> str:
    score = view.facts.get("score")
    if isinstance(score, int | float):
        return f"NEWS2 {score:g}"
    silent = view.facts.get("silent_s")
    if isinstance(silent, int | float):
        return duration(silent, language)
    lasted = view.resolved_ns
    if lasted is not None:
        return duration((lasted - view.at_ns) / NS_PER_S, language)
    return value_text(view, language)
