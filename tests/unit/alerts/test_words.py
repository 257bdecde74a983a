from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from alerts.rules.conditions import KINDS, condition
from alerts.rules.looks_at import Limit, about_health, limits_of, quantities_of
from alerts.rules.model import Condition
from alerts.rules.words import Language, duration_in_words, in_words
from core.clock import NS_PER_S
from tests.unit.alerts.rules import rule

DOCUMENT = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
LANGUAGES = get_args(Language)


def read(text: str) -> Condition:
    return condition(yaml.safe_load(text), ())


def documented() -> dict[str, str]:
    """Return an example of every kind of condition, from the document."""
    found = {}
    for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL):
        said = yaml.safe_load(block)
        if "rule" not in said:
            found[next(iter(said))] = block
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_condition_can_be_said(kind: str, language: Language) -> None:
    threshold = "{threshold: {quantity: air_temperature, above: 28}}"
    example = documented().get(kind)
    if example is None:
        example = {
            "any": f"any: [{threshold}]",
            "not": f"not: {threshold}",
            "time_of_day": 'time_of_day: {from: "22:00", to: "05:00"}',
            "recently": f"recently: {{when: {threshold}, within: 5m}}",
        }[kind]
    said = in_words(read(example), language)
    assert said
    assert "None" not in said


@pytest.mark.parametrize(
    ("text", "english", "french"),
    [
        (
            "threshold: {quantity: air_temperature, above: 28.5, below: 5, margin: 1}",
            "air temperature above 28.5 °C or below 5 °C, until it is back inside by 1 °C",
            (
                "température de l'air au-dessus de 28,5 °C ou en dessous de 5 °C, jusqu'au retour "
                "à l'intérieur d'au moins 1 °C"
            ),
        ),
        (
            "threshold: {quantity: air_temperature, below: 5, device: a}",
            "air temperature at a below 5 °C",
            "température de l'air sur a en dessous de 5 °C",
        ),
        (
            "rate: {quantity: water_level, over: 1h30m, below: -0.2 m}",
            "water level falling by more than 0.2 m within 1 h 30 min",
            "niveau d'eau en baisse de plus de 0,2 m en 1 h 30 min",
        ),
        (
            "seasonal: {quantity: air_temperature, minimum: 2, side: below}",
            (
                "air temperature more than 4 spreads below what is usual at this time of day, and "
                "by 2 °C at least"
            ),
            (
                "température de l'air à plus de 4 écarts en dessous de l'habituel à cette heure du "
                "jour, et d'au moins 2 °C"
            ),
        ),
        (
            "seasonal: {quantity: air_temperature, season: week}",
            "air temperature more than 4 spreads away from what is usual at this hour of the week",
            ("température de l'air à plus de 4 écarts de l'habituel à cette heure de la semaine"),
        ),
        ("absence: {after: 2d}", "nothing received for 2 d", "rien reçu pendant 2 j"),
        (
            'time_of_day: {from: "20:00", to: "06:00", days: [mon, fri]}',
            "between 20:00 and 06:00 (mon, fri)",
            "entre 20:00 et 06:00 (lun, ven)",
        ),
        (
            "count: {of: {threshold: {quantity: carbon_dioxide, above: 1200}}, at_least: 50 %}",
            "(carbon dioxide above 1200 ppm) for at least 50 % of the devices",
            "(dioxyde de carbone au-dessus de 1200 ppm) pour au moins 50 % des appareils",
        ),
    ],
)
def test_a_condition_is_said_in_both_languages(text: str, english: str, french: str) -> None:
    assert in_words(read(text), "en") == english
    assert in_words(read(text), "fr") == french


def test_a_duration_is_said_in_its_parts() -> None:
    assert duration_in_words(93_661 * NS_PER_S, "en") == "1 d 2 h 1 min 1 s"
    assert duration_in_words(NS_PER_S // 4, "fr") == "0,25 s"


def test_what_a_condition_looks_at_is_found_however_deep_it_stands() -> None:
    deep = read(
        "all: [{not: {recently: {when: {rate: {quantity: water_level, over: 1h, above: 1}}, "
        "within: 5m}}}, {any: [{battery: {within: 5d}}, {absence: {}}, {news2: {}}]}]"
    )
    assert quantities_of(deep) == {
        "water_level", "battery_level", "respiratory_rate", "oxygen_saturation",
        "systolic_blood_pressure", "heart_rate", "body_temperature",
        "supplemental_oxygen", "consciousness",
    }  # fmt: skip


def test_the_limits_of_a_condition_are_lines_with_those_at_which_it_clears() -> None:
    found = limits_of(
        read(
            "any: [{threshold: {quantity: air_temperature, above: 28, below: 5, margin: 1}}, "
            "{threshold: {quantity: dew_point, above: 20, device: a}}, {absence: {}}]"
        )
    )
    assert found == [
        Limit("air_temperature", "above", 28),
        Limit("air_temperature", "clear_above", 27),
        Limit("air_temperature", "below", 5),
        Limit("air_temperature", "clear_below", 6),
        Limit("dew_point", "above", 20, "a"),
    ]


HEALTH = "threshold: {quantity: heart_rate, above: 130}"
WARM = "threshold: {quantity: air_temperature, above: 28}"
OVERRIDE = f"""\
overrides:
- {{device: a, when: {{{HEALTH}}}, author: a, reason: b, expires: 2027-01-01}}"""


@pytest.mark.parametrize(
    ("when", "more"),
    [
        (HEALTH, ""),
        (f"not: {{recently: {{when: {{{HEALTH}}}, within: 5m}}}}", ""),
        (WARM, "per: person"),
        (WARM, OVERRIDE),
    ],
)
def test_a_rule_is_about_health_when_it_looks_at_a_vital_sign_or_is_about_persons(
    when: str, more: str
) -> None:
    assert about_health(rule(f"{{{when}}}", more))


@pytest.mark.parametrize("when", [WARM, "absence: {}"])
def test_other_rules_are_not(when: str) -> None:
    assert not about_health(rule(f"{{{when}}}"))
