"""What the registry promises of ledgers, dead letters, workers and keys, on both databases."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from core.access import EVERYTHING
from core.clock import NS_PER_S, ManualClock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry import DeadLetter, LedgerRow, Registry, WorkerStatus
from devices.registry.tables import api_keys
from tests.contract.registry_data import (
    DATABASES,
    HOSTILE,
    HOUR,
    NOW_NS,
    device,
    ledger_row,
    letter,
    new_address,
    opened,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    yield from opened(new_address(request, tmp_path), clock)


def counts(row: LedgerRow) -> tuple[int, ...]:
    return row.received, row.stored, row.duplicate, row.dead_lettered, row.pending


# --- ledger


def test_publishing_again_changes_nothing_and_a_later_count_replaces(registry: Registry) -> None:
    rows = [ledger_row("d-1", pending=5), ledger_row("d-2", stored=3, duplicate=1)]
    for _ in range(3):
        registry.ledger.publish(rows)
    assert counts(registry.ledger.totals()) == (9, 3, 1, 0, 5)
    registry.ledger.publish([ledger_row("d-1", stored=4, dead_lettered=1, redelivered=7)])
    assert counts(registry.ledger.totals()) == (9, 7, 1, 1, 0)
    assert registry.ledger.totals().redelivered == 7
    registry.ledger.publish([])


def test_rows_can_be_read_as_the_workers_told_them(registry: Registry) -> None:
    rows = [
        ledger_row("a", stored=4, boot=3, missing=2, values_new=8, values_other=1),
        ledger_row("a", stored=5, boot=4),
        ledger_row("a", stored=6, hour=HOUR + 3600),
        ledger_row("a", stored=7, worker="worker-2"),
    ]
    registry.ledger.publish(rows)
    assert sorted(registry.ledger.lines(), key=repr) == sorted(rows, key=repr)
    assert registry.ledger.lines(worker="worker-2") == rows[3:]
    assert registry.ledger.lines(start_hour=HOUR + 3600) == [rows[2]]


def test_the_states_of_a_workers_dead_letters_are_known_without_reading_them(
    registry: Registry,
) -> None:
    registry.dead_letters.publish([letter(1), letter(2, state="replayed")])
    registry.dead_letters.publish([letter(3, worker="other")])
    states = registry.dead_letters.states(letter(1).worker)
    assert states == {letter(1).id: "open", letter(2).id: "replayed"}
    assert registry.dead_letters.states("nobody") == {}


def test_the_ledger_is_summed_over_workers_and_ordered(registry: Registry) -> None:
    registry.ledger.publish(
        [
            ledger_row("b", stored=1),
            ledger_row("a", stored=2, hour=HOUR + 3600),
            ledger_row("a", stored=3, site="diamniadio"),
            ledger_row("a", stored=4),
        ]
    )
    registry.ledger.publish([ledger_row("a", stored=10, worker="worker-2")])
    rows = registry.ledger.read()
    assert [(row.worker, row.site, row.device, row.hour, row.stored) for row in rows] == [
        ("", "diamniadio", "a", HOUR, 3),
        ("", "elgazala", "a", HOUR, 14),
        ("", "elgazala", "a", HOUR + 3600, 2),
        ("", "elgazala", "b", HOUR, 1),
    ]
    assert registry.ledger.read(site="elgazala", device="a", start_hour=HOUR + 1) == [rows[2]]
    assert registry.ledger.read(end_hour=HOUR + 3600, device="b") == [rows[3]]
    total = registry.ledger.totals(site="elgazala", end_hour=HOUR + 3600)
    assert (total.site, total.device, total.stored) == ("elgazala", "", 15)
    assert counts(registry.ledger.totals(site="nowhere")) == (0, 0, 0, 0, 0)


def test_pages_of_the_ledger_hold_every_row_once(registry: Registry) -> None:
    registry.ledger.publish(
        [
            ledger_row(name, stored=1, hour=HOUR + 3600 * hour, worker=worker)
            for name in ("a", "a-b", "ab", "é", "室", "B")
            for hour in range(3)
            for worker in ("worker-1", "worker-2")
        ]
    )
    whole = registry.ledger.read()
    assert [(row.device, row.hour) for row in whole] == sorted(
        (row.device, row.hour) for row in whole
    )
    paged: list[LedgerRow] = []
    after: tuple[str, str, int] | None = None
    while page := registry.ledger.read(after=after, limit=4):
        paged += page
        after = (page[-1].site, page[-1].device, page[-1].hour)
    assert paged == whole
    assert len(whole) == 18


def test_an_account_may_name_devices_and_sites_that_nobody_registered(registry: Registry) -> None:
    registry.ledger.publish(
        [ledger_row(name, stored=1, site="unassigned") for name in [*HOSTILE, "unidentified"]]
    )
    assert {row.device for row in registry.ledger.read()} == {*HOSTILE, "unidentified"}
    for name in HOSTILE:
        assert [row.device for row in registry.ledger.read(device=name)] == [name]


def test_names_that_cannot_stand_as_they_are_stay_apart(registry: Registry) -> None:
    long = ["x" * 200, "x" * 201, "x" * 300 + "y", "x" * 300 + "z"]
    odd = ["a\x00b", "a\\x00b", "\udcff", "\\udcff"]
    registry.ledger.publish([ledger_row(name, stored=1) for name in [*long, *odd]])
    shown = [row.device for row in registry.ledger.read()]
    assert len(set(shown)) == 8
    # Somebody may call a device as a marked name is shown: it is an account of its own too.
    registry.ledger.publish([ledger_row(name, stored=1) for name in shown])
    assert len(registry.ledger.read()) == 8 + sum("~" in name for name in shown)
    for name in [*long, *odd, *shown]:
        assert registry.ledger.totals(device=name).stored >= 1
    assert registry.ledger.totals(device="x" * 400).stored == 0


def test_an_account_that_does_not_add_up_is_refused_with_the_others(registry: Registry) -> None:
    wrong = msgspec.structs.replace(ledger_row("d-2", stored=1), received=3)
    with pytest.raises(ConflictError, match=r"'d-2'.* does not add up: received 3"):
        registry.ledger.publish([ledger_row("d-1", stored=1), wrong])
    assert registry.ledger.read() == []


def test_counts_and_hours_of_any_size_are_exact(registry: Registry) -> None:
    big = 2**62
    registry.ledger.publish([ledger_row("d-1", stored=big, hour=2**40)])
    assert registry.ledger.totals().stored == big
    assert registry.ledger.read()[0].hour == 2**40
    with pytest.raises(ConfigurationError, match="out of range"):
        registry.ledger.publish([ledger_row("d-1", stored=2**63)])
    with pytest.raises(ConfigurationError, match="longer than 64"):
        registry.ledger.publish([ledger_row("d-1", worker="w" * 65)])


def test_workers_that_publish_at_once_lose_nothing(registry: Registry) -> None:
    names = [f"d-{number}" for number in range(300)]

    def publish(round_: tuple[str, int]) -> None:
        worker, count = round_
        rows = [ledger_row(name, worker=worker, stored=count) for name in names]
        registry.ledger.publish(rows if count % 2 else rows[::-1])
        registry.dead_letters.publish(
            [
                letter(number, id=f"{worker}-{number}", worker=worker, attempts=count)
                for number in (range(50) if count % 2 else range(49, -1, -1))
            ]
        )

    rounds = [(f"worker-{worker}", count) for count in range(1, 6) for worker in (1, 1, 2, 3)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(publish, rounds))
    for worker in ("worker-1", "worker-2", "worker-3"):
        publish((worker, 6))
    assert registry.ledger.totals().stored == 3 * 6 * 300
    assert len(registry.ledger.read()) == 300
    assert registry.dead_letters.counts() == {("malformed", "open"): 150}


def test_ten_thousand_rows_are_published_at_once(registry: Registry) -> None:
    rows = [ledger_row(f"d-{number}", stored=number) for number in range(10_000)]
    registry.ledger.publish(rows)
    registry.ledger.publish(rows)
    registry.dead_letters.publish([letter(number) for number in range(10_000)])
    assert registry.ledger.totals().stored == sum(range(10_000))
    assert registry.dead_letters.counts() == {("malformed", "open"): 10_000}


# --- dead letters


def test_a_dead_letter_comes_back_byte_for_byte(registry: Registry) -> None:
    given = letter(
        1,
        payload=bytes(range(256)) * 2048,
        topic="passerelle/" + "é/室" * 100_000,
        properties={"content-type": "x", "日本": "' \" \\ \n", "": ""},
        detail="une phrase — with 'quotes' and \\",
        device="a device that nobody registered",
        received_ns=2**62,
    )
    registry.dead_letters.publish([given])
    assert registry.dead_letters.get(given.id) == given
    assert len(given.payload) == 512 * 1024
    assert len(given.topic) >= 300_000


def test_characters_that_a_database_cannot_hold_are_escaped(registry: Registry) -> None:
    registry.dead_letters.publish(
        [letter(1, topic="a\x00b", detail="\udcff", properties={"k\x00": "\ud800"}, payload=b"\0")]
    )
    kept = registry.dead_letters.get("worker-1-1")
    assert (kept.topic, kept.detail, kept.payload) == ("a\\x00b", "\\udcff", b"\0")
    assert kept.properties == {"k\\x00": "\\ud800"}


def test_publishing_a_dead_letter_again_replaces_it(registry: Registry) -> None:
    first = letter(1)
    replayed = msgspec.structs.replace(first, state="replayed", attempts=1, updated_ns=NOW_NS + 9)
    registry.dead_letters.publish([first, first, replayed])
    registry.dead_letters.publish([replayed])
    assert registry.dead_letters.list() == [replayed]
    assert registry.dead_letters.exists("worker-1-1")
    assert not registry.dead_letters.exists("worker-1-2")
    assert not registry.dead_letters.exists("\x00")


def test_dead_letters_are_listed_newest_first_in_pages(registry: Registry) -> None:
    letters = [letter(number, received_ns=NOW_NS + number // 3) for number in range(20)]
    registry.dead_letters.publish(letters)
    expected = sorted(letters, key=lambda one: (one.received_ns, one.id), reverse=True)
    paged: list[DeadLetter] = []
    while page := registry.dead_letters.list(after=paged[-1].id if paged else None, limit=7):
        paged += page
        registry.dead_letters.publish([letter(100 + len(paged), received_ns=NOW_NS + 999)])
    assert paged == expected
    assert registry.dead_letters.list(after="nobody-1") == []


def test_dead_letters_are_found_by_each_of_their_traits(registry: Registry) -> None:
    registry.dead_letters.publish(
        [
            letter(1),
            letter(2, site="diamniadio"),
            letter(3, device="d-2"),
            letter(4, reason="unknown_device"),
            letter(5, scope="field"),
            letter(6, state="replayed"),
            letter(7, id="worker-2-7", worker="worker-2"),
            letter(8, device="y" * 300),
        ]
    )
    dead_letters = registry.dead_letters

    def ids(**wanted: object) -> list[str]:
        found = dead_letters.list(**wanted)  # type: ignore[arg-type]
        return [one.id.rpartition("-")[2] for one in found]

    assert ids(site="diamniadio") == ["2"]
    assert ids(device="d-2") == ["3"]
    assert ids(device="y" * 300) == ids(device=dead_letters.get("worker-1-8").device) == ["8"]
    assert ids(reason="unknown_device") == ["4"]
    assert ids(scope="field") == ["5"]
    assert ids(state="replayed") == ["6"]
    assert ids(worker="worker-2") == ["7"]
    assert ids(since_ns=NOW_NS + 3, until_ns=NOW_NS + 6) == ["5", "4", "3"]
    assert ids(site="elgazala", device="d-1", state="open", limit=2) == ["7", "5"]
    assert ids(site="\x00") == ids(reason="\udcff") == []
    assert dead_letters.counts() == {
        ("malformed", "open"): 6,
        ("malformed", "replayed"): 1,
        ("unknown_device", "open"): 1,
    }


def test_a_dead_letter_that_is_not_there_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="'worker-1-1'"):
        registry.dead_letters.get("worker-1-1")
    for number in (0, -1, 1, 2**31, 2**70):
        with pytest.raises(NotFoundError, match="replay"):
            registry.dead_letters.get_request(number)
        with pytest.raises(NotFoundError, match="replay"):
            registry.dead_letters.finish_replay(number, 0, 0)


def test_removing_a_device_leaves_its_account_and_its_dead_letters(registry: Registry) -> None:
    registry.devices.add(device("d-1"))
    registry.ledger.publish([ledger_row("d-1", stored=1)])
    registry.dead_letters.publish([letter(1)])
    registry.devices.remove("d-1")
    assert registry.ledger.totals(device="d-1").stored == 1
    assert registry.dead_letters.exists("worker-1-1")


# --- replays


def test_a_replay_is_asked_of_each_worker_and_finished_once(
    registry: Registry, clock: ManualClock
) -> None:
    dead_letters = registry.dead_letters
    dead_letters.publish([letter(1), letter(2), letter(3, id="worker-2-3", worker="worker-2")])
    asked = dead_letters.request_replay(
        ["worker-1-2", "worker-2-3", "worker-1-1", "worker-1-2"], "an operator\x00"
    )
    assert [(one.worker, one.dead_letters) for one in asked] == [
        ("worker-1", ("worker-1-2", "worker-1-1")),
        ("worker-2", ("worker-2-3",)),
    ]
    assert {one.requested_by for one in asked} == {"an operator\\x00"}
    assert dead_letters.replay_requests("worker-1") == [asked[0]]
    assert dead_letters.get_request(asked[1].id) == asked[1]
    clock.advance(5)
    dead_letters.finish_replay(asked[0].id, 1, 1)
    done = dead_letters.get_request(asked[0].id)
    assert (done.finished_ns, done.replayed, done.failed) == (NOW_NS + 5 * NS_PER_S, 1, 1)
    dead_letters.finish_replay(asked[0].id, 0, 0)
    assert dead_letters.get_request(asked[0].id) == done
    assert dead_letters.replay_requests("worker-1") == []
    assert dead_letters.replay_requests("worker-2") == [asked[1]]


def test_a_replay_is_asked_of_all_or_of_none(registry: Registry) -> None:
    dead_letters = registry.dead_letters
    dead_letters.publish([letter(1), letter(2, state="replayed")])
    for missing in ("worker-1-9", "\x00", "x" * 1000):
        with pytest.raises(NotFoundError, match="no dead letter"):
            dead_letters.request_replay(["worker-1-1", missing], "me")
    with pytest.raises(ConflictError, match="'worker-1-2' is replayed"):
        dead_letters.request_replay(["worker-1-1", "worker-1-2"], "me")
    assert dead_letters.replay_requests("worker-1") == []
    assert dead_letters.request_replay([], "me") == []


def test_thousands_of_dead_letters_are_replayed_in_one_request(registry: Registry) -> None:
    registry.dead_letters.publish([letter(number) for number in range(3000)])
    ids = [f"worker-1-{number}" for number in range(3000)]
    [asked] = registry.dead_letters.request_replay(ids, "me")
    assert list(registry.dead_letters.get_request(asked.id).dead_letters) == ids


# --- workers


def test_the_last_sign_of_life_of_each_worker_is_kept(registry: Registry) -> None:
    status = WorkerStatus(
        worker="worker-2",
        host="hôte\x00",
        version="0.1.0",
        seen_ns=NOW_NS,
        connected=True,
        store="",
        spool_bytes=2**40,
        spool_full=False,
        pending=0,
        facts={"spool": "é\x00", "nested": {"n": [1, None, 1.5]}},
    )
    registry.workers.report(status)
    later = msgspec.structs.replace(
        status, host="host", connected=False, store="x" * 9000, seen_ns=NOW_NS + 1
    )
    registry.workers.report(later)
    registry.workers.report(msgspec.structs.replace(status, worker="worker-1"))
    first, second = registry.workers.list()
    assert first == msgspec.structs.replace(status, worker="worker-1", host="hôte\\x00")
    assert second == msgspec.structs.replace(later, store=second.store)
    assert len(second.store) == 2000


# --- keys


def test_a_key_is_shown_once_and_kept_as_a_hash(registry: Registry) -> None:
    plain, key = registry.keys.create("  a researcher ", grants=EVERYTHING)
    prefix, identifier, secret = plain.split("_")
    assert (prefix, identifier, key.name) == ("psl", key.id, "a researcher")
    assert len(bytes.fromhex(secret)) * 8 >= 256
    with registry._database.read() as connection:
        [row] = connection.execute(select(api_keys)).all()
    assert hashlib.sha256(secret.encode()).hexdigest() in row
    assert secret not in str(row)
    assert registry.keys.create("a researcher", grants=EVERYTHING)[0] != plain


def test_only_the_very_key_is_accepted(registry: Registry) -> None:
    plain, key = registry.keys.create("a", grants=EVERYTHING)
    other, _ = registry.keys.create("b", grants=EVERYTHING)
    assert registry.keys.verify(plain) == key
    wrong = [
        "", "psl", "psl__", plain[:-1], plain + "0", plain.upper(), f" {plain}", plain + "\x00",
        plain.replace("psl", "pat"), plain.replace(key.id, "0" * 12), other[:17] + plain[17:],
        f"psl_{key.id}_", f"psl_{key.id}_é", f"psl_\udcff_{plain[-64:]}", "x" * 100_000,
        f"psl_' OR 1=1 --_{plain[-64:]}", f"psl_%_{plain[-64:]}",
    ]  # fmt: skip
    for text in wrong:
        assert registry.keys.verify(text) is None, text[:100]


def test_a_revoked_key_is_refused_for_good(registry: Registry, clock: ManualClock) -> None:
    plain, key = registry.keys.create("a", grants=EVERYTHING)
    registry.keys.revoke(key.id)
    clock.advance(10)
    registry.keys.revoke(key.id)
    assert registry.keys.verify(plain) is None
    assert [one.revoked_ns for one in registry.keys.list()] == [NOW_NS]
    for name in ("nobody", "\x00", "\udcff"):
        with pytest.raises(NotFoundError, match="no API key"):
            registry.keys.revoke(name)


def test_the_last_use_is_noted_to_the_minute(registry: Registry, clock: ManualClock) -> None:
    plain, key = registry.keys.create("a", grants=EVERYTHING)
    assert registry.keys.list()[0].last_used_ns is None
    registry.keys.verify(plain)
    clock.advance(30)
    registry.keys.verify(plain)
    assert registry.keys.list()[0].last_used_ns == NOW_NS
    clock.advance(31)
    registry.keys.verify(plain)
    assert registry.keys.list() == [msgspec.structs.replace(key, last_used_ns=clock.now_ns())]


def test_a_key_needs_a_name_that_can_be_kept(registry: Registry) -> None:
    for name, told in (("  ", "needs a name"), ("x" * 201, "longer"), ("a\x00", "NUL")):
        with pytest.raises(ConfigurationError, match=told):
            registry.keys.create(name, grants=EVERYTHING)
    assert registry.keys.list() == []
