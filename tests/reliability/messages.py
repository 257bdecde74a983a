"""The messages of the fault suite: each can be told from every other wherever it is found again."""

from __future__ import annotations

import re

import msgspec

from core.clock import NS_PER_S, iso

SITE = "elgazala"
QUANTITY = "air_temperature"
CATEGORY = "environment"
_STEPS = 4000
_SEEN = re.compile(rb'"seq":(\d+),"boot":(\d+),"t"')


class Message(msgspec.Struct, frozen=True):
    """One message of one device.

    Attributes:
        device: number of the device, from 0.
        seq: its number among the device's messages, from 0.
        time_ns: its instant, nanoseconds since the epoch; no other message of the device has it.
    """

    device: int
    seq: int
    time_ns: int

    @property
    def key(self) -> tuple[int, int]:
        """What tells it from every other: (device, seq)."""
        return self.device, self.seq

    @property
    def topic(self) -> str:
        """Where it is published."""
        return topic_of(self.device)

    @property
    def value(self) -> float:
        """What it measures, degrees Celsius; the neighbours of a message measure something else."""
        return 10.0 + (self.seq * 7 + self.device) % _STEPS / 100

    def payload(self) -> bytes:
        """Return it as the device writes it; the boot counter tells the device."""
        return msgspec.json.encode(
            {
                "seq": self.seq,
                "boot": self.device + 1,
                "t": iso(self.time_ns),
                "v": {QUANTITY: self.value},
            }
        )


def name_of(device: int) -> str:
    """Return the name of a device."""
    return f"fault-{device}"


def topic_of(device: int) -> str:
    """Return the topic of a device."""
    return f"passerelle/v1/{SITE}/{name_of(device)}/telemetry"


def seen_in(data: bytes) -> set[tuple[int, int]]:
    """Return the keys of all messages whose payload stands somewhere in `data`."""
    return {(int(boot) - 1, int(seq)) for seq, boot in _SEEN.findall(data)}


def series(devices: int, each: int, *, start_ns: int, step_ns: int = NS_PER_S) -> list[Message]:
    """Return `each` messages of every device, the devices in turn.

    Args:
        devices: how many.
        each: messages of one device.
        start_ns: instant of the first ones.
        step_ns: between two of one device.
    """
    return [
        Message(device, seq, start_ns + seq * step_ns)
        for seq in range(each)
        for device in range(devices)
    ]
