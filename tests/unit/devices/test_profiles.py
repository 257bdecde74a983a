"""Profiles: an error names file, line and field, and rules do what they say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from core.errors import ConfigurationError, ProfileError
from core.message import Decoded, DecodeError, RawMessage
from core.reasons import Reason
from devices.decoder import Decoder, Limits, load_profiles, shipped_profiles
from devices.profile_files import parse_profile
from devices.registry.records import Binding, ProfileVersion

HEAD = """\
name: mine
version: 1
description: {en: x, fr: x}
format: tasmota
topics:
  - {template: "{site}/mine/{device}", kind: telemetry, reader: document}
"""
HEAD_LINES = HEAD.count("\n")


def decoded(rules: str, payload: object, *, zone: str = "Africa/Tunis") -> Decoded:
    source = HEAD + rules
    digest = hashlib.sha256(source.encode()).hexdigest()
    decoder = Decoder(
        profiles=[ProfileVersion("mine", 1, source, digest)],
        bindings=[Binding("{site}/mine/{device}", "mine", "telemetry")],
        sites={"s": ZoneInfo(zone)},
        limits=Limits(10_000, 32, 100),
    )
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return decoder.decode(RawMessage("s/mine/d", raw, 1_795_413_600_000_000_000))


def values(rules: str, payload: object) -> dict[str, float | bool | str]:
    return {sample.quantity: sample.value for sample in decoded(rules, payload).samples}


def reasons(rules: str, payload: object) -> list[str]:
    return [str(defect.reason) for defect in decoded(rules, payload).defects]


@pytest.mark.parametrize(
    ("source", "line", "what"),
    [
        (HEAD + "rules:\n  - {path: [a], qantity: voltage}\n", 8, "did you mean quantity"),
        (HEAD + "rules:\n  - {path: [a], quantity: voltge}\n", 8, "did you mean voltage"),
        (HEAD + "rules:\n  - path: [a]\n    quantity: voltage\n    unit: furlong\n", 10, "unit"),
        (
            HEAD + "rules:\n  - path: [a]\n    quantity: voltage\n    unit: kg\n",
            10,
            "measured in V",
        ),
        (HEAD + "rules:\n  - path: []\n    quantity: voltage\n", 8, "length >= 1"),
        (HEAD + "rules:\n  - path: [a]\n    quantity: voltage\n    scale: big\n", 10, "float"),
        (HEAD + "rules:\n  - path: [a]\n    quantity: voltage\n    scale: 0\n", 10, "scale not 0"),
        (HEAD + "rules:\n  - {path: [a], quantity: voltage, range: [2, 1]}\n", 8, "comes first"),
        (
            HEAD + "rules:\n  - {path: [a], quantity: voltage, unit: V, unit_from: {path: [u]}}\n",
            8,
            "not both",
        ),
        (
            HEAD
            + "rules:\n  - {path: [a], quantity: voltage, for_each: {combine: weighted_mean}}\n",
            8,
            "needs it",
        ),
        (HEAD + "time: {path: [t], format: iso8601, zone: Mars/Base}\n", 7, "IANA"),
        (HEAD + "time: {path: [t], format: epoch_s, zone: site}\n", 7, "iso8601"),
        (HEAD + "time: {path: [t], format: [epoch_s, epoch_ms]}\n", 7, "one epoch format"),
        (HEAD + "colour: red\n", 7, "unknown key"),
        (HEAD + "name: again\n", 7, "comes twice"),
        (HEAD + "dedupe_window_s: -1\n", 7, ">= 0"),
        (HEAD.replace("tasmota", "tasmoto"), 4, "did you mean tasmota"),
        (HEAD.replace("document", "documents"), 6, "did you mean document"),
        (HEAD.replace("{device}", "{devise}"), 6, "neither literal"),
        (HEAD.replace("telemetry", "telemtry"), 6, "telemtry"),
        (HEAD.replace("version: 1", "version: 0"), 2, ">= 1"),
        (HEAD.replace("fr: x", "de: x"), 3, "unknown key"),
        (HEAD.replace("name: mine", "name: &a mine"), 1, ""),
        (HEAD + "ignore: [[a\n", 8, "not YAML"),
        (HEAD + "x: !!python/object:os.system {}\n", 7, "tag"),
        ("a: &b [1]\nc: *b\n", 2, "anchors"),
        ("a: &b [*b]\n", 1, ""),
        ("- a\n", 1, "mapping"),
        ("", 1, "mapping"),
    ],
)
def test_an_error_names_file_line_and_field(source: str, line: int, what: str) -> None:
    if source == HEAD.replace("name: mine", "name: &a mine"):
        assert parse_profile(source, origin="f.yaml").name == "mine"  # an anchor nobody uses
        return
    with pytest.raises(ProfileError) as failure:
        parse_profile(source, origin="dir/f.yaml")
    assert failure.value.detail.startswith(f"dir/f.yaml:{line}: ")
    assert what in failure.value.detail


def test_rules_do_not_belong_to_every_format() -> None:
    source = HEAD.replace("tasmota", "passerelle").replace("document", "json")
    with pytest.raises(ProfileError, match="names its quantities itself"):
        parse_profile(source + "rules:\n  - {path: [a], quantity: voltage}\n", origin="f")


def test_a_directory_of_profiles_is_loaded_with_its_bindings(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(HEAD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("not a profile", encoding="utf-8")
    versions, bindings = load_profiles(tmp_path)
    assert [(v.name, v.version, v.source) for v in versions] == [("mine", 1, HEAD)]
    assert versions[0].sha256 == hashlib.sha256(HEAD.encode()).hexdigest()
    assert bindings == [Binding("{site}/mine/{device}", "mine", "telemetry")]


def test_two_files_with_one_name_are_an_error(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(HEAD, encoding="utf-8")
    with pytest.raises(ProfileError, match=r"b\.yaml.*a\.yaml already"):
        load_profiles(tmp_path)


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a directory"):
        load_profiles(tmp_path / "none")


def test_the_shipped_profiles_are_described_in_both_languages() -> None:
    for version in shipped_profiles():
        profile = parse_profile(version.source, origin=version.name)
        assert profile.description.en != profile.description.fr


def test_keys_may_hold_colons_and_dots() -> None:
    rules = 'rules:\n  - {path: ["switch:0", "a.b", 1], quantity: voltage}\n'
    assert values(rules, {"switch:0": {"a.b": [1, 230]}}) == {"voltage": 230.0}


def test_scale_offset_and_unit_make_the_canonical_value() -> None:
    rules = "rules:\n  - {path: [t], quantity: air_temperature, unit: °F, scale: 0.1, offset: 2}\n"
    assert values(rules, {"t": 660}) == {"air_temperature": pytest.approx(20.0)}


def test_the_unit_beside_the_value_travels_with_it() -> None:
    rules = (
        "rules:\n  - {path: [t], quantity: air_temperature, unit_from: {path: [u], default: C}}\n"
    )
    assert [s.unit for s in decoded(rules, {"t": 1, "u": "F"}).samples] == ["F"]
    assert [s.unit for s in decoded(rules, {"t": 1}).samples] == ["C"]
    assert reasons(rules, {"t": 1, "u": 5}) == [Reason.UNKNOWN_UNIT]


def test_numbers_as_text_are_read_only_where_the_rule_says_so() -> None:
    strict = "rules:\n  - {path: [p], quantity: active_power}\n"
    lenient = "rules:\n  - {path: [p], quantity: active_power, type: number_text}\n"
    assert reasons(strict, {"p": "12.3"}) == [Reason.WRONG_TYPE]
    assert values(lenient, {"p": " 12.3 "}) == {"active_power": 12.3}
    for word in ("0x10", "1_000", "12,3", "١٢", "12.3 W"):
        assert reasons(lenient, {"p": word}) == [Reason.WRONG_TYPE]
    for word in ("nan", "Infinity", "unavailable"):
        assert reasons(lenient, {"p": word}) == [Reason.NOT_A_NUMBER]


def test_words_are_mapped_and_others_cost_the_field() -> None:
    rules = (
        "rules:\n  - {path: [s], quantity: relay_state, enum_map: {ON: 1, OFF: 0, IDLE: null}}\n"
    )
    assert values(rules, {"s": "ON"}) == {"relay_state": 1.0}
    assert values(rules, {"s": "IDLE"}) == {}
    assert reasons(rules, {"s": "BLINK"}) == [Reason.WRONG_TYPE]


def test_sentinels_and_null_are_absent() -> None:
    rules = "rules:\n  - {path: [t], quantity: air_temperature, null_values: [85, -127, err]}\n"
    for sentinel in (85, 85.0, -127, "err", None):
        found = decoded(rules, {"t": sentinel})
        assert (found.samples, found.defects) == ((), ())


def test_the_range_of_a_rule_costs_the_field() -> None:
    rules = "rules:\n  - {path: [t], quantity: air_temperature, range: [0, 50]}\n"
    assert values(rules, {"t": 50}) == {"air_temperature": 50.0}
    assert reasons(rules, {"t": 51}) == [Reason.OUT_OF_RANGE]


@pytest.mark.parametrize(
    ("combine", "expected"),
    [("sum", 57.0), ("mean", 28.5), ("minimum", 5.0), ("maximum", 52.0), ("first", 52.0)],
)
def test_values_of_phases_make_one(combine: str, expected: float) -> None:
    rules = f"rules:\n  - {{path: [p], quantity: active_power, for_each: {{combine: {combine}}}}}\n"
    assert values(rules, {"p": [52, 5]}) == {"active_power": expected}
    assert values(rules, {"p": {"a": 52, "b": 5, "c": None}}) == {"active_power": expected}
    assert values(rules, {"p": 7}) == {"active_power": 7.0}
    assert values(rules, {"p": []}) == {}
    assert reasons(rules, {"p": [1, "x"]}) == [Reason.WRONG_TYPE]


def test_a_list_where_one_value_is_expected_costs_the_field() -> None:
    assert reasons("rules:\n  - {path: [p], quantity: active_power}\n", {"p": [1, 2]}) == [
        Reason.WRONG_TYPE
    ]


def test_factors_are_weighted() -> None:
    rules = (
        "rules:\n  - path: [f]\n    quantity: power_factor\n"
        "    for_each: {combine: weighted_mean, weight: [s]}\n"
    )
    assert values(rules, {"f": [0.8, 0.5], "s": [100, 50]}) == {"power_factor": pytest.approx(0.7)}
    assert values(rules, {"f": [0, 0], "s": [0, 0]}) == {}
    assert reasons(rules, {"f": [0.8, 0.5], "s": [100]}) == [Reason.WRONG_TYPE]
    assert reasons(rules, {"f": [0.8, 0.5]}) == [Reason.WRONG_TYPE]


def test_the_first_rule_that_finds_a_quantity_gives_it() -> None:
    rules = "rules:\n  - {path: [good], quantity: voltage}\n  - {path: [poor], quantity: voltage}\n"
    assert values(rules, {"poor": 1, "good": 2}) == {"voltage": 2.0}
    assert values(rules, {"poor": 1, "good": None}) == {"voltage": 1.0}


def test_conditions_tell_one_meaning_of_a_key_from_another() -> None:
    rules = (
        "rules:\n  - {path: [v], quantity: voltage, unit: V, unless: [battery]}\n"
        "  - {path: [v], quantity: battery_voltage, unit: mV, requires: [battery]}\n"
    )
    assert values(rules, {"v": 230}) == {"voltage": 230.0}
    assert values(rules, {"v": 2985, "battery": 90}) == {"battery_voltage": pytest.approx(2.985)}


def test_any_key_stands_for_those_that_no_rule_names() -> None:
    rules = (
        'rules:\n  - {path: ["*", T], quantity: air_temperature}\n'
        "  - {path: [CHIP, T], quantity: device_temperature}\n"
    )
    assert values(rules, {"CHIP": {"T": 40}, "SHT3X": {"T": 20}}) == {
        "device_temperature": 40.0,
        "air_temperature": 20.0,
    }


def test_a_rule_may_have_an_instant_of_its_own() -> None:
    rules = (
        "time: {path: [t], format: epoch_ms}\n"
        "rules:\n  - {path: [a], quantity: voltage}\n"
        "  - {path: [b], quantity: current, time: {path: [u], format: iso8601, zone: site}}\n"
    )
    found = decoded(rules, {"t": 1_000, "a": 1, "b": 2, "u": "1970-01-01T01:00:02"})
    assert [s.time_ns for s in found.samples] == [1_000_000_000, 2_000_000_000]


def test_an_instant_that_cannot_be_read_is_told_once() -> None:
    rules = (
        "time: {path: [t], format: iso8601}\nrules:\n  - {path: [a], quantity: voltage}\n"
        "  - {path: [b], quantity: current}\n"
    )
    found = decoded(rules, {"t": "1970-01-01T01:00:02", "a": 1, "b": 2})
    assert [s.time_ns for s in found.samples] == [None, None]
    assert [defect.reason for defect in found.defects] == [Reason.DEVICE_CLOCK]


def test_a_message_of_unknown_fields_is_told_apart() -> None:
    rules = "rules:\n  - {path: [a], quantity: voltage}\nignore:\n  - [button]\n"
    assert values(rules, {"button": "single"}) == {}
    with pytest.raises(DecodeError, match="knows none of the fields: x, y") as failure:
        decoded(rules, {"x": 1, "y": 2})
    assert failure.value.code == Reason.NO_READING


def test_the_example_of_the_guide_is_a_profile() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "profiles.md").read_text("utf-8")
    example = guide.split("```yaml\n")[1].partition("```")[0]
    assert parse_profile(example, origin="docs/profiles.md").name == "boiler-room"
