"""What can be asked: one flow for each method of the clients."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import pandas as pd

from passerelle import _frames
from passerelle._errors import UnavailableError
from passerelle._flow import Flow, Request, checked

Names = str | Sequence[str] | None
Instant = str | datetime | None
_PAGE = 10_000
_PAGE_OF_ALERTS = 1000
_FIRST_POLL_S, _LONGEST_POLL_S = 0.2, 5.0


def query_of(**given: Any) -> dict[str, str | int | float]:
    """Return parameters of a query: lists joined by commas, instants as RFC 3339, no None.

    A trailing underscore of a name is left out (`from_`).
    """
    found: dict[str, str | int | float] = {}
    for name, value in given.items():
        key = name.rstrip("_")
        if value is None:
            continue
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"{key}: {value} has no time zone; say which instant is meant")
            found[key] = value.isoformat()
        elif isinstance(value, (list, tuple, set, frozenset, pd.Index, pd.Series)):
            found[key] = ",".join(map(str, value))
        else:
            found[key] = value
    return found


def lists(**given: Names) -> dict[str, list[str]]:
    """Return names of a body: lists, without those that are not given."""
    return {
        name: [names] if isinstance(names, str) else list(names)
        for name, names in given.items()
        if names is not None
    }


def document(path: str, query: Mapping[str, Any] | None = None) -> Flow[dict[str, Any]]:
    """Ask for one JSON document."""
    answer = yield Request("GET", path, dict(query or {}))
    found: dict[str, Any] = checked(answer).json()
    return found


def paged(path: str, query: Mapping[str, Any]) -> Flow[list[dict[str, Any]]]:
    """Ask for every page."""
    pages: list[dict[str, Any]] = []
    answer = checked((yield Request("GET", path, dict(query)))).json()
    pages.append(answer)
    while answer.get("next"):
        answer = checked((yield Request("GET", answer["next"]))).json()
        pages.append(answer)
    return pages


def sites() -> Flow[pd.DataFrame]:
    """`GET /v1/sites`."""
    answer = yield from document("/v1/sites")
    return _frames.rows_frame(answer["sites"], {})


def quantities() -> Flow[pd.DataFrame]:
    """`GET /v1/quantities`."""
    answer = yield from document("/v1/quantities")
    return _frames.rows_frame(answer["quantities"], {})


def devices(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/devices`."""
    pages = yield from paged("/v1/devices", {"limit": _PAGE, **query})
    rows = [row for page in pages for row in page["devices"]]
    return _frames.rows_frame(rows, query, times=("created",))


