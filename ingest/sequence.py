"""Which numbers of a device's message counter never came.

A stream is one boot of one device. Numbers that were jumped over are holes; one that comes later
fills its hole, however late, as long as the hole is remembered. What is left is missing: the
message was never received. Counters of every kind are meant: ours, Sparkplug's `seq` (0 to 255),
LoRaWAN's `fCnt` (16 bits on the air).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

MAX_HOLES = 256
"""Holes remembered in one stream; when there are more, the oldest stays missing for good."""
MAX_JUMP = 100_000
"""A counter that jumps further ahead was set anew: nothing is missing for it."""
TOLERANCE = 1024
"""How far behind its greatest number a counter without a boot may be before it was set anew."""

_Change = tuple[int, int]


class _State(msgspec.Struct, array_like=True):
    next: int
    lowest: int
    holes: list[tuple[int, int, int]]


_STATE = msgspec.msgpack.Decoder(_State)


class Stream:
    """The numbers of one boot.

    Attributes:
        next: the number after the greatest one received; -1 before the first. Whoever receives just
            this number may add 1 to it instead of calling `observe`: nothing else would change.
    """

    __slots__ = ("_holes", "_lowest", "next")

    def __init__(self) -> None:
        self.next = -1
        self._lowest = -1
        self._holes: list[tuple[int, int, int]] = []

    def observe(
        self, seq: int, *, hour: int, modulus: int = 0, restarts: bool = False
    ) -> Sequence[_Change]:
        """Note a number; return the changes of what is missing, as (hour, count) pairs.

        Args:
            seq: the number, 0 or more.
            hour: of reception; a hole found now belongs to it.
            modulus: where the counter begins again at 0; 0 for one that does not.
            restarts: the device tells no boot, so that its counter may begin again in this stream.
        """
        if self.next < 0:
            self._begin(seq)
            return ()
        if modulus:
            seq = _nearest(seq, self.next, modulus)
        ahead = seq - self.next
        if ahead == 0:
            self.next = seq + 1
            return ()
        if ahead > 0:
            if ahead > MAX_JUMP:
                self._begin(seq)
                return ()
            self._remember(self.next, seq - 1, hour)
            self.next = seq + 1
            return ((hour, ahead),)
        return self._behind(seq, hour, restarts=restarts)

    def encode(self) -> bytes:
        """Return the stream as the spool keeps it."""
        return msgspec.msgpack.encode(_State(self.next, self._lowest, self._holes))

    @classmethod
    def decode(cls, packed: bytes) -> Stream:
        """Return the stream that `encode` packed."""
        state = _STATE.decode(packed)
        stream = cls()
        stream.next, stream._lowest, stream._holes = state.next, state.lowest, state.holes
        return stream

    def _begin(self, seq: int) -> None:
        self.next = seq + 1
        self._lowest = seq
        self._holes.clear()

    def _behind(self, seq: int, hour: int, *, restarts: bool) -> Sequence[_Change]:
        for place in range(len(self._holes) - 1, -1, -1):
            first, last, found_in = self._holes[place]
            if first <= seq <= last:
                parts = [(first, seq - 1, found_in), (seq + 1, last, found_in)]
                self._holes[place : place + 1] = [part for part in parts if part[0] <= part[1]]
                return ((found_in, -1),)
        if restarts and self.next - seq > TOLERANCE:
            self._begin(seq)
            return ()
        below = self._lowest - seq
        if not 0 < below <= TOLERANCE:
            return ()  # received before, or of a hole that is no longer remembered
        self._lowest = seq
        if below == 1:
            return ()
        self._remember(seq + 1, seq + below - 1, hour)
        return ((hour, below - 1),)

    def _remember(self, first: int, last: int, hour: int) -> None:
        self._holes.append((first, last, hour))
        if len(self._holes) > MAX_HOLES:
            del self._holes[0]


def _nearest(seq: int, near: int, modulus: int) -> int:
    """Return the number nearest to `near` of which the counter shows `seq`; 0 or more."""
    turn = near - near % modulus
    candidates = [turn + seq + step for step in (-modulus, 0, modulus)]
    return min((one for one in candidates if one >= 0), key=lambda one: abs(one - near))
