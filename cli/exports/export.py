"""`passerelle export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.exports.chosen import (
    AggregateOption,
    DevicesOption,
    EveryOption,
    FromOption,
    KeyOption,
    PercentileOption,
    QuantitiesOption,
    SiteOption,
    ToOption,
    UrlOption,
    ZoneOption,
    progress_bar,
    selection,
)
from cli.exports.client import Api, opened_api
from core.errors import ConfigurationError

_JOBS = "/v1/exports/jobs"


class FileFormat(StrEnum):
    """The format of a file."""

    CSV = "csv"
    PARQUET = "parquet"
    ARROW = "arrow"
    JSONL = "jsonl"
    XLSX = "xlsx"


def export(
    output: Annotated[
        Path, typer.Argument(help="The file; its suffix says the format, else --format.")
    ],
    *,
    form: Annotated[FileFormat | None, typer.Option("--format", help="Of the file.")] = None,
    devices: DevicesOption = None,
    site: SiteOption = None,
    quantities: QuantitiesOption = None,
    start: FromOption = None,
    end: ToOption = None,
    zone: ZoneOption = None,
    every: EveryOption = None,
    aggregate: AggregateOption = None,
    percentile: PercentileOption = None,
    job: Annotated[
        str | None, typer.Option(help="Fetch the file of this job, ordered before.")
    ] = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Write stored values to a file, of any size, through the API; the checksum is verified."""
    order = selection(
        devices=devices, site=site, quantities=quantities, start=start, end=end, zone=zone,
        every=every, aggregate=aggregate, percentile=percentile,
    )  # fmt: skip
    with opened_api(url, key) as api:
        if job is None:
            order["format"] = (form or _by_suffix(output)).value
            job = str(api.ask("POST", _JOBS, json=order)["id"])
            typer.echo(f"job {job}", err=True)
        done = made(api, f"{_JOBS}/{job}")
        fetched(api, done, done["file"], output)
    typer.echo(f"{output}: {done['rows']:,} rows, {done['size']:,} bytes, sha256 {done['sha256']}")


def made(api: Api, path: str) -> dict[str, Any]:
    """Wait until a job or a snapshot is done, with a bar; return it."""
    with progress_bar("reading") as told:
        return api.wait(path, told=lambda found: told(found["progress"]))


def fetched(api: Api, done: dict[str, Any], path: str, output: Path) -> None:
    """Fetch a file, with a bar."""
    with progress_bar("fetching") as told:
        api.fetch(
            path,
            output,
            sha256=done["sha256"],
            told=lambda have: told(have / max(1, done["size"])),
        )


def _by_suffix(output: Path) -> FileFormat:
    try:
        return FileFormat(output.suffix.removeprefix(".").lower())
    except ValueError:
        known = ", ".join(FileFormat)
        raise ConfigurationError(
            f"{output.name!r} does not say the format; end it in one of {known}, or give --format"
        ) from None
