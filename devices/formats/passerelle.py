"""Passerelle's own format, in JSON and in CBOR, as `docs/firmware.md` describes it.

`{"seq": 12, "boot": 3, "t": "2026-11-23T05:54:00.123Z", "v": {"air_temperature": 21.4}}`, or with
`batch` a list of `{"t": ..., "v": {...}}`. Both encodings carry the same document, so that one
reader of documents serves both.
"""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import msgspec

from core.message import Decoded, DecodeError, Defect, MessageKind, RawMessage, Sample
from core.reasons import Reason
from devices.cbor import read_cbor
from devices.flat_json import FlatJson
from devices.formats import Origin, Plugin, Reader
from devices.instants import NS_PER_UNIT, decimal, epoch_ns, rfc3339_ns
from devices.limits import Limits
from devices.payload import duplicate_keys, read_json
from devices.profile import Profile, TopicRule
from devices.readers import an_object, availability_reader, shown_keys, too_many
from devices.values import MAX_NAME, MAX_UNIT, FieldError, named_type, number

_MAX_COUNTER = 2**63 - 1
_SECOND = NS_PER_UNIT["epoch_s"]
_WHOLE_UNITS = (("t_ns", NS_PER_UNIT["epoch_ns"]), ("t_ms", NS_PER_UNIT["epoch_ms"]))


class _Instant(msgspec.Struct):
    """An object of which only the text of `t` matters."""

    t: msgspec.Raw = msgspec.Raw(b"")


class _Instants(_Instant):
    """A message of which only the text of each `t` matters."""

    batch: list[_Instant] = []


