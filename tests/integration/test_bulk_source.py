"""The bulk source beside a broker that hesitates: kept alive, whole, never mixed up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from ingest.arrival import Arrival
from tests.servers.waiting import wait_until
from tests.support.bulk_fixtures import NewBulk, Scripted
from tests.support.heard import Heard
from tests.support.hostile import message
from tests.support.scripted_broker import Speaks


def test_what_comes_with_the_connack_is_of_the_same_connection(
    new_bulk: NewBulk, scripted: Scripted, speaks: Speaks
) -> None:
    broker = scripted(speaks, message(b"one", 1, speaks), with_connack=True)
    heard = Heard()
    source = new_bulk(broker, protocol=speaks)
    source.start(heard.take)
    (one,) = heard.next()
    wait_until(source.subscribed, what="subscribed")
    assert not one.resumed
    assert source.acknowledge([one]) == 1
    assert broker.acknowledged.get(timeout=10) == 1


class Slow:
    """Takes nothing until it is allowed to."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.heard = Heard()
        self.waiting = threading.Event()

    def take(self, arrivals: Sequence[Arrival]) -> None:
        self.waiting.set()
        assert self.free.wait(60)
        self.heard.take(arrivals)


def test_the_connection_is_kept_alive_while_a_full_spool_holds_up_the_delivery(
    new_bulk: NewBulk, scripted: Scripted
) -> None:
    speaks: Speaks = "3.1.1"
    broker = scripted(speaks, message(b"one", 1, speaks))
    slow = Slow()
    source = new_bulk(broker, protocol=speaks, keepalive_s=5)
    source.start(slow.take)
    assert slow.waiting.wait(20)
    for _ in range(2):
        broker.pings.get(timeout=20)
    broker.send(message(b"two", 2, speaks))
    slow.free.set()
    one, two = slow.heard.next(2)
    assert one.generation == two.generation
    assert source.acknowledge([one, two]) == 2
    assert broker.connections == 1


def test_a_broker_that_hangs_up_while_the_delivery_is_held_up_is_connected_to_again(
    new_bulk: NewBulk, scripted: Scripted, speaks: Speaks
) -> None:
    broker = scripted(speaks, message(b"one", 1, speaks), message(b"one", 1, speaks, again=True))
    slow = Slow()
    source = new_bulk(broker, protocol=speaks)
    source.start(slow.take)
    assert slow.waiting.wait(20)
    broker.hang_up()
    slow.free.set()
    one, again = slow.heard.next(2)
    assert (one.dup, again.dup, again.resumed) == (False, True, True)
    assert source.acknowledge([one]) == 0
    assert source.acknowledge([again]) == 1


def test_acknowledgements_that_the_socket_does_not_take_at_once_are_sent_later_and_whole(
    new_bulk: NewBulk, scripted: Scripted
) -> None:
    speaks: Speaks = "5"
    broker = scripted(speaks, message(b"one", 1, speaks))
    heard = Heard()
    source = new_bulk(broker, protocol=speaks)
    source.start(heard.take)
    (one,) = heard.next()
    broker.listening.clear()
    count = 0
    while not source.unsent:
        count += source.acknowledge([one] * 50_000)
        assert count < 10_000_000
    source.subscribe_to(["other/#"], [])
    broker.listening.set()
    assert [broker.acknowledged.get(timeout=20) for _ in range(count)] == [1] * count
    wait_until(source.subscribed, what="subscribed anew")
