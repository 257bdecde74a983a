"""What the InfluxDB reader makes of answers that are cut short, wrong or strange."""

from __future__ import annotations

import json
import struct
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from core.errors import StoreUnavailableError
from core.reading import DeviceKey, Reading
from storage.backends.influxdb.store import InfluxDBStore
from storage.columns import SeriesKey
from storage.ports import Aggregate, Every, Windows
from tests.contract.storage_data import T0, TEMPERATURE, everything, selection
from tests.unit.storage.scripted_server import Asked, Reply, Scripted

DEVICES = (DeviceKey("elgazala", "thermo-1"), DeviceKey("elgazala", "thermo-2"))
COLUMNS = ["time", "site", "device", TEMPERATURE, "quality"]


def row(time_ns: int, value: float) -> list[Any]:
    return [time_ns, "elgazala", "thermo-1", value, None]


def chunk(rows: list[list[Any]], *, partial: bool = False) -> bytes:
    series: dict[str, Any] = {"name": "environment", "columns": COLUMNS, "values": rows}
    result: dict[str, Any] = {"statement_id": 0, "series": [series]}
    if partial:
        series["partial"] = result["partial"] = True
    return json.dumps({"results": [result]}).encode() + b"\n"


def packed(answer: dict[str, Any]) -> Reply:
    return Reply(200, msgspec.msgpack.encode(answer), {"Content-Type": "application/x-msgpack"})


def in_chunks(asked: Asked) -> bool:
    return "chunked=true" in asked.body


def test_a_short_answer_is_asked_for_whole_as_messagepack(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    rows = [row(T0, 1.5), row(T0 + 1, -0.0)]
    series = {"name": "environment", "columns": COLUMNS, "values": rows}
    server.answer = lambda _: packed({"results": [{"statement_id": 0, "series": [series]}]})
    found = everything(influxdb, selection(*DEVICES))
    assert [struct.pack("<d", one.value) for one in found] == [
        struct.pack("<d", value) for value in (1.5, -0.0)
    ]
    assert [one.headers["Accept"] for one in server.asked] == ["application/x-msgpack"]
    assert "epoch=ns" in server.asked[0].body


@pytest.mark.parametrize("as_messagepack", [True, False])
def test_an_answer_cut_short_is_asked_for_in_chunks(
    server: Scripted, influxdb: InfluxDBStore, *, as_messagepack: bool
) -> None:
    chunks = [chunk([row(T0 + index, 1.5)], partial=index < 9) for index in range(10)]
    first = packed(json.loads(chunks[0])) if as_messagepack else Reply(200, chunks[0])

    def answer(asked: Asked) -> Reply:
        return Reply(200, b"".join(chunks)) if in_chunks(asked) else first

    server.answer = answer
    assert len(everything(influxdb, selection(*DEVICES))) == 10
    assert [in_chunks(asked) for asked in server.asked] == [False, True]


@pytest.mark.parametrize(("rows", "upto_ns"), [(9, T0 + 9), (10, T0 + 100)])
def test_a_column_that_comes_in_chunks_is_one(
    server: Scripted, influxdb: InfluxDBStore, rows: int, upto_ns: int
) -> None:
    columns = ["time", TEMPERATURE, "quality"]

    def part(index: int) -> bytes:
        values = [[T0 + 3 * index + step, float(step), None] for step in range(3)]
        series = {"columns": columns, "values": values, "partial": index < 2}
        result = {"statement_id": 0, "series": [series], "partial": index < 2}
        return json.dumps({"results": [result]}).encode() + b"\n"

    chunks = [part(index) for index in range(3)]
    server.answer = lambda asked: Reply(200, b"".join(chunks) if in_chunks(asked) else chunks[0])
    key = SeriesKey("elgazala", "thermo-1", TEMPERATURE)
    [read] = influxdb.read_columns([key], start_ns=T0, end_ns=T0 + 100, rows=rows)
    assert read.column.times.tolist() == [T0 + step for step in range(9)]
    assert read.upto_ns == upto_ns


def test_a_sum_beyond_float64_is_computed_from_the_values(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    columns = ["time", "v0", "n0"]
    tags = {"site": "elgazala", "device": "thermo-1"}

    def answer(asked: Asked) -> Reply:
        if "mean" in asked.body:
            rows: list[list[Any]] = [[T0, float("inf"), 2]]
            series = {"columns": columns, "tags": tags, "values": rows}
            return packed({"results": [{"statement_id": 0, "series": [series]}]})
        rows = [[T0, 1e308], [T0 + 1, 1e308]]
        series = {"columns": ["time", TEMPERATURE], "tags": tags, "values": rows}
        return Reply(
            200, json.dumps({"results": [{"statement_id": 0, "series": [series]}]}).encode()
        )

    server.answer = answer
    windows = Windows(every=Every(1, "d"), zone=ZoneInfo("UTC"), aggregate=Aggregate.MEAN)
    found = influxdb.aggregate(selection(DEVICES[0], start=T0, end=T0 + 10), windows)
    assert [(one.value, one.count) for one in found if one.count] == [(1e308, 2)]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, chunk([row(T0, 1.0)], partial=True)),
        Reply(200, b""),
        Reply(200, b'{"results":[]}'),
        Reply(200, chunk([row(T0, 1.0)]), missing=10),
        Reply(200, chunk([row(T0, 1.0)])[:-20]),
        Reply(200, b"<html>welcome</html>"),
        Reply(200, b"\xff\xfe"),
        Reply(200, b'{"results":[{"statement_id":0,"error":"database not found: telemetry"}]}'),
        Reply(200, b'{"error":"timeout"}'),
        Reply(200, chunk([row(1.5, 1.0)])),  # type: ignore[arg-type]
        Reply(200, b"\x81", {"Content-Type": "application/x-msgpack"}),
        Reply(200, b"", {"Content-Type": "application/x-msgpack"}),
        Reply(200, b"\xa4oops", {"Content-Type": "application/x-msgpack"}),
        packed({"results": [{"statement_id": 0, "error": "database not found: telemetry"}]}),
        packed({"error": "timeout"}),
        Reply(302, headers={"Location": "/login"}),
        Reply(401, b'{"error":"unauthorized"}'),
        Reply(500, b"\xff"),
        Reply(0),
    ],
    ids=lambda reply: f"{reply.status}-{len(reply.body)}-{reply.missing}-{len(reply.headers)}",
)
def test_what_is_not_a_whole_answer_is_an_error(
    server: Scripted, influxdb: InfluxDBStore, reply: Reply
) -> None:
    server.answer = lambda _: reply
    with pytest.raises(StoreUnavailableError):
        influxdb.read(selection(*DEVICES), limit=10)


