"""Rules from YAML: what is read, and the exact place of what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.model import AlarmClass, Severity
from alerts.rules.model import Per, Threshold, TimeOfDay
from alerts.rules.source import load_rules, parse_rule
from core.errors import RuleError
from tests.unit.alerts.rules import TITLE, rule

HEAD = f"rule: r\n{TITLE}"


def test_limits_are_in_the_canonical_unit_of_their_quantity() -> None:
    found = rule("{threshold: {quantity: air_temperature, above: 82.4 °F, margin: 9 °F}}").when
    assert isinstance(found, Threshold)
    assert found.above == pytest.approx(28)
    assert found.margin == pytest.approx(5)


def test_a_rule_has_defaults_that_a_person_would_expect() -> None:
    found = rule("{absence: {}}")
    assert found.severity is Severity.WARNING
    assert found.alarm_class is AlarmClass.NO_DATA
    assert found.per is Per.DEVICE
    assert (found.for_ns, found.lateness_ns) == (0, 600 * 10**9)


def test_days_and_times_are_read() -> None:
    found = rule("{time_of_day: {from: '22:00', to: '06:00', days: [fri, sat]}}").when
    assert found == TimeOfDay(1320, 360, frozenset((4, 5)))


@pytest.mark.parametrize(
    ("when", "place", "what"),
    [
        ("{treshold: {}}", "3: when.treshold", "did you mean threshold?"),
        ("{threshold: {quantity: air_temprature, above: 3}}", "3: when.threshold.quantity",
         "air_temperature"),
        ("{threshold: {quantity: air_temperature}}", "3: when.threshold", "above or below"),
        ("{threshold: {quantity: air_temperature, above: 3 kg}}", "3: when.threshold.above",
         "Cel"),
        ("{threshold: {quantity: air_temperature, above: hot}}", "3: when.threshold.above",
         "20 Cel"),
        ("{threshold: {quantity: air_temperature, above: 3, below: 5}}",
         "3: when.threshold.below", "not less"),
        ("{threshold: {quantity: air_temperature, above: 3, below: 1, margin: 2}}",
         "3: when.threshold.margin", "never clear"),
        ("{threshold: {quantity: air_temperature, abov: 3}}", "3: when.threshold.abov",
         "did you mean above?"),
        ("{rate: {quantity: air_temperature, over: 5, above: 3}}", "3: when.rate.over", "90s"),
        ("{absence: {after: 5m, intervals: 2}}", "3: when.absence.intervals", "one of the two"),
        ("{time_of_day: {from: '25:00', to: '06:00'}}", "3: when.time_of_day.from", "22:30"),
        ("{time_of_day: {from: '05:00', to: '06:00', days: [fry]}}",
         "3: when.time_of_day.days[0]", "did you mean fri?"),
        ("{all: []}", "3: when.all", "a list"),
        ("{any: [{not: {absense: {}}}]}", "3: when.any[0].not.absense", "did you mean absence?"),
        ("{completeness: {below: 0.9}}", "3: when.completeness.below", "95 %"),
        ("{completeness: {below: 90 %, over: 90m}}", "3: when.completeness.over", "whole hours"),
        ("{count: {of: {absence: {}}, at_least: 0}}", "3: when.count.at_least", "whole number"),
        ("{news2: {}}", "per", "per: person"),
        ("7", "3: when", "one kind of condition"),
        ("{absence: {}, all: []}", "3: when", "one kind of condition"),
        ("{" + "not: {" * 12 + "}" * 13, "3: when", "deep"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_condition_is_told_with_its_place(
    when: str, place: str, what: str
) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(f"{HEAD}when: {when}\n", origin="r.yaml")
    assert caught.value.detail.startswith("r.yaml:")
    assert place in caught.value.detail
    assert what in caught.value.detail


@pytest.mark.parametrize(
    ("source", "place", "what"),
    [
        ("rule: r\nwhen: {absence: {}}\n", "r.yaml:1: rule", "title is missing"),
        ("rule: R!\n" + TITLE + "when: {absence: {}}\n", "r.yaml:1: rule", "must be 1 to 64"),
        ("rule: r\ntitle: {en: X}\nwhen: {absence: {}}\n", "r.yaml:2: title", "fr is missing"),
        (HEAD + "when: {absence: {}}\nseverity: bad\n", "r.yaml:4: severity", "critical"),
        (HEAD + "when: {absence: {}}\nfor: 5\n", "r.yaml:4: for", "90s"),
        (HEAD + "when: {absence: {}}\nfor: 500d\n", "r.yaml:4: for", "400d"),
        (HEAD + "when: {absence: {}}\nselect: {sites: x}\n", "r.yaml:4: select.sites", "site"),
        (HEAD + "when: {absence: {}}\nignore_quality: lat\n", "r.yaml:4: ignore_quality", "late"),
        (HEAD + "when: {absence: {}}\nrule: r\n", "r.yaml:4: rule", "twice"),
        (HEAD + "when: &a {absence: {}}\nselect: *a\n", "r.yaml:4: select", "anchors"),
        (HEAD + "when: !!python/object:os.system {}\n", "r.yaml:3: when", "tag"),
        (HEAD + "when: [\n", "r.yaml:4", "not YAML"),
        ("- rule\n", "r.yaml:1", "mapping"),
        (HEAD + "when: {absence: {}}\noverrides:\n  - {device: d, set: {}, author: a}\n",
         "r.yaml:5: overrides[0]", "reason is missing"),
        (HEAD + "when: {absence: {}}\noverrides:\n  - {device: d, person: p, set: {}, author: a, "
         "reason: b, expires: 2027-01-01}\n", "r.yaml:5: overrides[0]", "one of the two"),
        (HEAD + "when: {absence: {}}\noverrides:\n  - {device: d, set: {absence: {aftr: 5m}}, "
         "author: a, reason: b, expires: 2027-01-01}\n",
         "r.yaml:5: overrides[0].set.absence.aftr", "did you mean after?"),
        (HEAD + "when: {absence: {}}\noverrides:\n  - {device: d, set: {}, author: a, reason: b, "
         "expires: tomorrow}\n", "r.yaml:5: overrides[0].expires", "2027-01-31"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_rule_is_told_with_its_place(source: str, place: str, what: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rule(source, origin="r.yaml")
    assert caught.value.detail.startswith(place)
    assert what in caught.value.detail


def test_an_override_changes_only_what_it_names() -> None:
    found = rule(
        "{threshold: {quantity: air_temperature, above: 28, margin: 2}}",
        "overrides:",
        "  - {device: d, set: {threshold: {above: 31}}, author: a, reason: b, expires: 2027-01-01}",
    ).overrides[0]
    assert found.when == Threshold("air_temperature", above=31, margin=2)
    assert found.expires_ns == 1_798_761_600 * 10**9


def test_a_folder_of_rules_is_read_and_two_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(f"rule: {name}\n{TITLE}when: {{absence: {{}}}}\n")
    assert [one.name for one in load_rules(tmp_path)] == ["a", "b"]
    (tmp_path / "c.yaml").write_text(f"rule: a\n{TITLE}when: {{absence: {{}}}}\n")
    with pytest.raises(RuleError, match="already"):
        load_rules(tmp_path)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="cannot be read"):
        load_rules(tmp_path / "none.yaml")
    with pytest.raises(RuleError, match="no rule"):
        load_rules(tmp_path)
