"""Decoding an archive again: what differs is told, written once, and nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from core.clock import NS_PER_S, ManualClock
from core.errors import ConfigurationError, NotFoundError
from core.reading import DeviceKey, Point
from core.reasons import Reason
from devices.profile_files import load_profile
from devices.registry import Registry
from devices.registry.records import Device
from ingest.archive_segments import segments_of
from ingest.arrival import Arrival
from ingest.checkpoint import Checkpoint
from ingest.directory import Directory, take_snapshot
from ingest.redecode import Redecode, Redecoded, Wanted
from ingest.redecode_compare import Change, ChangeKind, spans
from ingest.redecode_journal import JOURNAL, JournalLine, lines_of, note
from ingest.redecode_versions import ProfileJudges
from storage.backends.memory import MemoryStore
from storage.ports import Rejected, Retry, Selection, Written
from tests.support.archiving import NOW, POLICY, ArchiveBench, StageCrashError
from tests.support.directory import LIMITS

PROFILE = """
name: boiler
version: 1
description: {{en: Boiler controller, fr: Régulateur de chaufferie}}
format: tasmota
topics:
  - {{template: "{{site}}/boiler/{{device}}", kind: telemetry, reader: document}}
{time}
rules:
{rules}
"""
TIME = "time: {path: [ts], format: epoch_ms}"
TENTHS = "  - {path: [t], quantity: air_temperature, unit: Cel, scale: 0.1}"
WHOLE = "  - {path: [t], quantity: air_temperature, unit: Cel}"
HUMIDITY = '  - {path: [h], quantity: relative_humidity, unit: "%"}'
TOPIC = b"elgazala/boiler/boiler-1"
KEY = ("elgazala", "boiler-1")
MOST = 10**19 // 2


class World:
    """A registry, an archive fed by hand, and a store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = ManualClock(NOW)
        self.registry = Registry.open(f"sqlite:///{directory / 'registry.db'}", clock=self.clock)
        self.registry.migrate()
        self.registry.sites.seed()
        self.store = MemoryStore()
        self.put(WHOLE, HUMIDITY)
        for name in ("boiler-1", "boiler-2"):
            self.registry.devices.add(
                Device(id=name, site="elgazala", profile="boiler", external_id=name)
            )
        snapshot = take_snapshot(self.registry, limits=LIMITS)
        self.bench = ArchiveBench(directory, self.clock, devices=Directory(snapshot))

    def put(self, *rules: str, time: str = TIME) -> None:
        file = self.directory / "boiler.yaml"
        file.write_text(PROFILE.format(time=time, rules="\n".join(rules)))
        profile, bindings = load_profile(file)
        self.registry.profiles.put(profile)
        for binding in bindings:
            self.registry.profiles.bind(binding)

    def receive(self, *bodies: object, topic: bytes = TOPIC, **more: object) -> None:
        given = []
        for body in bodies:
            self.clock.advance(1)
            payload = body if isinstance(body, bytes) else msgspec.json.encode(body)
            fields = {"received_ns": self.clock.now_ns(), "qos": 1, **more}
            given.append(msgspec.convert({"topic": topic, "payload": payload, **fields}, Arrival))
        self.bench.receive(*given)

    def told(self, number: int, **values: float) -> dict[str, float]:
        return {"ts": (NOW // 1_000_000) + number * 1000, **values}

    def stored(self) -> None:
        self.bench.drain(self.store)

    def redecode(
        self,
        *,
        dry_run: bool = False,
        remove: bool = False,
        version: int | None = None,
        wanted: Wanted | None = None,
        store: MemoryStore | None = None,
        portion: int = 10_000,
    ) -> Redecoded:
        kept = store or self.store
        return Redecode(
            archive=self.bench.archived,
            spool=self.bench.spool.path,
            judges=self.judges(version=version),
            store=kept,
            writer=None if dry_run else kept,
            remover=kept if remove and not dry_run else None,
            wanted=wanted or Wanted(0, MOST),
            clock=self.clock,
            at_once=100,
            examples=3,
            pause=lambda _seconds, _reason: None,
            portion=portion,
        ).run()

    def judges(self, *, version: int | None = None) -> ProfileJudges:
        return ProfileJudges(
            registry=self.registry, profile="boiler", version=version, limits=LIMITS, clock=POLICY
        )

    def values(self, quantity: str = "air_temperature", device: str = "boiler-1") -> list[float]:
        selection = Selection((DeviceKey("elgazala", device),), (quantity,), 0, MOST)
        return [one.value for one in self.store.read(selection, limit=10_000).readings]

    def close(self) -> None:
        self.bench.close()
        self.registry.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def counts(done: Redecoded) -> tuple[int, int, int]:
    added, changed, removed = (done.count(kind) for kind in ChangeKind)
    return added, changed, removed


def test_a_corrected_profile_changes_what_the_wrong_one_stored(world: World) -> None:
    world.receive(*(world.told(number, t=21 + number, h=40) for number in range(5)))
    world.stored()
    assert world.values() == [21, 22, 23, 24, 25]
    world.put(TENTHS, HUMIDITY)
    dry = world.redecode(dry_run=True)
    assert counts(dry) == (0, 5, 0)
    assert (dry.points, world.values()) == (0, [21, 22, 23, 24, 25])
    at_ns = (NOW // 1_000_000) * 1_000_000
    assert dry.examples[ChangeKind.CHANGED][0] == Change(
        ChangeKind.CHANGED, *KEY, "air_temperature", at_ns, 21.0, 21 * 0.1
    )
    assert len(dry.examples[ChangeKind.CHANGED]) == 3
    done = world.redecode()
    assert (counts(done), done.messages, done.points) == ((0, 5, 0), 5, 5)
    assert world.values() == pytest.approx([2.1, 2.2, 2.3, 2.4, 2.5])
    assert world.values("relative_humidity") == [40] * 5
    again = world.redecode()
    assert (counts(again), again.points) == ((0, 0, 0), 0)
    assert again.values[*KEY, "relative_humidity"].same == 5


def test_a_rule_that_was_missing_adds_and_one_that_is_gone_is_listed(world: World) -> None:
    world.put(HUMIDITY)
    snapshot = take_snapshot(world.registry, limits=LIMITS)
    world.bench.devices.replace(snapshot)
    world.receive(world.told(1, t=20, h=40), world.told(2, t=21, h=41))
    world.stored()
    world.put(WHOLE)
    done = world.redecode()
    assert counts(done) == (2, 0, 2)
    assert done.examples[ChangeKind.REMOVED][0].before == 40
    assert (world.values(), world.values("relative_humidity")) == ([20, 21], [40, 41])
    assert done.deleted == 0
    removed = world.redecode(remove=True)
    assert (counts(removed), removed.deleted) == ((0, 0, 2), 2)
    assert (world.values(), world.values("relative_humidity")) == ([20, 21], [])
    assert counts(world.redecode(remove=True)) == (0, 0, 0)


def test_a_value_that_no_version_gave_is_left_alone(world: World) -> None:
    world.receive(world.told(1, t=20, h=40))
    world.stored()
    at_ns = (NOW // 1_000_000 + 1000) * 1_000_000
    world.store.write([Point(*KEY, "environment", at_ns, {"relative_humidity": 55.0})])
    world.put(WHOLE)
    assert counts(world.redecode(remove=True)) == (0, 0, 0)
    assert world.values("relative_humidity") == [55]


def test_a_corrected_instant_adds_the_value_where_it_belongs(world: World) -> None:
    world.put(WHOLE, time="time: {path: [sent], format: epoch_ms}")
    world.bench.devices.replace(take_snapshot(world.registry, limits=LIMITS))
    sent = NOW // 1_000_000
    world.receive({"ts": sent - 60_000, "sent": sent, "t": 20})
    world.stored()
    world.put(WHOLE)
    done = world.redecode(remove=True)
    assert counts(done) == (1, 0, 1)
    assert [one.time_ns for one in done.examples[ChangeKind.ADDED]] == [(sent - 60_000) * 1_000_000]
    assert world.values() == [20]


def test_copies_and_other_profiles_are_not_decoded(world: World) -> None:
    body = msgspec.json.encode({"t": 20})
    world.put(WHOLE, time="")
    world.bench.devices.replace(take_snapshot(world.registry, limits=LIMITS))
    world.receive(body, body)
    world.receive(b"{}", topic=b"elsewhere/entirely")
    world.stored()
    assert world.values() == [20]
    world.put(TENTHS, time="")
    done = world.redecode()
    assert (done.messages, counts(done)) == (1, (0, 1, 0))
    assert world.values() == [2]


def test_what_was_not_committed_before_a_crash_is_not_decoded_twice(world: World) -> None:
    world.put(WHOLE, time="")
    world.bench.devices.replace(take_snapshot(world.registry, limits=LIMITS))
    world.receive({"t": 20})
    lost = Arrival(TOPIC, b'{"t": 21}', world.clock.now_ns() + NS_PER_S, mid=4, qos=1)
    world.bench.crash(lost, at=Checkpoint.ARCHIVED)
    again = msgspec.structs.replace(lost, received_ns=lost.received_ns + 5 * NS_PER_S, dup=True)
    world.bench.receive(again)
    world.stored()
    done = world.redecode()
    assert (done.messages, counts(done)) == (2, (0, 0, 0))


def test_a_block_that_the_running_worker_has_not_committed_yet_waits(world: World) -> None:
    world.receive(world.told(1, t=20))
    world.stored()
    stage = world.bench
    stage.crash_at = Checkpoint.ARCHIVED
    with pytest.raises(StageCrashError):
        world.receive(world.told(2, t=21))
    done = world.redecode(dry_run=True)
    assert (done.messages, done.waiting) == (1, 1)


def test_what_still_waits_for_the_store_is_left_for_later(world: World) -> None:
    world.receive(world.told(1, t=20))
    world.stored()
    world.receive(world.told(2, t=21))
    world.put(TENTHS)
    done = world.redecode()
    assert (done.messages, done.waiting, counts(done)) == (1, 1, (0, 1, 0))
    world.stored()
    assert world.values() == [2, 21]
    done = world.redecode()
    assert (done.messages, done.waiting, counts(done)) == (2, 0, (0, 1, 0))
    assert world.values() == pytest.approx([2, 2.1])


def test_a_dead_letter_is_left_to_its_replay_and_decoded_once_it_was_replayed(
    world: World,
) -> None:
    world.receive(world.told(1, t=215))
    world.stored()
    world.put(TENTHS)
    done = world.redecode()
    assert (done.messages, done.set_aside) == (0, 1)
    assert world.values() == []
    world.bench.devices.replace(take_snapshot(world.registry, limits=LIMITS))
    world.clock.advance(1)
    world.bench.accept.replay(world.bench.spool.dead_letters_since(0, limit=10))
    assert world.redecode().set_aside == 1
    world.stored()
    assert world.values() == [21.5]
    world.put(TENTHS.replace("0.1", "0.2"))
    done = world.redecode()
    assert (done.messages, done.set_aside, counts(done)) == (1, 0, (0, 1, 0))
    assert world.values() == [43]


def test_only_what_is_asked_for_is_decoded(world: World) -> None:
    world.receive(world.told(1, t=20))
    world.receive(world.told(1, t=20), topic=b"elgazala/boiler/boiler-2")
    middle = world.clock.now_ns() + 1
    world.receive(world.told(3, t=22))
    world.stored()
    world.put(TENTHS)
    assert world.redecode(dry_run=True, wanted=Wanted(0, middle)).messages == 2
    assert world.redecode(dry_run=True, wanted=Wanted(middle, MOST)).messages == 1
    assert world.redecode(dry_run=True, wanted=Wanted(0, MOST, "diamniadio")).messages == 0
    done = world.redecode(wanted=Wanted(0, MOST, "elgazala", "boiler-2"))
    assert (done.messages, list(done.values)) == (1, [("elgazala", "boiler-2", "air_temperature")])
    assert (world.values(), world.values(device="boiler-2")) == ([20, 22], [2])


def test_an_older_version_can_be_asked_for(world: World) -> None:
    world.receive(world.told(1, t=20))
    world.stored()
    world.put(TENTHS)
    world.redecode()
    assert world.values() == [2]
    back = world.redecode(version=1)
    assert counts(back) == (0, 1, 0)
    assert world.values() == [20]
    with pytest.raises(NotFoundError, match="profile boiler has no version 9; it has 1, 2"):
        world.redecode(version=9)


def test_what_the_profile_cannot_use_any_more_is_told_by_reason(world: World) -> None:
    world.receive(world.told(1, t=20))
    world.stored()
    world.put(WHOLE.replace("Cel}", "Cel, scale: 100}"))
    done = world.redecode()
    assert done.unusable == {Reason.OUT_OF_RANGE: 1}
    assert counts(done) == (0, 0, 1)


def test_small_portions_give_what_one_large_one_gives(world: World) -> None:
    world.receive(*(world.told(number, t=21, h=number) for number in range(50)))
    world.stored()
    world.put(TENTHS)
    whole = world.redecode(dry_run=True)
    parts = world.redecode(dry_run=True, portion=7)
    assert counts(whole) == counts(parts) == (0, 50, 50)
    assert whole.values == parts.values


class _Dying(MemoryStore):
    """A store in front of which the process ends after so many writes."""

    def __init__(self, kept: MemoryStore, writes: int) -> None:
        super().__init__()
        self.kept, self.writes = kept, writes
        self.read = kept.read  # type: ignore[method-assign]

    def write(self, points: Sequence[Point]) -> Written | Retry:
        if self.writes == 0:
            raise KeyboardInterrupt
        self.writes -= 1
        return self.kept.write(points)


def test_interrupted_anywhere_it_is_run_again_and_writes_what_is_left(world: World) -> None:
    world.receive(*(world.told(number, t=21) for number in range(60)))
    world.stored()
    world.put(TENTHS)
    with pytest.raises(KeyboardInterrupt):
        world.redecode(store=_Dying(world.store, 2), portion=10)
    assert world.values() == pytest.approx([2.1] * 20 + [21] * 40)
    rest = world.redecode(portion=10)
    assert (counts(rest), rest.points) == ((0, 40, 0), 40)
    assert world.values() == pytest.approx([2.1] * 60)


class _Fickle(MemoryStore):
    """A store that first asks to wait, then refuses a value."""

    def __init__(self, kept: MemoryStore) -> None:
        super().__init__()
        self.kept, self.asked = kept, 0
        self.read = kept.read  # type: ignore[method-assign]

    def write(self, points: Sequence[Point]) -> Written | Retry:
        self.asked += 1
        if self.asked < 3:
            return Retry("it is being repaired")
        self.kept.write(points[1:])
        return Written((Rejected(0, "field type conflict"),))


def test_a_store_that_asks_to_wait_is_asked_again_and_refusals_are_told(world: World) -> None:
    world.receive(*(world.told(number, t=21) for number in range(4)))
    world.stored()
    world.put(TENTHS)
    done = world.redecode(store=_Fickle(world.store))
    assert (done.points, done.rejected, done.reasons) == (4, 1, ["field type conflict"])


def test_a_damaged_block_is_told_and_the_others_are_decoded(world: World) -> None:
    for number in range(3):
        world.receive(world.told(number, t=21))
        world.bench.restart()
    world.stored()
    segment = segments_of(world.bench.archived)[1]
    data = bytearray(segment.path.read_bytes())
    data[-5] ^= 1
    segment.path.write_bytes(bytes(data))
    done = world.redecode(dry_run=True)
    assert done.messages == 2
    assert [one.path for one in done.damaged] == [segment.path]


def test_without_the_spool_nothing_is_said_of_an_archive(world: World) -> None:
    world.receive(world.told(1, t=20))
    world.bench.spool.path.rename(world.directory / "aside.db")
    with pytest.raises(ConfigurationError, match="there is no spool"):
        world.redecode()


def test_an_hour_without_values_parts_what_is_read() -> None:
    hour = 3600 * NS_PER_S
    assert list(spans([5])) == [(5, 5)]
    assert list(spans([0, hour, 2 * hour + 1, 2 * hour + 2])) == [
        (0, hour),
        (2 * hour + 1, 2 * hour + 2),
    ]


def test_the_journal_keeps_every_run_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    assert lines_of(tmp_path) == []
    begun = JournalLine(
        event="begun",
        run=1,
        at="now",
        by="me@here",
        profile="boiler",
        version=2,
        begin="a",
        end="b",
    )
    done = msgspec.structs.replace(begun, event="done", changed=5)
    note(tmp_path, begun)
    note(tmp_path, done)
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"event":"be')
    assert lines_of(tmp_path) == [begun, done]
