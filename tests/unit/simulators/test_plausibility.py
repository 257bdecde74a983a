"""The simulated world behaves as the real one does: cycles, ranges, balances, correlations."""

from __future__ import annotations

import itertools
import math
import statistics
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from core.quantities import CATALOGUE
from simulators.climate import CLIMATES, Weather
from simulators.place import Surroundings
from simulators.rooms import CO2_M3_PER_PERSON_H, OUTDOOR_CO2_PPM, Room
from simulators.sensors import SENSORS
from simulators.streams import stream
from simulators.vitals import Person

TUNIS, DAKAR = ZoneInfo("Africa/Tunis"), ZoneInfo("Africa/Dakar")
DAY = 86_400
MONDAY = datetime(2026, 11, 23, tzinfo=UTC).timestamp()


def weather(city: str, *, seed: int = 1) -> Weather:
    latitude, longitude = (36.9, 10.2) if city == "tunis" else (14.7, -17.2)
    return Weather(
        CLIMATES[city], latitude=latitude, longitude=longitude, seed=seed, site=f"site-{city}"
    )


def room(number: int = 1, *, use: str = "office") -> Room:
    return Room(
        site="elgazala",
        building="batiment-a",
        zone=f"bureau-{number:02d}",
        use="home" if use == "home" else "office",
        time_zone=TUNIS,
        weather=weather("tunis"),
        seed=5,
    )


def correlation(one: list[float], other: list[float]) -> float:
    return statistics.correlation(one, other)


def hours(days: int, *, start: float = MONDAY, step_s: float = 1800) -> list[float]:
    return [start + step_s * number for number in range(int(days * DAY / step_s))]


def monthly_mean(city: str, month: int) -> float:
    means = []
    for seed in range(6):
        begin = datetime(2026, month, 1, tzinfo=UTC).timestamp()
        sky = weather(city, seed=seed)
        means.append(statistics.fmean(sky.temperature(t) for t in hours(28, start=begin)))
    return statistics.fmean(means)


@pytest.mark.parametrize(
    ("city", "month", "normal_c"),
    # means of the daily minima and maxima of the sources that simulators.climate names
    [("tunis", 1, 11.4), ("tunis", 8, 26.9), ("dakar", 2, 20.8), ("dakar", 9, 27.4)],
)
def test_months_are_as_warm_as_the_normals_say(city: str, month: int, normal_c: float) -> None:
    assert monthly_mean(city, month) == pytest.approx(normal_c, abs=1.6)


@pytest.mark.parametrize(("city", "range_c"), [("tunis", 10.0), ("dakar", 6.6)])
def test_every_day_has_its_warm_afternoon(city: str, range_c: float) -> None:
    sky = weather(city)
    by_hour: list[list[float]] = [[] for _ in range(24)]
    for at in hours(60, step_s=3600):
        by_hour[int(sky.solar_hour(at)) % 24].append(sky.temperature(at))
    means = [statistics.fmean(values) for values in by_hour]
    assert 13 <= means.index(max(means)) <= 15
    assert 1 <= means.index(min(means)) <= 4
    assert max(means) - min(means) == pytest.approx(range_c, rel=0.15)


@pytest.mark.parametrize("city", ["tunis", "dakar"])
def test_humidity_falls_when_it_gets_warm(city: str) -> None:
    sky = weather(city)
    times = hours(20)
    assert correlation([sky.temperature(t) for t in times], [sky.humidity(t) for t in times]) < -0.4
    year = hours(365, step_s=7 * 3600)
    assert all(5 < sky.humidity(t) <= 100 for t in year)
    assert all(sky.dew_point(t) < sky.temperature(t) for t in year)


def test_the_sun_shines_by_day_only_and_most_at_noon() -> None:
    sky = weather("dakar")
    day = [(sky.solar_hour(t), sky.irradiance(t)) for t in hours(30, step_s=600)]
    assert all(value == 0 for hour, value in day if hour < 5 or hour > 19)
    assert all(0 <= value < 1200 for _, value in day)
    noon = statistics.fmean(value for hour, value in day if 11.5 < hour < 12.5)
    morning = statistics.fmean(value for hour, value in day if 7.5 < hour < 8.5)
    assert noon > 2 * morning > 0


