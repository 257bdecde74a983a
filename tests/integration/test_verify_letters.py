"""What the account explains is no difference: refused points, replays, discards, a lost spool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.reading import Point
from core.settings import Settings, load_settings
from devices.registry.records import LetterAction
from ingest.verification.evidence import Sources
from ingest.verification.verify import Outcome, Wanted, verify
from storage.backends.memory import MemoryStore
from storage.ports import Rejected, Written
from tests.servers.waiting import wait_until
from tests.support.bench import Bench, message

WARM = {"air_temperature": 21.5}
REFUSED = {"air_temperature": 13.0, "relative_humidity": 40.0}


class Choosy:
    """The in-memory store, which may refuse points of 13 degrees."""

    def __init__(self) -> None:
        self.kept = MemoryStore()
        self.refusing = True

    def write(self, points: Sequence[Point]) -> Written:
        bad = [
            index
            for index, one in enumerate(points)
            if self.refusing and 13.0 in one.values.values()
        ]
        self.kept.write([one for index, one in enumerate(points) if index not in bad])
        return Written(tuple(Rejected(index, "field type conflict") for index in bad))

    def close(self) -> None:
        self.kept.close()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(data_dir=tmp_path, registry={"refresh_s": 0.1})


def verified(bench: Bench, settings: Settings, store: MemoryStore) -> Outcome:
    return verify(
        Sources({"worker-1": settings.spool_path}, bench.registry, store),
        Wanted(),
        ahead_s=settings.ingest.clock_ahead_s,
        clock=SystemClock(),
        pause=lambda _seconds: None,
    )


def carried_out(bench: Bench, action: LetterAction, letters: list[str]) -> None:
    asked = bench.registry.dead_letters.request(
        action, requested_by="test", letters=letters, why="a test"
    )
    for request in asked:
        wait_until(
            lambda number=request.id: bench.registry.dead_letters.get_request(number).finished_ns,  # type: ignore[misc]
            what=f"the {action} is done",
        )
    bench.settle()


def agrees(bench: Bench, settings: Settings, store: Choosy, what: str) -> None:
    bench.settle()
    outcome = verified(bench, settings, store.kept)
    assert outcome.differences == [], what
    assert outcome.code == 0


def test_dead_letters_are_explained_at_every_stage_of_their_life(settings: Settings) -> None:
    store = Choosy()
    bench = Bench(settings, store=store)
    bench.start()
    for seq in range(5):
        bench.publish(message(seq, WARM))
    for seq in range(5, 9):
        bench.publish(message(seq, REFUSED))
    bench.publish(message(9, {**WARM, "relative_humidity": 4000}))
    for number in range(3):
        bench.publish(b"{%d" % number)
    bench.settle()
    wait_until(lambda: len(bench.letters()) == 8, what="all are told")
    agrees(bench, settings, store, "open")

    by_scope: dict[str, list[str]] = {}
    for letter in bench.letters():
        by_scope.setdefault(letter.scope, []).append(letter.id)
    carried_out(bench, LetterAction.DISCARD, [by_scope["points"].pop(), by_scope["message"].pop()])
    agrees(bench, settings, store, "some discarded")
    carried_out(bench, LetterAction.REPLAY, by_scope["message"])
    agrees(bench, settings, store, "replayed in vain")
    store.refusing = False
    carried_out(bench, LetterAction.REPLAY, by_scope["points"])
    agrees(bench, settings, store, "points replayed")
    totals = bench.registry.ledger.totals()
    bench.stop()
    assert (totals.received, totals.dead_lettered, totals.stored) == (13, 4, 9)


def test_a_spool_begun_after_one_that_was_lost_has_an_account_of_its_own(
    settings: Settings,
) -> None:
    store = Choosy()
    bench = Bench(settings, store=store)
    bench.start()
    for seq in range(5):
        bench.publish(message(seq, WARM))
    bench.settle()
    bench.stop()
    settings.spool_path.rename(settings.data_dir / "lost")

    again = Bench(settings, store=store)
    again.start()
    for seq in range(5, 12):
        again.publish(message(seq, WARM))
    wait_until(lambda: again.worker.totals()["received"] == 7, what="received")
    assert again.worker.settle(timeout_s=20)
    again.stop()
    outcome = verified(again, settings, store.kept)
    assert (outcome.code, outcome.differences, outcome.values) == (0, [], 12)
    [note] = outcome.notes
    assert note.startswith("the spool of worker-1 is not here, or was set aside")
