"""The InfluxQL statements of the reader.

Measurements and fields are names of the catalogue, quoted; sites and devices are what people and
devices chose, and only ever travel as bound parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from core.clock import NS_PER_HOUR
from core.reading import DeviceKey
from storage.backends.influxdb.query import Statement
from storage.line_protocol import QUALITY
from storage.ports import Aggregate

_DEVICES = 100  # in one statement; more are asked for by several
_FUNCTIONS = {
    Aggregate.MEAN: "mean",
    Aggregate.MIN: "min",
    Aggregate.MAX: "max",
    Aggregate.SUM: "sum",
    Aggregate.COUNT: "count",
    Aggregate.FIRST: "first",
    Aggregate.LAST: "last",
    Aggregate.MEDIAN: "median",
}
ON_THE_SERVER = frozenset(_FUNCTIONS)
"""Aggregates that InfluxQL computes as the port defines them. Its `percentile` rounds the rank to
the nearest instead of up, and it has no time-weighted mean that starts anew in each window."""

HOURS = "_1h"
"""What a category's name ends in where its hourly roll-ups are."""
ROLLED = ("count", "sum", "min", "max", "first", "last")
"""What is kept of each hour; `QUANTITY_COUNT` and so on are fields of the roll-ups."""
FROM_HOURS = {
    Aggregate.MEAN: ("sum", "sum"),
    Aggregate.MIN: ("min", "min"),
    Aggregate.MAX: ("max", "max"),
    Aggregate.SUM: ("sum", "sum"),
    Aggregate.COUNT: ("sum", "count"),
    Aggregate.FIRST: ("first", "first"),
    Aggregate.LAST: ("last", "last"),
}
"""How each aggregate is made of hours: the function, and of which field."""


class Source(msgspec.Struct, frozen=True):
    """Some devices' fields of one measurement: what one statement reads.

    Attributes:
        measurement: a category.
        fields: quantities of it.
        condition: InfluxQL that chooses the devices.
        parameters: values in it.
        only: the device, where there is one; rows need not say it then, and are answered sooner.
    """

    measurement: str
    fields: tuple[str, ...]
    condition: str
    parameters: dict[str, str]
    only: DeviceKey | None = None

    def page(self, *, start_ns: int, end_ns: int, rows: int | None) -> Statement:
        """Return a read of rows in order of time.

        Columns: `site` and `device` (without `only`), the fields, the quality.
        """
        columns = ", ".join(_quoted(name) for name in (*self.fields, QUALITY))
        tags = "" if self.only else '"site"::tag, "device"::tag, '
        limit = "" if rows is None else f" LIMIT {rows}"
        return self._statement(f"{tags}{columns}", start_ns, end_ns, f"ORDER BY time{limit}")

    def series(self, *, start_ns: int, end_ns: int) -> Statement:
        """Return a read of rows series by series, each in order of time: the fields."""
        columns = ", ".join(map(_quoted, self.fields))
        return self._statement(columns, start_ns, end_ns, 'GROUP BY "site", "device"')

    def windows(
        self, aggregate: Aggregate, *, start_ns: int, end_ns: int, every_ns: int, offset_ns: int
    ) -> Statement:
        """Return per series and window, for the field number `i`: `v{i}` and its count `n{i}`.

        Args:
            aggregate: one of `ON_THE_SERVER`.
            start_ns: first instant, inclusive.
            end_ns: last instant, exclusive.
            every_ns: length of the windows; 0: the whole range is one.
            offset_ns: start of any window, less a multiple of `every_ns`, 0 or more.
        """
        function = _FUNCTIONS[aggregate]
        columns = ", ".join(
            f"{function}({_quoted(name)}) AS v{index}, count({_quoted(name)}) AS n{index}"
            for index, name in enumerate(self.fields)
        )
        each = f"time({every_ns}ns, {offset_ns}ns), " if every_ns else ""
        grouping = f'GROUP BY {each}"site", "device"'
        fill = " fill(none)" if every_ns else ""
        return self._statement(columns, start_ns, end_ns, grouping + fill)

    def rolled(
        self, aggregate: Aggregate, *, start_ns: int, end_ns: int, every_ns: int, offset_ns: int
    ) -> Statement:
        """Return what `windows` does from the hourly roll-ups, but the sum instead of the mean.

        Args:
            aggregate: one of `FROM_HOURS`.
            start_ns: start of an hour.
            end_ns: end of an hour.
            every_ns: whole hours; 0: the whole range is one window.
            offset_ns: whole hours.
        """
        function, of = FROM_HOURS[aggregate]
        hourly = every_ns == NS_PER_HOUR
        columns = ", ".join(
            f"{_quoted(f'{name}_{of}')} AS v{index}, {_quoted(f'{name}_count')} AS n{index}"
            if hourly
            else f"{function}({_quoted(f'{name}_{of}')}) AS v{index}, "
            f"sum({_quoted(f'{name}_count')}) AS n{index}"
            for index, name in enumerate(self.fields)
        )
        if hourly:  # a row is a window as it stands: several times sooner than grouping
            every_ns = 0
        each = f"time({every_ns}ns, {offset_ns}ns), " if every_ns else ""
        fill = " fill(none)" if every_ns else ""
        hours = msgspec.structs.replace(self, measurement=f"{self.measurement}{HOURS}")
        return hours._statement(  # noqa: SLF001 - of its own class
            columns, start_ns, end_ns, f'GROUP BY {each}"site", "device"{fill}'
        )

    def rolling(self, *, start_ns: int, end_ns: int) -> Statement:
        """Return per series and hour of UTC every column of `ROLLED` of every field, in order."""
        columns = ", ".join(
            f"{function}({_quoted(name)}) AS {function}{index}"
            for index, name in enumerate(self.fields)
            for function in ROLLED
        )
        grouping = 'GROUP BY time(1h), "site", "device" fill(none)'
        return self._statement(columns, start_ns, end_ns, grouping)

    def counts(self, *, start_ns: int, end_ns: int) -> Statement:
        """Return one row: for the field number `i`, how many values as `n{i}`."""
        columns = ", ".join(
            f"count({_quoted(name)}) AS n{index}" for index, name in enumerate(self.fields)
        )
        return self._statement(columns, start_ns, end_ns, "")

    def hours(self, *, start_ns: int, end_ns: int, grouped: bool) -> Statement:
        """Return per series, for the field number `i`, how many values as `n{i}`.

        Args:
            start_ns: first instant, inclusive.
            end_ns: last instant, exclusive.
            grouped: a row for each hour of UTC that has any; else one for the whole range.
        """
        columns = ", ".join(
            f"count({_quoted(name)}) AS n{index}" for index, name in enumerate(self.fields)
        )
        each, fill = ("time(1h), ", " fill(none)") if grouped else ("", "")
        return self._statement(columns, start_ns, end_ns, f'GROUP BY {each}"site", "device"{fill}')

    def newest(self, field: str) -> Statement:
        """Return per series the row of the greatest time that has `field`: `value`, quality."""
        return Statement(
            f'SELECT last({_quoted(field)}) AS "value", {_quoted(QUALITY)} '  # noqa: S608 - see above
            f'FROM {_quoted(self.measurement)} WHERE {self.condition} GROUP BY "site", "device"',
            self.parameters,
        )

    def _statement(self, columns: str, start_ns: int, end_ns: int, rest: str) -> Statement:
        return Statement(
            f"SELECT {columns} FROM {_quoted(self.measurement)} "  # noqa: S608 - see above
            f"WHERE {self.condition} AND time >= {start_ns} AND time < {end_ns} {rest}",
            self.parameters,
        )


