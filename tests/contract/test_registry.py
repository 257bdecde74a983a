"""What the registry promises of sites, devices and profiles, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from core.access import EVERYTHING
from core.clock import ManualClock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry import Binding, Device, Registry, Site
from tests.contract.registry_data import (
    DATABASES,
    HOSTILE,
    NOW_NS,
    PROFILE,
    TEMPLATE,
    device,
    new_address,
    opened,
    profile_version,
)

PARIS = Site("paris", "Paris", "Europe/Paris", "FR", 48.85, 2.35)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    yield from opened(new_address(request, tmp_path), clock)


def grown(registry: Registry) -> Iterator[bool]:
    """Say at each step whether the revision has grown since the step before."""
    before = registry.revision()
    while True:
        now = registry.revision()
        assert now >= before
        yield now > before
        before = now


# --- sites


def test_the_pilot_sites_are_there_with_their_zones(registry: Registry) -> None:
    assert [(site.id, site.zone, site.country) for site in registry.sites.list()] == [
        ("diamniadio", "Africa/Dakar", "SN"),
        ("elgazala", "Africa/Tunis", "TN"),
    ]


def test_a_site_is_added_once(registry: Registry) -> None:
    assert registry.sites.add(PARIS) == PARIS == registry.sites.get("paris")
    with pytest.raises(ConflictError, match="site 'paris'"):
        registry.sites.add(PARIS)


WRONG_SITES: list[tuple[dict[str, Any], str]] = [
    ({"id": "Paris"}, "site name 'Paris'"),
    ({"id": "unassigned"}, "reserved"),
    ({"zone": "Europe/Parys"}, "IANA"),
    ({"zone": "../../etc/passwd"}, "IANA"),
    ({"latitude": 90.1}, "latitude"),
    ({"longitude": float("nan")}, "longitude"),
    ({"country": "France"}, "country"),
    ({"country": "\x00\x00"}, "country"),
    ({"name": "x" * 201}, "longer than 200"),
    ({"name": "nul\x00"}, "NUL"),
]


def test_a_site_that_cannot_be_right_is_refused(
    registry: Registry, subtests: pytest.Subtests
) -> None:
    for change, told in WRONG_SITES:
        with subtests.test(msg=told), pytest.raises(ConfigurationError, match=told):
            registry.sites.add(msgspec.structs.replace(PARIS, **change))
    assert len(registry.sites.list()) == 2


ABSENT = ["nowhere", "", "\x00", "\udcff", "x" * 5000]


def test_what_is_not_there_is_not_found_whatever_it_is_called(
    registry: Registry, subtests: pytest.Subtests
) -> None:
    for look_up in (
        registry.sites.get,
        registry.devices.get,
        registry.devices.remove,
        registry.profiles.history,
        registry.profiles.unbind,
    ):
        for name in ABSENT:
            with subtests.test(msg=repr(name[:20])), pytest.raises(NotFoundError):
                look_up(name)


# --- devices


def test_a_device_is_kept_as_given_with_the_time_of_registration(registry: Registry) -> None:
    given = device(
        "d-1",
        external_id="Salle/1",
        name="Salle",
        building="B",
        zone="2",
        interval_s=0.1,
        hardware_id="0x00158d0001",
    )
    made = registry.devices.add(given)
    assert made == msgspec.structs.replace(given, created_ns=NOW_NS)
    assert registry.devices.get("d-1") == made


def test_any_text_comes_back_as_it_went_in(registry: Registry, subtests: pytest.Subtests) -> None:
    for number, text in enumerate(HOSTILE):
        with subtests.test(msg=text[:20]):
            places = {"building": text, "zone": text, "hardware_id": text}
            made = registry.devices.add(
                device(f"d-{number}", external_id=text, name=text, **places)
            )
            assert registry.devices.get(f"d-{number}") == made
            assert registry.devices.list(building=text, zone=text, search=text) == [made]


WRONG_DEVICES: list[tuple[dict[str, Any], str]] = [
    ({"id": "D 1"}, "device name 'D 1'"),
    ({"id": ""}, "device name ''"),
    ({"id": "unidentified"}, "reserved"),
    ({"site": "atlantis"}, "no site 'atlantis'; there are diamniadio, elgazala"),
    ({"site": "x\x00"}, "NUL"),
    ({"profile": ""}, "profile is missing"),
    ({"profile": "x" * 65}, "profile is longer than 64"),
    ({"external_id": " "}, "external_id is missing"),
    ({"external_id": "x" * 201}, "external_id is longer than 200"),
    ({"name": "a\x00b"}, "name holds"),
    ({"zone": "\ud800"}, "zone holds"),
    ({"interval_s": 0}, "interval_s"),
    ({"interval_s": float("nan")}, "interval_s"),
    ({"interval_s": float("inf")}, "interval_s"),
]


def test_a_device_that_cannot_be_right_is_refused_with_the_field_named(
    registry: Registry, subtests: pytest.Subtests
) -> None:
    for change, told in WRONG_DEVICES:
        wrong = msgspec.structs.replace(device("d-1"), **change)
        with subtests.test(msg=told):
            with pytest.raises(ConfigurationError, match=told):
                registry.devices.add(wrong)
            with pytest.raises(ConfigurationError, match=told):
                registry.devices.add_many([device("d-2"), wrong])
    assert registry.devices.all() == []


def test_a_collision_names_the_device_and_what_it_collides_with(registry: Registry) -> None:
    registry.devices.add(device("d-1", external_id="kitchen"))
    with pytest.raises(ConflictError, match="there is a device 'd-1'"):
        registry.devices.add(device("d-1", external_id="hall"))
    same = device("d-2", external_id="kitchen")
    told = "device 'd-2': its name in topics, 'kitchen' .* is that of device 'd-1'"
    with pytest.raises(ConflictError, match=told):
        registry.devices.add(same)
    with pytest.raises(ConflictError, match=told):
        registry.devices.add_many([device("d-0"), same])
    assert [one.id for one in registry.devices.all()] == ["d-1"]
    registry.devices.add(device("d-2", external_id="kitchen", site="diamniadio"))
    with pytest.raises(ConflictError, match=told):
        registry.devices.update(same)


def test_an_import_says_what_it_did_and_is_repeatable(
    registry: Registry, clock: ManualClock
) -> None:
    first = registry.devices.add_many([device("d-1"), device("d-2")])
    assert (first.added, first.unchanged, first.updated) == (2, 0, 0)
    clock.advance(60)
    again = registry.devices.add_many([device("d-1", name="new"), device("d-2"), device("d-3")])
    assert (again.added, again.unchanged, again.updated) == (1, 1, 1)
    assert registry.devices.get("d-1").created_ns == NOW_NS
    assert registry.devices.get("d-3").created_ns == clock.now_ns()
    assert registry.devices.add_many([]).added == 0


def test_an_import_may_exchange_the_names_of_two_devices(registry: Registry) -> None:
    registry.devices.add_many(
        [device("d-1", external_id="hall"), device("d-2", external_id="kitchen")]
    )
    registry.devices.add_many(
        [device("d-1", external_id="kitchen"), device("d-2", external_id="hall")]
    )
    assert [one.external_id for one in registry.devices.all()] == ["kitchen", "hall"]


def test_an_import_with_a_device_twice_changes_nothing(registry: Registry) -> None:
    with pytest.raises(ConflictError, match="'d-1' stands twice"):
        registry.devices.add_many([device("d-1"), device("d-1", external_id="x")])
    assert registry.devices.all() == []


def test_ten_thousand_devices_are_imported_and_paged_in_order(registry: Registry) -> None:
    names = [f"d-{number:05}" for number in range(10_000)]
    assert registry.devices.add_many([device(name) for name in reversed(names)]).added == 10_000
    found: list[str] = []
    while page := registry.devices.list(after=found[-1] if found else None, limit=3000):
        found += [one.id for one in page]
    assert found == names


def test_devices_are_ordered_by_the_bytes_of_their_ids(registry: Registry) -> None:
    names = ["a-b", "a.b", "a0", "a_b", "ab", "b", "a-c"]
    registry.devices.add_many([device(name) for name in names])
    assert [one.id for one in registry.devices.all()] == sorted(names)
    assert [one.id for one in registry.devices.list(after="a.b")] == ["a0", "a_b", "ab", "b"]


def test_devices_are_found_by_site_profile_place_and_text(registry: Registry) -> None:
    registry.devices.add_many(
        [
            device("d-1", building="A", zone="1", name="Étage 100%"),
            device("d-2", building="A", zone="2", external_id="Kitchen_lamp"),
            device("d-3", site="diamniadio", profile="tasmota"),
        ]
    )

    def ids(**wanted: str) -> list[str]:
        return [one.id for one in registry.devices.list(**wanted)]  # type: ignore[arg-type]

    assert ids(site="elgazala") == ["d-1", "d-2"]
    assert ids(profile="tasmota") == ["d-3"]
    assert ids(building="A", zone="2") == ["d-2"]
    assert ids(search="D-") == ["d-1", "d-2", "d-3"]
    assert ids(search="étAGE") == ids(search="ÉTAGE 100%") == ["d-1"]
    assert ids(search="kitchen_LAMP") == ["d-2"]
    assert ids(search="%") == ["d-1"]
    assert ids(search="_") == ["d-2"]
    assert ids(search="\\") == ids(search="\x00") == ids(site="\udcff") == []


def test_an_update_changes_all_but_id_and_time_of_registration(
    registry: Registry, clock: ManualClock
) -> None:
    registry.devices.add(device("d-1"))
    clock.advance(1)
    changed = registry.devices.update(
        device("d-1", site="diamniadio", profile="tasmota", external_id="t", created_ns=5)
    )
    assert changed == registry.devices.get("d-1")
    assert (changed.site, changed.external_id, changed.created_ns) == ("diamniadio", "t", NOW_NS)
    with pytest.raises(NotFoundError, match="'d-9'"):
        registry.devices.update(device("d-9"))
    with pytest.raises(ConfigurationError, match="no site 'atlantis'"):
        registry.devices.update(device("d-1", site="atlantis"))


def test_an_enrolment_never_changes_what_is_registered(registry: Registry) -> None:
    registry.devices.add(device("lamp", external_id="Lamp", name="as the operator called it"))
    [known, other, twin] = registry.devices.enrol(
        [
            device("lamp", external_id="Lamp", name="Lamp"),
            device("lamp", external_id="lamp"),
            device("lamp", external_id="LAMP"),
        ]
    )
    assert known == registry.devices.get("lamp")
    assert known.name == "as the operator called it"
    assert (other.id, other.external_id, other.enrolled) == ("lamp-2", "lamp", True)
    assert (twin.id, twin.external_id) == ("lamp-3", "LAMP")
    assert registry.devices.enrol([device("lamp", external_id="lamp")]) == [other]


def test_an_enrolment_leaves_out_what_cannot_be_registered(registry: Registry) -> None:
    made = registry.devices.enrol(
        [
            device("d-1", site="atlantis"),
            device("d-2", external_id="x" * 201),
            device("unidentified"),
            device("a" * 64),
            device("a" * 64, external_id="another"),
        ]
    )
    assert [one.id for one in made] == ["a" * 64, f"{'a' * 62}-2"]


def test_workers_that_enrol_the_same_devices_at_once_register_each_once(
    registry: Registry,
) -> None:
    wanted = [device(f"d-{number % 7}", external_id=f"D {number}") for number in range(50)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(registry.devices.enrol, [wanted, wanted[::-1], wanted, wanted]))
    kept = {one.external_id: one for one in registry.devices.all()}
    assert len(kept) == 50
    for answer in made:
        assert {one.external_id: one for one in answer} == kept


def test_aliases_of_a_bridge_are_replaced_as_a_whole(registry: Registry) -> None:
    registry.devices.set_aliases("elgazala", "zigbee2mqtt", {"hall": "0x01", "室温": "0x02"})
    registry.devices.set_aliases("diamniadio", "zigbee2mqtt", {"hall": "0x03"})
    registry.devices.set_aliases("elgazala", "zigbee2mqtt", {"room": "0x01"})
    assert registry.devices.aliases() == {
        ("elgazala", "zigbee2mqtt", "room"): "0x01",
        ("diamniadio", "zigbee2mqtt", "hall"): "0x03",
    }


def test_aliases_that_cannot_be_kept_do_not_cost_the_others(registry: Registry) -> None:
    hostile = {"a\x00": "0x1", "x" * 201: "0x2", "": "0x3", "\udcff": "0x4", "empty": ""}
    registry.devices.set_aliases("elgazala", "zigbee2mqtt", hostile | {"hall": "0x5"})
    assert registry.devices.aliases() == {("elgazala", "zigbee2mqtt", "hall"): "0x5"}
    registry.devices.set_aliases("atlantis", "zigbee2mqtt", {"hall": "0x5"})
    registry.devices.set_aliases("x" * 500, "y\x00", {"hall": "0x5"})
    assert len(registry.devices.aliases()) == 1


# --- profiles and bindings


def test_a_changed_profile_becomes_a_new_version(registry: Registry, clock: ManualClock) -> None:
    [first] = registry.profiles.current()
    assert registry.profiles.put(profile_version()) == first
    clock.advance(1)
    second = registry.profiles.put(profile_version(source="name: passerelle # é\n"))
    assert (second.version, second.created_ns) == (2, clock.now_ns())
    assert second.sha256 != first.sha256
    assert registry.profiles.current() == [second]
    assert registry.profiles.put(profile_version()).version == 3
    assert [one.version for one in registry.profiles.history(PROFILE)] == [1, 2, 3]


WRONG_PROFILES = [
    ("No Slug", "x", "profile name"),
    ("p", "a\x00", "NUL"),
    ("p", "x" * 1_000_001, "longer"),
]


def test_a_profile_that_cannot_be_kept_is_refused(
    registry: Registry, subtests: pytest.Subtests
) -> None:
    for name, source, told in WRONG_PROFILES:
        with subtests.test(msg=told), pytest.raises(ConfigurationError, match=told):
            registry.profiles.put(profile_version(name, source))


def test_versions_put_at_once_are_numbered_one_after_the_other(registry: Registry) -> None:
    texts = [profile_version(source=f"n: {number}\n") for number in range(20)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(registry.profiles.put, texts))
    assert sorted(one.version for one in made) == list(range(2, 22))


def test_a_topic_is_bound_once_and_unbound(registry: Registry) -> None:
    own = Binding("house/{device}/state", PROFILE, "telemetry", "elgazala")
    assert registry.profiles.bind(own) == registry.profiles.bind(own) == own
    assert registry.profiles.bindings() == [own, Binding(TEMPLATE, PROFILE, "telemetry")]
    registry.profiles.put(profile_version("other"))
    with pytest.raises(ConflictError, match="bound to profile 'passerelle' already"):
        registry.profiles.bind(msgspec.structs.replace(own, profile="other"))
    moved = registry.profiles.bind(msgspec.structs.replace(own, site="diamniadio"))
    assert registry.profiles.bindings()[0] == moved
    registry.profiles.unbind(own.template)
    assert len(registry.profiles.bindings()) == 1


WRONG_BINDINGS = [
    (Binding("a/{device}", "nobody", "telemetry", "elgazala"), "no profile 'nobody'"),
    (Binding("a/{device}", PROFILE, "telemetry", "atlantis"), "no site 'atlantis'"),
    (Binding("a/{device}", PROFILE, "gossip", "elgazala"), "kind 'gossip'"),
    (Binding("a/{devise}", PROFILE, "telemetry", "elgazala"), "neither literal nor"),
    (Binding("a/{device}", PROFILE, "telemetry"), "the site must come once"),
    (Binding("a/" + "b" * 200 + "/{device}", PROFILE, "telemetry", "elgazala"), "longer"),
    (Binding("a/\ud800/{device}", PROFILE, "telemetry", "elgazala"), "cannot be kept"),
    (Binding("x/{any}/{site}/{device}", PROFILE, "telemetry"), "neither is more specific"),
]


def test_a_binding_that_no_worker_could_use_is_refused(
    registry: Registry, subtests: pytest.Subtests
) -> None:
    registry.profiles.put(profile_version("other"))
    registry.profiles.bind(Binding("x/{site}/{any}/{device}", "other", "telemetry"))
    before = registry.profiles.bindings()
    for binding, told in WRONG_BINDINGS:
        with subtests.test(msg=told), pytest.raises(ConfigurationError, match=told):
            registry.profiles.bind(binding)
    assert registry.profiles.bindings() == before


def test_seeding_again_changes_nothing_and_keeps_what_an_operator_changed(
    registry: Registry,
) -> None:
    registry.profiles.put(profile_version(source="by the operator\n"))
    registry.profiles.unbind(TEMPLATE)
    registry.profiles.put(profile_version("own"))
    registry.profiles.bind(Binding(TEMPLATE, "own", "telemetry"))
    before = registry.revision()
    for _ in range(2):
        registry.seed([profile_version()], [Binding(TEMPLATE, PROFILE, "telemetry")])
    assert registry.revision() == before
    assert registry.profiles.history(PROFILE)[-1].source == "by the operator\n"
    assert registry.profiles.bindings() == [Binding(TEMPLATE, "own", "telemetry")]
    registry.seed([profile_version(source="a newer shipped one\n")], [])
    assert registry.profiles.history(PROFILE)[-1].source == "a newer shipped one\n"


# --- revision


def test_the_revision_grows_with_every_change_and_with_nothing_else(registry: Registry) -> None:
    step = grown(registry)
    devices, profiles = registry.devices, registry.profiles
    own = Binding("house/{device}", PROFILE, "telemetry", "elgazala")
    assert not next(step)
    for change in (
        lambda: registry.sites.add(PARIS),
        lambda: devices.add(device("d-1")),
        lambda: devices.add_many([device("d-2")]),
        lambda: devices.enrol([device("d-3")]),
        lambda: devices.update(device("d-1", name="new")),
        lambda: devices.remove("d-2"),
        lambda: devices.set_aliases("elgazala", PROFILE, {"a": "1"}),
        lambda: profiles.put(profile_version(source="new\n")),
        lambda: profiles.bind(own),
        lambda: profiles.unbind(own.template),
    ):
        change()
        assert next(step)
    for repetition in (
        lambda: devices.add_many([device("d-1", name="new")]),
        lambda: devices.enrol([device("d-3")]),
        lambda: devices.update(device("d-1", name="new")),
        lambda: devices.set_aliases("elgazala", PROFILE, {"a": "1"}),
        lambda: profiles.put(profile_version(source="new\n")),
        lambda: registry.keys.create("key", grants=EVERYTHING),
        registry.migrate,
        registry.ping,
        registry.devices.all,
    ):
        repetition()
        assert not next(step)


def test_records_are_frozen(registry: Registry) -> None:
    made: Device = registry.devices.add(device("d-1"))
    with pytest.raises(AttributeError):
        made.name = "x"  # type: ignore[misc]
