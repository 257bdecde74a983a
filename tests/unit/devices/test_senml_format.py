"""SenML: what RFC 8428 demands beyond its examples, which are captures in tests/payloads."""

from __future__ import annotations

from collections.abc import Callable

import cbor2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import iso
from core.message import Decoded, DecodeError
from core.reasons import Reason

Decode = Callable[[str, bytes | str], Decoded]
JSON = "senml/v1/elgazala/gw-1/json"
CBOR = "senml/v1/elgazala/gw-1/cbor"
LABELS = {"bn": -2, "bt": -3, "bu": -4, "bv": -5, "bs": -6, "n": 0, "u": 1, "v": 2, "s": 5, "t": 6}
NUMBER = st.integers(-1000, 1000) | st.floats(-1000, 1000)
RECORD = st.fixed_dictionaries(
    {"n": st.sampled_from(["air_temperature", "/3303/0/5700", "x"])},
    optional={
        "bn": st.sampled_from(["", "urn:dev:ow:1:"]),
        "bt": st.integers(0, 2**32),
        "t": st.integers(-100, 100),
        "u": st.sampled_from(["Cel", "W", "%EL"]),
        "bu": st.just("Cel"),
        "v": NUMBER,
        "bv": NUMBER,
        "s": NUMBER,
        "bs": NUMBER,
    },
)


def code(decode: Decode, payload: str) -> str:
    with pytest.raises(DecodeError) as failure:
        decode(JSON, payload)
    return failure.value.code


@given(st.lists(RECORD, min_size=1, max_size=5))
def test_json_and_cbor_say_the_same(decode: Decode, pack: list[dict[str, object]]) -> None:
    in_cbor = cbor2.dumps([{LABELS[key]: value for key, value in r.items()} for r in pack])
    outcomes: list[object] = []
    for topic, payload in ((JSON, msgspec.json.encode(pack)), (CBOR, in_cbor)):
        try:
            outcomes.append(decode(topic, payload))
        except DecodeError as error:
            outcomes.append(error.code)
    assert outcomes[0] == outcomes[1]


def test_a_name_with_an_unknown_label_is_read_without_it(decode: Decode) -> None:
    decoded = decode(JSON, '[{"n":"air_temperature","v":1,"colour":"red"}]')
    assert len(decoded.samples) == 1


@pytest.mark.parametrize("label", ["x_", "_", "v_"])
def test_a_label_that_must_be_understood_costs_the_message(decode: Decode, label: str) -> None:
    assert code(decode, f'[{{"n":"a","v":1,"{label}":1}}]') == Reason.MALFORMED


@pytest.mark.parametrize("pack", ['[{"bver":5,"n":"a","v":1},{"bver":6,"n":"b","v":1}]'])
def test_a_pack_has_one_version(decode: Decode, pack: str) -> None:
    assert code(decode, pack) == Reason.MALFORMED


def test_secondary_units_have_a_version_of_their_own(decode: Decode) -> None:
    assert decode(JSON, '[{"bver":26,"n":"active_power","u":"kW","v":1}]').samples


@pytest.mark.parametrize(
    "record", ['"bt":"now"', '"bn":5', '"bu":[]', '"bv":true', '"bs":{}', '"bt":null']
)
def test_a_base_of_the_wrong_type_costs_the_message(decode: Decode, record: str) -> None:
    assert code(decode, f'[{{{record},"n":"a","v":1}}]') == Reason.WRONG_TYPE


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ('"v":"1"', Reason.WRONG_TYPE),
        ('"v":true', Reason.WRONG_TYPE),
        ('"vb":1', Reason.WRONG_TYPE),
        ('"v":1,"vb":true', Reason.WRONG_TYPE),
        ('"v":1e999', Reason.NOT_A_NUMBER),
        ('"v":1,"t":"soon"', Reason.DEVICE_CLOCK),
        ('"v":1,"t":1e300', Reason.DEVICE_CLOCK),
        ('"v":1,"u":5', Reason.UNKNOWN_UNIT),
        ('"vd":"aGk"', Reason.WRONG_TYPE),
    ],
)
def test_a_wrong_record_costs_only_itself(decode: Decode, record: str, reason: Reason) -> None:
    decoded = decode(JSON, f'[{{"n":"a",{record}}},{{"n":"motion","vb":true}}]')
    assert [sample.quantity for sample in decoded.samples] == ["motion"]
    assert [defect.reason for defect in decoded.defects] == [reason]


def test_times_are_exact_to_the_nanosecond(decode: Decode) -> None:
    decoded = decode(JSON, '[{"bt":1276020076.000000001,"n":"a","v":1,"t":-0.000000001}]')
    assert [sample.time_ns for sample in decoded.samples] == [1_276_020_076_000_000_000]


def test_small_times_are_counted_from_reception(decode: Decode) -> None:
    decoded = decode(JSON, '[{"n":"a","v":1,"t":-1.5},{"n":"a","v":2,"t":60}]')
    assert [iso(s.time_ns) for s in decoded.samples if s.time_ns is not None] == [
        "2026-11-23T05:59:58.500Z",
        "2026-11-23T06:01:00Z",
    ]
    assert decoded.relative_time


def test_a_pack_that_says_nothing_of_time_has_none(decode: Decode) -> None:
    decoded = decode(JSON, '[{"n":"a","v":1}]')
    assert [sample.time_ns for sample in decoded.samples] == [None]
    assert not decoded.relative_time


def test_a_second_instance_is_told_and_left_out(decode: Decode) -> None:
    pack = '[{"n":"/3303/0/5700","v":20},{"n":"/3303/1/5700","v":30}]'
    decoded = decode(JSON, pack)
    assert [sample.value for sample in decoded.samples] == [20.0]
    assert [defect.reason for defect in decoded.defects] == [Reason.DUPLICATE_KEY]


def test_a_rule_gives_the_unit_that_a_record_leaves_out(decode: Decode) -> None:
    decoded = decode(JSON, '[{"n":"/3315/0/5700","v":101300}]')
    assert [(s.value, s.unit) for s in decoded.samples] == [(1013.0, None)]


@pytest.mark.parametrize("pack", ["[]", '[{"bn":"a"}]'])
def test_a_pack_without_values_is_told_apart(decode: Decode, pack: str) -> None:
    assert code(decode, pack) == Reason.NO_READING
