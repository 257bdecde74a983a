"""Export jobs over a socket: made in the background, fetched in parts, never lost."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pandas as pd
import pytest

from api.exports.files import ExportFiles
from core.clock import SystemClock
from core.settings import load_settings
from devices.registry import ExportKind, Registry
from storage.backends.memory import MemoryStore
from storage.factory import open_store
from storage.ports import Page, Position, Selection, Store
from tests.servers.postgres import PostgresServer
from tests.servers.waiting import wait_until
from tests.support.exports import DAY, MINUTES, NOW_NS, Served, fill, served

ORDER = {**DAY, "format": "parquet"}
ENDED = {"done", "failed", "cancelled", "expired"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(load_settings(store={"url": f"duckdb:///{tmp_path / 't.duckdb'}"}))
    yield opened
    opened.close()


@pytest.fixture
def place(store: Store, tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path, store) as opened:
        fill(opened)
        yield opened


def order(place: Served, **more: Any) -> dict[str, Any]:
    answer = place.client.post("/v1/exports/jobs", json=ORDER | more)
    assert answer.status_code == 202, answer.text
    job: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"/v1/exports/jobs/{job['id']}"
    return job


def ended(place: Served, job: str) -> dict[str, Any]:
    def state() -> str:
        found: str = place.get(f"/v1/exports/jobs/{job}").json()["state"]
        return found

    wait_until(lambda: state() in ENDED, seconds=60, what="the job ends")
    answer: dict[str, Any] = place.get(f"/v1/exports/jobs/{job}").json()
    return answer


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "jsonl", "xlsx"])
def test_a_job_is_made_in_the_background_and_its_file_is_that_of_its_checksum(
    place: Served, form: str
) -> None:
    job = ended(place, order(place, format=form)["id"])
    assert (job["state"], job["rows"], job["progress"]) == ("done", 4 * MINUTES, 1.0)
    answer = place.get(job["file"])
    digest = hashlib.sha256(answer.content)
    assert digest.hexdigest() == job["sha256"]
    assert answer.headers["Repr-Digest"] == (
        f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    )
    assert len(answer.content) == job["size"]
    streamed = place.get("/v1/exports", **DAY, format="parquet").content
    assert len(pd.read_parquet(io.BytesIO(streamed))) == job["rows"]


def test_a_fetch_goes_on_where_it_stopped(place: Served) -> None:
    job = ended(place, order(place)["id"])
    whole = place.get(job["file"])
    tag = whole.headers["ETag"]
    assert tag == f'"{job["sha256"]}"'
    first = place.client.get(job["file"], headers={"Range": "bytes=0-999"})
    rest = place.client.get(job["file"], headers={"Range": "bytes=1000-", "If-Range": tag})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == whole.content
    other = place.client.get(job["file"], headers={"Range": "bytes=5-9", "If-Range": '"other"'})
    assert (other.status_code, len(other.content)) == (200, job["size"])
    beyond = place.client.get(job["file"], headers={"Range": f"bytes={job['size']}-"})
    assert beyond.status_code == 416


def test_a_file_is_removed_when_it_expires(place: Served) -> None:
    job = ended(place, order(place)["id"])
    assert job["expires"] == "2026-11-27T12:00:00Z"
    place.clock.advance(72 * 3600)
    second = ended(place, order(place)["id"])
    assert place.get(f"/v1/exports/jobs/{job['id']}").json()["state"] == "expired"
    gone = place.get(f"/v1/exports/jobs/{job['id']}/file")
    assert gone.status_code == 404
    kept = {file.name for file in (place.directory / "exports").glob("*.parquet")}
    assert kept == {f"{second['id']}.parquet"}


def test_a_job_that_is_done_can_be_removed_and_one_that_ended_stays_as_it_is(
    place: Served,
) -> None:
    job = ended(place, order(place)["id"])
    for _ in range(2):
        answer = place.client.delete(f"/v1/exports/jobs/{job['id']}")
        assert (answer.status_code, answer.json()["state"]) == (200, "expired")
    assert not list((place.directory / "exports").glob("*.parquet"))


class HeldStore(MemoryStore):
    """A store whose reads wait until they are let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.held = True

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        self.reads += 1
        wait_until(lambda: not self.held or self.reads < 3, seconds=60, what="the store goes on")
        return super().read(selection, limit=limit, after=after)


