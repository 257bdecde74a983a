"""Channels of the policy file: what can be said, what is wrong, and what is never shown."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.deliver.spec import ChannelKind, Health, Language, read_channel
from alerts.rules.reading import RuleProblem

PATH = ("channels", "c")
ENVIRON = {
    "SMTP_PASSWORD": "p@ss/word é",
    "SMS_URL": "twilio://sid:token-of-twilio@15551234567/15557654321",
    "HOOK_SECRET": "0123456789abcdef",
    "SHORT": "abc",
}
MAIL = "mailto://user:${SMTP_PASSWORD}@mail.example?to=ward@example"


def read(**said: Any) -> Any:
    return read_channel("c", said, PATH, environ=ENVIRON)


def test_what_is_not_said_has_a_default() -> None:
    spec = read(url=MAIL)
    assert (spec.kind, spec.language, spec.short) == (ChannelKind.APPRISE, Language.BOTH, False)
    assert (spec.timeout_s, spec.per_hour, spec.zone) == (15, None, "")
    assert (spec.give_up_ns, spec.health) == (24 * 3600 * 10**9, Health.HIDDEN)
    assert spec.languages == ("fr", "en")


def test_everything_can_be_said() -> None:
    spec = read(
        webhook="https://ops.example/hook",
        secret="${HOOK_SECRET}",
        language="en",
        short=True,
        timeout="3s",
        per_hour=30,
        give_up="2h",
        zone="Africa/Dakar",
        health="shown",
    )
    assert spec.secret.get_secret_value() == "0123456789abcdef"
    assert (spec.kind, spec.languages, spec.short) == (ChannelKind.WEBHOOK, ("en",), True)
    assert (spec.timeout_s, spec.per_hour, spec.give_up_ns) == (3.0, 30, 7200 * 10**9)
    assert (spec.zone, spec.health) == ("Africa/Dakar", Health.SHOWN)


def test_a_password_may_hold_any_character_and_a_whole_address_is_taken_as_it_is() -> None:
    mail = read(url=MAIL).address.get_secret_value()
    assert mail == "mailto://user:p%40ss%2Fword%20%C3%A9@mail.example?to=ward@example"
    assert read(url="${SMS_URL}").address.get_secret_value() == ENVIRON["SMS_URL"]


@pytest.mark.parametrize(
    ("said", "where", "what"),
    [
        ({}, PATH, "one of them"),
        ({"url": MAIL, "mqtt": "a/{site}"}, PATH, "one of them"),
        ({"url": "${NO_SUCH}"}, (*PATH, "url"), "environment variable NO_SUCH is not set"),
        ({"url": "a://${no such}"}, (*PATH, "url"), "no name of an environment variable"),
        ({"url": "ward@example"}, (*PATH, "url"), "an address of Apprise"),
        ({"url": MAIL, "secret": "x" * 20}, (*PATH, "secret"), "only a webhook is signed"),
        ({"webhook": "https://h/"}, PATH, "secret is missing"),
        ({"webhook": "https://h/", "secret": "${SHORT}"}, (*PATH, "secret"), "at least 16"),
        ({"webhook": "ftp://h/", "secret": "x" * 20}, (*PATH, "webhook"), "https://host/path"),
        ({"webhook": "https://", "secret": "x" * 20}, (*PATH, "webhook"), "https://host/path"),
        ({"webhook": "http://u:p@h/", "secret": "x" * 20}, (*PATH, "webhook"), "name and password"),
        ({"mqtt": "passerelle/alerts"}, (*PATH, "mqtt"), "one level"),
        ({"mqtt": "passerelle/{site}/#"}, (*PATH, "mqtt"), "no +, no #"),
        ({"mqtt": "a/{site}/{device}"}, (*PATH, "mqtt"), "all that is filled"),
        ({"url": MAIL, "language": "ar"}, (*PATH, "language"), "'ar' is not known"),
        ({"url": MAIL, "timeout": "1h"}, (*PATH, "timeout"), "at most 2m"),
        ({"url": MAIL, "per_hour": 0}, (*PATH, "per_hour"), "a whole number from 1"),
        ({"url": MAIL, "give_up": "1s"}, (*PATH, "give_up"), "between 60s"),
        ({"url": MAIL, "zone": "Africa/Atlantis"}, (*PATH, "zone"), "no time zone"),
        ({"url": MAIL, "zone": "../etc/passwd"}, (*PATH, "zone"), "no time zone"),
        ({"url": MAIL, "health": "some"}, (*PATH, "health"), "'some' is not known"),
        ({"url": MAIL, "colour": "red"}, (*PATH, "colour"), "unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    said: dict[str, Any], where: tuple[str, ...], what: str
) -> None:
    with pytest.raises(RuleProblem) as told:
        read(**said)
    assert told.value.path == where
    assert what in told.value.detail


def test_a_channel_has_a_name_that_can_be_written_anywhere() -> None:
    with pytest.raises(RuleProblem, match="Ward Mail"):
        read_channel("Ward Mail", {"url": MAIL}, PATH, environ=ENVIRON)


@pytest.mark.parametrize(
    ("said", "masked", "secret"),
    [
        ({"url": MAIL}, "mailto://***", "p@ss/word é"),
        ({"url": MAIL}, "mailto://***", "p%40ss%2Fword%20%C3%A9"),
        ({"url": "${SMS_URL}"}, "twilio://***", "token-of-twilio"),
        ({"url": "slack://T123/B456/written-out-token"}, "slack://***", "written-out-token"),
        (
            {"webhook": "https://ops.example:8443/t/${HOOK_SECRET}", "secret": "${HOOK_SECRET}"},
            "https://ops.example:8443/***",
            "0123456789abcdef",
        ),
    ],
)
def test_secrets_are_seen_neither_in_what_is_shown_nor_in_what_receivers_answer(
    said: dict[str, Any], masked: str, secret: str
) -> None:
    spec = read(**said)
    assert spec.masked == masked
    address = spec.address.get_secret_value()
    told = f"cannot reach {address}, {address!r}, tried {secret} and {secret!r}"
    assert secret not in f"{spec!r} {spec} {spec.masked} {spec.scrubbed(told)}"


def test_a_topic_is_no_secret() -> None:
    assert read(mqtt="passerelle/v1/{site}/alerts").masked == "passerelle/v1/{site}/alerts"


def test_an_error_never_holds_what_was_filled_in() -> None:
    with pytest.raises(RuleProblem) as told:
        read(webhook="${SMTP_PASSWORD}", secret="${HOOK_SECRET}")
    assert "p@ss" not in f"{told.value} {told.value.detail}"
