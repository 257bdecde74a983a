"""`passerelle keys`: API keys. A key is shown once; the registry keeps only its hash."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.opened import opened_registry
from core.clock import iso

keys_app = typer.Typer(help="API keys.", no_args_is_help=True)


@keys_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses it, for people.")],
) -> None:
    """Make a key and print it: it is not shown again."""
    with opened_registry() as registry:
        plain, _ = registry.keys.create(name)
    typer.echo(plain)


@keys_app.command("list")
def list_keys() -> None:
    """List the keys, without the secrets."""
    table = Table("id", "name", "created", "last used", "revoked")
    with opened_registry() as registry:
        for key in registry.keys.list():
            table.add_row(
                key.id,
                key.name,
                iso(key.created_ns),
                iso(key.last_used_ns) if key.last_used_ns else "never",
                iso(key.revoked_ns) if key.revoked_ns else "",
            )
    Console().print(table)


@keys_app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(help="Its id, as `keys list` shows it.")]) -> None:
    """Make a key useless, from the next seconds on."""
    with opened_registry() as registry:
        registry.keys.revoke(key)
    typer.echo(f"key {key} is revoked")
