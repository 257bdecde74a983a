"""Instants: exact to the nanosecond, and never guessed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import iso
from devices.instants import NS_PER_UNIT, decimal, epoch_ns, rfc3339_ns, zoned_ns

SECOND = NS_PER_UNIT["epoch_s"]


def test_decimal_seconds_keep_their_nanoseconds() -> None:
    assert epoch_ns(decimal("1276020076.001"), SECOND) == 1_276_020_076_001_000_000
    assert epoch_ns(decimal("1276020076.000000001"), SECOND) == 1_276_020_076_000_000_001
    assert epoch_ns(decimal("1.276020076001e+09"), SECOND) == 1_276_020_076_001_000_000


def test_a_float_stands_for_its_shortest_decimal() -> None:
    assert epoch_ns(1276020076.001, SECOND) == 1_276_020_076_001_000_000


@pytest.mark.parametrize(
    "number", [float("nan"), float("inf"), 1e30, 10**30, Decimal("1e999999"), Decimal("NaN")]
)
def test_what_no_store_can_keep_is_refused(number: float | Decimal) -> None:
    with pytest.raises(ValueError, match=r"range|finite|beyond"):
        epoch_ns(number, SECOND)


@pytest.mark.parametrize("text", ["1e999999999999999999999", "1" * 100, "abc", "NaN", "Infinity"])
def test_text_that_is_no_reasonable_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"decimal|long|finite"):
        decimal(text)


@given(st.integers(min_value=-(2**62), max_value=2**62))
def test_rfc_3339_text_is_read_as_it_is_shown(instant: int) -> None:
    assert rfc3339_ns(iso(instant)) == instant


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1)))  # noqa: DTZ001
def test_rfc_3339_agrees_with_the_standard_library(moment: datetime) -> None:
    stamp = moment.replace(tzinfo=UTC)
    expected = (stamp - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution) * 1000
    assert rfc3339_ns(stamp.isoformat()) == expected


def test_offsets_and_a_leap_second_are_read() -> None:
    assert iso(rfc3339_ns("2026-11-23T06:54:00.5+01:00")) == "2026-11-23T05:54:00.500Z"
    assert iso(rfc3339_ns("2026-11-23t05:54:00z")) == "2026-11-23T05:54:00Z"
    assert iso(rfc3339_ns("2016-12-31T23:59:60Z")) == "2017-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T05:54:00",
        "2026-11-23",
        "2026-13-23T05:54:00Z",
        "2026-11-23T25:54:00Z",
        "2026-11-23T05:54:00+25:00",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "yesterday",
        "٢٠٢٦-11-23T05:54:00Z",
        "2026-11-23T05:54:00Z" + "0" * 100,
    ],
)
def test_text_without_an_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        rfc3339_ns(text)


def test_local_time_is_that_of_the_zone() -> None:
    tunis, dakar = ZoneInfo("Africa/Tunis"), ZoneInfo("Africa/Dakar")
    assert iso(zoned_ns("2026-11-23T06:54:00", zone=tunis, near_ns=0)) == "2026-11-23T05:54:00Z"
    assert iso(zoned_ns("2026-11-23T06:54:00", zone=dakar, near_ns=0)) == "2026-11-23T06:54:00Z"
    assert iso(zoned_ns("2026-11-23T06:54:00Z", zone=tunis, near_ns=0)) == "2026-11-23T06:54:00Z"


@pytest.mark.parametrize(
    ("received", "meant"),
    [
        ("2026-10-25T00:30:02Z", "2026-10-25T00:30:00Z"),
        ("2026-10-25T01:30:02Z", "2026-10-25T01:30:00Z"),
    ],
)
def test_in_a_repeated_hour_the_instant_nearer_to_reception_is_meant(
    received: str, meant: str
) -> None:
    paris = ZoneInfo("Europe/Paris")  # 02:30 comes twice there on 2026-10-25
    instant = zoned_ns("2026-10-25T02:30:00", zone=paris, near_ns=rfc3339_ns(received))
    assert iso(instant) == meant
