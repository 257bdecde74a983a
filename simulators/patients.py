"""Patients whose truth is known: what their monitors show, and when they were really unwell.

Six people in beds with a monitor each (`Course`). The courses are sketches for trying rules, not a
model of an illness: a sepsis that takes six hours (the signs of NEWS2 move together, as in Royal
College of Physicians, NEWS2, 2017, chapter 4), short falls of the saturation, a person with chronic
hypercapnic lung disease whose usual saturation is 88 to 92 % (scale 2 there), and what is no
illness but looks like one for a moment: a finger that moves, a sensor that lies beside the bed, a
walk along the corridor. Alarms of monitors are mostly such: 88.8 % of 12,671 arrhythmia alarms
(Drew et al., PLOS ONE 9 (2014) e110274).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec

from core.clock import NS_PER_S, iso
from simulators.streams import stream
from simulators.vitals import Person

HOURS = 12
EVERY_S = 5
_HOUR_S = 3600
_MEASURED_EVERY_S = 15 * 60
_ENTERED_EVERY_S = 4 * _HOUR_S
_EDGE_S = 60
QUANTITIES = (
    "heart_rate",
    "respiratory_rate",
    "oxygen_saturation",
    "body_temperature",
    "systolic_blood_pressure",
    "supplemental_oxygen",
    "consciousness",
)
"""What is known of each patient, in the order of the columns of the recording."""


class Course(StrEnum):
    """What happens to a patient; the device is called so."""

    STABLE = "stable"
    SEPSIS = "sepsis"
    HYPOXIA = "hypoxia"
    RESTLESS = "restless"
    """The sensor moves, and lies beside the bed at times: nothing is wrong with the patient."""
    COPD = "copd"
    EXERCISE = "exercise"


class Truth(msgspec.Struct, frozen=True):
    """A time in which a patient was really unwell.

    Attributes:
        device: of whom.
        start_s: seconds since the epoch.
        end_s: seconds since the epoch.
    """

    device: str
    start_s: float
    end_s: float


class Patient:
    """One patient.

    Args:
        course: what happens.
        seed: of the recording.
        start_s: of the recording, seconds since the epoch.
        hours: its length.
        zone: where the bed is.
    """

    def __init__(
        self, course: Course, *, seed: int, start_s: int, hours: float, zone: ZoneInfo
    ) -> None:
        self.device = course.value
        self._course = course
        self._start_s, self._end_s = start_s, start_s + round(hours * _HOUR_S)
        self._zone = zone
        self._person = Person(seed=seed, device=self.device, time_zone=zone)
        rng = stream(seed, "patient", self.device)
        self._onset_s = start_s + hours * _HOUR_S * rng.uniform(0.35, 0.45)
        restless = course is Course.RESTLESS
        self._moves = self._spans(rng, a_hour=10 if restless else 1.5, lasts_s=(4, 14))
        self._away = self._spans(rng, a_hour=0.5, lasts_s=(60, 600)) if restless else []
        self._falls, self._walks = [], []
        if course is Course.HYPOXIA:
            self._falls = self._spans(rng, a_hour=0.4, lasts_s=(240, 900))
        if course is Course.EXERCISE:
            self._walks = self._spans(rng, a_hour=0.25, lasts_s=(480, 900))
        self._noise = stream(seed, "patient", self.device, "noise")

    @property
    def truths(self) -> list[Truth]:
        """When the patient is really unwell."""
        spans = list(self._falls)
        if self._course is Course.SEPSIS:
            spans.append((self._onset_s, float(self._end_s)))
        return [Truth(self.device, start_s, min(end_s, self._end_s)) for start_s, end_s in spans]

    def shown(self, at_s: int) -> Mapping[str, float]:
        """Return what is measured or entered at an instant; instants are asked for in order."""
        found = self._monitored(at_s) if not _inside(self._away, at_s) else {}
        since_s = at_s - self._start_s
        ill = self._ill(at_s)
        hour = self._hour(at_s)
        if since_s % _MEASURED_EVERY_S == 0:
            signs = self._person.signs(at_s, hour=hour)
            found["body_temperature"] = round(signs.body_temperature + 2.3 * ill, 1)
            found["systolic_blood_pressure"] = round(signs.systolic - 38 * ill)
        if since_s % _ENTERED_EVERY_S == 0:
            found["supplemental_oxygen"] = 0
            found["consciousness"] = 1 if ill > 0.9 else 0  # noqa: PLR2004 - confused at the height
        return found

    def _monitored(self, at_s: int) -> dict[str, float]:
        signs = self._person.signs(at_s, hour=self._hour(at_s))
        ill, fall = self._ill(at_s), _ramp(self._falls, at_s)
        walk = _ramp(self._walks, at_s)
        rate = signs.heart_rate + 46 * ill + 14 * fall + 50 * walk
        breaths = signs.respiratory_rate + 13 * ill + 5 * fall + 10 * walk
        saturation = signs.oxygen_saturation - 6 * ill - 12 * fall - 1.5 * walk
        if self._course is Course.COPD:
            saturation -= 7
        if _inside(self._moves, at_s):
            saturation -= self._noise.uniform(8, 25)
            rate += self._noise.uniform(-20, 60)
        return {
            "heart_rate": round(min(max(rate, 20), 300)),
            "respiratory_rate": round(min(max(breaths, 3), 80)),
            "oxygen_saturation": round(min(max(saturation, 50), 100)),
        }

    def _ill(self, at_s: float) -> float:
        """Return how far a sepsis has gone: 0 to 1 in six hours."""
        if self._course is not Course.SEPSIS:
            return 0.0
        return min(1.0, max(0.0, (at_s - self._onset_s) / (6 * _HOUR_S)))

    def _hour(self, at_s: int) -> float:
        local = datetime.fromtimestamp(at_s, UTC).astimezone(self._zone)
        return local.hour + local.minute / 60 + local.second / _HOUR_S

    def _spans(
        self, rng: Random, *, a_hour: float, lasts_s: tuple[float, float]
    ) -> list[tuple[float, float]]:
        """Return spans that come so often, at random, and do not overlap."""
        found = []
        at_s = self._start_s + _HOUR_S / a_hour * rng.uniform(0.2, 1)
        while at_s < self._end_s:
            long_s = rng.uniform(*lasts_s)
            found.append((at_s, at_s + long_s))
            at_s += long_s + _HOUR_S / a_hour * rng.uniform(0.5, 1.5)
        return found


def patients(*, seed: int, start_s: int, hours: float, zone: ZoneInfo) -> list[Patient]:
    """Return one patient of each course."""
    return [
        Patient(course, seed=seed, start_s=start_s, hours=hours, zone=zone) for course in Course
    ]


def rows(
    people: list[Patient], *, start_s: int, hours: float
) -> Iterator[tuple[int, str, Mapping[str, float]]]:
    """Yield (seconds since the epoch, device, values) in the order of time."""
    for at_s in range(start_s, start_s + round(hours * _HOUR_S), EVERY_S):
        for one in people:
            values = one.shown(at_s)
            if values:
                yield at_s, one.device, values


def write_recording(folder: Path, *, seed: int, start_s: int, hours: float, zone: ZoneInfo) -> int:
    """Write `patients.csv` (timestamp, device, quantities) and `labels.csv` (start, end, device).

    Returns:
        How many rows the recording has.

    Raises:
        OSError: it cannot be written.
    """
    people = patients(seed=seed, start_s=start_s, hours=hours, zone=zone)
    count = 0
    with (folder / "patients.csv").open("w", encoding="utf-8", newline="") as file:
        recording = csv.writer(file)
        recording.writerow(("timestamp", "device", *QUANTITIES))
        for at_s, device, values in rows(people, start_s=start_s, hours=hours):
            cells = (values.get(name, "") for name in QUANTITIES)
            recording.writerow((iso(at_s * NS_PER_S), device, *cells))
            count += 1
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        labels = csv.writer(file)
        labels.writerow(("start", "end", "device"))
        for patient in people:
            for one in patient.truths:
                start, end = (iso(round(at) * NS_PER_S) for at in (one.start_s, one.end_s))
                labels.writerow((start, end, one.device))
    return count


def _inside(spans: list[tuple[float, float]], at_s: float) -> bool:
    return any(start_s <= at_s < end_s for start_s, end_s in spans)


def _ramp(spans: list[tuple[float, float]], at_s: float) -> float:
    """Return 1 inside a span, 0 outside, and what is between for a minute at each end."""
    for start_s, end_s in spans:
        if start_s <= at_s < end_s:
            return min(1.0, (at_s - start_s) / _EDGE_S, (end_s - at_s) / _EDGE_S)
    return 0.0
