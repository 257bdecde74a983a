"""`passerelle watch`: values in the terminal as they arrive."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any

import httpx
import typer

from cli.exports.client import reachable
from core.errors import PasserelleError

_AGAIN_S = 2.0
_TIMEOUT_S = 60.0


class LiveRefusedError(PasserelleError):
    """The API does not let us look on; asking again would not help."""

    code = "live_refused"


def watch(
    *,
    site: Annotated[str | None, typer.Option(help="Only this site.")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this device; repeatable.")] = None,
    quantity: Annotated[
        list[str] | None, typer.Option(help="Only this quantity; repeatable.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="IANA zone of instants; default UTC.")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="End after so many seconds; default: never.", min=0)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object a line.")] = False,
    url: Annotated[str | None, typer.Option(help="Of the API.", envvar="PASSERELLE_URL")] = None,
    key: Annotated[str | None, typer.Option(help="API key.", envvar="PASSERELLE_KEY")] = None,
) -> None:
    """Show values as they arrive, until Ctrl-C; what is missed on the way is said."""
    address, secret = reachable(url, key)
    query = {
        "site": site,
        "devices": ",".join(device or ()) or None,
        "quantities": ",".join(quantity or ()) or None,
        "zone": zone,
        "seconds": None if seconds is None else str(seconds),
    }
    parameters = {name: value for name, value in query.items() if value is not None}
    try:
        for event in _events(address, secret, parameters):
            _show(event, as_json=as_json)
            if event["type"] == "end" and event["reason"] != "stopping":
                return
    except KeyboardInterrupt:
        return


def _show(event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event, ensure_ascii=False))
        return
    if event["type"] == "missed":
        count = f", {event['batches']} batches" if event["batches"] else ""
        since = f" since {event['since']}" if event["since"] else ""
        typer.echo(
            f"missed something{since} ({event['reason']}{count}): the store has it", err=True
        )
    for point in event.get("points", ()):
        flags = f" [{' '.join(point['quality'])}]" if point["quality"] else ""
        for name, value in point["values"].items():
            unit = event["units"].get(name, "")
            shown = "" if unit == "1" else f" {unit}"
            typer.echo(
                f"{point['time']} {point['site']} {point['device']} {name} {value:g}{shown}{flags}"
            )


def _events(url: str, key: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield events; connect again and go on where it stopped."""
    last: str | None = None
    away = False
    units: dict[str, str] = {}
    with httpx.Client(base_url=url, timeout=_TIMEOUT_S) as client:
        while True:
            try:
                for event in _connection(client, key, query, last):
                    if away:
                        typer.echo("connected again", err=True)
                        away = False
                    last = event.get("id", last)
                    units = event.get("units", units)
                    yield event | {"units": units}
            except httpx.TransportError as error:
                if not away:
                    typer.echo(f"{url} does not answer ({error}); trying again", err=True)
                away = True
            time.sleep(_AGAIN_S)


def _connection(
    client: httpx.Client, key: str, query: dict[str, str], last: str | None
) -> Iterator[dict[str, Any]]:
    headers = {"X-API-Key": key} | ({} if last is None else {"Last-Event-ID": last})
    with client.stream("GET", "/v1/live", params=query, headers=headers) as answer:
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise httpx.ReadError(f"status {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            answer.read()
            raise LiveRefusedError(answer.json().get("detail", answer.text))
        found: dict[str, Any] = {}
        for line in answer.iter_lines():
            name, _, rest = line.partition(": ")
            if not line and "type" in found:
                yield found
                found = {}
            elif name == "event":
                found["type"] = rest
            elif name == "id":
                found["id"] = rest
            elif name == "data":
                found |= json.loads(rest)
