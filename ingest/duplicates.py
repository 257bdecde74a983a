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
from collections.abc import Sequence

import msgspec

from core.clock import NS_PER_S

PACKET_IDENTIFIERS = 0x10000
"""How many packet identifiers there are, 0 included, which none is."""


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

    Not thread-safe: it belongs to the accept stage, whose loop over a batch reads and writes the
    attributes itself.

    Args:
        max_messages: how many messages are remembered.
        max_age_s: how long, seconds.

    Attributes:
        seen: when the last message of a digest was received, nanoseconds since the epoch.
        delivered: digest of the message last committed under each packet identifier.
        generation: number of the connection by which messages come now.
        resuming: whether every message of this connection so far was a redelivery.
        session: number of the session, which packet identifiers belong to.
    """

    def __init__(self, *, max_messages: int, max_age_s: float) -> None:
        self._max_messages = max_messages
        self._max_age_ns = round(max_age_s * NS_PER_S)
        self._order: deque[tuple[int, list[bytes]]] = deque()
        self._count = 0
        self._unaccepted: set[bytes] = set()
        self.seen: dict[bytes, int] = {}
        self.delivered: list[bytes | None] = [None] * PACKET_IDENTIFIERS
        self.generation = -1
        self.resuming = False
        self.session = 0

    @property
    def enabled(self) -> bool:
        """Whether messages published again are told at all."""
        return self._max_messages > 0

    def connection(self, *, generation: int, resumed: bool) -> None:
        """Note by which connection messages come now.

        One that began a new session makes the earlier packet identifiers void.
        """
        if generation == self.generation:
            return
        self.generation = generation
        self.resuming = resumed
        if not resumed:
            self.delivered[:] = [None] * PACKET_IDENTIFIERS
            self.session += 1

    def is_redelivery(self, *, mid: int, dup: bool, digest: bytes) -> bool:
        """Say whether this is a committed message that the broker sent again."""
        if mid and self.delivered[mid] == digest and (dup or self.resuming):
            return True
        if mid and not dup:
            self.resuming = False
        return False

    def seen_within(self, digest: bytes, *, now_ns: int, window_s: float | None) -> bool:
        """Say whether the same bytes became points within `window_s` (None: the whole window)."""
        at = self.seen.get(digest)
        if at is None or digest in self._unaccepted:
            return False
        window_ns = self._max_age_ns if window_s is None else round(window_s * NS_PER_S)
        return abs(now_ns - at) <= window_ns

    def received(self, digest: bytes) -> bool:
        """Say whether the same bytes were received within the window, whatever became of them."""
        return digest in self.seen

    def remember(self, entries: Sequence[Remembered]) -> None:
        """Add the messages of a batch, and forget what is too old or too many."""
        for entry in entries:
            self.note(entry)
        if entries:
            self.close_batch(
                [entry.digest for entry in entries],
                newest_ns=max(entry.received_ns for entry in entries),
            )

    def note(self, entry: Remembered) -> None:
        """Add a message; `close_batch` follows.

        The accept stage adds a message when it is judged: it keeps a batch until it is committed,
        so what is remembered is on disk, or will be before anything is acknowledged.
        """
        if entry.mid:
            self.delivered[entry.mid] = entry.digest
        if not self._max_messages:
            return
        if entry.accepted:
            self.seen[entry.digest] = entry.received_ns
            self._unaccepted.discard(entry.digest)
        elif entry.digest not in self.seen:
            self.seen[entry.digest] = entry.received_ns
            self._unaccepted.add(entry.digest)

    def close_batch(self, digests: list[bytes], *, newest_ns: int) -> None:
        """Note what a batch has added, and forget what is too old or too many.

        Args:
            digests: of its messages, in order; not to be changed later.
            newest_ns: when the last of them was received, nanoseconds since the epoch.
        """
        if not digests or not self._max_messages:
            return
        self._order.append((newest_ns, digests))
        self._count += len(digests)
        before_ns = newest_ns - self._max_age_ns
        while self._order:
            at, oldest = self._order[0]
            excess = self._count - self._max_messages
            if at >= before_ns and excess <= 0:
                return
            self._order.popleft()
            if at >= before_ns and excess < len(oldest):
                self._order.appendleft((at, oldest[excess:]))
                oldest = oldest[:excess]
            self._forget(oldest, at)

    def _forget(self, digests: list[bytes], newest_ns: int) -> None:
        self._count -= len(digests)
        seen = self.seen
        for digest in digests:
            if seen.get(digest, newest_ns + 1) <= newest_ns:
                del seen[digest]
                self._unaccepted.discard(digest)
