from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.problems import PROBLEMS
from api.schemas import (
    Schema,
    alert_channels,
    alert_explain,
    alert_rules,
    alert_statistics,
    alerts,
    assignments,
    completeness,
    dead_letters,
    devices,
    exports,
    health,
    letter_requests,
    plots,
    quantities,
    readings,
    several,
    silences,
    sites,
    snapshots,
)
from tests.unit.api.world import World

DOCS = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


def operations(world: World) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method.upper(), path, operation)
        for path, methods in world.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_documented(world: World) -> None:
    for method, path, _ in operations(world):
        assert f"`{method} {path}`" in DOCS, f"docs/api.md lacks {method} {path}"


def test_every_parameter_is_documented_in_the_section_of_its_route(world: World) -> None:
    for method, path, operation in operations(world):
        section = DOCS.split(f"`{method} {path}`", 1)[1]
        section = section.split("\n### ")[0].split("\n## ")[0]
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                assert f"`{parameter['name']}`" in section, f"{method} {path}: {parameter['name']}"


def test_every_problem_is_documented() -> None:
    for code, kind in PROBLEMS.items():
        assert f"| `{code}` | {kind.status} |" in DOCS


def test_every_route_has_a_summary_a_tag_and_an_example_of_its_answer(world: World) -> None:
    tags = {tag["name"] for tag in world.app.openapi()["tags"]}
    for method, path, operation in operations(world):
        assert operation["summary"], path
        assert operation["description"], path
        assert set(operation["tags"]) <= tags, path
        for status, answer in operation["responses"].items():
            assert answer["description"], (path, status)
            for media in answer.get("content", {}).values():
                assert media.get("example") or media.get("examples"), (method, path, status)


def test_every_parameter_has_a_description_and_all_but_opaque_ones_an_example(
    world: World,
) -> None:
    for method, path, operation in operations(world):
        for parameter in operation.get("parameters", ()):
            where = (method, path, parameter["name"])
            assert parameter.get("description"), where
            if parameter["in"] == "query" and parameter["name"] != "cursor":
                schema = parameter["schema"]
                assert parameter.get("example") or schema.get("examples"), where


def test_every_route_with_a_key_says_so_and_which_problems_it_answers(world: World) -> None:
    for method, path, operation in operations(world):
        if path.startswith("/health"):
            assert "security" not in operation
            continue
        assert {next(iter(scheme)) for scheme in operation["security"]} == {
            "ApiKeyHeader",
            "ApiKeyBearer",
        }, (method, path)
        assert {"401", "422", "503"} <= set(operation["responses"]), (method, path)


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
def test_the_description_is_open(world: World, path: str) -> None:
    assert world.caller(world.app, key=None).get(path).status_code == 200


