"""The records of a SenML pack (RFC 8428 section 4), resolved: base values added, times exact.

Nothing here knows of quantities: `devices.formats.senml` gives the names their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from core.message import DecodeError, Defect
from core.reasons import Reason
from devices.instants import NS_PER_UNIT, bounded, epoch_ns
from devices.values import FieldError, finite, named_type

_VERSIONS = frozenset(range(1, 11)) | {26}
"""`bver` as RFC 8428 has it (10), older ones, and 26: RFC 9100's bit 4, secondary units."""

_SECOND = NS_PER_UNIT["epoch_s"]
_RELATIVE_BELOW_NS = 2**28 * _SECOND
"""A time below this one is counted from now (RFC 8428 section 4.5.3)."""

_LABELS = {
    -1: "bver",
    -2: "bn",
    -3: "bt",
    -4: "bu",
    -5: "bv",
    -6: "bs",
    0: "n",
    1: "u",
    2: "v",
    3: "vs",
    4: "vb",
    5: "s",
    6: "t",
    7: "ut",
    8: "vd",
}
_KNOWN = frozenset(_LABELS.values())
_VALUES = ("v", "vb", "vs", "vd")


class Record(msgspec.Struct, frozen=True):
    """One resolved record.

    Attributes:
        name: base name and name.
        unit: its unit, else the base unit, else None.
        value: number (base value added), boolean or text; None when it has only a sum.
        total: the sum (base sum added), or None.
        time_ns: nanoseconds since the epoch; None when the pack says nothing of time.
        where: its place in the pack.
    """

    name: str
    unit: str | None
    value: float | bool | str | None
    total: float | None
    time_ns: int | None
    where: str


class Pack(msgspec.Struct, frozen=True):
    """The records of a pack.

    Attributes:
        records: in the order of the pack.
        defects: records or fields that could not be used.
        relative: True when times were counted from the time of reception.
    """

    records: tuple[Record, ...]
    defects: tuple[Defect, ...]
    relative: bool


class _Base:
    """The base values in force; a record's own replace them for the records that follow."""

    __slots__ = ("name", "total", "unit", "value", "when")

    def __init__(self) -> None:
        self.name = ""
        self.unit: str | None = None
        self.when: Decimal | float = 0
        self.value: Decimal | float = 0
        self.total: Decimal | float = 0

    def update(self, record: Mapping[str, Any], where: str) -> None:
        """Take over the base values of `record`.

        Raises:
            DecodeError: one of them is of the wrong type; the records that follow depend on it.
        """
        self.name = _base_text(record, "bn", self.name, where) or ""
        self.unit = _base_text(record, "bu", self.unit, where)
        self.when = _base_number(record, "bt", self.when, where)
        self.value = _base_number(record, "bv", self.value, where)
        self.total = _base_number(record, "bs", self.total, where)


def resolve(pack: Any, *, received_ns: int) -> Pack:
    """Return the resolved records of `pack`.

    Args:
        pack: the pack, parsed from JSON or CBOR.
        received_ns: what relative times are counted from, nanoseconds since the epoch.

    Raises:
        DecodeError: it is no pack, its version is not known, or it holds a label that must be
            understood and is not.
    """
    if type(pack) is not list:
        raise DecodeError(
            Reason.WRONG_TYPE, f"a SenML pack is an array; the payload is {named_type(pack)}"
        )
    base = _Base()
    records: list[Record] = []
    defects: list[Defect] = []
    relative = False
    version: Any = None
    for position, item in enumerate(pack):
        where = f"[{position}]"
        record = _labelled(item, where)
        version = _version(record, version, where)
        base.update(record, where)
        try:
            time_ns, counted = _instant(record, base, received_ns, where)
            resolved = _record(record, base, time_ns, where)
        except FieldError as error:
            defects.append(error.defect())
            continue
        if resolved is not None:
            records.append(resolved)
            relative = relative or counted
    return Pack(tuple(records), tuple(defects), relative)


def _labelled(item: Any, where: str) -> dict[str, Any]:
    if type(item) is not dict:
        raise DecodeError(
            Reason.WRONG_TYPE, f"{where}: a SenML record is an object, not {named_type(item)}"
        )
    record: dict[str, Any] = {}
    for key, value in item.items():
        label = _LABELS.get(key) if type(key) is int else key
        if type(label) is str and label.endswith("_"):
            raise DecodeError(
                Reason.MALFORMED,
                f"{where}: the label {label[:40]!r} must be understood (RFC 8428 section 4.4) and "
                "is not known here",
            )
        if label in _KNOWN:
            record[label] = value
    return record


