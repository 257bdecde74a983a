"""`passerelle alerts` on recorded series, on the real API, and on real sensors that failed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import program
from core.clock import NS_PER_S
from core.errors import ConfigurationError
from core.reading import Point
from storage.backends.memory import MemoryStore
from tests.support.exports import T0_NS, Served, fill, served
from tests.support.programs import ROOT

NAB = Path(os.environ.get("PASSERELLE_NAB_DIR", ROOT.parent / "shared" / "data" / "nab"))
RULE = """\
rule: hot
title: {en: Hot, fr: Chaud}
when: {threshold: {quantity: air_temperature, above: 28 Cel, margin: 1 Cel}}
"""
SERIES = "timestamp,value\n" + "".join(
    f"2026-11-01T{minute // 60:02d}:{minute % 60:02d}:00Z,{90 if 60 <= minute < 120 else 70}\n"
    for minute in range(240)
)
DAY = ("--from", "2026-11-23T00:00:00Z", "--to", "2026-11-24T00:00:00Z")
MAP = ("--map", "value=air_temperature:°F")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, MemoryStore()) as opened:
        fill(opened)
        hour = 3600 * NS_PER_S
        opened.store.write(
            [
                Point(
                    "elgazala", "elg-env-002", "environment", T0_NS + at, {"air_temperature": 5000}
                )
                for at in (20 * hour, 20 * hour + 60 * NS_PER_S)
            ]
        )
        yield opened


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "hot.yaml"
    path.write_text(RULE)
    return path


@pytest.fixture
def series(tmp_path: Path) -> Path:
    path = tmp_path / "office.csv"
    path.write_text(SERIES)
    return path


def run(*arguments: object, place: Served | None = None) -> Result:
    environment = {"COLUMNS": "140"}
    if place is not None:
        environment |= {"PASSERELLE_URL": place.url, "PASSERELLE_KEY": place.key}
    return CliRunner().invoke(program(), ["alerts", *map(str, arguments)], env=environment)


def shown(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def test_a_rule_is_checked(rule: Path) -> None:
    assert "hot 1: warning, measured, per device; looks at air_temperature" in shown(
        run("check", rule)
    )


def test_a_rule_that_is_wrong_is_refused_with_its_place(rule: Path) -> None:
    rule.write_text(RULE.replace("above", "abov"))
    result = run("check", rule)
    assert result.exit_code == 1
    assert "hot.yaml:3: when.threshold.abov: unknown key; did you mean above?" in result.stderr


def test_every_rule_of_a_folder_is_checked_and_all_that_is_wrong_is_said(
    rule: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(RULE.replace("above", "abov"))
    (tmp_path / "b.yml").write_text(RULE.replace("Cel, margin", "kg, margin"))
    result = run("rules", "check", tmp_path)
    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.stderr.splitlines()] == [
        f"{tmp_path}/a.yaml:3:",
        f"{tmp_path}/b.yml:3:",
    ]
    assert "hot 1: warning" in result.stdout
    (tmp_path / "a.yaml").write_text(RULE)
    (tmp_path / "b.yml").unlink()
    again = run("check", tmp_path)
    assert again.exit_code == 1
    assert f"{rule}: rule 'hot' is in {tmp_path}/a.yaml already" in again.stderr


def test_a_recorded_series_shows_when_a_rule_would_have_fired(rule: Path, series: Path) -> None:
    text = shown(run("backtest", rule, "--csv", series, *MAP, "--zone", "UTC"))
    assert "240 values of 1 device," in text
    assert "1 alarm," in text
    assert "2026-11-01 01:00:00" in text
    assert "value 32.22 Cel" in text
    assert "alarms ····" in text


def test_a_rule_per_series_says_of_which_quantity_it_fires_and_draws_that(
    rule: Path, tmp_path: Path
) -> None:
    rule.write_text(
        "rule: high\ntitle: {en: High, fr: Haut}\nper: series\n"
        "select: {quantity: [air_temperature, relative_humidity]}\n"
        "when: {threshold: {above: 60}}\n"
    )
    text = shown(run("check", rule))
    assert "per series; looks at air_temperature, relative_humidity" in text
    climate = tmp_path / "climate.csv"
    rows = (f"2026-11-01T00:{minute:02d}:00Z,20,{40 + minute}\n" for minute in range(30))
    climate.write_text(f"timestamp,t,h\n{''.join(rows)}")
    columns = ("--map", "t=air_temperature:Cel", "--map", "h=relative_humidity:%")
    text = shown(run("backtest", rule, "--csv", climate, *columns, "--zone", "UTC"))
    assert "60 values of 1 device," in text
    assert "elgazala/recorded/relative_humidity" in text
    assert "value 61 %" in text
    assert "for each of 2" in text
    assert re.search(r"relative.humidity", text.split("because")[1].split("alarms ·")[0])
    only = json.loads(shown(run("backtest", rule, "--csv", climate, *columns, "--json")))
    assert [one["about"] for one in only["alarms"]] == ["elgazala/recorded/relative_humidity"]


def test_a_rule_that_judges_nothing_says_so(rule: Path, series: Path) -> None:
    rule.write_text(RULE + "per: zone\n")
    text = shown(run("backtest", rule, "--csv", series, *MAP))
    assert "nothing was judged" in text
    assert "of a zone" in text


def test_alarms_are_compared_with_labels(rule: Path, series: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "start,end\n"
        "2026-11-01 00:30:00,2026-11-01 01:30:00\n"
        "2026-11-01T04:00:00+01:00,2026-11-01T04:10:00+01:00\n"
    )
    arguments = ("backtest", rule, "--csv", series, *MAP, "--labels", labels)
    text = shown(run(*arguments))
    assert "labels 2: recall 50% (1 found, found after 30 min 0 s (median))" in text
    assert "precision 100% (0 false alarms)" in text
    found = json.loads(shown(run(*arguments, "--json")))
    assert found["score"] == {
        "precision": 1.0, "recall": 0.5, "true": 1, "false": 0, "found": 1, "missed": 1,
        "delay_s": 1800.0,
    }  # fmt: skip
    assert found["alarms"][0]["to"] == "2026-11-01T02:00:00Z"


def test_tuning_shows_what_each_limit_costs_and_finds(
    rule: Path, series: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.json"
    pair = ["2026-11-01 01:00:00.000000", "2026-11-01 02:00:00.000000"]
    labels.write_text(json.dumps({"realKnownCause/office.csv": [pair], "other.csv": []}))
    text = shown(
        run("tune", rule, "--csv", series, *MAP, "--labels", labels,
            "--limits", "25:35:5", "--margins", "0,1", "--for", "0s,30m,2h")
    )  # fmt: skip
    rows = [line.split() for line in text.splitlines()[1:]]
    assert len(rows) == 3 * 2 * 3
    assert {row[0] for row in rows} == {"25", "30", "35"}
    assert sum("100%" in row for row in rows) == 8  # 25 and 30, two margins, 0 s and 30 min


def test_stored_values_are_judged_through_the_api(rule: Path, place: Served) -> None:
    rule.write_text(RULE.replace("28 Cel", "4000 Cel"))
    found = json.loads(shown(run("backtest", rule, *DAY, "--json", place=place)))
    assert [(one["about"], one["from"], one["to"]) for one in found["alarms"]] == [
        ("elgazala/elg-env-002", "2026-11-23T20:00:00Z", None)
    ]
    assert found["values"] > 500


def test_silence_and_the_ledger_are_judged_through_the_api(rule: Path, place: Served) -> None:
    rule.write_text(RULE.replace(RULE.splitlines()[2], "when: {absence: {after: 1h}}"))
    found = json.loads(shown(run("backtest", rule, *DAY, "--json", place=place)))
    silent = [one for one in found["alarms"] if one["to"] is None]
    assert {one["about"] for one in silent} >= {"elgazala/elg-env-001"}
    rule.write_text(RULE.replace(RULE.splitlines()[2], "when: {completeness: {below: 100 %}}"))
    found = json.loads(shown(run("backtest", rule, *DAY, "--json", place=place)))
    assert found["score"] is None


def test_what_cannot_be_tried_is_said(rule: Path, series: Path, place: Served) -> None:
    assert isinstance(run("backtest", rule, "--csv", series).exception, ConfigurationError)
    wrong = run("tune", rule, "--csv", series, *MAP, "--limits", "hot")
    assert "numbers such as" in str(wrong.exception)
    rule.write_text(RULE + "select: {device: nobody-*}\n")
    assert "fits no registered device" in str(run("backtest", rule, place=place).exception)
    rule.write_text(RULE.replace(RULE.splitlines()[2], "when: {absence: {after: 1h}}"))
    sweep = run("tune", rule, "--csv", series, *MAP, "--limits", "1,2")
    assert "one threshold" in str(sweep.exception)


def test_real_sensors_that_failed_are_found(tmp_path: Path) -> None:
    if not NAB.is_dir():
        pytest.skip(f"the recorded series are not there: {NAB} (PASSERELLE_NAB_DIR)")
    rule = tmp_path / "machine.yaml"
    rule.write_text(
        "rule: machine-too-cold\ntitle: {en: Losing heat, fr: Perte de chaleur}\nfor: 15m\n"
        "clear_for: 1h\n"
        "when: {threshold: {quantity: machine_temperature, below: 60 °F, margin: 5 °F}}\n"
    )
    found = json.loads(
        shown(
            run("backtest", rule, "--csv", NAB / "machine_temperature_system_failure.csv",
                "--map", "value=machine_temperature:°F", "--labels", NAB / "windows.json", "--json")
        )
    )  # fmt: skip
    assert found["values"] == 22_695
    assert found["score"]["found"] == 4
    assert (found["score"]["true"], found["score"]["false"]) == (8, 10)
