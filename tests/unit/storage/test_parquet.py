"""What the directory of Parquet files promises, and the examples of `docs/storage.md`."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import NS_PER_S, ManualClock
from core.quality import Quality
from core.quantities import CATALOGUE
from core.reading import DeviceKey
from core.settings import load_settings
from storage.backends.memory import MemoryStore
from storage.backends.parquet.compaction import compact
from storage.backends.parquet.rows import SCHEMA
from storage.backends.parquet.sink import ParquetSink
from storage.factory import open_sink
from storage.ports import Retry, Selection, Span, SpanWriter, Written
from tests.contract.storage_data import DAY, HUMIDITY, T0, TEMPERATURE, point

STREAM = "worker-1-0123456789abcdef"
NEVER = date(2100, 1, 1)
DOCS = Path(__file__).parents[3] / "docs" / "storage.md"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(T0)


@pytest.fixture
def sink(tmp_path: Path, clock: ManualClock) -> ParquetSink:
    return ParquetSink(
        directory=tmp_path / "points", span_points=1000, span_age_s=60.0, clock=clock
    )


def span(first: int, last: int | None = None) -> Span:
    return Span(STREAM, first, first if last is None else last)


def files(sink: ParquetSink) -> list[Path]:
    return sorted(sink.directory.rglob("*.*"))


def rows(sink: ParquetSink) -> list[dict[str, Any]]:
    """Return every row, without what is empty."""
    found: list[dict[str, Any]] = []
    for path in sorted(sink.directory.glob("site=*/date=*/*.parquet")):
        table = pq.ParquetFile(path).read()
        times = table["time"].cast("int64").to_pylist()
        for row, time_ns in zip(table.to_pylist(), times, strict=True):
            kept = {name: value for name, value in row.items() if value is not None}
            del kept["written"]
            found.append({**kept, "time": time_ns})
    return found


def row(time_ns: int, quality: int = 0, **values: float) -> dict[str, Any]:
    key = {"device": "thermo-1", "category": "environment", "time": time_ns}
    return {**key, **values, "quality": quality}


def test_the_settings_open_it(tmp_path: Path) -> None:
    all_settings = load_settings(
        sinks=[{"name": "archive", "url": f"parquet:///{tmp_path}/points", "file_points": 7}]
    )
    opened = open_sink(all_settings, all_settings.sinks[0])
    assert isinstance(opened, SpanWriter)
    assert opened.span_points == 7
    assert opened.write([point(T0)]) == Written()
    assert list((tmp_path / "points").glob("site=elgazala/date=2026-09-21/*.parquet"))


def test_a_point_is_a_row_in_the_directory_of_its_site_and_utc_day(sink: ParquetSink) -> None:
    batch = [
        point(T0, 21.5, humidity=-0.0, quality=Quality.LATE),
        point(T0 + DAY, 1e-300),
        point(T0, 3.0, key=DeviceKey("a/b c", "../x")),
    ]
    assert sink.write_span(batch, span(1)) == Written()
    name = f"{STREAM}-{1:015d}-{1:015d}.parquet"
    assert [str(path.relative_to(sink.directory)) for path in files(sink)] == [
        f"site=a%2Fb%20c/date=2026-09-21/{name}",
        f"site=elgazala/date=2026-09-21/{name}",
        f"site=elgazala/date=2026-09-22/{name}",
    ]
    assert row(T0, 8, air_temperature=21.5, relative_humidity=-0.0) in rows(sink)
    assert row(T0 + DAY, air_temperature=1e-300) in rows(sink)


def test_every_column_tells_its_quantity_unit_and_category(sink: ParquetSink) -> None:
    sink.write_span([point(T0)], span(1))
    schema = pq.read_schema(files(sink)[0])
    for entry in CATALOGUE.values():
        told = schema.field(entry.name).metadata
        assert told[b"unit"].decode() == entry.unit
        assert told[b"quantity"].decode() == entry.name
        assert told[b"category"].decode() == entry.category.value
    assert str(schema.field("time").type) == "timestamp[ns, tz=UTC]"
    assert len(set(SCHEMA.names) | {"site", "date"}) == len(CATALOGUE) + 5 + 2


def test_a_span_written_again_is_there_once(sink: ParquetSink) -> None:
    batch = [point(T0 + index, float(index)) for index in range(10)]
    for _ in range(3):
        assert sink.write_span(batch, span(4, 9)) == Written()
    assert len(rows(sink)) == 10
    assert len(files(sink)) == 1


def test_what_was_not_confirmed_is_taken_away_however_it_is_cut_the_next_time(
    sink: ParquetSink,
) -> None:
    sink.write_span([point(T0)], span(1, 3))
    sink.write_span([point(T0 + 1), point(T0 + DAY)], span(4, 6))
    other = Span("worker-2-0123456789abcdef", 4, 6)
    sink.write_span([point(T0 + 9)], other)
    half = sink.directory / "site=elgazala/date=2026-09-21" / f".{STREAM}-{4:015d}-{8:015d}"
    half.with_name(f"{half.name}.parquet.tmp").write_bytes(b"half")
    assert sink.reclaim(STREAM, after=3) == Written()
    assert [one["time"] for one in rows(sink)] == [T0, T0 + 9]
    assert not list(sink.directory.rglob("*.tmp"))


def test_of_two_points_with_one_key_the_later_counts(sink: ParquetSink) -> None:
    sink.write_span(
        [point(T0, 1.0, quality=4), point(T0, 2.0), point(T0, None, humidity=3.0)], span(1)
    )
    assert rows(sink) == [row(T0, 4, air_temperature=2.0, relative_humidity=3.0)]


def test_points_without_a_span_add_only_what_is_not_there(
    sink: ParquetSink, clock: ManualClock
) -> None:
    batch = [point(T0 + index, float(index), humidity=5.0) for index in range(10)]
    sink.write_span(batch[:5], span(1))
    clock.advance(1)
    for _ in range(2):
        assert sink.write(batch) == Written()
    assert sorted(one["time"] for one in rows(sink)) == [T0 + index for index in range(10)]
    clock.advance(1)
    sink.write([point(T0, -0.0, humidity=5.0, quality=2)])
    assert len(rows(sink)) == 11
    clock.advance(1)
    sink.write([point(T0, -0.0, humidity=5.0, quality=2), point(T0 + 1, 1.0)])
    assert len(rows(sink)) == 11
    changed = [one for one in rows(sink) if str(one.get(TEMPERATURE)) == "-0.0"]
    assert changed == [row(T0, 2, air_temperature=-0.0)]


def test_what_no_store_takes_is_rejected(sink: ParquetSink) -> None:
    outcome = sink.write_span(
        [point(T0, float("nan")), point(T0), point(T0, key=DeviceKey("é" * 200, "d"))], span(1)
    )
    assert isinstance(outcome, Written)
    assert [one.index for one in outcome.rejected] == [0, 2]
    assert len(rows(sink)) == 1


def test_a_directory_that_cannot_be_written_is_a_reason_to_retry(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "points").write_text("a file is in the way")
    sink = ParquetSink(directory=tmp_path / "points", span_points=1, span_age_s=1.0, clock=clock)
    outcome = sink.write_span([point(T0)], span(1))
    assert isinstance(outcome, Retry)
    assert "points" in outcome.reason
    (tmp_path / "points").unlink()
    assert sink.write_span([point(T0)], span(1)) == Written()


def test_compaction_leaves_one_file_and_one_row_a_key(
    sink: ParquetSink, clock: ManualClock
) -> None:
    for number in range(5):
        clock.advance(1)
        changed = point(T0, float(number), humidity=None if number else 40.0, quality=number % 2)
        sink.write_span([changed, point(T0 + number + 1)], span(number + 1))
    sink.write_span([point(T0 + 9)], span(6))
    assert compact(sink.directory, before=date(2026, 9, 21)) == 0
    assert len(files(sink)) == 6
    assert compact(sink.directory, before=date(2026, 9, 22)) == 1
    merged, last = files(sink)
    assert merged.name.startswith("merged-")
    assert last.name == f"{STREAM}-{6:015d}-{6:015d}.parquet"
    assert rows(sink)[0] == row(T0, 1, air_temperature=4.0, relative_humidity=40.0)
    assert len(rows(sink)) == 7
    assert pq.read_schema(merged).field(TEMPERATURE).metadata[b"unit"] == b"Cel"
    assert compact(sink.directory, before=NEVER) == 0
    sink.write_span([point(T0 + 10)], span(7))
    assert compact(sink.directory, before=NEVER) == 1
    assert len(rows(sink)) == 8


def test_the_last_span_of_a_stream_is_not_compacted_as_it_may_be_written_again(
    sink: ParquetSink,
) -> None:
    sink.write_span([point(T0)], span(1))
    sink.write([point(T0 + 1)])
    sink.write([point(T0 + 2)])
    sink.write_span([point(T0 + 3), point(T0 + DAY)], span(2))
    compact(sink.directory, before=NEVER)
    assert sink.reclaim(STREAM, after=1) == Written()
    assert sorted(one["time"] for one in rows(sink)) == [T0, T0 + 1, T0 + 2]


def test_an_interrupted_compaction_is_finished_by_the_next(sink: ParquetSink) -> None:
    for number in range(4):
        sink.write_span([point(T0 + number)], span(number + 1))
    old = {path: path.read_bytes() for path in files(sink)[:3]}
    compact(sink.directory, before=NEVER)
    for path, content in old.items():
        path.write_bytes(content)  # as if it had been killed before it removed them
    assert len(rows(sink)) == 7
    compact(sink.directory, before=NEVER)
    assert len(rows(sink)) == 4


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from([0, 4, 8]),
            st.booleans(),
        ),
        max_size=8,
    )
)
@settings(max_examples=25, deadline=None)
def test_after_compaction_the_rows_are_what_a_store_would_say(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[int, float | None, float | None, int, bool]],
) -> None:
    clock = ManualClock(T0)
    sink = ParquetSink(
        directory=tmp_path_factory.mktemp("points"), span_points=1, span_age_s=1.0, clock=clock
    )
    store = MemoryStore()
    for seq, (offset, temperature, humidity, quality, filled) in enumerate(writes, start=1):
        if temperature is None and humidity is None:
            continue
        clock.advance(1)
        batch = [point(T0 + offset, temperature, humidity=humidity, quality=quality)]
        assert store.write(batch) == Written()
        assert (sink.write(batch) if filled else sink.write_span(batch, span(seq))) == Written()
    sink.write_span([point(T0 + DAY)], span(1000))
    compact(sink.directory, before=NEVER)
    asked = Selection((DeviceKey("elgazala", "thermo-1"),), (TEMPERATURE, HUMIDITY), T0, T0 + 4)
    told = sorted(
        (one.time_ns, one.quantity, one.value.hex(), one.quality)
        for one in store.read(asked, limit=100).readings
    )
    kept = sorted(
        (one["time"], name, one[name].hex(), one["quality"])
        for one in rows(sink)
        for name in (TEMPERATURE, HUMIDITY)
        if name in one and one["time"] < T0 + 4
    )
    assert kept == told


def example(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    [text] = [one for one in found if "data/points" in one]
    return str(text)


@pytest.fixture
def documented(
    sink: ParquetSink, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> ParquetSink:
    (sink.directory.parent / "data").mkdir()
    sink.directory = sink.directory.parent / "data" / "points"
    monkeypatch.chdir(sink.directory.parent.parent)
    sink.write_span([point(T0, 20.0), point(T0 + NS_PER_S, 21.0), point(T0 + DAY, 22.0)], span(1))
    clock.advance(1)
    sink.write([point(T0, 25.0, humidity=50.0)])
    return sink


@pytest.mark.usefixtures("documented")
def test_the_example_for_duckdb_works() -> None:
    found = duckdb.connect().sql(example("sql")).to_arrow_table().to_pylist()
    columns = ("site", "device", "air_temperature", "relative_humidity")
    assert [tuple(one[name] for name in columns) for one in found] == [
        ("elgazala", "thermo-1", 25.0, 50.0),
        ("elgazala", "thermo-1", 21.0, None),
        ("elgazala", "thermo-1", 22.0, None),
    ]


@pytest.mark.usefixtures("documented")
def test_the_example_for_pandas_works() -> None:
    names: dict[str, Any] = {}
    exec(example("python"), names)  # noqa: S102 - our own documentation
    frame = names["points"]
    assert list(frame["air_temperature"]) == [25.0, 21.0, 22.0]
    assert names["unit"] == "Cel"
