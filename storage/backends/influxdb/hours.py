"""How many values of each device an InfluxDB holds in each hour, and for how long it keeps them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import msgspec

from core.clock import NS_PER_HOUR, hour_of
from core.errors import StoreUnavailableError
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from storage.backends.influxdb.http import HttpClient, NoAnswerError
from storage.backends.influxdb.influxql import RETENTION, Source, every_device, sources
from storage.backends.influxdb.query import QueryClient
from storage.ports import HourCount
from storage.refusal import EARLIEST_NS, LATEST_NS
from storage.selecting import known_quantities, storable_devices

_FIRST_WHOLE = -(-EARLIEST_NS // NS_PER_HOUR) * NS_PER_HOUR
_AFTER_WHOLE = LATEST_NS // NS_PER_HOUR * NS_PER_HOUR
"""InfluxQL groups by hours that lie whole in what it can say; at both ends is a part of one."""
_DURATION = re.compile(r"(\d+)h(\d+)m(\d+)s|(\d+)m(\d+)s|(\d+)s")


class _Rule(msgspec.Struct):
    everySeconds: int = 0  # noqa: N815 - as InfluxDB calls it


class _Bucket(msgspec.Struct):
    retentionRules: list[_Rule] = []  # noqa: N815 - as InfluxDB calls it


class _Buckets(msgspec.Struct):
    buckets: list[_Bucket] = []


class InfluxDBHours:
    """Counts by hour.

    Args:
        client: of the server.
        queries: of the database.
        bucket: name of the bucket (2.x) or database (1.x).
        org: organisation (2.x).
    """

    def __init__(self, *, client: HttpClient, queries: QueryClient, bucket: str, org: str) -> None:
        self._client = client
        self._queries = queries
        self._bucket = bucket
        self._org = org

    def hourly(
        self, devices: Sequence[DeviceKey] | None, *, start_ns: int, end_ns: int
    ) -> list[HourCount]:
        """See `PointReader.hourly`."""
        fields = known_quantities(CATALOGUE)
        asked = (
            every_device(fields) if devices is None else sources(storable_devices(devices), fields)
        )
        found: Counter[tuple[str, str, int]] = Counter()
        for source in asked:
            for first_ns, last_ns, grouped in _parts(start_ns, end_ns):
                self._add(found, source, first_ns, last_ns, grouped=grouped)
        return sorted(HourCount(*key, values) for key, values in found.items() if values)

    def keeps_s(self) -> int | None:
        """See `PointReader.keeps_s`.

        2.x says it of the bucket; what it answers to InfluxQL is not so. 1.x says it of the policy
        that is written to and read from.
        """
        found = self._found_buckets()
        if found:
            return sum(rule.everySeconds for rule in found[0].retentionRules) or None
        for rows in self._queries.run([RETENTION]):
            for row in rows.values:
                told = dict(zip(rows.columns, row, strict=True))
                if told["default"]:
                    return _seconds(told["duration"]) or None
        return None

    def _found_buckets(self) -> list[_Bucket]:
        """Return the bucket as 2.x describes it; nothing of 1.x, or when it is not shown to us."""
        try:
            answer = self._client.get("/api/v2/buckets", {"name": self._bucket, "org": self._org})
        except NoAnswerError as error:
            raise StoreUnavailableError(str(error)) from None
        if not answer.succeeded:
            return []
        try:
            return msgspec.json.decode(answer.body, type=_Buckets).buckets
        except msgspec.MsgspecError:
            return []

    def _add(
        self,
        found: Counter[tuple[str, str, int]],
        source: Source,
        start_ns: int,
        end_ns: int,
        *,
        grouped: bool,
    ) -> None:
        statement = source.hours(start_ns=start_ns, end_ns=end_ns, grouped=grouped)
        for rows in self._queries.run([statement]):
            site, device = rows.tags["site"], rows.tags["device"]
            for time_ns, *counts in rows.values:
                hour = hour_of(time_ns if grouped else start_ns)
                found[site, device, hour] += int(sum(count or 0 for count in counts))


def _parts(start_ns: int, end_ns: int) -> list[tuple[int, int, bool]]:
    """Return the parts of a range to ask for, each with whether it is grouped by hour."""
    start_ns, end_ns = max(start_ns, EARLIEST_NS), min(end_ns, LATEST_NS + 1)
    parts = [
        (start_ns, min(end_ns, _FIRST_WHOLE), False),
        (max(start_ns, _FIRST_WHOLE), min(end_ns, _AFTER_WHOLE), True),
        (max(start_ns, _AFTER_WHOLE), end_ns, False),
    ]
    return [part for part in parts if part[0] < part[1]]


def _seconds(text: str) -> int:
    """Return the seconds of a duration as Go writes it, such as `168h0m0s`; `0s`: for ever.

    Raises:
        ValueError: it is none.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"InfluxDB says that it keeps values for {text!r}: that is no duration")
    hours, minutes, seconds, minutes_alone, seconds_after, seconds_alone = (
        int(part or 0) for part in found.groups()
    )
    return hours * 3600 + (minutes + minutes_alone) * 60 + seconds + seconds_after + seconds_alone
