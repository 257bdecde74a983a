"""Writing to InfluxDB by the v2 write API, which 1.x (from 1.8) and 3.x serve too.

One request per batch, nanoseconds, gzip where it pays. Both servers sync their log before they
answer 204 (with their default settings).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from urllib.parse import urlencode

from core.reading import Point
from storage.backends.influxdb.answers import Answer, Stored, answer_to_write
from storage.backends.influxdb.http import HttpClient, NoAnswerError
from storage.backends.influxdb.settle import Unit, settle
from storage.line_protocol import line_of
from storage.ports import Rejected, Retry, Written
from storage.refusal import refused

_LEVEL = 1  # level 9 takes seven times as long for an eighth less


class InfluxDBWriter:
    """A `PointWriter`.

    Args:
        client: of the server; whoever made it closes it.
        bucket: bucket (2.x) or database (1.x).
        org: organisation (2.x).
        compress: send gzip.
    """

    def __init__(self, *, client: HttpClient, bucket: str, org: str, compress: bool = True) -> None:
        self._client = client
        self._compress = compress
        self._headers = {"Content-Type": "text/plain; charset=utf-8"}
        if compress:
            self._headers["Content-Encoding"] = "gzip"
        parameters = {"bucket": bucket, "org": org, "precision": "ns"}
        self._path = f"/api/v2/write?{urlencode(parameters)}"

    def write(self, points: Sequence[Point]) -> Written | Retry:
        """See `PointWriter.write`."""
        rejected = refused(points)
        bad = {one.index for one in rejected}
        lines = {index: line_of(point) for index, point in enumerate(points) if index not in bad}
        if not lines:
            return Written(rejected)
        answer = self._send(lines.values())
        if isinstance(answer, Stored):
            return Written(rejected)
        if isinstance(answer, Retry):
            return answer
        reasons = settle(_units(points, lines), self._send_units)
        if isinstance(reasons, Retry):
            return reasons
        more = [Rejected(index, reason) for index, reason in reasons.items()]
        return Written(tuple(sorted([*rejected, *more], key=lambda one: one.index)))

    def write_lines(self, lines: bytes) -> bool | Retry:
        """See `LineWriter.write_lines`."""
        answer = self._post(lines)
        return answer if isinstance(answer, Retry) else isinstance(answer, Stored)

    def close(self) -> None:
        """Do nothing: the client belongs to whoever made it."""

    def _send_units(self, units: Sequence[Unit]) -> Answer:
        return self._send(line for unit in units for line in unit.lines)

    def _send(self, lines: Iterable[str]) -> Answer:
        return self._post("\n".join(lines).encode())

    def _post(self, lines: bytes) -> Answer:
        body = gzip.compress(lines, _LEVEL) if self._compress else lines
        try:
            response = self._client.post(self._path, body, self._headers)
        except NoAnswerError as error:
            return Retry(str(error))
        return answer_to_write(response)


def _units(points: Sequence[Point], lines: dict[int, str]) -> list[Unit]:
    by_key: dict[tuple[str, str, str, int], list[int]] = {}
    for index in lines:
        point = points[index]
        key = (point.site, point.device, point.category, point.time_ns)
        by_key.setdefault(key, []).append(index)
    return [
        Unit(
            time_ns=key[3],
            lines=tuple(lines[index] for index in indexes),
            indexes=tuple(indexes),
        )
        for key, indexes in by_key.items()
    ]
