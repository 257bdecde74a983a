"""After a restart rules speak at once, and the past behind them comes to what it would have."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.evaluate.engine import Engine, Outcome
from alerts.live.checkpoint import Checkpoint, Heard, decode, encode
from alerts.live.history import Reader
from alerts.live.judging import QUICK_NS, Judging
from alerts.live.looking_back import AGAIN_S, LookingBack
from alerts.live.plan import Plan
from alerts.model import Subject
from alerts.rules.inventory import Inventory
from alerts.rules.model import Rule
from core.clock import NS_PER_S
from core.errors import StoreUnavailableError
from core.reading import Point, Reading, readings_of
from storage.backends.memory import MemoryStore
from storage.line_protocol import lines_of, points_of
from storage.ports import Page, Position, Selection
from tests.servers.waiting import wait_until
from tests.unit.alerts.rules import ZONES, engine, ns, rule, value
from tests.unit.alerts.test_restore import DEVICES, HOT, LATE, Listener

RULES = (
    rule(HOT, LATE),
    rule(HOT, LATE, "for: 1m", "clear_for: 30s"),
    rule("{rate: {quantity: air_temperature, over: 2m, above: 5 Cel}}", LATE),
    rule(f"{{count: {{of: {HOT}, at_least: 2}}}}", LATE, "per: site"),
)
AGAIN_NS = 450 * NS_PER_S


class Shy(MemoryStore):
    """A store that does not answer for a while, or waits."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked: list[int] = []

    def read(self, selection: Selection, *, limit: int, after: Position | None = None) -> Page:
        self.asked.append(selection.start_ns)
        if self.away:
            raise StoreUnavailableError("it is away")
        return super().read(selection, limit=limit, after=after)


class Place:
    """Rules taken up by another process, live."""

    def __init__(
        self,
        tested: Rule,
        blob: bytes,
        told: Listener,
        store: MemoryStore,
        *,
        now_s: float,
        beside: tuple[Rule, ...] = (),
    ) -> None:
        self.told = told
        self.tested = tested
        self.late = 0
        self.lost = 0
        kept = decode(blob)
        self.reader, self.past = Reader(store), Reader(store)
        self.judging = Judging(reader=self.reader, past=self.past, hear=self.hear)
        plan = Plan(
            rules=(tested, *beside),
            unusable=MappingProxyType({}),
            inventory=Inventory(tuple(DEVICES), ZONES),
            asked_ns={"rule": 0},
            revision=1,
        )
        self.judging.begin(
            plan,
            kept=kept.watches,
            saved_ns=kept.saved_ns,
            again_ns=kept.again_ns,
            told=told.known(tested),
            now_ns=ns(now_s),
            failed=lambda: None,
            lost=self.lose,
        )
        while not self.reader.idle:
            self.reader.advance(wait_s=5)
        self.judging.speak(now_ns=ns(now_s))

    def hear(self, outcome: Outcome) -> None:
        self.late += len(outcome.late)
        self.told.hear(outcome.verdicts)

    def lose(self) -> None:
        self.lost += 1

    def take(self, *readings: Reading, now_s: float) -> None:
        lines = lines_of([_point(one) for one in readings])
        self.judging.take(readings, now_ns=ns(now_s), lines=[lines])
        self.judging.tick(now_ns=ns(now_s))

    def look_back(self, *, now_s: float) -> None:
        wait_until(lambda: self.judging.look_back(now_s=now_s), seconds=10, what="it looked back")
        told = self.told.known(self.tested)
        self.judging.have_looked_back(told=told, now_ns=ns(now_s), whole=True)

    def close(self) -> None:
        self.reader.close()
        self.past.close()


def _point(one: Reading) -> Point:
    return Point(one.site, one.device, "environment", one.time_ns, {one.quantity: one.value})


class Restarted:
    """Rules that judged some values, and another process that takes them up."""

    def __init__(self) -> None:
        self.store = Shy()
        self.told = Listener()
        self._places: list[Place] = []

    def judged(self, tested: Rule, *values: Reading) -> Engine:
        """Return an engine that judged values as they came; they are stored."""
        judged = engine(tested, devices=DEVICES)
        for one in values:
            self.store.write([_point(one)])
            self.told.hear(judged.take([one], seen_ns=one.time_ns).verdicts)
            self.told.hear(judged.tick(one.time_ns - NS_PER_S, seen_ns=one.time_ns).verdicts)
        return judged

    def place(
        self, tested: Rule, blob: bytes, *, now_s: float, beside: tuple[Rule, ...] = ()
    ) -> Place:
        """Return the rules in another process."""
        place = Place(tested, blob, self.told, self.store, now_s=now_s, beside=beside)
        self._places.append(place)
        return place

    def close(self) -> None:
        for one in self._places:
            one.close()


