"""`passerelle query` against the real API."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import program
from core.errors import ConfigurationError, PasserelleError
from storage.backends.memory import MemoryStore
from tests.support.exports import DAY, DEVICES, MINUTES, Served, fill, served

RANGE = ("--from", DAY["from"], "--to", DAY["to"])
CHOICE = ("--site", "elgazala", *RANGE)
BRAILLE = {chr(code) for code in range(0x2801, 0x2900)}


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
        "COLUMNS": "120",
    }
    return CliRunner().invoke(program(), ["query", *arguments], env=environment)


def shown(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_a_table_has_units_zone_and_says_that_there_is_more(place: Served) -> None:
    result = run(place, *CHOICE, "--quantity", "air_temperature", "--limit", "5")
    lines = shown(result).splitlines()
    assert "Africa/Tunis" in lines[1]
    assert sum("Cel" in line for line in lines) == 5
    assert "there are more" in result.stderr


def test_windows_of_several_aggregates_are_columns(place: Served) -> None:
    device = DEVICES[0]
    text = shown(
        run(place, "--device", device, *RANGE, "--quantity", "air_temperature",
            "--every", "1d", "--aggregate", "min", "--aggregate", "max", "--aggregate", "count")
    )  # fmt: skip
    head = text.splitlines()[1]
    assert [name in head for name in ("min", "max", "count")] == [True] * 3
    assert f"{MINUTES}" in text


def test_csv_is_every_value_with_one_header(place: Served) -> None:
    rows = list(csv.DictReader(io.StringIO(shown(run(place, *CHOICE, "--csv")))))
    assert len(rows) == 4 * MINUTES
    assert len({(row["time"], row["device"], row["quantity"]) for row in rows}) == 4 * MINUTES


def test_json_is_the_answer_of_the_api(place: Served) -> None:
    answer = json.loads(shown(run(place, *CHOICE, "--every", "1h", "--group-by", "site", "--json",
                                  "--quantity", "air_temperature")))  # fmt: skip
    [series] = answer["series"]
    assert series["group"] == {"site": "elgazala"}
    assert series["devices"] == 2


@pytest.mark.parametrize("windows", [(), ("--every", "5min")], ids=["raw", "windows"])
def test_a_chart_is_drawn_for_each_quantity(place: Served, windows: tuple[str, ...]) -> None:
    text = shown(run(place, *CHOICE, *windows, "--plot"))
    assert "air_temperature, Cel (Africa/Tunis)" in text
    assert "relative_humidity, % (Africa/Tunis)" in text
    assert all(name in text for name in DEVICES)
    assert BRAILLE & set(text)
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text  # no colours where it is not a terminal


def test_what_has_no_values_says_so(place: Served) -> None:
    never = ("--site", "elgazala", "--from", "2001-01-01", "--to", "2001-01-02")
    assert "no values in this range" in shown(run(place, *never))
    assert "no values in this range" in shown(run(place, *never, "--plot"))
    text = shown(run(place, *never, "--plot", "--every", "1h", "--quantity", "air_temperature"))
    assert "air_temperature: no values" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--plot", "--csv"), "exclude each other"),
        (("--plot", "--every", "1h", "--aggregate", "min", "--aggregate", "max"), "one aggregate"),
        (("--site", "nowhere"), "there is no site 'nowhere'"),
        (("--site", "elgazala", "--every", "1x"), "is not a window length"),
    ],
)
def test_a_mistake_is_one_sentence(place: Served, arguments: tuple[str, ...], said: str) -> None:
    error = run(place, *arguments).exception
    assert isinstance(error, PasserelleError | ConfigurationError)
    assert said in error.detail
