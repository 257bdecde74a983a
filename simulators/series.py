"""Recorded series: a CSV file with a mapping from its columns to quantities.

The file is read line by line, whatever its size. A line with a cell that cannot be read is left out
and named; an empty cell is a value that was not measured.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.clock import NS_PER_S
from core.errors import ConfigurationError, PasserelleError
from core.identity import checked_slug
from core.quantities import quantity
from core.units import conversion
from simulators.bad_row import BadRow
from simulators.yaml_source import read_yaml

_UNIX = {"unix": 9, "unix_ms": 6, "unix_us": 3, "unix_ns": 0}  # format -> power of ten to ns
_TRUE, _FALSE = frozenset({"1", "true", "on", "yes"}), frozenset({"0", "false", "off", "no"})
_MOST_NS = 253_402_300_800 * NS_PER_S  # year 10000


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone such as Africa/Tunis") from None
    return name


class Column(BaseModel):
    """What a column holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: str
    unit: str | None = Field(None, description="As recorded; default: the canonical unit.")


class SeriesMapping(BaseModel):
    """How a CSV file is to be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    site: str
    device: str | None = Field(None, description="The device all rows are of.")
    device_column: str | None = Field(None, description="Or the column that names it.")
    time_column: str = "timestamp"
    time_format: str = Field(
        "iso", description="iso, unix, unix_ms, unix_us, unix_ns, or a strptime pattern."
    )
    zone: Annotated[str, AfterValidator(_zone)] | None = Field(
        None, description="IANA zone of times that do not say theirs."
    )
    delimiter: str = Field(",", min_length=1, max_length=1)
    columns: Mapping[str, Column] = Field(min_length=1)

    def checked(self) -> SeriesMapping:
        """Return itself.

        Raises:
            ConfigurationError: a quantity, unit or name that cannot be.
        """
        if (self.device is None) == (self.device_column is None):
            raise ConfigurationError("name either the device or the column that names it")
        checked_slug(self.site, what="site")
        for name, column in self.columns.items():
            try:
                conversion(quantity(column.quantity).name, column.unit or "")
            except PasserelleError as error:
                if column.unit is None and error.code == "unknown_unit":
                    continue  # no unit given: the canonical one
                raise ConfigurationError(f"column {name!r}: {error.detail}") from None
        return self


def load_mapping(path: Path) -> SeriesMapping:
    """Return the mapping in a YAML file.

    Raises:
        ConfigurationError: it cannot be read, or is wrong (file, line and field are named).
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"mapping {str(path)!r}: {reason}") from None
    return read_yaml(text, SeriesMapping, name=path.name).checked()


def parse_column(text: str) -> tuple[str, Column]:
    """Return the column in `name=quantity` or `name=quantity:unit`.

    Raises:
        ConfigurationError: it is neither.
    """
    name, equals, target = text.rpartition("=")
    quantity_name, _, unit = target.partition(":")
    if not equals or not name or not quantity_name:
        raise ConfigurationError(
            f"--map {text!r} must look like column=quantity or column=quantity:unit, "
            "such as value=air_temperature:[degF]"
        )
    return name, Column(quantity=quantity_name, unit=unit or None)


class SeriesRow(msgspec.Struct, frozen=True):
    """One line of a series.

    Attributes:
        line: its number, from 1 (the header is line 1).
        time_ns: nanoseconds since the epoch.
        device: the device's name in topics.
        values: quantity -> number or truth, in the unit of the mapping.
    """

    line: int
    time_ns: int
    device: str
    values: dict[str, float | bool]


