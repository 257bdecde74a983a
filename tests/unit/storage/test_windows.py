"""How a range is cut: contiguous windows, aligned in a zone, for every zone and instant."""

from __future__ import annotations

import zoneinfo
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S
from storage.ports import Every
from storage.refusal import EARLIEST_NS, LATEST_NS
from storage.windows import cut, index_of, runs

DAY = 86_400 * NS_PER_S
ZONES = sorted(
    {"UTC", "Africa/Tunis", "Africa/Dakar", "Africa/Cairo", "Africa/Casablanca", "Europe/Paris"}
    | {"Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia"}
    | {"America/Toronto", "Africa/Monrovia", "America/Havana", "Antarctica/Troll"}
)
instants = st.integers(-(10**18), 4 * 10**18) | st.integers(EARLIEST_NS, LATEST_NS - 400 * DAY)
lengths = st.one_of(
    st.builds(Every, count=st.integers(60, 90_000), unit=st.just("s")),
    st.builds(Every, count=st.integers(1, 3000), unit=st.just("min")),
    st.builds(Every, count=st.integers(1, 50), unit=st.just("h")),
    st.builds(Every, count=st.integers(1, 40), unit=st.just("d")),
    st.builds(Every, count=st.integers(1, 9), unit=st.just("w")),
    st.builds(Every, count=st.integers(1, 30), unit=st.just("mo")),
)


def there(time_ns: int, zone: ZoneInfo) -> datetime:
    """Return the local time of a whole second."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=time_ns // NS_PER_S)).astimezone(
        zone
    )


@given(
    zone=st.sampled_from(ZONES),
    every=lengths,
    start=instants,
    length=st.integers(1, 30 * DAY) | st.integers(1, 10),
)
def test_windows_cover_the_range_without_gap_or_overlap(
    zone: str, every: Every, start: int, length: int
) -> None:
    edges = cut(every, zone=ZoneInfo(zone), start_ns=start, end_ns=start + length)
    assert edges[0] <= start < edges[1]
    assert edges[-2] < start + length <= edges[-1]
    assert all(earlier < later for earlier, later in pairwise(edges))
    assert index_of(edges, start) == 0
    assert index_of(edges, start + length - 1) == len(edges) - 2


@given(zone=st.sampled_from(ZONES), every=lengths, start=instants, shift=st.integers(0, 40 * DAY))
def test_a_window_does_not_depend_on_the_range_it_is_asked_in(
    zone: str, every: Every, start: int, shift: int
) -> None:
    whole = cut(every, zone=ZoneInfo(zone), start_ns=start, end_ns=start + 50 * DAY)
    part = cut(every, zone=ZoneInfo(zone), start_ns=start + shift, end_ns=start + 50 * DAY)
    assert part == whole[bisect_right(whole, start + shift) - 1 :]


@given(
    zone=st.sampled_from(ZONES),
    unit=st.sampled_from(["d", "w", "mo"]),
    start=st.integers(0, 2 * 10**18),
)
def test_calendar_windows_start_at_the_first_instant_of_their_date(
    zone: str, unit: str, start: int
) -> None:
    place = ZoneInfo(zone)
    edges = cut(Every(1, unit), zone=place, start_ns=start, end_ns=start + 70 * DAY)
    for edge in edges:
        date = there(edge, place).date()
        assert there(edge - NS_PER_S, place).date() < date
        if unit == "w":
            assert date.weekday() == 0 or there(edge, place).hour > 0
        if unit == "mo":
            assert date.day == 1


@given(zone=st.sampled_from(ZONES), every=lengths, start=instants)
def test_runs_put_the_windows_together_again(zone: str, every: Every, start: int) -> None:
    edges = cut(every, zone=ZoneInfo(zone), start_ns=start, end_ns=start + 40 * DAY)
    again = [edges[0]]
    for run in runs(edges, alone=lambda first, _: first % 5 == 0):
        assert edges[run.first] == again[-1]
        for _ in range(run.count):
            again.append(again[-1] + run.length_ns)
        if run.count > 1:
            assert all(edges[run.first + index] % 5 for index in range(run.count))
    assert again == edges


def test_a_year_of_days_is_five_runs() -> None:
    start = int(datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Paris")).timestamp()) * NS_PER_S
    edges = cut(
        Every(1, "d"), zone=ZoneInfo("Europe/Paris"), start_ns=start, end_ns=start + 365 * DAY
    )
    found = list(runs(edges, alone=lambda _start, _end: False))
    assert [run.count for run in found] == [87, 1, 209, 1, 67]
    assert found[1].length_ns == 23 * 3600 * NS_PER_S


def test_a_day_that_a_zone_skipped_has_no_window() -> None:
    apia = ZoneInfo("Pacific/Apia")  # went from 29 to 31 December 2011
    start = int(datetime(2011, 12, 28, tzinfo=apia).timestamp()) * NS_PER_S
    edges = cut(Every(1, "d"), zone=apia, start_ns=start, end_ns=start + 4 * DAY)
    assert [there(edge, apia).day for edge in edges] == [28, 29, 31, 1, 2]
    assert all(later - earlier == DAY for earlier, later in pairwise(edges))


def test_midnight_may_be_skipped_in_the_middle_of_an_hour() -> None:
    toronto = ZoneInfo("America/Toronto")  # clocks went from 23:30 to 00:30 on 30 March 1919
    start = int(datetime(1919, 3, 30, 12, tzinfo=toronto).timestamp()) * NS_PER_S
    edges = cut(Every(1, "d"), zone=toronto, start_ns=start, end_ns=start + DAY)
    assert there(edges[1], toronto).isoformat() == "1919-03-31T00:30:00-04:00"
    assert edges[1] - edges[0] == int(23.5 * 3600) * NS_PER_S


@pytest.mark.parametrize("zone", sorted(zoneinfo.available_timezones())[::9])
def test_every_zone_is_cut(zone: str) -> None:
    start = 1_760_000_000 * NS_PER_S
    edges = cut(Every(1, "d"), zone=ZoneInfo(zone), start_ns=start, end_ns=start + 400 * DAY)
    assert 401 <= len(edges) <= 403