def test_offices_are_full_on_working_days_and_homes_by_night() -> None:
    office, home = room(use="office"), room(use="home")
    for day in range(5):
        local_midnight = MONDAY - 3600 + day * DAY
        assert office.people(local_midnight + 3 * 3600) == 0
        assert home.people(local_midnight + 3 * 3600) == home.capacity
    at_ten = [room(n).people(MONDAY + 9 * 3600) for n in range(1, 30)]
    assert statistics.fmean(at_ten) > 2
    sunday = [room(n).people(MONDAY + 6 * DAY + 9 * 3600) for n in range(1, 30)]
    assert statistics.fmean(sunday) < 0.5


def test_carbon_dioxide_is_the_mass_balance_of_the_people_present() -> None:
    office = room(3)
    step, level = 5.0, office.carbon_dioxide(MONDAY + 6 * 3600)
    for number in range(int(10 * 3600 / step)):
        at = MONDAY + 6 * 3600 + number * step
        breathed = office.people(at) * CO2_M3_PER_PERSON_H / office.volume_m3 * 1e6
        aired = office.air_changes_per_h * (level - OUTDOOR_CO2_PPM)
        level += (breathed - aired) * step / 3600
    assert office.carbon_dioxide(MONDAY + 16 * 3600) == pytest.approx(level, rel=0.005)


def test_carbon_dioxide_and_power_follow_the_people() -> None:
    offices = [room(n) for n in range(1, 8)]
    times = hours(5, step_s=900)
    for office in offices:
        people = [float(office.people(t)) for t in times]
        # air answers within about an hour
        air = [office.carbon_dioxide(t + 1800) for t in times]
        assert correlation(people, air) > 0.6
        assert correlation(people, [office.electric_power(t) for t in times]) > 0.8
        assert all(OUTDOOR_CO2_PPM - 1 < ppm < 2500 for ppm in air)
        assert max(air) > 600


def test_a_room_is_the_same_whatever_was_asked_before() -> None:
    one, other = room(), room()
    times = hours(6, step_s=5000)
    forward = [(one.carbon_dioxide(t), one.temperature(t)) for t in times]
    backward = [(other.carbon_dioxide(t), other.temperature(t)) for t in reversed(times)]
    assert forward == backward[::-1]


def test_body_temperature_peaks_in_the_afternoon_and_is_lowest_before_dawn() -> None:
    person = Person(seed=1, device="monitor-1", time_zone=TUNIS)
    by_hour = [
        statistics.fmean(
            person.signs(MONDAY + day * DAY + hour * 3600, hour=hour).body_temperature
            for day in range(30)
        )
        for hour in range(24)
    ]
    assert 15 <= by_hour.index(max(by_hour)) <= 19
    assert 3 <= by_hour.index(min(by_hour)) <= 7
    assert 0.6 < max(by_hour) - min(by_hour) < 1.2
    assert all(35.5 < value < 38 for value in by_hour)


def test_vital_signs_rest_at_night_and_move_together() -> None:
    for number in range(8):
        person = Person(seed=1, device=f"monitor-{number}", time_zone=DAKAR)
        times = hours(10, step_s=600)
        signs = [person.signs(t, hour=t % DAY / 3600) for t in times]
        asleep = [s for s, t in zip(signs, times, strict=True) if 1 <= t % DAY / 3600 < 5]
        awake = [s for s, t in zip(signs, times, strict=True) if 9 <= t % DAY / 3600 < 21]

        def ratio(name: str, low: list[object] = asleep, high: list[object] = awake) -> float:  # type: ignore[assignment]
            return statistics.fmean(getattr(s, name) for s in low) / statistics.fmean(
                getattr(s, name) for s in high
            )

        assert 0.72 < ratio("heart_rate") < 0.92
        assert 0.80 < ratio("systolic") < 0.93
        assert 0.98 < ratio("oxygen_saturation") < 1.0
        heart = [s.heart_rate for s in signs]
        assert correlation(heart, [s.body_temperature for s in signs]) > 0.3
        assert correlation(heart, [s.respiratory_rate for s in signs]) > 0.3
        assert all(s.systolic > s.diastolic + 15 for s in signs)
        assert all(90 <= s.oxygen_saturation <= 100 for s in signs)
        assert all(s.cadence == 0 for s in asleep)


