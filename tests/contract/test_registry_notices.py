"""What the registry promises of notices and of the attempts to deliver them, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.clock import NS_PER_S, ManualClock
from core.errors import ConflictError, NotFoundError
from devices.registry import Registry
from devices.registry.alert_records import AttemptOutcome, NoticeRecord, NoticeState
from devices.registry.errors import LeaseLostError
from devices.registry.leases import GRACE_NS
from devices.registry.notices import LEASE, NoticeFilter, Waiting, order
from tests.contract.registry_data import DATABASES, HOSTILE, NOW_NS, new_address


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    made = Registry.open(new_address(request, tmp_path), clock=clock)
    made.migrate()
    yield made
    made.close()


def notice(name: str, /, **more: Any) -> NoticeRecord:
    fields: dict[str, Any] = {
        "channel": "mail",
        "occasion": "firing",
        "created_ns": NOW_NS,
        "body": "{}",
        "next_ns": NOW_NS,
    }
    return NoticeRecord(id=name, **(fields | more))


def names(records: list[NoticeRecord]) -> list[str]:
    return [one.id for one in records]


def deliver(registry: Registry, name: str, now_ns: int = NOW_NS) -> None:
    attempt = registry.notices.begin(name, now_ns)
    registry.notices.finish(
        attempt, AttemptOutcome.DELIVERED, detail="250 OK", next_ns=None, now_ns=now_ns
    )


def test_what_was_ordered_is_due_in_the_order_in_which_it_was_ordered(registry: Registry) -> None:
    registry.notices.add(
        [
            notice("c", created_ns=NOW_NS - 1),
            notice("b"),
            notice("a"),
            notice("later", next_ns=NOW_NS + 1),
            notice("sms", channel="sms", created_ns=NOW_NS - 5),
        ]
    )
    assert names(registry.notices.due(NOW_NS, 10)) == ["sms", "c", "a", "b"]
    assert names(registry.notices.due(NOW_NS, 2, channel="mail")) == ["c", "a"]
    assert registry.notices.waiting() == {
        "mail": Waiting(4, NOW_NS - 1, NOW_NS),
        "sms": Waiting(1, NOW_NS - 5, NOW_NS),
    }


def test_an_order_that_is_there_already_stays_as_it_is(registry: Registry) -> None:
    registry.notices.add([notice("a", alerts="x,y")])
    deliver(registry, "a")
    registry.notices.add([notice("a", body="other", alerts="x,y"), notice("b"), notice("b")])
    found = registry.notices.get("a")
    assert (found.body, found.state, found.attempts) == ("{}", NoticeState.DELIVERED, 1)
    assert names(registry.notices.due(NOW_NS, 10)) == ["b"]


def test_an_order_is_there_only_when_the_change_that_it_tells_of_is(registry: Registry) -> None:
    def interrupted() -> None:
        with registry.notices._database.change() as connection:
            order(connection, [notice("a")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    with pytest.raises(NotFoundError):
        registry.notices.get("a")


def test_an_attempt_is_written_before_anything_is_sent(registry: Registry) -> None:
    registry.notices.add([notice("a")])
    attempt = registry.notices.begin("a", NOW_NS + 5)
    assert registry.notices.attempts("a") == [attempt]
    assert (attempt.number, attempt.outcome, attempt.finished_ns) == (1, "started", None)
    assert registry.notices.due(NOW_NS + 9, 10) == []
    with pytest.raises(ConflictError, match="being delivered"):
        registry.notices.begin("a", NOW_NS + 6)


@pytest.mark.parametrize(
    ("outcome", "next_ns", "state"),
    [
        (AttemptOutcome.DELIVERED, None, NoticeState.DELIVERED),
        (AttemptOutcome.RETRY, NOW_NS + 50, NoticeState.WAITING),
        (AttemptOutcome.RETRY, None, NoticeState.FAILED),
        (AttemptOutcome.REFUSED, None, NoticeState.FAILED),
    ],
)
def test_what_became_of_an_attempt_decides_how_far_its_notice_is(
    registry: Registry, outcome: AttemptOutcome, next_ns: int | None, state: NoticeState
) -> None:
    registry.notices.add([notice("a")])
    attempt = registry.notices.begin("a", NOW_NS)
    registry.notices.finish(attempt, outcome, detail="told so", next_ns=next_ns, now_ns=NOW_NS + 7)
    found = registry.notices.get("a")
    assert found.state == state
    assert found.error == ("" if outcome is AttemptOutcome.DELIVERED else "told so")
    assert found.finished_ns == (None if state is NoticeState.WAITING else NOW_NS + 7)
    [kept] = registry.notices.attempts("a")
    assert (kept.outcome, kept.finished_ns, kept.detail) == (outcome, NOW_NS + 7, "told so")
    again = names(registry.notices.due(NOW_NS + 50, 10))
    assert again == (["a"] if state is NoticeState.WAITING else [])
    if state is not NoticeState.WAITING:
        with pytest.raises(ConflictError, match=f"is {state}"):
            registry.notices.begin("a", NOW_NS + 60)


def test_what_was_under_way_when_its_process_died_is_tried_again_at_once(
    registry: Registry,
) -> None:
    registry.notices.add([notice("a"), notice("b", next_ns=NOW_NS + 900)])
    attempt = registry.notices.begin("a", NOW_NS)
    assert registry.notices.recover(NOW_NS + 3) == 1
    assert registry.notices.recover(NOW_NS + 4) == 0
    assert names(registry.notices.due(NOW_NS + 3, 10)) == ["a"]
    [kept] = registry.notices.attempts("a")
    assert (kept.outcome, kept.finished_ns) == ("unknown", NOW_NS + 3)
    with pytest.raises(ConflictError, match="not under way any more"):
        registry.notices.finish(
            attempt, AttemptOutcome.DELIVERED, detail="", next_ns=None, now_ns=NOW_NS + 5
        )
    assert registry.notices.begin("a", NOW_NS + 6).number == 2


def test_a_channel_hears_of_an_alert_in_the_order_of_what_happened(registry: Registry) -> None:
    registry.notices.add(
        [
            notice("1-fires", alerts="x,y", next_ns=NOW_NS + 60),
            notice("2-over", alerts="x"),
            notice("3-other", alerts="z"),
            notice("4-elsewhere", alerts="x", channel="sms"),
        ]
    )
    assert names(registry.notices.due(NOW_NS, 10)) == ["3-other", "4-elsewhere"]
    assert names(registry.notices.due(NOW_NS + 60, 10))[:1] == ["1-fires"]
    assert "2-over" not in names(registry.notices.due(NOW_NS + 60, 10))
    deliver(registry, "1-fires", NOW_NS + 60)
    assert "2-over" in names(registry.notices.due(NOW_NS + 60, 10))


def test_two_that_begin_the_same_notice_at_once_make_one_attempt(registry: Registry) -> None:
    registry.notices.add([notice("a")])

    def begin(_: int) -> bool:
        try:
            registry.notices.begin("a", NOW_NS)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(begin, range(8))) == 1
    assert len(registry.notices.attempts("a")) == 1


def test_who_lost_the_lease_begins_and_finishes_nothing(
    registry: Registry, clock: ManualClock
) -> None:
    registry.notices.add([notice("a"), notice("b")])
    assert registry.leases.hold(LEASE, holder="one", for_s=10)
    attempt = registry.notices.begin("a", NOW_NS, holder="one")
    clock.advance(10.5)
    still = registry.notices.begin("b", NOW_NS, holder="one")  # it ran out, nobody took it over
    assert still.number == 1
    clock.advance(GRACE_NS / NS_PER_S)
    assert registry.leases.hold(LEASE, holder="two", for_s=10)
    with pytest.raises(LeaseLostError, match="held by two, not by one"):
        registry.notices.finish(
            attempt,
            AttemptOutcome.DELIVERED,
            detail="",
            next_ns=None,
            now_ns=NOW_NS,
            holder="one",
        )
    for call in (
        lambda: registry.notices.begin("b", NOW_NS, holder="one"),
        lambda: registry.notices.recover(NOW_NS, holder="one"),
        lambda: registry.notices.give_up(["b"], "", NOW_NS, holder="one"),
    ):
        with pytest.raises(LeaseLostError):
            call()
    assert registry.notices.recover(NOW_NS, holder="two") == 2
    registry.leases.let_go(LEASE, holder="two")
    with pytest.raises(LeaseLostError, match="held by nobody"):
        registry.notices.begin("a", NOW_NS, holder="two")


def test_a_notice_that_waits_can_be_given_up_without_an_attempt(registry: Registry) -> None:
    registry.notices.add([notice("a"), notice("b")])
    deliver(registry, "b")
    assert registry.notices.give_up(["a", "b", "c"], "no such channel", NOW_NS + 1) == 1
    found = registry.notices.get("a")
    assert (found.state, found.error, found.attempts) == ("failed", "no such channel", 0)
    assert registry.notices.get("b").state == "delivered"


def test_when_a_channel_works_again_what_waits_for_a_later_attempt_is_tried_now(
    registry: Registry,
) -> None:
    registry.notices.add(
        [notice("a", next_ns=NOW_NS + 900), notice("b", next_ns=NOW_NS + 900, channel="sms")]
    )
    assert registry.notices.hasten("mail", NOW_NS + 1) == 1
    assert names(registry.notices.due(NOW_NS + 1, 10)) == ["a"]


def test_notices_are_listed_page_by_page_the_newest_first(registry: Registry) -> None:
    made = [notice(f"n-{number}", created_ns=NOW_NS + number // 2) for number in range(7)]
    registry.notices.add(made)
    first = registry.notices.list(NoticeFilter(), limit=4)
    rest = registry.notices.list(
        NoticeFilter(), limit=9, after=(first[-1].created_ns, first[-1].id)
    )
    assert names(first + rest) == [f"n-{number}" for number in (6, 5, 4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"alert": "x"}, {"a", "b"}),
        ({"alert": "x", "channel": "sms"}, {"b"}),
        ({"states": ("delivered",)}, {"a"}),
        ({"occasion": "resolved"}, {"b"}),
        ({"since_ns": NOW_NS + 1}, {"c"}),
        ({"until_ns": NOW_NS + 1}, {"a", "b"}),
        ({"alert": "nothing"}, set()),
    ],
)
def test_notices_are_found_by_what_is_known_of_them(
    registry: Registry, wanted: dict[str, Any], expected: set[str]
) -> None:
    registry.notices.add(
        [
            notice("a", alerts="x,y"),
            notice("b", alerts="x", channel="sms", occasion="resolved"),
            notice("c", created_ns=NOW_NS + 1),
        ]
    )
    deliver(registry, "a")
    found = registry.notices.list(NoticeFilter(**wanted), limit=10)
    assert {one.id for one in found} == expected


def test_when_a_channel_delivered_is_known(registry: Registry) -> None:
    registry.notices.add([notice(name) for name in "abc"])
    for second, name in enumerate("abc"):
        deliver(registry, name, NOW_NS + second)
    assert registry.notices.delivered_since("mail", NOW_NS + 1) == [NOW_NS + 1, NOW_NS + 2]
    assert registry.notices.delivered_since("sms", 0) == []


@pytest.mark.parametrize("told", [*HOSTILE, "nul \x00 and half \udc80", "long " * 1000])
def test_whatever_a_receiver_answers_is_kept(registry: Registry, told: str) -> None:
    registry.notices.add([notice("a")])
    attempt = registry.notices.begin("a", NOW_NS)
    registry.notices.finish(
        attempt, AttemptOutcome.REFUSED, detail=told, next_ns=None, now_ns=NOW_NS
    )
    [kept] = registry.notices.attempts("a")
    assert kept.detail[:40] == told[:40].replace("\x00", "\\x00").replace("\udc80", "\\udc80")[:40]
    assert len(kept.detail) <= 2000


def test_an_order_too_long_for_its_columns_is_refused_whole(registry: Registry) -> None:
    long = msgspec.structs.replace(notice("b"), channel="x" * 65)
    with pytest.raises(Exception, match="channel is longer than 64"):
        registry.notices.add([notice("a"), long])
    assert registry.notices.due(NOW_NS, 10) == []
