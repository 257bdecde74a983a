"""Tasmota: `tele/X/SENSOR` and `tele/X/STATE`, local time without a zone, units beside the data.

Documented at tasmota.github.io, "MQTT" and "JSON status". Tasmota keeps nothing while it is off
line. Its time has whole seconds, so that a device must not publish twice in one second.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import msgspec

from core.clock import NS_PER_S
from simulators.formats.wire import ABSURD, FieldFault, Identity, Measurement, Packet

_json = msgspec.json.Encoder()
_STATE_EVERY = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_ENERGY = {
    "energy_imported": "Total",
    "energy_yesterday": "Yesterday",
    "energy_today": "Today",
    "active_power": "Power",
    "apparent_power": "ApparentPower",
    "reactive_power": "ReactivePower",
    "power_factor": "Factor",
    "voltage": "Voltage",
    "current": "Current",
}
_AIR = {
    "air_temperature": "Temperature",
    "relative_humidity": "Humidity",
    "dew_point": "DewPoint",
    "barometric_pressure": "Pressure",
    "carbon_dioxide": "CarbonDioxide",
}


class Tasmota:
    """`{site}/tele/{device}/SENSOR`, every fifth time also `/STATE`."""

    profile: ClassVar[str] = "tasmota"
    batches: ClassVar[bool] = False
    counted: ClassVar[bool] = False
    resolution_ns: ClassVar[int] = NS_PER_S
    carries: ClassVar[frozenset[str] | None] = frozenset({*_ENERGY, *_AIR})
    own_readings: ClassVar[int] = 0
    shortest_interval_s: ClassVar[float] = 2.0

    def __init__(self, identity: Identity) -> None:
        self._prefix = f"{identity.site}/tele/{identity.external_id}"
        self.topic = f"{self._prefix}/SENSOR"
        self._zone = ZoneInfo(identity.zone)
        self._signal_dbm = -45 - int(identity.hardware_id, 16) % 40

    def document(self, measurements: Sequence[Measurement], *, seq: int, boot: int) -> Any:
        """Return the last of `measurements` as SENSOR data."""
        del seq, boot
        values = measurements[-1].values
        told: dict[str, Any] = {"Time": self._local(measurements[-1].time_ns)}
        energy = {key: values[name] for name, key in _ENERGY.items() if name in values}
        if energy:
            told["ENERGY"] = {"TotalStartTime": "2024-01-01T00:00:00", **energy}
        air = {key: values[name] for name, key in _AIR.items() if name in values}
        if air:
            told["SCD40" if "CarbonDioxide" in air else "BME280"] = air
            if "Pressure" in air:
                told["PressureUnit"] = "hPa"
            told["TempUnit"] = "C"
        return told

    def encode(self, document: Any) -> bytes:
        """Return it as JSON."""
        return _json.encode(document)

    def damage(self, document: Any, fault: FieldFault, rng: random.Random) -> int | None:
        """Put one bad value into the data; it has no place for quantities or units of one field."""
        if fault not in {FieldFault.WRONG_TYPE, FieldFault.OUT_OF_RANGE}:
            return None
        for group in ("ENERGY", "SCD40", "BME280"):
            numbers = [k for k, v in document.get(group, {}).items() if isinstance(v, float)]
            if len(numbers) > 1:
                victim = rng.choice(numbers)
                document[group][victim] = "n/a" if fault is FieldFault.WRONG_TYPE else ABSURD
                return 1
        return None

    def extras(self, *, time_ns: int, seq: int, uptime_s: int) -> list[Packet]:
        """Return STATE at every fifth message."""
        if seq % _STATE_EVERY:
            return []
        hours, rest = divmod(uptime_s, 3600)
        days, hours = divmod(hours, 24)
        signal = self._signal_dbm + (seq // _STATE_EVERY) % 5 - 2
        state = {
            "Time": self._local(time_ns),
            "Uptime": f"{days}T{hours:02d}:{rest // 60:02d}:{rest % 60:02d}",
            "UptimeSec": uptime_s,
            "Heap": 24,
            "SleepMode": "Dynamic",
            "Sleep": 50,
            "LoadAvg": 19,
            "MqttCount": 1,
            "POWER": "ON",
            "Wifi": {
                "AP": 1,
                "SSId": "passerelle",
                "BSSId": "02:00:00:00:00:01",
                "Channel": 6,
                "Mode": "11n",
                "RSSI": min(100, max(0, 2 * (signal + 100))),
                "Signal": signal,
                "LinkCount": 1,
                "Downtime": "0T00:00:05",
            },
        }
        return [
            Packet(
                topic=f"{self._prefix}/STATE",
                payload=_json.encode(state),
                readings=STATE_READINGS,
            )
        ]

    def status(self, *, online: bool) -> Packet | None:
        """Return the retained sign of life."""
        return Packet(
            topic=f"{self._prefix}/LWT",
            payload=b"Online" if online else b"Offline",
            readings=1,
            retain=True,
        )

    def _local(self, time_ns: int) -> str:
        instant = _EPOCH + timedelta(seconds=time_ns // NS_PER_S)
        return instant.astimezone(self._zone).strftime("%Y-%m-%dT%H:%M:%S")


STATE_READINGS = 5
"""Uptime, relay, free memory, Wi-Fi quality and signal strength."""
