"""A worker with further sinks: what each failure costs, and whom."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pyarrow.dataset as ds
import pytest

from api.app import create_app
from core.clock import SystemClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import Settings, SinkSettings, load_settings
from core.sinks import CircuitState, SinkReport
from storage.backends.memory import MemoryStore
from storage.factory import open_sink, open_store
from storage.ports import PointReader, PointWriter, Retry, Selection, Store, Written
from tests.servers.influxdb2 import InfluxDB2, InfluxDB2Server
from tests.servers.waiting import wait_until
from tests.support.bench import KEY, NOW, Bench, message
from tests.support.site import Site
from tests.unit.api.world import Caller
from tests.unit.storage.scripted_server import Reply, scripted_server

WARM = {"air_temperature": 21.5}
EVERYTHING = Selection((KEY,), ("air_temperature",), 0, 2 * NOW)


class Switched:
    """A sink in memory behind a switch: it hangs, or asks to come back later."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.speaking = threading.Event()
        self.speaking.set()
        self.away = False

    def write(self, points: Sequence[Point]) -> Written | Retry:
        self.speaking.wait(30)
        return Retry("it is being repaired", 0.02) if self.away else self.kept.write(points)

    def close(self) -> None:
        self.kept.close()


@pytest.fixture
def copy() -> Iterator[Switched]:
    sink = Switched()
    yield sink
    sink.speaking.set()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return with_sinks(load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1}))


def with_sinks(settings: Settings, **values: Any) -> Settings:
    sink = SinkSettings.model_validate({"name": "copy", "url": "memory:"})
    # model_copy: a bound below the least that the settings allow, for few messages
    return settings.model_copy(update={"sinks": (sink.model_copy(update=values),)})


def bench_with(settings: Settings, copy: PointWriter | None, **more: Any) -> Bench:
    bench = Bench(settings, sinks=None if copy is None else {"copy": copy}, **more)
    bench.start()
    return bench


def publish(bench: Bench, count: int) -> None:
    for _ in range(count):
        bench.publish(message(bench.sent, {"air_temperature": 20.0 + bench.sent % 100 / 4}))


def told(bench: Bench, name: str = "copy") -> SinkReport:
    return next(one for one in bench.worker.sinks() if one.name == name)


def ready(bench: Bench, settings: Settings) -> dict[str, Any]:
    """Return what `/health/ready` says of the further sink."""
    app = create_app(
        settings=settings,
        registry=bench.registry,
        store=bench.store,
        metrics=Metrics(),
        clock=SystemClock(),
    )
    with closing(Caller(app, key=None)) as caller:
        answer = caller.get("/health/ready").json()
    if not answer["workers"]:  # it has not told the registry of itself yet
        return {}
    sinks = answer["workers"][0]["sinks"]
    return {"degraded": answer["degraded"], **(sinks[1] if len(sinks) > 1 else {})}


def readings(store: PointReader) -> Any:
    return store.read(EVERYTHING, limit=10_000).readings


def test_both_sinks_have_everything(settings: Settings, copy: Switched) -> None:
    bench = bench_with(settings, copy)
    publish(bench, 50)
    bench.settle()
    wait_until(lambda: told(bench).lag_messages == 0, what="the further sink has all")
    assert readings(copy.kept) == readings(bench.store)
    bench.stop()


def test_a_sink_that_hangs_does_not_hold_up_the_store(settings: Settings, copy: Switched) -> None:
    copy.speaking.clear()
    bench = bench_with(settings, copy)
    for _ in range(2):
        publish(bench, 50)
        bench.settle()
    assert bench.worker.totals()["stored"] == 100
    assert told(bench).lag_messages == 100
    assert told(bench, "store").lag_messages == 0
    copy.speaking.set()
    wait_until(lambda: told(bench).lag_messages == 0, what="it has caught up")
    assert readings(copy.kept) == readings(bench.store)
    bench.stop()


def test_what_waits_for_a_sink_does_not_fill_the_spool_of_the_store(
    settings: Settings, copy: Switched
) -> None:
    copy.away = True
    small = settings.model_copy(
        update={"spool": settings.spool.model_copy(update={"max_bytes": 2000})}
    )
    bench = bench_with(small, copy)
    for _ in range(3):
        publish(bench, 20)
        bench.settle()
    assert told(bench).lag_bytes > 2000
    assert not bench.worker.full
    bench.stop()


def test_a_sink_that_holds_stops_acknowledging_beyond_its_bound_and_resumes(
    settings: Settings, copy: Switched
) -> None:
    copy.away = True
    bench = bench_with(with_sinks(settings, max_lag_bytes=3000, when_behind="hold"), copy)

    def held() -> bool:
        publish(bench, 10)
        return bench.worker.full

    wait_until(held, what="nothing more is acknowledged")
    wait_until(
        lambda: any(
            "the sink copy is" in str(one.facts.get("spool"))
            for one in bench.registry.workers.list()
        ),
        what="the worker says why",
    )
    copy.away = False
    bench.settle()
    wait_until(lambda: told(bench).lag_messages == 0, what="it has caught up")
    assert told(bench).missed_messages == 0
    assert readings(copy.kept) == readings(bench.store)
    bench.stop()


def test_a_sink_that_is_behind_its_bound_is_detached_and_goes_on_with_the_present(
    settings: Settings, copy: Switched
) -> None:
    copy.away = True
    bench = bench_with(with_sinks(settings, max_lag_bytes=3000), copy)

    def detached() -> bool:
        publish(bench, 10)
        return told(bench).missed_messages > 0

    wait_until(detached, what="it is passed over")
    bench.settle()
    assert not bench.worker.full
    wait_until(lambda: ready(bench, settings).get("missed"), what="the API tells what it misses")
    assert ready(bench, settings)["degraded"] is True
    copy.away = False
    publish(bench, 1)
    bench.settle()
    wait_until(lambda: told(bench).lag_messages == 0, what="it has what is left")
    missed = told(bench).missed_messages
    assert len(readings(copy.kept)) == bench.sent - missed
    assert readings(copy.kept) == readings(bench.store)[missed:]
    bench.stop()


def test_retry_after_is_heeded_and_the_circuit_is_seen(settings: Settings) -> None:
    with scripted_server() as server:
        server.answer = lambda _: Reply(503, b"busy", {"Retry-After": "300"})
        scripted = with_sinks(settings, url=f"influxdb+{server.url}")
        bench = bench_with(scripted, None)
        for _ in range(2):
            publish(bench, 25)
            bench.settle()
        wait_until(lambda: told(bench).state is CircuitState.OPEN, what="the circuit is open")
        wait_until(lambda: ready(bench, scripted).get("state") == "open", what="health tells it")
        wait_until(lambda: ready(bench, scripted)["lag_messages"] == 50, what="of all messages")
        health = ready(bench, scripted)
        assert "503: busy" in health["reason"]
        assert health["lag_s"] > 0
        assert len(server.asked) == 1
        bench.stop()


def test_points_that_a_further_sink_refuses_do_not_change_the_account(settings: Settings) -> None:
    with scripted_server() as server:
        server.answer = lambda asked: (
            Reply(422, b'{"code":"unprocessable entity","message":"field type conflict"}')
            if "air_temperature=20.0 " in asked.body
            else Reply(204)
        )
        bench = bench_with(with_sinks(settings, url=f"influxdb+{server.url}"), None)
        publish(bench, 5)
        bench.settle()
        wait_until(lambda: len(bench.letters()) == 1, what="the dead letter is told")
        [letter] = bench.letters()
        assert letter.detail == "the sink copy: field type conflict"
        assert letter.properties == {"sink": "copy"}
        totals = bench.registry.ledger.totals()
        assert (totals.received, totals.stored, totals.dead_lettered) == (5, 5, 0)
        assert told(bench).lag_messages == 0
        bench.stop()


def influxdb(access: InfluxDB2, bucket: str) -> dict[str, str]:
    return {
        "url": f"influxdb+{access.url}",
        "token": access.token,
        "org": access.org,
        "bucket": bucket,
    }