def sources(
    devices: Sequence[DeviceKey], fields: dict[str, list[str]], *, place: int = 0
) -> Iterator[Source]:
    """Yield what to read for some devices and fields.

    Args:
        devices: each once.
        fields: quantities by category.
        place: number of the first parameter: statements of one request share their parameters, so
            those of different calls must not have the same numbers.
    """
    for first in range(0, len(devices), _DEVICES):
        some = devices[first : first + _DEVICES]
        parameters: dict[str, str] = {}
        by_site: dict[str, list[str]] = {}
        for index, key in enumerate(some, start=first + place):
            parameters[f"d{index}"] = key.device
            by_site.setdefault(key.site, []).append(f'"device" = $d{index}')
        parts = []
        for index, (site, conditions) in enumerate(by_site.items(), start=first + place):
            parameters[f"s{index}"] = site
            parts.append(f'("site" = $s{index} AND ({" OR ".join(conditions)}))')
        condition = f"({' OR '.join(parts)})"
        for measurement, names in fields.items():
            only = some[0] if len(some) == 1 else None
            yield Source(measurement, tuple(names), condition, parameters, only)


def every_device(fields: dict[str, list[str]]) -> Iterator[Source]:
    """Yield what to read for every device that there is; `fields` as in `sources`."""
    for measurement, names in fields.items():
        yield Source(measurement, tuple(names), "\"site\" != ''", {})


def field_keys(measurement: str) -> Statement:
    """Return a statement that lists the fields of a measurement; nothing in no database."""
    return Statement(f"SHOW FIELD KEYS FROM {_quoted(measurement)}", {})


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


RETENTION = Statement("SHOW RETENTION POLICIES", {})
"""For how long each policy of the database keeps values: `duration`, text such as `168h0m0s`."""
EXISTS = Statement('SELECT "quality" FROM "environment" WHERE time = 0 LIMIT 1', {})
"""A cheap statement that fails where there is no database: SHOW answers nothing there."""
