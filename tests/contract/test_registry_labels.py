"""What the registry promises of labels of devices, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import event, func, select

from core.clock import ManualClock
from core.errors import ConfigurationError, ConflictError
from devices.registry import Registry
from devices.registry.database import Database
from devices.registry.rule_tables import device_labels
from tests.contract.registry_data import DATABASES, HOSTILE, NOW_NS, device, new_address, opened

LABELS = {"floor": "2", "gateway": "elg-gw-1"}


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_address(request, tmp_path)


@pytest.fixture
def registry(url: str) -> Iterator[Registry]:
    yield from opened(url, ManualClock(NOW_NS))


def kept_labels(url: str) -> int:
    database = Database(url)
    with database.read() as connection:
        found = connection.execute(select(func.count()).select_from(device_labels)).scalar_one()
    database.close()
    return int(found)


def test_every_read_of_a_device_has_its_labels(registry: Registry) -> None:
    made = registry.devices.add(device("d-1", labels=LABELS))
    plain = registry.devices.add(device("d-2"))
    assert made.labels == LABELS
    assert plain.labels == {}
    assert registry.devices.get("d-1") == made
    assert registry.devices.recent("d-1") == made
    assert registry.devices.all() == [made, plain]
    assert registry.devices.list(search="d-1") == [made]
    assert registry.devices.list(limit=1) == [made]
    assert registry.devices.list(after="d-1") == [plain]


def test_a_change_takes_the_place_of_all_labels(registry: Registry) -> None:
    made = registry.devices.add(device("d-1", labels=LABELS))
    before = registry.revision()
    changed = msgspec.structs.replace(made, labels={"floor": "3", "wing": "east"})
    assert registry.devices.update(changed) == changed
    assert registry.devices.recent("d-1") == changed
    assert registry.revision() == before + 1
    registry.devices.update(msgspec.structs.replace(changed, labels={}))
    assert registry.devices.get("d-1").labels == {}


def test_the_same_labels_in_another_order_are_no_change(registry: Registry) -> None:
    made = registry.devices.add(device("d-1", labels=LABELS))
    before = registry.revision()
    registry.devices.update(
        msgspec.structs.replace(made, labels=dict(reversed(list(LABELS.items()))))
    )
    assert registry.revision() == before


def test_a_change_of_something_else_leaves_the_labels(registry: Registry) -> None:
    made = registry.devices.add(device("d-1", labels=LABELS))
    registry.devices.update(msgspec.structs.replace(made, name="Library"))
    assert registry.devices.get("d-1").labels == LABELS


def test_an_import_brings_labels_to_the_form_in_the_file(registry: Registry) -> None:
    wanted = [device("d-1", labels=LABELS), device("d-2", labels={"floor": "1"})]
    assert registry.devices.add_many(wanted).added == 2
    assert registry.devices.add_many(wanted).unchanged == 2
    wanted[0] = device("d-1", labels={"floor": "9"})
    assert registry.devices.add_many(wanted).updated == 1
    assert [one.labels for one in registry.devices.all()] == [{"floor": "9"}, {"floor": "1"}]


def test_devices_that_exchange_their_names_in_topics_keep_their_labels(registry: Registry) -> None:
    one = device("d-1", external_id="a", labels={"floor": "1"})
    two = device("d-2", external_id="b", labels={"floor": "2"})
    registry.devices.add_many([one, two])
    swapped = [
        msgspec.structs.replace(one, external_id="b"),
        msgspec.structs.replace(two, external_id="a"),
    ]
    registry.devices.add_many(swapped)
    assert [(d.external_id, d.labels["floor"]) for d in registry.devices.all()] == [
        ("b", "1"),
        ("a", "2"),
    ]


def test_an_import_that_is_refused_leaves_the_labels(registry: Registry) -> None:
    registry.devices.add(device("d-1", external_id="a", labels=LABELS))
    clashing = [
        device("d-1", external_id="a", labels={}),
        device("d-2", external_id="a"),
    ]
    with pytest.raises(ConflictError):
        registry.devices.add_many(clashing)
    assert registry.devices.get("d-1").labels == LABELS


def test_labels_go_with_their_device(url: str, registry: Registry) -> None:
    registry.devices.add(device("d-1", labels=LABELS))
    registry.devices.remove("d-1")
    assert kept_labels(url) == 0
    registry.devices.add(device("d-1"))
    assert registry.devices.get("d-1").labels == {}


def test_thousands_of_devices_are_read_with_their_labels_in_two_queries(url: str) -> None:
    database = Database(url)
    for registry in opened(url, ManualClock(NOW_NS)):
        many = [
            device(f"d-{number:05}", labels={"floor": str(number % 7), "gateway": "g"})
            for number in range(10_000)
        ]
        registry.devices.add_many(many)
    registry = Registry(database, clock=ManualClock(NOW_NS))
    asked: list[str] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.append(statement),
    )
    found = registry.devices.all()
    assert [one.labels for one in found] == [one.labels for one in many]
    queries = [one for one in asked if one.startswith("SELECT")]
    assert len(queries) == 2, queries
    some = registry.devices.list(after="d-00999", limit=600)
    assert [one.labels for one in some] == [one.labels for one in many[1000:1600]]
    registry.close()


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        ({"Floor": "2"}, "label name 'Floor' must be 1 to 64 of"),
        ({"": "2"}, "label name '' must be"),
        ({"x" * 65: "2"}, "label name"),
        ({"étage": "2"}, "label name"),
        ({"floor": ""}, "label floor must have a value"),
        ({"floor": " 2"}, "label floor must have a value"),
        ({"floor": "2;3"}, "label floor must have a value .* without ';'"),
        ({"floor": "2\n3"}, "label floor must have a value of one line"),
        ({"floor": "2\0"}, "cannot be kept"),
        ({"floor": "x" * 201}, "label floor is longer than 200"),
        ({f"n{number}": "x" for number in range(33)}, "33 labels are too many; 32 are the most"),
        ({"gateway": "Gate Way"}, "label gateway: device name 'Gate Way' must be"),
        ({"gateway": "d-1"}, "label gateway names the device itself"),
    ],
)
def test_labels_that_cannot_be_right_are_refused(
    registry: Registry, labels: dict[str, str], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        registry.devices.add(device("d-1", labels=labels))
    plain = registry.devices.add(device("d-1"))
    with pytest.raises(ConfigurationError, match=sentence):
        registry.devices.update(msgspec.structs.replace(plain, labels=labels))
    assert registry.devices.get("d-1").labels == {}


def test_the_longest_labels_and_any_script_are_kept(registry: Registry) -> None:
    fitting = {
        f"n{number}": text
        for number, text in enumerate(HOSTILE)
        if ";" not in text and "\n" not in text
    }
    labels = fitting | {"x" * 64: "y" * 200, "a.b_c-1": "1"}
    labels |= {f"more-{number}": "1" for number in range(32 - len(labels))}
    registry.devices.add(device("d-1", labels=labels))
    assert registry.devices.get("d-1").labels == labels


def test_a_gateway_need_not_be_registered_yet(registry: Registry) -> None:
    registry.devices.add(device("d-1", labels={"gateway": "comes-later"}))
    assert registry.devices.get("d-1").labels["gateway"] == "comes-later"
