"""What was published, set against what the API says became of it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec

from tests.servers.waiting import wait_until

Totals = dict[tuple[str, str], dict[str, int]]


class Api:
    """The platform, seen only through its API.

    Args:
        url: where it is.
        key: an API key.
    """

    def __init__(self, url: str, key: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=60.0)

    def close(self) -> None:
        """Close its connections."""
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def get(self, path: str, **query: object) -> Any:
        """Return the JSON of a GET that succeeds."""
        answer = self.client.get(path, params={k: str(v) for k, v in query.items()} or None)
        assert answer.status_code == 200, f"{answer.request.url}: {answer.text}"
        return answer.json()

    def post(self, path: str, body: object) -> Any:
        """Return the JSON of a POST that succeeds."""
        answer = self.client.post(path, json=body)
        assert answer.is_success, f"{answer.request.url}: {answer.text}"
        return answer.json()

    def pages(self, path: str, items: str, **query: object) -> list[Any]:
        """Return what stands under `items` on every page."""
        found: list[Any] = []
        page = self.get(path, **query)
        while True:
            found += page[items]
            if not page["next"]:
                return found
            page = self.get(page["next"])

    def account(self) -> Totals:
        """Return the ledger of every device, over all hours."""
        rows = self.pages("/v1/completeness", "rows", group="device")
        return {(row["site"], row["device"]): row for row in rows}

    def alive(self) -> bool:
        """Say whether it answers."""
        with contextlib.suppress(httpx.HTTPError):
            return self.client.get("/health/live").status_code == 200
        return False


def published(report: Path) -> dict[tuple[str, str], int]:
    """Return what a simulator's report says each device published."""
    content = msgspec.json.decode(report.read_bytes())
    assert content["totals"]["unacknowledged"] == 0
    return {
        (one["site"], one["device"]): one["published"]
        for one in content["devices"]
        if one["published"]
    }


def assert_everything_accounted_for(
    api: Api, sent: dict[tuple[str, str], int], *, timeout_s: float = 120.0
) -> Totals:
    """Wait until nothing is pending, then compare device by device.

    `published = stored + duplicate + dead-lettered` for each device, and no device beside them.
    """

    def settled() -> bool:
        rows = api.account()
        total = sum(row["received"] for row in rows.values())
        return total >= sum(sent.values()) and not any(row["pending"] for row in rows.values())

    wait_until(settled, what="everything received and nothing pending", seconds=timeout_s)
    rows = api.account()
    differences = {
        device: (count, rows.get(device))
        for device, count in sent.items()
        if device not in rows
        or count
        != rows[device]["stored"] + rows[device]["duplicate"] + rows[device]["dead_lettered"]
    }
    assert not differences
    assert set(rows) <= set(sent) | {key for key, row in rows.items() if row["received"] == 0}
    return rows