def _version(record: Mapping[str, Any], earlier: Any, where: str) -> Any:
    told = record.get("bver", earlier)
    if told is None:
        return None
    if type(told) is not int or told not in _VERSIONS:
        raise DecodeError(
            Reason.MALFORMED, f"{where}: SenML version {str(told)[:20]} is not known (bver)"
        )
    if earlier is not None and told != earlier:
        raise DecodeError(Reason.MALFORMED, f"{where}: a pack has one version only (bver)")
    return told


def _instant(
    record: Mapping[str, Any], base: _Base, received_ns: int, where: str
) -> tuple[int | None, bool]:
    """Return the instant, and whether it is counted from the time of reception."""
    own = record.get("t", 0)
    if not _is_number(own):
        raise FieldError(Reason.DEVICE_CLOCK, f"{where}.t: it is {named_type(own)}, not a number")
    try:
        told_ns = bounded(epoch_ns(base.when, _SECOND) + epoch_ns(own, _SECOND))
    except ValueError as error:
        raise FieldError(
            Reason.DEVICE_CLOCK, f"{where}.t: no instant can be read ({error})"
        ) from None
    if told_ns >= _RELATIVE_BELOW_NS:
        return told_ns, False
    if told_ns == 0:
        return None, False
    return received_ns + told_ns, True


def _record(
    record: Mapping[str, Any], base: _Base, time_ns: int | None, where: str
) -> Record | None:
    name = record.get("n", "")
    unit = record.get("u", base.unit)
    if type(name) is not str:
        raise FieldError(Reason.WRONG_TYPE, f"{where}.n: it is {named_type(name)}, not text")
    if unit is not None and type(unit) is not str:
        raise FieldError(Reason.UNKNOWN_UNIT, f"{where}.u: it is {named_type(unit)}, not text")
    given = [label for label in _VALUES if record.get(label) is not None]
    total = record.get("s")
    if not given and total is None:
        return None  # base values only
    if len(given) > 1:
        raise FieldError(
            Reason.WRONG_TYPE, f"{where}: a record has one value, not {' and '.join(given)}"
        )
    shown = f"{where} {(base.name + name)[-80:]}"
    return Record(
        name=base.name + name,
        unit=unit,
        value=_value(record, given[0], base, shown) if given else None,
        total=None if total is None else _sum(total, base.total, f"{shown} s"),
        time_ns=time_ns,
        where=shown,
    )


def _value(record: Mapping[str, Any], label: str, base: _Base, where: str) -> float | bool | str:
    value = record[label]
    match label:
        case "v":
            return _sum(value, base.value, where)
        case "vb" if type(value) is bool:
            return value
        case "vs" if type(value) is str:
            return value
        case "vd":
            raise FieldError(Reason.WRONG_TYPE, f"{where}: data (vd) cannot be a reading")
    raise FieldError(Reason.WRONG_TYPE, f"{where}: {label} is {named_type(value)}")


def _sum(value: Any, added: Decimal | float, where: str) -> float:
    if not _is_number(value):
        raise FieldError(Reason.WRONG_TYPE, f"{where}: a number is needed, not {named_type(value)}")
    own = finite(value, where)
    return finite(own + finite(added, where), where) if added else own


def _is_number(value: Any) -> bool:
    return type(value) in {int, float, Decimal}


def _base_text(record: Mapping[str, Any], label: str, old: str | None, where: str) -> str | None:
    value = record.get(label, old)
    if value is not None and type(value) is not str:
        raise DecodeError(
            Reason.WRONG_TYPE, f"{where}.{label}: it is {named_type(value)}, not text"
        )
    return value


def _base_number(
    record: Mapping[str, Any], label: str, old: Decimal | float, where: str
) -> Decimal | float:
    value: Decimal | float = record.get(label, old)
    if not _is_number(value):
        raise DecodeError(
            Reason.WRONG_TYPE, f"{where}.{label}: it is {named_type(value)}, not a number"
        )
    return value
