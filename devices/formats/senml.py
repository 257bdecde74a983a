"""SenML (RFC 8428) in JSON and CBOR: from the names of its records to quantities.

A record's name is `bn` + `n`, cut into pieces at `/` and `:`. The profile's rules are asked with
its last pieces: `["3303", "*", "5700"]` is the value of an IPSO temperature object of any instance,
`["voltage"]` a plain name; the longest rule wins. Without a rule the last piece is the quantity.
LwM2M's resource 5701 is the unit of the 5700 beside it.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from core.errors import UnknownQuantityError
from core.message import Decoded, DecodeError, Defect, MessageKind, RawMessage, Sample
from core.quantities import quantity
from core.reasons import Reason
from devices.cbor import read_cbor
from devices.formats import Origin, Plugin, Reader
from devices.limits import Limits
from devices.payload import duplicate_keys, read_json
from devices.profile import Profile, ProfileProblem, Rule, Segment, TopicRule
from devices.readers import too_many
from devices.rule_value import ValueReader
from devices.senml_pack import Pack, Record, resolve
from devices.values import MAX_NAME, MAX_UNIT, FieldError

_PIECES = re.compile(r"[/:]")
_IPSO = re.compile(r"(?:.*[/:])?\d{1,5}/\d{1,5}/(\d{1,5})", re.DOTALL)
_VALUE, _UNIT = "5700", "5701"
_UNITS = {"%EL": "%", "EL": "s", "/": "1", "count": "1", "beat/min": "/min"}
"""SenML's names (RFC 8428 section 12.1) for units that `core.units` knows under another."""
_UNITS_OF_SUMS = {"W": "J", "A": "C", "l/s": "L", "m3/s": "m3", "1/s": "1", "kW": "kJ"}
"""A sum is the value's integral over seconds (RFC 8428 section 4.2)."""
_ANY = "*"
_MAX_REMEMBERED, _MAX_REMEMBERED_NAME = 20_000, 200


def _exact(written: str) -> Decimal:
    """Return a number as it was written; what is beyond `Decimal` is no number."""
    try:
        return Decimal(written)
    except ArithmeticError:
        return Decimal("NaN")


_JSON: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_exact)


class _NameRule:
    """A rule for names that end in certain pieces."""

    def __init__(self, rule: Rule, index: int) -> None:
        where: tuple[Segment, ...] = ("rules", index)
        unused = {
            "unit_from": rule.unit_from,
            "time": rule.time,
            "for_each": rule.for_each,
            "requires": rule.requires,
            "unless": rule.unless,
        }
        for field, value in unused.items():
            if value is not None:
                raise ProfileProblem(
                    (*where, field), "a SenML record says this itself; leave it out"
                )
        try:
            quantity(rule.quantity)
        except UnknownQuantityError as error:
            raise ProfileProblem((*where, "quantity"), error.detail) from None
        self.pieces = tuple(str(piece) for piece in rule.path)
        self.quantity = rule.quantity
        self.value = ValueReader(msgspec.structs.replace(rule, unit=None), where)
        self.with_unit = ValueReader(rule, where)


class _Told(NamedTuple):
    """What a name means: the rule for it, its quantity; no quantity when it is no reading."""

    rule: _NameRule | None
    quantity: str | None


class _Names:
    """The meaning of names by the rules of a profile; names seen lately are remembered."""

    def __init__(self, profile: Profile) -> None:
        rules = [_NameRule(rule, index) for index, rule in enumerate(profile.rules)]
        self._rules = sorted(rules, key=lambda rule: -len(rule.pieces))
        self._ignored = [tuple(str(piece) for piece in path) for path in profile.ignore]
        self._seen: dict[str, _Told] = {}

    def meaning(self, name: str) -> _Told:
        """Return what `name` means."""
        told = self._seen.get(name)
        if told is None:
            told = self._search(name)
            if len(name) <= _MAX_REMEMBERED_NAME:
                if len(self._seen) >= _MAX_REMEMBERED:
                    self._seen.clear()
                self._seen[name] = told
        return told

    def _search(self, name: str) -> _Told:
        pieces = [piece for piece in _PIECES.split(name) if piece]
        for rule in self._rules:
            if _ends_in(pieces, rule.pieces):
                return _Told(rule, rule.quantity)
        if any(_ends_in(pieces, path) for path in self._ignored):
            return _Told(None, None)
        return _Told(None, (pieces[-1] if pieces else "")[:MAX_NAME])


