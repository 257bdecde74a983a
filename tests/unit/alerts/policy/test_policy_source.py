"""The policy file: what it means, what is wrong in it and where; every documented example loads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alerts.lifecycle.platform_rules import PLATFORM
from alerts.model import AlarmClass
from alerts.policy import load_policy, parse_policy
from alerts.policy.model import DEFAULT, GroupBy, Past
from core.clock import NS_PER_S
from core.errors import PolicyError
from devices.registry.alert_records import AlertEventKind, AlertState

TEXT = (Path(__file__).parents[4] / "docs" / "alerts-notify.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
CHANNELS = 'channels:\n  siren: {mqtt: "x/{site}"}\n  mail: {mqtt: "y/{site}"}\n'
LAST = "default: {channels: [mail]}\n"


@pytest.mark.parametrize("example", [one for one in EXAMPLES if "default:" in one])
def test_a_documented_policy_can_be_used(example: str) -> None:
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "json://localhost")
    policy = parse_policy(example, origin="docs/alerts-notify.md", environ=environ)
    assert policy.routes[-1].name == DEFAULT


@pytest.mark.parametrize(
    "name", [*AlertState, *AlertEventKind, *GroupBy, *Past, *PLATFORM], ids=str
)
def test_every_word_is_documented(name: str) -> None:
    assert f"`{name}`" in TEXT


def test_without_a_file_everything_goes_to_mqtt() -> None:
    policy = load_policy(None)
    assert [one.channels for one in policy.routes] == [("mqtt",)]
    assert policy.channels["mqtt"].masked == "passerelle/v1/{site}/alerts"


def test_what_is_not_said_has_sensible_values() -> None:
    route = parse_policy(CHANNELS + LAST, origin="p").routes[0]
    assert route.wait_ns(AlarmClass.NO_DATA.value) == 10 * NS_PER_S
    assert route.wait_ns(AlarmClass.MEASURED.value) == 0
    assert route.again_ns("critical") == 3600 * NS_PER_S
    assert route.again_ns("info") is None
    assert route.resolved
    assert route.past is Past.DIGEST


def test_the_first_route_that_fits_counts_and_further_ones_when_it_says_so() -> None:
    policy = parse_policy(
        CHANNELS
        + "routes:\n"
        + "  - {name: a, match: {site: elg*}, channels: [siren], continue: true}\n"
        + "  - {name: b, match: {labels: {ward: [x, y*]}}, channels: [mail]}\n"
        + "  - {name: c, match: {severity: critical}, channels: [mail]}\n"
        + LAST,
        origin="p",
    )

    def taken(**fields: str) -> list[str]:
        return [one.name for one in policy.routes_of(fields)]

    assert taken(site="elgazala") == ["a"]
    assert taken(site="elgazala", severity="critical", **{"label:ward": "yard"}) == ["a", "b"]
    assert taken(site="elgazala", severity="critical") == ["a", "c"]
    assert taken(site="diamniadio", severity="warning") == [DEFAULT]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("routes: []\n", "p:1: policy: channels is missing"),
        ("channels: {}\n" + LAST, "p:1: channels: there has to be a channel"),
        (CHANNELS, "p:1: policy: default is missing"),
        (CHANNELS + "default: {}\n", "p:4: default: channels is missing"),
        (CHANNELS + "default:\n  channels: [sirene]\n", "p:5: default.channels[0]: there is no"),
        (
            CHANNELS + "default: {channels: [mail], colour: red}\n",
            "p:4: default.colour: unknown key",
        ),
        (
            CHANNELS + LAST + "routes:\n  - name: a\n    match: {klass: x}\n    channels: []\n",
            "p:7: routes[0].match.klass: unknown key; did you mean class?",
        ),
        (
            CHANNELS + LAST + "routes:\n  - name: a\n    match:\n      severity: bad\n",
            "p:8: routes[0].match.severity: 'bad' is not known",
        ),
        (
            CHANNELS + LAST + "routes:\n  - {name: default, match: {}, channels: []}\n",
            "p:6: routes[0].name: default is what takes all the rest",
        ),
        (
            CHANNELS
            + LAST
            + "routes:\n  - {name: a, match: {}, channels: []}\n"
            + "  - {name: a, match: {}, channels: []}\n",
            "p:7: routes[1].name: there are two routes named a",
        ),
        (
            CHANNELS + "default:\n  channels: [mail]\n  repeat: 1s\n",
            "p:6: default.repeat: 1s is not between 10s and 400d",
        ),
        (
            CHANNELS + "default:\n  channels: [mail]\n  group_wait: 2d\n",
            "p:6: default.group_wait: at most 24h",
        ),
        (
            CHANNELS + "default:\n  channels: [mail]\n  escalate:\n"
            "    - {after: 10m, channels: [mail]}\n    - {after: 5m, channels: [mail]}\n",
            "p:8: default.escalate[1].after: each step comes later",
        ),
        (
            CHANNELS + LAST + "inhibit:\n  - {source: {}, target: {rule: a}}\n",
            "p:6: inhibit[0].source: say which alerts",
        ),
        (
            CHANNELS
            + LAST
            + "inhibit:\n  - {source: {rule: b}, target: {rule: a}, equal: [floor]}\n",
            "p:6: inhibit[0].equal[0]: 'floor' is not compared",
        ),
        ("channels: [\n", "p:2: it is not YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(source: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(source, origin="p")
    assert caught.value.detail.startswith(sentence), caught.value.detail


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="it cannot be read"):
        load_policy(tmp_path / "none.yaml")
