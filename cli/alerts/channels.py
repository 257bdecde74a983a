"""`passerelle alerts channels` and `test-channel`: through what people are told."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from cli.alerts.asked import JsonOption, print_json
from cli.alerts.words import Json, cut, instant
from cli.exports.chosen import KeyOption, UrlOption
from cli.exports.client import opened_api
from cli.tables import plain, print_table

_PATH = "/v1/alert-channels"


def channels(
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """List the channels of the policy, and how each does; exit code 1 when one is down."""
    with opened_api(url, key) as api:
        found = api.ask("GET", _PATH)
    if as_json:
        print_json(found)
        return
    if found["problem"] is not None:
        sys.stderr.write(f"the policy cannot be read: {found['problem']}\n")
        raise typer.Exit(1)
    table = Table("channel", "address", "language", "state", "last attempt", "waiting", "said last")
    for one in found["channels"]:
        table.add_row(
            plain(one["name"]),
            plain(one["address"]),
            one["language"],
            _state(one),
            instant(one["last_attempt"]),
            f"{one['waiting']:,}",
            plain(cut(one["last_detail"])),
        )
    print_table(table)
    if any(one["up"] is False for one in found["channels"]):
        raise typer.Exit(1)


def try_channel(
    channel: Annotated[str, typer.Argument(metavar="NAME", help="The channel.")],
    *,
    as_json: JsonOption = False,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Order a notice that says that nothing is the matter, through one channel."""
    with opened_api(url, key) as api:
        found = api.ask("POST", f"{_PATH}/{quote(channel, safe='')}/test")
    if as_json:
        print_json(found)
    else:
        typer.echo(
            f"notice {found['notice']} ordered; `passerelle alerts channels` shows what came of it"
        )


def _state(channel: Json) -> Text:
    if channel["up"] is None:
        return Text("not tried yet", style="dim")
    return Text("works", style="green") if channel["up"] else Text("down", style="bold red")
