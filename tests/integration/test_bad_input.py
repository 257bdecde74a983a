"""Bad input through a whole worker: each in the dead letters with its reason, nothing else hurt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.clock import NS_PER_S, SystemClock
from core.quality import Quality
from core.reading import DeviceKey
from core.reasons import Reason, Scope
from core.settings import Settings, load_settings
from devices.registry import Device
from tests.servers.waiting import wait_until
from tests.support.bench import TOPIC, Bench, message


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1})


@pytest.fixture
def bench(settings: Settings) -> Iterator[Bench]:
    made = Bench(settings)
    made.start()
    yield made
    made.stop()


GOOD = {"air_temperature": 21.5}
SCOPES = {"whole": Scope.MESSAGE, "field": Scope.FIELD}


@pytest.mark.parametrize(
    ("payload", "reason", "scope"),
    [
        pytest.param(b'{"seq":1,"boot":1,"t":"2026-', Reason.MALFORMED, "whole", id="truncated"),
        pytest.param(b"\xff\xfe{}", Reason.MALFORMED, "whole", id="not UTF-8"),
        pytest.param(b"", Reason.PAYLOAD_EMPTY, "whole", id="empty"),
        pytest.param(
            b'{"v":{"air_temperature":' + b" " * 300 * 1024 + b"21.5}}",
            Reason.PAYLOAD_TOO_LARGE,
            "whole",
            id="300 KB",
        ),
        pytest.param(
            b'{"v":' * 10_000 + b"1" + b"}" * 10_000,
            Reason.PAYLOAD_TOO_DEEP,
            "whole",
            id="depth 10,000",
        ),
        pytest.param(b'{"v":{"air_temperature":NaN}}', Reason.NOT_A_NUMBER, "whole", id="NaN"),
        pytest.param(
            message(1, {"air_temperature": "warm"} | {"relative_humidity": 40}),
            Reason.WRONG_TYPE,
            "field",
            id="wrong type",
        ),
        pytest.param(
            message(1, {"air_temperature": [1]}), Reason.WRONG_TYPE, "whole", id="only wrong type"
        ),
        pytest.param(
            message(1, {"warmth": 3, "relative_humidity": 40}),
            Reason.UNKNOWN_QUANTITY,
            "field",
            id="unknown quantity",
        ),
        pytest.param(
            message(1, {"air_temperature": {"v": 3, "u": "furlong"}, "relative_humidity": 40}),
            Reason.UNKNOWN_UNIT,
            "field",
            id="unknown unit",
        ),
        pytest.param(
            message(1, GOOD, t="1970-01-01T00:01:00Z"), Reason.DEVICE_CLOCK, "field", id="1970"
        ),
        pytest.param(
            message(1, GOOD, t="2100-01-01T00:00:00Z"), Reason.DEVICE_CLOCK, "field", id="2100"
        ),
        pytest.param(
            b'{"seq":1,"boot":1,"v":{"air_temperature":1.0,"air_temperature":21.5}}',
            Reason.DUPLICATE_KEY,
            "field",
            id="duplicate keys",
        ),
    ],
)
def test_bad_input_is_set_aside_with_its_reason_and_nothing_else_is_hurt(
    bench: Bench, payload: bytes, reason: Reason, scope: str
) -> None:
    bench.publish(message(0, {"air_temperature": 20.0}))
    bench.publish(payload)
    bench.publish(message(2, {"air_temperature": 22.0}))
    bench.settle()
    wait_until(bench.letters, what="the dead letter is told")
    [letter] = bench.letters()
    assert (letter.reason, letter.scope) == (reason, SCOPES[scope])
    assert (letter.site, letter.device) == ("elgazala", "thermo-1")
    assert letter.payload == payload
    assert letter.topic == TOPIC
    assert len(letter.detail) > 10
    stored = [one.value for one in bench.readings() if one.quantity == "air_temperature"]
    assert {20.0, 22.0} <= set(stored)
    totals = bench.registry.ledger.totals()
    whole = scope == "whole"
    assert (totals.received, totals.stored, totals.dead_lettered, totals.pending) == (
        3,
        2 if whole else 3,
        1 if whole else 0,
        0,
    )
    assert bench.source.unacknowledged == 0


@pytest.mark.parametrize("told", ["1970-01-01T00:01:00Z", "2100-01-01T00:00:00Z"])
def test_a_value_with_an_impossible_time_is_stored_at_the_time_of_reception(
    bench: Bench, told: str
) -> None:
    bench.publish(message(1, GOOD, t=told))
    bench.settle()
    [reading] = bench.readings()
    assert abs(reading.time_ns - SystemClock().now_ns()) < 60 * NS_PER_S
    assert reading.quality & Quality.CLOCK_SUSPECT


def test_a_topic_that_is_not_utf8_is_set_aside_under_no_device(bench: Bench) -> None:
    bench.publish(b"anything", b"passerelle/\xff/x")
    bench.publish(message(1, GOOD))
    bench.settle()
    wait_until(bench.letters, what="the dead letter is told")
    [letter] = bench.letters()
    assert (letter.reason, letter.site, letter.device) == (
        Reason.TOPIC_NOT_UTF8,
        "unassigned",
        "unidentified",
    )
    assert letter.topic == "passerelle/\\xff/x"
    assert len(bench.readings()) == 1


def test_an_unknown_device_waits_in_quarantine_until_it_is_registered_and_replayed(
    bench: Bench,
) -> None:
    bench.publish(message(1, GOOD), "passerelle/v1/elgazala/newcomer/telemetry")
    bench.settle()
    wait_until(bench.letters, what="the dead letter is told")
    [letter] = bench.letters()
    assert (letter.reason, letter.site, letter.device) == (
        Reason.UNKNOWN_DEVICE,
        "elgazala",
        "newcomer",
    )
    bench.registry.devices.add(
        Device(id="thermo-2", site="elgazala", profile="passerelle", external_id="newcomer")
    )
    [request] = bench.registry.dead_letters.request_replay([letter.id], "test")
    wait_until(
        lambda: bench.registry.dead_letters.get_request(request.id).finished_ns,
        what="the replay is done",
    )
    assert bench.worker.settle(timeout_s=20)
    assert bench.registry.dead_letters.get(letter.id).state == "replayed"
    found = bench.store.latest([DeviceKey("elgazala", "thermo-2")])
    assert [one.value for one in found] == [21.5]

    def moved() -> bool:
        rows = {row.device: row for row in bench.registry.ledger.read()}
        return rows["newcomer"].received == 0 and rows["thermo-2"].stored == 1

    wait_until(moved, what="the account has moved to the device that it was from")


def test_a_replay_that_fails_again_stays_open_with_its_reason(bench: Bench) -> None:
    bench.publish(b"{")
    bench.settle()
    wait_until(bench.letters, what="the dead letter is told")
    [letter] = bench.letters()
    [request] = bench.registry.dead_letters.request_replay([letter.id], "test")
    wait_until(
        lambda: bench.registry.dead_letters.get_request(request.id).finished_ns,
        what="the replay is done",
    )
    done = bench.registry.dead_letters.get_request(request.id)
    again = bench.registry.dead_letters.get(letter.id)
    assert (done.replayed, done.failed, again.state, again.attempts) == (0, 1, "open", 1)
    assert bench.registry.ledger.totals().dead_lettered == 1


def test_an_unknown_device_enrols_itself_where_the_setting_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    enrolling = settings.model_copy(
        update={"ingest": settings.ingest.model_copy(update={"unknown_device": "enrol"})}
    )
    bench = Bench(enrolling)
    bench.start()
    bench.publish(message(1, GOOD), "passerelle/v1/diamniadio/New Sensor/telemetry")
    bench.settle()

    def enrolled() -> bool:
        return any(one.enrolled for one in bench.registry.devices.all())

    wait_until(enrolled, what="it is registered")
    [device] = [one for one in bench.registry.devices.all() if one.enrolled]
    assert (device.id, device.external_id, device.site) == (
        "new-sensor",
        "New Sensor",
        "diamniadio",
    )
    assert bench.store.latest([DeviceKey("diamniadio", "new-sensor")])[0].value == 21.5
    assert (tmp_path / "spool-worker-1.db").exists()
    bench.stop()
