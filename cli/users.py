"""`passerelle users`: who may do what."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from cli.grants import grants_text, note_change, parse_grant
from cli.opened import opened_registry
from cli.tables import plain, print_table
from core.access import Grant
from core.clock import iso
from devices.registry import Registry

users_app = typer.Typer(help="Users and what they may do.", no_args_is_help=True)

UserId = Annotated[str, typer.Argument(help="Slug, such as amina.")]
GrantTexts = Annotated[
    list[str],
    typer.Argument(help="ROLE, ROLE@SITE or ROLE@SITE/DOMAIN, such as viewer@elgazala/health."),
]


@users_app.command("create")
def create(
    user: UserId,
    *,
    name: Annotated[str, typer.Option(help="For people.")] = "",
    grant: Annotated[
        list[str] | None, typer.Option(help="ROLE[@SITE][/DOMAIN]; repeatable.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="ISSUER#SUBJECT at the identity provider.")
    ] = None,
) -> None:
    """Make a user."""
    grants = [parse_grant(text) for text in grant or ()]
    with opened_registry() as registry:
        made = registry.users.create(user, name=name, subject=subject, grants=grants)
        note_change(registry, "users create", f"user {user} made: {grants_text(made.grants)}")
    typer.echo(f"user {made.id} may: {grants_text(made.grants) or 'nothing yet'}")


@users_app.command("list")
def list_users() -> None:
    """List the users."""
    table = Table("id", "name", "grants", "subject", "created", "shut out")
    with opened_registry() as registry:
        for user in registry.users.list():
            table.add_row(
                user.id,
                plain(user.name),
                grants_text(user.grants),
                plain(user.subject or ""),
                iso(user.created_ns),
                iso(user.disabled_ns) if user.disabled_ns else "",
            )
    print_table(table)


@users_app.command("grant")
def grant(user: UserId, grants: GrantTexts) -> None:
    """Give a user further grants."""
    wanted = [parse_grant(text) for text in grants]
    with opened_registry() as registry:
        held = registry.users.get(user).grants
        changed = registry.users.change(user, grants=[*held, *wanted])
        _noted(registry, "users grant", user, changed.grants)


@users_app.command("withdraw")
def withdraw(user: UserId, grants: GrantTexts) -> None:
    """Take grants from a user."""
    unwanted = {parse_grant(text) for text in grants}
    with opened_registry() as registry:
        held = registry.users.get(user).grants
        changed = registry.users.change(user, grants=[one for one in held if one not in unwanted])
        _noted(registry, "users withdraw", user, changed.grants)


@users_app.command("disable")
def disable(user: UserId) -> None:
    """Shut a user out, with every key, from the next seconds on."""
    with opened_registry() as registry:
        registry.users.change(user, disabled=True)
        note_change(registry, "users disable", f"user {user} shut out")
    typer.echo(f"user {user} is shut out")


@users_app.command("enable")
def enable(user: UserId) -> None:
    """Let a user in again."""
    with opened_registry() as registry:
        registry.users.change(user, disabled=False)
        note_change(registry, "users enable", f"user {user} let in again")
    typer.echo(f"user {user} is let in")


def _noted(registry: Registry, command: str, user: str, grants: tuple[Grant, ...]) -> None:
    text = grants_text(grants)
    note_change(registry, command, f"user {user} changed: {text or 'none'}")
    typer.echo(f"user {user} may: {text or 'nothing'}")
