"""`passerelle dead-letters export`: as JSON lines, or as a directory of the raw payloads."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import msgspec
import typer

from cli.dead_letters.chosen import (
    DeviceOption,
    ProfileOption,
    ReasonOption,
    ScopeOption,
    SinceOption,
    SiteOption,
    State,
    StateOption,
    UntilOption,
    WorkerOption,
    chosen,
    pages,
)
from cli.dead_letters.listing import shown
from cli.opened import opened_registry
from core.errors import ConfigurationError
from devices.registry import DeadLetter

_INDEX = "letters.jsonl"

Write = Callable[[dict[str, Any]], None]


def export(
    *,
    output: Annotated[
        Path | None, typer.Option(help="JSON lines go to this file (default: standard output).")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(help=f"Raw payloads go to REASON/ID.bin in here, the rest to {_INDEX}."),
    ] = None,
    site: SiteOption = None,
    device: DeviceOption = None,
    reason: ReasonOption = None,
    scope: ScopeOption = None,
    profile: ProfileOption = None,
    worker: WorkerOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    state: StateOption = State.OPEN,
) -> None:
    """Export dead letters with their payloads; the last line says how many there are."""
    if output is not None and directory is not None:
        raise ConfigurationError("give either --output or --directory")
    wanted = chosen(
        site=site, device=device, reason=reason, scope=scope, profile=profile, worker=worker,
        since=since, until=until,
    )  # fmt: skip
    rows = size = 0
    with opened_registry() as registry, _opened(output, directory) as write:
        for page in pages(registry, wanted, state, payloads=True):
            for letter in page:
                write(_exported(letter, directory))
                rows += 1
                size += len(letter.payload)
        write({"trailer": {"rows": rows, "payload_bytes": size}})
    sys.stderr.write(f"{rows:,} dead letters, {size:,} bytes of payload\n")


def _exported(letter: DeadLetter, directory: Path | None) -> dict[str, Any]:
    row = shown(letter)
    if directory is None:
        row["payload_base64"] = base64.b64encode(letter.payload).decode()
        return row
    name = f"{letter.reason}/{letter.id}.bin"
    path = directory / name
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(letter.payload)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from None
    return row | {"payload_file": name}


@contextmanager
def _opened(output: Path | None, directory: Path | None) -> Iterator[Write]:
    if directory is not None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{directory} cannot be made: {error.strerror}") from None
        output = directory / _INDEX
    if output is None:
        yield _writer(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    try:
        with output.open("wb") as sink:
            yield _writer(sink)
    except OSError as error:
        raise ConfigurationError(f"{output} cannot be written: {error.strerror}") from None


def _writer(sink: BinaryIO) -> Write:
    def write(row: dict[str, Any]) -> None:
        sink.write(msgspec.json.encode(row) + b"\n")

    return write
