"""One reader of the live stream: what it is told, in order, whatever carries it."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf

import msgspec

from api.live.hub import RESTARTED, SLOW, TOO_LONG_AGO, Hub
from api.live.ring import Event
from api.live.shown import Shown
from api.live.told import NS_PER_MS, Told
from api.times import LATEST_NS, in_zone
from core.clock import Clock

BEAT_S = 15.0
"""A reader hears something at least as often, seconds."""
RENEW_S = 20.0
"""How often it is asked whether a reader may still read, seconds."""
_AT_ONCE = 200
_ID = re.compile(r"([0-9a-f]{12})-(\d{1,18})-(\d{1,16})", re.ASCII)


class Place(msgspec.Struct, frozen=True):
    """Where a reader left off.

    Attributes:
        epoch: which process numbered.
        number: of the last event that was read.
        told_ns: when that one was told, nanoseconds since the epoch.
    """

    epoch: str
    number: int
    told_ns: int


def place_of(text: str) -> Place | None:
    """Return the place that an event's identifier is, or None when it is none."""
    found = _ID.fullmatch(text)
    if found is None or (told_ns := int(found[3]) * NS_PER_MS) > LATEST_NS:
        return None
    return Place(found[1], int(found[2]), told_ns)


class Reader:
    """Tells one reader.

    Args:
        hub: where events come from.
        shown: what the reader gets.
        clock: the time.
        last: where it left off, or None to begin now.
        for_s: after how long the stream ends, seconds; None: never.
        renew: returns what the reader gets from now on, or None when it may not read any more.
        write: tells the reader something at once, and returns whether it did; None: nothing can.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        shown: Shown,
        clock: Clock,
        last: Place | None,
        for_s: float | None,
        renew: Callable[[], Awaitable[Shown | None]],
        write: Callable[[Told], bool] | None = None,
    ) -> None:
        self._hub = hub
        self._shown = shown
        self._clock = clock
        self._for_s = for_s
        self._renew = renew
        self._number = hub.newest
        self._last = last
        self._write = write
        self._began_s = self._renew_at_s = self._told_s = 0.0

    def show(self, shown: Shown) -> None:
        """Give the reader something else from now on."""
        self._shown = shown

    def hello(self) -> Told:
        """Return what a reader is told first: how to read the rest."""
        wanted = self._shown.wanted
        return Told(
            "hello",
            self._hub.id_of(self._number, self._clock.now_ns()),
            msgspec.json.encode(
                {
                    "zone": wanted.zone.key,
                    "keep_s": self._hub.settings.keep_s,
                    "enabled": self._hub.settings.enabled,
                    "units": wanted.units(),
                }
            ),
        )

    async def told(self) -> AsyncIterator[Told]:
        """Yield what the reader is told, without end unless it has to end.

        The next thing is only made when the one before was taken: who is slow waits here, and
        misses what is let go meanwhile. A reader that waits for something new is told it past this,
        by `write`, as long as there is nothing else to do or to say.
        """
        hub = self._hub
        self._began_s = self._clock.monotonic_s()
        self._renew_at_s = self._began_s + RENEW_S * random.uniform(0.2, 1.0)  # noqa: S311 - spread
        resumed = self._resume()
        yield self.hello()
        if resumed is not None:
            yield resumed
        now_s, end_s = self._began_s, self._began_s + (inf if self._for_s is None else self._for_s)
        while True:
            wait_s = max(0.0, min(BEAT_S, end_s - now_s))
            heard = await hub.wait(self._number, timeout_s=wait_s, push=self._push)
            now_s = self._clock.monotonic_s()
            if hub.stopping or now_s >= end_s:
                break
            if now_s >= self._renew_at_s and not await self._may_go_on():
                break
            if events := hub.after(self._number, most=_AT_ONCE):
                for one in self._of(events):
                    yield one
            elif not heard and now_s >= self._told_s + wait_s:
                yield Told("beat")
        reason = "stopping" if hub.stopping else "time" if now_s >= end_s else "refused"
        yield Told("end", "", msgspec.json.encode({"reason": reason}))

    def _push(self, event: Event) -> bool:
        """Tell of an event at once; return whether that was possible, and all there was to do."""
        if (
            self._write is None
            or event.missed
            or event.number != self._number + 1
            or event.came_s >= self._renew_at_s
        ):
            return False
        points = self._hub.points((event,), self._shown)
        if points is not None:
            if not self._write(points):
                return False
            self._told_s = event.came_s
        self._number = event.number
        return True

    async def _may_go_on(self) -> bool:
        """Ask whether the reader may still read, and what."""
        self._renew_at_s = self._clock.monotonic_s() + RENEW_S
        shown = await self._renew()
        if shown is not None:
            self._shown = shown
        return shown is not None

    def _resume(self) -> Told | None:
        """Go to where the reader left off; return what it missed, if anything."""
        last = self._last
        if last is None:
            return None
        hub = self._hub
        if last.epoch != hub.epoch or last.number > hub.newest:
            return self._missed(RESTARTED, since_ns=last.told_ns)
        self._number = last.number
        if last.number + 1 < hub.oldest:
            batches = hub.oldest - last.number - 1
            self._number = hub.oldest - 1
            return self._missed(TOO_LONG_AGO, since_ns=last.told_ns, batches=batches)
        return None

    def _of(self, events: list[Event]) -> list[Told]:
        """Return what some events come to, and go on behind them."""
        found = []
        lost = events[0].number - self._number - 1
        if lost:
            found.append(self._missed(SLOW, since_ns=None, batches=lost))
        for event in events:
            if event.missed:
                batches = event.facts.get("batches")
                number = batches if isinstance(batches, int) else None
                found.append(self._missed(event.missed, since_ns=None, batches=number))
        self._number = events[-1].number
        if (points := self._hub.points(events, self._shown)) is not None:
            found.append(points)
        return found

    def _missed(self, reason: str, *, since_ns: int | None, batches: int | None = None) -> Told:
        self._hub.metrics.missed.labels(reason).inc()
        zone = self._shown.wanted.zone
        facts = {
            "reason": reason,
            "since": None if since_ns is None else in_zone(since_ns, zone),
            "batches": batches,
        }
        return Told("missed", "", msgspec.json.encode(facts))
