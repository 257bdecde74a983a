"""Results as JSON files, one for each benchmark: `benchmarks/results/NAME.json`, not committed."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

RESULTS = Path(__file__).parent / "results"
_T = TypeVar("_T")


def save(name: str, result: msgspec.Struct, *, directory: Path = RESULTS) -> Path:
    """Write a result in place of the one before; return its file."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    return path


def load(name: str, kind: type[_T], *, directory: Path = RESULTS) -> _T | None:
    """Return a result, or None when that benchmark was not run here."""
    path = directory / f"{name}.json"
    return msgspec.json.decode(path.read_bytes(), type=kind) if path.exists() else None
