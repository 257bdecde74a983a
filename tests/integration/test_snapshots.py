"""Snapshots on real stores: the same bytes later, and every difference explained."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from core.reading import Point
from core.settings import load_settings
from storage.factory import open_store
from storage.ports import Position, Store, ValueRemover
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.waiting import wait_until
from tests.support.exports import DAY, DEVICES, MINUTES, T0_NS, Served, fill, served

MINUTE_NS = 60 * 10**9


@pytest.fixture(params=["duckdb", pytest.param("influxdb2", marks=pytest.mark.influxdb)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    values = {"url": f"duckdb:///{tmp_path / 'telemetry.duckdb'}"}
    if request.param == "influxdb2":
        server: InfluxDB2 = request.getfixturevalue("influxdb2")
        make: Callable[[], str] = request.getfixturevalue("influxdb2_bucket")
        values = {
            "url": f"influxdb+{server.url}",
            "token": server.token,
            "org": server.org,
            "bucket": make(),
        }
    opened = open_store(load_settings(store=values))
    yield opened
    opened.close()


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, store) as opened:
        fill(opened)
        yield opened


def frozen(place: Served, **more: Any) -> dict[str, Any]:
    answer = place.client.post("/v1/snapshots", json={**DAY, "title": "Halle A", **more})
    assert answer.status_code == 202, answer.text
    path = answer.headers["Location"]
    wait_until(
        lambda: place.get(path).json()["state"] in {"done", "failed"},
        seconds=60,
        what="the snapshot is frozen",
    )
    shown: dict[str, Any] = place.get(path).json()
    assert shown["state"] == "done", shown
    return shown


def verified(place: Served, snapshot: dict[str, Any]) -> dict[str, Any]:
    answer = place.get(f"/v1/snapshots/{snapshot['id']}/verify")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def point(minute: int, value: float, device: str = DEVICES[0]) -> Point:
    at = T0_NS + minute * MINUTE_NS + 1
    return Point("elgazala", device, "environment", at, {"air_temperature": value}, 8)


def test_the_bytes_are_the_same_whatever_happens_to_the_store(place: Served) -> None:
    snapshot = frozen(place)
    first = place.get(snapshot["data"])
    place.store.write([point(3, 99.0), point(1000, 1.0)])
    place.clock.advance(365 * 86_400)
    again = place.get(snapshot["data"])
    assert again.content == first.content
    assert again.headers["ETag"] == f'"{snapshot["sha256"]}"'
    assert len(pd.read_parquet(io.BytesIO(again.content))) == snapshot["rows"] == 4 * MINUTES


def test_the_content_hash_is_that_of_an_export_of_the_same_query(place: Served) -> None:
    snapshot = frozen(place)
    exported = place.get("/v1/exports", **DAY, format="jsonl")
    end = json.loads(exported.text.splitlines()[-1])
    assert snapshot["content_sha256"] == end["content_sha256"]
    assert snapshot["content_sha256"] == frozen(place)["content_sha256"]


def test_a_snapshot_says_how_to_cite_it_and_what_is_in_it_without_persons(place: Served) -> None:
    snapshot = frozen(place)
    for language in ("en", "fr"):
        text = snapshot["citation"][language]
        assert f"passerelle-rows-1:{snapshot['content_sha256']}" in text
        assert "2026-11-24" in text
        assert "Halle A" in text
    dictionary = snapshot["dictionary"]
    assert dictionary["quantities"]["air_temperature"]["description_fr"] == "Température de l'air"
    assert dictionary["devices"][DEVICES[0]]["site"] == "elgazala"
    assert dictionary["completeness"]["messages"]["received"] == 1000
    everything = place.get(snapshot["data"]).content
    held = pq.ParquetFile(io.BytesIO(everything)).schema_arrow.metadata[b"passerelle"]
    assert json.loads(held)["devices"] == dictionary["devices"]
    assert "Amina" not in json.dumps(snapshot)
    assert "Amina" not in held.decode()


def test_a_store_that_has_the_same_rows_verifies(place: Served) -> None:
    found = verified(place, frozen(place))
    assert (found["same"], found["intact"], found["rows_now"]) == (True, True, 4 * MINUTES)
    assert found["by_device_and_day"] == found["examples"] == []


def test_every_difference_is_explained_by_device_and_day(place: Served) -> None:
    snapshot = frozen(place)
    place.store.write([point(7, -5.0), point(1439, 1.0, DEVICES[1])])
    found = verified(place, snapshot)
    assert (found["same"], found["intact"]) == (False, True)
    # the quality is of the instant: the humidity of minute 7 has another one too
    assert (found["added"], found["removed"], found["changed"]) == (1, 0, 2)
    days = {(one["device"], one["day"]): one for one in found["by_device_and_day"]}
    assert days[DEVICES[0], "2026-11-23"]["changed"] == 2
    assert days[DEVICES[1], "2026-11-24"]["added"] == 1
    changed = next(one for one in found["examples"] if one["quantity"] == "air_temperature")
    assert (changed["kind"], changed["then"]["value"], changed["now"]["value"]) == (
        "changed", 21.0, -5.0
    )  # fmt: skip
    assert "1 rows added, 0 removed, 2 changed" in found["explanation"]


@pytest.mark.parametrize("store", ["duckdb"], indirect=True)
def test_rows_that_were_removed_are_found(place: Served) -> None:
    assert isinstance(place.store, ValueRemover)
    snapshot = frozen(place)
    place.store.remove(
        [Position(T0_NS + 9 * MINUTE_NS + 1, "elgazala", DEVICES[1], "air_temperature")]
    )
    found = verified(place, snapshot)
    assert (found["added"], found["removed"], found["changed"]) == (0, 1, 0)
    assert found["examples"][0]["now"] is None


def test_a_snapshot_of_windows_verifies_and_tells_which_window_changed(place: Served) -> None:
    snapshot = frozen(place, every="1h", quantities=["air_temperature"])
    assert verified(place, snapshot)["same"]
    place.store.write([point(60, -5.0)])
    found = verified(place, snapshot)
    assert (found["added"], found["removed"], found["changed"]) == (0, 0, 1)
    assert found["examples"][0]["then"]["count"] == 60


def test_a_file_that_was_damaged_is_told(place: Served) -> None:
    snapshot = frozen(place)
    file = place.directory / "exports" / f"{snapshot['id']}.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    found = verified(place, snapshot)
    assert (found["intact"], found["same"]) == (False, True)
    assert "restore it" in found["explanation"]


def test_snapshots_are_listed_and_are_no_jobs(place: Served) -> None:
    snapshot = frozen(place)
    assert [one["id"] for one in place.get("/v1/snapshots").json()["snapshots"]] == [snapshot["id"]]
    assert place.get("/v1/exports/jobs").json()["jobs"] == []
    assert place.get(f"/v1/exports/jobs/{snapshot['id']}").status_code == 404
    assert place.client.delete(f"/v1/exports/jobs/{snapshot['id']}").status_code == 404
