"""`GET /v1/exports` on real stores, over a socket; files read back with pandas and pyarrow."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.reading import DeviceKey
from core.settings import load_settings
from storage.factory import open_store
from storage.ports import Page, Position, Selection, Store
from tests.servers.influxdb2 import InfluxDB2
from tests.support.exports import DAY, DEVICES, MINUTES, T0_NS, Served, fill, served


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


def exported(place: Served, form: str, **more: str) -> bytes:
    answer = place.get("/v1/exports", format=form, **(DAY | more))
    assert answer.status_code == 200, answer.text
    return answer.content


def test_every_format_holds_the_same_rows_and_says_so(place: Served) -> None:
    table = pq.read_table(io.BytesIO(exported(place, "parquet")))
    end = json.loads(table.schema.metadata.get(b"passerelle.end") or footer(place))
    frame = table.to_pandas()
    assert len(frame) == end["rows"] == 4 * MINUTES
    assert frame["time"].dt.tz is not None
    assert str(frame["time"].dt.tz) == "Africa/Tunis"
    assert frame["time"].astype("int64").iloc[0] == T0_NS + 1
    expected = frame["value"].to_numpy()

    comma = pd.read_csv(io.BytesIO(exported(place, "csv")), comment="#")
    np.testing.assert_array_equal(comma["value"].to_numpy(), expected)
    assert comma["time"][0] == "2026-11-23T01:00:00.000000001+01:00"
    assert list(comma["device"][:4]) == [DEVICES[0]] * 2 + [DEVICES[1]] * 2
    assert comma["quality"][0] == "simulated"

    lines = [json.loads(line) for line in exported(place, "jsonl").splitlines()]
    rows = [line for line in lines if line["record"] == "row"]
    np.testing.assert_array_equal([row["value"] for row in rows], expected)
    assert rows[0]["quality"] == ["simulated"]

    with pa.ipc.open_stream(exported(place, "arrow")) as stream:
        assert stream.schema.metadata.keys() == {b"passerelle"}
        batches = list(stream.iter_batches_with_custom_metadata())
    assert json.loads(batches[-1].custom_metadata[b"passerelle.end"])["rows"] == len(frame)
    values = np.concatenate([one.batch.column("value").to_numpy() for one in batches])
    np.testing.assert_array_equal(values, expected)

    book = openpyxl.load_workbook(io.BytesIO(exported(place, "xlsx")), read_only=True)
    assert book.sheetnames == ["data", "metadata", "end"]
    sheet = list(book["data"].iter_rows(values_only=True))
    np.testing.assert_array_equal([row[5] for row in sheet[1:]], expected)
    assert ("content_sha256", end["content_sha256"]) in book["end"].iter_rows(values_only=True)
    book.close()


def footer(place: Served) -> bytes:
    metadata = pq.ParquetFile(io.BytesIO(exported(place, "parquet"))).metadata.metadata
    assert metadata is not None
    end: bytes = metadata[b"passerelle.end"]
    return end


def test_the_content_hash_is_the_same_in_every_format_and_of_the_documented_algorithm(
    place: Served,
) -> None:
    ends = [
        json.loads(footer(place)),
        json.loads(exported(place, "csv").rsplit(b"# end ", 1)[1]),
        json.loads(exported(place, "jsonl").splitlines()[-1]),
    ]
    assert len({one["content_sha256"] for one in ends}) == 1
    by_hand = hashlib.sha256(b"passerelle-rows-1\n")
    selection = Selection(
        tuple(DeviceKey("elgazala", name) for name in DEVICES),
        ("air_temperature", "relative_humidity"),
        T0_NS,
        T0_NS + 86_400 * 10**9,
    )
    units = {"air_temperature": "Cel", "relative_humidity": "%"}
    for row in place.store.read(selection, limit=10_000).readings:
        name = "\x1f".join((row.site, row.device, row.quantity, units[row.quantity]))
        by_hand.update(
            row.time_ns.to_bytes(8, "little", signed=True)
            + hashlib.sha256(name.encode()).digest()[:16]
            + np.float64(row.value).tobytes()
            + row.quality.to_bytes(4, "little", signed=True)
        )
    assert ends[0]["content_sha256"] == by_hand.hexdigest()


def test_the_documented_program_computes_the_content_hash(
    place: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    program = page.split("```python\n", 1)[1].split("```", 1)[0]
    file = tmp_path / "export.parquet"
    file.write_bytes(exported(place, "parquet"))
    exec(program.replace("export.parquet", str(file)), {})  # noqa: S102 - our own page
    assert capsys.readouterr().out.splitlines()[-1] == json.loads(footer(place))["content_sha256"]


def test_a_file_carries_units_zone_codes_query_and_completeness(place: Served) -> None:
    first = json.loads(exported(place, "jsonl", quantities="air_temperature").splitlines()[0])
    assert first["quantities"]["air_temperature"]["unit"] == "Cel"
    assert first["zone"] == "Africa/Tunis"
    assert first["quality_codes"]["16"]["name"] == "simulated"
    assert first["query"]["from"] == "2026-11-23T01:00:00+01:00"
    assert first["platform"]["version"]
    messages = first["completeness"]["messages"]
    assert (messages["received"], messages["stored"], messages["dead_lettered"]) == (1000, 994, 4)
    assert first["completeness"]["devices"][DEVICES[0]]["received"] == 500
    assert "Amina" not in json.dumps(first)


def test_the_last_line_has_the_checksum_of_everything_before_it(place: Served) -> None:
    for form, mark in (("csv", b"# end "), ("jsonl", b'{"record":"end"')):
        content = exported(place, form)
        at = content.rindex(mark)
        end = json.loads(content[at:].removeprefix(b"# end "))
        assert end["sha256"] == hashlib.sha256(content[:at]).hexdigest()
        assert (end["first"], end["last"]) == (
            "2026-11-23T01:00:00.000000001+01:00",
            "2026-11-23T09:19:00.000000001+01:00",
        )


def test_trailers_say_what_was_sent(place: Served) -> None:
    address = urlsplit(place.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    connection.request(
        "GET", f"/v1/exports?{urlencode(DAY)}", headers={"X-API-Key": place.key, "TE": "trailers"}
    )
    assert connection.sock is not None
    raw = connection.sock.makefile("rb")
    head = b"".join(iter(raw.readline, b"\r\n"))
    assert b"trailer: Repr-Digest" in head
    body = b""
    while size := int(raw.readline(), 16):
        body += raw.read(size)
        raw.readline()
    trailers = dict(line.decode().strip().split(": ", 1) for line in iter(raw.readline, b"\r\n"))
    connection.close()
    raw.close()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    assert trailers["repr-digest"] == f"sha-256=:{digest}:"
    assert trailers["passerelle-rows"] == str(4 * MINUTES)


def test_windows_are_exported_with_their_gaps(place: Served) -> None:
    content = exported(place, "csv", every="1h", aggregate="count", quantities="air_temperature")
    frame = pd.read_csv(io.BytesIO(content), comment="#")
    assert len(frame) == 24 * 2
    assert frame["value"].sum() == 2 * MINUTES
    assert frame["value"].isna().sum() == 2 * 15
    answered = place.get(
        "/v1/readings", **DAY, every="1h", aggregate="mean", quantities="air_temperature"
    ).json()
    means = [point["value"] for series in answered["series"] for point in series["points"]]
    again = pd.read_csv(
        io.BytesIO(exported(place, "csv", every="1h", quantities="air_temperature")), comment="#"
    )
    np.testing.assert_allclose(again["value"], np.array(means, float), rtol=1e-12)


class FailingStore:
    """The given store, which goes away after some pages: the outage is real to the export."""

    def __init__(self, store: Store, *, pages: int) -> None:
        self._store = store
        self._pages = pages

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        self._pages -= 1
        if self._pages < 0:
            self._store.close()
        return self._store.read(selection, limit=limit, after=after)


def received_of(place: Served, parameters: dict[str, str]) -> tuple[bytes, bool]:
    """Return what came of an export, and whether the answer was finished."""
    received = b""
    with place.client.stream("GET", "/v1/exports", params=parameters) as answer:
        assert answer.status_code == 200
        try:
            for part in answer.iter_raw():
                received += part
        except httpx.RemoteProtocolError:
            return received, False
    return received, True


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "arrow", "xlsx"])
def test_a_store_that_fails_on_the_way_leaves_a_file_that_is_recognisably_incomplete(
    tmp_path: Path, form: str
) -> None:
    store = open_store(load_settings(store={"url": f"duckdb:///{tmp_path / 't.duckdb'}"}))
    failing: Store = FailingStore(store, pages=4)  # type: ignore[assignment]
    with served(tmp_path, failing) as place:
        fill(place, minutes=3000)
        week = DAY | {"to": "2026-11-30T00:00:00Z", "format": form}
        received, whole = received_of(place, week)
        assert not whole
        assert len(received) > 20_000 or form in {"parquet", "xlsx"}
        if form == "csv":
            assert json.loads(received.rsplit(b"# incomplete ", 1)[1])["complete"] is False
        elif form == "jsonl":
            assert json.loads(received.splitlines()[-1])["record"] == "incomplete"
        elif form == "parquet":
            with pytest.raises(pa.ArrowInvalid):
                pq.read_table(io.BytesIO(received))
        elif form == "arrow":
            assert b"passerelle.end" not in received
        else:
            with pytest.raises(Exception, match="zip"):
                openpyxl.load_workbook(io.BytesIO(received))
        assert place.metrics.registry.get_sample_value(
            "passerelle_exports_total", {"kind": "stream", "outcome": "failed"}
        )
