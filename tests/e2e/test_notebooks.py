"""The notebooks run to their end on a platform that holds half a simulated day."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbclient import NotebookClient
from nbformat import reads

from tests.servers.ports import free_port
from tests.servers.waiting import wait_until
from tests.support.site import Site

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FINDINGS = {
    "first-look": r"elgazala: \d+ quarters of an hour; the devices differ most",
    "two-sites": r"air_temperature: \w+ has on average [\d.]+ (more|less) than \w+ over \d+ common",
    "data-quality": r"pending in (\d+) of \1 hours of devices",
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run `passerelle up` with twelve hours of both parks; yield how to reach it."""
    site = Site(tmp_path_factory.mktemp("notebooks"))
    port = free_port()
    site.register_fleet("two-parks", 51)
    with site.program(
        "-m", "cli", "up", "--no-simulators", "--mqtt-port", str(port), log="up"
    ) as up:
        wait_until(lambda: "ready in" in up.output(), what="everything started", seconds=60)
        broker = f"mqtt://127.0.0.1:{port}"
        site.command(
            "simulate", "two-parks", "--broker", broker, "--speed", "max", "--duration", "12h"
        )
        with site.api() as api:
            wait_until(
                lambda: (
                    (totals := api.get("/v1/completeness")["totals"])["received"] > 0
                    and totals["pending"] == 0
                ),
                what="everything is stored",
                seconds=120,
            )
            key = str(api.client.headers["X-API-Key"])
        yield {"PASSERELLE_URL": f"http://127.0.0.1:{site.port}", "PASSERELLE_KEY": key}


def test_there_are_the_notebooks_that_are_promised() -> None:
    assert {path.stem for path in NOTEBOOKS} == set(FINDINGS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(path: Path) -> None:
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_finds_something(
    platform: dict[str, str], path: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        **platform,
        "PYTHONPATH": str(ROOT / "clients" / "python" / "src"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    notebook = reads(path.read_text(), as_version=4)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=120, resources=resources).execute(env=environment)
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ())
    )
    assert re.search(FINDINGS[path.stem], printed), printed
