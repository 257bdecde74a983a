"""`passerelle dead-letters` beside a whole worker, and the commands of its manual as they stand."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from cli.dead_letters.follow import InterruptedByOperatorError, follow
from cli.main import program
from core.errors import ConfigurationError, PasserelleError
from core.reasons import Reason, what_to_do
from core.settings import load_settings
from devices.registry import LetterAction, LetterFilter
from tests.servers.waiting import wait_until
from tests.support.bench import Bench, message

DOCS = Path(__file__).parents[2] / "docs" / "dead-letters.md"
GOOD = {"air_temperature": 21.5}
NEWCOMER = "passerelle/v1/elgazala/newcomer/telemetry"
SENT = 10
Command = Callable[..., str]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A worker with three malformed messages, and ten of a device that it does not know."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSERELLE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "220")
    made = Bench(load_settings(registry={"refresh_s": 0.1}))
    made.start()
    for payload in (b"{", b"\x00\xff\xfe", b'{"v":'):
        made.publish(payload)
    for seq in range(SENT):
        made.publish(message(seq, GOOD), NEWCOMER)
    made.settle()
    wait_until(lambda: len(made.letters()) == SENT + 3, what="they are told")
    yield made
    made.stop()


@pytest.fixture
def command(bench: Bench) -> Command:
    assert bench.sent

    def run(*arguments: str, answer: str = "") -> str:
        done = CliRunner().invoke(program(), [*arguments], input=answer)
        if isinstance(done.exception, PasserelleError):
            raise done.exception
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.stdout

    return run


def registered(command: Command) -> None:
    command("devices", "add", "newcomer", "--site", "elgazala", "--profile", "passerelle")


def states(bench: Bench) -> dict[str, int]:
    counts: dict[str, int] = {}
    for (_, state), count in bench.registry.dead_letters.counts().items():
        counts[state] = counts.get(state, 0) + count
    return counts


def commands_of_the_manual() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_commands_of_the_manual_work_as_they_stand(
    bench: Bench, command: Command, tmp_path: Path
) -> None:
    shipped = Path(__file__).parents[2] / "devices" / "profiles" / "passerelle.yaml"
    (tmp_path / "my-profile.yaml").write_text(shipped.read_text("utf-8") + "\n")
    for line in commands_of_the_manual():
        program, *arguments = shlex.split(line)
        assert program == "passerelle"
        command(*arguments)
    assert states(bench) == {"replayed": SENT, "discarded": 3}
    assert bench.worker.settle(timeout_s=20)
    assert bench.worker.totals()["stored"] == SENT


@pytest.mark.parametrize("reason", list(Reason))
def test_the_manual_and_the_program_advise_the_same(reason: Reason) -> None:
    [row] = re.findall(
        rf"^\| `{reason.value}` \|.*\| (.*?) \|$", DOCS.read_text("utf-8"), re.MULTILINE
    )
    assert row == what_to_do(reason)


def test_they_are_listed_with_their_counts_by_reason(bench: Bench, command: Command) -> None:
    shown = command("dead-letters", "list", "--limit", "2")
    assert "10  unknown_device" in shown
    assert "3  malformed" in shown
    assert "13  open dead letters; the newest 2 are shown" in shown
    lines = command("dead-letters", "list", "--reason", "malformed", "--json").splitlines()
    rows = [msgspec.json.decode(line) for line in lines]
    assert [row["id"] for row in rows] == ["worker-1-3", "worker-1-2", "worker-1-1"]
    assert rows[2]["size"] == 1
    assert "0  open dead letters" in command("dead-letters", "list", "--since", "2030-01-01")
    assert "13  dead letters" in command("dead-letters", "list", "--state", "all")
    with pytest.raises(ConfigurationError, match="--since"):
        command("dead-letters", "list", "--since", "yesterday")
    assert states(bench) == {"open": SENT + 3}


def test_one_is_shown_with_what_decoding_it_now_would_give(command: Command) -> None:
    before = command("dead-letters", "show", "worker-1-4")
    assert '"air_temperature": 21.5' in before
    assert "`passerelle devices add`, then replay" in before
    assert "decoded now it would stay a dead letter (unknown_device)" in before
    registered(command)
    after = command("dead-letters", "show", "worker-1-4")
    assert "decoded now this would be stored:" in after
    assert "air_temperature" in after.partition("decoded now")[2]
    binary = command("dead-letters", "show", "worker-1-2")
    assert "00000000  00 ff fe" in binary
    assert "decoded now it would stay a dead letter (malformed)" in binary
    assert "00000000  7b" in command("dead-letters", "show", "worker-1-1", "--hex")
    with pytest.raises(PasserelleError, match="no dead letter 'worker-1-99'"):
        command("dead-letters", "show", "worker-1-99")


def test_an_export_holds_every_byte_and_ends_with_the_count(
    command: Command, tmp_path: Path
) -> None:
    lines = command("dead-letters", "export").splitlines()
    *rows, trailer = [msgspec.json.decode(line) for line in lines]
    payloads = {row["id"]: base64.b64decode(row["payload_base64"]) for row in rows}
    assert payloads["worker-1-2"] == b"\x00\xff\xfe"
    assert trailer["trailer"]["rows"] == len(rows) == SENT + 3
    assert trailer["trailer"]["payload_bytes"] == sum(map(len, payloads.values()))

    command("dead-letters", "export", "--reason", "malformed", "--directory", "raw")
    assert (tmp_path / "raw" / "malformed" / "worker-1-2.bin").read_bytes() == b"\x00\xff\xfe"
    index = (tmp_path / "raw" / "letters.jsonl").read_bytes().splitlines()
    assert len(index) == 4
    with pytest.raises(ConfigurationError, match="either"):
        command("dead-letters", "export", "--output", "x", "--directory", "y")


def test_a_replay_is_foretold_and_asked_before_it_is_made(bench: Bench, command: Command) -> None:
    registered(command)
    shown = command("dead-letters", "replay", "--scope", "message", answer="n\n")
    row = next(line for line in shown.splitlines() if "unknown_device" in line)
    assert re.findall(r"\d+", row) == ["10", "0", "0", "0"]
    assert states(bench) == {"open": SENT + 3}
    shown = command("dead-letters", "replay", answer="y\n")
    assert "13 looked at" in shown
    assert "3 stay, malformed:" in shown
    assert states(bench) == {"open": 3, "replayed": SENT}
    assert "no open dead letter matches" in command(
        "dead-letters", "replay", "--reason", "unknown_device", "--yes"
    )
    assert "done" in command("dead-letters", "requests")


def test_a_discard_is_counted_and_asked_before_it_is_made(bench: Bench, command: Command) -> None:
    arguments = ("dead-letters", "discard", "--reason", "malformed", "--why", "a test bench")
    assert "3  malformed" in command(*arguments, answer="n\n")
    command(*arguments, "--dry-run")
    assert states(bench) == {"open": SENT + 3}
    command(*arguments, answer="y\n")
    assert states(bench) == {"open": SENT, "discarded": 3}
    shown = command("dead-letters", "show", "worker-1-1")
    assert "a test bench" in shown
    assert "its payload (1 bytes) is not kept" in shown
    with pytest.raises(PasserelleError, match="is discarded; only an open one"):
        command("dead-letters", "replay", "worker-1-1", "--yes")
    with pytest.raises(ConfigurationError, match="--why"):
        command("dead-letters", "discard", "worker-1-4", "--why", " ", "--yes")


def test_ids_and_filters_are_not_mixed(command: Command) -> None:
    with pytest.raises(ConfigurationError, match="not two of them"):
        command("dead-letters", "replay", "worker-1-1", "--site", "elgazala", "--yes")


def test_a_worker_that_is_away_is_named_and_carries_it_out_later(
    bench: Bench, command: Command
) -> None:
    [status] = bench.registry.workers.list()
    bench.stop()
    again = Bench(load_settings(registry={"refresh_s": 0.1}), source=bench.source)
    silent = msgspec.structs.replace(status, seen_ns=status.seen_ns - 60 * 10**9)
    again.registry.workers.report(silent)
    with pytest.raises(PasserelleError, match="worker-1, which holds some of them, does not"):
        command("dead-letters", "replay", "--dry-run")
    registered(command)
    assert "carry it out" in command("dead-letters", "replay", "--yes", "--no-wait")
    again.start()
    wait_until(lambda: states(again).get("replayed") == SENT, what="it is carried out")
    again.worker.stop(drain_s=0.5)


def test_an_interrupted_replay_is_stopped_where_it_is_and_says_how_to_go_on(
    bench: Bench, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(command)
    dead_letters = bench.registry.dead_letters
    [asked] = dead_letters.request(
        LetterAction.REPLAY, requested_by="me", wanted=LetterFilter(), rate=2
    )
    read = dead_letters.get_request

    with monkeypatch.context() as patched:
        patched.setattr("cli.dead_letters.follow.require_workers", interrupted_by_operator)
        with pytest.raises(InterruptedByOperatorError, match=f"--resume {asked.id}"):
            follow(bench.registry, [asked])
    assert read(asked.id).paused
    command("dead-letters", "requests")
    dead_letters.pause(asked.id, paused=False)
    wait_until(lambda: read(asked.id).finished_ns, what="it is done", seconds=40)
    assert states(bench) == {"open": 3, "replayed": SENT}


def interrupted_by_operator(*_arguments: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt
