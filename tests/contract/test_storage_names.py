"""What every store promises about names that people and devices choose: any text, to the letter."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.reading import DeviceKey
from storage.ports import Aggregate, Store
from storage.refusal import tag_problem
from tests.contract.storage_data import (
    HOUR,
    T0,
    TEMPERATURE,
    THERMO,
    everything,
    point,
    selection,
    stored,
    windows,
)

NAMES = [
    "plain",
    "with space",
    " spaces around ",
    "comma,comma",
    "a=b",
    r"a\b",
    r"\start",
    r"a\,b",
    r"a\ b\=c",
    r"a\\b",
    r"a\nb",
    r"\\server\share",
    "it's",
    'say "hello"',
    "#comment",
    "-- comment",
    "semi;colon",
    "$d0",
    "{}",
    "%s",
    "null",
    "a,b,-0,c",
    "[1,-0]",
    "x' OR '1'='1",
    "x\\' OR 1=1 --",
    '"; DROP MEASUREMENT "environment"; --',
    "'; DROP TABLE samples; --",
    "/.*/",
    "*",
    "Élgazala",
    "E\u0301lgazala",
    "تونس",
    "Ndakaaru 🌊",
    "line\u2028separator",
    "zero\u200bwidth",
    "\ufeffbom",
    "\U0010ffff",
    "x" * 256,
]
NEVER_STORED = [
    "",
    "x'\nOR 1=1",
    "new\nline",
    "nul\0",
    "bell\x07",
    "\x85",
    "half\ud800",
    "end\\",
    "x' OR '1'='1\\",
    "x" * 300,
]


def test_any_name_round_trips_and_finds_only_its_own(store: Store) -> None:
    keys = [DeviceKey("elgazala", name) for name in NAMES]
    keys += [DeviceKey(name, "thermo-1") for name in NAMES]
    stored(store, [point(T0 + index, float(index), key=key) for index, key in enumerate(keys)])
    for index, key in enumerate(keys):
        [found] = everything(store, selection(key))
        assert (found.site, found.device, found.value) == (key.site, key.device, float(index))
        assert store.latest([key]) == [found]
        assert store.count(selection(key)) == 1
        [window, *_] = store.aggregate(
            selection(key, start=T0, end=T0 + HOUR // 2), windows("1 d", Aggregate.SUM)
        )
        assert (window.site, window.device) == (key.site, key.device)
        assert window.value == float(index)


def test_names_are_read_together_in_order_of_their_letters(store: Store) -> None:
    keys = [DeviceKey(site, device) for site, device in product(NAMES[:12], NAMES[::3])]
    stored(store, [point(T0, 1.0, key=key) for key in keys])
    found = everything(store, selection(*keys), limit=50)
    assert [DeviceKey(one.site, one.device) for one in found] == sorted(keys)


@pytest.mark.parametrize("name", NEVER_STORED, ids=ascii)
def test_a_name_that_no_store_holds_is_asked_for_in_vain(store: Store, name: str) -> None:
    stored(store, [point(T0, 1.0)])
    for key in (DeviceKey(name, "thermo-1"), DeviceKey("elgazala", name)):
        assert tag_problem(name) is not None
        assert everything(store, selection(key)) == []
        assert store.count(selection(key)) == 0
        assert store.latest([key]) == []
        found = store.aggregate(selection(key, THERMO, start=T0, end=T0 + 1), windows("1 d"))
        assert [one.count for one in found] == [0, 1]
    assert store.count(selection()) == 1


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(site=st.text(max_size=20), device=st.text(max_size=20))
def test_a_name_is_refused_or_kept_to_the_letter(store: Store, site: str, device: str) -> None:
    key = DeviceKey(site, device)
    bystander = DeviceKey("elgazala", "bystander")
    outcome = store.write([point(T0, 1.0, key=key), point(T0, 2.0, key=bystander)])
    refused = [one.index for one in getattr(outcome, "rejected", ())]
    kept = tag_problem(site) is None and tag_problem(device) is None
    assert refused == ([] if kept else [0])
    found = store.read(selection(key), limit=10).readings
    assert [(one.site, one.device, one.quantity) for one in found] == (
        [(site, device, TEMPERATURE)] if kept else []
    )
