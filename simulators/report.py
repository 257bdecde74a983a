"""What was published, device by device, counted so that a test can hold a platform to it.

`published` counts a message once the broker has acknowledged it (PUBACK; at QoS 0 once it is
written to the socket), and once only. It is exact as long as no connection broke. When one breaks,
MQTT has the client send again what was not acknowledged, and the broker may then have such a
message twice: each is counted in `resent`, so that for every device

    published <= messages that reached the broker <= published + resent + unacknowledged

with equality on the left when `resent` and `unacknowledged` are 0. A platform that tells copies
apart counts the surplus as duplicates.
"""

from __future__ import annotations

from typing import Any

import msgspec

from core.clock import iso
from simulators.outgoing import Outgoing


class Row(msgspec.Struct):
    """The account of one device. Counts are of acknowledged messages unless said otherwise.

    Attributes:
        site: site slug.
        device: device slug; `zigbee2mqtt/bridge` for what a site's Zigbee bridge says of itself.
        external_id: its name in topics.
        profile: its payload convention.
        published: messages.
        telemetry: of these, with measurements (well-formed or not).
        availability: of these, signs of life.
        metadata: of these, facts about devices.
        duplicates: of telemetry, second copies of the same bytes.
        malformed: of telemetry, those that nothing can decode.
        defective: of telemetry, those of which one field cannot be used.
        out_of_order: of telemetry, those published after a later one.
        backfilled: of telemetry, those with measurements kept while off line.
        wrong_clock: of telemetry, those whose time is not the time.
        faults: the malformed and defective ones by kind.
        readings: values in well-formed telemetry, copies not counted again.
        resent: messages in flight when a connection broke: the broker may have these twice.
        refused: messages that the broker refused (MQTT 5 reason code); not in `published`.
        unacknowledged: messages sent whose acknowledgement never came.
        measurements_lost: measured and never published, as in a gap.
        reboots: how often the device began again.
    """

    site: str
    device: str
    external_id: str
    profile: str
    published: int = 0
    telemetry: int = 0
    availability: int = 0
    metadata: int = 0
    duplicates: int = 0
    malformed: int = 0
    defective: int = 0
    out_of_order: int = 0
    backfilled: int = 0
    wrong_clock: int = 0
    faults: dict[str, int] = msgspec.field(default_factory=dict)
    readings: int = 0
    resent: int = 0
    refused: int = 0
    unacknowledged: int = 0
    measurements_lost: int = 0
    reboots: int = 0

    def acknowledged(self, message: Outgoing) -> None:
        """Count `message`, which the broker has."""
        self.published += 1
        if message.kind == "availability":
            self.availability += 1
            return
        if message.kind == "metadata":
            self.metadata += 1
            return
        self.telemetry += 1
        self.out_of_order += message.out_of_order
        self.backfilled += message.backfilled > 0
        self.wrong_clock += message.wrong_clock
        if message.malformed:
            self.malformed += 1
        if message.defective:
            self.defective += 1
        fault = message.malformed or message.defective
        if fault:
            self.faults[fault] = self.faults.get(fault, 0) + 1
        if message.duplicate:
            self.duplicates += 1
        else:
            self.readings += message.packet.readings


BRIDGE = "zigbee2mqtt/bridge"
"""How a bridge's own topics are called: by the levels that they share."""

_COUNTS = tuple(field.name for field in msgspec.structs.fields(Row) if field.type is int)


class Report(msgspec.Struct):
    """The account of a run.

    Attributes:
        name: of the scenario, or of the file replayed.
        seed: of the run, or None.
        started_ns: when it began, wall clock.
        finished_ns: when it was over.
        simulated_from_ns: first instant simulated, or recorded.
        simulated_to_ns: last instant simulated, or recorded.
        rows: one a device.
        connections: MQTT connections used.
        connections_lost: how often one broke.
        stopped: True when it was ended before its time.
        bad_rows: lines of a file that could not be used; 0 in a simulation.
    """

    name: str
    seed: int | None
    started_ns: int
    simulated_from_ns: int
    rows: list[Row] = msgspec.field(default_factory=list)
    finished_ns: int = 0
    simulated_to_ns: int = 0
    connections: int = 0
    connections_lost: int = 0
    stopped: bool = False
    bad_rows: int = 0

    def totals(self) -> dict[str, int]:
        """Return the sums over all rows."""
        return {name: sum(getattr(row, name) for row in self.rows) for name in _COUNTS}

    @property
    def wall_s(self) -> float:
        """How long it took, seconds."""
        return max(0, self.finished_ns - self.started_ns) / 1e9

    @property
    def exact(self) -> bool:
        """Whether the broker has exactly the messages counted, each once."""
        totals = self.totals()
        return totals["resent"] == 0 and totals["unacknowledged"] == 0

    def to_json(self) -> str:
        """Return the report as JSON text, for machines: see `docs/simulators.md`."""
        wall_s = self.wall_s
        totals = self.totals()
        told: dict[str, Any] = {
            "name": self.name,
            "seed": self.seed,
            "started": iso(self.started_ns),
            "finished": iso(self.finished_ns),
            "wall_s": round(wall_s, 3),
            "simulated_from": iso(self.simulated_from_ns),
            "simulated_to": iso(self.simulated_to_ns),
            "messages_per_s": round(totals["published"] / wall_s, 1) if wall_s else 0.0,
            "connections": self.connections,
            "connections_lost": self.connections_lost,
            "stopped": self.stopped,
            "bad_rows": self.bad_rows,
            "exact": self.exact,
            "totals": totals,
            "devices": [msgspec.to_builtins(row) for row in self.rows],
        }
        return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def bridge_row(site: str) -> Row:
    """Return the row for what a site's Zigbee bridge says about itself."""
    return Row(site=site, device=BRIDGE, external_id=BRIDGE, profile="zigbee2mqtt")
