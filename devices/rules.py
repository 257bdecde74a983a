"""A profile's rules, compiled: from a document of objects and lists to samples.

The rules make a tree by their paths, so that only the keys that are there cost anything. Of several
rules that find a value for one quantity the first in the profile gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from core.errors import UnknownQuantityError, UnknownUnitError
from core.message import Defect, Sample
from core.quantities import quantity
from core.reasons import Reason
from core.units import ucum
from devices.paths import ABSENT, look_up
from devices.profile import Path, Profile, ProfileProblem, Rule, Segment
from devices.rule_time import TimeReader, Times
from devices.rule_value import ValueReader
from devices.values import MAX_UNIT, FieldError, named_type

_ANY = "*"


class Extract(NamedTuple):
    """What the rules found.

    Attributes:
        samples: at most one for each quantity, in the order of the payload.
        defects: fields that could not be used.
        known: True when the document holds a field that the profile knows, even if it is null.
    """

    samples: tuple[Sample, ...]
    defects: tuple[Defect, ...]
    known: bool


class _Compiled:
    """One rule, ready to use."""

    __slots__ = (
        "for_each",
        "index",
        "quantity",
        "requires",
        "time",
        "unit_default",
        "unit_path",
        "unless",
        "value",
        "weight",
    )

    def __init__(self, rule: Rule, index: int, default_time: TimeReader | None) -> None:
        where = ("rules", index)
        try:
            quantity(rule.quantity)
        except UnknownQuantityError as error:
            raise ProfileProblem((*where, "quantity"), error.detail) from None
        self.index = index
        self.quantity = rule.quantity
        self.value = ValueReader(rule, where)
        self.time = default_time if rule.time is None else TimeReader(rule.time, (*where, "time"))
        self.for_each = rule.for_each
        self.weight = rule.for_each.weight if rule.for_each else None
        self.requires = rule.requires
        self.unless = rule.unless
        self.unit_path: Path | None = None
        self.unit_default: str | None = None
        if rule.unit_from is not None:
            self.unit_path = rule.unit_from.path
            self.unit_default = rule.unit_from.default
            if self.unit_default is not None:
                try:
                    ucum(self.unit_default)
                except UnknownUnitError as error:
                    field = (*where, "unit_from", "default")
                    raise ProfileProblem(field, error.detail) from None
        _check_for_each(rule, where)

    def applies(self, document: Any) -> bool:
        """Say whether the conditions of the rule hold."""
        if self.requires is not None and look_up(document, self.requires) is ABSENT:
            return False
        return self.unless is None or look_up(document, self.unless) is ABSENT

    def unit(self, document: Any, where: str) -> str | None:
        """Return the unit that the payload names, or None when the value is canonical already."""
        if self.unit_path is None:
            return None
        unit = look_up(document, self.unit_path)
        if unit is ABSENT or unit is None:
            return self.unit_default
        if type(unit) is not str:
            raise FieldError(
                Reason.UNKNOWN_UNIT, f"{where}: its unit is {named_type(unit)}, not text"
            )
        return unit[:MAX_UNIT]

    def read(self, value: Any, document: Any, where: str) -> float | bool | None:
        """Return the value in the rule's terms; None when the device has none."""
        if self.for_each is not None and type(value) in {list, dict}:
            weights = None if self.weight is None else look_up(document, self.weight)
            return self.value.combined(value, weights, self.for_each.combine, where)
        return self.value.read(value, where)


def _check_for_each(rule: Rule, where: tuple[Segment, ...]) -> None:
    if rule.for_each is None:
        return
    weighted = rule.for_each.combine == "weighted_mean"
    if weighted != (rule.for_each.weight is not None):
        raise ProfileProblem(
            (*where, "for_each"), "weight belongs to weighted_mean, and weighted_mean needs it"
        )


class _Node:
    """A place in the payload that some rule names."""

    __slots__ = ("any", "children", "rules")

    def __init__(self) -> None:
        self.children: dict[Segment, _Node] = {}
        self.any: _Node | None = None
        self.rules: tuple[_Compiled, ...] = ()

    def at(self, path: Path) -> _Node:
        """Return the node at `path`, made if need be."""
        node = self
        for segment in path:
            if segment == _ANY:
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.children.setdefault(segment, _Node())
        return node


_Place = tuple[tuple[_Compiled, ...], Any, str]


class RuleSet:
    """The rules of one profile.

    Args:
        profile: the profile.

    Raises:
        ProfileProblem: a rule cannot be carried out.
    """

    def __init__(self, profile: Profile) -> None:
        self._time = None if profile.time is None else TimeReader(profile.time, ("time",))
        self._tree = _Node()
        for index, rule in enumerate(profile.rules):
            node = self._tree.at(rule.path)
            node.rules = (*node.rules, _Compiled(rule, index, self._time))
        for path in profile.ignore:
            self._tree.at(path)

    def read(self, document: Mapping[str, Any], times: Times) -> Extract:
        """Return what the rules find in `document`.

        Args:
            document: the payload, parsed.
            times: how instants of this message are told.

        Raises:
            DecodeError: an instant needs a site's zone, and the site is not registered.
        """
        found: dict[str, tuple[int, Sample]] = {}
        defects: list[Defect] = []
        places: list[_Place] = []
        _visit(self._tree, document, "", places)
        for rules, value, where in places:
            for rule in rules:
                if not rule.applies(document):
                    continue
                try:
                    reading = rule.read(value, document, where)
                    if reading is None:
                        continue
                    unit = rule.unit(document, where)
                except FieldError as error:
                    defects.append(error.defect())
                    continue
                earlier = found.get(rule.quantity)
                if earlier is None or rule.index < earlier[0]:
                    time_ns = None if rule.time is None else times.read(rule.time, document)
                    sample = Sample(rule.quantity, reading, unit, time_ns, where)
                    found[rule.quantity] = (rule.index, sample)
        defects += times.defects
        return Extract(tuple(sample for _, sample in found.values()), tuple(defects), bool(places))


def _visit(node: _Node, value: Any, where: str, places: list[_Place]) -> None:
    """Collect the rules, the value and its place, for each named place that the document has.

    The tree bounds the recursion: a path has 16 steps at most.
    """
    children, anyone = node.children, node.any
    if node.rules or not (children or anyone):
        places.append((node.rules, value, where))
    if type(value) is dict:
        for key, child in value.items():
            following = children.get(key, anyone)
            if following is not None:
                shown = str(key)[:60]
                _visit(following, child, f"{where}.{shown}" if where else shown, places)
    elif type(value) is list:
        for position, following in children.items():
            if isinstance(position, int) and 0 <= position < len(value):
                _visit(following, value[position], f"{where}[{position}]", places)
