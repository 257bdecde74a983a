from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import (
    DOMAIN_OF,
    EVERYTHING,
    HEALTH_QUANTITIES,
    PERMISSIONS,
    REACH,
    Domain,
    Grant,
    Permission,
    Principal,
    Reach,
    Role,
    domain_of,
)
from core.quantities import CATALOGUE, Category

SITES = ("elgazala", "diamniadio")
grants = st.builds(
    Grant,
    role=st.sampled_from(Role),
    site=st.sampled_from((None, *SITES)),
    domain=st.sampled_from((None, *Domain)),
)
held = st.lists(grants, max_size=4).map(tuple)
scopes = st.none() | st.frozensets(st.sampled_from(Permission))
permissions = st.sampled_from(Permission)
sites = st.sampled_from(SITES)
domains = st.sampled_from(Domain)


def somebody(*given: Grant, **more: object) -> Principal:
    return Principal(id="k", name="tests", kind="key", grants=given, **more)  # type: ignore[arg-type]


def test_every_category_has_a_domain_and_vital_signs_one_of_their_own() -> None:
    assert set(DOMAIN_OF) == set(Category)
    assert [one for one, domain in DOMAIN_OF.items() if domain is Domain.HEALTH] == [
        Category.VITAL_SIGNS
    ]
    assert "heart_rate" in HEALTH_QUANTITIES
    assert {domain_of(name) for name in CATALOGUE} == set(Domain)


def test_every_permission_has_a_reach_and_a_role_that_gives_it() -> None:
    assert set(REACH) == set(Permission)
    assert set().union(*PERMISSIONS.values()) == set(Permission)
    assert set(PERMISSIONS) == set(Role)


def test_without_a_grant_nothing_is_allowed_but_to_be_somebody() -> None:
    nobody = somebody()

    assert [one for one in Permission if nobody.may(one)] == [Permission.USE]
    assert not nobody.knows("elgazala")


def test_everything_is_everything() -> None:
    everybody = somebody(*EVERYTHING)

    assert all(
        everybody.may(one, site, domain)
        for one in Permission
        for site in (*SITES, None)
        for domain in (*Domain, None)
        if not (one is Permission.READ_HEALTH and domain not in {None, Domain.HEALTH})
    )


@given(held, permissions, sites)
def test_health_is_only_read_where_it_was_granted_by_name(
    given: tuple[Grant, ...], permission: Permission, site: str
) -> None:
    without = tuple(one for one in given if one.domain is not Domain.HEALTH)
    someone = somebody(*without)

    assert not someone.may(Permission.READ_HEALTH, site)
    if REACH[permission] is Reach.DOMAIN:
        assert not someone.may(permission, site, Domain.HEALTH)
        assert Domain.HEALTH not in someone.domains(permission, site)


@given(held, permissions, domains)
def test_a_grant_at_one_site_gives_nothing_at_another(
    given: tuple[Grant, ...], permission: Permission, domain: Domain
) -> None:
    someone = somebody(*(one for one in given if one.site == "elgazala"))

    if permission is not Permission.USE:
        assert not someone.may(permission, "diamniadio", domain)
        assert not someone.may(permission, "diamniadio")
        assert someone.sites(permission, domain) in (frozenset({"elgazala"}), frozenset())
    assert not someone.knows("diamniadio")


@given(held, held, permissions, sites, domains)
def test_more_grants_never_allow_less(
    given: tuple[Grant, ...],
    more: tuple[Grant, ...],
    permission: Permission,
    site: str,
    domain: Domain,
) -> None:
    if somebody(*given).may(permission, site, domain):
        assert somebody(*given, *more).may(permission, site, domain)


@given(st.tuples(held, held), scopes, permissions, sites, domains)
def test_a_key_does_what_its_grants_and_those_of_its_user_both_allow(
    held_by: tuple[tuple[Grant, ...], tuple[Grant, ...]],
    scopes: frozenset[Permission] | None,
    permission: Permission,
    site: str,
    domain: Domain,
) -> None:
    given, within = held_by
    both = somebody(*given, within=within, scopes=scopes)

    if both.may(permission, site, domain):
        assert somebody(*given).may(permission, site, domain)
        assert somebody(*within).may(permission, site, domain)
        assert scopes is None or permission in scopes or permission is Permission.USE
    if both.knows(site):
        assert somebody(*given).knows(site)
        assert somebody(*within).knows(site)


@given(held, permissions, sites, domains)
def test_a_key_with_the_grants_of_its_user_does_what_the_user_may(
    given: tuple[Grant, ...], permission: Permission, site: str, domain: Domain
) -> None:
    alone, within = somebody(*given), somebody(*given, within=given)

    if alone.may(permission, site, domain):
        assert within.may(permission, site, domain)


@given(held, scopes, permissions, sites, st.none() | domains)
def test_the_sites_of_a_permission_are_those_where_it_may_be_used(
    given: tuple[Grant, ...],
    scopes: frozenset[Permission] | None,
    permission: Permission,
    site: str,
    domain: Domain | None,
) -> None:
    someone = somebody(*given, scopes=scopes)
    found = someone.sites(permission, domain)

    if permission is not Permission.USE:
        assert someone.may(permission, site, domain) == (found is None or site in found)


@pytest.mark.parametrize(
    "permission", [one for one, reach in REACH.items() if reach is Reach.PLATFORM]
)
def test_what_concerns_the_platform_needs_a_grant_at_every_site(permission: Permission) -> None:
    assert somebody(Grant(Role.ADMINISTRATOR)).may(permission)
    assert not somebody(Grant(Role.ADMINISTRATOR, "elgazala")).may(permission, "elgazala")
    assert not somebody(Grant(Role.ADMINISTRATOR, None, Domain.ENERGY)).may(permission)


def test_a_grant_for_one_domain_shows_the_devices_but_not_the_dead_letters_of_a_site() -> None:
    someone = somebody(Grant(Role.ENGINEER, "elgazala", Domain.ENERGY))

    assert someone.may(Permission.READ_DEVICES, "elgazala")
    assert someone.may(Permission.READ_READINGS, "elgazala", Domain.ENERGY)
    assert not someone.may(Permission.READ_READINGS, "elgazala", Domain.BUILDING)
    assert not someone.may(Permission.READ_DEAD_LETTERS, "elgazala")


def test_a_scope_without_health_reads_none() -> None:
    someone = somebody(*EVERYTHING, scopes=frozenset({Permission.READ_READINGS}))

    assert someone.may(Permission.READ_READINGS, "elgazala", Domain.ENERGY)
    assert not someone.may(Permission.READ_READINGS, "elgazala", Domain.HEALTH)


def test_it_is_over_when_it_expires() -> None:
    someone = somebody(*EVERYTHING, expires_ns=10)

    assert not someone.expired(9)
    assert someone.expired(10)
    assert not somebody().expired(2**62)


@given(st.tuples(held, held), scopes, permissions, sites, domains)
def test_who_gives_only_what_they_hold_makes_nobody_stronger(
    both: tuple[tuple[Grant, ...], tuple[Grant, ...]],
    scope: frozenset[Permission] | None,
    permission: Permission,
    site: str | None,
    domain: Domain,
) -> None:
    mine, given_away = both
    giver = Principal(id="a", name="a", kind="key", grants=mine, scopes=scope)
    allowed = tuple(grant for grant in given_away if giver.holds(grant, scope))
    made = Principal(id="b", name="b", kind="key", grants=allowed, scopes=scope)
    if made.may(permission, site, domain):
        assert giver.may(permission, site, domain)
