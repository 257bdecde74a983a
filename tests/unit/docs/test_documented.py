"""What users can set, read or meet is documented; a name without a line fails here."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from cli.main import program
from cli.reference import REFERENCES
from core.reasons import Reason

ROOT = Path(__file__).parents[3]


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_made_from_the_code_is_current(name: str) -> None:
    assert text(f"{name}.md") == REFERENCES[name](), (
        f"passerelle config --reference {name} > docs/{name}.md"
    )


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_documented(reason: Reason) -> None:
    assert f"`{reason.value}`" in text("dead-letters.md")


def commands() -> list[str]:
    group = typer.main.get_command(program())
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [f"{name} {sub}" for sub in inner] if inner else [name]
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"`passerelle {command}" in text("cli.md")
