"""What is published: the same three values of the same devices, in each payload convention.

Message number `index` is of device `index % devices` and is its `index // devices`-th. Values
differ from message to message, so that no store can compress them to nothing; every message has an
instant of its own for its device, so that every message is one more point in the store.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import cbor2
import msgspec

from benchmarks import mqtt
from devices.registry import Device

SITE = "elgazala"
ZONE = ZoneInfo("Africa/Tunis")
CATEGORY = "environment"
QUANTITIES = ("air_temperature", "relative_humidity", "barometric_pressure")
"""The three values of every message: one point with three fields in the store."""
_VARIANTS = 97
HOT_EVERY = 997
"""Of so many messages of `PASSERELLE_FOUR` one is hot."""
HOT_DEGREES = 40.0
"""Air temperature of a hot message, degrees Celsius; others have less than 25."""

Payload = Callable[[int, int, int], bytes]
"""From the number of the message at its device, its instant in ms, and a variant, its payload."""


class Convention(msgspec.Struct, frozen=True):
    """A payload convention.

    Attributes:
        name: as it is printed.
        profile: the profile that decodes it.
        topic: with `{device}`.
        payload: writes one.
    """

    name: str
    profile: str
    topic: str
    payload: Payload


class Workload(msgspec.Struct, frozen=True):
    """Messages of a number of devices in one convention.

    Attributes:
        convention: how they are written.
        count: how many devices.
        prefix: of the devices' names.
    """

    convention: Convention
    count: int = 200
    prefix: str = "bench"

    def devices(self) -> list[Device]:
        """Return the devices as the registry takes them."""
        return [
            Device(id=name, site=SITE, profile=self.convention.profile, external_id=name)
            for name in self.names()
        ]

    def names(self) -> list[str]:
        """Return the names of the devices."""
        return [f"{self.prefix}-{number:04d}" for number in range(self.count)]

    def topics(self) -> list[bytes]:
        """Return each device's topic as a PUBLISH carries it."""
        return [
            mqtt.text(self.convention.topic.format(site=SITE, device=name)) for name in self.names()
        ]


def values(variant: int) -> tuple[float, float, float]:
    """Return the three values of a variant, in canonical units."""
    variant %= _VARIANTS
    return 15 + variant / 10, 35 + variant / 4, 1000 + variant / 10


@lru_cache(maxsize=4)
def _second(second: int) -> bytes:
    return datetime.fromtimestamp(second, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()


@lru_cache(maxsize=4)
def _local_second(second: int) -> bytes:
    return datetime.fromtimestamp(second, tz=ZONE).strftime("%Y-%m-%dT%H:%M:%S").encode()


def rfc3339_ms(at_ms: int) -> bytes:
    """Return an instant as RFC 3339 text with milliseconds."""
    second, ms = divmod(at_ms, 1000)
    return b"%b.%03dZ" % (_second(second), ms)


_JSON_TAILS = [
    b'","v":{"air_temperature":%.1f,"relative_humidity":%.2f,"barometric_pressure":%.1f}}'
    % values(variant)
    for variant in range(_VARIANTS)
]
_ZIGBEE_HEADS = [
    b'{"temperature":%.1f,"humidity":%.2f,"pressure":%.1f,"last_seen":"' % values(variant)
    for variant in range(_VARIANTS)
]
_TASMOTA_TAILS = [
    b'","BME280":{"Temperature":%.1f,"Humidity":%.2f,"Pressure":%.1f},'
    b'"PressureUnit":"hPa","TempUnit":"C"}' % values(variant)
    for variant in range(_VARIANTS)
]
_SENML_TAILS = [
    b',"n":"air_temperature","u":"Cel","v":%.1f},{"n":"relative_humidity","u":"%%RH","v":%.2f},'
    b'{"n":"barometric_pressure","u":"hPa","v":%.1f}]' % values(variant)
    for variant in range(_VARIANTS)
]


def _json(seq: int, at_ms: int, variant: int) -> bytes:
    tail = _JSON_TAILS[variant % _VARIANTS]
    return b'{"seq":%d,"boot":1,"t":"%b%b' % (seq, rfc3339_ms(at_ms), tail)


_FOUR_TAILS = [
    b'","v":{"air_temperature":%b,"relative_humidity":%.2f,"carbon_dioxide":%d,"battery_level":%d}}'
    % (b"%.1f", 35 + variant / 4, 500 + variant, 60 + variant % 30)
    for variant in range(_VARIANTS)
]


def is_hot(index: int) -> bool:
    """Say whether a message of `PASSERELLE_FOUR` crosses the limit that alert rules look at.

    The devices of two such messages differ, as long as their count is no multiple of `HOT_EVERY`:
    the next value of a device is as usual again.
    """
    return index % HOT_EVERY == 0


def _four(seq: int, at_ms: int, variant: int) -> bytes:
    degrees = HOT_DEGREES if is_hot(variant) else 15 + variant % _VARIANTS / 10
    tail = _FOUR_TAILS[variant % _VARIANTS] % degrees
    return b'{"seq":%d,"boot":1,"t":"%b%b' % (seq, rfc3339_ms(at_ms), tail)


def _cbor(seq: int, at_ms: int, variant: int) -> bytes:
    told = dict(zip(QUANTITIES, values(variant), strict=True))
    return cbor2.dumps({"seq": seq, "boot": 1, "t_ms": at_ms, "v": told})


def _senml(_seq: int, at_ms: int, variant: int) -> bytes:
    tail = _SENML_TAILS[variant % _VARIANTS]
    return b'[{"bn":"urn:dev:bench:","bt":%d.%03d%b' % (*divmod(at_ms, 1000), tail)


def _zigbee2mqtt(_seq: int, at_ms: int, variant: int) -> bytes:
    return b'%b%b"}' % (_ZIGBEE_HEADS[variant % _VARIANTS], rfc3339_ms(at_ms))


def _tasmota(_seq: int, at_ms: int, variant: int) -> bytes:
    tail = _TASMOTA_TAILS[variant % _VARIANTS]
    return b'{"Time":"%b%b' % (_local_second(at_ms // 1000), tail)


PASSERELLE_JSON = Convention(
    "Passerelle JSON", "passerelle", "passerelle/v1/{site}/{device}/telemetry", _json
)
PASSERELLE_FOUR = Convention(
    "Passerelle JSON of four values",
    "passerelle",
    "passerelle/v1/{site}/{device}/telemetry",
    _four,
)
"""Air temperature, humidity, carbon dioxide, battery: what alert rules are measured with."""
CONVENTIONS = (
    PASSERELLE_JSON,
    Convention(
        "Passerelle CBOR", "passerelle", "passerelle/v1/{site}/{device}/telemetry/cbor", _cbor
    ),
    Convention("SenML JSON", "senml", "senml/v1/{site}/{device}/json", _senml),
    Convention("Zigbee2MQTT", "zigbee2mqtt", "{site}/zigbee2mqtt/{device}", _zigbee2mqtt),
    Convention("Tasmota", "tasmota", "{site}/tele/{device}/SENSOR", _tasmota),
)
