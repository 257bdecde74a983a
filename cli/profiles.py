"""`passerelle profiles`: what devices say, and how it is understood."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from cli.opened import opened_registry
from cli.tables import print_table
from devices.decoder import load_profiles, profile_schema
from devices.profile_files import load_profile

profiles_app = typer.Typer(help="Device profiles.", no_args_is_help=True)


@profiles_app.command("list")
def list_profiles() -> None:
    """List the profiles and the topics they are bound to."""
    table = Table("profile", "version", "topic", "kind")
    with opened_registry() as registry:
        versions = {profile.name: profile.version for profile in registry.profiles.current()}
        for binding in registry.profiles.bindings():
            table.add_row(
                binding.profile,
                str(versions.get(binding.profile, "")),
                binding.template,
                binding.kind,
            )
    print_table(table)


@profiles_app.command("load")
def load(
    directory: Annotated[Path, typer.Argument(help="A directory of profiles (YAML).")],
) -> None:
    """Register the profiles of a directory; a changed text becomes a new version."""
    profiles, bindings = load_profiles(directory)
    with opened_registry() as registry:
        stored = [registry.profiles.put(profile) for profile in profiles]
        for binding in bindings:
            registry.profiles.bind(binding)
    for profile in stored:
        typer.echo(f"profile {profile.name} version {profile.version}")


@profiles_app.command("put")
def put(
    file: Annotated[Path, typer.Argument(help="A profile (YAML).")],
) -> None:
    """Register one profile; a changed text becomes a new version."""
    profile, bindings = load_profile(file)
    with opened_registry() as registry:
        stored = registry.profiles.put(profile)
        for binding in bindings:
            registry.profiles.bind(binding)
    typer.echo(f"profile {stored.name} version {stored.version}; workers know it within seconds")


@profiles_app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a profile, for editors."""
    typer.echo(msgspec.json.format(msgspec.json.encode(profile_schema()), indent=2).decode())
