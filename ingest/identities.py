"""The identities of committed messages, packed in columns: 27 bytes a message.

What is needed after a restart to tell a message sent or published again (`ingest.duplicates`).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import msgspec

from core.identity import DIGEST_SIZE
from ingest.duplicates import Remembered


class Identities:
    """The messages of one batch, in the order of their arrival.

    The accept stage's loop appends to the lists itself.

    Attributes:
        mids: packet identifier of each, 0 at QoS 0.
        digests: `core.identity.digest` of each.
        times: when each was received, nanoseconds since the epoch.
        unaccepted: places of those that did not become points.
    """

    __slots__ = ("digests", "mids", "times", "unaccepted")

    def __init__(self) -> None:
        self.mids: list[int] = []
        self.digests: list[bytes] = []
        self.times: list[int] = []
        self.unaccepted: list[int] = []

    def __len__(self) -> int:
        return len(self.mids)

    def add(self, entry: Remembered) -> None:
        """Append one message."""
        if not entry.accepted:
            self.unaccepted.append(len(self.mids))
        self.mids.append(entry.mid)
        self.digests.append(entry.digest)
        self.times.append(entry.received_ns)

    def encode(self) -> bytes:
        """Return them as the spool keeps them."""
        return msgspec.msgpack.encode(
            (
                array("H", self.mids).tobytes(),
                b"".join(self.digests),
                array("q", self.times).tobytes(),
                self.unaccepted,
            )
        )


_COLUMNS = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes, list[int]])


def decode(packed: bytes, *, same_session: bool) -> Sequence[Remembered]:
    """Return what `Identities.encode` packed.

    Args:
        packed: the bytes.
        same_session: False when the packet identifiers belong to an earlier session, and are void.
    """
    mids, digests, times, unaccepted = _COLUMNS.decode(packed)
    refused = set(unaccepted)
    numbers, instants = array("H", mids), array("q", times)
    return [
        Remembered(
            mid if same_session else 0,
            digests[place * DIGEST_SIZE : (place + 1) * DIGEST_SIZE],
            place not in refused,
            at,
        )
        for place, (mid, at) in enumerate(zip(numbers, instants, strict=True))
    ]
