"""The commands `simulate`, `replay` and `capture`, for `cli` to mount."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from core.clock import NS_PER_S
from core.errors import ConfigurationError
from simulators.bad_row import BadRow
from simulators.capture import capture as run_capture
from simulators.durations import parse_duration, parse_speed
from simulators.fleet import Fleet
from simulators.replay import replay as run_replay
from simulators.report import Report
from simulators.runner import Connections
from simulators.runner import simulate as run_simulation
from simulators.scenario import load_scenario, shipped_scenarios
from simulators.series import SeriesMapping, load_mapping, parse_column
from simulators.terminal import shown, stopped_by_signals, summary

_SHOWN_BAD_ROWS = 20

BrokerOption = Annotated[
    str,
    typer.Option(
        "--broker",
        envvar="PASSERELLE_MQTT__URL",
        help="mqtt://host:1883 or mqtts://user:password@host:8883.",
    ),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--ca-file", envvar="PASSERELLE_MQTT__CA_FILE", help="Certificate authority for mqtts, PEM."
    ),
]
MqttOption = Annotated[
    str, typer.Option("--mqtt", help="MQTT version, 3.1.1 or 5 (which tells why it refuses).")
]
ReportOption = Annotated[
    str | None,
    typer.Option(
        "--report",
        help="Write the count of every device as JSON to this file (- : standard output).",
    ),
]


def simulate(
    scenario: Annotated[
        str, typer.Argument(help=f"A file, or one of {', '.join(shipped_scenarios())}.")
    ] = "two-parks",
    *,
    broker: BrokerOption = "mqtt://127.0.0.1:1883",
    speed: Annotated[
        str, typer.Option(help="Simulated time in a second: 60x; max: as fast as it goes.")
    ] = "1x",
    devices: Annotated[
        int | None, typer.Option(min=1, help="How many devices; default: as the scenario says.")
    ] = None,
    duration: Annotated[
        str | None,
        typer.Option(help="Simulated time: 10m at 60x takes 10 s. Default: until Ctrl-C."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the scenario's.")] = None,
    faults: Annotated[bool, typer.Option(help="Whether the faults of the scenario happen.")] = True,
    start: Annotated[
        str | None,
        typer.Option(help="First simulated instant, RFC 3339; default: so that it ends now."),
    ] = None,
    connections: Annotated[
        str, typer.Option(help="MQTT connections: site, device, or a number.")
    ] = "site",
    devices_csv: Annotated[
        Path | None,
        typer.Option("--devices-csv", help="Write the fleet for `passerelle devices import`."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Publish nothing.")] = False,
    report: ReportOption = None,
    ca_file: CaFileOption = None,
    mqtt: MqttOption = "3.1.1",
) -> None:
    """Publish as a fleet of simulated devices, and say exactly what was published."""
    fleet = Fleet(load_scenario(scenario), devices=devices, seed=seed, faults=faults)
    if devices_csv is not None:
        _write(devices_csv, fleet.registry_csv())
    console = Console(stderr=True)
    if dry_run:
        console.print(
            f"{fleet.scenario.name}: {len(fleet.devices)} devices at {', '.join(fleet.sites)}; "
            "nothing published",
            highlight=False,
        )
        return
    with stopped_by_signals() as stop, shown(fleet.scenario.name, console) as on_progress:
        made = run_simulation(
            fleet,
            broker_url=broker,
            speed=_speed(speed),
            duration_s=None if duration is None else _duration(duration),
            stop=stop,
            on_progress=on_progress,
            start_ns=None if start is None else _instant(start),
            connections=_connections(connections),
            ca_file=ca_file,
            version=_version(mqtt),
        )
    _tell(made, report, console)


def replay(
    file: Annotated[Path, typer.Argument(help="A CSV series, or JSON lines as capture writes.")],
    *,
    broker: BrokerOption = "mqtt://127.0.0.1:1883",
    speed: Annotated[
        str, typer.Option(help="Recorded time in a second: 60x; max: as fast as it goes.")
    ] = "1x",
    site: Annotated[str | None, typer.Option(help="Site of the series.")] = None,
    device: Annotated[str | None, typer.Option(help="Device of the series.")] = None,
    device_column: Annotated[
        str | None, typer.Option(help="Column that names the device, instead of --device.")
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="column=quantity:unit as recorded; give it once a column."),
    ] = None,
    time_column: Annotated[str, typer.Option(help="Column of the time.")] = "timestamp",
    time_format: Annotated[
        str, typer.Option(help="iso, unix, unix_ms, unix_us, unix_ns, or a strptime pattern.")
    ] = "iso",
    zone: Annotated[
        str | None, typer.Option(help="IANA zone of times that do not say theirs.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="What stands between cells.")] = ",",
    mapping: Annotated[
        Path | None, typer.Option(help="A YAML file in place of the options above.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first line that cannot be used.")
    ] = False,
    report: ReportOption = None,
    ca_file: CaFileOption = None,
    mqtt: MqttOption = "3.1.1",
) -> None:
    """Publish a recorded series (CSV) or a recording of MQTT traffic (JSON lines)."""
    given: SeriesMapping | None = None
    if mapping is not None:
        given = load_mapping(mapping)
    elif columns:
        given = series_mapping(
            site=site,
            device=device,
            device_column=device_column,
            columns=columns,
            time_column=time_column,
            time_format=time_format,
            zone=zone,
            delimiter=delimiter,
        )
    elif file.suffix.lower() == ".csv":
        raise ConfigurationError(
            f"{file.name} is a CSV: say what its columns hold, such as "
            "--site elgazala --device office --map 'value=air_temperature:[degF]' --zone UTC"
        )
    console = Console(stderr=True)
    seen = 0

    def on_bad_row(row: BadRow) -> None:
        nonlocal seen
        seen += 1
        if seen <= _SHOWN_BAD_ROWS:
            console.print(f"{file.name}, line {row.line}: {row.why}", highlight=False, markup=False)
        elif seen == _SHOWN_BAD_ROWS + 1:
            console.print("further lines that cannot be used are counted only")

    with stopped_by_signals() as stop, shown(file.name, console) as on_progress:
        made = run_replay(
            file,
            broker_url=broker,
            mapping=given,
            speed=_speed(speed),
            strict=strict,
            stop=stop,
            on_bad_row=on_bad_row,
            on_progress=on_progress,
            ca_file=ca_file,
            version=_version(mqtt),
        )
    _tell(made, report, console)


def capture(
    file: Annotated[Path, typer.Argument(help="Where to write the JSON lines.")],
    *,
    broker: BrokerOption = "mqtt://127.0.0.1:1883",
    topics: Annotated[
        list[str] | None, typer.Option("--topic", help="Topic filter; may be given repeatedly.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many messages; default: Ctrl-C.")
    ] = None,
    ca_file: CaFileOption = None,
    mqtt: MqttOption = "3.1.1",
) -> None:
    """Record MQTT traffic to a file that `replay` publishes again."""
    console = Console(stderr=True)
    with stopped_by_signals() as stop:
        count = run_capture(
            file,
            broker_url=broker,
            topics=tuple(topics or ["#"]),
            stop=stop,
            limit=limit,
            ca_file=ca_file,
            version=_version(mqtt),
        )
    console.print(f"{count:,} messages recorded in {file}", highlight=False, markup=False)


def _tell(made: Report, target: str | None, console: Console) -> None:
    if target is None:
        typer.echo(json.dumps(made.totals()))
    elif target == "-":
        typer.echo(made.to_json())
    else:
        _write(Path(target), made.to_json() + "\n")
    console.print(summary(made), highlight=False, markup=False)
    if made.totals()["unacknowledged"]:
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be written: {error.strerror}") from None


def series_mapping(
    *,
    site: str | None,
    device: str | None,
    device_column: str | None,
    columns: list[str],
    time_column: str,
    time_format: str,
    zone: str | None,
    delimiter: str,
) -> SeriesMapping:
    """Return how a CSV series is read, from the options of a command.

    Raises:
        ConfigurationError: a name, quantity, unit or zone that cannot be, or no site.
    """
    if site is None:
        raise ConfigurationError("--site is needed: the site that the series is of")
    try:
        mapping = SeriesMapping(
            site=site,
            device=device,
            device_column=device_column,
            time_column=time_column,
            time_format=time_format,
            zone=zone,
            delimiter=delimiter,
            columns=dict(parse_column(text) for text in columns),
        )
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    return mapping.checked()


def _speed(text: str) -> float:
    try:
        return parse_speed(text)
    except ValueError as error:
        raise ConfigurationError(f"--speed: {error}") from None


def _duration(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ConfigurationError(f"--duration: {error}") from None


def _instant(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise ConfigurationError(
            f"--start: {text!r} is not an instant such as 2026-11-23T06:00:00Z"
        )
    return round(instant.timestamp() * 1000) * (NS_PER_S // 1000)


def _connections(text: str) -> Connections:
    if text == "site":
        return "site"
    if text == "device":
        return "device"
    if text.isdecimal():
        return int(text)
    raise ConfigurationError(f"--connections: {text!r} is neither site, device nor a number")


def _version(text: str) -> Literal["3.1.1", "5"]:
    if text == "3.1.1":
        return "3.1.1"
    if text == "5":
        return "5"
    raise ConfigurationError(f"--mqtt: {text!r} is neither 3.1.1 nor 5")
