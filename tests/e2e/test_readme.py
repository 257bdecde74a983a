"""The README's commands, run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.programs import ROOT

PORT = "8000"


def commands() -> list[str]:
    """Every command line of the README's shell blocks."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_two_commands_are_make_run_and_make_test() -> None:
    assert commands()[:2] == ["make run", "make test"]


def test_ci_runs_the_readmes_own_test_command() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_other_command_works_beside_make_run(tmp_path: Path) -> None:
    port, mqtt_port = free_port(), free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "PASSERELLE_DATA_DIR": str(tmp_path / ".data"),
        "PASSERELLE_MQTT__URL": f"mqtt://127.0.0.1:{mqtt_port}",
        "PASSERELLE_CONFIG": "/nonexistent",
        "PASSERELLE_URL": f"http://127.0.0.1:{port}",
    }
    for name in (".venv", "alerts"):
        (tmp_path / name).symlink_to(ROOT / name)
    log = tmp_path / "run.log"
    with log.open("wb") as sink:
        run = subprocess.Popen(
            ["make", "run", f"ARGS=--port {port} --mqtt-port {mqtt_port}"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "ready in" in log.read_text(), what="make run is ready", seconds=60)
        wait_until(
            lambda: " stored " in log.read_text().partition("received")[2],
            what="the first summary",
            seconds=60,
        )
        for command in commands()[2:]:
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command.replace(PORT, str(port))],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            assert '"status":4' not in done.stdout, f"{command}\n{done.stdout}"
            if command.startswith("curl") and "readings" in command and "co2" not in command:
                assert '"value":' in done.stdout, f"{command}\n{done.stdout}"
            if command.endswith('latest"'):
                assert "21.5" in done.stdout
    finally:
        os.killpg(run.pid, 2)
        run.wait(timeout=60)
    assert "stopped;" in log.read_text()
