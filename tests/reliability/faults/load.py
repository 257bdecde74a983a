"""What devices do: the same twice, out of order, a day at once, all together, for hours."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

from benchmarks import mqtt
from core.clock import NS_PER_S
from tests.reliability.fault import Fault
from tests.reliability.flood import flood
from tests.reliability.messages import Message, series
from tests.reliability.rig import Rig
from tests.servers.http_proxy import Answer, on_writes

_SHARE = 0.2
_FARTHEST = 8
_SEED = 20_260_917
_DAY_S = 24 * 3600
_FAST = 10_000.0
_MEMORY_MIB = 300
_BUSY = Answer(503, b'{"code":"unavailable","message":"later"}')


def disorder(rig: Rig) -> None:
    """Publish a fifth of the messages twice, and a fifth of them later than the next ones."""
    rig.running()
    messages = disordered(rig.messages, devices=rig.scale.devices)
    with rig.traffic(messages):
        pass
    rig.mended()
    rig.settle()
    twice = len(messages) - len(rig.messages)
    told = rig.account().duplicate
    rig.check(f"published twice were {twice}, duplicates are {told}", holds=told == twice)


def disordered(messages: Sequence[Message], *, devices: int) -> list[Message]:
    """Return messages with a fifth of them doubled and a fifth of them moved back."""
    draw = random.Random(_SEED)
    places: list[tuple[float, Message]] = []
    for place, message in enumerate(messages):
        late = draw.random() < _SHARE
        at = place + (draw.uniform(1, _FARTHEST) * devices if late else 0.0)
        places.append((at, message))
        if draw.random() < _SHARE:
            places.append((at + draw.uniform(0, _FARTHEST) * devices, message))
    return [message for _, message in sorted(places, key=lambda one: one[0])]


def backfill(rig: Rig) -> None:
    """Publish what every device measured in a day, at once."""
    step_s = rig.scale.backfill_step_s
    rig.messages = series(
        rig.scale.devices,
        _DAY_S // step_s,
        start_ns=time.time_ns() - _DAY_S * NS_PER_S,
        step_ns=step_s * NS_PER_S,
    )
    rig.running()
    with rig.traffic(rate=_FAST):
        pass
    rig.mended()
    rig.settle()


def together(rig: Rig) -> None:
    """Connect every device at the same moment; each publishes once."""
    rig.messages = series(rig.scale.devices_at_once, 1, start_ns=time.time_ns() - 60 * NS_PER_S)
    rig.running()
    asyncio.run(_all_at_once(rig.broker.port, rig.messages))
    rig.acknowledged += rig.messages
    rig.mended()
    rig.settle()


async def _all_at_once(port: int, messages: Sequence[Message]) -> None:
    async with asyncio.timeout(120):
        streams = await asyncio.gather(*(_device(port, one) for one in messages))
    for writer in streams:
        writer.close()


async def _device(port: int, message: Message) -> asyncio.StreamWriter:
    """Connect, publish and wait for the PUBACK; the connection stays."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = mqtt.text(message.topic) + b"\x00\x01" + message.payload()
    writer.write(mqtt.connect(f"device-{message.device}"))
    await reader.readexactly(4)  # CONNACK
    writer.write(mqtt.publish_head(len(body)) + body)
    await reader.readexactly(4)  # PUBACK
    return writer


def pending(rig: Rig) -> None:
    """Have the store away while very many messages come; then let it take them."""
    rig.gate.rule = on_writes(_BUSY)
    rig.running()
    each = rig.scale.backlog // rig.scale.devices
    rig.messages = series(
        rig.scale.devices, each, start_ns=time.time_ns() - _DAY_S * NS_PER_S, step_ns=NS_PER_S
    )
    flood(rig.broker.port, rig.messages)
    rig.acknowledged += rig.messages
    rig.until(
        lambda: rig.account().pending >= len(rig.messages),
        what="everything waits on disk",
        seconds=300,
    )
    rig.note_memory()
    rig.gate.rule = None
    rig.mended()
    rig.settle(seconds=600)
    rig.check(
        f"a worker used {rig.peak_mib:.0f} MiB, the bound is {_MEMORY_MIB}",
        holds=rig.peak_mib < _MEMORY_MIB,
    )


FAULTS = (
    Fault(name="disorder", title="20 % duplicates, 20 % out of order", act=disorder),
    Fault(name="backfill", title="24 h of back-fill at once", act=backfill),
    Fault(name="together", title="all devices connect together", act=together),
    Fault(name="pending", title="messages pending while the store is away", act=pending),
)
