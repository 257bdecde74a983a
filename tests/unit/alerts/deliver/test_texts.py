"""What people read: every occasion, in both languages, of every class of alarm."""

from __future__ import annotations

import itertools
import re
import string
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.deliver.channels import told
from alerts.deliver.privacy import veiled
from alerts.deliver.templates.message import BETWEEN_LANGUAGES, Message, Wording, message_of
from alerts.deliver.templates.numbers import duration, number, quantity_text
from alerts.deliver.templates.page import html_of
from alerts.deliver.templates.short_form import LONGEST, gsm, short_of
from alerts.deliver.templates.times import moment
from alerts.deliver.templates.words import PHRASES, say
from alerts.model import AlarmClass, Notice, Occasion, Severity, Subject
from core.clock import NS_PER_S
from core.quantities import CATALOGUE
from tests.support.notices import AT_NS, notice, patient, spec, view

ENGLISH = Wording(("en",), public_url="https://passerelle.example/")
FRENCH = Wording(("fr",), public_url="https://passerelle.example/")
PLATFORM = (Occasion.CHANNEL_DOWN, Occasion.CHANNEL_UP, Occasion.TEST)
FACTS: dict[str, Any] = {
    "threshold": {"above": 28.0, "quantity": "air_temperature", "unit": "Cel", "value": 29.4},
    "rate": {"above": 0.2, "change": 0.31, "over_s": 900.0, "quantity": "water_level", "unit": "m"},
    "absence": {"silent_s": 742.0, "after_s": 180.0},
    "battery": {"quantity": "battery_level", "unit": "%", "value": 11.0, "days_left": 9.5},
    "completeness": {"below": 95.0, "unit": "%", "value": 91.25},
    "count": {"count": 3, "needed": 2, "devices": "a, b, c"},
    "time": {"local_time": "22:15", "held_s_ago": 120.0},
    "news2": {"score": 7, "score_heart_rate": 2, "missing": "consciousness"},
    "boolean": {"above": 0.5, "quantity": "water_leak", "unit": "1", "value": 1.0},
    "seasonal": {"quantity": "active_power", "unit": "W", "expected": 250.0, "allowed": 80.0},
    "platform": {"worker": "w-1", "rule": "r-1", "reason": "no such quantity", "channel": "sms"},
    "unknown": {"brand_new": 4.25, "words": "as they are"},
    "changing": {"flapping": 7, "stands_for": 12, "retroactive": 1, "runbook": "Call somebody."},
    "over": {"withdrawn": 1, "steady": 1, "rule_gone": 1, "subject_gone": 1},
}


@pytest.mark.parametrize("wording", [ENGLISH, FRENCH], ids=["en", "fr"])
@pytest.mark.parametrize("alarm_class", AlarmClass)
@pytest.mark.parametrize("occasion", Occasion)
def test_every_occasion_has_its_words_in_both_languages(
    occasion: Occasion, alarm_class: AlarmClass, wording: Wording
) -> None:
    for facts, resolved_ns in itertools.product(FACTS.values(), (None, AT_NS + 61 * NS_PER_S)):
        shown = view(alarm_class=alarm_class, facts=facts, resolved_ns=resolved_ns)
        for alerts in ((), (shown,), (shown, patient())):
            made = notice(
                occasion=occasion, alerts=alerts, facts={"channel": "sms", "error": "refused"}
            )
            message = message_of(made, wording)
            assert made.id in message.body
            assert "\n" not in message.subject
            for text in (message.subject, message.body, short_of(made, wording)):
                assert text.strip()
                assert "{" not in text
                assert "None" not in text


@pytest.mark.parametrize("wording", [ENGLISH, FRENCH], ids=["en", "fr"])
@pytest.mark.parametrize("facts", ["absence", "seasonal"])
def test_an_alert_of_a_series_names_its_quantity(facts: str, wording: Wording) -> None:
    of = Subject("elgazala", device="elg-env-004", quantity="relative_humidity")
    made = notice(alerts=(view(subject=of, facts=FACTS[facts], value=None, unit=""),))
    named = {"en": "Relative humidity", "fr": "Humidité relative"}[wording.languages[0]]
    message = message_of(made, wording)
    assert message.subject.endswith(f": Salle serveurs, nord, {named}")
    assert {"en": "Quantity: ", "fr": "Grandeur\N{NO-BREAK SPACE}: "}[
        wording.languages[0]
    ] + named in message.body
    assert "elgazala/elg-env-004/relative_humidity" in short_of(made, wording)
    several = message_of(notice(alerts=(*made.alerts, view())), wording)
    assert named in several.body


def test_each_phrase_names_the_same_values_in_both_languages() -> None:
    for key, languages in PHRASES.items():
        english, french = (
            {field for _, field, _, _ in string.Formatter().parse(text) if field}
            for text in languages
        )
        assert english == french, key


