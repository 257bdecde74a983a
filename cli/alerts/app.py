"""The group of commands `passerelle alerts`."""

from __future__ import annotations

import typer

from cli.alerts.channels import channels, try_channel
from cli.alerts.explain import explain
from cli.alerts.listing import history, late, list_alerts, show
from cli.alerts.patients import patients
from cli.alerts.people import acknowledge, silence, unacknowledge
from cli.alerts.policy import policy_app
from cli.alerts.rules import rules_app
from cli.alerts.silences import maintenance_app, silences_app
from cli.alerts.stats import stats
from cli.alerts.trial import backtest, check, tune
from cli.alerts.watch import watch

alerts_app = typer.Typer(
    help="Alerts: what is the matter, who looks after it, and the rules that say so.",
    no_args_is_help=True,
)
alerts_app.command("list")(list_alerts)
alerts_app.command("watch")(watch)
alerts_app.command("show")(show)
alerts_app.command("explain")(explain)
alerts_app.command("history")(history)
alerts_app.command("ack")(acknowledge)
alerts_app.command("unack")(unacknowledge)
alerts_app.command("silence")(silence)
alerts_app.add_typer(silences_app, name="silences")
alerts_app.add_typer(maintenance_app, name="maintenance")
alerts_app.command("late")(late)
alerts_app.command("stats")(stats)
alerts_app.add_typer(rules_app, name="rules")
alerts_app.command("channels")(channels)
alerts_app.command("test-channel")(try_channel)
alerts_app.add_typer(policy_app, name="policy")
alerts_app.command("check")(check)
alerts_app.command("backtest")(backtest)
alerts_app.command("tune")(tune)
alerts_app.command("patients")(patients)