@pytest.fixture
def again() -> Iterator[Restarted]:
    restarted = Restarted()
    yield restarted
    restarted.close()


def saved(judged: Engine, *, at_s: float) -> bytes:
    again_ns = ns(at_s) - AGAIN_NS
    watches = tuple(judged.save(entries_before_ns=again_ns))
    return encode(Checkpoint(ns(at_s), again_ns, {"w": Heard(1, 2, 3)}, (), watches))


def test_it_speaks_before_the_past_is_read_and_late_values_count_after_it(again: Restarted) -> None:
    store, told = again.store, again.told
    judged = again.judged(RULES[0], value(0, 20), value(900, 20), value(1000, 20))
    place = again.place(RULES[0], saved(judged, at_s=1000), now_s=1005)
    assert min(store.asked) == ns(1000) - QUICK_NS
    place.take(value(1006, 35), now_s=1006)
    place.take(value(910, 40), now_s=1007)  # late: nothing behind it is known yet
    place.take(value(300, 40), now_s=1007)  # too late for this rule
    assert list(told.alerts.values()) == [None]
    assert (place.late, place.judging.looking_back) == (0, True)
    place.look_back(now_s=1008)
    subject = next(iter(told.alerts))[0]
    assert told.alerts == {(subject, ns(1006)): None, (subject, ns(910)): ns(1000)}
    assert (place.late, place.judging.looking_back, told.told) == (1, False, 2)
    assert min(store.asked) == ns(1000) - AGAIN_NS


def test_what_goes_on_is_not_withdrawn_though_what_showed_it_came_late(again: Restarted) -> None:
    store, told = again.store, again.told
    judged = again.judged(RULES[0], value(0, 20), value(800, 20))
    blob = saved(judged, at_s=1000)
    told.hear(judged.take([value(900, 35)], seen_ns=ns(1003)).verdicts)
    store.write([_point(value(900, 35))])
    place = again.place(RULES[0], blob, now_s=1005)
    assert list(told.alerts.values()) == [None]
    place.look_back(now_s=1006)
    place.take(value(1010, 20), now_s=1010)
    assert [*told.alerts.values()] == [ns(1010)]
    assert told.told == 1


def test_what_was_told_and_is_not_so_is_withdrawn_once_the_past_was_judged(
    again: Restarted,
) -> None:
    told = again.told
    judged = again.judged(RULES[1], value(0, 20), value(900, 35), value(920, 35))
    place = again.place(RULES[1], saved(judged, at_s=930), now_s=935)
    place.take(value(970, 35), now_s=970)
    assert list(told.alerts.values()) == [None]
    place.take(value(910, 20), now_s=971)
    assert list(told.alerts.values()) == [None]
    place.look_back(now_s=972)
    assert told.alerts == {}


def test_a_device_that_fills_in_is_not_late_because_an_alert_of_it_was_told(
    again: Restarted,
) -> None:
    told = again.told
    judged = again.judged(RULES[0], value(0, 20, device="e"), value(9000, 20, device="e"))
    farther = rule("{absence: {after: 5h}}", name="farther")
    blob = saved(judged, at_s=9000)
    place = again.place(RULES[0], blob, now_s=9005, beside=(farther,))
    place.take(value(3000, 35), now_s=9006)
    assert list(told.alerts.values()) == [None]
    place.look_back(now_s=9007)
    for second, number in ((3600, 20), (4200, 35), (4800, 20)):
        place.take(value(second, number), now_s=9008)
    assert [*told.alerts.values()] == [ns(3600), ns(4800)]
    assert place.late == 0


def test_where_the_store_is_away_it_speaks_and_looks_back_later(again: Restarted) -> None:
    store, told = again.store, again.told
    judged = again.judged(RULES[0], value(0, 20), value(1000, 20))
    store.away = True
    place = again.place(RULES[0], saved(judged, at_s=1000), now_s=1005)
    place.take(value(1006, 35), now_s=1006)
    assert told.told == 1
    wait_until(
        lambda: place.judging.look_back(now_s=0.0) or len(store.asked) >= 2,
        seconds=10,
        what="the store was asked",
    )
    for now_s in (0.0, AGAIN_S - 1):
        assert not place.judging.look_back(now_s=now_s)
    store.away = False
    place.take(value(1010, 20), now_s=1010)
    place.look_back(now_s=AGAIN_S + 1)
    place.take(value(990, 40), now_s=1011)
    assert set(told.alerts.values()) == {ns(1000), ns(1010)}


