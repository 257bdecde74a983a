"""`passerelle alerts` beside a running API, with alerts that real rules raised on stored values."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.exports.client import ApiError
from cli.main import program
from core.clock import NS_PER_S
from core.errors import ConfigurationError, PasserelleError
from core.reading import Reading
from devices.registry.alert_records import AttemptOutcome, RuleState
from devices.registry.notices import NoticeFilter
from storage.backends.memory import MemoryStore
from tests.support.exports import DEVICES, MINUTES, T0_NS, Served, fill, served
from tests.support.judged import HOT, SILENT, Judged

BRAILLE = {chr(code) for code in range(0x2801, 0x2900)}
DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
MINUTE_NS = 60 * NS_PER_S
POLICY = """\
channels:
  lamp: {mqtt: "lamps/{site}"}
default: {channels: [lamp]}
"""
STEERING = "[bold]look[/bold] \x1b[2J"
Run = Callable[..., Result]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, MemoryStore()) as opened:
        fill(opened)
        yield opened


@pytest.fixture
def judged(place: Served) -> Judged:
    """A room that is too hot since 01:00, and two devices that say nothing since 08:20."""
    made = Judged(place.registry, place.clock)
    made.rule()
    made.rule(SILENT)
    readings = [
        Reading(
            "elgazala", DEVICES[0], "air_temperature", T0_NS + minute * MINUTE_NS + 1,
            20 + minute / 7,
        )
        for minute in range(MINUTES)
    ]  # fmt: skip
    made.judge(readings, since_ns=T0_NS)
    return made


@pytest.fixture
def run(place: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: object, columns: int = 220) -> Result:
        environment = {
            "PASSERELLE_URL": place.url,
            "PASSERELLE_KEY": place.key,
            "PASSERELLE_DATA_DIR": str(place.directory),
            "COLUMNS": str(columns),
        }
        return CliRunner().invoke(program(), ["alerts", *map(str, arguments)], env=environment)

    return run_command


def shown(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


def asked(result: Result) -> Any:
    return json.loads(shown(result))


def refused(result: Result) -> str:
    assert isinstance(result.exception, PasserelleError), result.output
    return result.exception.detail


def test_open_alerts_are_listed_the_gravest_first(run: Run, judged: Judged) -> None:
    text = shown(run("list"))
    lines = [line for line in text.splitlines() if "elgazala" in line]
    assert ["▲ critical" in lines[0], "◆ warning" in lines[1]] == [True, True]
    hot = judged.alert("server-room-hot")
    for part in (
        "Server room too hot",
        f"elgazala/{DEVICES[0]}",
        "28.4286 Cel",
        "firing",
        hot.id[:12],
    ):
        assert part in lines[0]
    assert "2026-11-23 01:59:00+01:00" in lines[0]
    assert "3 open alerts" in text


def test_in_a_narrow_terminal_an_alert_has_two_lines_and_loses_nothing(
    run: Run, judged: Judged
) -> None:
    text = shown(run("list", columns=80))
    assert max(map(len, text.splitlines())) <= 80
    cells = "".join(line.split("│")[2].strip() for line in text.splitlines() if "│" in line)
    assert f"Server room too hotelgazala/{DEVICES[0]}" in cells
    for part in ("28.4286 Cel", "11-23 01:59:00+01:00", judged.alert("server-room-hot").id[:12]):
        assert part in text


def test_alerts_are_chosen_by_what_they_are(run: Run, judged: Judged) -> None:
    assert {one["id"] for one in asked(run("list", "--rule", "server-room-hot", "--json"))} == {
        judged.alert("server-room-hot").id
    }
    assert len(asked(run("list", "--class", "no_data", "--json"))) == 2
    assert len(asked(run("list", "--device", DEVICES[1], "--json"))) == 1
    assert asked(run("list", "--severity", "info", "--json")) == []
    assert len(asked(run("list", "--state", "all", "--json"))) == 3
    assert "0 resolved alerts" in shown(run("list", "--state", "resolved"))
    assert "1 alert; there are more: --limit" in shown(run("list", "--state", "all", "--limit", 1))


def test_the_beginning_of_an_id_is_enough_where_it_is_one_alerts(run: Run, judged: Judged) -> None:
    hot = judged.alert("server-room-hot")
    assert hot.id in shown(run("show", hot.id[:12]))
    shown(run("ack", hot.id[:8], "--note", "mine"))
    assert judged.alert("server-room-hot").acknowledged_note == "mine"
    assert "there is no alert" in refused(run("show", "zzz"))
    for number in range(16):  # one more than there are digits: two ids begin alike
        judged.rule(HOT.replace("server-room-hot", f"hot-{number}"))
    reading = Reading("elgazala", DEVICES[0], "air_temperature", T0_NS, 30.0)
    judged.judge([reading], since_ns=T0_NS - 1)
    ids = [one["id"] for one in asked(run("list", "--class", "measured", "--json"))]
    digit = next(one[0] for one in ids if sum(it[0] == one[0] for it in ids) > 1)
    assert "alerts begin with" in refused(run("show", digit))


def test_an_alarm_of_the_platform_itself_is_shown(run: Run, judged: Judged) -> None:
    facts = {"channel": "siren", "error": "refused"}
    judged.lifecycle.platform("channel_down", "siren", active=True, facts=facts)
    down = judged.alert("platform.channel_down")
    assert re.search(r"▲ critical .* platform/siren ", shown(run("list")))
    assert re.search(r"error +refused", shown(run("explain", down.id)))


def test_one_alert_says_who_was_told_and_with_what_outcome(run: Run, judged: Judged) -> None:
    hot = judged.alert("server-room-hot")
    for notice in judged.notices(hot):
        outcome = AttemptOutcome.REFUSED if notice.channel == "siren" else AttemptOutcome.DELIVERED
        judged.attempted(notice, outcome, f"{notice.channel} answers")
    text = shown(run("show", hot.id))
    assert "Look at the cooling unit; call facilities." in text
    assert re.search(r"ward-mail .* firing .* delivered .* 1 .* ward-mail answers", text)
    assert re.search(r"siren .* firing .* failed .* 1 .* siren answers", text)
    assert len(asked(run("show", hot.id, "--json"))["notices"]) == 2


def test_an_alert_is_explained_with_a_chart_and_the_limits(run: Run, judged: Judged) -> None:
    hot = judged.alert("server-room-hot")
    text = shown(run("explain", hot.id))
    assert "air temperature above 28 °C, until it is back inside by 1 °C" in text
    assert BRAILLE & set(text)
    assert "limits air_temperature above 28 Cel, air_temperature clear above 27 Cel" in text
    assert re.search(r"^fired  ·+█+$", text, re.MULTILINE)
    assert re.search(rf"2026-11-23 01:59:00\+01:00 .* {DEVICES[0]} .* 28.4286 Cel", text)
    assert not BRAILLE & set(shown(run("explain", hot.id, "--no-plot")))
    assert "au-dessus de 28 °C" in shown(run("explain", hot.id, "--language", "fr"))
    silent = judged.alert("silent", DEVICES[1])
    assert "nothing received for 1 h" in shown(run("explain", silent.id))


def test_an_alert_is_taken_on_and_given_back(run: Run, judged: Judged) -> None:
    hot = judged.alert("server-room-hot")
    assert "acknowledged by exports" in shown(run("ack", hot.id, "--note", "on my way"))
    assert "acknowledged, by exports" in shown(run("list"))
    assert "on my way" in shown(run("history", hot.id))
    assert "looks after alert" in refused(run("ack", hot.id))
    assert "firing" in shown(run("unack", hot.id))
    kinds = [event["kind"] for event in asked(run("history", hot.id, "--json"))]
    assert kinds[-2:] == ["acknowledged", "unacknowledged"]
    assert "there is no alert" in refused(run("show", "nobody"))


def test_an_alert_is_silenced_and_the_silence_ended(run: Run, judged: Judged) -> None:
    hot = judged.alert("server-room-hot")
    silence = asked(run("silence", hot.id, "--for", "2h", "--reason", "being serviced", "--json"))
    assert silence["match"]["rule"] == ["server-room-hot"]
    listed = shown(run("silences"))
    assert "being serviced" in listed
    assert f"rule server-room-hot; site elgazala; device {DEVICES[0]}" in listed
    assert "1 silence" in listed
    assert f"silence {silence['id']} ended" in shown(run("silences", "end", silence["id"]))
    assert asked(run("silences", "list", "--json")) == []
    assert "30m" in refused(run("silence", hot.id, "--for", "soon", "--reason", "why not"))


def test_silences_and_maintenance_fit_all_that_is_given(run: Run, place: Served) -> None:
    made = asked(
        run("silences", "add", "--site", "elgazala", "--device", "elg-env-*", "--device", "x",
            "--until", "now+1d", "--reason", "known", "--json")
    )  # fmt: skip
    assert made["match"]["device"] == ["elg-env-*", "x"]
    text = shown(
        run("maintenance", "add", "--site", "elgazala", "--zone", "A-*",
            "--from", "2026-11-25T07:00:00Z", "--for", "90m", "--reason", "the wiring")
    )  # fmt: skip
    assert "2026-11-25 07:00:00+00:00 to 2026-11-25 08:30:00+00:00" in text
    [window] = [one for one in place.registry.silences.list() if one.kind == "maintenance"]
    assert window.end_ns - window.start_ns == 90 * MINUTE_NS
    nothing = run("silences", "add", "--for", "1h", "--reason", "all of it")
    assert isinstance(nothing.exception, ConfigurationError)
    both = run("silences", "add", "--rule", "*", "--reason", "r")
    assert "one of --for and --until" in refused(both)


def test_rules_are_kept_version_by_version(run: Run, place: Served, tmp_path: Path) -> None:
    file = tmp_path / "hot.yaml"
    file.write_text(HOT)
    assert "server-room-hot 1: active" in shown(run("rules", "put", file, "--reason", "first"))
    file.write_text(HOT.replace("28 Cel", "29 Cel"))
    second = run("rules", "put", file, "--reason", "runs warmer", "--expected", 1, "--disabled")
    assert "server-room-hot 2: disabled" in shown(second)
    stale = run("rules", "put", file, "--reason", "again", "--expected", 1)
    assert isinstance(stale.exception, ApiError)
    listed = shown(run("rules", "list"))
    assert re.search(r"server-room-hot .* critical .* disabled .* 2 .* runs warmer", listed)
    assert "above 29 °C" in shown(run("rules", "show", "server-room-hot"))
    difference = shown(run("rules", "diff", "server-room-hot", 1, 2))
    assert "-when: {threshold: {quantity: air_temperature, above: 28 Cel" in difference
    assert "+when: {threshold: {quantity: air_temperature, above: 29 Cel" in difference
    assert "has no version 9" in refused(run("rules", "diff", "server-room-hot", 1, 9))
    enabled = shown(run("rules", "enable", "server-room-hot", "--reason", "the fans are in"))
    assert "server-room-hot 3: active" in enabled
    assert "4: disabled" in shown(run("rules", "disable", "server-room-hot", "--reason", "winter"))
    reasons = [one["reason"] for one in asked(run("rules", "history", "server-room-hot", "--json"))]
    assert reasons == ["winter", "the fans are in", "runs warmer", "first"]
    assert "is deleted" in shown(run("rules", "delete", "server-room-hot", "--reason", "gone"))
    assert place.registry.rules.get("server-room-hot").state == RuleState.DELETED
    assert "0 rules" in shown(run("rules", "list"))


def test_a_rule_that_is_wrong_is_not_sent_and_its_place_is_said(
    run: Run, place: Served, tmp_path: Path
) -> None:
    file = tmp_path / "hot.yaml"
    file.write_text(HOT.replace("above", "abov"))
    result = run("rules", "put", file, "--reason", "a mistake")
    assert result.exit_code == 1
    assert "hot.yaml:5: when.threshold.abov: unknown key" in result.stderr
    assert place.registry.rules.newest() == []


def test_statistics_say_how_many_of_what_and_how_soon(
    run: Run, judged: Judged, place: Served
) -> None:
    hot = judged.alert("server-room-hot")
    place.clock.advance(90)
    shown(run("ack", hot.id))
    text = shown(run("stats", "--from", "2026-11-23"))
    assert re.search(r"alarms +3 \(", text)
    assert "half within 1 min 30 s" in text
    assert "1 of 2 subjects make 67%" in text
    assert re.search(r"silent .* 2 .* 67%", text)
    assert asked(run("stats", "--from", "2026-11-23", "--json"))["alarms"] == 3


def test_values_that_came_too_late_are_listed(run: Run, judged: Judged, place: Served) -> None:
    assert "0 late values" in shown(run("late"))
    times = (T0_NS + 300 * MINUTE_NS, T0_NS + 10 * MINUTE_NS)
    readings = [Reading("elgazala", DEVICES[0], "air_temperature", at, 21.5) for at in times]
    judged.judge(readings, since_ns=T0_NS)
    text = shown(run("late", "--rule", "server-room-hot"))
    assert re.search(rf"01:10:00\+01:00 .* elgazala/{DEVICES[0]} .* 21.5 Cel", text)
    assert "1 late value" in text
    assert place.registry.alerts.late(limit=5)


def test_channels_are_listed_and_tried(run: Run, place: Served) -> None:
    assert re.search(
        r"mqtt .* passerelle/v1/\{site\}/alerts .* not tried yet", shown(run("channels"))
    )
    assert "ordered" in shown(run("test-channel", "mqtt"))
    [notice] = place.registry.notices.list(NoticeFilter(channel="mqtt"), limit=10)
    assert notice.occasion == "test"
    attempt = place.registry.notices.begin(notice.id, place.clock.now_ns())
    place.registry.notices.finish(
        attempt, AttemptOutcome.REFUSED, detail="not authorised", next_ns=None,
        now_ns=place.clock.now_ns(),
    )  # fmt: skip
    down = run("channels")
    assert down.exit_code == 1
    assert re.search(r"mqtt .* down .* not authorised", down.stdout)
    assert "there is no channel 'pigeon'" in refused(run("test-channel", "pigeon"))


def test_a_policy_is_checked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    text = shown(run("policy", "check", file))
    assert "channel lamp: mqtt" in text
    assert "route default: lamp" in text
    file.write_text(POLICY.replace("[lamp]", "[lampe]"))
    result = run("policy", "check", file)
    assert result.exit_code == 1
    assert re.match(rf"{file}:3: default\.channels", result.stderr)


def test_open_alerts_are_watched_line_by_line(run: Run, judged: Judged) -> None:
    lines = shown(run("watch", "--seconds", 0)).splitlines()
    assert len(lines) == 3
    assert any("critical  firing  Server room too hot" in line for line in lines)
    found = [
        json.loads(line) for line in shown(run("watch", "--seconds", 0, "--json")).splitlines()
    ]
    assert judged.alert("server-room-hot").id in {one["id"] for one in found}


def test_what_people_wrote_is_shown_and_never_obeyed(run: Run, judged: Judged) -> None:
    hot = judged.alert("server-room-hot")
    shown(run("ack", hot.id, "--note", STEERING))
    for command in (("show", hot.id), ("history", hot.id), ("explain", hot.id), ("list",)):
        assert "\x1b" not in shown(run(*command))
    assert "[bold]look[/bold]" in shown(run("show", hot.id))


def test_the_commands_of_the_manual_work_as_they_stand(
    run: Run, judged: Judged, tmp_path: Path
) -> None:
    text = DOCS.read_text(encoding="utf-8")
    section = text.partition("## Working with alerts")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.strip()]
    assert len(commands) > 10
    (tmp_path / "server-room.yaml").write_text(HOT.replace("28 Cel", "29 Cel"))
    (tmp_path / "policy.yaml").write_text(POLICY)
    silence = ""
    for line in commands:
        words = shlex.split(line, comments=True)
        assert words[:2] == ["passerelle", "alerts"], line
        known = {"ALERT": judged.alert("server-room-hot").id, "SILENCE": silence}
        arguments = [known.get(word, word) for word in words[2:]]
        if words[2] == "watch":
            arguments += ["--seconds", "0"]
        result = run(*arguments)
        assert result.exit_code == 0, (line, result.output, result.exception)
        made = re.match(r"silence (\w+) until", result.stdout)
        silence = made.group(1) if made else silence
