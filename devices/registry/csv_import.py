"""Devices as CSV: read with every mistake named by file, line and column, written the same way.

A header line, then a device a line: UTF-8 with or without a byte order mark, separated by `,` or
`;` (with `;` a decimal comma is understood, as spreadsheets in French write it). Spaces around a
field do not count. Labels stand in one field: `floor=2;gateway=elg-gw-1`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from core.errors import ConfigurationError
from devices.registry.device_fields import field_mistakes
from devices.registry.labels import label_text, parse_labels, split_labels
from devices.registry.records import Device

COLUMNS = (
    "id", "site", "profile", "external_id", "name", "building", "zone", "interval_s", "hardware_id",
    "labels",
)  # fmt: skip
REQUIRED = ("id", "site", "profile")
_MOST_ERRORS = 20


def read_devices_csv(source: Path | TextIO) -> list[Device]:
    """Read devices from a file or a text stream.

    Only the columns id, site and profile are required; external_id is the id when it is empty or
    missing.

    Raises:
        ConfigurationError: it cannot be read, or has mistakes: all of them, a line each, up to 20.
    """
    if not isinstance(source, Path):
        name = getattr(source, "name", None)
        return parse_devices_csv(source.read(), name=name if isinstance(name, str) else "the CSV")
    try:
        content = source.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{source}, line {line}: this is not UTF-8; save the file as CSV UTF-8"
        ) from None
    return parse_devices_csv(content, name=str(source))


def parse_devices_csv(content: str, *, name: str) -> list[Device]:
    """Read devices from text.

    Args:
        content: as `read_devices_csv` reads it.
        name: what the text is called in errors.

    Raises:
        ConfigurationError: as `read_devices_csv`.
    """
    reading = _Reading(content.removeprefix("\ufeff"), name=name)
    devices = reading.devices()
    if reading.mistakes:
        more = len(reading.mistakes) - _MOST_ERRORS
        shown = reading.mistakes[:_MOST_ERRORS] + ([f"and {more} more"] if more > 0 else [])
        raise ConfigurationError("\n".join([*shown, "nothing was imported"]))
    return devices


def write_devices_csv(devices: Iterable[Device]) -> str:
    """Return devices as the text that `parse_devices_csv` reads."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180; so that a lone \r is quoted too
    writer.writerow(COLUMNS)
    for device in devices:
        values = {column: getattr(device, column) for column in COLUMNS}
        seconds = device.interval_s
        values["labels"] = label_text(device.labels)
        values["interval_s"] = "" if seconds is None else str(seconds).removesuffix(".0")
        writer.writerow(values.values())
    return out.getvalue()


class _Reading:
    """One text on its way to devices, and the mistakes met."""

    def __init__(self, content: str, *, name: str) -> None:
        header = content.partition("\n")[0]
        self._separator = ";" if header.count(";") > header.count(",") else ","
        self._reader = csv.reader(
            io.StringIO(content, newline=""), delimiter=self._separator, strict=True
        )
        self._name = name
        self._line = 1
        self._places: dict[tuple[str, ...], int] = {}
        self.mistakes: list[str] = []

    def devices(self) -> list[Device]:
        rows = self._rows()
        header = [column.strip() for column in next(rows, [])]
        self._check_header(header)
        if self.mistakes:
            return []
        return [self._device(header, row) for row in rows if any(cell.strip() for cell in row)]

    def _rows(self) -> Iterator[list[str]]:
        while True:
            self._line = self._reader.line_num + 1
            try:
                row = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._mistake(f"{error}; check the quotes and the separators")
                return
            yield row

    def _check_header(self, header: list[str]) -> None:
        for column in REQUIRED:
            if column not in header:
                self._mistake(f"no column {column!r}; the columns are {', '.join(COLUMNS)}")
        for place, column in enumerate(header):
            if column not in COLUMNS:
                self._mistake(
                    f"unknown column {column[:40]!r}; the columns are {', '.join(COLUMNS)}"
                )
            elif column in header[:place]:
                self._mistake(f"column {column!r} comes twice")

    def _device(self, header: list[str], row: list[str]) -> Device:
        if len(row) > len(header):
            self._mistake(f"{len(row)} fields, but the header has {len(header)} columns")
        cells = {column: cell.strip() for column, cell in zip(header, row, strict=False)}
        device = Device(
            id=cells.get("id", ""),
            site=cells.get("site", ""),
            profile=cells.get("profile", ""),
            external_id=cells.get("external_id") or cells.get("id", ""),
            name=cells.get("name", ""),
            building=cells.get("building", ""),
            zone=cells.get("zone", ""),
            interval_s=self._seconds(cells.get("interval_s", "")),
            hardware_id=cells.get("hardware_id", ""),
            labels=self._labels(cells.get("labels", "")),
        )
        mistakes = dict(field_mistakes(device))
        if not cells.get("external_id"):
            mistakes.pop("external_id", None)  # it is the id, which is told already
        for column, sentence in mistakes.items():
            self._mistake(sentence if cells.get(column) else f"{column} is missing", column=column)
        self._once(device.id, column="id", what=f"the id {device.id!r}")
        self._once(
            device.site, device.profile, device.external_id,
            column="external_id",
            what=f"the name {device.external_id!r} of profile {device.profile}, site {device.site}",
        )  # fmt: skip
        return device

    def _once(self, *key: str, column: str, what: str) -> None:
        if not all(key):
            return
        first = self._places.setdefault((column, *key), self._line)
        if first != self._line:
            self._mistake(f"{what[:400]} stands in line {first} too", column=column)

    def _seconds(self, text: str) -> float | None:
        if not text:
            return None
        plain = text.replace(",", ".") if self._separator == ";" else text
        try:
            return float(plain.replace("_", "?"))  # Python's own 1_000 is no number elsewhere
        except ValueError:
            self._mistake(f"{text[:40]!r} is not a number of seconds", column="interval_s")
            return None

    def _labels(self, text: str) -> dict[str, str]:
        try:
            return parse_labels(split_labels(text))
        except ConfigurationError as error:
            self._mistake(error.detail, column="labels")
            return {}

    def _mistake(self, sentence: str, *, column: str | None = None) -> None:
        where = f"{self._name}, line {self._line}" + (f", column {column}" if column else "")
        self.mistakes.append(f"{where}: {sentence}")