def test_a_message_says_what_where_since_when_why_and_where_to_go() -> None:
    message = message_of(notice(alerts=(view(runbook="Look at the cooling unit."),)), ENGLISH)
    assert message.subject == "[CRITICAL] Server room too hot: Salle serveurs, nord"
    assert message.body == (
        "Server room too hot\n"
        "CRITICAL, a measured value.\n"
        "\n"
        "It has been firing since 23 Nov 2026 11:00:00 (Africa/Tunis).\n"
        "\n"
        "Site: El Gazala (elgazala)\n"
        "Place: building A, zone server-1\n"
        "Device: Salle serveurs, nord (elg-env-004)\n"
        "Rule: server-room-hot\n"
        "Air temperature: 29.4\u202f°C\n"
        "Limit: above 28\u202f°C\n"
        "\n"
        "What to do: Look at the cooling unit.\n"
        "\n"
        "Acknowledge: https://passerelle.example/#/alerts/a1b2c3d4\n"
        "Plot: https://passerelle.example/#site=elgazala&device=elg-env-004"
        "&quantity=air_temperature&range=24h\n"
        "\n"
        "Notice 0123456789abcdef, ordered on 23 Nov 2026 11:00:05 (Africa/Tunis). "
        "The same number twice is the same notice twice."
    )


def test_the_same_in_french_has_french_numbers_and_signs() -> None:
    message = message_of(notice(), FRENCH)
    assert message.subject == "[CRITIQUE] Salle serveur trop chaude\u00a0: Salle serveurs, nord"
    for part in (
        "En alarme depuis le 23 nov. 2026 11:00:00 (Africa/Tunis).",
        "Température de l'air\u00a0: 29,4\u202f°C",
        "Limite\u00a0: plus de 28\u202f°C",
        "Prendre en charge\u00a0: https://passerelle.example/#/alerts/a1b2c3d4",
    ):
        assert part in message.body


def test_both_languages_stand_one_below_the_other() -> None:
    message = message_of(notice(), Wording(("fr", "en")))
    french, english = message.body.split(BETWEEN_LANGUAGES)
    assert "En alarme" in french
    assert "It has been firing" in english
    assert message.subject.count(" / ") == 1


@pytest.mark.parametrize(
    ("occasion", "more", "mark", "sentence"),
    [
        (Occasion.RESOLVED, {"resolved_ns": AT_NS + 125 * NS_PER_S}, "OVER", "lasted 2\u202fmin 5"),
        (Occasion.REMINDER, {}, "CRITICAL, STILL", "nobody has acknowledged it"),
        (Occasion.ESCALATION, {}, "CRITICAL, ESCALATION", "so you are told too"),
        (
            Occasion.RETROACTIVE,
            {"resolved_ns": AT_NS + NS_PER_S},
            "CRITICAL, IN THE PAST",
            "fired in the past, from 23 Nov",
        ),
        (Occasion.RESOLVED, {"facts": {"withdrawn": 1}}, "WITHDRAWN", "did not fire at all"),
        (Occasion.FIRING, {"facts": {"retroactive": 1}}, "CRITICAL", "Values that came late"),
        (Occasion.FIRING, {"facts": {"flapping": 7}}, "FLAPPING", "again and again (7 times)"),
        (Occasion.FIRING, {"facts": {"stands_for": 40}}, "CRITICAL", "explains 40 further alerts"),
        (Occasion.ESCALATION, {"severity": Severity.INFO}, "INFO, ESCALATION", ""),
        (Occasion.FIRING, {"acknowledged_by": "n.ba"}, "CRITICAL", "n.ba looks after it."),
    ],
)
def test_what_kind_of_message_it_is_is_seen_at_once(
    occasion: Occasion, more: dict[str, Any], mark: str, sentence: str
) -> None:
    message = message_of(notice(occasion=occasion, alerts=(view(**more),)), ENGLISH)
    assert message.subject.startswith(f"[{mark}] ")
    assert sentence in message.body


def test_a_group_says_how_many_what_they_share_and_each_of_them() -> None:
    other = view(id="ffff", device_name="Salle 2", severity=Severity.WARNING)
    message = message_of(notice(alerts=(view(), other), group="site=elgazala", omitted=12), ENGLISH)
    assert message.subject == "[CRITICAL] 14 alerts: site=elgazala"
    assert "Server room too hot: Salle 2" in message.body
    assert "https://passerelle.example/#/alerts/ffff" in message.body
    assert "And 12 more" in message.body


def test_what_is_usual_is_said_with_how_far_off_it_may_be() -> None:
    facts = FACTS["seasonal"] | {"value": 401.25}
    body = message_of(notice(alerts=(view(facts=facts, value=401.25, unit="W"),)), ENGLISH).body
    assert "Active power: 401.2\u202fW\nUsual: 250\u202fW\nAllowed off: ± 80\u202fW" in body


