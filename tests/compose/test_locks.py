"""The lock files: reproducible, and the same whichever index they were resolved on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.servers import influxdb1, influxdb2

ROOT = Path(__file__).parents[2]
LOCKS = [
    ROOT / "requirements.lock",
    ROOT / "requirements-runtime.lock",
    ROOT / "deploy" / "image" / "build.lock",
    ROOT / "deploy" / "test-servers" / "requirements.lock",
]


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([\w.-]+==[^ ;\\]+)", lock.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.relative_to(ROOT)))
def test_every_package_is_pinned_with_hashes_and_no_index_is_named(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[\w.-]+==\S+", entry), entry[:80]
        assert "--hash=sha256:" in entry, entry[:80]


def test_the_image_installs_what_the_tests_run_with() -> None:
    assert pins(ROOT / "requirements-runtime.lock") < pins(ROOT / "requirements.lock")


def test_the_tests_look_for_the_servers_where_they_are_built() -> None:
    script = (ROOT / "deploy" / "test-servers" / "build").read_text()
    versions = dict(re.findall(r"^(v\d)=(\S+)$", script, re.MULTILINE))
    assert versions["v2"] == influxdb2.VERSION
    assert versions["v1"] == influxdb1.VERSION
    modules = (ROOT / "deploy" / "test-servers" / "go.mod").read_text()
    assert f"github.com/influxdata/influxdb/v2 v{versions['v2']}" in modules
