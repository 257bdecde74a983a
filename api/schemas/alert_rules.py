"""Alert rules: what they say, in words and as they are written, and who wants it why."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from alerts.rules.model import Condition, Override, Rule
from alerts.rules.words import duration_in_words, in_words
from api.parameters import UTC
from api.schemas import Schema
from api.schemas.alerts import LONGEST_TEXT
from api.times import in_zone
from devices.registry.alert_records import RuleState, RuleVersion
from devices.registry.rules import LONGEST_SOURCE


class Words(Schema):
    """The same in both languages."""

    en: str
    fr: str

    @classmethod
    def of(cls, condition: Condition) -> Words:
        """Return a condition in words."""
        return cls(en=in_words(condition, "en"), fr=in_words(condition, "fr"))


class OverrideAnswer(Schema):
    """Another condition for one device or person."""

    number: int = Field(description="Its place in the rule; 1 is the first.")
    device: str = Field(description="For which device, or empty.")
    person: str = Field(description="For which person (a pseudonym), or empty.")
    condition: Words
    author: str
    reason: str
    expires: str = Field(description="From when on it does not count any more.")

    @classmethod
    def of(cls, number: int, override: Override) -> OverrideAnswer:
        """Return what the API says of an override."""
        return cls(
            number=number,
            device=override.device,
            person=override.person,
            condition=Words.of(override.when),
            author=override.author,
            reason=override.reason,
            expires=in_zone(override.expires_ns, UTC),
        )


class RuleMeaning(Schema):
    """What a rule says."""

    title: dict[str, str] = Field(description="Language code -> text.")
    severity: str
    alarm_class: str = Field(alias="class")
    per: str = Field(description="What one alert is about: `series`, `device`, ..., `person`.")
    condition: Words
    for_: str = Field(alias="for", description="For how long it has to hold before it fires.")
    clear_for: str = Field(description="For how long it may not hold before it is over.")
    lateness: str = Field(description="How late a value may come and still be judged.")
    runbook: str
    health: bool = Field(description="True: about vital signs or persons; it needs health.")

    @classmethod
    def of(cls, rule: Rule, *, health: bool) -> RuleMeaning:
        """Return what a rule says."""
        return cls.model_validate(
            {
                "title": dict(rule.title),
                "severity": rule.severity.value,
                "class": rule.alarm_class.value,
                "per": rule.per.value,
                "condition": Words.of(rule.when),
                "for": duration_in_words(rule.for_ns, "en"),
                "clear_for": duration_in_words(rule.clear_for_ns, "en"),
                "lateness": duration_in_words(rule.lateness_ns, "en"),
                "runbook": rule.runbook,
                "health": health,
            }
        )


class RuleAnswer(Schema):
    """A version of a rule."""

    name: str
    version: int
    state: RuleState = Field(description="`active`, `disabled` or `deleted`, as of this version.")
    author: str = Field(description="Who wrote this version.")
    reason: str = Field(description="Why.")
    created: str = Field(description="When (RFC 3339, UTC).")
    meaning: RuleMeaning | None = Field(description="Null: it cannot be used; see `problem`.")
    problem: str | None = Field(description="Why it cannot be used, or null.")
    overrides: list[OverrideAnswer] = Field(
        description="Those about devices that the caller may know of; the last that fits counts."
    )
    source: str | None = Field(
        description="The YAML text; null: it names what is at sites that the caller may not see."
    )


class RulesAnswer(Schema):
    """The newest version of every rule, by name."""

    rules: list[RuleAnswer]


class RuleVersionAnswer(Schema):
    """One version of a rule, in short."""

    version: int
    state: RuleState
    author: str
    reason: str
    created: str
    source: str | None

    @classmethod
    def of(cls, version: RuleVersion, *, source: str | None) -> RuleVersionAnswer:
        """Return what the API says of a version."""
        return cls(
            version=version.version,
            state=RuleState(version.state),
            author=version.author,
            reason=version.reason,
            created=in_zone(version.created_ns, UTC),
            source=source,
        )


class RuleVersionsAnswer(Schema):
    """Every version of a rule, the newest first."""

    name: str
    versions: list[RuleVersionAnswer]


class RuleOrder(Schema):
    """A rule as it is to be."""

    source: str = Field(description="The YAML text.", min_length=1, max_length=LONGEST_SOURCE)
    reason: str = Field(description="Why.", min_length=1, max_length=LONGEST_TEXT)
    state: RuleState | None = Field(
        None,
        description="`active` or `disabled`; default: as the version before, a new rule is active.",
    )


class RuleDraft(Schema):
    """A rule to be looked at."""

    source: str = Field(description="The YAML text.", min_length=1, max_length=LONGEST_SOURCE)


class ReasonOrder(Schema):
    """Why something is changed."""

    reason: str = Field(description="Why; it is kept.", min_length=1, max_length=LONGEST_TEXT)


class OverrideOrder(Schema):
    """Another condition for one device or person, until a day."""

    device: str | None = Field(None, description="For which device.", max_length=64)
    person: str | None = Field(None, description="For which person.", max_length=64)
    set_: dict[str, Any] | None = Field(
        None, alias="set", description="What is different, as parts of `when`."
    )
    when: dict[str, Any] | None = Field(None, description="All of the condition, in its place.")
    reason: str = Field(description="Why; it is kept.", min_length=1, max_length=LONGEST_TEXT)
    expires: str = Field(
        description="A day, or an instant (RFC 3339), from which on it does not count.",
        min_length=1,
        max_length=64,
    )

    @model_validator(mode="after")
    def _one_of_each(self) -> OverrideOrder:
        if (self.device is None) == (self.person is None):
            raise ValueError("device or person says whose condition it is; one of the two")
        if (self.set_ is None) == (self.when is None):
            raise ValueError("set (parts of when) or when (all of it); one of the two")
        return self


class RuleCheck(Schema):
    """What a rule would look at, nothing is kept."""

    name: str
    meaning: RuleMeaning
    devices: int = Field(description="How many devices it would look at, at the caller's sites.")
    examples: list[str] = Field(description="Some of them.")
    subjects: int = Field(
        description="How many alerts it could raise at a time; per series: of the series that are "
        "there, of the first 2,000 devices."
    )
    warnings: list[str] = Field(description="What is likely not meant so.")


_SOURCE = """\
rule: server-room-hot
title: {en: Server room too hot, fr: Salle serveur trop chaude}
severity: critical
select: {site: elgazala, zone: server-*}
when: {threshold: {quantity: air_temperature, above: 28 Cel, margin: 1 Cel}}
for: 5m
runbook: Look at the cooling unit; call facilities.
overrides:
- device: elg-env-004
  set: {threshold: {above: 31 Cel}}
  author: n.ba
  reason: stands beside the oven
  expires: 2027-06-30
