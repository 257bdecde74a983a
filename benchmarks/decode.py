"""How long one message takes to decode, by format, against a bare JSON parse in the same run.

`python benchmarks/decode.py` prints microseconds for each message and the ratio to
`msgspec.json.decode` of the Passerelle JSON message: the ratio is what compares between machines.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))

import cbor2
import msgspec

from core.message import RawMessage
from devices.decoder import Decoder, Limits, shipped_bindings, shipped_profiles

RECEIVED_NS = 1_795_413_600_000_000_000
ROUNDS, REPEATS = 20_000, 5

_THREE = {
    "seq": 12,
    "boot": 3,
    "t_ms": 1_795_413_240_123,
    "v": {"air_temperature": 21.4, "relative_humidity": 45.5, "carbon_dioxide": 612.0},
}
_TEXT_TIME = {**_THREE, "t": "2026-11-23T05:54:00.123Z"}
del _TEXT_TIME["t_ms"]
_BATCH = {
    "seq": 13,
    "boot": 3,
    "batch": [{"t": 1_795_413_000 + n, "v": {"air_temperature": 21.5}} for n in range(100)],
}
_SENML = (
    b'[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1276020076.001,"bu":"A","n":"voltage","u":"V",'
    b'"v":120.1},{"n":"current","t":-5,"v":1.2},{"n":"current","v":1.3}]'
)
_ZIGBEE = (
    b'{"battery":91,"voltage":2985,"temperature":23.5,"humidity":46.08,"pressure":915.5,'
    b'"linkquality":10,"last_seen":"2026-11-23T05:54:00.123Z"}'
)
_ENERGY = (
    b'{"Time":"2026-11-23T06:54:00","ENERGY":{"TotalStartTime":"2026-01-01T00:00:00",'
    b'"Total":0.734,"Yesterday":0.1,"Today":0.7,"Power":120,"ApparentPower":130,'
    b'"ReactivePower":20,"Factor":0.92,"Voltage":231,"Current":0.52}}'
)


def messages() -> dict[str, tuple[str, bytes]]:
    """Return what is measured: name -> topic and payload."""
    passerelle = "passerelle/v1/elgazala/node-7/telemetry"
    return {
        "passerelle json, 3 values, t_ms": (passerelle, msgspec.json.encode(_THREE)),
        "passerelle json, 3 values, RFC 3339": (passerelle, msgspec.json.encode(_TEXT_TIME)),
        "passerelle cbor, 3 values, t_ms": (f"{passerelle}/cbor", cbor2.dumps(_THREE)),
        "passerelle json, batch of 100": (passerelle, msgspec.json.encode(_BATCH)),
        "senml json, 3 records": ("senml/v1/elgazala/gw-1/json", _SENML),
        "zigbee2mqtt, 6 values": ("elgazala/zigbee2mqtt/hall/sensor", _ZIGBEE),
        "tasmota ENERGY, 9 values": ("elgazala/tele/plug/SENSOR", _ENERGY),
        "tasmota LWT": ("elgazala/tele/plug/LWT", b"Online"),
    }


def microseconds(work: Callable[[], Any]) -> float:
    """Return the best time of one call."""
    return min(timeit.repeat(work, number=ROUNDS, repeat=REPEATS)) / ROUNDS * 1e6


def main() -> None:
    """Measure and print."""
    decoder = Decoder(
        profiles=shipped_profiles(),
        bindings=shipped_bindings(),
        sites={"elgazala": ZoneInfo("Africa/Tunis")},
        limits=Limits(max_payload_bytes=256 * 1024, max_depth=32, max_readings=10_000),
    )
    bare = microseconds(lambda: msgspec.json.decode(messages_by_name[first][1]))
    print(f"{'bare msgspec.json.decode, 3 values':<38}{bare:>9.2f} us   1.0x")
    for name, (topic, payload) in messages_by_name.items():
        message = RawMessage(topic, payload, RECEIVED_NS)
        taken = microseconds(lambda message=message: decoder.decode(message))  # type: ignore[misc]
        print(f"{name:<38}{taken:>9.2f} us {taken / bare:>5.1f}x")


messages_by_name = messages()
first = next(iter(messages_by_name))

if __name__ == "__main__":
    main()
