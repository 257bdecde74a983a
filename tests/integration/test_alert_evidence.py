"""What docs/alerts.md says of the shipped example rules is what a trial of them finds."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.rules.source import load_rules
from cli.alerts.shown import duration
from cli.main import program
from core.clock import NS_PER_S
from simulators.patients import QUANTITIES
from tests.support.programs import ROOT

NAB = Path(os.environ.get("PASSERELLE_NAB_DIR", ROOT.parent / "shared" / "data" / "nab"))
EXAMPLES = ROOT / "alerts" / "examples"
TEXT = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
OFFICE = ("ambient_temperature_system_failure.csv", "air_temperature")
MACHINE = ("machine_temperature_system_failure.csv", "machine_temperature")
SATURATION = "{quantity: oxygen_saturation, below: 90 %"
HEAD = "rule: tried\ntitle: {en: Tried, fr: Essai}\nper: person\nlateness: 2m\nwhen: {threshold: "
# rules on the simulated patients: as they stand in the table of the document
WARDS = {
    "SpO2 below 90 %": HEAD + SATURATION + "}}\n",
    "SpO2 below 88 %": HEAD + SATURATION.replace("90", "88") + "}}\n",
    "... 90 %, `for: 15s`": HEAD + SATURATION + "}}\nfor: 15s\n",
    "... 90 %, `margin: 2 %`, `clear_for: 1m`": (
        HEAD + SATURATION + ", margin: 2 %}}\nclear_for: 1m\n"
    ),
    "... 90 %, all three": HEAD + SATURATION + ", margin: 2 %}}\nfor: 15s\nclear_for: 1m\n",
    "`patient-saturation.yaml`: all three, 85 % for the one with COPD": "patient-saturation",
    "NEWS2 of 5, or a single 3": HEAD.replace("{threshold: ", "{news2: {}}\n"),
    "... `for: 1m`, `clear_for: 5m`": (
        HEAD.replace("{threshold: ", "{news2: {}}\nfor: 1m\nclear_for: 5m\n")
    ),
    "`patient-news2.yaml`: as before, scale 2 for the one with COPD": "patient-news2",
}  # fmt: skip


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ward")
    result = CliRunner().invoke(program(), ["alerts", "patients", str(folder)])
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("office-limits", OFFICE),
        ("office-unusual", OFFICE),
        ("machine-cold", MACHINE),
        ("machine-unusual", MACHINE),
    ],
)
def test_the_figures_on_real_sensors_that_failed_are_those_of_the_document(
    name: str, series: tuple[str, str]
) -> None:
    if not NAB.is_dir():
        pytest.skip(f"the recorded series are not there: {NAB} (PASSERELLE_NAB_DIR)")
    file, quantity = series
    found = _backtest(
        EXAMPLES / f"{name}.yaml", "--csv", NAB / file, "--map", f"value={quantity}:°F",
        "--labels", NAB / "windows.json",
    )  # fmt: skip
    row = _row(f"`{name}.yaml`", found, f"{found['alarms_a_day']:.3f}")
    assert row in TEXT, row


@pytest.mark.parametrize("name", WARDS)
def test_the_figures_on_patients_whose_truth_is_known_are_those_of_the_document(
    name: str, ward: Path, tmp_path: Path
) -> None:
    rule = EXAMPLES / f"{WARDS[name]}.yaml"
    if "\n" in WARDS[name]:
        rule = tmp_path / "tried.yaml"
        rule.write_text(WARDS[name])
    columns = [part for one in QUANTITIES for part in ("--map", f"{one}={one}")]
    found = _backtest(
        rule, "--csv", ward / "patients.csv", *columns, "--device-column", "device",
        "--labels", ward / "labels.csv",
    )  # fmt: skip
    row = _row(name, found, f"{found['alarms_a_subject_and_day']:.1f}")
    assert row in TEXT, row


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_can_be_used_and_is_named_in_the_document(path: Path) -> None:
    (rule,) = load_rules(path)
    assert rule.name == path.stem
    assert f"`{path.name}`" in TEXT


def _backtest(*arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(program(), ["alerts", "backtest", *map(str, arguments), "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    found: dict[str, object] = json.loads(result.stdout)
    return found


def _row(name: str, found: dict[str, object], rate: str) -> str:
    score = found["score"]
    assert isinstance(score, dict)
    after = "-" if score["delay_s"] is None else duration(score["delay_s"] * NS_PER_S)
    precision = "-" if score["precision"] is None else f"{score['precision']:.0%}"
    labels = f"{score['found']} of {score['found'] + score['missed']}"
    return f"| {name} | {rate} | {precision} | {labels} | {after} |"
