"""What the registry promises of alerts, silences and checkpoints, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from alerts.lifecycle import Lifecycle, Names, people
from alerts.policy import parse_policy
from alerts.rules.inventory import Inventory
from core.clock import NS_PER_S, ManualClock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry import Registry
from devices.registry.alert_late import MOST
from devices.registry.alert_records import (
    AlertEvent,
    AlertRecord,
    NoticeRecord,
    Silence,
    SilenceKind,
)
from devices.registry.alert_rows import watch_of
from devices.registry.alert_statistics import DAY_NS
from devices.registry.alert_telling import AlertGroup, LateValue, Telling
from devices.registry.alerts import AlertFilter
from devices.registry.errors import LeaseLostError
from devices.registry.notices import LEASE, NoticeFilter
from tests.contract.registry_data import DATABASES, HOSTILE, NOW_NS, new_address
from tests.unit.alerts.lifecycle.scene import ALONE, CHANNELS, RULES, ends, fires
from tests.unit.alerts.rules import ns


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    made = Registry.open(new_address(request, tmp_path), clock=clock)
    made.migrate()
    yield made
    made.close()


def alert(name: str, /, **more: Any) -> AlertRecord:
    fields: dict[str, Any] = {
        "rule": "hot",
        "version": 1,
        "title": '{"en":"Hot","fr":"Chaud"}',
        "severity": "warning",
        "alarm_class": "measured",
        "site": "elgazala",
        "device": "d-1",
        "state": "firing",
        "at_ns": NOW_NS,
        "opened_ns": NOW_NS,
    }
    return AlertRecord(id=name, **(fields | more))


def put(registry: Registry, *records: AlertRecord) -> None:
    with registry.alerts.work() as work:
        for one in records:
            work.put(one)


def ids(records: list[AlertRecord]) -> list[str]:
    return [one.id for one in records]


# --- alerts


def test_an_alert_comes_back_as_it_was_given(registry: Registry) -> None:
    full = alert(
        "a",
        building="A",
        zone="hall",
        quantity="air_temperature",
        person="p-7",
        since_ns=NOW_NS - 5,
        until_ns=NOW_NS + 5,
        closed_ns=NOW_NS + 9,
        applied='["0011"]',
        acknowledged_ns=NOW_NS + 1,
        acknowledged_by="nurse",
        acknowledged_note="on my way",
        value=31.25,
        unit="Cel",
        facts='{"above":28}',
        evidence="[]",
        runbook="Look.",
        retroactive=True,
        cause="b",
        silence="s",
        flapping=True,
        changes="[1,2]",
        route="ward,default",
        group="g",
        told="firing",
        told_ns=NOW_NS + 2,
        level=2,
        next_ns=NOW_NS + 60,
    )
    put(registry, full)
    assert registry.alerts.get("a") == full
    with pytest.raises(NotFoundError, match="there is no alert 'b'"):
        registry.alerts.get("b")


@pytest.mark.parametrize("text", HOSTILE)
def test_what_people_and_devices_said_is_kept_character_by_character(
    registry: Registry, text: str
) -> None:
    record = alert("a", device=text, acknowledged_note=text, acknowledged_by=text, runbook=text)
    put(registry, record)
    assert registry.alerts.get("a") == record


def test_what_cannot_be_kept_is_made_storable(registry: Registry) -> None:
    put(registry, alert("a", acknowledged_note="nul \x00 half \udc80", acknowledged_by="x" * 300))
    found = registry.alerts.get("a")
    assert found.acknowledged_note == "nul \\x00 half \\udc80"
    assert len(found.acknowledged_by) == 200


def test_pages_are_newest_first_and_stay_while_alerts_come(registry: Registry) -> None:
    put(registry, *(alert(f"a{n}", opened_ns=NOW_NS + n // 2) for n in range(6)))
    first = registry.alerts.list(AlertFilter(), limit=3)
    assert ids(first) == ["a5", "a4", "a3"]
    put(registry, alert("b", opened_ns=NOW_NS + 9))
    after = first[-1].opened_ns, first[-1].id
    assert ids(registry.alerts.list(AlertFilter(), limit=9, after=after)) == ["a2", "a1", "a0"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"states": ("resolved",)}, ["d"]),
        ({"states": ("resolved", "pending")}, ["d", "c"]),
        ({"rule": "cold"}, ["b"]),
        ({"site": "diamniadio"}, ["c"]),
        ({"site": ""}, ["e"]),
        ({"sites": frozenset({"diamniadio", "nowhere"})}, ["c"]),
        ({"sites": frozenset()}, []),
        ({"device": "d-2"}, ["b"]),
        ({"person": "p-1"}, ["d"]),
        ({"severity": "critical"}, ["c"]),
        ({"alarm_class": "no_data"}, ["d"]),
        ({"since_ns": NOW_NS + 3}, ["e", "d"]),
        ({"until_ns": NOW_NS + 1}, ["a"]),
        ({"rule": "hot", "severity": "warning", "site": "elgazala"}, ["d", "a"]),
    ],
)
def test_lists_fit_everything_that_is_asked(
    registry: Registry, wanted: dict[str, Any], found: list[str]
) -> None:
    put(
        registry,
        alert("a"),
        alert("b", rule="cold", device="d-2", opened_ns=NOW_NS + 1),
        alert("c", site="diamniadio", state="pending", severity="critical", opened_ns=NOW_NS + 2),
        alert(
            "d",
            state="resolved",
            person="p-1",
            alarm_class="no_data",
            opened_ns=NOW_NS + 3,
        ),
        alert("e", site="", rule="platform.deaf", device="", opened_ns=NOW_NS + 4),
    )
    assert ids(registry.alerts.list(AlertFilter(**wanted))) == found


def test_open_alerts_are_those_that_go_on(registry: Registry) -> None:
    states = ("firing", "acknowledged", "resolved", "withdrawn", "pending", "incomplete")
    put(registry, *(alert(one, state=one) for one in states))
    assert sorted(ids(registry.alerts.open_alerts())) == ["acknowledged", "firing"]


def test_events_are_told_in_their_order_page_by_page(registry: Registry) -> None:
    with registry.alerts.work() as work:
        work.put(alert("a"))
        for kind in ("firing", "told", "resolved"):
            work.events.append(AlertEvent(alert="a", time_ns=NOW_NS, kind=kind, actor="x"))
        work.events.append(AlertEvent(alert="b", time_ns=NOW_NS, kind="firing"))
    first = registry.alerts.events("a", limit=2)
    assert [one.kind for one in first] == ["firing", "told"]
    rest = registry.alerts.events("a", after=first[-1].id)
    assert [one.kind for one in rest] == ["resolved"]
    assert len({one.id for one in [*first, *rest]}) == 3


# --- work


def test_work_of_which_the_last_order_cannot_be_kept_leaves_nothing(registry: Registry) -> None:
    def work_badly() -> None:
        with registry.alerts.work() as work:
            work.put(alert("a"))
            work.events.append(AlertEvent(alert="a", time_ns=1, kind="firing"))
            for channel in ("fits", "x" * 100):
                work.notices.append(
                    NoticeRecord(
                        id=channel[:5], channel=channel, occasion="firing", created_ns=1, body="{}"
                    )
                )

    with pytest.raises(ConfigurationError, match="channel"):
        work_badly()
    assert registry.alerts.list(AlertFilter()) == []
    assert registry.alerts.events("a") == []
    assert registry.notices.list(NoticeFilter(), limit=10) == []


def test_work_sees_what_it_changed_itself(registry: Registry) -> None:
    put(registry, alert("a"), alert("b", next_ns=NOW_NS))
    with registry.alerts.work() as work:
        work.put(alert("a", next_ns=NOW_NS))
        work.put(alert("b", state="resolved"))
        work.put(alert("c"))
        work.forget("b")
        assert ids(work.due_alerts(NOW_NS)) == ["a"]
        assert sorted(one.id for one in work.standing()) == ["a", "c"]
        found = work.of_watches([watch_of(alert("a"))], from_ns=0, to_ns=NOW_NS)
        assert ids(found) == ["a", "c"]
        assert work.get("b") is None


def test_tellings_and_groups_are_found_by_what_is_due(registry: Registry) -> None:
    group = AlertGroup(id="g", route="r", kind="now", label="site=x", due_ns=NOW_NS)
    with registry.alerts.work() as work:
        work.put(alert("a"))
        work.put_group(group)
        work.put_telling(Telling(alert="a", route="r", group="g", wanted="firing"))
        work.put_telling(Telling(alert="a", route="s", group="h", next_ns=NOW_NS))
    assert registry.alerts.pressing(NOW_NS) == (True, frozenset())
    assert registry.alerts.pressing(NOW_NS - 1) == (False, frozenset())
    with registry.alerts.work() as work:
        assert work.due_groups(NOW_NS) == [group]
        assert [one.route for one in work.waiting(["g", "h"])] == ["r"]
        assert [one.route for one in work.due_tellings(NOW_NS)] == ["s"]
        assert [one.route for one in work.going_on(["h"])] == ["s"]
        work.put_group(AlertGroup(id="g", route="r", kind="now", label="", told_ns=NOW_NS))
        work.drop_telling(work.tellings(["a"])["a"][1])
    with registry.alerts.work() as work:
        assert [one.route for one in work.tellings(["a"])["a"]] == ["r"]
        work.prune_groups(NOW_NS + 1)
    with registry.alerts.work() as work:
        assert work.groups(["g"]) == {}


def test_only_who_holds_the_lease_may_work(registry: Registry, clock: ManualClock) -> None:
    with pytest.raises(LeaseLostError), registry.alerts.work("me") as work:
        work.put(alert("a"))
    registry.leases.hold(LEASE, holder="me", for_s=10)
    with registry.alerts.work("me") as work:
        work.put(alert("a"))
    clock.advance(60)
    registry.leases.hold(LEASE, holder="other", for_s=10)
    with pytest.raises(LeaseLostError), registry.alerts.work("me") as work:
        work.put(alert("b"))
    with pytest.raises(LeaseLostError):
        registry.alerts.keep_checkpoint("c", b"", "{}", NOW_NS, holder="me")
    assert ids(registry.alerts.list(AlertFilter())) == ["a"]


def test_of_many_who_acknowledge_at_once_one_does(registry: Registry) -> None:
    put(registry, alert("a"))
    start = threading.Barrier(8)

    def take(name: str) -> bool:
        start.wait()
        try:
            people.acknowledge(registry, "a", by=name, now_ns=NOW_NS)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(take, "abcdefgh"))
    assert won.count(True) == 1
    assert registry.alerts.get("a").acknowledged_by == "abcdefgh"[won.index(True)]
    assert [one.kind for one in registry.alerts.events("a")] == ["acknowledged"]


def test_two_processes_that_judge_the_same_tell_once(
    registry: Registry, clock: ManualClock
) -> None:
    clock.step_to(ns(0))
    policy = parse_policy(CHANNELS + ALONE, origin="test")
    both = [Lifecycle(registry=registry, policy=policy, clock=clock) for _ in range(2)]
    for one in both:
        one.know({rule.name: rule for rule in RULES}, Inventory((), {}), Names())
    said = [
        verdict
        for number in range(20)
        for verdict in (fires(device=f"d{number}"), ends(device=f"d{number}", at=9, alert=0))
    ]

    def judge(lifecycle: Lifecycle) -> None:
        for one in said:
            lifecycle.apply([one])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(judge, both))
    told = [one.occasion for one in registry.notices.list(NoticeFilter(), limit=1000)]
    assert sorted(told) == ["firing"] * 20 + ["resolved"] * 20


# --- silences


def silence(name: str, /, **more: Any) -> Silence:
    fields: dict[str, Any] = {
        "match": '{"rule":["hot"]}',
        "by": "n.ba",
        "reason": "known",
        "created_ns": NOW_NS,
        "start_ns": NOW_NS,
        "end_ns": NOW_NS + 100,
    }
    return Silence(id=name, **(fields | more))


def test_silences_are_listed_newest_first_and_ended_once(registry: Registry) -> None:
    for place, name in enumerate("abc"):
        registry.silences.add(silence(name, created_ns=NOW_NS + place))
    registry.silences.add(silence("m", kind="maintenance", end_ns=NOW_NS + 1))
    assert [one.id for one in registry.silences.list()] == ["c", "b", "m", "a"]
    assert [one.id for one in registry.silences.list(after=(NOW_NS + 1, "b"))] == ["m", "a"]
    active = registry.silences.list(active_ns=NOW_NS + 50)
    assert [one.id for one in active] == ["c", "b", "a"]
    maintenance = registry.silences.list(kind=SilenceKind.MAINTENANCE)
    assert [one.id for one in maintenance] == ["m"]
    ended = registry.silences.end("b", by="me", now_ns=NOW_NS + 10)
    assert (ended.end_ns, ended.ended_by) == (NOW_NS + 10, "me")
    assert registry.silences.get("b") == ended
    with pytest.raises(ConflictError):
        registry.silences.end("b", by="me", now_ns=NOW_NS + 11)
    assert [one.id for one in registry.silences.at(NOW_NS + 10)] == ["a", "c"]


# --- the rest


def test_late_values_are_listed_once_and_the_oldest_let_go(registry: Registry) -> None:
    def late(number: int) -> LateValue:
        return LateValue(
            rule="hot" if number % 2 else "cold",
            site="elgazala",
            device="d",
            quantity="q",
            time_ns=number,
            value=1.5,
            seen_ns=NOW_NS,
        )

    with registry.alerts.work() as work:
        work.late.extend(late(number) for number in range(MOST))
    with registry.alerts.work() as work:
        work.late.extend(late(number) for number in range(MOST - 5, MOST + 5))
    newest = registry.alerts.late(limit=20_000)
    assert len(newest) == MOST
    assert (newest[0].time_ns, newest[-1].time_ns) == (MOST + 4, 5)
    page = registry.alerts.late(limit=2, rule="hot", sites=frozenset({"elgazala"}))
    assert [one.time_ns for one in page] == [MOST + 3, MOST + 1]
    page = registry.alerts.late(limit=1, before=page[-1].id)
    assert [one.time_ns for one in page] == [MOST]
    assert registry.alerts.late(sites=frozenset({"diamniadio"})) == []


def test_a_checkpoint_is_replaced_whole(registry: Registry) -> None:
    assert registry.alerts.checkpoint("engine") is None
    registry.alerts.keep_checkpoint("engine", b"one", "{}", NOW_NS)
    registry.alerts.keep_checkpoint("engine", b"\x00two" * 1000, '{"a":1}', NOW_NS + 1)
    found = registry.alerts.checkpoint("engine")
    assert found is not None
    assert (found.blob, found.facts, found.saved_ns) == (
        b"\x00two" * 1000,
        '{"a":1}',
        NOW_NS + 1,
    )


def test_statistics_count_by_subject_and_day(registry: Registry) -> None:
    day_ns = NOW_NS - NOW_NS % DAY_NS
    put(
        registry,
        alert("a", opened_ns=day_ns, acknowledged_ns=day_ns + 60 * NS_PER_S, state="resolved"),
        alert("b", opened_ns=day_ns + 1, state="withdrawn", retroactive=True),
        alert("c", opened_ns=day_ns + DAY_NS, acknowledged_ns=day_ns + DAY_NS + 5),
        alert("d", opened_ns=day_ns, device="d-2"),
        alert("e", opened_ns=day_ns, state="pending"),
        alert("f", opened_ns=day_ns - 1),
        alert("g", opened_ns=day_ns, site="diamniadio"),
    )
    found = registry.alerts.statistics(day_ns, day_ns + 2 * DAY_NS, sites=frozenset({"elgazala"}))
    assert [
        (one.device, one.day, one.count, one.withdrawn, one.retroactive) for one in found.counts
    ] == [
        ("d-1", day_ns, 2, 1, 1),
        ("d-2", day_ns, 1, 0, 0),
        ("d-1", day_ns + DAY_NS, 1, 0, 0),
    ]
    assert [one.delay_ns for one in found.acknowledged] == [5, 60 * NS_PER_S]


def test_counts_are_of_what_is_there_now(registry: Registry) -> None:
    put(
        registry,
        alert("a", cause="b"),
        alert("b", silence="s", flapping=True, next_ns=5),
        alert("c", state="pending"),
        alert("d", state="resolved"),
    )
    found = registry.alerts.counts()
    assert found.states == {
        ("warning", "measured", "firing"): 2,
        ("warning", "measured", "pending"): 1,
    }
    assert (found.inhibited, found.silenced, found.flapping) == (1, 1, 1)
