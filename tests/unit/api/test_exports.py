from __future__ import annotations

import io
import json
from datetime import datetime

import openpyxl
import pyarrow as pa
import pytest

from api.exports.canonical import RowsHash
from api.exports.formats.writer import Head
from api.exports.formats.xlsx import XlsxWriter
from api.exports.query import ExportQuery
from api.exports.rows import BATCH_ROWS, read_batches
from api.exports.schema import Batches, columns_of
from core.clock import NS_PER_S
from core.reading import DeviceKey, Point, Reading
from storage.backends.memory import MemoryStore
from storage.ports import Aggregate, Every
from storage.refusal import EARLIEST_NS, LATEST_NS
from tests.unit.api.world import NOW_NS, World

KEY = DeviceKey("elgazala", "d")


def query(**more: object) -> ExportQuery:
    values = {
        "devices": (KEY,),
        "quantities": ("air_temperature",),
        "start_ns": NOW_NS,
        "end_ns": NOW_NS + 86_400 * NS_PER_S,
        "zone": "Africa/Tunis",
        **more,
    }
    return ExportQuery(**values)  # type: ignore[arg-type]


def reading(second: int, value: float = 1.0) -> Reading:
    return Reading("elgazala", "d", "air_temperature", NOW_NS + second * NS_PER_S, value)


def store_of(seconds: list[int]) -> MemoryStore:
    store = MemoryStore()
    store.write(
        [
            Point("elgazala", "d", "environment", NOW_NS + one * NS_PER_S, {"air_temperature": one})
            for one in seconds
        ]
    )
    return store


def values_of(batches: list[pa.RecordBatch]) -> list[float]:
    return [value for batch in batches for value in batch.column("value").to_pylist()]


def test_every_value_is_read_once_whether_they_are_dense_or_years_apart() -> None:
    seconds = [*range(3000), 80_000, *(10**7 * one for one in range(1, 30))]
    store = store_of(seconds)
    asked = query(start_ns=EARLIEST_NS, end_ns=LATEST_NS)
    assert values_of(list(read_batches(store, asked))) == [float(one) for one in seconds]


def test_many_windows_of_one_series_are_read_in_parts_that_follow_each_other() -> None:
    store = store_of(list(range(0, BATCH_ROWS * 2, 7)))
    asked = query(every=Every(1, "s"), aggregate=Aggregate.COUNT)
    batches = list(read_batches(store, asked))
    assert max(batch.num_rows for batch in batches) == BATCH_ROWS
    starts = [one for batch in batches for one in batch.column("start").cast("int64").to_pylist()]
    assert starts == [NOW_NS + second * NS_PER_S for second in range(86_400)]


def test_the_content_hash_does_not_depend_on_how_rows_are_cut_into_batches() -> None:
    make = Batches(columns_of(query()))
    rows = [reading(second, second / 3) for second in range(10)]
    whole, parts = RowsHash(), RowsHash()
    whole.add(make.of_readings(rows))
    parts.add(make.of_readings(rows[:3]))
    parts.add(make.of_readings(rows[3:]))
    assert whole.hexdigest() == parts.hexdigest()


def test_the_content_hash_takes_the_two_zeros_for_one_and_tells_everything_else_apart() -> None:
    make = Batches(columns_of(query()))

    def digest(row: Reading) -> str:
        found = RowsHash()
        found.add(make.of_readings([row]))
        return found.hexdigest()

    assert digest(reading(0, -0.0)) == digest(reading(0, 0.0))
    flagged = Reading("elgazala", "d", "air_temperature", NOW_NS, 1.0, 1)
    assert len({digest(one) for one in (reading(0), reading(1), reading(0, 2.0), flagged)}) == 4


def test_a_workbook_goes_on_in_another_sheet_where_one_is_full() -> None:
    columns = columns_of(query())
    writer = XlsxWriter(Head(columns, {"zone": "Africa/Tunis", "list": ["a", "b"]}), most_rows=4)
    batch = Batches(columns).of_readings([reading(second, second) for second in range(7)])
    content = writer.begin() + writer.add(batch) + writer.end({"rows": 7})
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["data", "data 2", "data 3", "metadata", "end"]
    sheets = [list(book[name].iter_rows(values_only=True)) for name in book.sheetnames[:3]]
    assert [len(rows) for rows in sheets] == [4, 4, 2]
    assert [row[5] for rows in sheets for row in rows[1:]] == list(range(7))
    assert sheets[0][1][7] == datetime(2026, 11, 23, 11, 0, 0)  # noqa: DTZ001 - a local time
    assert ("list", "a, b") in book["metadata"].iter_rows(values_only=True)


def test_an_export_without_rows_is_complete(world: World) -> None:
    world.device("elg-env-001")
    answer = world.client.get("/v1/exports", devices="elg-env-001", format="jsonl")
    end = json.loads(answer.text.splitlines()[-1])
    assert (end["record"], end["rows"], end["first"]) == ("end", 0, None)


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "xlsx"])
def test_every_format_can_be_without_rows(world: World, form: str) -> None:
    world.device("elg-env-001")
    answer = world.client.get("/v1/exports", devices="elg-env-001", format=form)
    assert answer.status_code == 200
    assert answer.content


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "devices"),
        ({"devices": "nobody"}, "devices"),
        ({"site": "elgazala", "format": "pdf"}, "format"),
        ({"site": "elgazala", "aggregate": "mean"}, "aggregate"),
        ({"site": "elgazala", "every": "1h", "percentile": "3"}, "percentile"),
        ({"site": "elgazala", "zone": "Africa/Tuni"}, "zone"),
        ({"site": "elgazala", "from": "now", "to": "-1h"}, "to"),
        ({"site": "elgazala", "limit": "5"}, "limit"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_before_anything_is_sent(
    world: World, parameters: dict[str, str], named: str
) -> None:
    answer = world.client.request("GET", "/v1/exports", params=parameters)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == named


def test_too_many_windows_are_refused_before_anything_is_sent(world: World) -> None:
    world.device("elg-env-001")
    answer = world.client.get(
        "/v1/exports", devices="elg-env-001", every="1s", from_="2000-01-01", to="2026-01-01"
    )
    assert answer.status_code == 413
    assert answer.json()["hint"]


def test_no_more_exports_are_streamed_at_once_than_the_setting_says(world: World) -> None:
    world.device("elg-env-001")
    places = [world.app.state.services.streams.place() for _ in range(4)]
    answer = world.client.get("/v1/exports", devices="elg-env-001")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:passerelle:problem:exports_busy"
    assert answer.headers["Retry-After"]
    for release in places:
        release()
    assert world.client.get("/v1/exports", devices="elg-env-001").status_code == 200
