"""The `passerelle` command line. Each command, or group of commands, is a module of its own.

Only the one that is asked for is imported: to start `passerelle keys` takes a third of the time
that all of them together take.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

import typer

from core.errors import ConfigurationError, PasserelleError

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "up": "cli.up:up",
        "simulate": "simulators.commands:simulate",
        "replay": "simulators.commands:replay",
        "capture": "simulators.commands:capture",
        "decode": "cli.decode:decode",
        "publish": "cli.decode:publish",
        "redecode": "cli.redecode:redecode",
        "query": "cli.query:query",
        "watch": "cli.watch:watch",
        "export": "cli.exports.export:export",
        "config": "cli.config:config",
        "completeness": "cli.completeness:completeness",
        "verify": "cli.verify:verify",
        "dead-letters": "cli.dead_letters.app:dead_letters_app",
        "devices": "cli.devices:devices_app",
        "keys": "cli.keys:keys_app",
        "users": "cli.users:users_app",
        "audit": "cli.audit:audit_app",
        "profiles": "cli.profiles:profiles_app",
        "rollups": "cli.rollups:rollups_app",
        "sinks": "cli.sinks:sinks_app",
        "snapshots": "cli.exports.snapshots:snapshots_app",
        "spool": "cli.spool:spool_app",
        "alerts": "cli.alerts.app:alerts_app",
    }
)
"""Every command, in the order of the help, and where it is: `module:name`."""


def program(only: str | None = None) -> typer.Typer:
    """Return the command line.

    Args:
        only: load no other command than this one; None: load all.
    """
    app = typer.Typer(
        name="passerelle",
        help="Pilot data platform for connected objects: every message is accounted for.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def passerelle() -> None:
        """Have a single command keep its name."""

    for name in COMMANDS if only is None else (only,):
        module, _, attribute = COMMANDS[name].partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def run() -> None:
    """Run the command line; an error that a person can mend is one sentence and a code."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        program(first if first in COMMANDS else None)()
    except ConfigurationError as error:
        sys.stderr.write(f"passerelle: {error.detail}\n")
        sys.exit(2)
    except PasserelleError as error:
        sys.stderr.write(f"passerelle: {error.detail}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("passerelle: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
