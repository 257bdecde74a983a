"""What the registry promises of who wears which device, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from core.clock import ManualClock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry import Assignment, Registry
from tests.contract.registry_data import DATABASES, HOSTILE, NOW_NS, device, new_address, opened

DAY_NS = 86_400_000_000_000


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_address(request, tmp_path)


@pytest.fixture
def registry(url: str, clock: ManualClock) -> Iterator[Registry]:
    for made in opened(url, clock):
        made.devices.add(device("watch-1"))
        made.devices.add(device("watch-2"))
        yield made


def given(
    registry: Registry, person: str, start: int, end: int | None = None, name: str = "watch-1"
) -> Assignment:
    """Assign from one day to another, counted from `NOW_NS`."""
    return registry.assignments.assign(
        name,
        person,
        start_ns=NOW_NS + start * DAY_NS,
        end_ns=None if end is None else NOW_NS + end * DAY_NS,
        by="a nurse",
    )


def test_a_device_is_given_to_a_person_and_taken_back(registry: Registry) -> None:
    made = given(registry, "p-1", 0)
    assert made == Assignment(
        id=made.id,
        device="watch-1",
        person="p-1",
        start_ns=NOW_NS,
        end_ns=None,
        by="a nurse",
        site="elgazala",
    )
    assert registry.assignments.get(made.id) == made
    ended = registry.assignments.end(made.id, end_ns=NOW_NS + DAY_NS, by="a doctor")
    assert ended == msgspec.structs.replace(made, end_ns=NOW_NS + DAY_NS, ended_by="a doctor")
    assert registry.assignments.get(made.id) == ended


def test_a_device_is_with_one_person_at_an_instant(registry: Registry) -> None:
    given(registry, "p-1", 0, 2)
    for start, end in ((0, 2), (-1, 1), (1, 3), (-1, None), (1, None), (-1, 9)):
        with pytest.raises(
            ConflictError,
            match=r"'watch-1' is with a person from 2026-11-23T10:00:00\S* until 2026-11-25T10:00",
        ):
            given(registry, "p-2", start, end)
    given(registry, "p-2", 2, 3)
    given(registry, "p-3", -1, 0)
    given(registry, "p-4", 3)
    with pytest.raises(ConflictError, match=r"is with a person from 2026-11-26T10:00:00\S* on"):
        given(registry, "p-5", 9)
    assert len(registry.assignments.list()) == 4


def test_a_person_may_have_several_devices(registry: Registry) -> None:
    given(registry, "p-1", 0)
    given(registry, "p-1", 0, name="watch-2")
    found = registry.assignments.list(person="p-1")
    assert [one.device for one in found] == ["watch-2", "watch-1"]


def test_what_counts_at_an_instant_is_listed_apart(registry: Registry) -> None:
    first = given(registry, "p-1", 0, 2)
    second = given(registry, "p-2", 2)
    at = registry.assignments.list
    assert at(at_ns=NOW_NS - 1) == []
    assert at(at_ns=NOW_NS) == [first]
    assert at(at_ns=NOW_NS + 2 * DAY_NS - 1) == [first]
    assert at(at_ns=NOW_NS + 2 * DAY_NS) == [second]
    assert at(at_ns=NOW_NS + 2 * DAY_NS, person="p-1") == []


def test_lists_are_filtered_and_go_on_where_they_ended(registry: Registry) -> None:
    made = [given(registry, f"p-{number}", number, number + 1) for number in range(5)]
    other = given(registry, "p-0", 0, name="watch-2")
    found = registry.assignments.list
    assert found() == [other, *reversed(made)]
    assert found(device="watch-2") == [other]
    assert found(person="p-0") == [other, made[0]]
    assert found(device="watch-1", limit=2) == [made[4], made[3]]
    assert found(device="watch-1", limit=2, after=made[3].id) == [made[2], made[1]]
    assert found(sites=["diamniadio"]) == []
    assert found(sites=[]) == []
    assert found(sites=["elgazala", "diamniadio"], limit=1) == [other]


def test_one_that_ends_at_its_beginning_never_counted(registry: Registry) -> None:
    wrong = given(registry, "p-1", 0)
    ended = registry.assignments.end(wrong.id, end_ns=wrong.start_ns, by="a nurse")
    assert registry.assignments.list(at_ns=NOW_NS) == []
    right = given(registry, "p-2", -1)
    assert registry.assignments.list() == [right, ended]


def test_an_end_is_made_earlier_but_never_later(registry: Registry) -> None:
    made = given(registry, "p-1", 0, 3)
    with pytest.raises(ConflictError, match=r"ends at 2026-11-26T10:00:00\S* already; assign"):
        registry.assignments.end(made.id, end_ns=NOW_NS + 4 * DAY_NS, by="a nurse")
    registry.assignments.end(made.id, end_ns=NOW_NS + DAY_NS, by="a nurse")
    with pytest.raises(ConfigurationError, match="it cannot end before"):
        registry.assignments.end(made.id, end_ns=NOW_NS - 1, by="a nurse")
    assert registry.assignments.get(made.id).end_ns == NOW_NS + DAY_NS
    given(registry, "p-2", 1)


def test_of_two_that_assign_at_once_one_is_heard(url: str, registry: Registry) -> None:
    other = Registry.open(url, clock=ManualClock(NOW_NS))

    def tried(number: int) -> bool:
        try:
            given((registry, other)[number % 2], f"p-{number}", 0)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(tried, range(8)))
    other.close()
    assert sum(outcomes) == 1
    assert len(registry.assignments.list()) == 1


def test_the_revision_grows_when_somebody_else_has_a_device(registry: Registry) -> None:
    before = registry.revision()
    made = given(registry, "p-1", 0)
    registry.assignments.end(made.id, end_ns=NOW_NS + 1, by="a nurse")
    assert registry.revision() == before + 2


def test_when_somebody_else_has_a_device_next_is_known(registry: Registry) -> None:
    assert registry.assignments.next_change(NOW_NS) is None
    given(registry, "p-1", 1, 3)
    given(registry, "p-2", 2, name="watch-2")
    instants, at_ns = [], NOW_NS
    while (found := registry.assignments.next_change(at_ns)) is not None:
        at_ns = found
        instants.append((found - NOW_NS) // DAY_NS)
    assert instants == [1, 2, 3]


def test_a_removed_device_is_with_nobody_and_its_past_stays(
    registry: Registry, clock: ManualClock
) -> None:
    past = given(registry, "p-1", -3, -1)
    now = given(registry, "p-2", -1, 1)
    later = given(registry, "p-3", 1)
    registry.devices.remove("watch-1")
    assert registry.assignments.get(past.id) == past
    assert registry.assignments.get(now.id).end_ns == clock.now_ns()
    assert registry.assignments.get(later.id).end_ns == later.start_ns
    registry.devices.add(device("watch-1"))
    assert registry.assignments.list(at_ns=NOW_NS + 2 * DAY_NS) == []


def test_what_goes_on_goes_along_when_a_device_moves_to_another_site(registry: Registry) -> None:
    past = given(registry, "p-1", -3, -1)
    now = given(registry, "p-2", -1)
    registry.devices.update(
        msgspec.structs.replace(registry.devices.get("watch-1"), site="diamniadio")
    )
    assert registry.assignments.get(past.id).site == "elgazala"
    assert registry.assignments.get(now.id).site == "diamniadio"
    registry.devices.add_many([device("watch-1", site="elgazala")])
    assert registry.assignments.get(now.id).site == "elgazala"


def test_an_import_of_the_device_leaves_it_with_its_person(registry: Registry) -> None:
    made = given(registry, "p-1", 0)
    registry.devices.add_many([device("watch-1", name="a new name")])
    assert registry.assignments.list(at_ns=NOW_NS) == [made]


@pytest.mark.parametrize("person", ["Amina Ben Salah", "", "p 1", "unassigned", "x" * 65, *HOSTILE])
def test_a_person_that_is_no_pseudonym_is_refused(registry: Registry, person: str) -> None:
    with pytest.raises(ConfigurationError, match="person name"):
        given(registry, person, 0)
    assert registry.assignments.list() == []


def test_an_assignment_without_a_time_or_a_device_is_refused(registry: Registry) -> None:
    for end in (0, -1):
        with pytest.raises(ConfigurationError, match="must end after it begins"):
            given(registry, "p-1", 0, end)
    with pytest.raises(NotFoundError, match="there is no device 'watch-9'"):
        given(registry, "p-1", 0, name="watch-9")
    with pytest.raises(ConfigurationError, match=r"beyond 64 bits|out of range"):
        registry.assignments.assign("watch-1", "p-1", start_ns=2**64, by="a nurse")
    assert registry.assignments.list() == []


def test_an_assignment_that_is_not_there_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFoundError, match="there is no assignment '7'"):
        registry.assignments.get(7)
    with pytest.raises(NotFoundError, match="there is no assignment '7'"):
        registry.assignments.end(7, end_ns=NOW_NS, by="a nurse")
    for name in ("\0", "\udc80"):
        assert registry.assignments.list(device=name) == []
        assert registry.assignments.list(person=name) == []
