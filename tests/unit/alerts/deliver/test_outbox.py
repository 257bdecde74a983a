"""How notices reach a channel: in order, again when need be, at most so many, never lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from alerts.deliver.channel import DeliveryError
from alerts.deliver.circuit import DOWN_AFTER, LONGEST_WAIT_S, Circuit, backoff_s
from alerts.deliver.spec import ChannelSpec
from alerts.model import Notice, Occasion
from core.clock import NS_PER_HOUR, NS_PER_S, ManualClock, SystemClock
from core.errors import ConfigurationError, NotFoundError
from devices.registry.alert_records import NoticeState
from devices.registry.errors import LeaseLostError, RegistryUnavailableError
from devices.registry.notices import LEASE
from tests.servers.waiting import wait_until
from tests.support.notices import AT_NS, Post, notice, spec, view

TEMPORARY = DeliveryError("HTTP 503", retry=True)
REFUSED = DeliveryError("HTTP 403", retry=False)


class Scripted:
    """A channel that does what the test says: a receiver, in memory.

    Attributes:
        got: ids of what it was given.
        fails: raised, as long as it is there.
        hold: while it is clear, nothing returns.
    """

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fails: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        self.closed = False

    def deliver(self, given: Notice) -> str:
        self.got.append(given.id)
        self.hold.wait()
        if self.fails is not None:
            raise self.fails
        return "taken"

    def close(self) -> None:
        self.closed = True


class Desk:
    """Channels of the test, by name."""

    def __init__(self) -> None:
        self.channels: dict[str, Scripted] = {}

    def __call__(self, made: ChannelSpec) -> Scripted:
        return self[made.name]

    def __getitem__(self, name: str) -> Scripted:
        return self.channels.setdefault(name, Scripted())


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AT_NS)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def post(tmp_path: Path, clock: ManualClock, desk: Desk) -> Any:
    specs = [spec(name, url="json://h", give_up="1h") for name in ("ward-mail", "sms")]
    with Post(tmp_path, *specs, clock=clock, make=desk) as made:
        yield made


def until_delivered(post: Post, clock: ManualClock, name: str, *, hours: float = 3) -> None:
    """Let time pass until a notice is delivered or given up."""
    end_ns = clock.now_ns() + round(hours * NS_PER_HOUR)
    while post.got(name).state == NoticeState.WAITING:
        assert clock.now_ns() < end_ns, "it waits for ever"
        clock.advance(max(1.0, (post.got(name).next_ns - clock.now_ns()) / NS_PER_S))
        post.outbox.deliver_due()


def test_what_waits_is_delivered_once_in_the_order_in_which_it_was_ordered(
    post: Post, desk: Desk
) -> None:
    post.order("2", created_ns=AT_NS + 2)
    post.order("1", created_ns=AT_NS + 1)
    post.order("3", created_ns=AT_NS + 3, channel="sms")
    post.clock.advance(1)  # type: ignore[attr-defined]
    assert post.outbox.deliver_due() == 3
    assert (desk["ward-mail"].got, desk["sms"].got) == (["1", "2"], ["3"])
    assert post.details("1") == [("delivered", "taken")]
    assert post.outbox.deliver_due() == 0
    assert (
        post.metrics.registry.get_sample_value(
            "passerelle_alerts_notice_attempts_total", {"channel": "sms", "outcome": "delivered"}
        )
        == 1
    )


def test_what_fails_for_now_is_tried_again_later_and_later(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    desk["ward-mail"].fails = TEMPORARY
    post.order("a")
    assert post.outbox.deliver_due() == 1
    assert post.outbox.deliver_due() == 0
    clock.advance(1800)
    post.outbox.deliver_due()
    desk["ward-mail"].fails = None
    until_delivered(post, clock, "a")
    assert [outcome for outcome, _ in post.details("a")] == ["retry", "retry", "delivered"]
    assert desk["ward-mail"].got == ["a"] * 3


def test_waits_grow_to_a_bound_and_are_spread() -> None:
    random = Random(3)
    for failures in range(1, 60):
        waits = [backoff_s(failures, random) for _ in range(200)]
        bound = min(LONGEST_WAIT_S, 5 * 2 ** (failures - 1))
        assert 0.8 * bound < max(waits) <= bound
        assert min(waits) < 0.2 * bound


def test_a_receiver_that_asks_to_wait_is_given_the_time(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    desk["ward-mail"].fails = DeliveryError("HTTP 429", retry=True, after_s=600)
    post.order("a")
    post.outbox.deliver_due()
    assert post.got("a").next_ns >= AT_NS + 600 * NS_PER_S
    desk["ward-mail"].fails = None
    clock.advance(599)
    assert post.outbox.deliver_due() == 0
    clock.advance(600)
    assert post.outbox.deliver_due() == 1


def test_what_is_refused_for_good_fails_at_once_and_somebody_hears_of_it(
    post: Post, desk: Desk
) -> None:
    desk["ward-mail"].fails = REFUSED
    post.order("a")
    post.outbox.deliver_due()
    assert (post.got("a").state, post.got("a").error) == ("failed", "HTTP 403")
    assert post.said == [("ward-mail", True, "HTTP 403")]


def test_what_was_tried_for_too_long_is_given_up_and_somebody_hears_of_it(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    desk["ward-mail"].fails = TEMPORARY
    post.order("a")
    until_delivered(post, clock, "a")
    found = post.got("a")
    assert found.state == NoticeState.FAILED
    assert clock.now_ns() - AT_NS >= NS_PER_HOUR  # give_up of the channel
    assert found.error == f"given up after {found.attempts} attempts: HTTP 503"
    assert ("ward-mail", True, "HTTP 503") in post.said


def test_an_old_notice_is_tried_once_before_it_is_given_up(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    post.order("a")
    clock.advance(40 * 3600)  # nothing ran
    post.outbox.deliver_due()
    assert post.got("a").state == NoticeState.DELIVERED
    assert desk["ward-mail"].got == ["a"]


def test_a_channel_that_fails_again_and_again_is_down_once_and_back_once(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    desk["ward-mail"].fails = TEMPORARY
    for name in "abcdef":
        post.order(name)
    for _ in range(60):
        post.outbox.deliver_due()
        clock.advance(5)
    assert post.said == [("ward-mail", True, "HTTP 503")]
    up = {"channel": "ward-mail"}
    sample = post.metrics.registry.get_sample_value
    assert sample("passerelle_alerts_channel_up", up) == 0
    desk["ward-mail"].fails = None
    until_delivered(post, clock, "a")
    post.outbox.deliver_due()
    assert post.said == [("ward-mail", True, "HTTP 503"), ("ward-mail", False, "")]
    assert sample("passerelle_alerts_channel_up", up) == 1
    assert {post.got(name).state for name in "abcdef"} == {"delivered"}, (
        "what waited for a later attempt is tried as soon as the channel works"
    )


def test_while_a_channel_is_down_one_notice_at_a_time_finds_out(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    desk["ward-mail"].fails = TEMPORARY
    for number in range(40):
        post.order(f"n-{number:02}")
    while not post.said:
        post.outbox.deliver_due()
        clock.advance(1)
    before = len(desk["ward-mail"].got)
    for _ in range(60):
        assert post.outbox.deliver_due() <= 1
        clock.advance(10)
    assert len(desk["ward-mail"].got) - before < 40


def test_a_few_failures_in_a_moment_are_no_outage() -> None:
    circuit = Circuit(Random(1))
    for _ in range(DOWN_AFTER * 2):
        circuit.fails("HTTP 503", AT_NS, lost=False)
    assert not circuit.down
    circuit.works()
    circuit.fails("HTTP 503", AT_NS + 60 * NS_PER_S, lost=False)
    assert not circuit.down


def test_that_a_channel_works_is_said_after_a_start_as_it_may_have_been_down_before(
    post: Post,
) -> None:
    post.order("a")
    post.order("b")
    post.outbox.deliver_due()
    assert post.said == [("ward-mail", False, "")]


def test_a_dead_channel_does_not_hold_up_another(post: Post, desk: Desk) -> None:
    desk["ward-mail"].fails = TEMPORARY
    post.order("a")
    post.order("b", channel="sms")
    post.outbox.deliver_due()
    assert post.got("b").state == NoticeState.DELIVERED


def test_what_is_over_is_not_told_before_what_began(
    post: Post, desk: Desk, clock: ManualClock
) -> None:
    desk["ward-mail"].fails = TEMPORARY
    post.order("begins")
    post.outbox.deliver_due()
    desk["ward-mail"].fails = None
    clock.advance(1)
    post.order("ends", occasion=Occasion.RESOLVED)
    post.order("other", alerts=(view(id="another"),))
    clock.advance(0.5)
    until_delivered(post, clock, "ends")
    got = desk["ward-mail"].got
    assert got.index("ends") > max(n for n, one in enumerate(got) if one == "begins")
    assert post.got("other").state == NoticeState.DELIVERED


def test_a_channel_delivers_at_most_so_many_an_hour_the_others_wait(
    tmp_path: Path, clock: ManualClock, desk: Desk
) -> None:
    limited = spec("ward-mail", url="json://h", per_hour=3)
    with Post(tmp_path, limited, clock=clock, make=desk) as post:
        for number in range(5):
            post.order(f"n-{number}", alerts=(view(id=f"a-{number}"),))
        assert post.outbox.deliver_due() == 3
        clock.advance(3599)
        assert post.outbox.deliver_due() == 0
        held = post.metrics.registry.get_sample_value(
            "passerelle_alerts_notices_held_total", {"channel": "ward-mail"}
        )
        assert held == 2
        clock.advance(2)
        assert post.outbox.deliver_due() == 2
        assert desk["ward-mail"].got == [f"n-{number}" for number in range(5)]


def test_what_the_policy_has_no_channel_for_fails_with_a_reason(post: Post) -> None:
    for number in range(45):
        post.order(f"n-{number}", channel="old-pager")
    assert post.outbox.deliver_due() == 0
    for number in (0, 44):
        found = post.got(f"n-{number}")
        assert found.state == NoticeState.FAILED
        assert found.error == "the policy has no channel 'old-pager' any more"


def test_what_was_under_way_when_a_process_died_is_repeated_once(post: Post) -> None:
    post.order("a")
    post.registry.notices.begin("a", AT_NS)
    assert post.outbox.deliver_due() == 0
    assert post.outbox.recover() == 1
    assert post.outbox.deliver_due() == 1
    assert [outcome for outcome, _ in post.details("a")] == ["unknown", "delivered"]
    assert post.outbox.recover() == 0


def test_a_channel_whose_address_cannot_be_used_waits_until_it_can(
    tmp_path: Path, clock: ManualClock, desk: Desk
) -> None:
    broken = [True]

    def make(made: ChannelSpec) -> Scripted:
        if broken:
            raise ConfigurationError("Apprise knows no such service")
        return desk(made)

    with Post(tmp_path, spec("ward-mail", url="nosuch://h"), clock=clock, make=make) as post:
        post.order("a")
        post.outbox.deliver_due()
        assert post.details("a") == [("retry", "Apprise knows no such service")]
        broken.clear()
        until_delivered(post, clock, "a")


def test_a_defect_of_a_channel_costs_an_attempt_not_the_outbox(post: Post, desk: Desk) -> None:
    desk["ward-mail"].fails = ZeroDivisionError("division by zero")
    post.order("a")
    post.order("b", channel="sms")
    post.outbox.deliver_due()
    assert post.got("b").state == NoticeState.DELIVERED
    [(outcome, detail)] = post.details("a")
    assert (outcome, detail) == ("retry", "ZeroDivisionError in Passerelle; please report it")


def test_a_notice_that_cannot_be_read_fails_alone(post: Post, desk: Desk) -> None:
    post.order("a")
    with post.registry.notices._database.write() as connection:
        connection.exec_driver_sql("UPDATE alert_notices SET body = '{}'")
    post.order("b", alerts=(view(id="other"),))
    post.outbox.deliver_due()
    assert post.got("a").error.startswith("the notice cannot be read")
    assert desk["ward-mail"].got in ([], ["b"])


def test_who_lost_the_lease_sends_nothing(tmp_path: Path, clock: ManualClock, desk: Desk) -> None:
    with Post(
        tmp_path, spec("ward-mail", url="json://h"), clock=clock, make=desk, holder="one"
    ) as post:
        post.order("a")
        assert post.registry.leases.hold(LEASE, holder="two", for_s=60)
        with pytest.raises(LeaseLostError):
            post.outbox.deliver_due()
        assert desk["ward-mail"].got == []


def test_a_test_is_sent_at_once_and_answers(post: Post, desk: Desk) -> None:
    assert post.outbox.test("sms") == "taken"
    assert desk["sms"].got[0].startswith("test-")
    desk["sms"].fails = REFUSED
    with pytest.raises(DeliveryError):
        post.outbox.test("sms")
    with pytest.raises(NotFoundError, match="it has sms, ward-mail"):
        post.outbox.test("pager")


class Running:
    """An outbox in its own threads, on the machine's clock."""

    def __init__(self, directory: Path, desk: Desk, **more: Any) -> None:
        specs = [spec(name, url="json://h") for name in ("ward-mail", "sms")]
        self.post = Post(directory, *specs, clock=SystemClock(), make=desk, **more)

    def __enter__(self) -> Post:
        self.post.outbox.start()
        return self.post

    def __exit__(self, *_: object) -> None:
        for channel in self.post.outbox._lanes.values():
            made = channel._channel
            if isinstance(made, Scripted):
                made.hold.set()
        self.post.outbox.stop()
        self.post.registry.close()


