"""What can be asked: one flow for each method of the clients."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd

from passerelle import _frames
from passerelle._errors import PasserelleClientError, UnavailableError
from passerelle._flow import Flow, Request, checked

Names = str | Sequence[str] | None
Instant = str | datetime | None
_PAGE = 10_000
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


def document(path: str) -> Flow[dict[str, Any]]:
    """Ask for one JSON document."""
    answer = yield Request("GET", path)
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


def windows(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/readings`, windows of one aggregate."""
    answer = checked((yield Request("GET", "/v1/readings", dict(query)))).json()
    if answer["kind"] != "windows":
        raise PasserelleClientError("ask for one aggregate, without group_by")
    return _frames.windows_frame(answer, query)


def joined(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/readings/joined`, every page."""
    pages = yield from paged("/v1/readings/joined", query)
    whole = dict(pages[0])
    whole["series"] = [series for page in pages for series in page["series"]]
    return _frames.joined_frame(whole, query)


def latest(query: Mapping[str, Any]) -> Flow[pd.DataFrame]:
    """`GET /v1/latest`."""
    answer = checked((yield Request("GET", "/v1/latest", dict(query)))).json()
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
