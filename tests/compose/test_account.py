"""The comparison that `make test-compose` makes finds what it should."""

from __future__ import annotations

import msgspec

from tests.compose.account import Sent, add_up, differences, settled

ONE = ("elgazala", "one")


def row(
    stored: int, duplicate: int = 0, dead_lettered: int = 0, pending: int = 0
) -> dict[str, int]:
    ended = {"stored": stored, "duplicate": duplicate, "dead_lettered": dead_lettered}
    return {"received": sum(ended.values()) + pending, "pending": pending, **ended}


def test_reports_of_several_runs_are_added_up() -> None:
    entry = {"site": "elgazala", "device": "one", "published": 3, "resent": 1, "unacknowledged": 1}
    report = msgspec.json.encode({"devices": [entry]})
    assert add_up([report, report]) == {ONE: Sent(published=6, uncertain=4)}


def test_an_exact_account_has_no_difference() -> None:
    assert differences({ONE: Sent(published=6)}, {ONE: row(3, 2, 1)}) == []


def test_a_lost_message_is_a_difference() -> None:
    (line,) = differences({ONE: Sent(published=6, uncertain=9)}, {ONE: row(5)})
    assert line.startswith("elgazala/one: published")


def test_a_message_too_many_is_a_difference_unless_a_connection_broke() -> None:
    assert differences({ONE: Sent(published=6)}, {ONE: row(7)})
    assert differences({ONE: Sent(published=6, uncertain=1)}, {ONE: row(7)}) == []


def test_a_device_that_nobody_sent_is_a_difference() -> None:
    assert differences({}, {ONE: row(1)})
    assert differences({ONE: Sent(published=1)}, {})


def test_it_waits_for_what_is_pending() -> None:
    sent = {ONE: Sent(published=2)}
    assert not settled(sent, {ONE: row(1, pending=1)})
    assert not settled(sent, {ONE: row(1)})
    assert settled(sent, {ONE: row(1, 1)})
