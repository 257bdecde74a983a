"""Every example of docs/alerts.md is a rule, or a condition of one; every kind has one."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from alerts.rules.conditions import KINDS
from alerts.rules.source import parse_rule
from core.quality import Quality
from tests.unit.alerts.rules import TITLE

TEXT = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_can_be_used(example: str) -> None:
    source = example
    if not example.startswith("rule:"):
        per = "per: person\n" if "news2" in example else ""
        source = f"rule: r\n{TITLE}{per}when:\n{textwrap.indent(example, '  ')}"
    parse_rule(source, origin="docs/alerts.md")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_condition_has_an_example(kind: str) -> None:
    assert any(re.search(rf"\b{kind}:", example) for example in EXAMPLES)


@pytest.mark.parametrize("flag", [str(flag.name).lower() for flag in Quality if flag])
def test_every_quality_flag_is_named(flag: str) -> None:
    assert f"`{flag}`" in TEXT
