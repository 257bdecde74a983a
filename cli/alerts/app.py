"""The group of commands `passerelle alerts`."""

from __future__ import annotations

import typer

from cli.alerts.trial import backtest, check, tune

alerts_app = typer.Typer(
    help="Alerts: what is the matter, who looks after it, and the rules that say so.",
    no_args_is_help=True,
)
alerts_app.command("check")(check)
alerts_app.command("backtest")(backtest)
alerts_app.command("tune")(tune)
