"""Conditions as they are written: a mapping with one key, the kind, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any as Anything

import msgspec

from alerts.rules.model import (
    Absence,
    All,
    Any,
    Battery,
    Completeness,
    Condition,
    Count,
    News2,
    Not,
    Rate,
    Recently,
    Season,
    Seasonal,
    Threshold,
    TimeOfDay,
)
from alerts.rules.reading import (
    Path,
    RuleProblem,
    difference,
    duration_ns,
    known_quantity,
    limit,
    mapping,
    minutes,
    number,
    one_of,
    several,
    share,
    text,
    truth,
    whole,
)
from core.clock import NS_PER_S
from core.placed_yaml import hint

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DEEPEST = 8
_HOUR_NS = 3600 * NS_PER_S
_SEASON_NS = {Season.DAY: 24 * _HOUR_NS, Season.WEEK: 7 * 24 * _HOUR_NS}
_USUAL_HISTORY = {Season.DAY: "14d", Season.WEEK: "42d"}
_SIDES = ("above", "below", "both")
MAX_AGE_NS: Mapping[str, int] = {
    "respiratory_rate": _HOUR_NS,
    "oxygen_saturation": _HOUR_NS,
    "systolic_blood_pressure": 12 * _HOUR_NS,
    "heart_rate": _HOUR_NS,
    "body_temperature": 12 * _HOUR_NS,
    "supplemental_oxygen": 12 * _HOUR_NS,
    "consciousness": 12 * _HOUR_NS,
}
"""How old the newest value of each input of NEWS2 may be, unless a rule says otherwise: monitored
signs an hour, what people measure or enter the 12 hours between two observations of a stable person
(RCP 2017)."""


class _Within(msgspec.Struct, frozen=True):
    """Where a condition stands.

    Attributes:
        depth: in how many others.
        series: quantities of which each is judged by itself, of a rule per series; else none.
    """

    depth: int
    series: tuple[str, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """What a condition on a quantity has to name."""
        return () if self.series else ("quantity",)

    def read(self, value: Anything, path: Path) -> Condition:
        """Return a condition inside of this one."""
        return condition(value, path, depth=self.depth, series=self.series)


def condition(
    value: Anything, path: Path, *, depth: int = 0, series: tuple[str, ...] = ()
) -> Condition:
    """Return a condition.

    Args:
        value: as it is written.
        path: its place.
        depth: in how many others it is.
        series: quantities of which each is judged by itself (`Per.SERIES`): it names none then.

    Raises:
        RuleProblem: it is none.
    """
    if depth > _DEEPEST:
        raise RuleProblem(path, f"conditions are nested more than {_DEEPEST} deep")
    if not isinstance(value, Mapping) or len(value) != 1:
        raise RuleProblem(path, f"one kind of condition is expected{hint('', _KINDS)}")
    kind = next(iter(value))
    read = _KINDS.get(kind)
    if read is None:
        raise RuleProblem((*path, kind), f"no kind of condition{hint(str(kind), _KINDS)}")
    if series and kind in _NOT_OF_SERIES:
        raise RuleProblem((*path, kind), f"{kind} is not of one series: {_NOT_OF_SERIES[kind]}")
    return read(value[kind], (*path, kind), _Within(depth + 1, series))


def _quantity(said: Mapping[str, Anything], path: Path, within: _Within) -> str:
    """Return the quantity that is named, "" where it is that of the series."""
    if not within.series:
        return known_quantity(said["quantity"], (*path, "quantity"))
    if "quantity" in said:
        raise RuleProblem(
            (*path, "quantity"),
            "with per: series it is that of each series; which ones, select: {quantity: ...} says",
        )
    return ""


def _threshold(value: Anything, path: Path, within: _Within) -> Threshold:
    said = mapping(
        value, path, ("quantity", "above", "below", "margin", "device"), needed=within.needed
    )
    quantity = _quantity(said, path, within)
    of = within.series or (quantity,)
    above, below = (_limit(said, name, path, of, limit) for name in ("above", "below"))
    if above is None and below is None:
        raise RuleProblem(path, "above or below is missing")
    if above is not None and below is not None and below >= above:
        raise RuleProblem((*path, "below"), f"{below:g} is not less than above, {above:g}")
    margin = _limit(said, "margin", path, of, difference) or 0.0
    if margin < 0:
        raise RuleProblem((*path, "margin"), "a margin is not negative")
    if above is not None and below is not None and below + margin > above - margin:
        raise RuleProblem((*path, "margin"), "no value is inside by so much: it would never clear")
    return Threshold(quantity, above, below, margin, _device(said, path))


def _rate(value: Anything, path: Path, within: _Within) -> Rate:
    known = ("quantity", "over", "above", "below", "device")
    said = mapping(value, path, known, needed=(*within.needed, "over"))
    quantity = _quantity(said, path, within)
    of = within.series or (quantity,)
    above, below = (_limit(said, name, path, of, difference) for name in ("above", "below"))
    if above is None and below is None:
        raise RuleProblem(path, "above (it rose by more) or below (it fell by more) is missing")
    over_ns = duration_ns(said["over"], (*path, "over"), least_ns=NS_PER_S)
    return Rate(quantity, over_ns, above, below, _device(said, path))


def _absence(value: Anything, path: Path, within: _Within) -> Absence:
    said = mapping(value or {}, path, ("after", "intervals", "quantity", "device"))
    if "after" in said and "intervals" in said:
        raise RuleProblem((*path, "intervals"), "after is there already; one of the two")
    after_ns = None
    if "after" in said:
        after_ns = duration_ns(said["after"], (*path, "after"), least_ns=NS_PER_S)
    intervals = number(said.get("intervals", 3.0), (*path, "intervals"), least=1.0, most=1e6)
    quantity = ""
    if "quantity" in said:
        quantity = _quantity(said, path, within)
    return Absence(after_ns, intervals, quantity, _device(said, path))


def _seasonal(value: Anything, path: Path, within: _Within) -> Seasonal:
    known = ("quantity", "deviations", "minimum", "season", "history", "side", "device")
    said = mapping(value or {}, path, known, needed=within.needed)
    quantity = _quantity(said, path, within)
    minimum = _limit(said, "minimum", path, within.series or (quantity,), difference) or 0.0
    if minimum < 0:
        raise RuleProblem((*path, "minimum"), "a distance from what is usual is not negative")
    season = one_of(said.get("season", "day"), (*path, "season"), Season)
    season_ns = _SEASON_NS[season]
    history = said.get("history", _USUAL_HISTORY[season])
    history_ns = duration_ns(history, (*path, "history"), least_ns=3 * season_ns)
    if history_ns % season_ns:
        raise RuleProblem((*path, "history"), f"it is not of whole seasons, each a {season}")
    side = said.get("side", "both")
    if side not in _SIDES:
        raise RuleProblem((*path, "side"), f"{side!r} is no side{hint(str(side), _SIDES)}")
    return Seasonal(
        quantity=quantity,
        deviations=number(said.get("deviations", 4.0), (*path, "deviations"), least=1, most=100),
        minimum=minimum,
        season=season,
        seasons=history_ns // season_ns,
        above=side != "below",
        below=side != "above",
        device=_device(said, path),
    )


def _time_of_day(value: Anything, path: Path, _within: _Within) -> TimeOfDay:
    said = mapping(value, path, ("from", "to", "days"), needed=("from", "to"))
    days = frozenset(range(7))
    if "days" in said:
        days = frozenset(several(said["days"], (*path, "days"), _day))
    start, end = (minutes(said[name], (*path, name)) for name in ("from", "to"))
    if start == end:
        raise RuleProblem((*path, "to"), "it is the same as from; for a whole day: 00:00 to 24:00")
    return TimeOfDay(start, end, days)


def _day(value: Anything, path: Path) -> int:
    if value not in DAYS:
        raise RuleProblem(path, f"{value!r} is no day{hint(str(value), DAYS)}")
    return DAYS.index(value)


def _battery(value: Anything, path: Path, _within: _Within) -> Battery:
    said = mapping(value, path, ("within", "empty", "over", "device"), needed=("within",))
    day_ns = 86_400 * NS_PER_S
    within_ns = duration_ns(said["within"], (*path, "within"), least_ns=day_ns)
    empty = limit(said.get("empty", 5.0), (*path, "empty"), "battery_level")
    over_ns = duration_ns(said.get("over", "30d"), (*path, "over"), least_ns=3 * day_ns)
    return Battery(within_ns / day_ns, empty, over_ns // day_ns, _device(said, path))


def _completeness(value: Anything, path: Path, _within: _Within) -> Completeness:
    said = mapping(value, path, ("below", "over"), needed=("below",))
    over_ns = duration_ns(said.get("over", "1h"), (*path, "over"), least_ns=_HOUR_NS)
    if over_ns % _HOUR_NS:
        raise RuleProblem((*path, "over"), "the ledger has whole hours")
    return Completeness(share(said["below"], (*path, "below")), over_ns // _HOUR_NS)


def _news2(value: Anything, path: Path, _within: _Within) -> News2:
    said = mapping(
        value or {}, path, ("minimum", "single", "scale", "oxygen", "consciousness", "max_age")
    )
    ages = dict(MAX_AGE_NS)
    given = mapping(said.get("max_age", {}), (*path, "max_age"), ages)
    for name, age in given.items():
        ages[name] = duration_ns(age, (*path, "max_age", name), least_ns=NS_PER_S)
    oxygen = said.get("oxygen")
    alert = said.get("consciousness")
    if alert not in (None, "alert", "not_alert"):
        raise RuleProblem(
            (*path, "consciousness"),
            "alert or not_alert (confused, answers to voice or pain only, or not at all)",
        )
    return News2(
        max_age_ns=ages,
        minimum=whole(said.get("minimum", 5), (*path, "minimum"), least=1, most=20),
        single=truth(said.get("single", True), (*path, "single")),
        scale=whole(said.get("scale", 1), (*path, "scale"), least=1, most=2),
        oxygen=None if oxygen is None else truth(oxygen, (*path, "oxygen")),
        alert=None if alert is None else alert == "alert",
    )


def _all(value: Anything, path: Path, within: _Within) -> All:
    return All(several(value, path, within.read))


def _any(value: Anything, path: Path, within: _Within) -> Any:
    return Any(several(value, path, within.read))


def _not(value: Anything, path: Path, within: _Within) -> Not:
    return Not(within.read(value, path))


def _recently(value: Anything, path: Path, within: _Within) -> Recently:
    said = mapping(value, path, ("when", "within"), needed=("when", "within"))
    return Recently(
        within.read(said["when"], (*path, "when")),
        duration_ns(said["within"], (*path, "within"), least_ns=NS_PER_S),
    )


def _count(value: Anything, path: Path, within: _Within) -> Count:
    said = mapping(value, path, ("of", "at_least"), needed=("of", "at_least"))
    part = within.read(said["of"], (*path, "of"))
    if holds_kind(part, Count | News2):
        raise RuleProblem((*path, "of"), "what is counted is asked of one device")
    asked = said["at_least"]
    if isinstance(asked, str):
        return Count(part, share=share(asked, (*path, "at_least")))
    return Count(part, at_least=whole(asked, (*path, "at_least"), least=1, most=1_000_000))


def holds_kind(one: Condition, kinds: Anything) -> bool:
    """Return whether a condition, or one inside it, is of some kinds."""
    if isinstance(one, kinds):
        return True
    if isinstance(one, All | Any):
        return any(holds_kind(part, kinds) for part in one.parts)
    if isinstance(one, Not | Recently | Count):
        return holds_kind(one.part, kinds)
    return False


def _limit(
    said: Mapping[str, Anything],
    name: str,
    path: Path,
    quantities: tuple[str, ...],
    read: Callable[..., float],
) -> float | None:
    return None if said.get(name) is None else read(said[name], (*path, name), *quantities)


def _device(said: Mapping[str, Anything], path: Path) -> str:
    return text(said["device"], (*path, "device"), longest=64) if "device" in said else ""


_KINDS: dict[str, Callable[[Anything, Path, _Within], Condition]] = {
    "threshold": _threshold,
    "rate": _rate,
    "absence": _absence,
    "seasonal": _seasonal,
    "time_of_day": _time_of_day,
    "battery": _battery,
    "completeness": _completeness,
    "news2": _news2,
    "all": _all,
    "any": _any,
    "not": _not,
    "recently": _recently,
    "count": _count,
}
_NOT_OF_SERIES = {
    "battery": "per: device, as every battery has one level",
    "completeness": "messages are counted per: device or per: site",
    "news2": "it is per: person",
    "count": "devices are counted per: zone, per: building or per: site",
}
KINDS = tuple(_KINDS)
"""Every kind of condition."""