def _ends_in(pieces: list[str], wanted: tuple[str, ...]) -> bool:
    return len(pieces) >= len(wanted) and all(
        want in (_ANY, piece) for want, piece in zip(wanted, pieces[-len(wanted) :], strict=True)
    )


def _json_reader(profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    names = _Names(profile)

    def read(message: RawMessage, origin: Origin) -> Decoded:
        document = read_json(message.payload, limits, decoder=_JSON)
        twice = duplicate_keys(message.payload, document)
        return _decoded(document, twice, message, origin, _Meaning(names, profile, limits))

    return read


def _cbor_reader(profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    names = _Names(profile)

    def read(message: RawMessage, origin: Origin) -> Decoded:
        document, twice = read_cbor(message.payload, limits)
        return _decoded(document, twice, message, origin, _Meaning(names, profile, limits))

    return read


class _Meaning:
    """Turns the records of one pack into samples."""

    def __init__(self, names: _Names, profile: Profile, limits: Limits) -> None:
        self._names = names
        self._limits = limits
        self.dedupe_window_s = profile.dedupe_window_s
        self.samples: list[Sample] = []
        self.defects: list[Defect] = []
        self._places: dict[tuple[str, int | None], str] = {}

    def read(self, pack: Pack) -> None:
        """Take the records one by one.

        Raises:
            DecodeError: there are too many.
        """
        units = _units_beside(pack)
        for record in pack.records:
            if len(self.samples) + len(self.defects) >= self._limits.max_readings:
                raise too_many(self._limits)
            try:
                self._record(record, units)
            except FieldError as error:
                self.defects.append(error.defect())

    def _record(self, record: Record, units: dict[str, str]) -> None:
        rule, name = self._names.meaning(record.name)
        if name is None:
            return
        unit = record.unit
        if unit is None and _is_resource(record.name, _VALUE):
            unit = units.get(record.name[: -len(_VALUE)])
        value: float | bool | str | None = record.value
        if value is None:
            value = record.total
            unit = None if unit is None else _UNITS_OF_SUMS.get(unit, f"{unit}.s")
        if rule is not None:
            value = (rule.value if unit else rule.with_unit).read(value, record.where)
        if value is None:
            return
        told = self._places.setdefault((name, record.time_ns), record.where)
        if told != record.where:
            raise FieldError(
                Reason.DUPLICATE_KEY,
                f"{record.where}: {told} says {name} at the same instant already; the first one "
                "counts: give the other a quantity of its own by a rule of the profile",
            )
        shown_unit = None if unit is None else _UNITS.get(unit, unit)[:MAX_UNIT]
        self.samples.append(Sample(name, value, shown_unit, record.time_ns, record.where))


def _is_resource(name: str, resource: str) -> bool:
    """Say whether a name is that of a resource of an LwM2M object."""
    found = _IPSO.fullmatch(name)
    return found is not None and found[1] == resource


def _units_beside(pack: Pack) -> dict[str, str]:
    """Return the units that resources 5701 tell, by what stands before their number."""
    return {
        record.name[: -len(_UNIT)]: record.value
        for record in pack.records
        if isinstance(record.value, str) and _is_resource(record.name, _UNIT)
    }


def _decoded(
    document: Any, twice: list[Defect], message: RawMessage, origin: Origin, meaning: _Meaning
) -> Decoded:
    pack = resolve(document, received_ns=message.received_ns)
    if not pack.records and not pack.defects:
        raise DecodeError(Reason.NO_READING, "no record of the pack has a value")
    meaning.read(pack)
    return Decoded(
        profile=origin.profile,
        site=origin.site,
        external_id=origin.device,
        kind=MessageKind.TELEMETRY,
        samples=tuple(meaning.samples),
        defects=(*pack.defects, *meaning.defects, *twice),
        dedupe_window_s=meaning.dedupe_window_s,
        relative_time=pack.relative,
    )


PLUGIN = Plugin(name="senml", readers={"json": _json_reader, "cbor": _cbor_reader})