"""
MEANING_EXAMPLE: dict[str, Any] = {
    "title": {"en": "Server room too hot", "fr": "Salle serveur trop chaude"},
    "severity": "critical",
    "class": "measured",
    "per": "device",
    "condition": {
        "en": "air temperature above 28 °C, until it is back inside by 1 °C",
        "fr": "température de l'air au-dessus de 28 °C, jusqu'au retour à l'intérieur d'au moins "
        "1 °C",
    },
    "for": "5 min",
    "clear_for": "0 s",
    "lateness": "10 min",
    "runbook": "Look at the cooling unit; call facilities.",
    "health": False,
}
RULE_EXAMPLE: dict[str, Any] = {
    "name": "server-room-hot",
    "version": 3,
    "state": "active",
    "author": "Amina B.",
    "reason": "the new rack runs warmer",
    "created": "2026-11-23T08:00:00Z",
    "meaning": MEANING_EXAMPLE,
    "problem": None,
    "overrides": [
        {
            "number": 1,
            "device": "elg-env-004",
            "person": "",
            "condition": {
                "en": "air temperature above 31 °C, until it is back inside by 1 °C",
                "fr": "température de l'air au-dessus de 31 °C, jusqu'au retour à l'intérieur d'au "
                "moins 1 °C",
            },
            "author": "n.ba",
            "reason": "stands beside the oven",
            "expires": "2027-06-30T00:00:00Z",
        }
    ],
    "source": _SOURCE,
}
RULES_EXAMPLE = {"rules": [RULE_EXAMPLE]}
VERSIONS_EXAMPLE = {
    "name": "server-room-hot",
    "versions": [
        {
            "version": 3,
            "state": "active",
            "author": "Amina B.",
            "reason": "the new rack runs warmer",
            "created": "2026-11-23T08:00:00Z",
            "source": _SOURCE,
        }
    ],
}
RULE_ORDER_EXAMPLE = {"source": _SOURCE, "reason": "the new rack runs warmer"}
YAML_EXAMPLE = _SOURCE
REASON_EXAMPLE = {"reason": "the summer is over"}
OVERRIDE_EXAMPLE = {
    "device": "elg-env-004",
    "set": {"threshold": {"above": "31 Cel"}},
    "reason": "stands beside the oven",
    "expires": "2027-06-30",
}
CHECK_EXAMPLE = {
    "name": "server-room-hot",
    "meaning": MEANING_EXAMPLE,
    "devices": 2,
    "examples": ["elg-env-004", "elg-env-005"],
    "subjects": 2,
    "warnings": [],
}
