"""The machine and the versions that a figure was measured with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from tests.servers.availability import find_binary
from tests.servers.influxdb2 import VERSION as INFLUXDB_VERSION

_STEAL = 8
"""Field of the first line of /proc/stat, after the word `cpu`."""


class Machine(msgspec.Struct, frozen=True):
    """Where and when; without the machine's name.

    Attributes:
        cpu: model.
        cores: those that this process may use.
        memory_gib: of the machine.
        kernel: name and release.
        filesystem: of the directory where spools and servers write.
        python: version.
        mosquitto: version.
        influxdb: version.
        passerelle: version.
        commit: short hash of what was measured; `+` when files were changed since.
        at: RFC 3339.
    """

    cpu: str
    cores: int
    memory_gib: int
    kernel: str
    filesystem: str
    python: str
    mosquitto: str
    influxdb: str
    passerelle: str
    commit: str
    at: str


def this_machine(directory: Path) -> Machine:
    """Return this machine.

    Args:
        directory: where spools and servers write.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(memory / 2**30),
        kernel=f"{platform.system()} {platform.release()}",
        filesystem=filesystem(directory),
        python=platform.python_version(),
        mosquitto=_mosquitto(),
        influxdb=INFLUXDB_VERSION,
        passerelle=version("passerelle"),
        commit=_commit(),
        at=datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%MZ"),
    )


def filesystem(directory: Path) -> str:
    """Return the type of the file system that holds a directory."""
    wanted = directory.resolve()
    found = ("", "unknown")
    for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _device, place, kind = line.split()[:3]
        inside = place == "/" or wanted == Path(place) or Path(place) in wanted.parents
        if inside and len(place) >= len(found[0]):
            found = (place, kind)
    return found[1]


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _mosquitto() -> str:
    binary = find_binary("mosquitto")
    if binary is None:
        return "unknown"
    said = subprocess.run([str(binary), "-h"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\S+)", said)
    return found[1] if found else "unknown"


def _commit() -> str:
    root = Path(__file__).parents[1]

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
        ).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain") else "")


def stolen_s() -> float:
    """Return for how long the host has kept this machine's cores from it so far, seconds.

    The sum over all cores (Linux: `steal` in /proc/stat); 0 where it is not told.
    """
    try:
        fields = Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()
    except OSError:
        return 0.0
    return int(fields[_STEAL]) / os.sysconf("SC_CLK_TCK") if len(fields) > _STEAL else 0.0
