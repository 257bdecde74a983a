"""The decoder: pure, total, and clear about what is wrong when it is built."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.errors import ConfigurationError, ProfileError
from core.message import Decoded, DecodeError, MessageKind, RawMessage
from core.reasons import Reason
from devices.decoder import (
    Decoder,
    Limits,
    profile_schema,
    shipped_bindings,
    shipped_profiles,
)
from devices.registry.records import Binding, ProfileVersion

Decode = Callable[[str, bytes | str], Decoded]
ROOT = Path(__file__).parents[3]
SITES = {"elgazala": ZoneInfo("Africa/Tunis")}
LIMITS = Limits(max_payload_bytes=10_000, max_depth=32, max_readings=100)
TOPICS = [
    "passerelle/v1/elgazala/n/telemetry",
    "passerelle/v1/elgazala/n/telemetry/cbor",
    "passerelle/v1/elgazala/n/status",
    "senml/v1/elgazala/n/json",
    "senml/v1/elgazala/n/cbor",
    "elgazala/zigbee2mqtt/a/b",
    "elgazala/zigbee2mqtt/a/b/availability",
    "elgazala/zigbee2mqtt/bridge/devices",
    "elgazala/tele/n/SENSOR",
    "elgazala/stat/n/RESULT",
    "elgazala/stat/n/POWER",
    "elgazala/tele/n/LWT",
]
KEYS = st.sampled_from(
    "v batch t t_ms t_ns seq boot sim u n bn bt bu bv bs bver vs vb vd s Time ENERGY Power Factor "
    "ApparentPower DS18B20 Temperature TempUnit state contact last_seen temperature ieee_address "
    "friendly_name air_temperature Wifi RSSI".split()
) | st.text(max_size=4)
LEAF = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["nan", "ON", "LOCK", "2026-11-23T05:54:00", "0000-01-01T00:00:00Z", "C"])
)
TREE = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)
BINARY_TREE = st.recursive(
    LEAF | st.binary(max_size=8) | st.just(cbor2.undefined),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS | st.integers(-7, 9) | st.booleans(), inner, max_size=4)
        | st.builds(cbor2.CBORTag, st.sampled_from([0, 1, 4, 28, 999]), inner)
    ),
)


def version(source: str, *, name: str = "mine", number: int = 1) -> ProfileVersion:
    digest = hashlib.sha256(source.encode()).hexdigest()
    return ProfileVersion(name=name, version=number, source=source, sha256=digest)


def built(bindings: list[Binding], profiles: list[ProfileVersion] | None = None) -> Decoder:
    return Decoder(
        profiles=shipped_profiles() if profiles is None else profiles,
        bindings=bindings,
        sites=SITES,
        limits=LIMITS,
    )


def never_fails(decoder: Decoder, topic: str, payload: bytes) -> None:
    message = RawMessage(topic, payload, 1_795_413_600_000_000_000)
    failure: DecodeError | None = None
    try:
        decoded = decoder.decode(message)
    except DecodeError as error:
        failure = error
    if failure is not None:
        assert failure.code in set(Reason)
        assert failure.code != Reason.INTERNAL_ERROR, failure.detail
        return
    assert decoded == decoder.decode(message)
    assert all(defect.reason in set(Reason) for defect in decoded.defects)


@given(st.sampled_from(TOPICS), st.binary(max_size=200))
@example(TOPICS[1], b"\xa1\xf7\x00")
@example(TOPICS[4], b"\x81\xa1\x26\x01")
def test_whatever_the_bytes_decode_answers_or_raises_decode_error(
    decoder: Decoder, topic: str, payload: bytes
) -> None:
    never_fails(decoder, topic, payload)


@given(st.sampled_from(TOPICS), TREE)
def test_whatever_the_json_decode_answers_or_raises_decode_error(
    decoder: Decoder, topic: str, tree: object
) -> None:
    never_fails(decoder, topic, json.dumps(tree).encode())
    never_fails(decoder, topic, json.dumps([tree]).encode())


@given(st.sampled_from([topic for topic in TOPICS if topic.endswith("cbor")]), BINARY_TREE)
def test_whatever_the_cbor_decode_answers_or_raises_decode_error(
    decoder: Decoder, topic: str, tree: object
) -> None:
    never_fails(decoder, topic, cbor2.dumps(tree))
    never_fails(decoder, topic, cbor2.dumps([tree]))


@given(st.text(max_size=60) | st.sampled_from(TOPICS), st.binary(max_size=20))
def test_whatever_the_topic_decode_answers_or_raises_decode_error(
    decoder: Decoder, topic: str, payload: bytes
) -> None:
    never_fails(decoder, topic, payload)
    decoder.locate(topic)


def test_a_topic_tells_its_device_even_when_the_payload_cannot(decoder: Decoder) -> None:
    assert decoder.locate("elgazala/zigbee2mqtt/a/b") == ("zigbee2mqtt", "elgazala", "a/b")
    assert decoder.locate("no/such/topic") is None


def test_a_retained_message_is_decoded_like_any_other(decoder: Decoder) -> None:
    raw = RawMessage(TOPICS[0], b'{"v":{"motion":true}}', 1, retained=True)
    assert decoder.decode(raw).samples


def test_filters_cover_every_shipped_topic_and_leave_the_published_stream_out(
    decoder: Decoder,
) -> None:
    assert "+/zigbee2mqtt/#" in decoder.filters
    assert "passerelle/v1/+/+/telemetry" in decoder.filters
    assert not any(one.endswith("readings") for one in decoder.filters)
    assert decoder.metadata_filters == ("+/zigbee2mqtt/bridge/devices",)


def test_the_names_of_devices_come_from_the_bridge(decode: Decode) -> None:
    listing = '[{"friendly_name":"a/b","ieee_address":"0x1"},{"friendly_name":7},3]'
    decoded = decode("elgazala/zigbee2mqtt/bridge/devices", listing)
    assert decoded.kind is MessageKind.METADATA
    assert decoded.aliases == {"a/b": "0x1"}
    assert len(decoded.defects) == 2


def test_the_bridges_list_may_be_larger_than_telemetry() -> None:
    device = {"friendly_name": "a", "ieee_address": "0x1", "definition": "x" * 20_000}
    raw = RawMessage("elgazala/zigbee2mqtt/bridge/devices", json.dumps([device]).encode(), 1)
    assert built(shipped_bindings()).decode(raw).aliases == {"a": "0x1"}


@pytest.mark.parametrize(
    ("word", "online"),
    [
        ("Online", 1.0),
        ("offline\n", 0.0),
        ('{"state":"online"}', 1.0),
        ('{"state":"OFFLINE"}', 0.0),
    ],
)
def test_signs_of_life_are_one_or_zero(decode: Decode, word: str, online: float) -> None:
    decoded = decode("passerelle/v1/elgazala/n/status", word)
    assert decoded.kind is MessageKind.AVAILABILITY
    assert [(s.quantity, s.value) for s in decoded.samples] == [("online", online)]


def test_another_order_of_levels_is_read_by_its_ending() -> None:
    decoder = built([Binding("{site}/{device}/tele/SENSOR", "tasmota", "telemetry")])
    raw = RawMessage("elgazala/x/tele/SENSOR", b'{"AHT2X":{"Humidity":40}}', 1)
    assert [sample.value for sample in decoder.decode(raw).samples] == [40.0]


def test_a_binding_may_fix_the_site() -> None:
    decoder = built([Binding("tele/{device}/LWT", "tasmota", "availability", site="elgazala")])
    assert decoder.locate("tele/x/LWT") == ("tasmota", "elgazala", "x")


@pytest.mark.parametrize(
    ("binding", "what"),
    [
        (Binding("x/{site}/{device}", "nothing", "telemetry"), "does not exist"),
        (Binding("x/{site}/{device}", "passerelle", "telemetry"), "how profile passerelle"),
        (Binding("x/{site}/{device}/json", "senml", "availability"), "no topics of kind"),
        (Binding("x/{site}/{device}/json", "senml", "news"), "kind 'news'"),
        (Binding("x/{device}/json", "senml", "telemetry", site="mars"), "not registered"),
        (Binding("x/{device}/json", "senml", "telemetry"), "site must come once"),
    ],
)
def test_a_binding_that_cannot_be_used_says_why(binding: Binding, what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        built([binding])


def test_the_highest_version_of_a_profile_counts() -> None:
    text = next(v.source for v in shipped_profiles() if v.name == "tasmota")
    newer = text.replace("version: 1", "version: 2").replace(
        "quantity: dew_point", "quantity: soil_temperature"
    )
    decoder = built(
        [Binding("{site}/tele/{device}/SENSOR", "tasmota", "telemetry")],
        [version(newer, name="tasmota", number=2), version(text, name="tasmota")],
    )
    raw = RawMessage("elgazala/tele/x/SENSOR", b'{"SHT3X":{"DewPoint":7}}', 1)
    assert [sample.quantity for sample in decoder.decode(raw).samples] == ["soil_temperature"]


def test_a_profile_in_the_registry_that_is_wrong_is_named() -> None:
    with pytest.raises(ProfileError, match="profile mine version 1:1: a profile is a mapping"):
        built([], [version("- a")])


def test_the_published_schema_is_current() -> None:
    published = json.loads((ROOT / "docs" / "profile.schema.json").read_text("utf-8"))
    assert published == profile_schema(), "write it anew: python -m devices.profile_schema"
