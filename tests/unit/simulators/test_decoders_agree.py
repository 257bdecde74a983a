"""Two independent readings of each convention: what the simulators write, the decoders read."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from core.clock import NS_PER_S
from core.message import Decoded, DecodeError, MessageKind, RawMessage
from core.quality import Quality
from core.reasons import Reason
from devices.decoder import Decoder, Limits, shipped_bindings, shipped_profiles
from ingest.validate import ClockPolicy, validate
from simulators.fleet import Fleet
from simulators.formats.catalogue import WIRES
from simulators.formats.wire import FieldFault, Measurement
from simulators.malformed import Malformation
from simulators.outgoing import Outgoing
from simulators.runner import bridges
from simulators.scenario import load_scenario

START = 1_795_413_600 * NS_PER_S  # 2026-11-23T06:00:00Z
CLOCK = ClockPolicy(earliest_ns=1_577_836_800 * NS_PER_S, ahead_ns=300 * NS_PER_S)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(
        profiles=shipped_profiles(),
        bindings=shipped_bindings(),
        sites={"elgazala": ZoneInfo("Africa/Tunis"), "diamniadio": ZoneInfo("Africa/Dakar")},
        limits=Limits(max_payload_bytes=256 * 1024, max_depth=32, max_readings=10_000),
    )


def decode(decoder: Decoder, message: Outgoing, *, now_ns: int) -> Decoded:
    packet = message.packet
    return decoder.decode(
        RawMessage(topic=packet.topic, payload=packet.payload, received_ns=now_ns)
    )


def messages(fleet: Fleet, *, ticks: int) -> Iterator[tuple[int, Outgoing]]:
    for stream in fleet.streams(start_ns=START, boot=1):
        for _ in range(ticks):
            now_ns = stream.due_ns
            for message in stream.tick():
                yield now_ns, message


def values_of(decoded: Decoded, *, now_ns: int) -> dict[tuple[int, str], float]:
    judged = validate(decoded, site="s", device="d", received_ns=now_ns, clock=CLOCK)
    assert not judged.defects
    return {
        (point.time_ns, name): value
        for point in judged.points
        for name, value in point.values.items()
    }


@pytest.mark.parametrize("wire", sorted(WIRES))
def test_every_value_and_instant_is_read_back_exactly(decoder: Decoder, wire: str) -> None:
    fleet = Fleet(load_scenario("two-parks"))
    devices = [d for d in fleet.devices if d.wire == wire]
    assert devices
    for device in devices:
        writer = WIRES[wire](device.identity)
        instants = [START + 123_000_000, START + 60 * NS_PER_S]
        instants = [at // writer.resolution_ns * writer.resolution_ns for at in instants]
        values: dict[str, float | bool] = {
            "air_temperature": 21.37,
            "relative_humidity": 44.5,
            "carbon_dioxide": 612.0,
            "active_power": 431.2,
            "energy_imported": 5131.204117,
            "door_open": True,
            "battery_level": 81.0,
        }
        if writer.carries is not None:
            values = {name: value for name, value in values.items() if name in writer.carries}
        if writer.profile == "zigbee2mqtt":
            del values["active_power"]
        count = 2 if writer.batches else 1
        measured = [Measurement(at, values) for at in instants[:count]]
        payload = writer.encode(writer.document(measured, seq=7, boot=2))
        decoded = decoder.decode(
            RawMessage(topic=writer.topic, payload=payload, received_ns=instants[-1])
        )
        assert (decoded.profile, decoded.site, decoded.external_id) == (
            device.profile,
            device.site,
            device.external_id,
        )
        read = values_of(decoded, now_ns=instants[-1])
        read = {key: value for key, value in read.items() if key[1] != "link_quality"}
        assert read == {(m.time_ns, name): v for m in measured for name, v in m.values.items()}


def test_a_fleet_without_faults_is_read_whole(decoder: Decoder) -> None:
    fleet = Fleet(load_scenario("two-parks"), devices=60)
    seen = 0
    for now_ns, message in messages(fleet, ticks=12):
        device = fleet.devices[message.row]
        decoded = decode(decoder, message, now_ns=now_ns)
        assert decoded.kind is MessageKind.TELEMETRY
        assert decoded.external_id == device.external_id
        assert len(decoded.samples) == message.packet.readings
        values_of(decoded, now_ns=now_ns)
        if device.profile == "passerelle":
            assert decoded.simulated
        seen += 1
    assert seen > 600


def test_signs_of_life_and_device_lists_are_read(decoder: Decoder) -> None:
    fleet = Fleet(load_scenario("two-parks"))
    kinds = set()
    for stream in fleet.streams(start_ns=START, boot=1):
        for online, made in ((1.0, stream.begin()), (0.0, stream.finish())):
            for message in made:
                decoded = decode(decoder, message, now_ns=START)
                assert decoded.kind is MessageKind.AVAILABILITY
                assert [(s.quantity, float(s.value)) for s in decoded.samples] == [
                    ("online", online)
                ]
                kinds.add(decoded.profile)
    assert kinds == {"passerelle", "zigbee2mqtt", "tasmota"}
    for packet in bridges(fleet):
        decoded = decoder.decode(
            RawMessage(topic=packet.topic, payload=packet.payload, received_ns=START)
        )
        assert decoded.external_id == "zigbee2mqtt/bridge"
        wanted = {
            d.external_id: d.hardware_id
            for d in fleet.devices
            if d.profile == "zigbee2mqtt" and d.site == decoded.site
        }
        assert decoded.aliases == wanted


def test_every_fault_costs_what_the_report_says(decoder: Decoder) -> None:
    fleet = Fleet(load_scenario("rough-day"), devices=150)
    malformed: set[str] = set()
    defective: set[str] = set()
    for now_ns, message in messages(fleet, ticks=60):
        if message.malformed:
            malformed.add(message.malformed)
            with pytest.raises(DecodeError):
                decode(decoder, message, now_ns=now_ns)
            continue
        decoded = decode(decoder, message, now_ns=now_ns)
        judged = validate(decoded, site="s", device="d", received_ns=now_ns, clock=CLOCK)
        reasons = {defect.reason for defect in judged.defects} - {Reason.DEVICE_CLOCK}
        values = sum(len(point.values) for point in judged.points)
        assert judged.points
        assert values == message.packet.readings, message
        if message.defective:
            defective.add(message.defective)
            assert reasons, message
            assert all(point.quality & Quality.FIELD_DROPPED for point in judged.points)
        else:
            assert not reasons, message
    assert malformed == set(Malformation)
    assert defective == set(FieldFault)
