"""Judging decoded samples: known quantity, canonical unit, type, range, clock.

A bad field costs that field, not the message; a bad message costs that message, not the batch.
Pure functions of their arguments.
"""

from __future__ import annotations

import math
from datetime import datetime

import msgspec

from core.clock import NS_PER_HOUR, NS_PER_S, iso
from core.errors import ConfigurationError, UnknownQuantityError, UnknownUnitError
from core.message import Decoded, Defect, Sample
from core.quality import Quality
from core.quantities import CATALOGUE, Quantity, quantity
from core.reading import Point
from core.reasons import Reason
from core.units import conversion

LATE_NS = NS_PER_HOUR
"""Age at reception from which a point is marked `Quality.LATE`, nanoseconds."""


class ClockPolicy(msgspec.Struct, frozen=True):
    """Which device times are trusted.

    Attributes:
        earliest_ns: an instant before this one cannot be right (a clock at 1970).
        ahead_ns: how far after the time of reception an instant may be.
    """

    earliest_ns: int
    ahead_ns: int

    @classmethod
    def from_settings(cls, *, earliest: str, ahead_s: float) -> ClockPolicy:
        """Build it from the settings `ingest.clock_earliest` and `ingest.clock_ahead_s`.

        Raises:
            ConfigurationError: the instant is not RFC 3339 with an offset.
        """
        try:
            instant = datetime.fromisoformat(earliest)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            raise ConfigurationError(
                f"setting ingest.clock_earliest: {earliest!r} is not an instant such as "
                "2020-01-01T00:00:00Z"
            )
        return cls(round(instant.timestamp()) * NS_PER_S, round(ahead_s * NS_PER_S))


class Judged(msgspec.Struct, frozen=True):
    """The points of a message, and the fields that had to be left out.

    Attributes:
        points: what is to be stored; empty when nothing could be used.
        defects: one for each field left out, and one for a clock that is not trusted.
    """

    points: tuple[Point, ...]
    defects: tuple[Defect, ...]


def validate(
    decoded: Decoded, *, site: str, device: str, received_ns: int, clock: ClockPolicy
) -> Judged:
    """Turn samples into points of one device.

    Args:
        decoded: what the profile made of the message.
        site: the device's site slug.
        device: the device's slug.
        received_ns: time of reception, which stands in for an instant that is not trusted.
        clock: which device times are trusted.
    """
    defects = list(decoded.defects)
    dropped = len(defects)
    base_quality = Quality.SIMULATED if decoded.simulated else Quality.GOOD
    groups: dict[tuple[str, int], tuple[dict[str, float], Quality]] = {}
    instants = _Instants(decoded.samples, received_ns=received_ns, clock=clock)
    for sample in decoded.samples:
        try:
            entry, value = _canonical(sample)
            time_ns, quality = instants.of(sample)
        except _FieldError as error:
            defects.append(Defect(error.reason, error.detail))
            dropped += 1
            continue
        values, _ = groups.setdefault((entry.category.value, time_ns), ({}, base_quality | quality))
        values[entry.name] = value
    defects.extend(instants.defects())
    extra = Quality.FIELD_DROPPED if dropped else Quality.GOOD
    points = tuple(
        Point(site, device, category, time_ns, values, int(quality | extra))
        for (category, time_ns), (values, quality) in groups.items()
    )
    return Judged(points, tuple(defects))


class _FieldError(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def _canonical(sample: Sample) -> tuple[Quantity, float]:
    entry = CATALOGUE.get(sample.quantity)
    if entry is None:
        try:
            quantity(sample.quantity)
        except UnknownQuantityError as error:
            raise _FieldError(Reason.UNKNOWN_QUANTITY, f"{_at(sample)}: {error.detail}") from None
    assert entry is not None  # noqa: S101 - quantity() raises for every name it does not know
    value = _number(sample, entry)
    if sample.unit is not None:
        try:
            scale, offset = conversion(entry.name, sample.unit)
        except UnknownUnitError as error:
            raise _FieldError(Reason.UNKNOWN_UNIT, f"{_at(sample)}: {error.detail}") from None
        value = value * scale + offset
    if not entry.minimum <= value <= entry.maximum:
        raise _FieldError(
            Reason.OUT_OF_RANGE,
            f"{_at(sample)}: {value:.6g} {entry.unit} is outside "
            f"{entry.minimum:.6g} to {entry.maximum:.6g} {entry.unit}",
        )
    if entry.type == "boolean" and value not in (0.0, 1.0):
        raise _FieldError(
            Reason.WRONG_TYPE, f"{_at(sample)}: {entry.name} is true or false, not {value:.6g}"
        )
    return entry, value


def _number(sample: Sample, entry: Quantity) -> float:
    value = sample.value
    if isinstance(value, bool):
        if entry.type == "float":
            raise _FieldError(
                Reason.WRONG_TYPE, f"{_at(sample)}: {entry.name} is a number, not true or false"
            )
        return float(value)
    if isinstance(value, str):
        raise _FieldError(
            Reason.WRONG_TYPE,
            f"{_at(sample)}: {entry.name} is a number, not the text {value[:40]!r}",
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _FieldError(Reason.NOT_A_NUMBER, f"{_at(sample)}: not a finite number")
    return number


class _Instants:
    """The instants of one message's samples, as trusted.

    An instant that cannot be right is replaced by the time of reception. When several samples of a
    batch carry such instants, the distances between them are kept and the newest of them becomes
    the time of reception: a batch of a device whose clock is wrong does not collapse to one point.
    """

    def __init__(
        self, samples: tuple[Sample, ...], *, received_ns: int, clock: ClockPolicy
    ) -> None:
        self._received_ns = received_ns
        self._clock = clock
        self._limit_ns = received_ns + clock.ahead_ns
        told = [sample.time_ns for sample in samples if sample.time_ns is not None]
        self._behind = max((at for at in told if at < clock.earliest_ns), default=None)
        self._ahead = max((at for at in told if at > self._limit_ns), default=None)

    def of(self, sample: Sample) -> tuple[int, Quality]:
        """Return the instant to store, and its quality.

        Raises:
            _FieldError: the instants of the batch are so far apart that none can be kept.
        """
        at = sample.time_ns
        if at is None:
            return self._received_ns, Quality.SERVER_TIME
        if at < self._clock.earliest_ns:
            newest = self._behind
        elif at > self._limit_ns:
            newest = self._ahead
        else:
            late = self._received_ns - at > LATE_NS
            return at, Quality.LATE if late else Quality.GOOD
        shifted = self._received_ns - ((newest or at) - at)
        if shifted < self._clock.earliest_ns:
            raise _FieldError(
                Reason.DEVICE_CLOCK, f"{_at(sample)}: {_shown(at)} cannot be right, nor be mended"
            )
        return shifted, Quality.SERVER_TIME | Quality.CLOCK_SUSPECT

    def defects(self) -> list[Defect]:
        """Return one defect for each clock that is not trusted."""
        return [
            Defect(
                Reason.DEVICE_CLOCK,
                f"the device says {_shown(at)}, which cannot be right at "
                f"{iso(self._received_ns)}; the time of reception stands instead",
            )
            for at in (self._behind, self._ahead)
            if at is not None
        ]


def _shown(at: int) -> str:
    try:
        return iso(at)
    except (OverflowError, ValueError, OSError):
        return f"{at} ns"


def _at(sample: Sample) -> str:
    return sample.where or sample.quantity[:60]
