"""Passerelle's own format: both encodings say the same, and a bad field costs only itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.message import Decoded, DecodeError
from core.quantities import CATALOGUE
from core.reasons import Reason

Decode = Callable[[str, bytes | str], Decoded]

ROOT = Path(__file__).parents[3]
JSON = "passerelle/v1/elgazala/node-7/telemetry"
CBOR = f"{JSON}/cbor"

NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**40), 2**40)
VALUE = (
    NUMBER
    | st.booleans()
    | st.none()
    | st.text(max_size=8)
    | st.builds(lambda v, u: {"v": v, "u": u}, NUMBER, st.sampled_from(["Cel", "°F", "%", "x"]))
)
VALUES = st.dictionaries(
    st.sampled_from(sorted(CATALOGUE)) | st.text(max_size=5), VALUE, min_size=1
)
TIME = st.one_of(
    st.builds(lambda t: {"t": t}, st.integers(0, 2**33)),
    st.builds(lambda t: {"t_ms": t}, st.integers(0, 2**43)),
    st.builds(lambda t: {"t_ns": t}, st.integers(0, 2**62)),
    st.just({"t": "2026-11-23T05:54:00.123456789Z"}),
    st.just({}),
)
DOCUMENT = st.builds(
    lambda head, time, values, batch: {**head, **time, "v": values, "batch": batch},
    st.fixed_dictionaries({}, optional={"seq": st.integers(0, 2**40), "sim": st.booleans()}),
    TIME,
    VALUES,
    st.lists(st.builds(lambda time, values: {**time, "v": values}, TIME, VALUES), max_size=3),
)


@given(DOCUMENT)
def test_json_and_cbor_say_the_same(decode: Decode, document: dict[str, Any]) -> None:
    assert decode(JSON, msgspec.json.encode(document)) == decode(CBOR, cbor2.dumps(document))


@given(st.decimals(min_value=0, max_value=2**32, places=9))
def test_decimal_seconds_are_exact_in_both_encodings(decode: Decode, seconds: Decimal) -> None:
    expected = int(seconds.scaleb(9))
    in_json = decode(JSON, f'{{"t":{seconds:f},"v":{{"motion":true}}}}')
    in_batch = decode(JSON, f'{{"batch":[{{"t":{seconds:f},"v":{{"motion":true}}}}]}}')
    fraction = cbor2.CBORTag(4, [-9, expected])
    in_cbor = decode(CBOR, cbor2.dumps({"t": fraction, "v": {"motion": True}}))
    times = [decoded.samples[0].time_ns for decoded in (in_json, in_batch, in_cbor)]
    assert times == [expected] * 3


def test_counters_and_the_simulator_flag_are_told(decode: Decode) -> None:
    decoded = decode(JSON, '{"seq":12,"boot":3,"sim":true,"v":{"motion":true}}')
    assert (decoded.seq, decoded.boot, decoded.simulated) == (12, 3, True)


@pytest.mark.parametrize("value", ['"12"', "-1", "1.5", "true", "1e3", "99999999999999999999"])
def test_a_wrong_counter_costs_only_itself(decode: Decode, value: str) -> None:
    decoded = decode(JSON, f'{{"seq":{value},"v":{{"motion":true}}}}')
    assert decoded.seq is None
    assert len(decoded.samples) == 1
    assert [defect.reason for defect in decoded.defects] == [Reason.WRONG_TYPE]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"nan"', Reason.NOT_A_NUMBER),
        ('"Unavailable"', Reason.NOT_A_NUMBER),
        ('""', Reason.NOT_A_NUMBER),
        ('"21.4"', Reason.WRONG_TYPE),
        ("[1]", Reason.WRONG_TYPE),
        ('{"v":"x"}', Reason.WRONG_TYPE),
        ('{"v":1,"u":5}', Reason.UNKNOWN_UNIT),
        ("1" + "0" * 400, Reason.NOT_A_NUMBER),
    ],
)
def test_a_bad_value_costs_only_itself(decode: Decode, value: str, reason: Reason) -> None:
    decoded = decode(JSON, f'{{"v":{{"air_temperature":{value},"motion":false}}}}')
    assert [sample.quantity for sample in decoded.samples] == ["motion"]
    assert [defect.reason for defect in decoded.defects] == [reason]
    assert "air_temperature" in decoded.defects[0].detail


def test_nan_in_cbor_costs_only_the_field(decode: Decode) -> None:
    payload = cbor2.dumps({"v": {"air_temperature": float("nan"), "motion": True}})
    decoded = decode(CBOR, payload)
    assert [sample.quantity for sample in decoded.samples] == ["motion"]
    assert [defect.reason for defect in decoded.defects] == [Reason.NOT_A_NUMBER]


def test_null_is_absent_and_no_defect(decode: Decode) -> None:
    decoded = decode(JSON, '{"v":{"air_temperature":null,"dew_point":{"v":null,"u":"Cel"}}}')
    assert (decoded.samples, decoded.defects) == ((), ())


def test_names_and_units_pass_on_bounded(decode: Decode) -> None:
    payload = json.dumps({"v": {"x" * 5000: {"v": 1, "u": "y" * 5000}}})
    (sample,) = decode(JSON, payload).samples
    assert len(sample.quantity) <= 64
    assert sample.unit is not None
    assert len(sample.unit) <= 40


@pytest.mark.parametrize("payload", ["{}", '{"v":{}}', '{"v":null,"batch":[]}', '{"seq":1}'])
def test_a_message_without_values_is_told_apart(decode: Decode, payload: str) -> None:
    with pytest.raises(DecodeError) as failure:
        decode(JSON, payload)
    assert failure.value.code == Reason.NO_READING


def test_a_clock_that_cannot_be_read_costs_the_time_alone(decode: Decode) -> None:
    for time in ('"soon"', "1e300", "[]", '"2026-11-23T05:54:00"', "true"):
        decoded = decode(JSON, f'{{"t":{time},"v":{{"motion":true}}}}')
        assert [sample.time_ns for sample in decoded.samples] == [None]
        assert [defect.reason for defect in decoded.defects] == [Reason.DEVICE_CLOCK]


def test_the_examples_of_the_firmware_guide_and_the_captures_fit_the_schema() -> None:
    schema = json.loads((ROOT / "docs" / "passerelle-message.schema.json").read_text("utf-8"))
    validator = jsonschema_rs.validator_for(schema)
    good = ("single", "minimal_without_clock", "exact_seconds", "milliseconds", "batch")
    for name in good:
        golden = json.loads((ROOT / f"tests/payloads/passerelle/{name}.json").read_text("utf-8"))
        assert validator.is_valid(json.loads(golden["payload"])), name
    bad: list[dict[str, Any]] = [
        {"temperature": 1},
        {"v": {"x": "1"}},
        {"seq": -1, "v": {"x": 1}},
        {"v": {}},
    ]
    for wrong in bad:
        assert not validator.is_valid(wrong), wrong


def test_the_examples_of_the_firmware_guide_decode(decode: Decode) -> None:
    guide = (ROOT / "docs" / "firmware.md").read_text("utf-8")
    examples = [part.partition("```")[0] for part in guide.split("```json\n")[1:]]
    assert len(examples) >= 4
    for example in examples:
        decoded = decode(JSON, example)
        assert decoded.samples, example
        assert decoded.defects == (), example


def test_the_byte_dump_of_the_firmware_guide_decodes(decode: Decode) -> None:
    guide = (ROOT / "docs" / "firmware.md").read_text("utf-8")
    dump = guide.split("```hex\n")[1].partition("```")[0]
    raw = bytes.fromhex("".join(line.partition("#")[0] for line in dump.splitlines()))
    decoded = decode(CBOR, raw)
    assert decoded.seq == 12
    assert [sample.value for sample in decoded.samples] == [21.4, 45.0]
