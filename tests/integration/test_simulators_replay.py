"""Recorded data, published again: every row, in its own unit, at its own time."""

from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from core.clock import SystemClock
from core.errors import ConfigurationError
from simulators.bad_row import BadRow
from simulators.capture import capture
from simulators.recording import Recorded, read_recording
from simulators.replay import replay
from simulators.report import Report
from simulators.series import SeriesMapping
from tests.servers.mosquitto import MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.listener import Listener

NAB = Path(
    os.environ.get("PASSERELLE_NAB_DIR")
    or Path(__file__).resolve().parents[2].parent / "shared" / "data" / "nab"
)
SERIES = {
    "ambient_temperature_system_failure.csv": ("air_temperature", 7267, 0),
    # its clock was set back by an hour once, on 2014-01-07
    "machine_temperature_system_failure.csv": ("machine_temperature", 22_695, 12),
}


def mapping(quantity: str = "air_temperature", **changes: Any) -> SeriesMapping:
    return SeriesMapping.model_validate(
        {
            "site": "elgazala",
            "device": "office",
            "zone": "UTC",
            "columns": {"value": {"quantity": quantity, "unit": "[degF]"}},
            **changes,
        }
    )


def again(source: Path, url: str, *, given: SeriesMapping | None = None, **more: Any) -> Report:
    options: dict[str, Any] = {"speed": math.inf, "stop": threading.Event(), **more}
    return replay(source, broker_url=url, mapping=given, **options)


@pytest.mark.parametrize("name", sorted(SERIES))
def test_every_row_of_a_real_series_is_published(mosquitto: MosquittoServer, name: str) -> None:
    source = NAB / name
    if not source.is_file():
        pytest.skip(f"{source} is not there: set PASSERELLE_NAB_DIR to the folder of NAB's series")
    quantity, count, turned_back = SERIES[name]
    with Listener(mosquitto.url) as listener:
        report = again(source, mosquitto.url, given=mapping(quantity))
        listener.wait_for(count)
        listener.wait_for_last("the/end")
    assert report.exact
    assert report.bad_rows == 0
    totals = report.totals()
    assert (totals["published"], totals["readings"]) == (count, count)
    assert totals["out_of_order"] == turned_back
    rows = [line.split(",") for line in source.read_text().splitlines()[1:]]
    documents = [json.loads(payload) for _, payload in listener.heard]
    assert [d["v"] for d in documents] == [
        {quantity: {"v": float(value), "u": "[degF]"}} for _, value in rows
    ]
    told = [d["t"] for d in documents]
    recorded = [f"{time.replace(' ', 'T')}Z" for time, _ in rows]
    moved = [one for one, other in zip(told, recorded, strict=True) if one != other]
    assert len(moved) == turned_back
    assert all(one.endswith(".000000001Z") for one in moved)
    assert len(set(told)) == count
    assert len(set(listener.heard)) == count
    assert {topic for topic, _ in listener.heard} == {"passerelle/v1/elgazala/office/telemetry"}


def test_a_line_that_cannot_be_used_is_left_out_and_named(
    mosquitto: MosquittoServer, tmp_path: Path
) -> None:
    source = tmp_path / "series.csv"
    source.write_text("timestamp,value\n2026-01-01,70\n2026-01-02,warm\n2026-01-03,71\n")
    named: list[BadRow] = []
    report = again(source, mosquitto.url, given=mapping(), on_bad_row=named.append)
    assert report.totals()["published"] == 2
    assert report.bad_rows == 1
    assert [row.line for row in named] == [3]
    with pytest.raises(ConfigurationError, match=r"series\.csv, line 3: .*'warm'"):
        again(source, mosquitto.url, given=mapping(), strict=True)


def test_recorded_time_passes_at_the_speed_asked_for(
    mosquitto: MosquittoServer, tmp_path: Path
) -> None:
    source = tmp_path / "series.csv"
    source.write_text(
        "timestamp,value\n" + "".join(f"2026-01-01 00:0{n}:00,7{n}\n" for n in range(5))
    )
    clock = SystemClock()
    before = clock.monotonic_s()
    report = again(source, mosquitto.url, given=mapping(), speed=240.0)
    assert report.totals()["published"] == 5
    assert 0.95 < clock.monotonic_s() - before < 3


def test_an_empty_series_publishes_nothing(mosquitto: MosquittoServer, tmp_path: Path) -> None:
    source = tmp_path / "series.csv"
    source.write_text("timestamp,value\n")
    assert again(source, mosquitto.url, given=mapping()).totals()["published"] == 0


def test_traffic_that_was_captured_is_published_as_it_was(
    mosquitto: MosquittoServer, tmp_path: Path
) -> None:
    original, copy = tmp_path / "original.jsonl", tmp_path / "copy.jsonl"
    messages = [
        ("a/b", {"payload": "21,5 °C"}, 1),
        ("a/c", {"payload_base64": "/wAB"}, 1),
        ("a/b", {"payload": ""}, 0),
        ("a/é", {"payload": "last"}, 2),
    ]
    original.write_text(
        "".join(
            json.dumps({"time": 1.0 + number, "topic": topic, "qos": qos, **payload}) + "\n"
            for number, (topic, payload, qos) in enumerate(messages)
        )
    )
    ready = threading.Event()
    counts: list[int] = []

    def record() -> None:
        counts.append(
            capture(
                copy,
                broker_url=mosquitto.url,
                topics=("a/#", "ready"),
                stop=threading.Event(),
                limit=5,
                on_message=lambda _: ready.set(),
            )
        )

    thread = threading.Thread(target=record)
    thread.start()
    signal = tmp_path / "ready.jsonl"
    signal.write_text('{"time":1,"topic":"ready","payload":"?","retain":true}\n')
    again(signal, mosquitto.url)
    wait_until(ready.is_set, what="the capture has begun")
    report = again(original, mosquitto.url)
    thread.join(20)
    assert counts == [5]
    assert report.totals()["published"] == 4
    assert {row.device for row in report.rows} == {"a/b", "a/c", "a/é"}

    def told(file: Path) -> list[tuple[str, bytes]]:
        lines = [line for line in read_recording(file) if isinstance(line, Recorded)]
        return [(line.topic, line.payload) for line in lines if line.topic != "ready"]

    assert told(copy) == told(original)
