"""What the InfluxDB reader makes of answers that are cut short, wrong or strange."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from core.errors import StoreUnavailableError
from core.reading import DeviceKey, Reading
from storage.backends.influxdb.store import InfluxDBStore
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


def test_an_answer_may_come_in_many_chunks(server: Scripted, influxdb: InfluxDBStore) -> None:
    body = b"".join(chunk([row(T0 + index, 1.5)], partial=index < 9) for index in range(10))
    server.answer = lambda _: Reply(200, body)
    assert len(everything(influxdb, selection(*DEVICES))) == 10
    assert "chunked=true" in server.asked[0].body
    assert "epoch=ns" in server.asked[0].body


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
        Reply(302, headers={"Location": "/login"}),
        Reply(401, b'{"error":"unauthorized"}'),
        Reply(500, b"\xff"),
        Reply(0),
    ],
    ids=lambda reply: f"{reply.status}-{len(reply.body)}-{reply.missing}",
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
