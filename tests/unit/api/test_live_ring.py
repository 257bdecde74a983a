from __future__ import annotations

import asyncio
import gc
import json
from zoneinfo import ZoneInfo

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame as WebSocketFrame
from websockets.protocol import State
from websockets.uri import parse_uri

from api.live import shown as shown_module
from api.live.hub import Hub
from api.live.reader import place_of
from api.live.ring import Event, Ring
from api.live.shown import Shown, Wanted
from core.clock import SystemClock
from core.metrics import Metrics
from core.reading import Point
from core.settings import LiveSettings, MqttSettings
from core.stream import Frame, encode
from storage.line_protocol import lines_of


def points(count: int) -> list[Point]:
    return [
        Point("elgazala", "d", "environment", n, {"air_temperature": 1.0}) for n in range(count)
    ]


def new_hub() -> Hub:
    return Hub(
        mqtt_settings=MqttSettings(),
        settings=LiveSettings(),
        clock=SystemClock(),
        metrics=Metrics(),
    )


def frame(number: int) -> bytes:
    return encode(Frame(7, number, number * 10**6, lines_of(points(number))))


def put(ring: Ring, now_s: int, count: int = 1) -> None:
    ring.put(points(count), told_ns=0, now_s=float(now_s))


def numbers(ring: Ring, after: int, most: int = 100) -> list[int]:
    return [event.number for event in ring.after(after, most=most)]


def test_a_reader_takes_what_came_after_its_place() -> None:
    ring = Ring(keep_s=60, keep_bytes=10**9)
    assert (ring.oldest, ring.newest, numbers(ring, 0)) == (1, 0, [])
    for second in range(5):
        put(ring, second)
    assert numbers(ring, 0) == [1, 2, 3, 4, 5]
    assert numbers(ring, 3) == [4, 5]
    assert numbers(ring, 1, most=2) == [2, 3]
    assert numbers(ring, 5) == []
    assert numbers(ring, 99) == []


def test_what_is_too_old_goes() -> None:
    ring = Ring(keep_s=10, keep_bytes=10**9)
    for second in (0, 5, 12):
        put(ring, second)
    assert ring.oldest == 2
    assert numbers(ring, 0) == [2, 3]


def test_what_is_too_much_goes() -> None:
    ring = Ring(keep_s=60, keep_bytes=10_000)
    for second in range(10):
        put(ring, second, count=9)
    assert numbers(ring, 0) == [9, 10]
    put(ring, 11, count=1000)
    assert numbers(ring, 0) == [11]


def test_the_newest_is_kept_whatever_the_clock_of_its_worker_says() -> None:
    ring = Ring(keep_s=10, keep_bytes=10**9)
    for now_s, told_ns in ((100.0, 0), (101.0, 2**62), (102.0, 0)):
        ring.put(points(1), told_ns=told_ns, now_s=now_s)
        assert numbers(ring, ring.newest - 1) == [ring.newest]
    assert numbers(ring, 0) == [1, 2, 3]


def test_readers_who_ask_for_the_same_share_a_text_and_texts_are_bounded() -> None:
    ring = Ring(keep_s=60, keep_bytes=10**9, text_bytes=20_000)
    asked = []

    def shown(name: str) -> Shown:
        def visible(_: str, __: str) -> bool:
            asked.append(name)
            return True

        wanted = Wanted(sites=frozenset({"elgazala", name}), zone=ZoneInfo("Africa/Tunis"))
        return Shown(wanted, visible=visible, rights=("same",))

    put(ring, 1, count=10)
    [event] = ring.after(0, most=1)
    texts = {shown("one").text(event) for _ in range(3)}
    assert (len(texts), len(asked)) == (1, 10)
    for place in range(100):
        shown(f"reader-{place}").text(event)
    assert event.texts.bytes <= 20_000
    assert {shown("one").text(event)} == texts


