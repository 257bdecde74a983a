"""`passerelle keys`: API keys. A key is shown once; the registry keeps only its hash."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Column, Table

from cli.grants import (
    expiry_ns,
    grants_of,
    grants_text,
    note_change,
    parse_length_s,
    parse_scopes,
)
from cli.opened import opened_registry
from cli.tables import plain as plain_text
from cli.tables import print_table
from core.access import Domain, Role
from core.clock import SystemClock, iso

_ID_WIDTH = 12

keys_app = typer.Typer(help="API keys.", no_args_is_help=True)


@keys_app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what uses it, for people.")],
    *,
    role: Annotated[
        Role | None, typer.Option(help="What it is; default: viewer, or what its user is.")
    ] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="At this site; repeatable; default: at every one.")
    ] = None,
    domain: Annotated[
        list[Domain] | None,
        typer.Option(help="For this domain; repeatable; default: every one but health."),
    ] = None,
    health: Annotated[
        bool, typer.Option("--health", help="Also for vital signs; never meant by anything else.")
    ] = False,
    user: Annotated[str | None, typer.Option(help="The user that it belongs to.")] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="Use only this permission; repeatable.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option(help="Refused after this time, such as 90d; default: never.")
    ] = None,
) -> None:
    """Make a key and print it: it is not shown again."""
    given = role or site or domain or health
    grants = () if user is not None and not given else grants_of(role or Role.VIEWER, site, domain)
    if health:
        grants += grants_of(role or Role.VIEWER, site, [Domain.HEALTH])
    with opened_registry() as registry:
        plain, key = registry.keys.create(
            name,
            grants=grants,
            user=user,
            scopes=parse_scopes(scope),
            expires_ns=expiry_ns(expires, clock=SystemClock()),
        )
        note_change(registry, "keys create", f"key {key.id} made: {grants_text(key.grants)}")
    typer.echo(plain)


@keys_app.command("list")
def list_keys() -> None:
    """List the keys, without the secrets."""
    identifier = Column("id", no_wrap=True, min_width=_ID_WIDTH)  # it is what one copies
    table = Table(identifier, "name", "user", "grants", "scopes", "created", "last used", "ends")
    with opened_registry() as registry:
        for key in registry.keys.list():
            ended = f"revoked {iso(key.revoked_ns)}" if key.revoked_ns else ""
            table.add_row(
                key.id,
                plain_text(key.name),
                key.user or "",
                grants_text(key.grants),
                "all" if key.scopes is None else ", ".join(sorted(key.scopes)),
                iso(key.created_ns),
                iso(key.last_used_ns) if key.last_used_ns else "never",
                ended or (iso(key.expires_ns) if key.expires_ns else "never"),
            )
    print_table(table)


@keys_app.command("rotate")
def rotate(
    key: Annotated[str, typer.Argument(help="Its id, as `keys list` shows it.")],
    *,
    grace: Annotated[str, typer.Option(help="How long the old one is good, such as 12h.")] = "1d",
    expires: Annotated[
        str | None, typer.Option(help="When the new one ends, such as 90d; default: as the old.")
    ] = None,
) -> None:
    """Make a key that may do the same and print it; the old one is good for a while."""
    with opened_registry() as registry:
        plain, made = registry.keys.rotate(
            key,
            grace_s=parse_length_s(grace),
            expires_ns=expiry_ns(expires, clock=SystemClock()),
        )
        note_change(registry, "keys rotate", f"key {made.id} made in place of {key}")
    typer.echo(plain)


@keys_app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(help="Its id, as `keys list` shows it.")]) -> None:
    """Make a key useless, from the next seconds on."""
    with opened_registry() as registry:
        registry.keys.revoke(key)
        note_change(registry, "keys revoke", f"key {key} revoked")
    typer.echo(f"key {key} is revoked")
