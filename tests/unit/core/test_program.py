"""How a program ends: by a signal, by a setting, by what is away, by a thread that died."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import sys, threading
from core.errors import ConfigurationError, StoreUnavailableError
from core.program import run_program

def run(settings, stopping):
    {body}

sys.exit(run_program("tested", run))
"""


def started(directory: Path, body: str, **environment: str) -> subprocess.Popen[str]:
    """Start a program that does this, in a directory of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(body=body)],
        cwd=directory,
        env={"PATH": "", "PYTHONPATH": str(Path(__file__).parents[3])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for its end; return the code, and what it printed."""
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well(tmp_path: Path, number: signal.Signals) -> None:
    process = started(tmp_path, "print('runs', flush=True); stopping.wait()")
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.send_signal(number)
    assert ended(process) == (0, "", "")


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ("raise ConfigurationError('that port is none')", 2, "passerelle: that port is none\n"),
        ("raise StoreUnavailableError('it is away')", 1, "passerelle: it is away\n"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_a_code(
    tmp_path: Path, body: str, code: int, sentence: str
) -> None:
    assert ended(started(tmp_path, body)) == (code, "", sentence)


def test_a_setting_that_is_none_is_said_before_anything_is_done(tmp_path: Path) -> None:
    process = started(tmp_path, "print('runs')", PASSERELLE_STORE__BATCH_POINTS="0")
    code, out, errors = ended(process)
    assert (code, out) == (2, "")
    assert "batch_points" in errors
    assert "Traceback" not in errors


def test_a_thread_that_dies_ends_it_and_the_log_says_so_once(tmp_path: Path) -> None:
    process = started(
        tmp_path,
        "threading.Thread(target=lambda: 1 / 0, name='judge').start(); stopping.wait()",
        PASSERELLE_LOGGING__FORMAT="json",
    )
    code, out, errors = ended(process)
    assert code == 1
    assert (out + errors).count("thread_died") == 1
    assert '"judge"' in out + errors
    assert "ZeroDivisionError" in out + errors


def test_a_signal_that_another_thread_was_given_ends_it_too(tmp_path: Path) -> None:
    body = """
        import signal, threading, time
        from core.waiting import until_set

        def take():
            while not stopping.is_set():
                time.sleep(0.1)
                signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
                time.sleep(60)

        threading.Thread(target=take, daemon=True).start()
        until_set(stopping)
        print("ended", flush=True)
    """
    code, out, _ = ended(started(tmp_path, body))
    assert (code, out.split()[-1]) == (0, "ended")
