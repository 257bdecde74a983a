"""Reading single values of a rule, each with the place where it stands.

A duration is a number with a unit: `90s`, `5m`, `1h30m`, `2d`. A limit is a number, in the
quantity's canonical unit, or with a unit of its own: `82.4 °F` becomes 28 Cel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from core.clock import NS_PER_S
from core.errors import UnknownQuantityError, UnknownUnitError
from core.placed_yaml import Segment, hint
from core.quantities import Quantity
from core.quantities import quantity as quantity_of
from core.units import IDENTITY, Conversion, conversion

Path = tuple[Segment, ...]
Of = TypeVar("Of")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)", re.ASCII)
_LIMIT = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s*(\S.{0,30})?", re.ASCII)
_SHARE = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)
_LONGEST_NS = 400 * 86_400 * NS_PER_S
_LONGEST_TEXT = 2000
_UNITS_SHOWN = 4
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RuleProblem(Exception):  # noqa: N818 - becomes a RuleError with its line
    """What is wrong, and at which place of the document.

    Args:
        path: keys and indexes from the root.
        detail: one sentence: what is wrong and what to do.
    """

    def __init__(self, path: Sequence[Segment], detail: str) -> None:
        super().__init__(detail)
        self.path = tuple(path)
        self.detail = detail


def mapping(
    value: Any, path: Path, known: Iterable[str], *, needed: Iterable[str] = ()
) -> Mapping[str, Any]:
    """Return a mapping that has only known keys, and all that are needed."""
    if not isinstance(value, Mapping):
        raise RuleProblem(path, f"a mapping of keys to values is expected, not {_shown(value)}")
    allowed = set(known)
    for key in value:
        if key not in allowed:
            raise RuleProblem((*path, key), f"unknown key{hint(str(key), allowed)}")
    for key in needed:
        if value.get(key) is None:
            raise RuleProblem(path, f"{key} is missing")
    return value


def text(value: Any, path: Path, *, longest: int = _LONGEST_TEXT) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise RuleProblem(path, f"a text is expected, not {_shown(value)}")
    if len(value) > longest:
        raise RuleProblem(path, f"it has {len(value)} characters, at most {longest} are allowed")
    return value.strip()


def texts(value: Any, path: Path) -> tuple[str, ...]:
    """Return one text or a list of them."""
    if isinstance(value, str):
        return (text(value, path),)
    return several(value, path, text)


def several(value: Any, path: Path, read: Callable[[Any, Path], Of]) -> tuple[Of, ...]:
    """Return what a list that is not empty holds."""
    if not isinstance(value, list) or not value:
        raise RuleProblem(path, f"a list is expected, not {_shown(value)}")
    return tuple([read(item, (*path, place)) for place, item in enumerate(value)])


def one_of(value: Any, path: Path, known: type[Of]) -> Of:
    """Return the member of an enumeration that is named."""
    try:
        return known(value)  # type: ignore[call-arg]
    except ValueError:
        names = [str(member) for member in known]  # type: ignore[attr-defined]
        raise RuleProblem(path, f"{_shown(value)} is not known{hint(str(value), names)}") from None


def truth(value: Any, path: Path) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise RuleProblem(path, f"true or false is expected, not {_shown(value)}")
    return value


def whole(value: Any, path: Path, *, least: int, most: int) -> int:
    """Return a whole number within bounds, inclusive."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise RuleProblem(path, f"a whole number from {least} to {most} is expected")
    return value


