"""Stored values for rules: what they have to have seen before they can judge what comes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from alerts.backtest import LEDGER, quantities
from alerts.evaluate.engine import Engine, Outcome
from alerts.live.history import Job, Reader, Span
from alerts.rules.inventory import Placed
from alerts.rules.lookback import lookback_ns
from alerts.rules.model import Rule
from core.clock import NS_PER_S
from core.logs import Outage
from core.reading import DeviceKey, Reading

AHEAD_NS = 300 * NS_PER_S
"""How far ahead of the platform's time a device's clock may be (`ingest.clock_ahead_s`)."""


class Giving:
    """Has stored values judged.

    Args:
        reader: of stored values.
        in_place_of: returns the engine that goes on in place of one that may have been exchanged.
        hear: is given what comes of it.
        outage: logs that the store does not answer.
    """

    def __init__(
        self,
        *,
        reader: Reader,
        in_place_of: Callable[[Engine], Engine],
        hear: Callable[[Outcome], None],
        outage: Outage,
    ) -> None:
        self._reader = reader
        self._in_place_of = in_place_of
        self._hear = hear
        self._outage = outage
        self._reach: Mapping[str, Sequence[Placed]] = {}

    def know(self, reached: Mapping[str, Sequence[Placed]]) -> None:
        """Take note of the devices that each rule looks at (`alerts.rules.index.reach`)."""
        self._reach = reached

    def back_ns(self, rule: Rule) -> int:
        """Return how far back values are read for a rule that is new."""
        known = [one.interval_s for one in self._reach[rule.name] if one.interval_s is not None]
        return lookback_ns(rule, interval_s=max(known, default=None))

    def give_all(
        self,
        engine: Engine,
        rules: Sequence[Rule],
        *,
        now_ns: int,
        then: Callable[[], None] | None = None,
        failed: Callable[[], None] | None = None,
    ) -> None:
        """Give new rules what is stored; those that look equally far at the same share it.

        Args:
            engine: see `give`.
            rules: the rules.
            now_ns: the platform's time.
            then: is called when all was given.
            failed: see `give`.
        """
        alike: dict[tuple[int, frozenset[str] | None], list[Rule]] = defaultdict(list)
        for one in rules:
            alike[self.back_ns(one), quantities(one)].append(one)
        for (back_ns, _), some in sorted(alike.items(), key=lambda one: one[0][0]):
            self.give(engine, some, start_ns=now_ns - back_ns, now_ns=now_ns, failed=failed)
        if then is not None:
            nothing = Span((), frozenset(), 0, 0)
            self._reader.add(Job(span=nothing, give=lambda _: None, done=then, fail=lambda _: None))

    def give(
        self,
        engine: Engine,
        rules: Sequence[Rule],
        *,
        start_ns: int,
        now_ns: int,
        end_ns: int | None = None,
        failed: Callable[[], None] | None = None,
    ) -> None:
        """Have stored values judged by some rules.

        Args:
            engine: what judges them, or what goes on in its place by then.
            rules: the rules.
            start_ns: first instant, inclusive, device time.
            now_ns: the platform's time.
            end_ns: last instant, exclusive; None: as far ahead of now as a clock may be.
            failed: is called when the store does not answer.
        """
        names = frozenset(one.name for one in rules)
        wanted: frozenset[str] | None = frozenset()
        for one in rules:
            own = quantities(one)
            wanted = None if wanted is None or own is None else wanted | own
        if wanted is not None:
            wanted -= set(LEDGER)
        found = {(one.site, one.device) for name in names for one in self._reach[name]}
        devices = tuple(DeviceKey(*one) for one in sorted(found))
        if not devices or wanted == frozenset():
            return

        def give(readings: Sequence[Reading]) -> None:
            target = self._in_place_of(engine)
            self._hear(target.take(readings, seen_ns=now_ns, rules=names, again=True))

        def fail(reason: str) -> None:
            self._outage.down(reason)
            if failed is not None:
                failed()

        end_ns = now_ns + AHEAD_NS if end_ns is None else end_ns
        span = Span(devices, wanted, start_ns, end_ns)
        self._reader.add(Job(span=span, give=give, done=self._outage.up, fail=fail))
