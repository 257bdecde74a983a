"""Alerts in words for a terminal. What people or firmware wrote is shown, never obeyed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from rich.text import Text

from cli.alerts.shown import duration
from cli.tables import plain
from core.clock import NS_PER_S

Json = Mapping[str, Any]

SEVERITIES = ("critical", "warning", "info")
"""The gravest first."""
OPEN = ("firing", "acknowledged")
_MARKS = {"critical": ("▲", "bold red"), "warning": ("◆", "yellow"), "info": ("●", "blue")}
_STATES = {"firing": "bold", "acknowledged": "green", "resolved": "dim", "withdrawn": "dim"}
_SECONDS = {"over_s", "silent_s", "after_s", "held_s_ago"}
_IN_UNIT = {"value", "above", "below", "change", "expected", "allowed"}
_BESIDE = {"quantity", "unit", "value"}
_TEXT = 60


def cut(text: str, most: int = _TEXT) -> str:
    """Return text with at most so many characters."""
    return text if len(text) <= most else f"{text[:most]}..."


def severity(name: str) -> Text:
    """Return the mark and the word of a severity."""
    mark, style = _MARKS.get(name, ("●", ""))
    return Text(f"{mark} {name}", style=style)


def title(one: Json) -> str:
    """Return what a rule says to people, in English where it does."""
    found = one.get("title") or {}
    return str(
        found.get("en") or next(iter(found.values()), None) or one.get("rule", one.get("name"))
    )


def about(alert: Json) -> str:
    """Return what an alert is about, in a few words."""
    names = ("building", "zone", "device", "quantity", "person")
    parts = [alert["site"] or "platform", *(alert[name] for name in names)]
    return "/".join(part for part in parts if part)


def value(alert: Json) -> str:
    """Return the value that decided with its unit, or ""."""
    if alert.get("withheld"):
        return "withheld"
    return "" if alert["value"] is None else number(alert["value"], alert["unit"])


def number(found: float, unit: str) -> str:
    """Return a number with its unit."""
    return f"{found:.6g}" if unit in {"", "1"} else f"{found:.6g} {unit}"


def instant(text: str | None) -> str:
    """Return an instant of the API to the second, with its offset; "" for none."""
    if not text:
        return ""
    return str(datetime.fromisoformat(text).replace(microsecond=0))


def lasted(alert: Json, now: datetime) -> str:
    """Return how long an alert lasted, or lasts."""
    end = datetime.fromisoformat(alert["until"]) if alert["until"] else now
    passed = max(timedelta(), end - datetime.fromisoformat(alert["at"]))
    return duration(passed.total_seconds() * NS_PER_S)


def state(alert: Json) -> Text:
    """Return how far an alert is, and whatever keeps people from hearing of it."""
    found = Text(alert["state"], style=_STATES.get(alert["state"], ""))
    taken = alert["acknowledged"]
    remarks = [
        f"by {taken['by']}" if taken else "",
        "inhibited" if alert["cause"] else "",
        "silenced" if alert["silence"] else "",
        "flapping" if alert["flapping"] else "",
        "retroactive" if alert["retroactive"] else "",
    ]
    for remark in filter(None, remarks):
        found.append_text(plain(f", {remark}"))
    return found


def facts(alert: Json) -> list[tuple[str, str]]:
    """Return what decided, as names and texts."""
    found: Json = alert["facts"]
    unit = str(found.get("unit", alert["unit"]))
    rows = []
    for name, fact in found.items():
        if name in _BESIDE:
            continue
        if name in _SECONDS and isinstance(fact, int | float):
            shown = duration(fact * NS_PER_S)
        elif isinstance(fact, int | float):
            shown = number(fact, unit if name in _IN_UNIT else "")
        else:
            shown = str(fact)
        rows.append((name.removesuffix("_s").replace("_s_", "_").replace("_", " "), shown))
    return rows
