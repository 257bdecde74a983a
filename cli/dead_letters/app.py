"""The group of commands `passerelle dead-letters`."""

from __future__ import annotations

import typer

from cli.dead_letters.export import export
from cli.dead_letters.listing import list_letters, summary
from cli.dead_letters.orders import discard, replay, requests
from cli.dead_letters.show import show

dead_letters_app = typer.Typer(help="What could not be stored, and why.", no_args_is_help=True)
dead_letters_app.command("summary")(summary)
dead_letters_app.command("list")(list_letters)
dead_letters_app.command("show")(show)
dead_letters_app.command("export")(export)
dead_letters_app.command("replay")(replay)
dead_letters_app.command("discard")(discard)
dead_letters_app.command("requests")(requests)
