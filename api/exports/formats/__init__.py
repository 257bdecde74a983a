"""The file formats of exports, one module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import msgspec

from api.exports.formats.arrow import ArrowWriter
from api.exports.formats.csv import CsvWriter
from api.exports.formats.jsonl import JsonLinesWriter
from api.exports.formats.parquet import ParquetWriter
from api.exports.formats.writer import FileWriter, Head
from api.exports.formats.xlsx import XlsxWriter

__all__ = ["FORMATS", "FileWriter", "Format", "FormatName", "Head"]


class FormatName(StrEnum):
    """The name of a format, as a query gives it."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    JSONL = "jsonl"
    XLSX = "xlsx"


class Format(msgspec.Struct, frozen=True):
    """A file format.

    Attributes:
        name: as in a query, and the suffix of file names.
        media_type: as in `Content-Type`.
        writer: makes the writer of one file.
    """

    name: FormatName
    media_type: str
    writer: Callable[[Head], FileWriter]


FORMATS: Mapping[FormatName, Format] = {
    one.name: one
    for one in (
        Format(FormatName.CSV, "text/csv; charset=utf-8; header=present", CsvWriter),
        Format(FormatName.PARQUET, "application/vnd.apache.parquet", ParquetWriter),
        Format(FormatName.ARROW, "application/vnd.apache.arrow.stream", ArrowWriter),
        Format(FormatName.JSONL, "application/x-ndjson", JsonLinesWriter),
        Format(
            FormatName.XLSX,
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            XlsxWriter,
        ),
    )
}
"""Every format, by its name."""
