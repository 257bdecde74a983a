"""What the dashboard's files promise, as far as it can be seen without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from importlib import resources
from pathlib import Path

import pytest

from alerts.model import AlarmClass, Occasion, Severity
from api.dashboard.routes import FILES, PATHS
from api.schemas.silences import SilenceMatch
from core.quality import Quality
from core.quantities import CATALOGUE
from core.reasons import Reason
from core.sinks import CircuitState
from devices.registry.alert_records import (
    AlertEventKind,
    AlertState,
    AttemptOutcome,
    NoticeState,
    RuleState,
    SilenceKind,
)
from tests.unit.api.world import Caller, World

FOLDER = Path(str(resources.files("api.dashboard")))
SCRIPTS = {path.name: path.read_text() for path in sorted((FOLDER / "script").glob("*.js"))}
PAGE = (FOLDER / "index.html").read_text()
LOCALES: dict[str, dict[str, str]] = {
    code: json.loads((FOLDER / "locales" / f"{code}.json").read_text()) for code in ("en", "fr")
}
FAMILIES: Mapping[str, Collection[str]] = {
    "reason": {reason.value for reason in Reason},
    "quality": {(flag.name or "").lower() for flag in Quality if flag},
    "circuit": {state.value for state in CircuitState},
    "part": {"registry", "store", "workers"},
    "unit": {
        quantity.unit[1:-1] for quantity in CATALOGUE.values() if quantity.unit.startswith("{")
    },
    "made": {"raw", "mean", "max", "last"},
    "severity": set(Severity),
    "class": set(AlarmClass),
    "state": {*AlertState, "all"},
    "event": set(AlertEventKind),
    "occasion": set(Occasion),
    "notice": set(NoticeState),
    "attempt": set(AttemptOutcome),
    "rule_state": set(RuleState),
    "silence": set(SilenceKind),
    "match": {field.alias or name for name, field in SilenceMatch.model_fields.items()},
    "fact": {
        "above", "after_s", "allowed", "below", "change", "channel", "count", "days_left",
        "devices", "error", "expected", "held_s_ago", "local_time", "missing", "needed", "over_s",
        "reason", "rule", "score", "silent_s", "worker",
    },
}  # fmt: skip
"""Texts for codes that the API names: family -> the codes there are."""


def texts_asked_for() -> set[str]:
    """Return every key that stands in the page or a script, and those of the families."""
    prefixes = "|".join({key.partition(".")[0] for key in LOCALES["en"]})
    literal = re.compile(rf'"((?:{prefixes})\.[a-z0-9_]+)"')
    counted = re.compile(r"count\(([^;]*?),\s*[\w.#()]+\)", re.DOTALL)
    keys: set[str] = set()
    for source in (PAGE, *SCRIPTS.values()):
        plural = {key for call in counted.findall(source) for key in literal.findall(call)}
        keys |= set(literal.findall(source)) - plural
        keys |= {f"{key}.{form}" for key in plural for form in ("one", "other")}
    return keys | {f"{family}.{code}" for family, codes in FAMILIES.items() for code in codes}


@pytest.mark.parametrize("code", LOCALES)
def test_every_text_is_in_both_languages_and_is_used(code: str) -> None:
    assert set(LOCALES[code]) == texts_asked_for()
    assert all(text.strip() for text in LOCALES[code].values())
    assert list(LOCALES[code]) == sorted(LOCALES[code])


def test_both_languages_fill_in_the_same_values() -> None:
    for key, text in LOCALES["en"].items():
        named = set(re.findall(r"\{\w+\}", text))
        other = set(re.findall(r"\{\w+\}", LOCALES["fr"][key]))
        # French may say "the first device" where English counts one.
        assert named == other or (key.endswith(".one") and named - other == {"{n}"}), key


def test_every_file_of_the_folder_is_served_and_nothing_else() -> None:
    there = {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert set(FILES.values()) == there


def test_the_page_names_every_script_beforehand() -> None:
    named = re.findall(r'rel="modulepreload" href="dashboard/script/(\w+\.js)"', PAGE)
    assert sorted([*named, "main.js"]) == sorted(SCRIPTS)


def test_every_file_is_open_and_forbids_what_it_does_not_need(
    world: World, caller: Callable[..., Caller]
) -> None:
    nobody = caller(world.app, key=None)
    for path in PATHS:
        answer = nobody.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
    assert nobody.get("/").headers["content-type"] == "text/html; charset=utf-8"
    assert nobody.request("HEAD", "/").status_code == 200
    assert nobody.request("POST", "/").status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard",
        "/dashboard/",
        "/dashboard/routes.py",
        "/dashboard/script/../routes.py",
        "/dashboard/script/%2e%2e/routes.py",
        "/index.html",
    ],
)
def test_nothing_beside_the_files_is_open(
    world: World, caller: Callable[..., Caller], path: str
) -> None:
    assert caller(world.app, key=None).get(path).status_code == 401


def test_a_file_that_has_not_changed_is_not_sent_again(world: World) -> None:
    first = world.client.get("/dashboard/style.css")
    again = world.client.request(
        "GET", "/dashboard/style.css", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["cache-control"] == "no-cache"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere() -> None:
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", PAGE)
    for name, source in {"index.html": PAGE, **SCRIPTS}.items():
        addresses = set(re.findall(r"https?://[^\s\"'`]+", source))
        assert addresses <= {"http://www.w3.org/2000/svg"}, name


def test_scripts_have_no_way_from_text_to_markup_or_code() -> None:
    ways = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(")
    assert [name for name, source in SCRIPTS.items() if ways.search(source)] == []


def test_the_dashboard_adds_nothing_to_the_description_of_the_api(world: World) -> None:
    assert not PATHS & set(world.app.openapi()["paths"])