def test_a_job_under_way_can_be_cancelled_and_has_no_file(tmp_path: Path) -> None:
    store = HeldStore()
    with served(tmp_path, store) as place:
        fill(place)
        job = order(place)["id"]
        wait_until(lambda: store.reads >= 3, seconds=30, what="the job is under way")
        early = place.get(f"/v1/exports/jobs/{job}/file")
        assert (early.status_code, early.json()["status"]) == (409, 409)
        assert place.client.delete(f"/v1/exports/jobs/{job}").json()["state"] == "cancelled"
        store.held = False
        second = ended(place, order(place)["id"])
        assert second["state"] == "done"
        assert place.get(f"/v1/exports/jobs/{job}").json()["state"] == "cancelled"
        names = {file.name for file in (tmp_path / "exports").iterdir()}
        assert names == {"owner", "lock", f"{second['id']}.parquet"}


def test_a_job_that_ends_while_the_registry_is_away_is_done_again(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    store = HeldStore()
    url = postgres_server.access.create_database()
    with served(tmp_path, store, registry={"url": url}) as place:
        fill(place)
        job = order(place)["id"]
        wait_until(lambda: store.reads >= 3, seconds=30, what="the job is under way")
        postgres_server.kill()
        store.held = False
        wait_until(
            lambda: not list((tmp_path / "exports").glob("*.part")),
            seconds=60,
            what="the outcome could not be noted",
        )
        postgres_server.start()
        done = ended(place, job)
        assert (done["state"], done["attempts"]) == ("done", 2)
        assert hashlib.sha256(place.get(done["file"]).content).hexdigest() == done["sha256"]


def test_a_job_that_was_under_way_when_its_process_died_is_done_again(
    store: Store, tmp_path: Path
) -> None:
    with served(tmp_path, store) as place:
        fill(place)
        query = ended(place, order(place)["id"])
        first = place.registry.exports.get(query["id"], kind=ExportKind.JOB)
    files = ExportFiles(tmp_path / "exports")
    registry = Registry.open(load_settings(data_dir=tmp_path).registry_url, clock=SystemClock())
    registry.exports.add(msgspec.structs.replace(first, id="abandoned", state="queued", attempts=0))
    claimed = registry.exports.claim(files.owner(), now_ns=NOW_NS)
    assert claimed is not None
    with files.begin("abandoned") as part:
        part.write(b"half")
    registry.close()
    with served(tmp_path, store) as place:
        job = ended(place, "abandoned")
        assert (job["state"], job["attempts"]) == ("done", 2)
        assert job["content_sha256"] == first.content_sha256
        assert not list((tmp_path / "exports").glob("*.part"))


def test_a_job_survives_a_kill_of_the_program(tmp_path: Path) -> None:
    with served(tmp_path, MemoryStore()) as place:
        key = place.key
        fill(place)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "PASSERELLE_DATA_DIR": str(tmp_path),
        "PASSERELLE_STORE__URL": "memory:",
        "PASSERELLE_API__PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": key}
        ) as client:
            wait_until(lambda: answers(client), seconds=60, what="the API answers")
            dense = ORDER | {"every": "1s", "quantities": ["air_temperature"]}
            job = client.post("/v1/exports/jobs", json=dense).json()["id"]
            process.kill()
            process.wait()
            process = subprocess.Popen([sys.executable, "-m", "api"], env=environment)
            wait_until(lambda: answers(client), seconds=60, what="the API answers again")
            wait_until(
                lambda: client.get(f"/v1/exports/jobs/{job}").json()["state"] == "done",
                seconds=60,
                what="the job is done",
            )
    finally:
        process.kill()
        process.wait()


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health/live").is_success
    except httpx.TransportError:
        return False


def test_files_that_have_no_room_make_a_job_fail_with_a_sentence(
    store: Store, tmp_path: Path
) -> None:
    with served(tmp_path, store, exports={"max_bytes": 1024 * 1024}) as place:
        fill(place, minutes=2000)
        week = {"to": "2026-11-30T00:00:00Z", "format": "jsonl"}
        job = ended(place, order(place, **week)["id"])
        assert job["state"] == "failed"
        assert "exports.max_bytes" in job["error"]
        answer = place.get(f"/v1/exports/jobs/{job['id']}/file")
        assert answer.status_code == 409
        assert "no room" in answer.json()["detail"]


def test_jobs_are_listed_newest_first_in_pages(place: Served) -> None:
    made = []
    for _ in range(3):
        made.append(order(place)["id"])
        place.clock.advance(1)
    first = place.get("/v1/exports/jobs", limit=2).json()
    second = place.client.get(first["next"]).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == made[::-1]
    assert second["next"] is None
