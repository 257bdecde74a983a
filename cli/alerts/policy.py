"""`passerelle alerts policy`: who is told of what, before it is used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from alerts.policy import load_policy
from core.errors import PolicyError

policy_app = typer.Typer(help="Who is told of what.", no_args_is_help=True)


@policy_app.callback()
def policy() -> None:
    """Have a single command keep its name."""


@policy_app.command("check")
def check_policy(
    file: Annotated[Path, typer.Argument(help="The policy (YAML).")],
) -> None:
    """Say whether a policy can be used; what is wrong is named with file, line and field."""
    try:
        found = load_policy(file)
    except PolicyError as error:
        sys.stderr.write(f"{error.detail}\n")
        raise typer.Exit(1) from None
    for name, spec in found.channels.items():
        typer.echo(f"channel {name}: {spec.kind}")
    for route in found.routes:
        steps = f", then {len(route.escalate)} further steps" if route.escalate else ""
        typer.echo(f"route {route.name}: {', '.join(route.channels) or 'nobody'}{steps}")
