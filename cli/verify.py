"""`passerelle verify`: the account recomputed from everything that is kept."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.text import Text
from sqlalchemy.engine import make_url

from cli.counting import opened_counter
from cli.ranges import DeviceOption, FromOption, SiteOption, ToOption, chosen_hours
from core.clock import NS_PER_S, SystemClock, iso
from core.errors import ConfigurationError, PasserelleError
from core.settings import Settings, load_settings
from devices.registry import Registry
from ingest.ledger import NO_BOOT
from ingest.verification.difference import Difference
from ingest.verification.evidence import Sources, ValueCounter
from ingest.verification.verify import Outcome, Wanted
from ingest.verification.verify import verify as compare

_SPOOL = "spool-"
_ARCHIVES = "archive-*"
_SHOWN = 100


def verify(
    *,
    site: SiteOption = None,
    device: DeviceOption = None,
    start: FromOption = None,
    end: ToOption = None,
    api: Annotated[
        str | None,
        typer.Option(
            help="Address of an API that counts the values, instead of the store; default: the "
            "one of the settings when another process has the DuckDB file open."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Recompute the account from spool, dead letters, registry and store; name each difference.

    Nothing is changed, and the workers may be running. Exit code: 0 everything agrees, 1 something
    differs, 2 something could not be compared.
    """
    settings = load_settings()
    first, after = chosen_hours(start, end)
    wanted = Wanted(site=site, device=device, start_hour=first, end_hour=after)
    with ExitStack() as parts:
        outcome = compare(
            _sources(settings, api, parts),
            wanted,
            ahead_s=settings.ingest.clock_ahead_s,
            clock=SystemClock(),
            pause=time.sleep,
        )
    if as_json:
        typer.echo(msgspec.json.encode(_told(outcome)).decode())
    else:
        _print(outcome)
    raise typer.Exit(outcome.code)


def _sources(settings: Settings, api: str | None, parts: ExitStack) -> Sources:
    obstacles: list[str] = []
    registry: Registry | None = None
    store: ValueCounter | None = None
    try:
        registry = _registry(settings)
        parts.callback(registry.close)
    except PasserelleError as error:
        obstacles.append(error.detail)
    try:
        _require_file(settings.store_url, "duckdb", what="store")
        store = parts.enter_context(opened_counter(settings, api))
    except PasserelleError as error:
        obstacles.append(error.detail)
    spools = _spools(settings)
    if not spools:
        obstacles.append(
            f"there is no spool in {settings.data_dir.absolute()}: say where the data are "
            "(PASSERELLE_DATA_DIR, PASSERELLE_SPOOL__PATH), on the host of a worker"
        )
    archives = {settings.archive_path, *settings.archive_path.parent.glob(_ARCHIVES)}
    return Sources(spools, registry, store, tuple(sorted(archives)), tuple(obstacles))


def _spools(settings: Settings) -> dict[str, Path]:
    """Return the spools of the settings and of the data directory, by worker."""
    found = {
        path.stem.removeprefix(_SPOOL): path
        for path in sorted(settings.data_dir.glob(f"{_SPOOL}*.db"))
    }
    if settings.spool_path.exists():
        found[settings.ingest.worker] = settings.spool_path
    return found


def _registry(settings: Settings) -> Registry:
    """Open the registry as it is: nothing is added or brought to another form."""
    _require_file(settings.registry_url, "sqlite", what="registry")
    registry = Registry.open(settings.registry_url, clock=SystemClock())
    try:
        registry.ping()
    except PasserelleError:
        registry.close()
        raise
    return registry


def _require_file(url: str, scheme: str, *, what: str) -> None:
    """Look before a database is opened: opening a file that is not there would make it.

    Raises:
        ConfigurationError: there is none.
    """
    if not url.startswith(f"{scheme}:"):
        return
    path = make_url(url).database
    if path and path != ":memory:" and not Path(path).exists():
        raise ConfigurationError(
            f"there is no {what} {path}; say where it is (PASSERELLE_DATA_DIR, "
            f"PASSERELLE_{what.upper()}__URL)"
        )


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "code": outcome.code,
        "rows": outcome.rows,
        "dead_letters": outcome.letters,
        "devices": outcome.devices,
        "values": outcome.values,
        "differences": [
            {
                **msgspec.to_builtins(one),
                "hour": None if one.hour is None else iso(one.hour * NS_PER_S),
                "cause": one.cause,
                "advice": one.advice,
            }
            for one in outcome.differences
        ],
        "notes": outcome.notes,
        "obstacles": outcome.obstacles,
    }


def _print(outcome: Outcome) -> None:
    console = Console(highlight=False)
    values = "" if outcome.values is None else f", {outcome.values:,} values in the store"
    console.print(
        f"{outcome.rows:,} rows of the ledger, {outcome.letters:,} dead letters, "
        f"{outcome.devices:,} devices{values}"
    )
    for one in outcome.differences[:_SHOWN]:
        console.print(Text(_sentence(one), style="bold red"))
        console.print(Text(f"  likely: {one.cause}"))
        console.print(Text(f"  do: {one.advice}"))
    if (more := len(outcome.differences) - _SHOWN) > 0:
        console.print(f"and {more:,} more; --json shows all")
    for note in outcome.notes:
        console.print(Text(f"not compared: {note}"))
    for obstacle in outcome.obstacles:
        console.print(Text(f"could not verify: {obstacle}", style="yellow"))
    number = len(outcome.differences)
    said = {
        0: "everything agrees",
        1: f"{number:,} difference{'' if number == 1 else 's'}",
        2: "no difference, but not everything could be compared",
    }
    console.print(Text(said[outcome.code], style="bold"))


def _sentence(one: Difference) -> str:
    where = [one.what]
    if one.device:
        where.append(f"of {one.site}/{one.device}")
    if one.hour is not None:
        where.append(f"hour {iso(one.hour * NS_PER_S)}")
    if one.boot not in (None, NO_BOOT):
        where.append(f"boot {one.boot}")
    if one.worker:
        where.append(f"({one.worker})")
    sides = "; ".join(f"{side.where}: {side.says}" for side in (one.one, one.other))
    return f"{one.kind.value}: {' '.join(where)}: {sides}"