def _json_reader(profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    def read(message: RawMessage, origin: Origin) -> Decoded:
        payload = message.payload
        document = an_object(read_json(payload, limits))
        if _has_decimal_time(document):
            _restore_decimals(document, payload)
        return _decoded(
            document, duplicate_keys(payload, document), origin, profile.dedupe_window_s, limits
        )

    return read


def _cbor_reader(profile: Profile, _topic: TopicRule, limits: Limits) -> Reader:
    def read(message: RawMessage, origin: Origin) -> Decoded:
        item, defects = read_cbor(message.payload, limits)
        return _decoded(an_object(item), defects, origin, profile.dedupe_window_s, limits)

    return read


def _has_decimal_time(document: dict[str, Any]) -> bool:
    if type(document.get("t")) is float:
        return True
    batch = document.get("batch")
    return type(batch) is list and any(
        type(entry) is dict and type(entry.get("t")) is float for entry in batch
    )


def _restore_decimals(document: dict[str, Any], payload: bytes) -> None:
    """Put the decimals of `t`, as they were written, in place of the floats they became."""
    try:
        exact = msgspec.json.decode(payload, type=_Instants)
    except msgspec.ValidationError:
        return  # the batch is not a list of objects; each float keeps its shortest decimal
    pairs = [(document, exact), *zip(document.get("batch") or (), exact.batch, strict=False)]
    for entry, instant in pairs:
        if type(entry.get("t")) is float:
            with contextlib.suppress(ValueError):  # the float is told as no instant later
                entry["t"] = decimal(bytes(instant.t).decode())


def _decoded(
    document: dict[Any, Any],
    defects: list[Defect],
    origin: Origin,
    dedupe_window_s: float,
    limits: Limits,
) -> Decoded:
    samples: list[Sample] = []
    values = document.get("v")
    batch = document.get("batch")
    if not values and not batch:
        raise DecodeError(
            Reason.NO_READING,
            "there is neither `v`, an object of values, nor `batch`, a list of such objects; the "
            f"fields are: {shown_keys(document)}",
        )
    if values is not None:
        time_ns = _instant(document, "", defects)
        _read_values(values, time_ns, "v", samples, defects)
    if batch is not None:
        _read_batch(batch, samples, defects, limits)
    if len(samples) + len(defects) > limits.max_readings:
        raise too_many(limits)
    simulated = document.get("sim")
    if simulated is not None and type(simulated) is not bool:
        defects.append(_wrong("sim", "true or false", simulated))
    return Decoded(
        profile=origin.profile,
        site=origin.site,
        external_id=origin.device,
        kind=MessageKind.TELEMETRY,
        samples=tuple(samples),
        seq=_counter(document, "seq", defects),
        boot=_counter(document, "boot", defects),
        defects=tuple(defects),
        dedupe_window_s=dedupe_window_s,
        simulated=simulated is True,
    )


def _read_values(
    values: Any, time_ns: int | None, where: str, samples: list[Sample], defects: list[Defect]
) -> None:
    if type(values) is not dict:
        defects.append(_wrong(where, "an object of values by quantity", values))
        return
    for name, value in values.items():
        if type(name) is not str:
            defects.append(_wrong(f"a key of {where}", "the name of a quantity", name))
            continue
        quantity = name[:MAX_NAME]
        place = f"{where}.{quantity}"
        if type(value) is float and value - value == 0.0:  # finite: the usual case, kept short
            samples.append(Sample(quantity, value, None, time_ns, place))
            continue
        try:
            unit = None
            if type(value) is dict:
                unit = _unit(value, place)
                value = value.get("v")  # noqa: PLW2901 - the value inside
            reading = number(value, place)
        except FieldError as error:
            defects.append(error.defect())
            continue
        if reading is not None:
            samples.append(Sample(quantity, reading, unit, time_ns, place))


def _unit(value: dict[Any, Any], where: str) -> str | None:
    unit = value.get("u")
    if unit is None:
        return None
    if type(unit) is not str:
        raise FieldError(Reason.UNKNOWN_UNIT, f"{where}.u: it is {named_type(unit)}, not text")
    return unit[:MAX_UNIT]


def _read_batch(batch: Any, samples: list[Sample], defects: list[Defect], limits: Limits) -> None:
    if type(batch) is not list:
        defects.append(_wrong("batch", "a list", batch))
        return
    for position, entry in enumerate(batch):
        where = f"batch[{position}]"
        if len(samples) + len(defects) > limits.max_readings:
            raise too_many(limits)
        if type(entry) is not dict:
            defects.append(_wrong(where, "an object with t and v", entry))
            continue
        known = len(defects)
        time_ns = _instant(entry, f"{where}.", defects)
        if time_ns is not None:
            _read_values(entry.get("v"), time_ns, f"{where}.v", samples, defects)
        elif len(defects) == known:
            defects.append(
                Defect(
                    Reason.DEVICE_CLOCK,
                    f"{where} has no t: without its instant it cannot be told from the others",
                )
            )


def _instant(entry: dict[Any, Any], where: str, defects: list[Defect]) -> int | None:
    """Return the instant of an entry: `t_ns`, else `t_ms`, else `t`; None when there is none."""
    value = entry.get("t")
    key = "t"
    try:
        if type(value) is str and "t_ns" not in entry and "t_ms" not in entry:
            return rfc3339_ns(value)
        for name, unit_ns in _WHOLE_UNITS:
            whole = entry.get(name)
            if whole is not None:
                key = name
                if type(whole) is not int:
                    raise ValueError(f"a whole number is needed, not {named_type(whole)}")  # noqa: TRY301 - told below
                return epoch_ns(whole, unit_ns)
        if value is None:
            return None
        if type(value) is str:
            return rfc3339_ns(value)
        if type(value) in {int, float, Decimal}:
            return epoch_ns(value, _SECOND)
        raise ValueError(f"it is {named_type(value)}")  # noqa: TRY301 - told below
    except ValueError as error:
        defects.append(
            Defect(Reason.DEVICE_CLOCK, f"{where}{key}: no instant can be read ({error})")
        )
        return None


def _counter(document: dict[Any, Any], name: str, defects: list[Defect]) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if type(value) is int and 0 <= value <= _MAX_COUNTER:
        return value
    defects.append(_wrong(name, "a whole number from 0 to 2^63 - 1", value))
    return None


def _wrong(where: str, wanted: str, value: Any) -> Defect:
    return Defect(Reason.WRONG_TYPE, f"{where}: {wanted} is needed, not {named_type(value)}")


PLUGIN = Plugin(
    name="passerelle",
    readers={"json": _json_reader, "cbor": _cbor_reader, "status": availability_reader},
    rules=False,
    flat={"json": FlatJson},
)
