"""Asking InfluxDB what it has, with one connection and as little CPU as a poll can cost."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec

from benchmarks.workload import CATEGORY, QUANTITIES
from tests.servers.influxdb2 import InfluxDB2

_OK = 200
_TIMEOUT_S = 120.0


class _Series(msgspec.Struct):
    columns: list[str]
    values: list[list[Any]]


class _Result(msgspec.Struct):
    series: list[_Series] = []
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result]


_ANSWER = msgspec.json.Decoder(_Answer)


class Bucket:
    """What one bucket holds of the workload.

    Args:
        access: the server.
        name: the bucket.
    """

    def __init__(self, *, access: InfluxDB2, name: str) -> None:
        self.access = access
        self.name = name
        address = urlsplit(access.url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=_TIMEOUT_S
        )

    def again(self) -> Bucket:
        """Return the same bucket with a connection of its own, for another thread."""
        return Bucket(access=self.access, name=self.name)

    def points(self) -> int:
        """Return how many points have a value of the first quantity."""
        return self._counts(f'SELECT count("{QUANTITIES[0]}") FROM "{CATEGORY}"').get("count", 0)  # noqa: S608

    def values(self) -> dict[str, int]:
        """Return how many values each quantity has."""
        counted = self._counts(
            "SELECT "  # noqa: S608 - own names
            + ", ".join(f'count("{name}") AS "{name}"' for name in QUANTITIES)
            + f' FROM "{CATEGORY}"'
        )
        return {name: counted.get(name, 0) for name in QUANTITIES}

    def instants(self, device: str, *, after_ms: int) -> list[int]:
        """Return the instants of a device's points after one, in ms, oldest first."""
        rows = self._query(
            f'SELECT "{QUANTITIES[0]}" FROM "{CATEGORY}" WHERE "device" = \'{device}\' '  # noqa: S608
            f"AND time > {after_ms}ms"
        )
        return [int(row[0]) for series in rows for row in series.values]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def delete(self) -> None:
        """Delete the bucket and close the connection."""
        self.close()
        self.access.delete_bucket(self.name)

    def _counts(self, query: str) -> dict[str, int]:
        series = self._query(query)
        return dict(zip(series[0].columns, series[0].values[0], strict=True)) if series else {}

    def _query(self, query: str) -> Sequence[_Series]:
        self._connection.request(
            "GET",
            "/query?" + urlencode({"db": self.name, "q": query, "epoch": "ms"}),
            headers={"Authorization": f"Token {self.access.token}"},
        )
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != _OK:
            raise RuntimeError(f"InfluxDB answered {answer.status} to {query}: {body[:300]!r}")
        result = _ANSWER.decode(body).results[0]
        if result.error:
            raise RuntimeError(f"InfluxDB refused {query}: {result.error}")
        return result.series
