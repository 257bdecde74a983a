"""Grants, lengths of time and actors, as the command line takes and shows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from core.access import Domain, Grant, Permission, Role
from core.clock import NS_PER_S, Clock
from core.errors import ConfigurationError
from devices.registry import AuditEntry, AuditEvent, AuditOutcome, Registry
from devices.registry.access_records import LOCAL

_GRANT = re.compile(r"(?P<role>[a-z]+)(?:@(?P<site>[^/]+))?(?:/(?P<domain>[a-z]+))?")
_LENGTH = re.compile(r"(\d{1,6})(s|min|h|d|w)", re.ASCII)
_UNIT_S = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_grant(text: str) -> Grant:
    """Return the grant that `ROLE[@SITE][/DOMAIN]` names; `*` is every site.

    Raises:
        ConfigurationError: it names none; the sentence says what there is.
    """
    found = _GRANT.fullmatch(text)
    roles, domains = ", ".join(Role), ", ".join(Domain)
    if found is None or found["role"] not in list(Role):
        raise ConfigurationError(
            f"{text!r} is no grant; write ROLE, ROLE@SITE or ROLE@SITE/DOMAIN, with one of the "
            f"roles {roles}"
        )
    domain = found["domain"]
    if domain is not None and domain not in list(Domain):
        raise ConfigurationError(f"{text!r}: {domain!r} is no domain; there are {domains}")
    site = None if found["site"] in (None, "*") else found["site"]
    return Grant(Role(found["role"]), site, None if domain is None else Domain(domain))


def grants_of(
    role: Role, sites: Sequence[str] | None, domains: Sequence[Domain] | None
) -> tuple[Grant, ...]:
    """Return a role at each of some sites (none: every one) in each of some domains."""
    return tuple(
        Grant(role, site, domain) for site in (sites or (None,)) for domain in (domains or (None,))
    )


def grants_text(grants: Iterable[Grant]) -> str:
    """Return grants as `parse_grant` takes them."""
    return ", ".join(
        f"{one.role.value}@{one.site or '*'}{'' if one.domain is None else f'/{one.domain.value}'}"
        for one in grants
    )


def parse_scopes(names: Sequence[str] | None) -> frozenset[Permission] | None:
    """Return the permissions that are named, or None when none is.

    Raises:
        ConfigurationError: one is not known.
    """
    if not names:
        return None
    for name in names:
        if name not in list(Permission):
            raise ConfigurationError(
                f"{name!r} is no permission; there are {', '.join(Permission)}"
            )
    return frozenset(map(Permission, names))


def parse_length_s(text: str) -> int:
    """Return the seconds that `90d` or `1h` is.

    Raises:
        ConfigurationError: it is none.
    """
    found = _LENGTH.fullmatch(text)
    if found is None:
        raise ConfigurationError(f"{text!r} is no length of time; write such as 30min, 12h, 90d")
    return int(found[1]) * _UNIT_S[found[2]]


def expiry_ns(text: str | None, *, clock: Clock) -> int | None:
    """Return when a length of time from now is over, nanoseconds since the epoch; None for None."""
    return None if text is None else clock.now_ns() + parse_length_s(text) * NS_PER_S


def note_change(registry: Registry, command: str, detail: str) -> None:
    """Write down in the audit that rights were changed here."""
    registry.audit.append(
        [
            AuditEntry(
                time_ns=0,
                event=AuditEvent.ACCESS,
                outcome=AuditOutcome.DONE,
                actor=LOCAL,
                route=command,
                permission=Permission.MANAGE_ACCESS.value,
                detail=detail,
            )
        ]
    )
