"""`passerelle alerts patients`: a recording of patients whose truth is known, to try rules on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from core.errors import ConfigurationError
from simulators.patients import HOURS, write_recording

_START = datetime(2026, 11, 24, 7, tzinfo=UTC)


def patients(
    folder: Annotated[Path, typer.Argument(help="Where patients.csv and labels.csv are written.")],
    *,
    seed: Annotated[int, typer.Option(min=0, help="Another one, other patients.")] = 1,
    hours: Annotated[float, typer.Option(min=1, max=240, help="Length of the recording.")] = HOURS,
) -> None:
    """Write a recording of six simulated patients, and when they were really unwell."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        count = write_recording(
            folder,
            seed=seed,
            start_s=round(_START.timestamp()),
            hours=hours,
            zone=ZoneInfo("Africa/Tunis"),
        )
    except OSError as error:
        raise ConfigurationError(f"{folder}: it cannot be written ({error.strerror})") from None
    typer.echo(f"{count:,} rows in {folder / 'patients.csv'}, the truth in {folder / 'labels.csv'}")
