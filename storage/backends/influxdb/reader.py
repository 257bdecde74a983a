"""Reading from InfluxDB in InfluxQL, which 1.x, 2.x and 3.x all serve.

Windows: InfluxQL's own time zones (`tz()`) do not cut windows as the port says across a change of
clock, so windows are cut here (`storage.windows`) and asked for in runs of equal length, each run
one `GROUP BY time(length, offset)`: days over a year are five statements. What InfluxQL does not
compute as the port defines it, or cannot answer because a sum on the way is beyond float64, is
computed here from raw values as they stream in, one window at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isinf

from core.quantities import CATALOGUE
from core.reading import DeviceKey, Reading
from storage.aggregation import checked_percentile
from storage.backends.influxdb.fold import Fold
from storage.backends.influxdb.influxql import EXISTS, ON_THE_SERVER, Source, field_keys, sources
from storage.backends.influxdb.query import (
    QueryClient,
    Rows,
    Statement,
    UnrepresentableError,
)
from storage.columns import Column, ColumnRead, SeriesKey, column, joined
from storage.ports import Aggregate, Page, Position, Selection, Windows, WindowValue
from storage.refusal import EARLIEST_NS, LATEST_NS
from storage.selecting import (
    Series,
    checked_limit,
    known_quantities,
    page_of,
    position_of,
    storable_devices,
    window_values,
    within_bounds,
)
from storage.windows import Run, cut, runs

_STATEMENTS = 50  # in one request
_LEAST_ROWS = 100

_Found = dict[Series, dict[int, tuple[float, int]]]


class InfluxDBReader:
    """A `PointReader`.

    Args:
        queries: of the database.
    """

    def __init__(self, *, queries: QueryClient) -> None:
        self._queries = queries

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        """See `PointReader.read`.

        Each source answers its oldest rows; what is older than the newest row of every source that
        may have more is complete. One instant, however many devices share it, is read whole.
        """
        checked_limit(limit)
        selection = within_bounds(selection)
        wanted = _sources(selection)
        start_ns = selection.start_ns if after is None else max(selection.start_ns, after.time_ns)
        rows = max(limit + 2, _LEAST_ROWS)
        found: list[Reading] = []
        while len(found) <= limit and start_ns < selection.end_ns and wanted:
            batch, complete_ns = self._rows_in_order(
                wanted, start_ns=start_ns, end_ns=selection.end_ns, limit=rows
            )
            if complete_ns is None:
                start_ns = selection.end_ns
            else:
                start_ns = complete_ns + 1
                batch = [one for one in batch if one.time_ns < complete_ns]
            found += _beyond(batch, after)
            if complete_ns is not None and len(found) <= limit:
                instant, _ = self._rows_in_order(
                    wanted, start_ns=complete_ns, end_ns=complete_ns + 1, limit=None
                )
                found += _beyond(instant, after)
        found.sort(key=position_of)
        return page_of(found, limit=limit)

    def aggregate(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `PointReader.aggregate`."""
        checked_percentile(windows)
        selection = within_bounds(selection)
        edges = cut(
            windows.every,
            zone=windows.zone,
            start_ns=selection.start_ns,
            end_ns=selection.end_ns,
        )
        found: _Found = {}
        if edges:
            if windows.aggregate in ON_THE_SERVER:
                try:
                    found = self._from_server(selection, windows.aggregate, edges)
                except UnrepresentableError:
                    found = self._from_raw(selection, windows, edges)
            else:
                found = self._from_raw(selection, windows, edges)
        return window_values(selection, edges, found)

    def aggregate_rolled(self, selection: Selection, windows: Windows) -> list[WindowValue]:
        """See `storage.rollups.RollupStore.aggregate_rolled`."""
        edges = cut(
            windows.every,
            zone=windows.zone,
            start_ns=selection.start_ns,
            end_ns=selection.end_ns,
        )
        found = self._from_server(selection, windows.aggregate, edges, rolled=True)
        return window_values(selection, edges, found)

    def latest(
        self, devices: Sequence[DeviceKey], *, quantities: Sequence[str] | None = None
    ) -> list[Reading]:
        """See `PointReader.latest`."""
        asked = known_quantities(CATALOGUE if quantities is None else quantities)
        keys = storable_devices(devices)
        if not asked or not keys:
            return []
        kept = self._existing(asked)
        questions = [
            (name, each.newest(name)) for each in sources(keys, kept) for name in each.fields
        ]
        found: dict[Series, Reading] = {}
        for index, rows in self._run([statement for _, statement in questions]):
            name = questions[index][0]
            time_ns, value, quality = rows.values[0]
            series = (rows.tags["site"], rows.tags["device"], name)
            found[series] = Reading(*series, time_ns, value, int(quality or 0))
        order = sorted(CATALOGUE) if quantities is None else list(dict.fromkeys(quantities))
        candidates = ((key.site, key.device, name) for key in keys for name in order)
        return [found[series] for series in candidates if series in found]

    def count(self, selection: Selection) -> int:
        """See `PointReader.count`."""
        selection = within_bounds(selection)
        statements = [
            each.counts(start_ns=selection.start_ns, end_ns=selection.end_ns)
            for each in _sources(selection)
        ]
        return sum(
            int(number)
            for _, rows in self._run(statements)
            for row in rows.values
            for number in row[1:]
            if number is not None
        )

    def read_columns(
        self, series: Sequence[SeriesKey], *, start_ns: int, end_ns: int, rows: int
    ) -> list[ColumnRead]:
        """See `storage.columns.ColumnReader.read_columns`."""
        checked_limit(rows)
        start_ns, last_ns = max(start_ns, EARLIEST_NS), min(end_ns, LATEST_NS + 1)
        statements, asked = [], []
        for place, one in enumerate(series):
            keys = storable_devices([DeviceKey(one.site, one.device)])
            for source in sources(keys, known_quantities([one.quantity]), place=place):
                statements.append(source.page(start_ns=start_ns, end_ns=last_ns, rows=rows))
                asked.append(place)
        parts: list[list[Column]] = [[] for _ in series]
        counts = [0] * len(series)
        upto_ns = [end_ns] * len(series)
        for index, answer in self._run(statements):
            place = asked[index]
            parts[place].append(_column(answer, series[place]))
            counts[place] += len(answer.values)
            if counts[place] == rows:
                upto_ns[place] = answer.values[-1][0] + 1
        return [
            ColumnRead(joined(one, some), upto)
            for one, some, upto in zip(series, parts, upto_ns, strict=True)
        ]

    def ping(self) -> None:
        """See `PointReader.ping`: the server knows the database and lets us read it."""
        for _ in self._queries.run([EXISTS]):
            pass

    def _run(self, statements: Sequence[Statement]) -> Iterator[tuple[int, Rows]]:
        """Yield the rows of any number of statements, each with its statement's position.

        Each answer is short: a page of rows, or a row a window.
        """
        for first in range(0, len(statements), _STATEMENTS):
            for rows in self._queries.run_whole(statements[first : first + _STATEMENTS]):
                yield first + rows.statement, rows

    def _rows_in_order(
        self, wanted: Sequence[Source], *, start_ns: int, end_ns: int, limit: int | None
    ) -> tuple[list[Reading], int | None]:
        """Return readings, and the instant from which on some may be missing, or None.

        Args:
            wanted: what to read.
            start_ns: first instant, inclusive.
            end_ns: last instant, exclusive.
            limit: rows of each source, at most; None: all.
        """
        statements = [each.page(start_ns=start_ns, end_ns=end_ns, rows=limit) for each in wanted]
        readings: list[Reading] = []
        counts = [0] * len(wanted)
        complete_ns: int | None = None
        for index, rows in self._run(statements):
            readings += _readings(rows, wanted[index])
            counts[index] += len(rows.values)
            if counts[index] == limit:
                last_ns = rows.values[-1][0]
                complete_ns = last_ns if complete_ns is None else min(last_ns, complete_ns)
        return readings, complete_ns

    def _from_server(
        self,
        selection: Selection,
        aggregate: Aggregate,
        edges: list[int],
        *,
        rolled: bool = False,
    ) -> _Found:
        """Return what the server computes of each window, from values or from hourly roll-ups."""
        mean_of_hours = rolled and aggregate is Aggregate.MEAN
        questions: list[tuple[Run, Source]] = []
        statements: list[Statement] = []
        for run in runs(edges, alone=_beyond_time):
            first_ns = edges[run.first]
            for each in _sources(selection):
                questions.append((run, each))
                ask = each.rolled if rolled else each.windows
                statements.append(
                    ask(
                        aggregate,
                        start_ns=max(selection.start_ns, first_ns),
                        end_ns=min(selection.end_ns, edges[run.first + run.count]),
                        every_ns=run.length_ns if run.count > 1 else 0,
                        offset_ns=first_ns % run.length_ns,
                    )
                )
        found: _Found = {}
        for index, rows in self._run(statements):
            run, source = questions[index]
            for position, name in enumerate(source.fields):
                series = (rows.tags["site"], rows.tags["device"], name)
                values = found.setdefault(series, {})
                for row in rows.values:
                    value, number = row[1 + 2 * position : 3 + 2 * position]
                    if number:
                        if isinf(value):
                            raise UnrepresentableError(f"a sum of {name} is beyond float64")
                        after = (row[0] - edges[run.first]) // run.length_ns
                        window = run.first + (after if run.count > 1 else 0)
                        if mean_of_hours:
                            value /= number
                        values[window] = (value, int(number))
        return found

    def _from_raw(self, selection: Selection, windows: Windows, edges: list[int]) -> _Found:
        fold = Fold(
            edges=edges,
            end_ns=selection.end_ns,
            aggregate=windows.aggregate,
            percentile=checked_percentile(windows),
        )
        for each in _sources(selection):
            statement = each.series(start_ns=selection.start_ns, end_ns=selection.end_ns)
            for rows in self._queries.run([statement]):
                fold.add(rows)
        return fold.done()

    def _existing(self, asked: dict[str, list[str]]) -> dict[str, list[str]]:
        """Return those of some quantities that the database has any value of."""
        measurements = list(asked)
        statements = [*map(field_keys, measurements), EXISTS]
        found: dict[str, set[str]] = {}
        for index, rows in self._run(statements):
            if rows.columns[0] == "fieldKey":
                found.setdefault(measurements[index], set()).update(row[0] for row in rows.values)
        kept = {
            measurement: [name for name in names if name in found.get(measurement, ())]
            for measurement, names in asked.items()
        }
        return {measurement: names for measurement, names in kept.items() if names}


