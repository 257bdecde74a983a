"""Telling a message sent again by the broker, or published again by the device, from a new one.

Different questions:

*Redelivered by the broker.* A PUBLISH that was committed but whose PUBACK did not arrive is sent
again, with its packet identifier (MQTT 3.1.1 section 4.4, MQTT 5 section 4.4) in the same session.
It is the same message when it carries the packet identifier and the bytes of the one last committed
under that identifier, and either says DUP or comes in the first, uninterrupted run of such messages
after the session was resumed (a broker restored from its file may forget DUP). Such a message is
acknowledged again and not received a second time. DUP alone proves nothing.

*Replayed by the broker because it is retained.* The same bytes on the same topic as a message that
was received within the window: likewise.

*Published again by the device.* The same bytes on the same topic within the window: six hours when
the message carries its own time or counter, else the window of its profile (two seconds). It is
received, and counted as a duplicate.
"""

from __future__ import annotations

from collections import deque

import msgspec

from core.clock import NS_PER_S


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of a committed message.

    Attributes:
        mid: packet identifier, 0 at QoS 0.
        digest: `core.identity.digest` of topic and payload.
        accepted: True when it became points: only then is the next one a duplicate.
        received_ns: when it was received.
    """

    mid: int
    digest: bytes
    accepted: bool
    received_ns: int


class DuplicateWindow:
    """What was committed lately: bounded in number and in age.

    Not thread-safe: it belongs to the accept stage.

    Args:
        max_messages: how many messages are remembered.
        max_age_s: how long, seconds.
    """

    def __init__(self, *, max_messages: int, max_age_s: float) -> None:
        self._max_messages = max_messages
        self._max_age_ns = round(max_age_s * NS_PER_S)
        self._seen: dict[bytes, tuple[int, bool]] = {}
        self._order: deque[tuple[int, bytes]] = deque()
        self._delivered: dict[int, bytes] = {}
        self._generation = -1
        self._resuming = False

    def connection(self, *, generation: int, resumed: bool) -> bool:
        """Note by which connection messages come now.

        Returns:
            True when this connection began a new session: earlier packet identifiers are void.
        """
        if generation == self._generation:
            return False
        self._generation = generation
        self._resuming = resumed
        if not resumed:
            self._delivered.clear()
        return not resumed

    def is_redelivery(self, *, mid: int, dup: bool, digest: bytes) -> bool:
        """Say whether this is a committed message that the broker sent again."""
        if mid and self._delivered.get(mid) == digest and (dup or self._resuming):
            return True
        if mid and not dup:
            self._resuming = False
        return False

    def seen_within(self, digest: bytes, *, now_ns: int, window_s: float | None) -> bool:
        """Say whether the same bytes became points within `window_s` (None: the whole window)."""
        at, accepted = self._seen.get(digest, (0, False))
        if not accepted:
            return False
        window_ns = self._max_age_ns if window_s is None else round(window_s * NS_PER_S)
        return abs(now_ns - at) <= window_ns

    def received(self, digest: bytes) -> bool:
        """Say whether the same bytes were received within the window, whatever became of them."""
        return digest in self._seen

    def remember(self, entries: list[Remembered]) -> None:
        """Add messages, and forget what is too old or too many.

        The accept stage adds a message when it is judged: it keeps a batch until it is committed,
        so what is remembered is on disk, or will be before anything is acknowledged.
        """
        for entry in entries:
            if entry.mid:
                self._delivered[entry.mid] = entry.digest
            if self._max_messages and (entry.accepted or entry.digest not in self._seen):
                self._seen[entry.digest] = (entry.received_ns, entry.accepted)
                self._order.append((entry.received_ns, entry.digest))
        if entries:
            self._forget(entries[-1].received_ns - self._max_age_ns)

    def _forget(self, before_ns: int) -> None:
        order, seen = self._order, self._seen
        while order and (len(order) > self._max_messages or order[0][0] < before_ns):
            at, digest = order.popleft()
            if seen.get(digest, (None, False))[0] == at:
                del seen[digest]