def test_a_busy_server_says_how_long_to_wait(server: Scripted, influxdb: InfluxDBStore) -> None:
    server.answer = lambda _: Reply(503, b"busy", {"Retry-After": "12"})
    with pytest.raises(StoreUnavailableError, match="503: busy") as raised:
        influxdb.ping()
    assert raised.value.retry_after_s == 12.0


def test_a_silent_server_is_an_outage(server: Scripted, influxdb: InfluxDBStore) -> None:
    server.speaking.clear()
    with pytest.raises(StoreUnavailableError, match="timed out"):
        influxdb.ping()


def test_go_s_way_to_write_negative_zero_and_large_numbers(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    body = (
        b'{"results":[{"statement_id":0,"series":[{"name":"environment","columns":'
        + json.dumps(COLUMNS).encode()
        + b',"values":[[1790000000000000001,"elgazala","a,-0,b",-0,null],'
        + b'[1790000000000000002,"elgazala","x",100000000000000000000,3],'
        + b'[1790000000000000003,"elgazala","x",1e+308,null]]}]}]}'
    )
    server.answer = lambda _: Reply(200, body)
    found = everything(influxdb, selection(*DEVICES))
    assert [struct.pack("<d", one.value) for one in found] == [
        struct.pack("<d", value) for value in (-0.0, 1e20, 1e308)
    ]
    assert found[0].device == "a,-0,b"
    assert found[1] == Reading("elgazala", "x", TEMPERATURE, T0 + 2, 1e20, 3)


def test_names_travel_as_parameters_never_in_the_statement(
    server: Scripted, influxdb: InfluxDBStore
) -> None:
    def answer(asked: Asked) -> Reply:
        assert "DROP" in asked.body
        return Reply(200, b'{"results":[{"statement_id":0}]}')

    server.answer = answer
    key = DeviceKey("elgazala", "x'; DROP DATABASE telemetry; --")
    assert everything(influxdb, selection(key)) == []
    form = dict(part.split("=", 1) for part in server.asked[0].body.split("&"))
    assert "DROP" not in form["q"]
    assert "DROP" in form["params"]