@pytest.mark.parametrize(
    ("model", "example"),
    [
        (sites.SitesAnswer, sites.SITES_EXAMPLE),
        (quantities.QuantitiesAnswer, quantities.QUANTITIES_EXAMPLE),
        (devices.DevicesAnswer, devices.DEVICES_EXAMPLE),
        (devices.NewDevice, devices.NEW_DEVICE_EXAMPLE),
        (devices.DeviceChange, devices.DEVICE_CHANGE_EXAMPLE),
        (assignments.AssignmentsAnswer, assignments.ASSIGNMENTS_EXAMPLE),
        (assignments.AssignmentAnswer, assignments.ENDED_EXAMPLE),
        (assignments.NewAssignment, assignments.NEW_ASSIGNMENT_EXAMPLE),
        (assignments.AssignmentEnd, assignments.ASSIGNMENT_END_EXAMPLE),
        (devices.LatestAnswer, devices.LATEST_EXAMPLE),
        (readings.RawReadings, readings.RAW_EXAMPLE),
        (readings.WindowReadings, readings.WINDOWS_EXAMPLE),
        (plots.PlotReadings, plots.PLOT_EXAMPLE),
        (several.SeveralReadings, several.SEVERAL_EXAMPLE),
        (completeness.CompletenessAnswer, completeness.COMPLETENESS_EXAMPLE),
        (dead_letters.DeadLettersAnswer, dead_letters.DEAD_LETTERS_EXAMPLE),
        (dead_letters.DeadLetterDetail, dead_letters.DEAD_LETTER_DETAIL_EXAMPLE),
        (dead_letters.DeadLetterSummary, dead_letters.SUMMARY_EXAMPLE),
        (dead_letters.ReplayOrder, dead_letters.REPLAY_ORDER_EXAMPLE),
        (dead_letters.ReplayOrderAnswer, dead_letters.REPLAY_ORDER_ANSWER_EXAMPLE),
        (dead_letters.ReplayOrderAnswer, dead_letters.DRY_RUN_EXAMPLE),
        (letter_requests.ReplaysOrder, letter_requests.REPLAYS_ORDER_EXAMPLE),
        (letter_requests.DiscardsOrder, letter_requests.DISCARDS_ORDER_EXAMPLE),
        (letter_requests.LetterRequestAnswer, letter_requests.REQUEST_EXAMPLE),
        (letter_requests.LetterRequestAnswer, letter_requests.DISCARD_EXAMPLE),
        (letter_requests.LetterRequestsAnswer, letter_requests.REQUESTS_EXAMPLE),
        (letter_requests.LetterRequestsAnswer, letter_requests.DISCARDS_EXAMPLE),
        (letter_requests.LetterRequestsAnswer, letter_requests.DISCARDS_DRY_RUN_EXAMPLE),
        (alerts.AlertsAnswer, alerts.ALERTS_EXAMPLE),
        (alerts.AlertHistory, alerts.HISTORY_EXAMPLE),
        (alerts.AlertNotices, alerts.NOTICES_EXAMPLE),
        (alerts.LateValuesAnswer, alerts.LATE_EXAMPLE),
        (alerts.AcknowledgeOrder, alerts.ACKNOWLEDGE_EXAMPLE),
        (alerts.SilenceOrder, alerts.SILENCE_ORDER_EXAMPLE),
        (alert_explain.AlertExplanation, alert_explain.EXPLANATION_EXAMPLE),
        (alert_statistics.AlertStatisticsAnswer, alert_statistics.STATISTICS_EXAMPLE),
        (alert_channels.ChannelsAnswer, alert_channels.CHANNELS_EXAMPLE),
        (alert_channels.TestOrdered, alert_channels.TEST_EXAMPLE),
        (silences.SilencesAnswer, silences.SILENCES_EXAMPLE),
        (silences.NewSilence, silences.NEW_SILENCE_EXAMPLE),
        (alert_rules.RulesAnswer, alert_rules.RULES_EXAMPLE),
        (alert_rules.RuleVersionsAnswer, alert_rules.VERSIONS_EXAMPLE),
        (alert_rules.RuleOrder, alert_rules.RULE_ORDER_EXAMPLE),
        (alert_rules.ReasonOrder, alert_rules.REASON_EXAMPLE),
        (alert_rules.OverrideOrder, alert_rules.OVERRIDE_EXAMPLE),
        (alert_rules.RuleCheck, alert_rules.CHECK_EXAMPLE),
        (exports.JobOrder, exports.JOB_ORDER_EXAMPLE),
        (exports.JobAnswer, exports.JOB_EXAMPLE),
        (exports.JobsAnswer, exports.JOBS_EXAMPLE),
        (snapshots.SnapshotOrder, snapshots.SNAPSHOT_ORDER_EXAMPLE),
        (snapshots.Snapshot, snapshots.SNAPSHOT_EXAMPLE),
        (snapshots.SnapshotsAnswer, snapshots.SNAPSHOTS_EXAMPLE),
        (snapshots.Verification, snapshots.VERIFICATION_EXAMPLE),
        (health.ReadyAnswer, health.READY_EXAMPLE),
        (health.ReadyAnswer, health.NOT_READY_EXAMPLE),
    ],
)
def test_the_examples_are_true_to_the_schemas(model: type[Schema], example: dict[str, Any]) -> None:
    model.model_validate(example)


def test_what_is_deprecated_says_so_in_every_answer_and_names_its_successor(world: World) -> None:
    paths = world.app.openapi()["paths"]
    deprecated = [
        (method, path)
        for method, path, operation in operations(world)
        if operation.get("deprecated")
    ]
    assert deprecated
    bodies = {"/v1/dead-letters/replay": {"filter": {}, "dry_run": True}}
    for method, path in deprecated:
        section = DOCS.split(f"`{method} {path}`", 1)[0]
        assert "Deprecated since" in section.rsplit("\n", 1)[-1], path
        if path in bodies:
            answer = world.client.post(path, bodies[path])
            assert answer.headers["Deprecation"].startswith("@")
            successor = answer.headers["Link"].partition(">")[0].removeprefix("<")
            assert successor in paths
            assert 'rel="successor-version"' in answer.headers["Link"]
