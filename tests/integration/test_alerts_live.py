"""Alerting, live, on a real broker and a real InfluxDB: nothing is lost or told twice.

Worker and alerting are programs of their own, which are killed as a power cut would; who is told is
a real HTTP server.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devices.registry.alert_records import OPEN_STATES, AlertState
from tests.servers.influxdb2 import InfluxDB2
from tests.servers.mosquitto import MosquittoServer
from tests.servers.waiting import wait_until
from tests.support.alerting import HOT, AlertingSite, wait_judging, working
from tests.support.receivers import HookReceiver

KILLS = 6
SILENT = """\
rule: silent
title: {en: Silent, fr: Muet}
when: {absence: {after: 6s}}
"""


@pytest.fixture
def hook() -> Iterator[HookReceiver]:
    with HookReceiver() as server:
        yield server


@pytest.fixture
def place(
    tmp_path: Path,
    mosquitto: MosquittoServer,
    influxdb2: InfluxDB2,
    influxdb2_bucket: Callable[[], str],
    hook: HookReceiver,
) -> Iterator[AlertingSite]:
    opened = AlertingSite(
        tmp_path,
        broker=mosquitto.url,
        influxdb=influxdb2,
        bucket=influxdb2_bucket(),
        told=hook.url,
    )
    yield opened
    opened.close()


def told(hook: HookReceiver, occasion: str) -> Counter[tuple[str, str]]:
    """Return how often each (device, notice) was told of an occasion."""
    return Counter(
        (alert["subject"]["device"], body["id"])
        for body in [json.loads(one.body) for one in list(hook.posted)]
        if body["occasion"] == occasion
        for alert in body["alerts"]
    )


def wait_told(hook: HookReceiver, occasion: str, *devices: str) -> None:
    wait_until(
        lambda: {device for device, _ in told(hook, occasion)} >= set(devices),
        seconds=60,
        what=f"{devices} were told of as {occasion}",
    )


def test_a_value_beyond_its_limit_is_told_and_so_is_its_end(
    place: AlertingSite, hook: HookReceiver
) -> None:
    place.rule()
    alerts = place.alerts()
    with working(place.worker()), alerts:
        wait_judging(alerts)
        place.publish(("d1", 20), ("d2", 20))
        place.publish(("d1", 35))
        found = place.wait_alert("d1", AlertState.FIRING)
        assert (found.rule, found.version, found.value, found.unit) == ("hot", 1, 35, "Cel")
        wait_told(hook, "firing", "d1")
        place.publish(("d1", 20))
        place.wait_alert("d1", AlertState.RESOLVED)
        wait_told(hook, "resolved", "d1")
        assert place.alerts_of("d2") == []
    assert len(told(hook, "firing")) == 1
    assert len(told(hook, "resolved")) == 1


def test_what_happened_while_nobody_judged_is_found_in_the_store(
    place: AlertingSite, hook: HookReceiver
) -> None:
    place.rule()
    alerts = place.alerts()
    with working(place.worker()):
        with alerts:
            wait_judging(alerts)
            place.publish(("d1", 20), ("d2", 20), ("d3", 35))
            place.wait_alert("d3", AlertState.FIRING)
        place.publish(("d1", 35), ("d2", 35), ("d3", 20))
        place.publish(("d2", 20))
        with alerts:
            wait_judging(alerts)
            place.wait_alert("d1", AlertState.FIRING)
            place.wait_alert("d2", AlertState.RESOLVED)
            place.wait_alert("d3", AlertState.RESOLVED)
            wait_told(hook, "firing", "d1", "d3")
            wait_told(hook, "resolved", "d3")
    assert len(place.alerts_of("d1", "d2", "d3")) == 3


def test_killed_again_and_again_it_loses_no_alarm_and_tells_each_once_but_for_the_kill(
    place: AlertingSite, hook: HookReceiver
) -> None:
    place.rule()
    alerts = place.alerts()
    expected = dict.fromkeys(place.devices, 0)
    with working(place.worker()):
        place.publish(*[(device, 20) for device in place.devices])
        for number in range(KILLS):
            alerts.start()
            device = place.devices[number % len(place.devices)]
            if number % 2:
                wait_judging(alerts)
            place.publish((device, 35))
            expected[device] += 1
            if number % 3 == 0:
                place.wait_alert(device, AlertState.FIRING, seconds=60)
            alerts.kill()
            place.publish((device, 20))
        with alerts:
            wait_judging(alerts)
            wait_until(
                lambda: (
                    Counter(one.device for one in place.alerts_of(*place.devices)) == expected
                    and not place.alerts_of(*place.devices, states=OPEN_STATES)
                ),
                seconds=60,
                what=f"every alarm was found, once, and is over: {expected}",
            )
            wait_until(
                lambda: not place.registry.notices.waiting(), seconds=60, what="all was delivered"
            )
    found = place.alerts_of(*place.devices)
    for occasion in ("firing", "retroactive"):
        repeated = {one: count for one, count in told(hook, occasion).items() if count > 1}
        assert all(count == 2 for count in repeated.values()), repeated
        assert len(repeated) <= KILLS
    heard = Counter(
        device for occasion in ("firing", "retroactive") for device, _ in told(hook, occasion)
    )
    assert heard == expected, "an alarm was told in two notices, or in none"
    assert len(found) == KILLS


def test_after_a_restart_it_speaks_and_a_late_value_counts_once_the_past_was_judged(
    place: AlertingSite, hook: HookReceiver
) -> None:
    place.rule()
    alerts = place.alerts()
    with working(place.worker()):
        with alerts:
            wait_judging(alerts)
            place.publish(("d1", 20), ("d2", 20), seconds_ago=100)
            place.publish(("d1", 20), ("d2", 20))
            place.publish(("d3", 35))
            place.wait_alert("d3", AlertState.FIRING)
        with alerts:
            wait_judging(alerts)
            place.publish(("d1", 35))
            place.publish(("d2", 35), seconds_ago=50)
            place.wait_alert("d1", AlertState.FIRING)
            place.wait_alert("d2", AlertState.RESOLVED)
            place.publish(("d3", 20))
            place.wait_alert("d3", AlertState.RESOLVED)
            wait_told(hook, "firing", "d1", "d3")
        assert "alerts_looked_back" in alerts.output()
    assert len(place.alerts_of("d1", "d2", "d3")) == 3
    assert set(told(hook, "firing").values()) == {1}


def test_two_instances_tell_once_and_the_other_takes_over(
    place: AlertingSite, hook: HookReceiver
) -> None:
    place.rule()
    one, two = place.alerts("one"), place.alerts("two")
    with working(place.worker()), one, two:
        first = wait_judging(one, two)
        place.publish(("d1", 20), ("d2", 20))
        place.publish(("d1", 35))
        wait_told(hook, "firing", "d1")
        wait_until(
            lambda: not place.registry.notices.waiting(), what="its delivery is written down"
        )
        first.kill()
        place.publish(("d2", 35))
        second = two if first is one else one
        wait_judging(second)
        place.wait_alert("d2", AlertState.FIRING)
        wait_told(hook, "firing", "d2")
    assert Counter(device for device, _ in told(hook, "firing")) == {"d1": 1, "d2": 1}
    assert set(told(hook, "firing").values()) == {1}


def test_a_rule_that_is_put_while_values_come_judges_what_is_there(place: AlertingSite) -> None:
    alerts = place.alerts()
    with working(place.worker()), alerts:
        wait_judging(alerts)
        place.publish(("d1", 35), ("d2", 20))
        place.rule()
        found = place.wait_alert("d1", AlertState.FIRING, seconds=60)
        assert found.version == 1
        place.rule(HOT.replace("28 Cel", "40 Cel"))
        over = place.wait_alert("d1", AlertState.RESOLVED, seconds=60)
        assert over.id == found.id
        place.rule()
        wait_until(
            lambda: [one.version for one in place.alerts_of("d1", states=OPEN_STATES)] == [3],
            seconds=60,
            what="the third version found it again",
        )


def test_silence_is_told_and_that_of_the_broker_is_nobodys(
    place: AlertingSite, mosquitto: MosquittoServer, hook: HookReceiver
) -> None:
    place.rule(SILENT, name="silent")
    alerts = place.alerts()
    with working(place.worker()), alerts:
        wait_judging(alerts)
        place.publish(("d1", 20), ("d2", 20), ("d3", 20))
        wait_told(hook, "firing", "d1", "d2", "d3")
        place.publish(("d1", 20), ("d2", 20), ("d3", 20))
        place.wait_alert("d1", AlertState.RESOLVED)
        place.publish(("d1", 20), ("d2", 20), ("d3", 20))
        mosquitto.kill()
        wait_until(
            lambda: "live_stream_unavailable" in alerts.output(),
            seconds=20,
            what="the loss of the broker is noticed",
        )
        began_ns = place.clock.now_ns()
        wait_until(
            lambda: place.clock.now_ns() - began_ns > 9e9, seconds=20, what="nine seconds pass"
        )
        mosquitto.start()
        wait_until(
            lambda: "live_stream_back" in alerts.output(), seconds=30, what="the broker is back"
        )
        place.publish(("d1", 20), ("d2", 20), ("d3", 20))
        assert len(place.alerts_of("d1", "d2", "d3")) == 3
    assert len(told(hook, "firing")) == 3