def number(value: Any, path: Path, *, least: float, most: float) -> float:
    """Return a number within bounds, inclusive."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise RuleProblem(path, f"a number from {least:g} to {most:g} is expected")
    return float(value)


def share(value: Any, path: Path) -> float:
    """Return a share, 0 to 1, of a percentage such as `95 %`."""
    found = _SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not 0 <= float(found[1]) <= 100:  # noqa: PLR2004 - per cent
        raise RuleProblem(path, f"a percentage such as `95 %` is expected, not {_shown(value)}")
    return float(found[1]) / 100


def duration_ns(value: Any, path: Path, *, least_ns: int = 0) -> int:
    """Return a duration such as `1h30m`, nanoseconds."""
    if isinstance(value, str):
        parts = list(_PART.finditer(value.replace(" ", "")))
        if parts and "".join(part[0] for part in parts) == value.replace(" ", ""):
            found = round(sum(float(part[1]) * _UNITS_S[part[2]] for part in parts) * NS_PER_S)
            if least_ns <= found <= _LONGEST_NS:
                return found
            low = f"{least_ns / NS_PER_S:g}s"
            raise RuleProblem(path, f"{value} is not between {low} and 400d")
    raise RuleProblem(path, f"a duration such as `90s` or `1h30m` is expected, not {_shown(value)}")


def known_quantity(value: Any, path: Path) -> str:
    """Return the name of a quantity of the catalogue."""
    name = text(value, path, longest=100)
    try:
        quantity_of(name)
    except UnknownQuantityError as error:
        raise RuleProblem(path, error.detail) from None
    return name


def limit(value: Any, path: Path, *quantities: str) -> float:
    """Return a limit in the canonical unit of its quantity, or of each of several."""
    return _limit(value, path, quantities, difference=False)


def difference(value: Any, path: Path, *quantities: str) -> float:
    """Return a difference of two values in the canonical unit: 9 °F are 5 Cel."""
    return _limit(value, path, quantities, difference=True)


def _limit(value: Any, path: Path, quantities: Sequence[str], *, difference: bool) -> float:
    known = [quantity_of(name) for name in quantities]
    if isinstance(value, bool):
        if all(one.type == "boolean" for one in known):
            return float(value)
    elif isinstance(value, int | float):
        return float(value)
    elif isinstance(value, str) and (found := _LIMIT.fullmatch(value.strip())):
        way = _way(found[2], path, known) if found[2] else IDENTITY
        return float(found[1]) * way.scale + (0.0 if difference else way.offset)
    unit = f" {known[0].unit}" if len({one.unit for one in known}) == 1 else ""
    raise RuleProblem(path, f"a number such as `20{unit}` is expected, not {_shown(value)}")


def _way(unit: str, path: Path, known: Sequence[Quantity]) -> Conversion:
    """Return how a number with a unit is brought to the one unit of all quantities."""
    units = sorted({one.unit for one in known})
    if len(units) > 1:
        among = f"{', '.join(units[:_UNITS_SHOWN])}{', ...' * (len(units) > _UNITS_SHOWN)}"
        raise RuleProblem(
            path,
            f"the quantities that are selected have not one unit ({among}): write a number alone, "
            "it is in the canonical unit of each",
        )
    try:
        ways = {conversion(one.name, unit) for one in known}
    except UnknownUnitError as error:
        raise RuleProblem(path, error.detail) from None
    if len(ways) > 1:
        raise RuleProblem(
            path, f"{unit} is not converted alike for all that is selected: write it in {units[0]}"
        )
    return ways.pop()


def minutes(value: Any, path: Path) -> int:
    """Return minutes since midnight of a time of day such as `22:30`; `24:00` is 1440."""
    found = re.fullmatch(r"(\d\d):(\d\d)", value, re.ASCII) if isinstance(value, str) else None
    if found is not None:
        at = int(found[1]) * 60 + int(found[2])
        if int(found[2]) < 60 and at <= 1440:  # noqa: PLR2004 - an hour, a day
            return at
    raise RuleProblem(path, f"a time of day such as `22:30` is expected, not {_shown(value)}")


def instant_ns(value: Any, path: Path) -> int:
    """Return an instant with its offset, or the start of a day in UTC, ns since the epoch."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RuleProblem(
            path, f"a day such as `2027-01-31` is expected, not {_shown(value)}"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return (found - _EPOCH) // timedelta(microseconds=1) * 1000


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return repr(value)[:60]
