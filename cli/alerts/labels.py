"""Times in which something was really wrong, from a file."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from alerts.backtest import Label
from api.problems import InvalidParameterError
from api.times import parse_instant
from core.errors import ConfigurationError

_UTC = ZoneInfo("UTC")


def read_labels(path: Path, *, series: str | None) -> list[Label]:
    """Return the labels of a file, in order.

    It is CSV with the columns `start` and `end`, and `device` where each is true of one, or JSON: a
    list of pairs of instants, or (as the Numenta Anomaly Benchmark has them) such lists by the name
    of a series. Instants without an offset are UTC.

    Args:
        path: the file.
        series: name of the series, to choose among several.

    Raises:
        ConfigurationError: it cannot be read, or lacks the series.
    """
    try:
        if path.suffix.lower() == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as file:
                pairs: Any = [
                    (row["start"], row["end"], row.get("device") or "")
                    for row in csv.DictReader(file)
                ]
        else:
            pairs = _of_series(json.loads(path.read_text("utf-8")), path, series)
        return sorted(Label(_instant(start), _instant(end), *about) for start, end, *about in pairs)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: it cannot be read ({error})") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}: labels are a CSV with the columns start and end, or JSON pairs of instants "
            f"({error})"
        ) from None
    except InvalidParameterError as error:
        raise ConfigurationError(f"{path}: {error.detail}") from None


def _of_series(found: Any, path: Path, series: str | None) -> Any:
    if not isinstance(found, dict):
        return found
    for name, pairs in found.items():
        if series is not None and name.rpartition("/")[2] == series:
            return pairs
    known = ", ".join(found)
    raise ConfigurationError(f"{path}: there are no labels of {series}; there are {known}")


def _instant(text: str) -> int:
    written = text.strip().replace(" ", "T", 1)
    if not written.endswith("Z") and "+" not in written[10:] and "-" not in written[10:]:
        written += "Z" if "T" in written else ""
    return parse_instant(written, parameter="a label", now_ns=0, zone=_UTC)