def test_an_alarm_of_the_platform_itself_is_of_no_device_and_has_no_plot() -> None:
    facts = {"worker": "w-1", "silent_s": 45.0}
    alarm = view(
        rule="platform.deaf", subject=Subject("", device="w-1"), facts=facts, value=None,
        site_name="", device_name="", evidence=(),
    )  # fmt: skip
    body = message_of(notice(alerts=(alarm,)), ENGLISH).body
    assert "About: w-1" in body
    assert "Nothing came for: 45\u202fs\nWorker: w-1" in body
    for word in ("Device:", "Site:", "Plot:"):
        assert word not in body


def test_a_channel_that_is_down_is_named_with_its_error() -> None:
    alarm = view(rule="platform.channel_down", subject=Subject("", device="nurse-sms"), facts={})
    made = notice(
        occasion=Occasion.CHANNEL_DOWN,
        alerts=(alarm,),
        facts={"channel": "nurse-sms", "error": "HTTP 503"},
    )
    message = message_of(made, ENGLISH)
    assert message.subject == "[CHANNEL DOWN] nurse-sms"
    assert "The channel nurse-sms cannot be reached." in message.body
    assert "Error: HTTP 503" in message.body
    assert short_of(made, Wording(("en",))) == "CHANNEL DOWN: nurse-sms #89abcdef"


def test_a_test_says_that_nothing_is_the_matter_and_who_asked_for_it() -> None:
    made = notice(occasion=Occasion.TEST, alerts=(), facts={"channel": "sms", "by": "n.ba"})
    message = message_of(made, ENGLISH)
    assert message.subject == "[TEST] sms"
    assert "Nothing is the matter.\nAsked for by: n.ba" in message.body


def test_an_early_warning_score_comes_with_its_parts_what_is_missing_and_whose_it_is() -> None:
    body = message_of(notice(alerts=(patient(),)), ENGLISH).body
    for part in (
        "Person: p-017",
        "NEWS2 score: 7",
        "- Heart rate: 2",
        "- Respiratory rate: 3",
        "Missing inputs: Supplemental oxygen, Body temperature",
        "advice for somebody who knows the patient",
        "Royal College of Physicians",
    ):
        assert part in body


@pytest.mark.parametrize("wording", [ENGLISH, FRENCH])
def test_values_of_persons_are_not_told_where_they_are_to_be_hidden(wording: Wording) -> None:
    vital = view(
        subject=Subject("diamniadio", device="dia-vit-01"),
        facts={"quantity": "heart_rate", "unit": "/min", "value": 127.0, "above": 120.0},
        value=127.0,
        unit="/min",
    )
    for alert in (patient(), vital):
        for alerts in ((alert,), (alert, view())):
            hidden = veiled(notice(alerts=alerts))
            message = message_of(hidden, wording)
            text = f"{message.subject} {message.body} {short_of(hidden, wording)}"
            assert "127" not in text
            assert re.search(r"NEWS2[^:]*: ?7", text) is None
            assert say("told.hidden", wording.languages[0]) in text
            assert "#/alerts/" in text
    assert "Royal College" in message_of(veiled(notice(alerts=(patient(),))), wording).body
    assert veiled(notice()) == notice()


def test_a_channel_says_whether_it_may_tell_values_of_persons() -> None:
    made = notice(alerts=(patient(),))
    assert told(spec("c", url="json://h", health="shown"), made) == made
    assert told(spec("c", url="json://h"), made) == veiled(made)


def test_nothing_that_came_from_outside_steers_the_message() -> None:
    hostile = view(
        device_name="room\r\nBcc: everybody@example.org",
        site_name="a\nb\x1b[2J",
        facts={"words": "line\nbreak {at} {0} %s"},
    )
    message = message_of(notice(alerts=(hostile,)), ENGLISH)
    assert "\r" not in message.subject + message.body
    assert "\x1b" not in message.body
    assert not any(line.startswith("Bcc:") for line in message.body.split("\n"))
    assert "line break {at} {0} %s" in message.body


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (28.0, "28", "28"),
        (29.4, "29.4", "29,4"),
        (3.14159, "3.14", "3,14"),
        (0.0312, "0.031", "0,031"),
        (12345.678, "12,346", "12\u202f346"),
        (-5.5, "-5.5", "-5,5"),
        (0.0, "0", "0"),
        (-0.0001, "0", "0"),
        (1013.25, "1,013.2", "1\u202f013,2"),
    ],
)
def test_numbers_are_written_as_people_of_the_language_write_them(
    value: float, english: str, french: str
) -> None:
    assert (number(value, "en"), number(value, "fr")) == (english, french)


