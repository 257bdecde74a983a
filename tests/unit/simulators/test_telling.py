"""What a device publishes: the invariants that the docstring of simulators.telling promises."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import msgspec
import pytest

from core.clock import NS_PER_S, iso
from simulators.fleet import Fleet
from simulators.outgoing import Outgoing
from simulators.scenario import Scenario, load_scenario
from simulators.telling import DeviceStream

START = 1_795_413_600 * NS_PER_S  # 2026-11-23T06:00:00Z
CLEAN = load_scenario("two-parks")


def scenario(
    *, wire: str = "passerelle-json", kind: str = "room_climate", batch: int = 1, **more: Any
) -> Scenario:
    group = {"site": "elgazala", "kind": kind, "format": wire, "count": 3, "interval": "10s"}
    return Scenario.model_validate(
        {
            "name": "test",
            "sites": [CLEAN.sites[0].model_dump()],
            "groups": [{**group, "batch": batch}],
            **more,
        }
    )


def tell(stream: DeviceStream, ticks: int) -> list[Outgoing]:
    return [message for _ in range(ticks) for message in stream.tick()]


def one(spec: Scenario, *, boot: int = 7) -> DeviceStream:
    return Fleet(spec).streams(start_ns=START, boot=boot)[0]


def read(message: Outgoing) -> dict[str, Any]:
    document: dict[str, Any] = msgspec.json.decode(message.packet.payload)
    return document


def seqs(messages: list[Outgoing]) -> list[int]:
    return [read(message)["seq"] for message in messages]


def test_the_same_seed_and_start_give_the_same_bytes() -> None:
    spec = load_scenario("rough-day")
    first, second = (
        [tell(stream, 20) for stream in Fleet(spec).streams(start_ns=START, boot=1)]
        for _ in range(2)
    )
    assert first == second
    other = [tell(s, 20) for s in Fleet(spec, seed=99).streams(start_ns=START, boot=1)]
    assert first != other


def test_adding_devices_changes_nothing_for_the_others() -> None:
    spec = load_scenario("rough-day")
    told = []
    for devices in (60, 200):
        streams = Fleet(spec, devices=devices).streams(start_ns=START, boot=1)
        told.append({s.device.id: [m.packet for m in tell(s, 30)] for s in streams})
    small, large = told
    assert len(small) == 60
    assert small.keys() <= large.keys()
    assert all(large[device] == packets for device, packets in small.items())


def test_faults_do_not_change_what_is_measured() -> None:
    faulty = scenario(faults={"duplicate": 0.3, "reorder": 0.3, "gap": {"probability": 0.1}})
    clean = {read(m)["seq"]: read(m)["v"] for m in tell(one(scenario()), 60)}
    told = {read(m)["seq"]: read(m)["v"] for m in tell(one(faulty), 60)}
    assert 0 < len(told) < 60
    assert told.items() <= clean.items()


def test_only_duplicates_are_equal_byte_for_byte() -> None:
    fleet = Fleet(load_scenario("rough-day"), devices=120)
    for stream in fleet.streams(start_ns=START, boot=1):
        messages = tell(stream, 150) + stream.finish()
        seen = Counter((m.packet.topic, m.packet.payload) for m in messages if m.packet.payload)
        copies = sum(count - 1 for count in seen.values())
        assert copies == sum(m.duplicate for m in messages)


def test_sequence_numbers_grow_by_one() -> None:
    messages = tell(one(scenario()), 20)
    assert seqs(messages) == list(range(20))
    assert {read(m)["boot"] for m in messages} == {7}


def test_measurements_come_at_their_interval() -> None:
    stream = one(scenario())
    dues = []
    for _ in range(50):
        dues.append(stream.due_ns)
        stream.tick()
    steps = [(b - a) / NS_PER_S for a, b in itertools.pairwise(dues)]
    assert all(9.5 <= step <= 10.5 for step in steps)
    assert START <= dues[0] < START + 10 * NS_PER_S


def test_a_reboot_begins_again_at_0_with_the_next_boot_number() -> None:
    stream = one(scenario(schedule=[{"at": "55s", "fault": "reboot"}]))
    told = [(read(m)["boot"], read(m)["seq"]) for m in tell(stream, 10)]
    assert told[:3] == [(7, 0), (7, 1), (7, 2)]
    assert (8, 0) in told
    assert told == sorted(told)
    assert stream.losses.reboots == 1


def test_a_gap_loses_messages_and_leaves_a_hole_in_the_sequence() -> None:
    stream = one(scenario(schedule=[{"at": "20s", "fault": "gap", "duration": "30s"}]))
    told = seqs(tell(stream, 12))
    assert len(told) == 9
    assert sorted(set(range(12)) - set(told)) == [told[1] + 1, told[1] + 2, told[1] + 3]
    assert stream.losses.measurements_lost == 3


@pytest.mark.parametrize("batch", [1, 3])
def test_what_was_measured_off_line_comes_later_in_batches_with_its_own_times(batch: int) -> None:
    spec = scenario(batch=batch, schedule=[{"at": "60s", "fault": "offline", "duration": "5m"}])
    clean = tell(one(scenario(batch=batch)), 60)
    stream = one(spec)
    messages = [m for m in tell(stream, 60) + stream.finish() if m.kind == "telemetry"]

    def instants(told: list[Outgoing]) -> list[str]:
        documents = [read(message) for message in told]
        return [
            entry["t"] for document in documents for entry in document.get("batch") or [document]
        ]

    assert instants(messages) == instants(clean)
    late = [m for m in messages if m.backfilled]
    assert late
    assert sum(m.backfilled for m in late) >= 28
    assert stream.losses.measurements_lost == 0
    assert seqs(messages) == list(range(len(messages)))


def test_a_protocol_without_batches_loses_what_was_measured_off_line() -> None:
    spec = scenario(
        wire="zigbee2mqtt", schedule=[{"at": "60s", "fault": "offline", "duration": "5m"}]
    )
    stream = one(spec)
    messages = tell(stream, 60)
    assert len(messages) == 60 - stream.losses.measurements_lost
    assert 28 <= stream.losses.measurements_lost <= 31
    assert not any(m.backfilled for m in messages)


@pytest.mark.parametrize(
    ("kind", "shown"), [("epoch", "1970-01"), ("future", "2100-01"), ("offset", "2026-11-23T05")]
)
def test_a_wrong_clock_says_another_time_for_a_while(kind: str, shown: str) -> None:
    entry = {"at": "50s", "fault": "wrong_clock", "duration": "1m", "kind": kind}
    messages = tell(one(scenario(schedule=[entry])), 20)
    wrong = [m for m in messages if m.wrong_clock]
    assert 6 <= len(wrong) <= 7
    assert all(read(m)["t"].startswith(shown) for m in wrong)
    assert all(read(m)["t"] >= iso(START) for m in messages if not m.wrong_clock)


def test_reordered_messages_follow_a_later_one_and_none_is_lost() -> None:
    stream = one(scenario(faults={"reorder": 0.2}))
    messages = tell(stream, 100) + stream.finish()
    told = [m for m in messages if m.kind == "telemetry"]
    assert sorted(seqs(told)) == list(range(100))
    highest = -1
    for message in told:
        seq = read(message)["seq"]
        assert message.out_of_order == (seq < highest)
        highest = max(highest, seq)
    assert sum(m.out_of_order for m in told) > 5


def test_a_batch_is_one_message_with_as_many_instants() -> None:
    messages = tell(one(scenario(batch=4)), 20)
    assert len(messages) == 5
    assert all(len(read(m)["batch"]) == 4 for m in messages)
    assert all(m.packet.readings == 12 for m in messages)


@pytest.mark.parametrize("wire", ["passerelle-json", "zigbee2mqtt", "tasmota"])
def test_a_device_says_online_once_and_offline_once(wire: str) -> None:
    spec = scenario(wire=wire, faults={"reboot": 0.2})
    stream = one(spec)
    messages = stream.begin() + tell(stream, 50) + stream.finish()
    status = [m.packet for m in messages if m.kind == "availability"]
    assert len(status) == 2
    assert all(packet.retain for packet in status)
    assert b"n" in status[0].payload
    assert b"ff" in status[1].payload