def read_series(path: Path, mapping: SeriesMapping) -> Iterator[SeriesRow | BadRow]:
    """Yield the lines of `path` one by one; a line that cannot be used as a `BadRow`.

    Raises:
        ConfigurationError: the file cannot be read, or lacks a column of the mapping.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=mapping.delimiter, strict=True)
            header = next(reader, [])
            lines = _Lines(mapping, header, name=path.name)
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield BadRow(line=reader.line_num, why=str(error))
                    continue
                if cells:
                    try:
                        yield lines.read(cells, reader.line_num)
                    except ValueError as error:
                        yield BadRow(line=reader.line_num, why=str(error))
    except OSError as error:
        raise ConfigurationError(f"series {str(path)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"series {str(path)!r} is not UTF-8 (byte {error.start}); convert it first"
        ) from None


class _Lines:
    """Reads the cells of one file's lines."""

    def __init__(self, mapping: SeriesMapping, header: list[str], *, name: str) -> None:
        self._width = len(header)
        self._mapping = mapping
        self._zone = ZoneInfo(mapping.zone) if mapping.zone else None
        self._latest: dict[str, datetime] = {}

        def index(column: str, option: str) -> int:
            if column not in header:
                raise ConfigurationError(
                    f"{name} has no column {column!r} ({option}); its columns are "
                    f"{', '.join(repr(cell) for cell in header) or 'none'}"
                )
            return header.index(column)

        self._time = index(mapping.time_column, "--time-column")
        self._device = (
            index(mapping.device_column, "--device-column") if mapping.device_column else None
        )
        self._values = [
            (index(column, "--map"), column, quantity(entry.quantity))
            for column, entry in mapping.columns.items()
        ]

    def read(self, cells: list[str], line: int) -> SeriesRow:
        if len(cells) != self._width:
            raise ValueError(f"has {len(cells)} cells where the header has {self._width}")
        device = self._mapping.device or ""
        if self._device is not None:
            device = cells[self._device].strip()
            if not device or any(sign in device for sign in "/+#\x00"):
                raise ValueError(f"device {device[:80]!r} cannot stand in a topic")
        time_ns = self._instant(cells[self._time].strip(), device)
        values: dict[str, float | bool] = {}
        for index, column, entry in self._values:
            cell = cells[index].strip()
            if cell:
                is_boolean = entry.type == "boolean"
                values[entry.name] = _truth(cell, column) if is_boolean else _number(cell, column)
        if not values:
            raise ValueError("has no value in any of the mapped columns")
        return SeriesRow(line=line, time_ns=time_ns, device=device, values=values)

    def _instant(self, text: str, device: str) -> int:
        layout = self._mapping.time_format
        if layout in _UNIX:
            return _unix(text, layout)
        try:
            if layout == "iso":
                instant = datetime.fromisoformat(text)
            else:
                instant = datetime.strptime(text, layout)  # noqa: DTZ007 - the zone follows
        except ValueError:
            raise ValueError(f"time {text[:40]!r} is not in the format {layout!r}") from None
        if instant.tzinfo is None:
            instant = self._placed(instant, device)
        whole = instant.astimezone(UTC)
        seconds = round(whole.replace(microsecond=0).timestamp())
        return seconds * NS_PER_S + whole.microsecond * 1000

    def _placed(self, naive: datetime, device: str) -> datetime:
        """Give a local time its zone.

        An hour that the clocks showed twice is taken as the second one when the device's first
        one has been seen already; an hour that they skipped cannot be.
        """
        if self._zone is None:
            raise ValueError(f"time {naive} has no zone; say which one with --zone")
        placed = naive.replace(tzinfo=self._zone)
        if placed.astimezone(UTC).astimezone(self._zone).replace(tzinfo=None) != naive:
            raise ValueError(f"time {naive} did not exist in {self._zone}: the clocks skipped it")
        latest = self._latest.get(device)
        if latest is not None and placed.astimezone(UTC) <= latest:
            second = naive.replace(tzinfo=self._zone, fold=1)
            if second.utcoffset() != placed.utcoffset():
                placed = second
        self._latest[device] = max(latest or placed.astimezone(UTC), placed.astimezone(UTC))
        return placed


def _unix(text: str, layout: str) -> int:
    try:
        time_ns = int(Decimal(text).scaleb(_UNIX[layout]).to_integral_value())
    except (InvalidOperation, OverflowError, ValueError):
        raise ValueError(f"time {text[:40]!r} is not a number ({layout})") from None
    if not 0 <= time_ns < _MOST_NS:
        raise ValueError(f"time {text[:40]!r} is not between 1970 and 9999 ({layout})")
    return time_ns


def _number(cell: str, column: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise ValueError(f"column {column!r}: {cell[:40]!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"column {column!r}: {cell[:40]!r} is not a finite number")
    return value


def _truth(cell: str, column: str) -> bool:
    if cell.lower() in _TRUE:
        return True
    if cell.lower() in _FALSE:
        return False
    raise ValueError(f"column {column!r}: {cell[:40]!r} is not true or false")
