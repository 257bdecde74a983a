"""SenML (RFC 8428), JSON and CBOR: base name and base time, one record a quantity."""

from __future__ import annotations

import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, ClassVar

import cbor2
import msgspec

from core.quantities import quantity
from simulators.formats.wire import ABSURD, FieldFault, Identity, Measurement, Packet

_json = msgspec.json.Encoder()
_MS_NS = 1_000_000

_REGISTERED_UNITS = {"relative_humidity": "%RH"}
_PLAIN_NUMBER = "1"

_CBOR_LABELS = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2, "vb": 4, "t": 6}


class SenmlJson:
    """`senml/v1/{site}/{device}/json`."""

    profile: ClassVar[str] = "senml"
    batches: ClassVar[bool] = True
    counted: ClassVar[bool] = False
    resolution_ns: ClassVar[int] = _MS_NS
    carries: ClassVar[frozenset[str] | None] = None
    own_readings: ClassVar[int] = 0
    shortest_interval_s: ClassVar[float] = 0.01

    def __init__(self, identity: Identity) -> None:
        self.topic = f"senml/v1/{identity.site}/{identity.external_id}/json"
        self._base_name = f"urn:dev:mac:{identity.hardware_id.removeprefix('0x')}:"

    def document(self, measurements: Sequence[Measurement], *, seq: int, boot: int) -> Any:
        """Return the pack: the last instant is the base time, earlier ones relate to it."""
        del seq, boot
        base_ns = measurements[-1].time_ns
        pack: list[dict[str, Any]] = []
        for measurement in measurements:
            offset = _seconds(measurement.time_ns - base_ns)
            for name, value in measurement.values.items():
                record: dict[str, Any] = {"n": name}
                if not pack:
                    record = {"bn": self._base_name, "bt": _seconds(base_ns), "n": name}
                unit = _REGISTERED_UNITS.get(name) or quantity(name).unit
                if isinstance(value, bool):
                    record["vb"] = value
                else:
                    if unit != _PLAIN_NUMBER:
                        record["u"] = unit
                    record["v"] = value
                if offset:
                    record["t"] = offset
                pack.append(record)
        return pack

    def encode(self, document: Any) -> bytes:
        """Return it as JSON."""
        return _json.encode(document)

    def damage(self, document: Any, fault: FieldFault, rng: random.Random) -> int | None:
        """Put one bad record into the pack."""
        if fault is FieldFault.UNKNOWN_QUANTITY:
            document.append({"n": "flux_capacitance", "v": round(rng.uniform(1, 2), 3)})
            return 0
        victims = [record for record in document if "v" in record]
        if len(document) < 2 or not victims:  # noqa: PLR2004 - one good field has to be left
            return None
        victim = rng.choice(victims)
        if fault is FieldFault.UNKNOWN_UNIT:
            victim["u"] = "furlong/fortnight"
        elif fault is FieldFault.WRONG_TYPE:
            del victim["v"]
            victim["vs"] = "n/a"
        else:
            victim["v"] = ABSURD
        return 1

    def extras(self, *, time_ns: int, seq: int, uptime_s: int) -> list[Packet]:
        """Return nothing: everything is in the pack."""
        del time_ns, seq, uptime_s
        return []

    def status(self, *, online: bool) -> Packet | None:
        """Return None: SenML has no sign of life."""
        del online
        return None


class SenmlCbor(SenmlJson):
    """`senml/v1/{site}/{device}/cbor`: the same pack with the integer labels of RFC 8428, 6."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.topic = f"senml/v1/{identity.site}/{identity.external_id}/cbor"

    def encode(self, document: Any) -> bytes:
        """Return it as CBOR."""
        labels = {**_CBOR_LABELS, "vs": 3}
        if not isinstance(document, list):
            return cbor2.dumps(document)
        return cbor2.dumps([{labels[key]: v for key, v in record.items()} for record in document])


def _seconds(time_ns: int) -> float:
    """Return seconds with milliseconds, as the decimal that a device would print."""
    return float(Decimal(time_ns // _MS_NS).scaleb(-3))
