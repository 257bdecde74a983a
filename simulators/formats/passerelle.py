"""Passerelle's own payloads, JSON and CBOR, as documented for firmware in `docs/firmware.md`."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, ClassVar

import cbor2
import msgspec

from core.clock import iso
from simulators.formats.wire import ABSURD, FieldFault, Identity, Measurement, Packet

_json = msgspec.json.Encoder()


class PasserelleJson:
    """`passerelle/v1/{site}/{device}/telemetry`."""

    profile: ClassVar[str] = "passerelle"
    batches: ClassVar[bool] = True
    counted: ClassVar[bool] = True
    resolution_ns: ClassVar[int] = 1_000_000
    carries: ClassVar[frozenset[str] | None] = None
    own_readings: ClassVar[int] = 0
    shortest_interval_s: ClassVar[float] = 0.01

    def __init__(self, identity: Identity) -> None:
        self._prefix = f"passerelle/v1/{identity.site}/{identity.external_id}"
        self.topic = f"{self._prefix}/telemetry"

    def document(self, measurements: Sequence[Measurement], *, seq: int, boot: int) -> Any:
        """Return one measurement as `t` and `v`, several as `batch`."""
        head: dict[str, Any] = {"seq": seq, "boot": boot}
        entries = [{"t": iso(m.time_ns), "v": dict(m.values)} for m in measurements]
        if len(entries) == 1:
            return {**head, "t": entries[0]["t"], "sim": True, "v": entries[0]["v"]}
        return {**head, "sim": True, "batch": entries}

    def encode(self, document: Any) -> bytes:
        """Return it as JSON."""
        return _json.encode(document)

    def damage(self, document: Any, fault: FieldFault, rng: random.Random) -> int | None:
        """Put one bad field into the first instant of `document`."""
        entry = document["batch"][0] if "batch" in document else document
        return damage_values(entry, fault, rng)

    def extras(self, *, time_ns: int, seq: int, uptime_s: int) -> list[Packet]:
        """Return nothing: everything is in the telemetry."""
        del time_ns, seq, uptime_s
        return []

    def status(self, *, online: bool) -> Packet | None:
        """Return the retained sign of life."""
        return Packet(
            topic=f"{self._prefix}/status",
            payload=b"online" if online else b"offline",
            readings=1,
            retain=True,
        )


class PasserelleCbor(PasserelleJson):
    """`passerelle/v1/{site}/{device}/telemetry/cbor`: the same structure in CBOR (RFC 8949)."""

    def __init__(self, identity: Identity) -> None:
        super().__init__(identity)
        self.topic = f"{self._prefix}/telemetry/cbor"

    def encode(self, document: Any) -> bytes:
        """Return it as CBOR."""
        return cbor2.dumps(document)


def damage_values(entry: dict[str, Any], fault: FieldFault, rng: random.Random) -> int | None:
    """Put one bad field into `entry`, whose `v` maps quantities to values."""
    values = entry["v"]
    if fault is FieldFault.UNKNOWN_QUANTITY:
        values["flux_capacitance"] = round(rng.uniform(1, 2), 3)
        return 0
    numbers = [name for name, value in values.items() if not isinstance(value, bool)]
    if len(values) < 2 or not numbers:  # noqa: PLR2004 - one good field has to be left
        return None
    victim = rng.choice(numbers)
    if fault is FieldFault.UNKNOWN_UNIT:
        values[victim] = {"v": values[victim], "u": "furlong/fortnight"}
    elif fault is FieldFault.WRONG_TYPE:
        values[victim] = "n/a"
    else:
        values[victim] = ABSURD
    return 1
