"""Devices as CSV: read with every mistake named by file, line and column, written the same way."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from core.errors import ConfigurationError
from devices.registry.inventory import check_device
from devices.registry.records import Device

COLUMNS = (
    "id", "site", "profile", "external_id", "name", "building", "zone", "interval_s", "hardware_id",
)  # fmt: skip
REQUIRED = ("id", "site", "profile")
_MOST_ERRORS = 20


def read_devices_csv(path: Path) -> list[Device]:
    """Read devices from a file: UTF-8 with or without BOM, separated by `,` or `;`.

    Raises:
        ConfigurationError: the file cannot be read, or has mistakes: all of them, up to 20.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 at byte {error.start}") from None
    return parse_devices_csv(content, name=str(path))


def parse_devices_csv(content: str, *, name: str) -> list[Device]:
    """Read devices from text.

    Args:
        content: a header line, then a device a line. Only id, site and profile are required;
            external_id is the id when it is empty or missing.
        name: what the text is called in errors.

    Raises:
        ConfigurationError: as `read_devices_csv`.
    """
    header = content.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    reader = csv.DictReader(io.StringIO(content), delimiter=delimiter, strict=True)
    mistakes: list[str] = []
    devices: list[Device] = []
    first_line: dict[str, int] = {}
    try:
        _check_header([column.strip() for column in reader.fieldnames or ()], name)
        reader.fieldnames = [column.strip() for column in reader.fieldnames or ()]
        for row in reader:
            line = reader.line_num
            if not any(isinstance(value, str) and value.strip() for value in row.values()):
                continue
            try:
                device = _device(row)
            except ConfigurationError as error:
                mistakes.append(f"{name}, line {line}: {error.detail}")
                continue
            if device.id in first_line:
                mistakes.append(
                    f"{name}, line {line}, column id: {device.id!r} stands in line "
                    f"{first_line[device.id]} too"
                )
            first_line.setdefault(device.id, line)
            devices.append(device)
    except csv.Error as error:
        mistakes.append(f"{name}, line {reader.line_num}: {error}")
    if mistakes:
        more = len(mistakes) - _MOST_ERRORS
        shown = mistakes[:_MOST_ERRORS] + ([f"and {more} more"] if more > 0 else [])
        raise ConfigurationError("; ".join(shown) + "; nothing was imported")
    return devices


def write_devices_csv(devices: Iterable[Device]) -> str:
    """Return devices as the text that `parse_devices_csv` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for device in devices:
        interval = "" if device.interval_s is None else f"{device.interval_s:g}"
        values = [getattr(device, column) for column in COLUMNS]
        values[COLUMNS.index("interval_s")] = interval
        writer.writerow(values)
    return out.getvalue()


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column not in COLUMNS]
    if missing or unknown:
        told = [f"no column {column!r}" for column in missing]
        told += [f"unknown column {column[:40]!r}" for column in unknown]
        raise ConfigurationError(
            f"{name}, line 1: {', '.join(told)}; the columns are {', '.join(COLUMNS)}"
        )


def _device(row: dict[str, str | None]) -> Device:
    if None in row:
        raise ConfigurationError("more fields than the header has columns")
    values = {column: (value or "").strip() for column, value in row.items()}
    for column in REQUIRED:
        if not values[column]:
            raise ConfigurationError(f"column {column} is empty")
    return check_device(
        Device(
            id=values["id"],
            site=values["site"],
            profile=values["profile"],
            external_id=values.get("external_id") or values["id"],
            name=values.get("name", ""),
            building=values.get("building", ""),
            zone=values.get("zone", ""),
            interval_s=_seconds(values.get("interval_s", "")),
            hardware_id=values.get("hardware_id", ""),
        )
    )


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise ConfigurationError(
            f"column interval_s: {text[:40]!r} is not a number of seconds"
        ) from None
