"""The invariants that `ingest.letter_store` lists, one test each, and what surrounds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.reasons import Reason, Scope
from devices.registry import LetterFilter
from devices.registry.text import account_name
from ingest.ledger import Account, LedgerDelta
from ingest.letter_store import Found, LetterEnd, LetterTotals
from ingest.spool import Settlement, Spool
from tests.support.letters import HOUR, new_letter, set_aside

ALL = LetterFilter()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool(path=tmp_path / "spool.db")
    yield made
    made.close()


def settle(spool: Spool, number: int, state: str) -> None:
    one = Settlement(number, state, Reason.MALFORMED, "cut short")
    spool.commit(ledger=LedgerDelta(), settlements=[one], now_ns=9)


def found(spool: Spool, wanted: LetterFilter) -> list[int]:
    return spool.letters.find(wanted, after=0, upto=1000, limit=1000).ids


def test_1_the_totals_are_those_of_the_open_ones(spool: Spool, tmp_path: Path) -> None:
    assert spool.letters.totals() == LetterTotals(0, 0)
    set_aside(spool, *(new_letter(payload=b"x" * size) for size in (1, 10, 100, 1000)))
    assert spool.letters.totals() == LetterTotals(4, 1111)
    settle(spool, 1, "open")
    assert spool.letters.totals() == LetterTotals(4, 1111)
    settle(spool, 2, "replayed")
    spool.letters.discard([3], by="me", why="noise", now_ns=9)
    assert spool.letters.totals() == LetterTotals(2, 1001)
    settle(spool, 2, "replayed")
    spool.letters.discard([3], by="me", why="noise", now_ns=9)
    again = Spool(path=tmp_path / "spool.db")
    assert again.letters.totals() == LetterTotals(2, 1001)
    again.close()


def test_1_a_transaction_that_fails_leaves_the_totals(spool: Spool) -> None:
    ledger = LedgerDelta()
    ledger.line(Account("x", "y", HOUR)).stored -= 1  # breaks the equation
    with pytest.raises(sqlite3.IntegrityError):
        spool.commit(ledger=ledger, dead_letters=[new_letter()])
    assert spool.letters.totals() == LetterTotals(0, 0)


def test_2_one_that_has_ended_has_no_payload_but_its_row(spool: Spool) -> None:
    set_aside(spool, new_letter(), new_letter())
    settle(spool, 1, "replayed")
    spool.letters.discard([2], by="me", why="noise", now_ns=9)
    first, second = spool.dead_letters([1, 2])
    assert (first.state, first.letter.payload) == ("replayed", b"")
    assert (second.state, second.letter.payload) == ("discarded", b"")
    assert second.letter.detail == "cut short"
    assert spool.totals()["dead_lettered"] == 2


def test_3_who_ended_one_and_why_is_kept(spool: Spool) -> None:
    set_aside(spool, new_letter(), new_letter(), new_letter(payload=b"xyz"))
    spool.letters.ending_by(7, "amira")
    settle(spool, 1, "replayed")
    spool.letters.discard([3], by="moussa", why="noise", now_ns=9, request=8)
    settle(spool, 2, "replayed")
    assert spool.letters.ends([1, 2, 3, 4]) == {
        1: LetterEnd(10, 7, "amira", ""),
        2: LetterEnd(10, 7, "amira", ""),
        3: LetterEnd(3, 8, "moussa", "noise"),
    }


def test_4_how_many_ended_by_a_request_is_counted_with_them(spool: Spool) -> None:
    set_aside(spool, *(new_letter() for _ in range(4)), new_letter(reason=Reason.WRONG_TYPE))
    spool.letters.ending_by(7, "amira")
    for number in (1, 2, 2):
        settle(spool, number, "replayed")
    spool.letters.discard([2, 3, 5], by="moussa", why="noise", now_ns=9, request=8)
    assert spool.letters.tally(7) == {("malformed", "replayed"): 2}
    assert spool.letters.tally(8) == {
        ("malformed", "discarded"): 1,
        ("wrong_type", "discarded"): 1,
    }
    assert spool.letters.tally(9) == {}


def test_the_reporter_hears_of_each_that_is_discarded(spool: Spool) -> None:
    set_aside(spool, new_letter(), new_letter())
    before = max(one.version for one in spool.dead_letters_since(0, limit=10))
    assert spool.letters.discard([2], by="me", why="noise", now_ns=9) == 1
    [changed] = spool.dead_letters_since(before, limit=10)
    assert (changed.id, changed.state, changed.updated_ns) == (2, "discarded", 9)


def test_they_are_found_by_each_of_their_traits(spool: Spool) -> None:
    long = "d" * 300
    set_aside(
        spool,
        new_letter(),
        new_letter(reason=Reason.WRONG_TYPE, received_ns=100),
        new_letter(scope=Scope.FIELD, counted=False),
        new_letter(profile="tasmota"),
        new_letter(account=Account("diamniadio", long, HOUR)),
    )
    assert found(spool, ALL) == [1, 2, 3, 4, 5]
    assert found(spool, LetterFilter(reason="wrong_type")) == [2]
    assert found(spool, LetterFilter(scope="field")) == [3]
    assert found(spool, LetterFilter(profile="tasmota")) == [4]
    assert found(spool, LetterFilter(site="diamniadio")) == [5]
    assert found(spool, LetterFilter(device=long)) == [5]
    assert found(spool, LetterFilter(device=account_name(long))) == [5]
    assert found(spool, LetterFilter(since_ns=100)) == [2]
    assert found(spool, LetterFilter(until_ns=100, scope="message")) == [1, 4, 5]
    assert found(spool, LetterFilter(device="' OR 1=1 --")) == []


def test_a_look_goes_over_so_many_open_ones_only_and_says_how_far_it_came(spool: Spool) -> None:
    set_aside(spool, *(new_letter() for _ in range(6)))
    spool.letters.discard([1, 2], by="me", why="noise", now_ns=9)
    look = spool.letters.find
    assert look(LetterFilter(reason="wrong_type"), after=0, upto=6, limit=3) == Found([], 5)
    assert look(ALL, after=0, upto=6, limit=3) == Found([3, 4, 5], 5)
    assert look(ALL, after=5, upto=6, limit=3) == Found([6], 6)
    assert look(ALL, after=6, upto=6, limit=3) == Found([], 6)
    assert look(ALL, after=0, upto=3, limit=3) == Found([3], 3)


def test_the_oldest_and_the_too_old_are_found_without_looking_at_the_others(spool: Spool) -> None:
    set_aside(spool, *(new_letter(received_ns=at) for at in (50, 10, 30)))
    assert spool.letters.oldest(limit=2) == [1, 2]
    assert spool.letters.received_before(31, limit=10) == [2, 3]
    assert spool.letters.sizes([3, 99, 1]) == [10, 0, 10]


def test_a_spool_of_before_gets_its_totals(tmp_path: Path) -> None:
    first = Spool(path=tmp_path / "spool.db")
    set_aside(first, new_letter(), new_letter())
    first.close()
    bare = sqlite3.connect(tmp_path / "spool.db", isolation_level=None)
    for kind in ("trigger", "table"):
        names = bare.execute(
            "SELECT name FROM sqlite_master WHERE type = ? AND name LIKE 'letter_%'", (kind,)
        ).fetchall()
        for (name,) in names:
            bare.execute(f"DROP {kind} {name}")
    bare.close()
    again = Spool(path=tmp_path / "spool.db")
    assert again.letters.totals() == LetterTotals(2, 20)
    set_aside(again, new_letter())
    assert again.letters.totals() == LetterTotals(3, 30)
    again.close()
