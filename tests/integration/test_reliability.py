"""The fault suite finds what it looks for: a sound run is sound, and every kind of loss is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from core.clock import iso
from tests.reliability.__main__ import main
from tests.reliability.alarms.fault import AlarmFault, Scene
from tests.reliability.alarms.faults import ALARM_FAULTS
from tests.reliability.alarms.outcome import AlarmOutcome
from tests.reliability.alarms.run import run_on
from tests.reliability.alarms.sizes import SHORT as ALARMS_SHORT
from tests.reliability.alarms.truth import Alarm, Value, alarms
from tests.reliability.fault import Fault
from tests.reliability.faults import FAULTS
from tests.reliability.judge import judge
from tests.reliability.messages import CATEGORY, QUANTITY, SITE, Message, name_of
from tests.reliability.outcome import Outcome, Report, markdown
from tests.reliability.rig import Rig, ended
from tests.reliability.run import run_fault
from tests.reliability.scale import SHORT
from tests.servers.influxdb2 import InfluxDB2

pytestmark = [pytest.mark.mosquitto, pytest.mark.influxdb, pytest.mark.slow]


def nothing_happens(rig: Rig) -> None:
    rig.running()
    with rig.traffic():
        pass
    rig.mended()
    rig.settle()


def hasty(rig: Rig) -> None:
    """Kill a worker that acknowledges early between its acknowledgement and its commit."""
    doomed = rig.worker(
        faulty=True,
        PASSERELLE_TEST_ACKNOWLEDGE_EARLY="true",
        PASSERELLE_TEST_CRASH_AT="judged:3",
    )
    rig.start(doomed)
    with rig.traffic():
        rig.until(lambda: ended(doomed), what="the worker dies")
        rig.mended()
        rig.running()
    rig.settle(seconds=5)


CALM = Fault(name="calm", title="nothing happens", act=nothing_happens)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, influxdb2: InfluxDB2) -> Iterator[Rig]:
    """A run in which nothing went wrong, before it is judged."""
    directory = tmp_path_factory.mktemp("calm")
    with Rig(fault=CALM, scale=SHORT, directory=directory, store=influxdb2) as rig:
        nothing_happens(rig)
        rig.finish()
        yield rig


def write(rig: Rig, message: Message, value: float) -> None:
    line = f"{CATEGORY},device={name_of(message.device)},site={SITE} {QUANTITY}={value} "
    _ask(rig, "write", params={"bucket": rig.bucket}, content=line + str(message.time_ns))


def delete(rig: Rig, message: Message) -> None:
    _ask(
        rig, "delete", params={"bucket": rig.bucket},
        json={
            "start": iso(message.time_ns), "stop": iso(message.time_ns + 1),
            "predicate": f'_measurement="{CATEGORY}" AND device="{name_of(message.device)}"',
        },
    )  # fmt: skip


def ledger(rig: Rig, change: str) -> None:
    (path,) = rig.spools()
    spool = sqlite3.connect(path)
    with spool:
        spool.execute(f"UPDATE ledger SET {change} WHERE device = '{name_of(0)}'")  # noqa: S608
    spool.close()


def test_a_run_in_which_nothing_happens_is_sound(calm: Rig) -> None:
    outcome = judge(calm)
    assert outcome.kept, outcome.problems
    assert (outcome.sent, outcome.stored, outcome.lost) == (SHORT.messages, SHORT.messages, 0)


def test_a_row_taken_out_of_the_store_is_a_message_lost(calm: Rig) -> None:
    message = calm.messages[7]
    delete(calm, message)
    outcome = judge(calm)
    write(calm, message, message.value)
    assert outcome.lost == 1
    assert f"{name_of(message.device)} {message.seq}" in outcome.problems[0]
    assert judge(calm).kept


def test_a_value_that_is_not_what_was_sent_is_a_message_lost(calm: Rig) -> None:
    message = calm.messages[7]
    write(calm, message, message.value + 1)
    outcome = judge(calm)
    write(calm, message, message.value)
    assert outcome.lost == 1
    assert any("is stored as" in problem for problem in outcome.problems)


def test_a_row_that_nobody_sent_is_told(calm: Rig) -> None:
    stranger = Message(0, 999_999, calm.messages[0].time_ns + 1)
    write(calm, stranger, 20.0)
    outcome = judge(calm)
    delete(calm, stranger)
    assert outcome.lost == 0
    assert any("nobody sent" in problem for problem in outcome.problems)


@pytest.mark.parametrize(
    ("change", "back", "told"),
    [
        (
            "received = received + 1, stored = stored + 1",
            "received = received - 1, stored = stored - 1",
            "the registry tells",
        ),
        ("missing = missing + 1", "missing = missing - 1", "never delivered 0"),
        (
            "stored = stored - 1, pending = pending + 1",
            "stored = stored + 1, pending = pending - 1",
            "still pending",
        ),
    ],
)
def test_a_ledger_that_was_changed_is_told(calm: Rig, change: str, back: str, told: str) -> None:
    ledger(calm, change)
    outcome = judge(calm)
    ledger(calm, back)
    assert any(told in problem for problem in outcome.problems), outcome.problems


def test_a_worker_that_acknowledges_before_it_commits_loses_messages(
    tmp_path: Path, influxdb2: InfluxDB2
) -> None:
    fault = Fault(name="hasty", title="acknowledges early, SIGKILL", act=hasty)
    outcome = run_fault(fault, scale=SHORT, directory=tmp_path, store=influxdb2)
    assert outcome.lost > 0
    assert not outcome.kept


def test_a_fault_that_cannot_be_brought_to_its_end_is_a_problem(
    tmp_path: Path, influxdb2: InfluxDB2
) -> None:
    def fail(rig: Rig) -> None:
        nothing_happens(rig)
        raise RuntimeError("the disk is not there")

    fault = Fault(name="failing", title="fails", act=fail)
    outcome = run_fault(fault, scale=SHORT, directory=tmp_path, store=influxdb2)
    assert not outcome.kept
    assert "the disk is not there" in outcome.problems[0]


def test_a_report_with_one_message_lost_is_not_kept(calm: Rig) -> None:
    good = judge(calm)
    values = {name: getattr(good, name) for name in good.__struct_fields__} | {"lost": 1}
    report = Report(
        began="now", machine="here", scale="short", seconds=1.0, outcomes=(good, Outcome(**values))
    )
    assert not report.kept
    assert "**1 lost**" in markdown(report)


def test_faults_are_named_once_and_an_unknown_one_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = [fault.name for fault in FAULTS] + [fault.name for fault in ALARM_FAULTS]
    assert len(names) == len(set(names))
    assert main(["--faults", "moonstorm"]) == 2
    assert "moonstorm" in capsys.readouterr().err


def _ask(rig: Rig, what: str, *, params: dict[str, str], **body: object) -> None:
    headers = {"Authorization": f"Token {rig.store.token}"}
    with httpx.Client(base_url=rig.store.url, headers=headers, timeout=30) as client:
        post: Callable[..., httpx.Response] = client.post
        post(f"/api/v2/{what}", params=params | {"org": rig.store.org}, **body).raise_for_status()


def test_an_alarm_is_told_once_after_the_process_that_judges_was_killed(
    tmp_path: Path, influxdb2: InfluxDB2
) -> None:
    outcome = alarms_under(DIES, directory=tmp_path, store=influxdb2)
    assert outcome.kept, outcome.problems
    assert (outcome.due, outcome.found, outcome.told, outcome.lost) == (3, 3, 3, 0)


def test_alerting_that_drops_a_notice_loses_alarms(tmp_path: Path, influxdb2: InfluxDB2) -> None:
    outcome = alarms_under(HAPPENS, directory=tmp_path, store=influxdb2, defect="drop")
    assert (outcome.found, outcome.told, outcome.lost) == (3, 0, 3)
    assert not outcome.kept


def test_alerting_that_tells_before_it_writes_down_that_it_will_is_seen(
    tmp_path: Path, influxdb2: InfluxDB2
) -> None:
    outcome = alarms_under(HAPPENS, directory=tmp_path, store=influxdb2, defect="hasty")
    assert any("told before it was promised" in problem for problem in outcome.problems)
    assert not outcome.kept


def test_what_is_due_is_seen_in_the_values_alone() -> None:
    values = [Value("a", 3, 20), Value("a", 1, 35), Value("a", 2, 36), Value("b", 5, 35)]
    assert alarms(values) == [Alarm("a", 1, 3), Alarm("b", 5)]


def alarms_under(
    fault: AlarmFault, *, directory: Path, store: InfluxDB2, defect: str = ""
) -> AlarmOutcome:
    """Run one fault of alerting."""
    (own := directory / "rig").mkdir()
    (outcome,) = run_on(
        [fault], sizes=ALARMS_SHORT, directory=own, store=store, defect=defect,
        seconds=20 if defect else 90,
    )  # fmt: skip
    return outcome


def _it_gets_hot(scene: Scene) -> None:
    scene.rig.heat(scene.devices)


HAPPENS = AlarmFault(name="calm", title="nothing but alarms happens", act=_it_gets_hot)
DIES = next(one for one in ALARM_FAULTS if one.name == "alarms-judged")
