"""docs/simulators.md is complete: what is not in it does not exist."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import msgspec
import pytest
import typer
import yaml
from typer.main import get_command

from simulators.commands import capture, replay, simulate
from simulators.formats.catalogue import WIRES
from simulators.formats.wire import FieldFault
from simulators.malformed import Malformation
from simulators.report import Row
from simulators.scenario import (
    ClockFault,
    Episode,
    FaultName,
    Faults,
    Group,
    Scenario,
    Scheduled,
    SiteSpec,
    shipped_scenarios,
)
from simulators.sensors import SENSORS

TEXT = (Path(__file__).parents[3] / "docs" / "simulators.md").read_text("utf-8")


def options(command: object) -> set[str]:
    app = typer.Typer(add_completion=False)
    app.command()(command)  # type: ignore[type-var]
    names: set[str] = set()
    for parameter in get_command(app).params:
        if parameter.param_type_name == "option":
            names |= {*parameter.opts, *parameter.secondary_opts}
    return names - {"--help"}


@pytest.mark.parametrize("command", [simulate, replay, capture])
def test_every_option_is_documented(command: object) -> None:
    found = options(command)
    assert found
    assert {name for name in found if f"`{name}`" not in TEXT} == set()


def test_every_name_that_a_scenario_may_use_is_documented() -> None:
    names = {
        *SENSORS,
        *WIRES,
        *shipped_scenarios(),
        *Malformation,
        *FieldFault,
        *get_args(FaultName),
        *get_args(ClockFault),
    }
    for model in (Scenario, SiteSpec, Group, Faults, Episode, Scheduled):
        names |= set(model.model_fields)
    assert {name for name in names if name not in TEXT} == set()


def test_every_count_of_the_report_is_documented() -> None:
    names = {field.name for field in msgspec.structs.fields(Row)}
    assert {name for name in names if f'"{name}"' not in TEXT} == set()


def test_the_scenario_in_the_documentation_is_one() -> None:
    blocks = [part.partition("```")[0] for part in TEXT.split("```yaml\n")[1:]]
    scenario = Scenario.model_validate(yaml.safe_load(blocks[0]))
    assert scenario.faults.duplicate == 0.02
    assert len(scenario.schedule) == 2