def surroundings(*, start_s: float = MONDAY, use: str = "office") -> Surroundings:
    place = room(use=use)
    return Surroundings(
        weather=place.weather,
        room=place,
        person=lambda: Person(seed=1, device="worn", time_zone=TUNIS),
        rng=stream(1, "measuring"),
        start_s=start_s,
    )


@pytest.mark.parametrize(
    ("kind", "rate", "counter", "per_unit"),
    [
        ("power_meter", "active_power", "energy_imported", 3.6e6),
        ("solar_inverter", "solar_power", "energy_exported", 3.6e6),
        ("water_meter", "water_flow", "water_volume", 60_000.0),
    ],
)
def test_counters_are_the_integral_of_what_they_count(
    kind: str, rate: str, counter: str, per_unit: float
) -> None:
    sensor = SENSORS[kind](surroundings())
    samples = [(t, sensor.sample(t)) for t in hours(3, step_s=37)]
    counts = [float(values[counter]) for _, values in samples]
    assert all(later >= earlier for earlier, later in itertools.pairwise(counts))
    total = sum(
        (t2 - t1) * (float(v1[rate]) + float(v2[rate])) / 2
        for (t1, v1), (t2, v2) in itertools.pairwise(samples)
    )
    assert counts[-1] > counts[0]
    assert counts[-1] - counts[0] == pytest.approx(total / per_unit, abs=2e-6)


def test_energy_today_begins_again_at_local_midnight() -> None:
    sensor = SENSORS["power_meter"](surroundings())
    samples = [(t, sensor.sample(t)) for t in hours(2, step_s=60)]
    falls = [
        t2
        for (t1, v1), (t2, v2) in itertools.pairwise(samples)
        if v2["energy_today"] < v1["energy_today"]
    ]
    assert [t % DAY for t in falls] == [23 * 3600, 23 * 3600]  # midnight in Tunis is 23 h UTC
    before = dict(samples)[falls[0] - 60]["energy_today"]
    assert samples[-1][1]["energy_yesterday"] != before
    assert dict(samples)[falls[0]]["energy_yesterday"] == before


def test_a_meter_obeys_the_laws_of_alternating_current() -> None:
    sensor = SENSORS["power_meter"](surroundings())
    for t in hours(2, step_s=300):
        values = {name: float(value) for name, value in sensor.sample(t).items()}
        assert 207 <= values["voltage"] <= 253  # EN 50160: 230 V, 10 %
        assert values["apparent_power"] == pytest.approx(
            values["voltage"] * values["current"], rel=0.02, abs=0.3
        )
        assert values["apparent_power"] ** 2 == pytest.approx(
            values["active_power"] ** 2 + values["reactive_power"] ** 2, rel=0.01
        )


def test_blood_pressure_is_ordered_and_its_mean_is_a_third_above_the_diastolic() -> None:
    sensor = SENSORS["blood_pressure"](surroundings(use="home"))
    for t in hours(5, step_s=900):
        values = {name: float(value) for name, value in sensor.sample(t).items()}
        high, low = values["systolic_blood_pressure"], values["diastolic_blood_pressure"]
        mean = values["mean_blood_pressure"]
        assert high > mean > low
        assert mean == pytest.approx(low + (high - low) / 3, abs=0.06)


def test_motion_sees_nobody_in_an_empty_room_and_people_in_a_full_one() -> None:
    place = surroundings()
    sensor = SENSORS["motion"](place)
    seen = [(place.room.people(t), sensor.sample(t)["occupancy"]) for t in hours(5, step_s=300)]
    assert not any(moved for people, moved in seen if people == 0)
    assert statistics.fmean(bool(moved) for people, moved in seen if people) > 0.5


@pytest.mark.parametrize("kind", sorted(SENSORS))
def test_every_reading_is_a_known_quantity_within_its_range(kind: str) -> None:
    for start in (MONDAY, datetime(2026, 8, 1, tzinfo=UTC).timestamp()):
        sensor = SENSORS[kind](surroundings(start_s=start))
        for t in hours(4, start=start, step_s=450):
            for name, value in sensor.sample(t).items():
                entry = CATALOGUE[name]
                assert isinstance(value, bool) == (entry.type == "boolean"), name
                assert math.isfinite(value)
                assert entry.minimum <= value <= entry.maximum, name
