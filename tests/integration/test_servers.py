"""The servers that the other tests rely on start, answer, and keep their data when they end."""

from __future__ import annotations

import os
import queue
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import psycopg
from paho.mqtt.enums import CallbackAPIVersion

from tests.servers.fixtures import MosquittoFactory
from tests.servers.influxdb1 import InfluxDB1, InfluxDB1Server
from tests.servers.influxdb2 import InfluxDB2, InfluxDB2Server
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer
from tests.servers.postgres import PostgresServer
from tests.servers.waiting import wait_until

SECONDS = 10.0


@contextmanager
def connected(server: MosquittoServer, client_id: str) -> Iterator[tuple[mqtt.Client, list[str]]]:
    """Connect with a persistent session; the list holds the answer's reason."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)
    answers: queue.Queue[str] = queue.Queue()
    client.on_connect = lambda _c, _u, _f, reason, _p: answers.put(str(reason))
    if server.options.username is not None:
        client.username_pw_set(server.options.username, server.options.password)
    if server.certificates is not None:
        context = ssl.create_default_context(cafile=server.certificates.ca_file)
        client.tls_set_context(context)
    client.connect(server.host, server.port)
    client.loop_start()
    try:
        yield client, [answers.get(timeout=SECONDS)]
    finally:
        client.disconnect()
        client.loop_stop()


def publish(server: MosquittoServer, payload: bytes) -> None:
    with connected(server, "publisher") as (client, _):
        client.publish("servers/test", payload, qos=1).wait_for_publish(SECONDS)


def subscribe(server: MosquittoServer) -> None:
    with connected(server, "subscriber") as (client, _):
        done: queue.Queue[int] = queue.Queue()
        client.on_subscribe = lambda _c, _u, mid, _r, _p: done.put(mid)
        client.subscribe("servers/#", qos=1)
        done.get(timeout=SECONDS)


def receive(server: MosquittoServer) -> bytes:
    """Take the first message that waits for the subscriber's session."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="subscriber", clean_session=False)
    messages: queue.Queue[bytes] = queue.Queue()
    client.on_message = lambda _c, _u, message: messages.put(bytes(message.payload))
    client.connect(server.host, server.port)
    client.loop_start()
    try:
        return messages.get(timeout=SECONDS)
    finally:
        client.disconnect()
        client.loop_stop()


def test_mosquitto_keeps_what_waits_for_a_session_over_a_restart(
    mosquitto: MosquittoServer,
) -> None:
    subscribe(mosquitto)
    publish(mosquitto, b"queued")
    mosquitto.restart()
    assert receive(mosquitto) == b"queued"


def test_mosquitto_is_on_the_same_port_after_it_was_killed(mosquitto: MosquittoServer) -> None:
    url = mosquitto.url
    mosquitto.kill()
    assert not mosquitto.running
    assert not mosquitto.answers()
    mosquitto.start()
    assert mosquitto.url == url
    publish(mosquitto, b"alive")


def test_mosquitto_saves_after_each_change_when_asked(mosquitto_factory: MosquittoFactory) -> None:
    server = mosquitto_factory(MosquittoOptions(autosave_on_changes=1))
    subscribe(server)
    publish(server, b"saved")
    file = server.persistence_file
    wait_until(lambda: file.exists() and b"saved" in file.read_bytes(), what="it is on disk")
    server.kill()
    server.start()
    assert receive(server) == b"saved"


def test_mosquitto_asks_for_a_password_when_it_was_given_one(
    mosquitto_factory: MosquittoFactory,
) -> None:
    server = mosquitto_factory(MosquittoOptions(username="gateway", password="s3cret"))
    assert server.url.startswith("mqtt://gateway:s3cret@127.0.0.1:")
    with connected(server, "right") as (_, answers):
        assert answers == ["Success"]
    stranger = mqtt.Client(CallbackAPIVersion.VERSION2)
    refused: queue.Queue[bool] = queue.Queue()
    stranger.on_connect = lambda _c, _u, _f, reason, _p: refused.put(reason.is_failure)
    stranger.connect(server.host, server.port)
    stranger.loop_start()
    try:
        assert refused.get(timeout=SECONDS)
    finally:
        stranger.disconnect()
        stranger.loop_stop()


def test_mosquitto_serves_tls_with_its_own_authority(mosquitto_factory: MosquittoFactory) -> None:
    server = mosquitto_factory(MosquittoOptions(tls=True))
    assert server.url == f"mqtts://localhost:{server.port}"
    with connected(server, "secure") as (_, answers):
        assert answers == ["Success"]


def test_the_shared_broker_answers(broker_url: str) -> None:
    assert broker_url.startswith("mqtt")


def write_and_count(url: str, database: str, headers: dict[str, str]) -> int:
    """Write one point by the v2 API, read the measurement back in InfluxQL."""
    with httpx.Client(base_url=url, headers=headers, timeout=SECONDS) as client:
        parameters = {"bucket": database, "org": "passerelle", "precision": "ns"}
        client.post("/api/v2/write", params=parameters, content="m v=1 1").raise_for_status()
        question = {"db": database, "q": "SELECT count(v) FROM m"}
        answer = client.get("/query", params=question).raise_for_status().json()
        return int(answer["results"][0]["series"][0]["values"][0][1])


def test_influxdb2_takes_points_and_gives_them_back(
    influxdb2: InfluxDB2, influxdb2_bucket: Callable[[], str]
) -> None:
    first, second = influxdb2_bucket(), influxdb2_bucket()
    headers = {"Authorization": f"Token {influxdb2.token}"}
    assert first != second
    assert write_and_count(influxdb2.url, first, headers) == 1
    assert write_and_count(influxdb2.url, second, headers) == 1


def test_influxdb2_keeps_its_token_and_points_when_it_is_killed(
    influxdb2_server: InfluxDB2Server,
) -> None:
    access = influxdb2_server.access
    headers = {"Authorization": f"Token {access.token}"}
    bucket = access.create_bucket()
    assert write_and_count(access.url, bucket, headers) == 1
    influxdb2_server.kill()
    influxdb2_server.start()
    assert write_and_count(access.url, bucket, headers) == 1
    influxdb2_server.restart()
    assert write_and_count(access.url, bucket, headers) == 1


def test_influxdb1_takes_points_and_gives_them_back(
    influxdb1: InfluxDB1, influxdb1_database: Callable[[], str]
) -> None:
    assert write_and_count(influxdb1.url, influxdb1_database(), {}) == 1


def test_influxdb1_keeps_its_points_when_it_is_killed(influxdb1_server: InfluxDB1Server) -> None:
    access = influxdb1_server.access
    database = access.create_database()
    assert write_and_count(access.url, database, {}) == 1
    influxdb1_server.kill()
    influxdb1_server.start()
    assert write_and_count(access.url, database, {}) == 1
    influxdb1_server.restart()
    assert write_and_count(access.url, database, {}) == 1


def test_postgres_gives_each_caller_an_empty_database(
    postgres_database: Callable[[], str],
) -> None:
    first, second = postgres_database(), postgres_database()
    assert first != second
    with psycopg.connect(first.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE t (x integer)")
    with psycopg.connect(second.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT 1 FROM pg_tables WHERE tablename = 't'").fetchall()
    assert rows == []


def test_postgres_keeps_its_rows_when_it_is_killed(postgres_server: PostgresServer) -> None:
    url = postgres_server.access.create_database().replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS x")
    postgres_server.kill()
    postgres_server.start()
    postgres_server.restart()
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(1,)]


LACKING = """
import pytest


def test_that_needs_a_broker(broker_url):
    raise AssertionError("it must not run")


def test_that_skips_itself():
    pytest.skip("no reason")


def test_that_runs():
    pass
"""


def run_where_nothing_is_installed(
    directory: Path, content: str, *, require: bool
) -> subprocess.CompletedProcess[str]:
    plugins = [f"tests.servers.{name}" for name in ("missing", "fixtures", "leaks")]
    (directory / "conftest.py").write_text(f"pytest_plugins = {plugins}\n")
    (directory / "test_lacking.py").write_text(content)
    (directory / "pytest.ini").write_text(
        "[pytest]\naddopts = -p no:cacheprovider --import-mode=importlib\n"
        "filterwarnings = error\nmarkers =\n    mosquitto: x\n"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PASSERELLE_")},
        "PYTHONPATH": str(Path.cwd()),
        "PASSERELLE_TEST_SERVERS_FROM": "containers",
        "DOCKER_HOST": f"unix://{directory}/no-engine.sock",
        "PASSERELLE_REQUIRE_SERVERS": "1" if require else "0",
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "test_lacking.py"],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_missing_server_is_named_at_the_end_with_the_command(tmp_path: Path) -> None:
    result = run_where_nothing_is_installed(tmp_path, LACKING, require=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 passed, 2 skipped" in result.stdout
    assert "1 tests DID NOT RUN" in result.stdout
    assert "Mosquitto: 1 tests did not run; no container engine answers" in result.stdout
    assert "to run them: apt-get install mosquitto" in result.stdout


def test_where_every_test_must_run_a_skip_is_a_failure(tmp_path: Path) -> None:
    result = run_where_nothing_is_installed(tmp_path, LACKING, require=True)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "skipped: Mosquitto is not available" in result.stdout
    assert "skipped: no reason" in result.stdout
    assert result.stdout.splitlines()[-1].count("skipped") == 0


SKIPS_ITSELF = """
import pytest

pytest.skip("this module asks for too much", allow_module_level=True)
"""


def test_where_every_test_must_run_a_module_may_not_skip_itself(tmp_path: Path) -> None:
    result = run_where_nothing_is_installed(tmp_path, SKIPS_ITSELF, require=True)
    assert result.returncode != 0, result.stdout + result.stderr
    assert "this module asks for too much" in result.stdout


LEAKS = """
import threading

stop = threading.Event()


def test_that_leaves_a_thread():
    threading.Thread(target=stop.wait, name="forgotten").start()


def test_that_leaves_a_task():
    import asyncio

    global loop, task
    loop = asyncio.new_event_loop()
    task = loop.create_task(asyncio.sleep(60), name="abandoned")


def test_that_cleans_up():
    stop.set()
    task.cancel()
    loop.run_until_complete(asyncio_gather(task))
    loop.close()


def asyncio_gather(task):
    import asyncio

    return asyncio.gather(task, return_exceptions=True)
"""


def test_a_test_that_leaves_a_thread_or_a_task_behind_fails(tmp_path: Path) -> None:
    result = run_where_nothing_is_installed(tmp_path, LEAKS, require=False)
    assert "the test left threads behind: forgotten" in result.stdout, result.stdout + result.stderr
    assert "the test left asyncio tasks pending: abandoned" in result.stdout
    assert "3 passed, 2 errors" in result.stdout
