"""Zigbee2MQTT: the whole cached state of a device as one JSON object, `last_seen` switched on.

Documented at zigbee2mqtt.io, "MQTT topics and messages". The bridge is the MQTT client, so that a
device that was out of reach leaves a gap: nothing is kept for later.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from core.clock import iso
from simulators.formats.wire import ABSURD, FieldFault, Identity, Measurement, Packet

if TYPE_CHECKING:
    from collections.abc import Mapping

_json = msgspec.json.Encoder()

KEYS: Mapping[str, str] = MappingProxyType(
    {
        "air_temperature": "temperature",
        "relative_humidity": "humidity",
        "barometric_pressure": "pressure",
        "carbon_dioxide": "co2",
        "illuminance": "illuminance",
        "occupancy": "occupancy",
        "door_open": "contact",
        "active_power": "power",
        "current": "current",
        "voltage": "voltage",
        "energy_imported": "energy",
        "battery_level": "battery",
    }
)
"""Quantity -> key in the state; `contact` is true while the door is closed."""

_UNITS = {
    "temperature": "°C",
    "humidity": "%",
    "pressure": "hPa",
    "co2": "ppm",
    "illuminance": "lx",
    "power": "W",
    "current": "A",
    "voltage": "V",
    "energy": "kWh",
    "battery": "%",
    "linkquality": "lqi",
}


class Zigbee2Mqtt:
    """`{site}/zigbee2mqtt/{friendly name}`; a friendly name may contain `/`."""

    profile: ClassVar[str] = "zigbee2mqtt"
    batches: ClassVar[bool] = False
    counted: ClassVar[bool] = False
    resolution_ns: ClassVar[int] = 1_000_000
    carries: ClassVar[frozenset[str] | None] = frozenset(KEYS) | {"link_quality"}
    own_readings: ClassVar[int] = 1
    shortest_interval_s: ClassVar[float] = 0.01

    def __init__(self, identity: Identity) -> None:
        self.topic = f"{identity.site}/zigbee2mqtt/{identity.external_id}"
        # how well the device is placed in the mesh: fixed by its address
        self._link = 60 + int(identity.hardware_id, 16) % 160

    def document(self, measurements: Sequence[Measurement], *, seq: int, boot: int) -> Any:
        """Return the state after the last of `measurements`."""
        del boot
        state: dict[str, Any] = {}
        for name, value in measurements[-1].values.items():
            if name in KEYS:
                state[KEYS[name]] = not value if name == "door_open" else value
        state["linkquality"] = min(255, max(0, self._link + (seq * 7) % 23 - 11))
        state["last_seen"] = iso(measurements[-1].time_ns)
        return state

    def encode(self, document: Any) -> bytes:
        """Return it as JSON."""
        return _json.encode(document)

    def damage(self, document: Any, fault: FieldFault, rng: random.Random) -> int | None:
        """Put one bad value into the state; it has no place for quantities or units."""
        if fault not in {FieldFault.WRONG_TYPE, FieldFault.OUT_OF_RANGE}:
            return None
        numbers = [k for k, v in document.items() if isinstance(v, float) and k in _UNITS]
        if not numbers:
            return None
        document[rng.choice(numbers)] = "n/a" if fault is FieldFault.WRONG_TYPE else ABSURD
        return 1

    def extras(self, *, time_ns: int, seq: int, uptime_s: int) -> list[Packet]:
        """Return nothing: the state is all."""
        del time_ns, seq, uptime_s
        return []

    def status(self, *, online: bool) -> Packet | None:
        """Return the retained availability."""
        return Packet(
            topic=f"{self.topic}/availability",
            payload=_json.encode({"state": "online" if online else "offline"}),
            readings=1,
            retain=True,
        )


def bridge_devices(site: str, devices: Iterable[tuple[str, str, Iterable[str]]]) -> Packet:
    """Return the retained list of a site's devices.

    Args:
        site: site slug.
        devices: (IEEE address, friendly name, quantities) of each.
    """
    entries: list[dict[str, Any]] = [
        {
            "ieee_address": "0x00124b0000000000",
            "type": "Coordinator",
            "friendly_name": "Coordinator",
            "definition": None,
            "supported": True,
            "disabled": False,
        }
    ]
    for address, friendly_name, quantities in devices:
        keys = [KEYS[name] for name in quantities if name in KEYS]
        exposes = [_expose(key) for key in [*keys, "linkquality"]]
        entries.append(
            {
                "ieee_address": address,
                "type": "EndDevice",
                "friendly_name": friendly_name,
                "definition": {
                    "model": "SIM-1",
                    "vendor": "Passerelle",
                    "description": "Simulated device",
                    "exposes": exposes,
                },
                "supported": True,
                "disabled": False,
                "interview_completed": True,
            }
        )
    return Packet(
        topic=f"{site}/zigbee2mqtt/bridge/devices", payload=_json.encode(entries), retain=True
    )


def _expose(key: str) -> dict[str, Any]:
    if key in {"occupancy", "contact"}:
        return {"type": "binary", "name": key, "property": key, "access": 1}
    unit = _UNITS[key]
    return {"type": "numeric", "name": key, "property": key, "unit": unit, "access": 1}
