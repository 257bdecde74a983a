from __future__ import annotations

import msgspec
import pytest

from api.cursors import encode_cursor
from api.schemas.completeness import CompletenessAnswer, Counts
from core.clock import NS_PER_HOUR
from devices.registry import LedgerRow, WorkerStatus
from tests.unit.api.world import NOW_NS, World

HOUR = NOW_NS // NS_PER_HOUR * 3600


def row(
    site: str, device: str, hours_ago: int, *, worker: str = "worker-1", stored: int = 8
) -> LedgerRow:
    return LedgerRow(
        worker=worker,
        site=site,
        device=device,
        hour=HOUR - hours_ago * 3600,
        received=stored + 3,
        stored=stored,
        duplicate=1,
        dead_lettered=1,
        pending=1,
        redelivered=2,
    )


@pytest.fixture
def ledger(world: World) -> World:
    world.clock.advance(1.0)
    world.registry.ledger.publish(
        [
            row("elgazala", "d-1", 0),
            row("elgazala", "d-1", 1),
            row("elgazala", "d-2", 1),
            row("diamniadio", "d-3", 2),
            row("unassigned", "unidentified", 1),
            row("elgazala", "d-1", 48),
        ]
    )
    world.registry.ledger.publish([row("elgazala", "d-1", 1, worker="worker-2", stored=100)])
    return world


def asked(world: World, path: str = "/v1/completeness", **query: object) -> CompletenessAnswer:
    answer = world.client.get(path, **query)
    assert answer.status_code == 200, answer.text
    return CompletenessAnswer.model_validate_json(answer.text)


def test_each_device_and_hour_is_accounted_for_over_all_workers(ledger: World) -> None:
    answer = asked(ledger, device="d-1")
    assert [(entry.hour, entry.received, entry.stored) for entry in answer.rows] == [
        ("2026-11-23T09:00:00Z", 114, 108),
        ("2026-11-23T10:00:00Z", 11, 8),
    ]
    assert all(entry.balanced for entry in answer.rows)
    assert (answer.totals.received, answer.totals.redelivered) == (125, 6)


def test_what_does_not_add_up_is_said() -> None:
    lost = LedgerRow("w", "elgazala", "d-1", HOUR, 10, 5, 1, 1, 1)
    assert not Counts.of(lost).balanced
    assert Counts.of(row("elgazala", "d-1", 0)).balanced


def test_the_range_reaches_to_whole_hours(ledger: World) -> None:
    answer = asked(ledger, from_="2026-11-23T09:59:59Z", to="2026-11-23T10:00:00.000000001Z")
    assert (answer.start, answer.end) == ("2026-11-23T09:00:00Z", "2026-11-23T11:00:00Z")
    assert {entry.hour for entry in answer.rows} == {"2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z"}
    exact = asked(ledger, from_="2026-11-23T09:00:00Z", to="2026-11-23T10:00:00Z")
    assert {entry.hour for entry in exact.rows} == {"2026-11-23T09:00:00Z"}


def test_rows_are_grouped_by_device_site_or_all_together(ledger: World) -> None:
    by_device = asked(ledger, group="device").rows
    assert [(entry.site, entry.device, entry.received) for entry in by_device] == [
        ("diamniadio", "d-3", 11),
        ("elgazala", "d-1", 125),
        ("elgazala", "d-2", 11),
        ("unassigned", "unidentified", 11),
    ]
    by_site = asked(ledger, group="site").rows
    assert [(entry.site, entry.device, entry.received) for entry in by_site] == [
        ("diamniadio", None, 11),
        ("elgazala", None, 136),
        ("unassigned", None, 11),
    ]
    total = asked(ledger, group="total").rows
    assert [(entry.site, entry.received) for entry in total] == [(None, 158)]


@pytest.mark.parametrize("group", ["hour", "device"])
def test_pages_hold_every_row_once(ledger: World, group: str) -> None:
    whole = asked(ledger, group=group).rows
    rows = []
    answer = asked(ledger, group=group, limit=2)
    while True:
        rows.extend(answer.rows)
        if answer.next is None:
            break
        ledger.clock.advance(3600)
        answer = asked(ledger, answer.next)
    assert rows == whole


def test_what_came_without_a_site_is_found(ledger: World) -> None:
    answer = asked(ledger, site="unassigned")
    assert [entry.device for entry in answer.rows] == ["unidentified"]


def test_the_counts_are_as_of_the_oldest_report(ledger: World) -> None:
    assert asked(ledger).as_of is None
    for worker, seen_ns in (("worker-1", NOW_NS), ("worker-2", NOW_NS - 5_000_000_000)):
        ledger.registry.workers.report(
            WorkerStatus(
                worker=worker,
                host="h",
                version="1",
                seen_ns=seen_ns,
                connected=True,
                store="",
                spool_bytes=0,
                spool_full=False,
                pending=0,
            )
        )
    assert asked(ledger).as_of == "2026-11-23T09:59:55Z"


def test_nothing_received_is_an_empty_account_that_balances(world: World) -> None:
    answer = asked(world)
    assert answer.rows == []
    assert (answer.totals.received, answer.totals.balanced) == (0, True)
    assert asked(world, group="site").rows == []


@pytest.mark.parametrize(
    "position",
    [
        (2**62, 2**62 + 1, "a", "b", 0),
        (-(2**62), 0, "a", "b", 0),
        (3600, 0, "a", "b", 0),
        (0, 3600, "a", "b", 2**63 - 1),
        (0, 3600, "a\0", "b", 0),
    ],
)
def test_a_forged_cursor_is_refused(
    ledger: World, position: tuple[int, int, str, str, int]
) -> None:
    query = ("completeness", None, None, "-24h", "now", "hour")
    names = ("start_hour", "end_hour", "site", "device", "hour")
    cursor = encode_cursor(dict(zip(names, position, strict=True)), query=query)
    answer = ledger.client.get("/v1/completeness", cursor=cursor)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "cursor"


def booted(boot: int, hours_ago: int, stored: int) -> LedgerRow:
    return msgspec.structs.replace(
        row("elgazala", "d-9", hours_ago, stored=stored), boot=boot, missing=boot
    )


def test_the_boots_of_a_device_are_told_apart(ledger: World) -> None:
    ledger.registry.ledger.publish([booted(3, 0, 5), booted(3, 1, 6), booted(4, 0, 7)])
    answer = asked(ledger, group="boot", device="d-9")
    assert [(one.boot, one.hour, one.stored, one.missing) for one in answer.rows] == [
        (3, None, 11, 6),
        (4, None, 7, 4),
    ]
    assert [one.boot for one in asked(ledger, group="boot", device="d-2").rows] == [-1]


def test_boots_come_in_pages(ledger: World) -> None:
    ledger.registry.ledger.publish([booted(boot, 0, 5) for boot in range(7)])
    found: list[int | None] = []
    answer = asked(ledger, group="boot", device="d-9", limit=3)
    found += [one.boot for one in answer.rows]
    while answer.next:
        answer = asked(ledger, answer.next)
        found += [one.boot for one in answer.rows]
    assert found == list(range(7))
