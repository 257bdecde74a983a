"""`passerelle config`: the settings in force."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from core.settings import load_settings


class Reference(StrEnum):
    """The references made from the code."""

    SETTINGS = "settings"
    METRICS = "metrics"
    QUANTITIES = "quantities"
    ACCESS = "access"


def config(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of TOML.")] = False,
    reference: Annotated[
        Reference | None,
        typer.Option(help="Print this page of the documentation instead (docs/NAME.md)."),
    ] = None,
) -> None:
    """Print the effective settings, secrets masked."""
    if reference is not None:
        from cli.reference import REFERENCES  # noqa: PLC0415 - loads the API, for its routes

        typer.echo(REFERENCES[reference.value](), nl=False)
        return
    values = load_settings().masked()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(values), indent=2).decode())
        return
    typer.echo("\n".join(_toml(values)))


def _toml(values: dict[str, Any]) -> list[str]:
    """Return the settings as TOML; a value that is not set stands as a comment."""
    plain = {name: value for name, value in values.items() if not isinstance(value, (dict, list))}
    lines = [_line(name, value) for name, value in plain.items()]
    for section, content in values.items():
        if isinstance(content, dict):
            lines += ["", f"[{section}]"]
            lines += [_line(name, value) for name, value in content.items()]
        for entry in content if isinstance(content, list) else ():
            lines += ["", f"[[{section}]]"]
            lines += [_line(name, value) for name, value in entry.items()]
    return lines


def _line(name: str, value: object) -> str:
    if value is None:
        return f"# {name} is not set"
    return f"{name} = {msgspec.json.encode(value).decode()}"