def test_more_than_can_be_kept_is_let_go_and_said() -> None:
    lost = []
    back = LookingBack(
        reader=Reader(MemoryStore()),
        begin=lambda _: engine(RULES[0], devices=DEVICES),
        hear=lambda _: None,
        lost=lambda: lost.append(1),
        most_bytes=200,
    )
    for second in range(4):
        back.note_values([lines_of([_point(value(second, 20))])], seen_ns=ns(second))
    assert lost == [1]
    back.note(lambda engine: engine.take_hours((), seen_ns=ns(5)))
    assert back.advance(now_s=0.0)


def test_lines_are_given_back_as_values() -> None:
    readings = [value(1, 20.5), value(2, 21, device="e")]
    lines = lines_of([_point(one) for one in readings])
    assert readings_of(points_of(lines)) == readings


VALUES = st.lists(
    st.tuples(
        st.integers(0, 1500),
        st.sampled_from(("d", "e")),
        st.sampled_from((20.0, 27.5, 29.0, 40.0)),
        st.sampled_from((0, 0, 0, 0, 30, 200)),
    ),
    max_size=30,
    unique_by=lambda one: one[:2],
)


def ends(told: Listener) -> list[tuple[Subject, bool, int]]:
    """Return which alerts there are, each by when it was over."""
    return sorted(
        (subject, until_ns is None, until_ns or 0) for (subject, _), until_ns in told.alerts.items()
    )


class Life:
    """Rules that are judged as values come; the process dies, another takes up, and looks back."""

    def __init__(self, tested: Rule, *, dies: int, looks_back: int) -> None:
        self.told = Listener()
        self._rule = tested
        self._dies, self._looks_back = dies, looks_back
        self._store = MemoryStore()
        self._judged = engine(tested, devices=DEVICES)
        self._blob = saved(self._judged, at_s=0)
        self._place: Place | None = None

    def take(self, one: Reading, *, step: int, now_s: float) -> None:
        self._store.write([_point(one)])
        if self._place is None:
            self._take_first(one, step=step, now_s=now_s)
            return
        self._place.take(one, now_s=now_s)
        if step == self._looks_back:
            self._place.look_back(now_s=now_s)

    def _take_first(self, one: Reading, *, step: int, now_s: float) -> None:
        self.told.hear(self._judged.take([one], seen_ns=ns(now_s)).verdicts)
        self.told.hear(self._judged.tick(ns(now_s - 1), seen_ns=ns(now_s)).verdicts)
        if step % 5 == 0:
            self._blob = saved(self._judged, at_s=now_s)
        if step == self._dies:
            self._place = Place(self._rule, self._blob, self.told, self._store, now_s=now_s)

    def end(self, *, now_s: float) -> None:
        if self._place is None:
            self.told.hear(self._judged.tick(ns(now_s - 1), seen_ns=ns(now_s)).verdicts)
            return
        if self._place.judging.looking_back:
            self._place.look_back(now_s=now_s)
        self._place.judging.tick(now_ns=ns(now_s))
        self._place.close()


@pytest.mark.parametrize("number", range(len(RULES)))
@given(values=VALUES, dies=st.integers(0, 30), back=st.integers(1, 10))
@example(
    values=[(0, "d", 20.0, 0), (60, "d", 40.0, 200), (90, "d", 20.0, 0), (300, "d", 20.0, 0)],
    dies=2,
    back=1,
)
@example(values=[(0, "e", 29.0, 30), (1, "e", 20.0, 30), (61, "d", 20.0, 0)], dies=1, back=1)
def test_in_whatever_order_values_come_it_ends_as_if_nobody_had_died(
    values: list[tuple[int, str, float, int]], dies: int, back: int, number: int
) -> None:
    undisturbed = Life(RULES[number], dies=-1, looks_back=-1)
    parted = Life(RULES[number], dies=dies, looks_back=dies + back)
    arriving = [
        (second + late, value(second, measured, device=device))
        for second, device, measured, late in sorted(values, key=lambda one: one[0] + one[3])
    ]
    for step, (now_s, one) in enumerate(arriving):
        undisturbed.take(one, step=step, now_s=now_s)
        parted.take(one, step=step, now_s=now_s)
    undisturbed.end(now_s=4000)
    parted.end(now_s=4000)
    # An alert keeps the beginning that it was told with, and that was told sooner here or there.
    assert ends(parted.told) == ends(undisturbed.told)
