"""The `passerelle` command line. Each group of commands is a module of its own."""

from __future__ import annotations

import sys

import typer

from cli.completeness import completeness
from cli.config import config
from cli.dead_letters.app import dead_letters_app
from cli.decode import decode, publish
from cli.devices import devices_app
from cli.exports.export import export
from cli.exports.snapshots import snapshots_app
from cli.keys import keys_app
from cli.profiles import profiles_app
from cli.query import query
from cli.redecode import redecode
from cli.rollups import rollups_app
from cli.sinks import sinks_app
from cli.spool import spool_app
from cli.up import up
from cli.verify import verify
from core.errors import ConfigurationError, PasserelleError
from simulators.commands import capture, replay, simulate

app = typer.Typer(
    name="passerelle",
    help="Pilot data platform for connected objects: every message is accounted for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(simulate)
app.command()(replay)
app.command()(capture)
app.command()(decode)
app.command()(publish)
app.command()(redecode)
app.command()(query)
app.command()(export)
app.command()(config)
app.command()(completeness)
app.command()(verify)
app.add_typer(dead_letters_app, name="dead-letters")
app.add_typer(devices_app, name="devices")
app.add_typer(keys_app, name="keys")
app.add_typer(profiles_app, name="profiles")
app.add_typer(rollups_app, name="rollups")
app.add_typer(sinks_app, name="sinks")
app.add_typer(snapshots_app, name="snapshots")
app.add_typer(spool_app, name="spool")


def run() -> None:
    """Run the command line; an error that a person can mend is one sentence and a code."""
    try:
        app()
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