@pytest.mark.usefixtures("settings")
def test_a_second_influxdb_that_is_dead_costs_nothing_and_is_refilled(
    tmp_path: Path,
    influxdb2: InfluxDB2,
    influxdb2_bucket: Callable[[], str],
    influxdb2_server: InfluxDB2Server,
) -> None:
    store = influxdb(influxdb2, influxdb2_bucket())
    second = influxdb(influxdb2_server.access, influxdb2_server.access.create_bucket("copy"))
    sink = {"name": "copy", **second}
    site = Site(
        tmp_path,
        PASSERELLE_DATA_DIR=str(tmp_path),
        PASSERELLE_SINKS=json.dumps([sink]),
        **{f"PASSERELLE_STORE__{name.upper()}": value for name, value in store.items()},
    )
    both = with_sinks(
        load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1}, store=store),
        **SinkSettings.model_validate(sink).model_dump() | {"max_lag_bytes": 20_000},
    )
    with closing(open_store(both)) as primary:
        bench = bench_with(both, None, store=primary)
        publish(bench, 100)
        bench.settle()
        wait_until(lambda: told(bench).lag_messages == 0, what="the second one has all")
        influxdb2_server.kill()

        def detached() -> bool:
            publish(bench, 100)
            bench.settle()
            return told(bench).missed_messages > 0

        wait_until(detached, what="it is passed over", seconds=60)
        assert bench.registry.ledger.totals().stored == bench.sent
        bench.stop()
        assert "copy" in site.command("sinks", "list")
        influxdb2_server.start()
        assert "device days written to copy" in site.command("sinks", "refill", "copy")
        assert "0 points" in site.command("sinks", "refill", "copy")
        again = bench_with(both, None, store=primary)
        wait_until(lambda: told(again).lag_messages == 0, what="the rest is written", seconds=30)
        again.stop()
        with closing(open_sink(both, both.sinks[0])) as copy:
            found = readings(cast("Store", copy))
        assert len(found) == bench.sent
        assert found == readings(primary)


KILLED = """
import os, signal, sys
from pathlib import Path
from core.clock import SystemClock
from core.metrics import Metrics
from core.reading import Point
from ingest.checkpoint import Checkpoint
from ingest.drain import Drain
from ingest.ledger import Account, Fate, LedgerDelta
from ingest.spool import Spool
from ingest.spooled import SpooledMessage, pack
from storage.backends.parquet.sink import ParquetSink

first, last, dies = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
spool = Spool(path=Path("spool.db"), sinks=("store", "archive"))
account = Account("elgazala", "thermo-1", 0)
for number in range(first, last):
    at = 1_790_000_000_000_000_000 + number * 20_000_000_000_000  # some hours apart: several days
    point = Point("elgazala", "thermo-1", "environment", at, {"air_temperature": float(number)})
    ledger = LedgerDelta()
    ledger.receive(account, Fate.PENDING)
    spool.commit(packed=pack([SpooledMessage(account, (point,))]), ledger=ledger, now_ns=1)

def die(checkpoint):
    if checkpoint == dies:
        os.kill(os.getpid(), signal.SIGKILL)

sink = ParquetSink(
    directory=Path("points"), span_points=10, span_age_s=0.001, clock=SystemClock()
)
drain = Drain(
    spool=spool, store=sink, clock=SystemClock(), metrics=Metrics(), batch_points=10,
    sink="archive", stream=f"worker-1-{spool.identity:016x}", checkpoint=die,
)
while drain.drain_once():
    pass
"""


def test_sigkill_between_write_and_confirm_leaves_no_row_twice(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])

    def run(first: int, last: int, dies: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", KILLED, str(first), str(last), dies],
            cwd=tmp_path,
            env={"PYTHONPATH": root},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode in (0, -9), done.stderr
        return done.returncode

    def rows() -> list[float]:
        table = ds.dataset(tmp_path / "points", format="parquet", partitioning="hive").to_table()
        return sorted(table["air_temperature"].to_pylist())

    assert run(0, 4, "written") == -9
    assert rows() == [0.0, 1.0, 2.0, 3.0]
    # what comes next is cut elsewhere: six more batches came meanwhile, and ten fit one span
    assert run(4, 13, "written") == -9
    assert run(13, 15, "confirmed") == -9
    assert run(15, 15, "") == 0
    assert rows() == [float(number) for number in range(15)]
