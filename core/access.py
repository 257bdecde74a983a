"""Who may do what, where: roles, grants, and what both come to for one caller.

Everything is refused that no grant allows. A grant gives a role at one site or at every one, and in
one domain or in every one *but health*: vital signs are only ever granted by name, so that nobody
reads them because somebody wrote "everything".

No I/O: what callers hold comes from `devices.registry`, what routes need from `api.access`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import msgspec

from core.quantities import CATALOGUE, Category


class Role(StrEnum):
    """What somebody is at a site."""

    VIEWER = "viewer"
    """Looks at devices, values and the account."""
    RESEARCHER = "researcher"
    """Takes data along as well: exports and snapshots."""
    ENGINEER = "engineer"
    """Makes devices work: registers them, looks into dead letters, replays them; says what raises
    an alert, and looks after those that are."""
    OPERATOR = "operator"
    """Makes the platform work: dead letters, devices, alerts, metrics; takes no data along."""
    ADMINISTRATOR = "administrator"
    """Everything; everywhere: also who may do what, and who did."""


class Domain(StrEnum):
    """A part of the catalogue that is granted as one."""

    ENVIRONMENT = "environment"
    """Climate, air quality and water."""
    ENERGY = "energy"
    BUILDING = "building"
    """Presence and access: where people are."""
    EQUIPMENT = "equipment"
    """How the devices themselves are."""
    HEALTH = "health"
    """Vital signs."""


DOMAIN_OF: Mapping[Category, Domain] = MappingProxyType(
    {
        Category.ENVIRONMENT: Domain.ENVIRONMENT,
        Category.AIR_QUALITY: Domain.ENVIRONMENT,
        Category.WATER: Domain.ENVIRONMENT,
        Category.ENERGY: Domain.ENERGY,
        Category.PRESENCE: Domain.BUILDING,
        Category.ACCESS: Domain.BUILDING,
        Category.DEVICE_HEALTH: Domain.EQUIPMENT,
        Category.VITAL_SIGNS: Domain.HEALTH,
    }
)
"""The domain of each category of the catalogue."""


class Permission(StrEnum):
    """What a route needs."""

    USE = "use"
    """To be somebody: everybody who is let in has it, whatever their grants and scopes."""
    READ_DEVICES = "read_devices"
    READ_READINGS = "read_readings"
    READ_HEALTH = "read_health"
    """Needed beside another one wherever vital signs are concerned."""
    READ_ACCOUNT = "read_account"
    """The ledger: counts of messages and of values."""
    EXPORT = "export"
    SNAPSHOT = "snapshot"
    READ_DEAD_LETTERS = "read_dead_letters"
    """Which there are, and why."""
    READ_PAYLOADS = "read_payloads"
    """Their raw bytes: whatever a device measured."""
    REPLAY = "replay"
    """Have dead letters judged again, or discarded."""
    MANAGE_DEVICES = "manage_devices"
    READ_ALERTS = "read_alerts"
    """Alerts and what they tell of; of what concerns vital signs only with `READ_HEALTH`."""
    ACKNOWLEDGE = "acknowledge"
    """Take an alert on."""
    SILENCE = "silence"
    """Have nobody told of alerts for a while."""
    MANAGE_RULES = "manage_rules"
    """Say what raises an alert."""
    MANAGE_CHANNELS = "manage_channels"
    """See through which channels people are told, and try them."""
    READ_METRICS = "read_metrics"
    MANAGE_ACCESS = "manage_access"
    """Users, keys, grants."""
    READ_AUDIT = "read_audit"


class Reach(StrEnum):
    """What a permission is about, and so which grants give it."""

    ANYBODY = "anybody"
    """Nothing in particular: everybody who is let in."""
    SITE = "site"
    """A site: any grant at it."""
    DOMAIN = "domain"
    """Values of one domain at a site: a grant that covers both."""
    WHOLE_SITE = "whole site"
    """A site in all of its domains: a grant at it that is not limited to one."""
    PLATFORM = "platform"
    """The platform: a grant at every site that is not limited to a domain."""


REACH: Mapping[Permission, Reach] = MappingProxyType(
    {
        Permission.USE: Reach.ANYBODY,
        Permission.READ_DEVICES: Reach.SITE,
        Permission.READ_ACCOUNT: Reach.SITE,
        Permission.READ_READINGS: Reach.DOMAIN,
        Permission.READ_HEALTH: Reach.DOMAIN,
        Permission.EXPORT: Reach.DOMAIN,
        Permission.SNAPSHOT: Reach.DOMAIN,
        Permission.READ_DEAD_LETTERS: Reach.WHOLE_SITE,
        Permission.READ_PAYLOADS: Reach.WHOLE_SITE,
        Permission.REPLAY: Reach.WHOLE_SITE,
        Permission.MANAGE_DEVICES: Reach.WHOLE_SITE,
        Permission.READ_ALERTS: Reach.SITE,
        Permission.ACKNOWLEDGE: Reach.SITE,
        Permission.SILENCE: Reach.WHOLE_SITE,
        Permission.MANAGE_RULES: Reach.WHOLE_SITE,
        Permission.MANAGE_CHANNELS: Reach.PLATFORM,
        Permission.READ_METRICS: Reach.PLATFORM,
        Permission.MANAGE_ACCESS: Reach.PLATFORM,
        Permission.READ_AUDIT: Reach.PLATFORM,
    }
)
"""What each permission is about."""

_VIEWER = frozenset(
    {
        Permission.USE,
        Permission.READ_DEVICES,
        Permission.READ_READINGS,
        Permission.READ_HEALTH,
        Permission.READ_ACCOUNT,
        Permission.READ_ALERTS,
    }
)
_KEEPER = _VIEWER | {
    Permission.READ_DEAD_LETTERS,
    Permission.READ_PAYLOADS,
    Permission.REPLAY,
    Permission.MANAGE_DEVICES,
    Permission.ACKNOWLEDGE,
    Permission.SILENCE,
    Permission.MANAGE_RULES,
}
PERMISSIONS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.VIEWER: _VIEWER,
        Role.RESEARCHER: _VIEWER | {Permission.EXPORT, Permission.SNAPSHOT},
        Role.ENGINEER: _KEEPER | {Permission.EXPORT},
        Role.OPERATOR: _KEEPER | {Permission.READ_METRICS, Permission.MANAGE_CHANNELS},
        Role.ADMINISTRATOR: frozenset(Permission),
    }
)
"""What each role may do where it is granted."""


class Grant(msgspec.Struct, frozen=True, order=True):
    """A role, somewhere.

    Attributes:
        role: what somebody is.
        site: slug of the site, or None: every one, also what belongs to none.
        domain: the domain, or None: every one but health.
    """

    role: Role
    site: str | None = None
    domain: Domain | None = None


EVERYTHING = (Grant(Role.ADMINISTRATOR), Grant(Role.ADMINISTRATOR, None, Domain.HEALTH))
"""What keys had before there were grants."""


_HEALTH = Permission.READ_HEALTH


class _Right(msgspec.Struct, frozen=True):
    """Permissions at a site (None: every one) in a domain (None: every one but health)."""

    permissions: frozenset[Permission]
    site: str | None
    domain: Domain | None

    def at(self, site: str | None) -> bool:
        return site is None or self.site is None or self.site == site

    def covers(self, permission: Permission, domain: Domain | None) -> bool:
        """Tell whether it gives a permission, in a domain or (None) in any."""
        if permission not in self.permissions:
            return False
        match REACH[permission]:
            case Reach.PLATFORM:
                return self.site is None and self.domain is None
            case Reach.WHOLE_SITE:
                return self.domain is None
            case Reach.DOMAIN:
                return any(
                    self._reads(one) and (one is Domain.HEALTH or permission is not _HEALTH)
                    for one in (Domain if domain is None else (domain,))
                )
            case _:
                return True

    def _reads(self, domain: Domain) -> bool:
        health = domain is Domain.HEALTH
        return in_domain(domain, self.domain) and (not health or _HEALTH in self.permissions)


class Principal(msgspec.Struct, frozen=True, dict=True, kw_only=True):
    """Somebody who was let in.

    Attributes:
        id: of the key, the user, or the subject at its provider.
        name: for people, and for what they order.
        kind: how they were let in.
        grants: what they hold.
        scopes: the only permissions that they use, or None: all that the grants give.
        expires_ns: until when they are let in, nanoseconds since the epoch, or None.
        within: a second set of grants: only what both sets give may be done; None: no such bound.
            (A key of a user may never do more than its user.)
        user: the user that the key belongs to, or None.
    """

    id: str
    name: str
    kind: Literal["key", "user", "oidc"]
    grants: tuple[Grant, ...]
    scopes: frozenset[Permission] | None = None
    expires_ns: int | None = None
    within: tuple[Grant, ...] | None = None
    user: str | None = None

    def may(
        self, permission: Permission, site: str | None = None, domain: Domain | None = None
    ) -> bool:
        """Tell whether they may do something.

        Args:
            permission: what.
            site: where; None: anywhere at all.
            domain: of which values; None: of any at all. It matters for permissions whose reach is
                a domain. In the domain health, `READ_HEALTH` is needed as well.
        """
        if permission is Permission.USE:
            return True
        return any(right.at(site) and right.covers(permission, domain) for right in self._rights)

    def sites(self, permission: Permission, domain: Domain | None = None) -> frozenset[str] | None:
        """Return where they may do something, or None: at every site."""
        found = set()
        for right in self._rights:
            if right.covers(permission, domain):
                if right.site is None:
                    return None
                found.add(right.site)
        return frozenset(found)

    def domains(self, permission: Permission, site: str) -> frozenset[Domain]:
        """Return of which values they may do something at a site."""
        return frozenset(domain for domain in Domain if self.may(permission, site, domain))

    def holds(self, grant: Grant, scopes: frozenset[Permission] | None = None) -> bool:
        """Tell whether they may do all that a grant gives, or what scopes leave of it.

        Nobody gives away more than that.
        """
        wanted = PERMISSIONS[grant.role] - {Permission.USE}
        if scopes is not None:
            wanted &= scopes
        return all(
            any(
                permission in right.permissions
                and right.site in (None, grant.site)
                and (right.domain == grant.domain or _includes(right.domain, grant.domain))
                for right in self._rights
            )
            for permission in wanted
        )

    def knows(self, site: str) -> bool:
        """Tell whether they hold anything at a site: only then do they learn that it exists."""
        return any(right.at(site) for right in self._held)

    def expired(self, now_ns: int) -> bool:
        """Tell whether the time for which they are let in is over."""
        return self.expires_ns is not None and now_ns >= self.expires_ns

    @cached_property
    def _held(self) -> tuple[_Right, ...]:
        own = [_Right(PERMISSIONS[one.role], one.site, one.domain) for one in self.grants]
        if self.within is None:
            return tuple(own)
        bound = [_Right(PERMISSIONS[one.role], one.site, one.domain) for one in self.within]
        return tuple(both for one in own for other in bound for both in _common(one, other))

    @cached_property
    def _rights(self) -> tuple[_Right, ...]:
        if self.scopes is None:
            return self._held
        scopes = self.scopes
        return tuple(_Right(one.permissions & scopes, one.site, one.domain) for one in self._held)


def domain_of(quantity: str) -> Domain:
    """Return the domain of a quantity of the catalogue."""
    return DOMAIN_OF[CATALOGUE[quantity].category]


def in_domain(domain: Domain, granted: Domain | None) -> bool:
    """Tell whether a grant's domain covers one; None covers every one but health."""
    return domain is not Domain.HEALTH if granted is None else domain is granted


def _includes(whole: Domain | None, part: Domain | None) -> bool:
    return whole is None and part is not None and part is not Domain.HEALTH


HEALTH_QUANTITIES = frozenset(name for name in CATALOGUE if domain_of(name) is Domain.HEALTH)
"""The quantities that are vital signs."""


def _common(one: _Right, other: _Right) -> Iterator[_Right]:
    """Yield what two rights both give, if anything."""
    if None not in (one.site, other.site) and one.site != other.site:
        return
    domain = other.domain if one.domain is None else one.domain
    if one.domain != other.domain and (
        None not in (one.domain, other.domain) or domain is Domain.HEALTH
    ):
        return
    yield _Right(
        one.permissions & other.permissions,
        other.site if one.site is None else one.site,
        domain,
    )
