"""`passerelle export` and `passerelle snapshots` against the real API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from cli.main import program
from core.errors import ConfigurationError, PasserelleError
from core.reading import Point
from storage.backends.memory import MemoryStore
from tests.support.exports import DAY, DEVICES, MINUTES, T0_NS, Served, fill, served

CHOICE = ("--site", "elgazala", "--from", DAY["from"], "--to", DAY["to"])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, MemoryStore()) as opened:
        fill(opened)
        yield opened


def run(place: Served, *arguments: str) -> Result:
    environment = {
        "PASSERELLE_URL": place.url,
        "PASSERELLE_KEY": place.key,
        "PASSERELLE_DATA_DIR": str(place.directory),
    }
    return CliRunner().invoke(program(), list(arguments), env=environment)


@pytest.mark.parametrize("name", ["values.csv", "values.parquet"])
def test_a_file_is_exported_in_the_format_of_its_suffix(
    place: Served, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    result = run(place, "export", str(file), *CHOICE)
    assert result.exit_code == 0, result.output
    assert f"{4 * MINUTES:,} rows" in result.output
    read = pd.read_csv(file, comment="#") if name.endswith("csv") else pd.read_parquet(file)
    assert len(read) == 4 * MINUTES


def test_an_export_goes_on_from_what_is_there_and_a_damaged_beginning_is_found(
    place: Served, tmp_path: Path
) -> None:
    file, part = tmp_path / "values.parquet", tmp_path / "values.parquet.part"
    assert run(place, "export", str(file), *CHOICE).exit_code == 0
    whole = file.read_bytes()
    [job] = place.get("/v1/exports/jobs").json()["jobs"]
    file.unlink()
    part.write_bytes(whole[:1000])
    assert run(place, "export", str(file), "--job", job["id"]).exit_code == 0
    assert file.read_bytes() == whole
    file.unlink()
    part.write_bytes(b"x" * 1000)
    result = run(place, "export", str(file), "--job", job["id"])
    assert isinstance(result.exception, PasserelleError)
    assert "did not arrive as it was sent" in result.exception.detail
    assert not file.exists()
    assert run(place, "export", str(file), "--job", job["id"]).exit_code == 0
    assert file.read_bytes() == whole


def test_a_mistake_is_one_sentence(place: Served, tmp_path: Path) -> None:
    result = run(place, "export", str(tmp_path / "values.pdf"), *CHOICE)
    assert isinstance(result.exception, ConfigurationError)
    assert "csv, parquet" in result.exception.detail
    result = run(place, "export", str(tmp_path / "values.csv"), "--site", "nowhere")
    assert isinstance(result.exception, PasserelleError)
    assert "there is no site 'nowhere'" in result.exception.detail


def test_a_snapshot_is_frozen_shown_fetched_and_verified(place: Served, tmp_path: Path) -> None:
    created = run(place, "snapshots", "create", "Halle A", *CHOICE)
    assert created.exit_code == 0, created.output
    assert "instantané de données" in created.output
    [snapshot] = place.get("/v1/snapshots").json()["snapshots"]
    assert "1 snapshots" in run(place, "snapshots", "list").output
    shown = json.loads(run(place, "snapshots", "show", snapshot["id"]).output)
    assert shown["content_sha256"] == snapshot["content_sha256"]
    file = tmp_path / "frozen.parquet"
    assert run(place, "snapshots", "fetch", snapshot["id"], str(file)).exit_code == 0
    assert len(pd.read_parquet(file)) == 4 * MINUTES
    assert run(place, "snapshots", "verify", snapshot["id"]).exit_code == 0
    late = Point("elgazala", DEVICES[0], "environment", T0_NS, {"air_temperature": 1.0}, 8)
    place.store.write([late])
    differs = run(place, "snapshots", "verify", snapshot["id"])
    assert differs.exit_code == 1
    assert "1 rows added" in differs.output