def test_a_value_just_beyond_its_limit_does_not_look_like_the_limit() -> None:
    assert number(28.003, "en") == "28.0"
    assert number(28.003, "en", apart_from=28.0) == "28.003"
    body = message_of(notice(alerts=(view(value=28.04, facts={"above": 28.0}),)), ENGLISH).body
    assert "Value: 28.04" in body


@given(st.floats(-1e12, 1e12), st.sampled_from(["en", "fr"]))
def test_a_number_is_near_to_what_it_stands_for(value: float, language: str) -> None:
    text = number(value, language)
    plain = text.replace("\u202f", "").replace(",", "." if language == "fr" else "")
    assert abs(float(plain) - value) <= max(0.5 * 1e-3, abs(value) * 0.006, 0.5 * (value > 1e4))


@pytest.mark.parametrize("unit", sorted({one.unit for one in CATALOGUE.values()}))
def test_every_unit_of_the_catalogue_can_be_read(unit: str) -> None:
    for language in ("en", "fr"):
        text = quantity_text(3.0, unit, language)
        assert not set(text) & set("[]{}"), text


@pytest.mark.parametrize(
    ("seconds", "english", "french"),
    [
        (0, "0 s", "0 s"),
        (59.6, "1 min", "1 min"),
        (742, "12 min 22 s", "12 min 22 s"),
        (3600, "1 h", "1 h"),
        (90_061, "1 d 1 h", "1 j 1 h"),
    ],
)
def test_durations_have_two_parts_at_most(seconds: float, english: str, french: str) -> None:
    found = tuple(duration(seconds, one).replace("\u202f", " ") for one in ("en", "fr"))
    assert found == (english, french)


def test_times_are_those_of_the_zone_by_the_clock_on_the_wall() -> None:
    assert moment(AT_NS, "Africa/Dakar", "en") == "23 Nov 2026 10:00:00 (Africa/Dakar)"
    assert moment(AT_NS, "", "fr") == "23 nov. 2026 10:00:00 (UTC)"
    summer = 1_782_864_000 * NS_PER_S
    assert moment(summer, "Europe/Paris", "fr") == "1 juil. 2026 02:00:00 (Europe/Paris)"
    dakar = message_of(notice(), Wording(("en",), zone="Africa/Dakar")).body
    assert "since 23 Nov 2026 10:00:00 (Africa/Dakar)" in dakar


def test_the_short_form_says_it_in_one_line_with_a_link_where_there_is_room() -> None:
    assert short_of(notice(), FRENCH) == (
        "CRITIQUE: Salle serveur trop chaude, elgazala/elg-env-004, 29,4 C, 23/11 11:00 "
        "https://passerelle.example/#/alerts/a1b2c3d4 #89abcdef"
    )
    silent = notice(alerts=(view(value=None, facts={"silent_s": 742.0}),))
    assert ", 12 min 22 s, 23/11 11:00" in short_of(silent, FRENCH)


_GSM = "@£$¥èéùìòÇØøÅå_ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüà" + string.ascii_letters


@given(st.text(max_size=300), st.text(max_size=300), st.integers(0, 2000))
def test_the_short_form_is_one_text_message_whatever_things_are_called(
    title: str, group: str, omitted: int
) -> None:
    shown = view(title={"en": title, "fr": title})
    for made in (notice(alerts=(shown,)), notice(alerts=(shown,), group=group, omitted=omitted)):
        text = short_of(made, FRENCH)
        assert len(text) <= LONGEST
        assert set(text) <= set(_GSM) | set("ΔΦΓΛΩΠΨΣΘΞ")
        assert text.endswith("#89abcdef")


def test_letters_that_a_text_message_has_not_lose_their_accents() -> None:
    assert gsm("Température élevée à l\u2019étage, 29,4\u202f°C, œuvre, façade") == (
        "Température élevée à l'étage, 29,4 C, oeuvre, facade"
    )


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str | None] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def read_html(made: Notice) -> Reader:
    reader = Reader()
    reader.feed(html_of(message_of(made, FRENCH)))
    return reader


def test_the_html_has_the_same_words_and_links_that_can_be_followed() -> None:
    found = read_html(notice())
    assert found.links == [
        "https://passerelle.example/#/alerts/a1b2c3d4",
        (
            "https://passerelle.example/#site=elgazala&device=elg-env-004"
            "&quantity=air_temperature&range=24h"
        ),
    ]
    squeezed = "".join(message_of(notice(), FRENCH).body.split())
    assert "".join(found.text.split()) == squeezed


def test_markup_in_a_name_is_only_text() -> None:
    found = read_html(notice(alerts=(view(device_name='<script>alert("x")</script>'),)))
    assert found.tags == {"p", "br", "a"}
    assert '<script>alert("x")</script>' in found.text
    assert html_of(Message("", 'http://h/"onclick="x')).count('href="http://h/"') == 1
