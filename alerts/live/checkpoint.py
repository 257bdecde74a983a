"""What the evaluator remembers, as bytes for the registry.

MessagePack, compressed by zstd, with the number of the form in front: a checkpoint of another form
is not read, and rules are judged from the store instead.
"""

from __future__ import annotations

from typing import Any

import msgspec
import zstandard

from alerts.evaluate.phases import Episode
from alerts.evaluate.watch import Kept
from alerts.model import Subject
from core.errors import PasserelleError

FORM = 2
"""Number of the form; another one whenever what a condition saves is written otherwise."""
_LEVEL = 1
_MOST_BYTES = 4 * 1024**3


class CheckpointError(PasserelleError):
    """Bytes that are no checkpoint of this form."""

    code = "bad_checkpoint"


class Heard(msgspec.Struct, frozen=True, array_like=True):
    """How far the stream of a worker was heard.

    Attributes:
        stream: `core.stream.Frame.stream`.
        number: of the last frame.
        told_ns: of the last frame, by the worker's clock.
    """

    stream: int
    number: int
    told_ns: int


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """What the evaluator remembers.

    Attributes:
        saved_ns: when, the platform's time.
        again_ns: values from this instant on (device time) have to be given again.
        heard: worker -> how far its stream was heard.
        holes: (worker, from, until): parts of streams that were not heard nor read yet.
        watches: what each watch remembers.
    """

    saved_ns: int
    again_ns: int
    heard: dict[str, Heard]
    holes: tuple[tuple[str, int, int], ...]
    watches: tuple[Kept, ...]


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """A watch as it is written: the last episode beside each state."""

    rule: str
    version: int
    subject: Subject
    from_ns: int
    state: Any
    last: Episode | None
    entries: tuple[tuple[int, str, str, float], ...]
    newest: Any = None
    newest_last: Episode | None = None


class _Whole(msgspec.Struct, frozen=True, array_like=True):
    saved_ns: int
    again_ns: int
    heard: dict[str, Heard]
    holes: tuple[tuple[str, int, int], ...]
    watches: list[_Stored]


def encode(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as it is kept."""
    watches = [
        _Stored(
            one.rule, one.version, one.subject, one.from_ns, one.state[:-1], one.state[-1],
            one.entries, one.newest and one.newest[:-1], one.newest and one.newest[-1],
        )
        for one in checkpoint.watches
    ]  # fmt: skip
    whole = _Whole(
        checkpoint.saved_ns, checkpoint.again_ns, checkpoint.heard, checkpoint.holes, watches
    )
    packed = msgspec.msgpack.encode(whole)
    return FORM.to_bytes(2, "big") + zstandard.ZstdCompressor(level=_LEVEL).compress(packed)


def decode(blob: bytes) -> Checkpoint:
    """Return the checkpoint that `encode` was given.

    Raises:
        CheckpointError: it is none of this form.
    """
    if int.from_bytes(blob[:2], "big") != FORM:
        raise CheckpointError("the evaluator's state is of another form; rules begin anew")
    try:
        packed = zstandard.ZstdDecompressor().decompress(blob[2:], max_output_size=_MOST_BYTES)
        whole = msgspec.msgpack.decode(packed, type=_Whole)
    except (zstandard.ZstdError, msgspec.MsgspecError, ValueError) as error:
        raise CheckpointError(
            f"the evaluator's state cannot be read ({error}); rules begin anew"
        ) from None
    watches = [
        Kept(
            one.rule, one.version, one.subject, one.from_ns, (*_fixed(one.state), one.last),
            one.entries, one.newest and (*_fixed(one.newest), one.newest_last),
        )
        for one in whole.watches
    ]  # fmt: skip
    return Checkpoint(whole.saved_ns, whole.again_ns, whole.heard, whole.holes, tuple(watches))


def _fixed(value: Any) -> Any:
    """Return what conditions save as they saved it: sequences are tuples."""
    return tuple([_fixed(one) for one in value]) if isinstance(value, list) else value
