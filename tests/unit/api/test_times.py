from __future__ import annotations

from datetime import UTC as DATETIME_UTC
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problems import InvalidParameterError
from api.times import EARLIEST_NS, LATEST_NS, all_in_zone, in_zone, parse_instant, parse_zone
from core.clock import NS_PER_S

UTC = ZoneInfo("UTC")
TUNIS = ZoneInfo("Africa/Tunis")
EPOCH = datetime(1970, 1, 1, tzinfo=DATETIME_UTC)
NOW_NS = 1_795_428_000_000_000_000


def parsed(text: str, zone: ZoneInfo = UTC) -> int:
    return parse_instant(text, parameter="from", now_ns=NOW_NS, zone=zone)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01T00:00:00.000000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T01:00:00 01:00", 0),
        ("1969-12-31T23:30:00-00:30", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-11-23T10:00:00.123Z", NOW_NS + 123_000_000),
        ("now", NOW_NS),
        ("-24h", NOW_NS - 86_400 * NS_PER_S),
        ("now-15min", NOW_NS - 900 * NS_PER_S),
        ("-15m", NOW_NS - 900 * NS_PER_S),
        ("-7d", NOW_NS - 7 * 86_400 * NS_PER_S),
        ("-1w", NOW_NS - 7 * 86_400 * NS_PER_S),
        ("now+30s", NOW_NS + 30 * NS_PER_S),
        ("now 30s", NOW_NS + 30 * NS_PER_S),
    ],
)
def test_an_instant_is_read_exactly(text: str, expected: int) -> None:
    assert parsed(text) == expected


def test_a_day_begins_at_midnight_of_the_zone() -> None:
    assert parsed("2026-11-23", TUNIS) == parsed("2026-11-23T00:00:00+01:00")
    assert parsed("2026-11-23") == parsed("2026-11-23T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "yesterday",
        "1795428000",
        "2026-11-23T10:00:00",
        "2026-11-23T10:00:00.1234567891Z",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "1600-01-01",
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:59:60Z",
        "2026-11-23T10:00:00+25:00",
        "2026-11-23T10:00:00+01:75",
        "-999999999w",
        "-1y",
        "٢٠٢٦-11-23T10:00:00Z",
        "2026-11-23T10:00:00Z\n",
        "\x00",
        "x" * 10_000,
    ],
)
def test_what_is_no_instant_is_refused_with_the_parameter(text: str) -> None:
    with pytest.raises(InvalidParameterError) as raised:
        parsed(text)
    assert raised.value.errors[0].parameter == "from"
    assert len(raised.value.detail) < 300


@given(
    time_ns=st.integers(-(2**63) + 2, 2**63 - 2),
    zone=st.sampled_from(["UTC", "Africa/Tunis", "Africa/Dakar", "Asia/Kathmandu", "Europe/Paris"]),
)
def test_what_is_shown_in_a_zone_reads_back_as_the_same_instant(time_ns: int, zone: str) -> None:
    assert parsed(in_zone(time_ns, ZoneInfo(zone))) == time_ns


@given(
    seconds=st.one_of(
        st.integers(-(2**33), 2**33),
        st.sampled_from([1_774_746_000, 1_792_890_000]).flatmap(
            lambda change: st.integers(change - 2000, change + 2000)
        ),
    ),
    zone=st.sampled_from(["Africa/Tunis", "Asia/Kathmandu", "Europe/Paris", "America/St_Johns"]),
)
def test_what_is_shown_is_what_the_calendar_says_also_where_clocks_change(
    seconds: int, zone: str
) -> None:
    local = (EPOCH + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone))
    offset = local.utcoffset()
    assert offset is not None
    if offset.total_seconds() % 60 == 0:
        assert in_zone(seconds * NS_PER_S, ZoneInfo(zone)) == local.isoformat()


@pytest.mark.parametrize(
    "name", ["", "Africa/Tuni", "africa/tunis", "../../etc/passwd", "Africa", "\x00", "x" * 5000]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameterError, match="not an IANA time zone"):
        parse_zone(name)


def test_a_misspelt_zone_gets_the_closest_one_as_a_hint() -> None:
    with pytest.raises(InvalidParameterError, match="Africa/Tunis"):
        parse_zone("Africa/Tunnis")


@given(
    st.lists(st.integers(EARLIEST_NS, LATEST_NS), max_size=60),
    st.integers(EARLIEST_NS, LATEST_NS - 10**13),
    st.sampled_from([1, 1000, 10**6, 10**9, 10**9 // 3]),
    st.sampled_from(["UTC", "Africa/Tunis", "Europe/Paris", "Asia/Kolkata", "America/St_Johns"]),
)
def test_many_instants_are_written_as_each_alone(
    scattered: list[int], first: int, step: int, zone: str
) -> None:
    there = ZoneInfo(zone)
    near = [first + place * step for place in range(50)]
    for instants in (scattered, near, [*scattered, *near]):
        assert all_in_zone(instants, there) == [in_zone(each, there) for each in instants]
