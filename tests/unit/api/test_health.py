from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

import msgspec
import pytest

import api.readiness
from api.readiness import Readiness
from core.archive import ARCHIVE_FACT, ArchiveReport
from core.clock import iso
from core.errors import StoreUnavailableError
from core.sinks import SINKS_FACT, CircuitState, SinkReport
from devices.registry import Registry, WorkerStatus
from storage.backends.memory import MemoryStore
from tests.unit.api.world import NOW_NS, Caller, World


class DownStore(MemoryStore):
    """A store that does not answer while `reason` is set."""

    reason = "the store at x refused the connection"

    def ping(self) -> None:
        if self.reason:
            raise StoreUnavailableError(self.reason)


def status(worker: str = "worker-1", **more: Any) -> WorkerStatus:
    fields: dict[str, Any] = {
        "worker": worker,
        "host": "host",
        "version": "0.1.0",
        "seen_ns": NOW_NS,
        "connected": True,
        "store": "",
        "spool_bytes": 0,
        "spool_full": False,
        "pending": 0,
        **more,
    }
    return WorkerStatus(**fields)


def part(answer: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(entry for entry in answer["parts"] if entry["name"] == name)
    return found


def test_a_process_that_answers_is_live_without_a_key(
    world: World, caller: Callable[..., Caller]
) -> None:
    answer = caller(world.app, key=None).get("/health/live")
    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


def test_everything_works(world: World, caller: Callable[..., Caller]) -> None:
    world.registry.workers.report(status())
    answer = caller(world.app, key=None).get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert [entry["name"] for entry in answer.json()["parts"]] == ["registry", "store", "workers"]


def test_a_platform_without_a_worker_is_not_ready(world: World) -> None:
    answer = world.client.get("/health/ready")
    assert answer.status_code == 503
    assert part(answer.json(), "workers")["reason"] == "no worker has reported yet"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"seen_ns": NOW_NS - 16_000_000_000}, "last seen 16 s ago"),
        ({"connected": False}, "not connected to the broker"),
        ({"store": "no route to host"}, "cannot write to the store: no route to host"),
        ({"spool_full": True}, "its disk queue is full"),
    ],
)
def test_a_worker_that_is_down_is_named_with_the_reason(
    world: World, more: dict[str, Any], reason: str
) -> None:
    world.registry.workers.report(status("worker-1"))
    world.registry.workers.report(status("worker-2", **more))
    answer = world.client.get("/health/ready")
    assert answer.status_code == 503
    assert reason in part(answer.json(), "workers")["reason"]
    assert [worker["up"] for worker in answer.json()["workers"]] == [True, False]


def test_the_sinks_of_a_worker_are_told_and_a_further_one_makes_nothing_unready(
    world: World,
) -> None:
    store = SinkReport(name="store", state=CircuitState.CLOSED, since_ns=NOW_NS)
    archive = SinkReport(
        name="archive",
        state=CircuitState.OPEN,
        reason="no space left",
        since_ns=NOW_NS,
        lag_messages=7,
        lag_bytes=700,
        lag_s=2.5,
        missed_messages=3,
        missed_points=4,
        missed_since_ns=NOW_NS,
        missed_until_ns=NOW_NS,
    )
    facts = {SINKS_FACT: [msgspec.to_builtins(one) for one in (store, archive)]}
    world.registry.workers.report(status(facts=facts))
    answer = world.client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json()["degraded"] is True
    [worker] = answer.json()["workers"]
    assert worker["notes"] == [
        "cannot write to the sink archive: no space left",
        "the sink archive misses 3 messages; passerelle sinks refill archive",
    ]
    [first, second] = worker["sinks"]
    assert (first["name"], first["state"], first["reason"]) == ("store", "closed", None)
    assert second == {
        "name": "archive",
        "state": "open",
        "reason": "no space left",
        "since": iso(NOW_NS),
        "lag_messages": 7,
        "lag_bytes": 700,
        "lag_s": 2.5,
        "missed": {
            "messages": 3,
            "points": 4,
            "received_from": iso(NOW_NS),
            "received_until": iso(NOW_NS),
        },
    }


def test_a_worker_of_another_version_may_tell_its_sinks_otherwise(world: World) -> None:
    world.registry.workers.report(status(facts={SINKS_FACT: [{"state": "melted"}]}))
    answer = world.client.get("/health/ready")
    assert answer.json()["workers"][0]["sinks"] == []


def test_a_worker_that_was_taken_away_is_not_waited_for(world: World) -> None:
    world.registry.workers.report(status("worker-1"))
    long_ago = NOW_NS - 3_601_000_000_000
    world.registry.workers.report(status("worker-2", seen_ns=long_ago))
    assert world.client.get("/health/ready").status_code == 200
    world.registry.workers.report(status("worker-2", seen_ns=long_ago, pending=1))
    assert world.client.get("/health/ready").status_code == 503


def test_a_store_that_is_down_is_named_since_when(world: World) -> None:
    world.registry.workers.report(status())
    store = DownStore()
    client = world.app_with(store=store)
    first = client.get("/health/ready")
    assert first.status_code == 503
    since = part(first.json(), "store")["since"]
    assert part(first.json(), "store")["reason"] == store.reason
    world.clock.advance(5)
    assert part(client.get("/health/ready").json(), "store")["since"] == since
    store.reason = ""
    back = client.get("/health/ready")
    assert back.status_code == 200
    assert part(back.json(), "store")["since"] > since


def test_a_registry_that_is_down_is_named(world: World) -> None:
    down = Registry.open("postgresql+psycopg://nobody@127.0.0.1:1/none", clock=world.clock)
    try:
        answer = world.app_with(registry=down).get("/health/ready")
    finally:
        down.close()
    assert answer.status_code == 503
    assert not part(answer.json(), "registry")["up"]
    assert not part(answer.json(), "workers")["up"]
    assert part(answer.json(), "store")["up"]


def test_a_store_that_hangs_costs_one_thread(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.readiness, "PATIENCE_S", 0.05)
    released = Event()
    asked = []

    class HangingStore(MemoryStore):
        def ping(self) -> None:
            asked.append(1)
            released.wait(30)

    readiness = Readiness(registry=world.registry, store=HangingStore(), clock=world.clock)
    for _ in range(3):
        parts, _ = readiness.check()
        assert "no answer within" in parts[1].reason
    assert len(asked) == 1
    released.set()


def test_health_is_not_cached(world: World) -> None:
    for path in ("/health/live", "/health/ready"):
        assert world.client.get(path).headers["cache-control"] == "no-store"


def test_an_archive_that_is_passed_over_is_a_note_and_one_that_holds_a_reason(
    world: World,
) -> None:
    for holds in (False, True):
        report = ArchiveReport(bytes=1, outage="the disk is full", holds=holds, not_kept=3)
        facts = {ARCHIVE_FACT: msgspec.to_builtins(report)}
        world.registry.workers.report(status(facts=facts))
        [worker] = world.client.get("/health/ready").json()["workers"]
        assert worker["notes"] == ([] if holds else ["the disk is full (3 messages so far)"])
