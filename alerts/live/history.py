"""Stored values in the order of device time, a portion at a time, read in a thread of its own.

Threads: the one of the `Reader` reads; whoever judges asks for what is ready and never waits for
the store.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from operator import attrgetter

import msgspec

from core.errors import PasserelleError
from core.quantities import CATALOGUE
from core.reading import DeviceKey, Reading
from storage.ports import PointReader, Selection

_DEVICES_AT_ONCE = 200
_PAGE = 20_000
PORTION = 5000


class Span(msgspec.Struct, frozen=True):
    """Which stored values.

    Attributes:
        devices: of these devices.
        quantities: of these quantities; None: of every one.
        start_ns: first instant, inclusive, device time.
        end_ns: last instant, exclusive.
    """

    devices: tuple[DeviceKey, ...]
    quantities: frozenset[str] | None
    start_ns: int
    end_ns: int


def stored(store: PointReader, span: Span) -> Iterator[Reading]:
    """Yield stored values by device time, of all devices together.

    Raises:
        StoreUnavailableError: the store does not answer.
    """
    names = tuple(sorted(CATALOGUE if span.quantities is None else span.quantities))
    if not names:
        return
    streams = [
        _pages(store, Selection(some, names, span.start_ns, span.end_ns))
        for some in _portions(span.devices)
    ]
    yield from heapq.merge(*streams, key=attrgetter("time_ns"))


def _pages(store: PointReader, selection: Selection) -> Iterator[Reading]:
    after = None
    while True:
        page = store.read(selection, limit=_PAGE, after=after)
        yield from page.readings
        if page.after is None:
            return
        after = page.after


def _portions(devices: Sequence[DeviceKey]) -> Iterator[tuple[DeviceKey, ...]]:
    left = iter(devices)
    while some := tuple(islice(left, _DEVICES_AT_ONCE)):
        yield some


class Job:
    """Stored values on their way to whoever judges them.

    Args:
        give: is given a portion, in the order of device time.
        done: is called when all was given.
        fail: is called instead when the store did not answer, with what it said.
    """

    def __init__(
        self,
        *,
        span: Span,
        give: Callable[[Sequence[Reading]], None],
        done: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        self.span = span
        self.give = give
        self.done = done
        self.fail = fail


class Reader:
    """Carries out jobs one after the other.

    Args:
        store: where values are read.
    """

    def __init__(self, store: PointReader) -> None:
        self._store = store
        self._jobs: list[Job] = []
        self._values: Iterator[Reading] | None = None
        self._next: Future[list[Reading]] | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="alerts-history")

    @property
    def idle(self) -> bool:
        """Whether there is nothing to read."""
        return not self._jobs

    def add(self, job: Job) -> None:
        """Take on a job."""
        self._jobs.append(job)

    def drop(self) -> None:
        """Forget every job; what is being read is read to the end of its portion."""
        self._jobs.clear()
        self._values = self._next = None

    def advance(self, *, wait_s: float = 0.0) -> bool:
        """Give a portion that is ready to its job; return whether one was.

        Args:
            wait_s: how long to wait for it, seconds.
        """
        if not self._jobs:
            return False
        job = self._jobs[0]
        if self._next is None:
            self._values = stored(self._store, job.span)
            self._next = self._pool.submit(_portion, self._values)
        try:
            portion = self._next.result(timeout=wait_s)
        except TimeoutError:
            return False
        except PasserelleError as error:
            self._finish()
            job.fail(error.detail)
            return True
        if portion:
            assert self._values is not None  # noqa: S101 - set beside `_next`
            self._next = self._pool.submit(_portion, self._values)
            job.give(portion)
        else:
            self._finish()
            job.done()
        return True

    def close(self) -> None:
        """Read nothing more."""
        self.drop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _finish(self) -> None:
        del self._jobs[0]
        self._values = self._next = None


def _portion(values: Iterator[Reading]) -> list[Reading]:
    return list(islice(values, PORTION))