def _column(rows: Rows, series: SeriesKey) -> Column:
    """Return the values of the rows of `Source.page` of one device's one field."""
    times, values, quality = zip(*rows.values, strict=True)
    if None in values:
        kept = [row for row in rows.values if row[1] is not None]
        if not kept:
            return column(series, (), (), ())
        times, values, quality = zip(*kept, strict=True)
    # where every point is good, the field is nowhere: one comparison instead of thousands
    flags = [0] * len(times) if not any(quality) else [int(flag or 0) for flag in quality]
    return column(series, times, values, flags)


def _readings(rows: Rows, source: Source) -> list[Reading]:
    """Return the values of some rows of `Source.page`."""
    only, names = source.only, source.fields
    if only is not None and len(names) == 1:
        site, device, name = only.site, only.device, names[0]
        return [
            Reading(site, device, name, time_ns, value, int(quality or 0))
            for time_ns, value, quality in rows.values
            if value is not None
        ]
    found: list[Reading] = []
    for time_ns, *columns, quality in rows.values:
        if only is None:
            site, device, *values = columns
        else:
            site, device, values = only.site, only.device, columns
        flags = int(quality or 0)
        found.extend(
            Reading(site, device, name, time_ns, value, flags)
            for name, value in zip(names, values, strict=True)
            if value is not None
        )
    return found


def _beyond_time(start_ns: int, end_ns: int) -> bool:
    """Tell whether InfluxQL would answer a `GROUP BY time()` that holds this window by nothing."""
    return start_ns < EARLIEST_NS or end_ns > LATEST_NS


def _sources(selection: Selection) -> list[Source]:
    fields = known_quantities(selection.quantities)
    return list(sources(storable_devices(selection.devices), fields))


def _beyond(readings: list[Reading], after: Position | None) -> list[Reading]:
    return [one for one in readings if after is None or position_of(one) > after]