def test_readers_who_ask_for_the_same_are_told_the_same_object_and_others_are_not() -> None:
    hub = new_hub()

    def shown(*sites: str) -> Shown:
        wanted = Wanted(sites=frozenset(sites))
        return Shown(wanted, visible=lambda _, __: True, rights=("same",))

    for number in (1, 2):
        hub.take(frame(number))
    events = hub.after(0, most=9)
    told = hub.points(events, shown("elgazala"))
    assert told is not None
    assert hub.points(events, shown("elgazala")) is told
    assert hub.points(events[1:], shown("elgazala")) is not told
    assert hub.points(events, shown("diamniadio")) is None
    assert told.id == hub.id_of(2, 2 * 10**6)
    assert len(json.loads(told.body)["points"]) == 3
    assert json.loads(told.text) == {"type": "points", "id": told.id} | json.loads(told.body)
    assert told.event == b"id: %b\nevent: points\ndata: %b\n\n" % (told.id.encode(), told.body)
    client = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN)
    client.receive_data(told.frame)
    [heard] = client.events_received()
    assert isinstance(heard, WebSocketFrame)
    assert bytes(heard.data).decode() == told.text


def test_a_question_has_one_key_as_long_as_anybody_asks_it() -> None:
    def shown(site: str, rights: str) -> Shown:
        wanted = Wanted(sites=frozenset({site}))
        return Shown(wanted, visible=lambda _, __: True, rights=rights)

    asked = shown("elgazala", "all")
    assert shown("elgazala", "all").key is asked.key
    assert shown("elgazala", "some").key is not asked.key
    assert shown("diamniadio", "all").key is not asked.key
    waits = len(shown_module._keys)
    del asked
    gc.collect()
    assert len(shown_module._keys) < waits


def test_who_can_be_told_at_once_is_not_woken_and_whom_nothing_reaches_is() -> None:
    async def waits() -> tuple[list[int], bool, bool]:
        hub, loop = new_hub(), asyncio.get_running_loop()
        hub._loop = loop
        told: list[int] = []

        def take(event: Event) -> bool:
            told.append(event.number)
            return event.number < 3

        first = asyncio.create_task(hub.wait(0, timeout_s=60, push=take))
        second = asyncio.create_task(hub.wait(0, timeout_s=60, push=lambda _: False))
        await asyncio.sleep(0)
        hub.take(frame(1))
        assert await asyncio.wait_for(second, timeout=10)
        hub.take(frame(2))
        still = not first.done()
        hub.take(frame(3))
        return told, still, await asyncio.wait_for(first, timeout=10)

    assert asyncio.run(waits()) == ([1, 2, 3], True, True)


@pytest.mark.parametrize("stops", [False, True])
def test_a_wait_ends_with_the_next_event_or_the_end_and_otherwise_in_its_time(
    *, stops: bool
) -> None:
    async def waits() -> tuple[float, list[bool]]:
        hub, loop = new_hub(), asyncio.get_running_loop()
        hub._loop = loop
        began_s = loop.time()
        assert not await hub.wait(0, timeout_s=0.2)
        lasted_s = loop.time() - began_s
        waiting = [asyncio.create_task(hub.wait(0, timeout_s=60)) for _ in range(3)]
        gone = asyncio.create_task(hub.wait(0, timeout_s=60))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        if stops:
            hub.end_readers()
        else:
            hub.take(frame(1))
        found = await asyncio.wait_for(asyncio.gather(*waiting), timeout=10)
        return lasted_s, [*found, await hub.wait(0, timeout_s=60)]

    lasted_s, found = asyncio.run(waits())
    assert lasted_s >= 0.2
    assert found == [True] * 4


def test_an_identifier_is_a_place_or_nothing() -> None:
    place = place_of("0123456789ab-42-1795428000412")
    assert place is not None
    assert (place.number, place.told_ns) == (42, 1_795_428_000_412_000_000)
    for text in ("", "x", "0123456789ab-42", "0123456789ab-42-1-1", "0123456789AB-1-1"):
        assert place_of(text) is None
    for text in ("0123456789ab-42-9999999999999999", "0123456789ab-42-9223372036855"):
        assert place_of(text) is None
