"""How many values the store must and may hold, by what the ledger says."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from ingest.redecode_journal import JournalLine
from ingest.verification.difference import Difference, Kind
from ingest.verification.rewriting import Rewriting, rewriting_of
from ingest.verification.value_check import Committed, check_values

H = 3600
DEVICE = ("elgazala", "thermo-1")


def found(
    new: dict[int, int],
    stored: dict[int, int],
    *,
    other: dict[int, int] | None = None,
    absent: int = 0,
    kept_from: int | None = None,
) -> list[Difference]:
    most = {hour: new.get(hour, 0) + (other or {}).get(hour, 0) for hour in {*new, *(other or {})}}
    return list(
        check_values(
            DEVICE,
            committed=[Committed("worker-1", new, absent)],
            most=most,
            stored=stored,
            ahead_s=300.0,
            kept_from=kept_from,
        )
    )


def test_what_was_committed_and_is_there_is_no_difference() -> None:
    assert found({0: 10, H: 5}, {0: 10, H: 5}) == []
    assert found({}, {}) == []


def test_a_value_that_is_not_there_is_missing_in_its_hour() -> None:
    [one] = found({0: 10, H: 10, 2 * H: 10}, {0: 10, H: 9, 2 * H: 10})
    assert (one.kind, one.hour, one.what) == (Kind.VALUES_MISSING, H, "1 values")
    assert (one.one.says, one.other.says) == (30, 29)


def test_a_value_measured_before_the_hour_in_which_it_came_is_no_difference() -> None:
    assert found({0: 10, H: 10}, {-H: 3, 0: 12, H: 5}) == []


def test_a_value_ahead_of_its_reception_is_no_difference() -> None:
    assert found({0: 10}, {0: 8, H: 2}) == []


def test_a_value_further_ahead_than_any_message_may_be_is_one_too_many() -> None:
    [_, extra] = found({0: 10, 9 * H: 1}, {0: 8, 9 * H: 4})
    assert (extra.kind, extra.hour, extra.what) == (Kind.VALUES_EXTRA, 9 * H, "3 values")


def test_values_that_wait_or_were_refused_need_not_be_there() -> None:
    assert found({0: 10}, {0: 4}, absent=6) == []
    [one] = found({0: 10}, {0: 4}, absent=5)
    assert one.what == "1 values"


def test_values_at_other_instants_may_replace_or_add() -> None:
    for stored in range(10, 16):
        assert found({0: 10}, {0: stored}, other={0: 5}) == []
    [one] = found({0: 10}, {0: 16}, other={0: 5})
    assert (one.kind, one.what) == (Kind.VALUES_EXTRA, "1 values")


def test_values_that_replace_in_later_hours_do_not_hide_what_is_missing_before() -> None:
    [one] = found({0: 10, 5 * H: 10}, {0: 8, 5 * H: 14}, other={5 * H: 10})
    assert (one.kind, one.hour, one.what) == (Kind.VALUES_MISSING, 0, "2 values")


def test_values_of_a_device_that_the_ledger_does_not_know_are_too_many() -> None:
    [one] = found({}, {7 * H: 2})
    assert (one.kind, one.hour, one.other.says) == (Kind.VALUES_EXTRA, 7 * H, 0)


def test_what_the_store_does_not_keep_that_long_is_not_missed() -> None:
    new = {hour * H: 10 for hour in range(10)}
    assert found(new, {hour * H: 10 for hour in range(5, 10)}, kept_from=5 * H) == []
    [one] = found(new, {hour * H: 10 for hour in (5, 6, 9)}, kept_from=5 * H)
    assert (one.hour, one.what) == (7 * H, "10 values")  # an hour's values are the margin


def line(run: int, event: str, **values: object) -> JournalLine:
    told = {"at": "", "by": "", "profile": "p", "version": 2, "begin": "", "end": "", **values}
    return msgspec.convert({"event": event, "run": run, **told}, JournalLine)


def test_what_was_decoded_again_may_be_more_or_fewer() -> None:
    ran = [line(1, "begun"), line(1, "done", added=3, deleted=2)]
    rewriting = rewriting_of(DEVICE, ran)
    kept = {"committed": [Committed("w", {0: 10})], "most": {0: 10}, "ahead_s": 300.0}
    for stored, kinds in ((7, 1), (8, 0), (13, 0), (14, 1)):
        differences = check_values(
            DEVICE,
            stored={0: stored},
            kept_from=None,
            rewriting=rewriting,
            **kept,  # type: ignore[arg-type]
        )
        assert len(list(differences)) == kinds


def test_a_run_concerns_the_devices_it_was_asked_for() -> None:
    ran = [
        line(1, "begun", device="thermo-1"),
        line(1, "done", device="thermo-1", added=3),
        line(2, "begun", site="diamniadio"),
    ]
    assert rewriting_of(DEVICE, ran) == Rewriting(3, 0, known=True)
    assert rewriting_of(("elgazala", "other"), ran) == Rewriting()
    assert not rewriting_of(("diamniadio", "any"), ran).known


def test_two_workers_may_have_committed_the_same_values() -> None:
    both = [Committed("worker-1", {0: 10}), Committed("worker-2", {0: 10})]
    kept = {"most": {0: 20}, "ahead_s": 300.0, "kept_from": None}
    assert not list(check_values(DEVICE, committed=both, stored={0: 10}, **kept))  # type: ignore[arg-type]
    [one] = check_values(DEVICE, committed=both, stored={0: 9}, **kept)  # type: ignore[arg-type]
    assert one.kind is Kind.VALUES_MISSING


@given(
    st.lists(st.tuples(st.integers(0, 5 * H), st.integers(-5 * H, 300), st.booleans()), max_size=40)
)
def test_whatever_arrives_in_whatever_order_is_no_difference(
    messages: list[tuple[int, int, bool]],
) -> None:
    latest = -(10**9)
    new: dict[int, int] = {}
    other: dict[int, int] = {}
    instants: set[int] = set()
    for received, offset, _ in sorted(messages):
        at = received + offset
        into = new if at > latest else other
        into[received // H * H] = into.get(received // H * H, 0) + 1
        latest = max(latest, at)
        instants.add(at)
    stored: dict[int, int] = {}
    for at in instants:
        stored[at // H * H] = stored.get(at // H * H, 0) + 1
    assert found(new, stored, other=other) == []
