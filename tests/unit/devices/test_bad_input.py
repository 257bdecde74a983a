"""Bad bytes cost what they must, quickly, and never more."""

from __future__ import annotations

import time
from collections.abc import Callable

import cbor2
import pytest

from core.message import Decoded, DecodeError
from core.reasons import Reason

Decode = Callable[[str, bytes | str], Decoded]

JSON = "passerelle/v1/elgazala/node-7/telemetry"
CBOR = f"{JSON}/cbor"
SENML = "senml/v1/elgazala/gw-1/json"
TASMOTA = "elgazala/tele/plug/SENSOR"
ZIGBEE = "elgazala/zigbee2mqtt/lamp"


def code(decode: Decode, topic: str, payload: bytes | str) -> str:
    with pytest.raises(DecodeError) as failure:
        decode(topic, payload)
    assert failure.value.detail
    return failure.value.code


@pytest.mark.parametrize("topic", [JSON, SENML, TASMOTA, ZIGBEE])
@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.PAYLOAD_EMPTY),
        (b" \n", Reason.PAYLOAD_EMPTY),
        (b'{"v":{"air_temp', Reason.MALFORMED),
        (b'{"a":1} x', Reason.MALFORMED),
        (b"\xef\xbb\xbf{}", Reason.MALFORMED),
        (b'{"a":"\xff"}', Reason.MALFORMED),
        (b"hello", Reason.MALFORMED),
        (b"21.4", Reason.WRONG_TYPE),
        (b"null", Reason.WRONG_TYPE),
        (b'"text"', Reason.WRONG_TYPE),
        (b'{"v":{"a":NaN}}', Reason.NOT_A_NUMBER),
        (b'{"v":{"a":-Infinity}}', Reason.NOT_A_NUMBER),
        (b'{"v":{"a":nan}}', Reason.NOT_A_NUMBER),
        (b'{"v":{"a":' + b"9" * 5000 + b"}}", Reason.NOT_A_NUMBER),
        (b" " * 300_000 + b"{}", Reason.PAYLOAD_TOO_LARGE),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, Reason.PAYLOAD_TOO_DEEP),
        (b"[" * 200_000, Reason.PAYLOAD_TOO_DEEP),
        (b'{"a":[' * 33 + b"]}" * 33, Reason.PAYLOAD_TOO_DEEP),
    ],
)
def test_a_broken_payload_costs_the_message(
    decode: Decode, topic: str, payload: bytes, reason: Reason
) -> None:
    begun = time.perf_counter()
    assert code(decode, topic, payload) == reason
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.PAYLOAD_EMPTY),
        (b"\x81" * 10_000, Reason.PAYLOAD_TOO_DEEP),
        (b"\xa1\x61a" * 10_000, Reason.PAYLOAD_TOO_DEEP),
        (b"\x9f" * 10_000, Reason.PAYLOAD_TOO_DEEP),
        (b"\xc6" * 10_000, Reason.PAYLOAD_TOO_DEEP),
        (bytes.fromhex("9b7fffffffffffffff01"), Reason.MALFORMED),
        (bytes.fromhex("bb7fffffffffffffff01"), Reason.MALFORMED),
        (bytes.fromhex("5b7fffffffffffffff01"), Reason.MALFORMED),
        (bytes.fromhex("d81c81d81d00"), Reason.MALFORMED),  # an array that holds itself
        (bytes.fromhex("c58220c249ffffffffffffffffff"), Reason.MALFORMED),  # big float, big number
        (bytes.fromhex("d823626128"), Reason.MALFORMED),  # a regular expression
        (bytes.fromhex("c4821a7fffffff01"), Reason.MALFORMED),  # 1e2147483647
        (cbor2.dumps({"v": {"a": 1}}) + b"\x00", Reason.MALFORMED),
        (b"\xff", Reason.MALFORMED),
        (b"\x61\xff", Reason.MALFORMED),
        (b"\x80", Reason.WRONG_TYPE),
        (b"\x00" * 300_000, Reason.PAYLOAD_TOO_LARGE),
    ],
)
def test_broken_cbor_costs_the_message(decode: Decode, payload: bytes, reason: Reason) -> None:
    begun = time.perf_counter()
    assert code(decode, CBOR, payload) == reason
    assert time.perf_counter() - begun < 5


@pytest.mark.parametrize(
    "payload",
    [
        b'"' + b'\\"' * 100_000 + b"[" * 40,
        b"9" * 250_000 + b"[" * 40,
        b"a" * 250_000 + b"[" * 40,
        b'{"' * 100_000,
        b"{}" * 100_000,
        b'["[' * 80_000,
    ],
)
def test_a_payload_made_to_be_slow_is_not(decode: Decode, payload: bytes) -> None:
    begun = time.perf_counter()
    code(decode, JSON, payload)
    assert time.perf_counter() - begun < 5


