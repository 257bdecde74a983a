"""What happens when the dead letters fill up (decision 0062)."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from core.clock import NS_PER_S, ManualClock
from core.metrics import Metrics
from core.settings import DeadLetterSettings
from ingest.letter_bounds import LetterBounds
from ingest.spool import Spool
from tests.support.letters import new_letter, set_aside

NOW = 1_790_000_000 * NS_PER_S
DAY = 24 * 3600
KIB = 1024
Make = Callable[..., LetterBounds]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(path=tmp_path / "spool.db")
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def bounds(spool: Spool, clock: ManualClock, metrics: Metrics) -> Make:
    def make(**settings: Any) -> LetterBounds:
        given = DeadLetterSettings.model_validate({}).model_copy(
            update={"max_bytes": 100 * KIB} | settings
        )
        return LetterBounds(letters=spool.letters, settings=given, clock=clock, metrics=metrics)

    return make


def fill(spool: Spool, kib: int) -> None:
    set_aside(spool, *(new_letter(payload=b"x" * KIB, received_ns=NOW) for _ in range(kib)))


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(name, labels) or 0.0


def test_while_there_is_room_nothing_is_held(spool: Spool, bounds: Make) -> None:
    made = bounds()
    fill(spool, 99)
    assert made.room() is None


def test_when_they_are_full_the_reason_says_what_an_operator_can_do(
    spool: Spool, bounds: Make
) -> None:
    made = bounds()
    fill(spool, 100)
    reason = made.room()
    assert reason is not None
    assert "dead_letters.max_bytes is 102,400" in reason
    assert "passerelle dead-letters" in reason
    assert spool.letters.totals().letters == 100
    spool.letters.discard([1], by="operator", why="noise", now_ns=NOW)
    assert made.room() is None


def test_the_oldest_are_discarded_where_the_setting_says_so(
    spool: Spool, bounds: Make, metrics: Metrics
) -> None:
    made = bounds(when_full="discard_oldest")
    fill(spool, 1200)
    assert made.room() is None
    totals = spool.letters.totals()
    assert totals.bytes <= 0.98 * 100 * KIB
    assert totals.letters == 98
    [oldest, newest] = spool.dead_letters([1, 1200])
    assert (oldest.state, newest.state) == ("discarded", "open")
    assert spool.letters.ends([1])[1].by == "dead_letters.max_bytes"
    assert spool.totals()["dead_lettered"] == 1200
    discarded = "passerelle_dead_letters_discarded_total"
    assert value(metrics, discarded, by="dead_letters.max_bytes") == 1102


def test_a_spool_that_cannot_be_written_holds(spool: Spool, bounds: Make, tmp_path: Path) -> None:
    made = bounds(when_full="discard_oldest")
    fill(spool, 100)
    spool._db.execute("PRAGMA busy_timeout = 10")
    locked = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    locked.execute("BEGIN IMMEDIATE")
    assert "locked" in (made.room() or "")
    locked.execute("COMMIT")
    locked.close()
    assert made.room() is None


def test_what_is_too_old_is_discarded_and_the_rest_kept(
    spool: Spool, bounds: Make, clock: ManualClock
) -> None:
    made = bounds(max_age_days=30)
    fill(spool, 3)
    clock.advance(29 * DAY)
    set_aside(spool, new_letter(received_ns=clock.now_ns()))
    made.tend()
    assert spool.letters.totals().letters == 4
    clock.advance(2 * DAY)
    made.tend()
    assert spool.letters.oldest(limit=9) == [4]
    end = spool.letters.ends([1])[1]
    assert (end.by, end.why) == ("dead_letters.max_age_days", "older than 30 days")


def test_without_a_bound_by_age_nothing_is_too_old(
    spool: Spool, bounds: Make, clock: ManualClock
) -> None:
    made = bounds()
    fill(spool, 1)
    clock.advance(5000 * DAY)
    made.tend()
    assert spool.letters.totals().letters == 1


def test_each_level_is_warned_of_once_and_once_when_it_is_over(spool: Spool, bounds: Make) -> None:
    made = bounds()
    told: list[Any] = []

    def tend() -> None:
        with structlog.testing.capture_logs() as logged:
            made.tend()
        told.extend((one["event"], one.get("level")) for one in logged)

    for _ in range(20):
        fill(spool, 5)
        tend()
    assert [event for event, _ in told] == ["dead_letters_filling"] * 3
    told.clear()
    for number in range(1, 101):
        spool.letters.discard([number], by="operator", why="noise", now_ns=NOW)
        tend()
    assert [event for event, _ in told] == ["dead_letters_below"]


def test_the_note_for_people_comes_long_before_they_are_full(
    spool: Spool, bounds: Make, metrics: Metrics
) -> None:
    made = bounds()
    fill(spool, 49)
    made.tend()
    assert made.note == ""
    fill(spool, 2)
    made.tend()
    assert "51% of dead_letters.max_bytes" in made.note
    assert "stops acknowledging" in made.note
    assert value(metrics, "passerelle_dead_letters_open") == 51
    assert value(metrics, "passerelle_dead_letters_bytes") == 51 * KIB
    assert value(metrics, "passerelle_dead_letters_limit_bytes") == 100 * KIB
