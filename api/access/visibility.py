"""What one caller may see: the one place where routes ask.

Three answers, the same everywhere:

- what is at a site where the caller holds nothing is answered exactly as if it did not exist;
- what is at a site that the caller knows, but not with the right that the route needs, is answered
  with 403 and the name of that right;
- values of a domain that the caller may not read are left out of "every quantity", and answered
  with 403 when they are asked for by name (the catalogue is no secret).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.access.errors import ForbiddenError
from api.access.requires import declared, principal_of
from api.access.trail import Trail
from core.access import Domain, Permission, Principal, domain_of
from core.quantities import CATALOGUE
from core.reading import DeviceKey

NOBODY = Principal(id="", name="nobody", kind="key", grants=())
"""Who asks on a public path."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """A caller at a route.

    Attributes:
        principal: who.
        permission: what the route needs.
        trail: what the audit is told of this request.
    """

    principal: Principal
    permission: Permission
    trail: Trail

    @property
    def sites(self) -> frozenset[str] | None:
        """Where they have the right that the route needs; None: at every site."""
        return self.principal.sites(self.permission)

    def admits(self, site: str) -> bool:
        """Tell whether the route may answer with what is at `site`.

        False: it is to be answered as if it did not exist; the audit is told.

        Raises:
            ForbiddenError: they know the site, and have not this right there.
        """
        if self.principal.may(self.permission, site):
            return True
        if self.principal.knows(site):
            raise ForbiddenError(
                f"this needs the permission {self.permission.value} at site {site!r}, which you do "
                "not have there"
            )
        self.trail.hidden = f"site {site}"
        return False

    def also(self, permission: Permission) -> Access:
        """Return the same caller asking for something else on the way."""
        return Access(principal=self.principal, permission=permission, trail=self.trail)


async def _access(connection: HTTPConnection) -> Access:
    return access_of(connection)


def access_of(connection: HTTPConnection) -> Access:
    """Return the caller of a request; the same trail each time."""
    state = connection.scope.setdefault("state", {})
    return Access(
        principal=principal_of(connection) or NOBODY,
        permission=declared(connection) or Permission.USE,
        trail=state.setdefault("trail", Trail()),
    )


AccessDep = Annotated[Access, Depends(_access)]
"""The caller, at the route that serves the request."""


def visible(access: Access) -> Callable[[str, str], bool]:
    """Return what tells whether values of (site, quantity) may be shown to the caller."""
    known: dict[tuple[str, Domain], bool] = {}

    def shown(site: str, quantity: str) -> bool:
        if quantity not in CATALOGUE:
            return False
        key = (site, domain_of(quantity))
        if key not in known:
            known[key] = access.principal.may(access.permission, *key)
        return known[key]

    return shown


def visible_devices(access: Access, keys: Iterable[DeviceKey]) -> tuple[DeviceKey, ...]:
    """Return those of the devices that are at sites where the caller has the route's right."""
    sites = access.sites
    return tuple(key for key in keys if sites is None or key.site in sites)


def allowed_quantities(access: Access, sites: Iterable[str]) -> frozenset[str] | None:
    """Return what "every quantity" means at all of `sites`; None: every one.

    Where what may be read differs from site to site, it is what may be read at all of them.

    Raises:
        ForbiddenError: there is none that may be read at all of them.
    """
    every = frozenset(Domain)
    allowed = every
    for site in sites:
        allowed &= access.principal.domains(access.permission, site)
    if allowed == every:
        return None
    if not allowed:
        raise ForbiddenError(
            "there is no domain in which you may read at all of these sites; ask for each by itself"
        )
    return frozenset(name for name in CATALOGUE if domain_of(name) in allowed)


def check_quantities(access: Access, sites: Iterable[str], names: Iterable[str]) -> None:
    """Refuse quantities that may not be read at each of `sites`.

    Raises:
        ForbiddenError: names the first, its domain and the site.
    """
    domains = {domain_of(name): name for name in reversed(tuple(names))}
    for site in sorted(set(sites)):
        for domain, name in domains.items():
            if not access.principal.may(access.permission, site, domain):
                raise ForbiddenError(
                    f"{name} belongs to the domain {domain.value}, in which you have not the "
                    f"permission {access.permission.value} at site {site!r}"
                )
