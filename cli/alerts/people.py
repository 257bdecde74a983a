"""`passerelle alerts ack`, `unack` and `silence`: what somebody does about an alert."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.alerts.asked import (
    AlertArgument,
    JsonOption,
    LengthOption,
    ReasonOption,
    alert_path,
    print_json,
)
from cli.alerts.words import Json, about, instant, title
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import opened_api
from cli.tables import plain


def acknowledge(
    alert: AlertArgument,
    *,
    note: Annotated[str, typer.Option(help="What you do about it.")] = "",
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Take an alert on: you look after it, and nobody else is called."""
    with opened_api(url, key) as api:
        found = api.ask("POST", f"{alert_path(api, alert)}/acknowledge", json={"note": note})
    _say(found, as_json=as_json)


def unacknowledge(
    alert: AlertArgument,
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Give an alert back: people are told of it again."""
    with opened_api(url, key) as api:
        found = api.ask("POST", f"{alert_path(api, alert)}/unacknowledge")
    _say(found, as_json=as_json)


def silence(
    alert: AlertArgument,
    *,
    length: LengthOption,
    reason: ReasonOption,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Have nobody told of an alert for a while, also when it fires again."""
    order = {"for": length, "reason": reason}
    with opened_api(url, key) as api:
        found = api.ask("POST", f"{alert_path(api, alert)}/silence", json=order)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"silence {found['id']} until {instant(found['end'])}")


def _say(alert: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(alert)
        return
    who = alert["acknowledged"]
    by = f" by {who['by']}" if who else ""
    typer.echo(plain(f"{title(alert)} ({about(alert)}): {alert['state']}{by}").plain)