def delivered(post: Post, *names: str) -> Callable[[], bool]:
    return lambda: all(post.got(name).state == NoticeState.DELIVERED for name in names)


def test_a_slow_channel_slows_nobody_else(tmp_path: Path, desk: Desk) -> None:
    desk["ward-mail"].hold.clear()
    with Running(tmp_path, desk) as post:
        post.order("slow")
        post.outbox.wake()
        wait_until(lambda: desk["ward-mail"].got, what="the slow one is under way")
        for number in range(5):
            post.order(f"n-{number}", channel="sms", alerts=(view(id=f"a-{number}"),))
            post.outbox.wake()
            wait_until(delivered(post, f"n-{number}"), what="the others are told")
        assert desk["ward-mail"].got == ["slow"]
        desk["ward-mail"].hold.set()
        wait_until(delivered(post, "slow"), what="the slow one is done")


def test_it_stops_though_a_receiver_does_not_answer_and_repeats_after_the_next_start(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.deliver.outbox.STOP_S", 0.2)
    desk["ward-mail"].hold.clear()
    first = Running(tmp_path, desk)
    first.post.outbox.start()
    first.post.order("a")
    wait_until(lambda: desk["ward-mail"].got, what="it is under way")
    first.post.outbox.stop()  # returns
    assert first.post.details("a") == [("started", "")]
    again = Desk()
    with Running(tmp_path, again) as post:
        wait_until(delivered(post, "a"), what="it is repeated")
        assert again["ward-mail"].got == ["a"]
        desk["ward-mail"].hold.set()
        thread = first.post.outbox._threads["ward-mail"]
        thread.join(10)
        assert not thread.is_alive()
        assert post.got("a").state == NoticeState.DELIVERED
    first.post.registry.close()


def test_while_the_registry_is_away_nothing_is_lost(
    tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.deliver.lane_thread.AWAY_S", 0.05)
    monkeypatch.setattr("alerts.deliver.lane._AGAIN_S", 0.05)
    desk["ward-mail"].hold.clear()
    with Running(tmp_path, desk) as post:
        post.order("a")
        post.order("b", alerts=(view(id="b"),))
        wait_until(lambda: desk["ward-mail"].got, what="it is under way")
        asked = threading.Event()

        def away(*_: object) -> None:
            asked.set()
            raise RegistryUnavailableError("away")

        for way in ("change", "write"):
            monkeypatch.setattr(post.registry._database, way, away)
        desk["ward-mail"].hold.set()
        assert asked.wait(10)
        assert desk["ward-mail"].got == ["a"]
        monkeypatch.undo()
        wait_until(delivered(post, "a", "b"), what="both are known to be delivered")
        assert desk["ward-mail"].got == ["a", "b"], "nothing was sent twice"


def test_it_ends_by_itself_when_another_process_delivers(tmp_path: Path, desk: Desk) -> None:
    running = Running(tmp_path, desk, holder="one")
    assert running.post.registry.leases.hold(LEASE, holder="two", for_s=600)
    with running as post:
        post.order("a")
        wait_until(lambda: post.outbox.lease_lost, what="it finds out")
        assert desk["ward-mail"].got == []


def test_a_notice_is_kept_as_it_was_ordered() -> None:
    from alerts.deliver.bodies import notice_of, record_of  # noqa: PLC0415

    made = notice(alerts=(view(), view(id="b")), facts={"count": 2.0})
    record = record_of(made)
    assert notice_of(record) == made
    assert record.alerts == "a1b2c3d4,b"
    assert (record.next_ns, record.channel) == (made.created_ns, made.channel)
