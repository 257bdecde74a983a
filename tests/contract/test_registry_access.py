"""What the registry promises of users, keys, grants and the audit, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from core.access import EVERYTHING, Domain, Grant, Permission, Role
from core.clock import NS_PER_S, ManualClock
from core.errors import ConfigurationError, ConflictError, NotFoundError
from devices.registry import (
    Actor,
    AuditEntry,
    AuditEvent,
    AuditFilter,
    AuditOutcome,
    Registry,
)
from tests.contract.registry_data import DATABASES, NOW_NS, new_address

VIEWER = Grant(Role.VIEWER, "elgazala")
HEALTH = Grant(Role.RESEARCHER, "diamniadio", Domain.HEALTH)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW_NS)


@pytest.fixture(params=DATABASES)
def registry(
    request: pytest.FixtureRequest, tmp_path: Path, clock: ManualClock
) -> Iterator[Registry]:
    made = Registry.open(new_address(request, tmp_path), clock=clock)
    made.migrate()
    made.seed([], [])
    yield made
    made.close()


def entry(number: int, **more: object) -> AuditEntry:
    made = AuditEntry(
        time_ns=NOW_NS + number,
        event=AuditEvent.READ,
        outcome=AuditOutcome.ANSWERED,
        actor=Actor("key", "k1", "ward display", "10.0.0.7"),
        route="/v1/readings",
        sites=("elgazala",),
        quantities=("heart_rate",),
        rows=number,
    )
    return msgspec.structs.replace(made, **more)


def test_a_key_holds_what_it_was_given(registry: Registry) -> None:
    plain, key = registry.keys.create(
        "notebook", grants=[HEALTH, VIEWER, VIEWER], scopes=[Permission.READ_READINGS]
    )
    assert key.grants == (HEALTH, VIEWER)
    assert key.scopes == frozenset({Permission.READ_READINGS})
    found = registry.keys.verify(plain)
    assert found is not None
    assert (found.grants, found.scopes, found.within) == ((HEALTH, VIEWER), key.scopes, None)
    assert registry.keys.get(key.id).grants == key.grants


def test_a_key_of_a_user_is_bounded_by_the_user(registry: Registry) -> None:
    registry.users.create("amina", name="Amina", grants=[VIEWER])
    whole, _ = registry.keys.create("phone", grants=(), user="amina")
    part, _ = registry.keys.create("display", grants=EVERYTHING, user="amina")
    registry.users.change("amina", grants=[HEALTH])
    first, second = registry.keys.verify(whole), registry.keys.verify(part)
    assert first is not None
    assert second is not None
    assert (first.grants, first.within) == ((HEALTH,), (HEALTH,))
    assert (set(second.grants), second.within) == (set(EVERYTHING), (HEALTH,))


def test_a_key_ends_when_it_expires_is_revoked_or_its_user_is_shut_out(
    registry: Registry, clock: ManualClock
) -> None:
    registry.users.create("amina", name="Amina", grants=[VIEWER])
    ends, _ = registry.keys.create("a", grants=[VIEWER], expires_ns=NOW_NS + NS_PER_S)
    revoked, key = registry.keys.create("b", grants=[VIEWER])
    out, _ = registry.keys.create("c", grants=(), user="amina")
    assert all(registry.keys.verify(plain) for plain in (ends, revoked, out))
    clock.advance(1)
    registry.keys.revoke(key.id)
    registry.users.change("amina", disabled=True)
    assert not any(registry.keys.verify(plain) for plain in (ends, revoked, out))
    registry.users.change("amina", disabled=False)
    assert registry.keys.verify(out) is not None


def test_a_rotated_key_may_do_the_same_and_the_old_one_ends(
    registry: Registry, clock: ManualClock
) -> None:
    old, key = registry.keys.create("a", grants=[HEALTH], scopes=[Permission.READ_READINGS])
    new, made = registry.keys.rotate(key.id, grace_s=60)
    assert made.rotated_from == key.id
    assert (made.name, made.grants, made.scopes) == ("a", key.grants, key.scopes)
    assert registry.keys.verify(old)
    clock.advance(60)
    assert registry.keys.verify(old) is None
    assert registry.keys.verify(new)
    with pytest.raises(ConflictError, match="has expired"):
        registry.keys.rotate(key.id, grace_s=60)


def test_a_rotation_never_lengthens_a_key(registry: Registry, clock: ManualClock) -> None:
    old, key = registry.keys.create("a", grants=[VIEWER], expires_ns=NOW_NS + 10 * NS_PER_S)
    _, made = registry.keys.rotate(key.id, grace_s=3600)
    assert made.expires_ns == key.expires_ns
    clock.advance(10)
    assert registry.keys.verify(old) is None


def test_keys_and_users_that_make_no_sense_are_refused(registry: Registry) -> None:
    keys, users = registry.keys, registry.users
    users.create("amina", name="", subject="https://id#1")
    with pytest.raises(ConfigurationError, match="needs a role"):
        keys.create("a", grants=())
    with pytest.raises(ConfigurationError, match="in the past"):
        keys.create("a", grants=[VIEWER], expires_ns=NOW_NS)
    with pytest.raises(ConfigurationError, match="scope"):
        keys.create("a", grants=[VIEWER], scopes=())
    with pytest.raises(NotFoundError, match="no site 'mars'"):
        keys.create("a", grants=[Grant(Role.VIEWER, "mars")])
    with pytest.raises(NotFoundError, match="no user 'nobody'"):
        keys.create("a", grants=(), user="nobody")
    with pytest.raises(ConflictError, match="already"):
        users.create("amina", name="")
    with pytest.raises(ConflictError, match="'amina' is that subject"):
        users.create("bilal", name="", subject="https://id#1")
    with pytest.raises(ConfigurationError):
        users.create("Not a slug", name="")
    assert keys.list() == []
    assert [one.id for one in users.list()] == ["amina"]


def test_a_user_is_found_by_subject(registry: Registry) -> None:
    made = registry.users.create("amina", name="Amina", subject="https://id#1", grants=[VIEWER])
    assert registry.users.of_subject("https://id#1") == made
    assert registry.users.of_subject("https://id#2") is None
    registry.users.change("amina", subject="")
    assert registry.users.of_subject("https://id#1") is None


def test_the_audit_is_read_newest_first_and_by_filter(registry: Registry) -> None:
    other = Actor("key", "k2", "laptop", "")
    registry.audit.append([entry(1), entry(2, sites=("diamniadio", "elgazala"))])
    registry.audit.append([entry(3, event=AuditEvent.REFUSED, actor=other, sites=())])
    rows = registry.audit.list(AuditFilter())
    assert [one.id for one in rows] == [3, 2, 1]
    assert rows[2] == entry(1, id=1, chain=rows[2].chain)

    def found(wanted: AuditFilter) -> list[int]:
        return [one.id for one in registry.audit.list(wanted)]

    assert found(AuditFilter(event="refused")) == [3]
    assert found(AuditFilter(actor="laptop")) == [3]
    assert found(AuditFilter(actor="k1")) == [2, 1]
    assert found(AuditFilter(site="diamniadio")) == [2]
    assert found(AuditFilter(site="gazala")) == []
    assert found(AuditFilter(since_ns=NOW_NS + 2, until_ns=NOW_NS + 3)) == [2]
    assert [one.id for one in registry.audit.list(AuditFilter(), before=3, limit=1)] == [2]


def test_rows_written_at_once_are_one_chain(registry: Registry) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: registry.audit.append([entry(number)]), range(40)))
    assert [one.id for one in registry.audit.list(AuditFilter())] == list(range(40, 0, -1))
    assert registry.audit.verify() is None


def test_the_database_refuses_to_change_the_audit(registry: Registry) -> None:
    registry.audit.append([entry(1)])
    for statement in ("UPDATE audit SET rows = 0", "DELETE FROM audit"):
        with (
            pytest.raises(ConflictError, match="append only"),
            registry._database.write() as connection,
        ):
            connection.execute(text(statement))
    assert registry.audit.verify() is None


@pytest.mark.parametrize("change", ["UPDATE audit SET devices = 9", "DELETE FROM audit"])
def test_a_row_that_was_changed_all_the_same_is_found(registry: Registry, change: str) -> None:
    registry.audit.append([entry(1), entry(2), entry(3)])
    sqlite = registry._database.kind == "sqlite"
    with registry._database.write() as connection:
        for name in ("audit_no_update", "audit_no_delete") if sqlite else ():
            connection.execute(text(f"DROP TRIGGER {name}"))
        if not sqlite:
            connection.execute(text("DROP TRIGGER audit_append_only ON audit"))
        connection.execute(text(f"{change} WHERE id = 2"))
    assert registry.audit.verify() == 2
