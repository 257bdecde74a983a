"""`passerelle up` as a person meets it: mistakes are one sentence, and Ctrl-C loses nothing."""

from __future__ import annotations

import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.site import Site


def refused(site: Site, *options: str) -> str:
    """Run `up`, which must refuse with one sentence and a code; return the sentence."""
    program = site.program("-m", "cli", "up", "--no-simulators", *options, log="refused")
    done = subprocess.run(
        program.command,
        env=program.environment,
        cwd=site.directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    [sentence] = done.stderr.strip().splitlines()
    assert sentence.startswith("passerelle: ")
    return sentence


def test_a_busy_port_is_one_sentence_that_names_the_option(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"port {port}" in refused(Site(tmp_path), "--port", port)
        assert "--port" in refused(Site(tmp_path), "--port", port)
        assert "--mqtt-port" in refused(Site(tmp_path), "--mqtt-port", port)


def test_a_directory_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    sentence = refused(Site(tmp_path), "--data-dir", str(tmp_path / "file" / "data"))
    assert "cannot be written" in sentence
    assert "--data-dir" in sentence


def test_a_second_up_on_the_same_directory_is_refused_and_the_first_goes_on(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)
    up = site.program(
        "-m", "cli", "up", "--no-simulators", "--mqtt-port", str(free_port()), log="up"
    )
    with up:
        wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
        assert up.process is not None
        sentence = refused(site, "--port", str(free_port()))
        assert f"process {up.process.pid}" in sentence
        with site.api() as api:
            assert api.get("/v1/sites")["sites"]


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_both_sites_answer_and_ctrl_c_leaves_nothing_pending(tmp_path: Path, broker: str) -> None:
    site = Site(tmp_path)
    with site.program(
        "-m", "cli", "up", "--broker", broker, "--mqtt-port", str(free_port()), log="up"
    ) as up:
        wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
        with site.api() as api:
            for place in ("elgazala", "diamniadio"):
                query = {"site": place, "quantities": "air_temperature"}
                answers = partial(api.get, "/v1/readings", **query)
                wait_until(
                    lambda: answers()["series"],  # noqa: B023 - called at once
                    what=f"{place} answers",
                    seconds=60,
                )
        assert up.process is not None
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(timeout=60) == 0
        assert "stopped;" in up.output()
    with site.program("-m", "cli", "up", "--no-simulators", log="again") as again:
        wait_until(
            lambda: "pending" in again.output().partition("ready")[2], what="a summary", seconds=60
        )
        summary = again.output().partition("received ")[2]
        assert "+ pending 0 " in summary
        assert "dead-lettered 0 " in summary
