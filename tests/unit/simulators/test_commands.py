from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from core.errors import ConfigurationError
from simulators.commands import capture, replay, simulate
from simulators.login import BrokerUnavailableError
from tests.servers.ports import free_port


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    for command in (simulate, replay, capture):
        app.command()(command)
    return app


def outcome(app: typer.Typer, *arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, list(arguments)).exception


def test_a_dry_run_writes_the_registry_and_publishes_nothing(
    app: typer.Typer, tmp_path: Path
) -> None:
    file = tmp_path / "fleet.csv"
    result = CliRunner().invoke(
        app,
        ["simulate", "rough-day", "--devices", "37", "--devices-csv", str(file), "--dry-run"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    assert "37 devices" in result.stderr
    assert len(file.read_text().splitlines()) == 38


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("simulate", "no-such"), "rough-day"),
        (("simulate", "--speed", "fast"), "--speed"),
        (("simulate", "--duration", "long"), "--duration"),
        (("simulate", "--start", "yesterday"), "--start"),
        (("simulate", "--connections", "many"), "--connections"),
        (("simulate", "--connections", "0"), "connections"),
        (("simulate", "--mqtt", "4"), "--mqtt"),
        (("simulate", "--broker", "http://x"), "broker address"),
        (("simulate", "--ca-file", "none.pem"), "certificate authority"),
        (("replay", "series.csv"), "--map"),
        (("replay", "none.jsonl"), "none.jsonl"),
        (("replay", "series.csv", "--map", "value"), "--site"),
        (("replay", "series.csv", "--site", "x", "--map", "value"), "--map"),
        (("replay", "s.csv", "--site", "x", "--map", "value=motion"), "name either the device"),
        (("replay", "s.csv", "--mapping", "none.yaml"), "none.yaml"),
        (("capture", "/no/such/folder/file"), "file"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_option(
    app: typer.Typer, arguments: tuple[str, ...], what: str
) -> None:
    error = outcome(app, *arguments)
    assert isinstance(error, ConfigurationError)
    assert what in error.detail


@pytest.mark.parametrize("command", ["simulate", "capture"])
def test_a_broker_that_is_not_there_is_named(
    app: typer.Typer, command: str, tmp_path: Path
) -> None:
    broker = f"mqtt://127.0.0.1:{free_port()}"
    arguments = [command, "--broker", broker]
    if command == "capture":
        arguments.append(str(tmp_path / "file"))
    error = outcome(app, *arguments)
    assert isinstance(error, BrokerUnavailableError)
    assert broker in error.detail
