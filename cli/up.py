"""`passerelle up`: everything on one machine, in one process."""

from __future__ import annotations

import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.data_directory import DataDirectory
from cli.embedded_broker import BrokerKind
from cli.platform import Counts, Platform
from core.logs import configure_logging
from core.settings import LoggingSettings, load_settings
from core.turns import take_short_turns

_REFRESH_S = 1.0
_PLAIN_EVERY_S = 5.0


def up(
    *,
    simulators: Annotated[
        bool, typer.Option(help="Publish as the simulated devices of both sites.")
    ] = True,
    scenario: Annotated[
        str, typer.Option(help="What the simulated devices do: a shipped name or a file.")
    ] = "two-parks",
    data_dir: Annotated[
        Path | None, typer.Option(help="Where everything is kept (default: .data).")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the API (default: 8000).")] = None,
    mqtt_port: Annotated[
        int | None,
        typer.Option(help="Port of the broker (default: 1883, or a free one if that is taken)."),
    ] = None,
    broker: Annotated[
        BrokerKind, typer.Option(help="The embedded broker; auto: mosquitto if installed.")
    ] = BrokerKind.AUTO,
    external_broker: Annotated[
        bool, typer.Option("--external-broker", help="Use the broker of the setting mqtt.url.")
    ] = False,
) -> None:
    """Run broker, ingest, store, API and simulated devices, until Ctrl-C."""
    stopping = threading.Event()
    _stop_on_signals(stopping)
    overrides: dict[str, object] = {}
    settings = load_settings()
    if data_dir is not None:
        overrides["data_dir"] = data_dir
    if port is not None:
        overrides["api"] = settings.api.model_copy(update={"port": port})
    settings = settings.model_copy(update=overrides)
    console = Console(stderr=False)
    configure_logging(
        LoggingSettings(
            level="warning" if settings.logging.level == "info" else settings.logging.level,
            format=settings.logging.format,
        )
    )
    with DataDirectory(settings.data_dir):
        take_short_turns()
        platform = Platform(
            settings=settings,
            simulators=scenario if simulators else None,
            external_broker=external_broker,
            mqtt_port=mqtt_port,
            broker=broker,
            progress=lambda line: console.print(f"  {line} ..."),
        )
        console.print("[bold]Passerelle[/bold] is starting")
        began = time.monotonic()
        platform.start()
        try:
            console.print(f"  ready in {time.monotonic() - began:.1f} s")
            _announce(console, platform)
            _watch(console, platform, stopping)
        finally:
            console.print("stopping: what was received is being stored ...")
            final = platform.counts()
            platform.stop()
        console.print(
            f"stopped; {final.received} messages received so far, all on disk in "
            f"{settings.data_dir}"
        )


def _announce(console: Console, platform: Platform) -> None:
    for name, text in (
        ("dashboard", f"{platform.api_url}/#key={platform.key}"),
        ("API", f"{platform.api_url}/docs"),
        ("API key", f"{platform.key} (kept in {platform.key_file})"),
        ("broker", f"{platform.broker_url} ({platform.broker_kind})"),
    ):
        console.print(f"  {name:<10} {text}", soft_wrap=True, highlight=False, markup=False)
    if platform.devices:
        console.print(f"  simulated  {platform.devices} devices")
    console.print(
        f'  try        curl -H "X-API-Key: $(cat {platform.key_file})" {platform.api_url}/v1/sites',
        soft_wrap=True,
    )


def _watch(console: Console, platform: Platform, stopping: threading.Event) -> None:
    if sys.stdout.isatty():
        _watch_live(console, platform, stopping)
        return
    before, at = platform.counts(), time.monotonic()
    while not stopping.wait(_PLAIN_EVERY_S):
        now, then = platform.counts(), time.monotonic()
        console.print(_line(now, (now.received - before.received) / (then - at)), soft_wrap=True)
        before, at = now, then


def _watch_live(console: Console, platform: Platform, stopping: threading.Event) -> None:
    before, at = platform.counts(), time.monotonic()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while not stopping.wait(_REFRESH_S):
            now, then = platform.counts(), time.monotonic()
            rate = (now.received - before.received) / (then - at)
            live.update(_summary(now, rate, platform))
            before, at = now, then


def _line(counts: Counts, rate: float) -> str:
    return (
        f"received {counts.received} = stored {counts.stored} + duplicate {counts.duplicate} + "
        f"dead-lettered {counts.dead_lettered} + pending {counts.pending}   {rate:.1f} messages/s"
    )


def _summary(counts: Counts, rate: float, platform: Platform) -> Group:
    table = Table(title="Messages", title_justify="left")
    for column in ("received", "stored", "duplicate", "dead-lettered", "pending", "rate"):
        table.add_column(column, justify="right")
    table.add_row(
        *(
            f"{value:,}"
            for value in (
                counts.received,
                counts.stored,
                counts.duplicate,
                counts.dead_lettered,
                counts.pending,
            )
        ),
        f"{rate:,.1f}/s",
    )
    where = f"dashboard {platform.api_url}/   API {platform.api_url}/docs   {platform.broker_url}"
    return Group(table, Text(where), Text("Ctrl-C stops", style="dim"))


def _stop_on_signals(stopping: threading.Event) -> None:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
