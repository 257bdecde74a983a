"""A rule as it is written, checked and with every number in its canonical unit.

Instants and durations are nanoseconds; limits are in the canonical unit of their quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from alerts.model import AlarmClass, Severity


class Per(StrEnum):
    """What one alert of a rule is about."""

    SERIES = "series"
    """One quantity of one device."""
    DEVICE = "device"
    ZONE = "zone"
    BUILDING = "building"
    SITE = "site"
    PERSON = "person"


class Retroactive(StrEnum):
    """What happens when late values show that a rule fired in the past."""

    NOTIFY = "notify"
    LIST = "list"


class Select(msgspec.Struct, frozen=True):
    """Which devices a rule looks at: those that fit every field; an empty field fits all.

    Attributes:
        site: patterns of site slugs (`*` stands for anything).
        building: patterns of buildings.
        zone: patterns of zones.
        device: patterns of device slugs.
        profile: patterns of profile names: the type of device.
        quantity: patterns of quantities, of a rule per series.
        labels: label name -> patterns of its value.
    """

    site: tuple[str, ...] = ()
    building: tuple[str, ...] = ()
    zone: tuple[str, ...] = ()
    device: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    quantity: tuple[str, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class Threshold(msgspec.Struct, frozen=True, tag="threshold"):
    """The newest value is beyond a limit.

    Attributes:
        quantity: of which quantity; "" that of the series (`Per.SERIES`), whose unit then counts.
        above: holds above it, or None.
        below: holds below it, or None.
        margin: once it holds it goes on until the value is back inside by so much (hysteresis).
        device: only of this device of the subject; "" any.
    """

    quantity: str
    above: float | None = None
    below: float | None = None
    margin: float = 0.0
    device: str = ""


class Rate(msgspec.Struct, frozen=True, tag="rate"):
    """The value changed by more than a limit over a time.

    The change is newest minus oldest value within `over_ns`; with less than half of that time
    between the two it cannot be said.

    Attributes:
        quantity: as in `Threshold`.
        over_ns: how far back.
        above: holds when it rose by more, or None.
        below: holds when it changed by less than this (a negative number: it fell), or None.
        device: as in `Threshold`.
    """

    quantity: str
    over_ns: int
    above: float | None = None
    below: float | None = None
    device: str = ""


class Absence(msgspec.Struct, frozen=True, tag="absence"):
    """Nothing came for longer than expected (a deadman).

    Attributes:
        after_ns: how long nothing has to come; None: `intervals` times what the device is
            registered with.
        intervals: see `after_ns`.
        quantity: of this quantity; "" of any, or that of the series.
        device: as in `Threshold`.
    """

    after_ns: int | None = None
    intervals: float = 3.0
    quantity: str = ""
    device: str = ""


class Season(StrEnum):
    """After what time a series repeats itself."""

    DAY = "day"
    WEEK = "week"


class Seasonal(msgspec.Struct, frozen=True, tag="seasonal"):
    """The newest value is far from what is usual at this time of the day or week.

    Attributes:
        quantity: as in `Threshold`.
        deviations: how many spreads away it may be.
        minimum: it is never far while it is off by no more than this.
        season: after what time the series repeats itself.
        seasons: how many of the past ones say what is usual.
        above: holds when it is far above.
        below: holds when it is far below.
        device: as in `Threshold`.
    """

    quantity: str
    deviations: float = 4.0
    minimum: float = 0.0
    season: Season = Season.DAY
    seasons: int = 14
    above: bool = True
    below: bool = True
    device: str = ""


class TimeOfDay(msgspec.Struct, frozen=True, tag="time_of_day"):
    """It is between two times of the day at the site.

    Attributes:
        start_min: minutes since local midnight, inclusive.
        end_min: exclusive; at or before `start_min`: of the next day.
        days: on which weekdays it starts, 0 is Monday.
    """

    start_min: int
    end_min: int
    days: frozenset[int]


class Battery(msgspec.Struct, frozen=True, tag="battery"):
    """The battery will be empty soon: a robust line (Theil-Sen) through the medians of days.

    Attributes:
        within_days: holds when it will be at `empty` before so many days.
        empty: level that counts as empty, %.
        over_days: days that are looked at.
        device: as in `Threshold`.
    """

    within_days: float
    empty: float = 5.0
    over_days: int = 30
    device: str = ""


class Completeness(msgspec.Struct, frozen=True, tag="completeness"):
    """Fewer messages came than were sent, as the ledger's hours tell it.

    Attributes:
        below: share of what came in what was sent, 0 to 1, under which it holds.
        hours: how many whole hours are looked at together.
    """

    below: float
    hours: int = 1


class News2(msgspec.Struct, frozen=True, tag="news2"):
    """The National Early Warning Score 2 of a person (Royal College of Physicians, 2017).

    Attributes:
        minimum: aggregate score from which on it holds.
        single: holds as well when one parameter alone scores 3.
        scale: SpO2 scale, 1 or 2 (2 only where it is prescribed).
        oxygen: whether the person is given oxygen, where nobody entered it (the quantity
            `supplemental_oxygen`); None: then it is not known, and the score incomplete.
        alert: whether the person is alert, where nobody entered it (`consciousness`); False: new
            confusion, voice, pain or unresponsive; None: as for `oxygen`.
        max_age_ns: quantity -> how old its newest value may be.
    """

    max_age_ns: Mapping[str, int]
    minimum: int = 5
    single: bool = True
    scale: int = 1
    oxygen: bool | None = None
    alert: bool | None = None


class All(msgspec.Struct, frozen=True, tag="all"):
    """Every part holds."""

    parts: tuple[Condition, ...]


class Any(msgspec.Struct, frozen=True, tag="any"):
    """A part holds."""

    parts: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """The part does not hold."""

    part: Condition


class Recently(msgspec.Struct, frozen=True, tag="recently"):
    """The part holds, or did within a time."""

    part: Condition
    within_ns: int


class Count(msgspec.Struct, frozen=True, tag="count"):
    """The part holds for so many devices of the subject.

    Attributes:
        part: asked of each device by itself.
        at_least: how many, or None.
        share: of the devices of the subject, 0 to 1, or None.
    """

    part: Condition
    at_least: int | None = None
    share: float | None = None


Condition = (
    Threshold
    | Rate
    | Absence
    | Seasonal
    | TimeOfDay
    | Battery
    | Completeness
    | News2
    | All
    | Any
    | Not
    | Recently
    | Count
)


class Override(msgspec.Struct, frozen=True):
    """Other limits for one device or person, with who wants them and why.

    Attributes:
        when: the rule's condition with the changes.
        author: who.
        reason: why.
        expires_ns: from when on it does not count any more, nanoseconds since the epoch.
        device: device slug, or "".
        person: pseudonym, or "".
    """

    when: Condition
    author: str
    reason: str
    expires_ns: int
    device: str = ""
    person: str = ""


class Rule(msgspec.Struct, frozen=True):
    """A rule.

    Attributes:
        name: slug.
        title: language code -> what people read.
        severity: how bad it is.
        alarm_class: what kind of alarm it is.
        select: which devices it looks at.
        per: what one alert is about.
        when: when it holds.
        for_ns: for how long it has to hold before it fires.
        clear_for_ns: for how long it may not hold before it is over.
        lateness_ns: how late a value may come and still be judged.
        retroactive: what happens with what late values show.
        ignore_quality: values with one of these flags (`core.quality`) are not looked at.
        overrides: exceptions.
        runbook: what to do, for whoever is told.
        version: of the rule.
    """

    name: str
    title: Mapping[str, str]
    severity: Severity
    alarm_class: AlarmClass
    select: Select
    per: Per
    when: Condition
    for_ns: int
    clear_for_ns: int
    lateness_ns: int
    retroactive: Retroactive
    ignore_quality: int
    overrides: tuple[Override, ...]
    runbook: str
    version: int