def test_brackets_in_text_are_not_depth(decode: Decode) -> None:
    payload = '{"v":{"air_temperature":21,"note":"' + "[{" * 100 + '"}}'
    assert [sample.value for sample in decode(JSON, payload).samples] == [21.0]


def test_brackets_in_text_do_not_hide_depth(decode: Decode) -> None:
    payload = '["]",' * 40 + "1" + ',"["]' * 40
    assert code(decode, JSON, payload) == Reason.PAYLOAD_TOO_DEEP


def test_the_deepest_allowed_payload_is_read(decode: Decode) -> None:
    deep = "[" * 31 + "]" * 31
    assert decode(JSON, '{"v":{"air_temperature":1},"x":' + deep + "}").samples
    assert code(decode, JSON, '{"v":{"air_temperature":1},"x":[' + deep + "]}") == (
        Reason.PAYLOAD_TOO_DEEP
    )


def test_where_nan_stands_is_told(decode: Decode) -> None:
    with pytest.raises(DecodeError, match="NaN at byte 24, after 'air_temperature'"):
        decode(JSON, '{"v":{"air_temperature":NaN}}')


def test_too_many_readings_cost_the_message(decode: Decode) -> None:
    values = ",".join(f'"q{n}":1' for n in range(10_001))
    assert code(decode, JSON, f'{{"v":{{{values}}}}}') == Reason.TOO_MANY_READINGS
    batch = ",".join('{"t":1,"v":{"a":1}}' for _ in range(10_001))
    assert code(decode, JSON, f'{{"batch":[{batch}]}}') == Reason.TOO_MANY_READINGS
    records = ",".join(f'{{"n":"a","v":1,"t":{n}}}' for n in range(10_001))
    assert code(decode, SENML, f"[{records}]") in {
        Reason.TOO_MANY_READINGS,
        Reason.PAYLOAD_TOO_LARGE,
    }


def test_a_topic_bound_to_nothing_says_so(decode: Decode) -> None:
    assert code(decode, "no/such/topic", b"{}") == Reason.TOPIC_UNBOUND
    assert code(decode, "elgazala/zigbee2mqtt", b"{}") == Reason.TOPIC_UNBOUND


def test_local_time_at_an_unknown_site_waits_for_the_site(decode: Decode) -> None:
    payload = '{"Time":"2026-11-23T06:54:00","SHT3X":{"Temperature":20}}'
    assert code(decode, "nowhere/tele/x/SENSOR", payload) == Reason.UNKNOWN_DEVICE


@pytest.mark.parametrize(
    "payload",
    [
        '{"v":{"air_temperature":1,"air_temperature":2}}',
        '{"v": {"air_temperature" : 1 ,\n "air_temperature"\t:2}}',
        '{"v":{"x":1},"v":{"air_temperature":2}}',
        '{"v":{"air_temperature":1,"air_temp\\u0065rature":2}}',
    ],
)
def test_of_duplicate_keys_the_last_counts_and_it_is_told(decode: Decode, payload: str) -> None:
    decoded = decode(JSON, payload)
    assert [sample.value for sample in decoded.samples] == [2.0]
    assert [defect.reason for defect in decoded.defects] == [Reason.DUPLICATE_KEY]


def test_text_that_looks_like_a_key_is_no_duplicate(decode: Decode) -> None:
    payload = r'{"v":{"air_temperature":{"v":1,"u":"Cel"}},"note":"\"v\":","x":"a\\"}'
    assert decode(JSON, payload).defects == ()


def test_duplicate_keys_are_told_in_every_format(decode: Decode) -> None:
    for topic, payload in (
        (TASMOTA, '{"SHT3X":{"Humidity":1,"Humidity":2}}'),
        (ZIGBEE, '{"humidity":1,"humidity":2}'),
        (SENML, '[{"n":"relative_humidity","v":1,"v":2}]'),
    ):
        decoded = decode(topic, payload)
        assert [sample.value for sample in decoded.samples] == [2.0]
        assert [defect.reason for defect in decoded.defects] == [Reason.DUPLICATE_KEY]
    decoded = decode(CBOR, bytes.fromhex("a16176a2616101616102"))
    assert [sample.value for sample in decoded.samples] == [2.0]
    assert [defect.reason for defect in decoded.defects] == [Reason.DUPLICATE_KEY]
