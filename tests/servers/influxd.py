"""Telling the two generations of influxd apart: their program has the same name."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path


def of_generation(generation: int) -> Callable[[Path], bool]:
    """Return a test that an influxd passes whose major version is the given one."""

    def accept(program: Path) -> bool:
        try:
            answer = subprocess.run(
                [str(program), "version"], capture_output=True, text=True, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        version = re.search(r"InfluxDB v?(\d+)\.", answer.stdout)
        return version is not None and int(version[1]) == generation

    return accept
