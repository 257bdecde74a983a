"""What waits in the spool for a sink: line protocol as it was written when the batch was judged.

A sink that takes line protocol is given `SpooledBatch.body` as it is, and its accounts say whose
messages are settled by it: neither is ever taken apart. Only when a sink refuses some of it, or
wants points, does `SpooledBatch.messages` read it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from core.reading import Point
from ingest.ledger import Account
from storage.line_protocol import lines_of, points_of


class SpooledMessage(msgspec.Struct, frozen=True, array_like=True):
    """A message as it waits for the store.

    Attributes:
        account: whose ledger line is settled by it.
        points: what is to be stored.
        counted: False for points written again for a message that the ledger counts already.
    """

    account: Account
    points: tuple[Point, ...]
    counted: bool = True


class Owner(msgspec.Struct, frozen=True, array_like=True):
    """Whose messages a batch holds.

    Attributes:
        account: the ledger line.
        counted: whether the ledger counts them as pending.
        messages: how many.
    """

    account: Account
    counted: bool
    messages: int


class Layout(msgspec.Struct, frozen=True, array_like=True):
    """Which line belongs to which message.

    Attributes:
        owners: for each message, its place in the batch's owners.
        sizes: for each message, how many lines it has.
    """

    owners: list[int]
    sizes: list[int]


_ENCODER = msgspec.msgpack.Encoder()
_OWNERS = msgspec.msgpack.Decoder(tuple[Owner, ...])
_LAYOUT = msgspec.msgpack.Decoder(Layout)


class Packed(msgspec.Struct, frozen=True):
    """Messages as they are put into the spool.

    Attributes:
        body: line protocol, a line a point, joined by line feeds.
        messages: how many messages that is.
        points: how many points.
        owners: whose they are.
        layout: which line belongs to which message, in the order of `body`.
    """

    body: bytes
    messages: int
    points: int
    owners: tuple[Owner, ...]
    layout: Layout

    @property
    def pending(self) -> int:
        """How many of the messages the ledger counts."""
        return sum(owner.messages for owner in self.owners if owner.counted)

    def row(self) -> tuple[int, int, int, bytes, bytes, bytes]:
        """Return messages, points, bytes, body, owners and layout, as the spool keeps them."""
        owners, layout = _ENCODER.encode(self.owners), _ENCODER.encode(self.layout)
        size = len(self.body) + len(owners) + len(layout)
        return self.messages, self.points, size, self.body, owners, layout


def pack(messages: Sequence[SpooledMessage]) -> Packed:
    """Return messages as they are put into the spool."""
    places: dict[tuple[Account, bool], int] = {}
    counts: list[int] = []
    owners: list[int] = []
    for message in messages:
        place = places.setdefault((message.account, message.counted), len(counts))
        if place == len(counts):
            counts.append(0)
        counts[place] += 1
        owners.append(place)
    points = [point for message in messages for point in message.points]
    return Packed(
        body=lines_of(points),
        messages=len(messages),
        points=len(points),
        owners=tuple(
            Owner(account, counted, counts[place]) for (account, counted), place in places.items()
        ),
        layout=Layout(owners, [len(message.points) for message in messages]),
    )


Blob = bytes


class Lag(msgspec.Struct, frozen=True):
    """What waits for a sink.

    Attributes:
        messages: how many messages.
        points: how many points.
        bytes: their size.
        oldest_ns: when the oldest was put into the spool, nanoseconds since the epoch; 0: none is.
    """

    messages: int
    points: int
    bytes: int
    oldest_ns: int


class SpooledBatch(msgspec.Struct, frozen=True):
    """Messages that were committed together.

    Attributes:
        seq: position in the spool.
        bytes: size that counts against the bound.
        count: how many messages.
        points: how many points.
        body: their line protocol, joined by line feeds.
        committed_ns: when they were put into the spool, nanoseconds since the epoch.
    """

    seq: int
    bytes: int
    count: int
    points: int
    body: Blob
    owners: Blob
    layout: Blob
    committed_ns: int

    @property
    def accounts(self) -> tuple[tuple[Account, int], ...]:
        """How many messages of each ledger line are settled when the store has the batch."""
        return tuple(
            (owner.account, owner.messages)
            for owner in _OWNERS.decode(self.owners)
            if owner.counted
        )

    def messages(self) -> list[SpooledMessage]:
        """Return the messages in the order of their arrival, their points read from the lines."""
        owners, layout = _OWNERS.decode(self.owners), _LAYOUT.decode(self.layout)
        points = points_of(self.body)
        found: list[SpooledMessage] = []
        start = 0
        for place, size in zip(layout.owners, layout.sizes, strict=True):
            owner = owners[place]
            mine = tuple(points[start : start + size])
            found.append(SpooledMessage(owner.account, mine, owner.counted))
            start += size
        return found
