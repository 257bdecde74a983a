"""Excel workbook (ISO/IEC 29500), streamed: sheets are written as their rows come.

Sheets: `data` (`data 2`, ... beyond Excel's 1,048,576 rows a sheet), `metadata`, `end`. A workbook
that was cut off has no directory at its end and Excel does not open it.

No library of ours writes a workbook into a stream without a copy of it on disk; what is needed of
the format is five small XML parts.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from typing import IO, Any
from xml.sax.saxutils import escape, quoteattr
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from api.exports.formats.text import texts
from api.exports.formats.writer import Head, Pipe

MOST_ROWS = 1_048_576
"""Rows of one sheet, its first one with names included (Excel specifications and limits)."""
LONGEST_TEXT = 32_767
"""Characters of one cell, at most."""
LOCAL = "local_time"
"""Name of the further column that Excel understands as an instant."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_STYLES = (
    f'{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="1">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss.000"/></numFmts>'
    '<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf xfId="0"/><xf numFmtId="164" applyNumberFormat="1" xfId="0"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
_DAY_NS = 86_400 * 1_000_000_000
_EXCEL_EPOCH_DAYS = 25_569
_FIRST_DAY = 61  # before 1900-03-01 Excel counts a day that never was


class XlsxWriter:
    """A `FileWriter`.

    Args:
        head: of the file.
        most_rows: of one sheet.
    """

    def __init__(self, head: Head, *, most_rows: int = MOST_ROWS) -> None:
        self._head = head
        self._zone = ZoneInfo(head.metadata["zone"])
        self._most_rows = most_rows
        self._pipe = Pipe()
        self._zip = zipfile.ZipFile(self._pipe, "w", zipfile.ZIP_DEFLATED)
        self._sheet: IO[bytes] | None = None
        self._sheets: list[str] = []
        self._rows = 0

    def begin(self) -> bytes:
        """See `FileWriter.begin`."""
        self._part("xl/styles.xml", _STYLES)
        self._open("data")
        return self._pipe.take()

    def add(self, batch: pa.RecordBatch) -> bytes:
        """See `FileWriter.add`."""
        at = 0
        while at < batch.num_rows:
            if self._rows == self._most_rows:
                self._close()
                self._open(f"data {len(self._sheets) + 1}")
            part = batch.slice(at, self._most_rows - self._rows)
            self._write(part)
            at += part.num_rows
        return self._pipe.take()

    def end(self, facts: dict[str, Any]) -> bytes:
        """See `FileWriter.end`."""
        self._close()
        self._listed("metadata", self._head.metadata)
        self._listed("end", facts)
        self._workbook()
        self._zip.close()
        return self._pipe.take()

    def abandon(self, why: str) -> bytes:  # noqa: ARG002 - a workbook without directory says it
        """See `FileWriter.abandon`: the rest of the file, its directory, is not sent."""
        self._close()
        self._zip.close()
        self._pipe.take()
        return b""

    def _write(self, batch: pa.RecordBatch) -> None:
        assert self._sheet is not None  # noqa: S101 - begin() opened one
        columns = texts(batch, self._zone)
        cells = [
            [_number(one) for one in values]
            if name in {"value", "count"}
            else [_text(one) for one in values]
            for name, values in columns.items()
        ]
        cells.append([_number(one, style=1) for one in _local(batch)])
        lines = "".join(f"<row>{''.join(row)}</row>" for row in zip(*cells, strict=True))
        self._sheet.write(lines.encode())
        self._rows += batch.num_rows

    def _open(self, name: str) -> None:
        self._sheets.append(name)
        self._sheet = self._zip.open(_info(f"xl/worksheets/sheet{len(self._sheets)}.xml"), "w")
        names = (*self._head.columns.names, LOCAL)
        head = "".join(_text(one) for one in names)
        self._sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData><row>{head}</row>'.encode())
        self._rows = 1

    def _close(self) -> None:
        if self._sheet is not None:
            self._sheet.write(b"</sheetData></worksheet>")
            self._sheet.close()
            self._sheet = None

    def _listed(self, name: str, content: dict[str, Any]) -> None:
        """Write a sheet of names and values."""
        self._sheets.append(name)
        rows = "".join(
            f"<row>{_text(key)}{_text(value)}</row>" for key, value in _flat("", content)
        )
        self._part(
            f"xl/worksheets/sheet{len(self._sheets)}.xml",
            f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>{rows}</sheetData></worksheet>',
        )

    def _workbook(self) -> None:
        numbered = list(enumerate(self._sheets, start=1))
        sheets = "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
            for number, name in numbered
        )
        self._part(
            "xl/workbook.xml",
            f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets>'
            "</workbook>",
        )
        targets = [(number, "worksheet", f"worksheets/sheet{number}.xml") for number, _ in numbered]
        targets.append((len(numbered) + 1, "styles", "styles.xml"))
        self._part("xl/_rels/workbook.xml.rels", _relations(targets))
        self._part("_rels/.rels", _relations([(1, "officeDocument", "xl/workbook.xml")]))
        parts = "".join(
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" '
            f'ContentType="{_KIND}.worksheet+xml"/>'
            for number, _ in numbered
        )
        self._part(
            "[Content_Types].xml",
            f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" '
            'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/>'
            f'<Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/>'
            f"{parts}</Types>",
        )

    def _part(self, name: str, content: str) -> None:
        with self._zip.open(_info(name), "w") as part:
            part.write(content.encode())


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)  # of 1980: equal rows make equal bytes
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _relations(targets: list[tuple[int, str, str]]) -> str:
    entries = "".join(
        f'<Relationship Id="rId{number}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for number, kind, target in targets
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{entries}</Relationships>'


def _text(value: str) -> str:
    if not value:
        return "<c/>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


def _number(value: float | None, *, style: int = 0) -> str:
    if value is None:
        return "<c/>"
    if not math.isfinite(value):
        return _text(repr(value))  # Excel knows no infinite number
    styled = f' s="{style}"' if style else ""
    return f"<c{styled}><v>{value!r}</v></c>"


def _local(batch: pa.RecordBatch) -> list[float | None]:
    """Return the first column as Excel's days, or None where Excel cannot count."""
    local = pc.local_timestamp(batch.column(0)).cast(pa.int64()).to_numpy(zero_copy_only=False)
    days = local.astype(np.float64) / _DAY_NS + _EXCEL_EPOCH_DAYS
    return [one if one >= _FIRST_DAY else None for one in days.tolist()]


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield (path, text) for everything in nested metadata; nothing is cut."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, list) and value:
        joined = ", ".join(str(one) for one in value)
        if len(joined) <= LONGEST_TEXT and not any(isinstance(one, dict | list) for one in value):
            yield prefix, joined
        else:
            for index, inner in enumerate(value):
                yield from _flat(f"{prefix}.{index}", inner)
    else:
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        yield prefix, text