def readings(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/readings`, raw, every page."""
    pages = yield from paged("/v1/readings", {"limit": _PAGE, **query})
    return _frames.raw_frame(pages, query)


def plot(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/readings`, raw, each series reduced to so many values."""
    answer = yield from document("/v1/readings", query)
    frame = _frames.raw_frame([answer], query)
    frame.attrs["downsample"] = answer["downsample"]
    frame.attrs["of"] = [
        {name: series[name] for name in ("site", "device", "quantity", "of")}
        for series in answer["series"]
    ]
    return frame


def windows(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/readings`, windows."""
    answer = yield from document("/v1/readings", query)
    return _frames.windows_frame(answer, query)


def joined(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/readings/joined`, every page."""
    pages = yield from paged("/v1/readings/joined", query)
    whole = dict(pages[0])
    whole["series"] = [series for page in pages for series in page["series"]]
    return _frames.joined_frame(whole, query)


def latest(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/latest`."""
    answer = yield from document("/v1/latest", query)
    return _frames.latest_frame(answer, query)


def completeness(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/completeness`, every page; the totals are in `attrs`."""
    pages = yield from paged("/v1/completeness", query)
    rows = [row for page in pages for row in page["rows"]]
    frame = _frames.rows_frame(rows, query, times=("hour",))
    for name in ("totals", "start", "end", "as_of"):
        frame.attrs[name] = pages[0].get(name)
    return frame


def dead_letters(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/dead-letters`, every page."""
    pages = yield from paged("/v1/dead-letters", query)
    rows = [row for page in pages for row in page["dead_letters"]]
    return _frames.rows_frame(rows, query, times=("received", "updated"))


def alerts(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/alerts`, every page."""
    pages = yield from paged("/v1/alerts", {"limit": _PAGE_OF_ALERTS, **query})
    return _frames.alerts_frame([row for page in pages for row in page["alerts"]], query)


def history(alert: str) -> Flow[pd.DataFrame]:
    """`GET /v1/alerts/{id}/history`, every page."""
    pages = yield from paged(f"{_alert(alert)}/history", {"limit": _PAGE_OF_ALERTS})
    rows = [row for page in pages for row in page["events"]]
    return _frames.rows_frame(rows, {"alert": alert}, times=("time",))


def explained(alert: str, query: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """`GET /v1/alerts/{id}/explain`, its series as one table."""
    answer = yield from document(f"{_alert(alert)}/explain", query)
    return {**answer, "series": _frames.raw_frame([answer], {"alert": alert, **query})}


def alert_rules(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/alert-rules`."""
    answer = yield from document("/v1/alert-rules", query)
    return _frames.rows_frame(answer["rules"], query, times=("created",))


def alert(alert: str) -> Flow[dict[str, Any]]:
    """`GET /v1/alerts/{id}`."""
    return (yield from document(_alert(alert)))


def rule(name: str) -> Flow[dict[str, Any]]:
    """`GET /v1/alert-rules/{name}`."""
    return (yield from document(_rule(name)))


def acknowledged(alert: str, note: str) -> Flow[dict[str, Any]]:
    """`POST /v1/alerts/{id}/acknowledge`."""
    return (yield from written("POST", f"{_alert(alert)}/acknowledge", {"note": note}))


def silenced(alert: str, duration: str, reason: str) -> Flow[dict[str, Any]]:
    """`POST /v1/alerts/{id}/silence`."""
    order = {"for": duration, "reason": reason}
    return (yield from written("POST", f"{_alert(alert)}/silence", order))


def put_rule(name: str, order: Mapping[str, Any], version: int | None) -> Flow[dict[str, Any]]:
    """`PUT /v1/alert-rules/{name}`."""
    headers = {}
    if version is not None:
        headers = {"If-Match": f'"{version}"'} if version else {"If-None-Match": "*"}
    return (yield from written("PUT", _rule(name), order, headers))


def written(
    method: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Flow[dict[str, Any]]:
    """Write something once, however often it has to be asked."""
    once = {"Idempotency-Key": secrets.token_hex(16), **(headers or {})}
    answer = yield Request(method, path, body=dict(body), headers=once)
    found: dict[str, Any] = checked(answer).json()
    return found


def _alert(alert: str) -> str:
    return f"/v1/alerts/{quote(alert, safe='')}"


def _rule(name: str) -> str:
    return f"/v1/alert-rules/{quote(name, safe='')}"


def ordered(path: str, order: Mapping[str, Any]) -> Flow[dict[str, Any]]:
    """Order a file, and wait until it is made; return what the platform says of it.

    The order carries an `Idempotency-Key`: asked again after a lost answer, it is one order.
    """
    headers = {"Idempotency-Key": secrets.token_hex(16)}
    answer = yield Request("POST", path, body=dict(order), headers=headers)
    made: dict[str, Any] = checked(answer).json()
    wait_s = _FIRST_POLL_S
    while made["state"] in {"queued", "running"}:
        answer = yield Request("GET", f"{path}/{made['id']}", wait_s=wait_s)
        made = checked(answer).json()
        wait_s = min(2 * wait_s, _LONGEST_POLL_S)
    if made["state"] != "done":
        raise UnavailableError(f"{path}/{made['id']} {made['state']}: {made.get('error')}")
    return made
