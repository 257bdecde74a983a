from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import NS_PER_S
from core.message import Decoded, Defect, MessageKind, Sample
from core.quality import Quality
from core.quantities import CATALOGUE
from core.reasons import Reason
from ingest.validate import ClockPolicy, Judged, validate

NOW = 1_790_000_000 * NS_PER_S
POLICY = ClockPolicy.from_settings(earliest="2020-01-01T00:00:00Z", ahead_s=300)


def judge(*samples: Sample, defects: tuple[Defect, ...] = (), simulated: bool = False) -> Judged:
    decoded = Decoded(
        profile="p",
        site="elgazala",
        external_id="d",
        kind=MessageKind.TELEMETRY,
        samples=samples,
        defects=defects,
        simulated=simulated,
    )
    return validate(decoded, site="elgazala", device="d", received_ns=NOW, clock=POLICY)


def test_values_of_one_category_and_instant_become_one_point() -> None:
    judged = judge(
        Sample("air_temperature", 21.5, time_ns=NOW),
        Sample("relative_humidity", 40, time_ns=NOW),
        Sample("active_power", 12, time_ns=NOW),
    )
    assert {point.category: point.values for point in judged.points} == {
        "environment": {"air_temperature": 21.5, "relative_humidity": 40.0},
        "energy": {"active_power": 12.0},
    }
    assert judged.defects == ()


def test_units_are_converted_to_the_canonical_one() -> None:
    judged = judge(Sample("air_temperature", 69.8, unit="°F", time_ns=NOW))
    assert judged.points[0].values["air_temperature"] == pytest.approx(21.0)


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (Sample("warmth", 1.0), Reason.UNKNOWN_QUANTITY),
        (Sample("air_temperature", 1.0, unit="furlong"), Reason.UNKNOWN_UNIT),
        (Sample("air_temperature", 1.0, unit="V"), Reason.UNKNOWN_UNIT),
        (Sample("air_temperature", 900.0), Reason.OUT_OF_RANGE),
        (Sample("air_temperature", float("nan")), Reason.NOT_A_NUMBER),
        (Sample("air_temperature", float("inf")), Reason.NOT_A_NUMBER),
        (Sample("air_temperature", 10**400), Reason.NOT_A_NUMBER),
        (Sample("air_temperature", "21"), Reason.WRONG_TYPE),
        (Sample("air_temperature", value=True), Reason.WRONG_TYPE),
        (Sample("motion", 0.5), Reason.WRONG_TYPE),
    ],
)
def test_a_bad_field_costs_that_field_and_says_why(sample: Sample, reason: Reason) -> None:
    judged = judge(Sample("relative_humidity", 40.0, time_ns=NOW), sample)
    assert [point.values for point in judged.points] == [{"relative_humidity": 40.0}]
    assert judged.points[0].quality & Quality.FIELD_DROPPED
    assert [defect.reason for defect in judged.defects] == [reason]


def test_a_boolean_is_stored_as_0_or_1() -> None:
    judged = judge(Sample("motion", value=True), Sample("door_open", 0))
    assert sorted(next(iter(point.values.values())) for point in judged.points) == [0.0, 1.0]


def test_without_a_device_time_the_time_of_reception_stands() -> None:
    point = judge(Sample("air_temperature", 21.0)).points[0]
    assert (point.time_ns, point.quality) == (NOW, Quality.SERVER_TIME)


@pytest.mark.parametrize("told", [0, 4_102_444_800 * NS_PER_S, -(2**80)])
def test_a_clock_that_cannot_be_right_is_replaced_marked_and_told(told: int) -> None:
    judged = judge(Sample("air_temperature", 21.0, time_ns=told))
    assert judged.points[0].time_ns == NOW
    assert judged.points[0].quality == Quality.SERVER_TIME | Quality.CLOCK_SUSPECT
    assert [defect.reason for defect in judged.defects] == [Reason.DEVICE_CLOCK]


def test_a_batch_with_a_wrong_clock_keeps_its_distances() -> None:
    judged = judge(*(Sample("air_temperature", 20.0 + n, time_ns=n * NS_PER_S) for n in range(3)))
    assert [point.time_ns for point in judged.points] == [
        NOW - 2 * NS_PER_S,
        NOW - NS_PER_S,
        NOW,
    ]


def test_late_values_keep_their_time_and_are_marked() -> None:
    told = NOW - 7200 * NS_PER_S
    point = judge(Sample("air_temperature", 21.0, time_ns=told)).points[0]
    assert (point.time_ns, point.quality) == (told, Quality.LATE)


def test_a_simulated_value_is_marked() -> None:
    assert judge(Sample("motion", 1, time_ns=NOW), simulated=True).points[0].quality == (
        Quality.SIMULATED
    )


@given(
    st.lists(
        st.builds(
            Sample,
            quantity=st.sampled_from([*CATALOGUE, "nonsense"]),
            value=st.floats() | st.booleans() | st.text() | st.integers(),
            unit=st.none() | st.sampled_from(["%", "Cel", "°F", "V", "nonsense"]),
            time_ns=st.none() | st.integers(-(2**70), 2**70),
        ),
        max_size=8,
    )
)
def test_every_sample_is_stored_or_explained(samples: list[Sample]) -> None:
    judged = judge(*samples)
    clocks = {Reason.DEVICE_CLOCK}
    kept = {name for point in judged.points for name in point.values}
    explained = [defect for defect in judged.defects if defect.reason not in clocks]
    if not judged.defects:
        assert kept == {sample.quantity for sample in samples}
    assert kept or judged.defects or not samples
    for point in judged.points:
        for name, value in point.values.items():
            assert CATALOGUE[name].minimum <= value <= CATALOGUE[name].maximum
    assert len(explained) <= len(samples)
