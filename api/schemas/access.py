"""Callers, users, keys and the audit."""

from __future__ import annotations

from pydantic import Field

from api.parameters import UTC
from api.schemas import Schema
from api.times import in_zone
from core.access import Domain, Grant, Permission, Principal, Role
from devices.registry import ApiKey, AuditEntry, Site, User


class GrantModel(Schema):
    """A role, somewhere."""

    role: Role = Field(description="What somebody is.")
    site: str | None = Field(None, description="At this site; null: at every one.", max_length=64)
    domain: Domain | None = Field(
        None, description="For these quantities; null: for every one but vital signs (health)."
    )

    @classmethod
    def of(cls, grant: Grant) -> GrantModel:
        """Return what the API says of `grant`."""
        return cls(role=grant.role, site=grant.site, domain=grant.domain)

    def grant(self) -> Grant:
        """Return what it stands for."""
        return Grant(self.role, self.site, self.domain)


class SiteRights(Schema):
    """What a caller may do at a site."""

    site: str
    permissions: list[Permission]
    domains: list[Domain] = Field(description="The quantities that may be read.")


class MeAnswer(Schema):
    """Who is asking, and what they may do."""

    id: str
    name: str
    kind: str = Field(description="`key`, `user` (a key of a user) or `oidc` (a bearer token).")
    user: str | None = Field(description="The user that the key or token belongs to, or null.")
    expires: str | None = Field(description="From when on it is refused, or null.")
    grants: list[GrantModel]
    scopes: list[Permission] | None = Field(
        description="The only permissions that are used, or null: all that the grants give."
    )
    permissions: list[Permission] = Field(description="Those that are there at some site at least.")
    sites: list[SiteRights] = Field(description="Site by site, those that the caller may know of.")

    @classmethod
    def of(cls, who: Principal, sites: list[Site]) -> MeAnswer:
        """Return what the API says of a caller."""
        return cls(
            id=who.id,
            name=who.name,
            kind=who.kind,
            user=who.user,
            expires=_instant(who.expires_ns),
            grants=[GrantModel.of(one) for one in who.grants],
            scopes=None if who.scopes is None else sorted(who.scopes),
            permissions=[one for one in Permission if who.may(one)],
            sites=[
                SiteRights(
                    site=site.id,
                    permissions=[one for one in Permission if who.may(one, site.id)],
                    domains=sorted(who.domains(Permission.READ_READINGS, site.id)),
                )
                for site in sites
                if who.knows(site.id)
            ],
        )


class UserAnswer(Schema):
    """A user."""

    id: str
    name: str
    subject: str | None = Field(description="`ISSUER#SUBJECT` at the identity provider, or null.")
    grants: list[GrantModel]
    created: str
    disabled: str | None = Field(description="Since when the user is shut out, or null.")

    @classmethod
    def of(cls, user: User) -> UserAnswer:
        """Return what the API says of `user`."""
        return cls(
            id=user.id,
            name=user.name,
            subject=user.subject,
            grants=[GrantModel.of(one) for one in user.grants],
            created=in_zone(user.created_ns, UTC),
            disabled=_instant(user.disabled_ns),
        )


class UsersAnswer(Schema):
    """Every user."""

    users: list[UserAnswer]


class NewUser(Schema):
    """A user to be made."""

    id: str = Field(description="Slug.", max_length=64)
    name: str = Field("", description="For people.", max_length=200)
    subject: str | None = Field(
        None, description="`ISSUER#SUBJECT` at the identity provider.", max_length=500
    )
    grants: list[GrantModel] = Field([], max_length=200)


class UserChange(Schema):
    """What is to change of a user; what is left out stays."""

    name: str | None = Field(None, max_length=200)
    subject: str | None = Field(None, description="Empty: nobody there any more.", max_length=500)
    disabled: bool | None = Field(None, description="Shut out with every key, or let in again.")
    grants: list[GrantModel] | None = Field(
        None, description="All that the user may do from now on.", max_length=200
    )


class KeyAnswer(Schema):
    """An API key, without its secret."""

    id: str
    name: str
    user: str | None
    grants: list[GrantModel]
    scopes: list[Permission] | None
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None = Field(description="To the minute, or null.")
    rotated_from: str | None = Field(description="The key that it replaces, or null.")

    @classmethod
    def of(cls, key: ApiKey) -> KeyAnswer:
        """Return what the API says of `key`."""
        return cls(
            id=key.id,
            name=key.name,
            user=key.user,
            grants=[GrantModel.of(one) for one in key.grants],
            scopes=None if key.scopes is None else sorted(key.scopes),
            created=in_zone(key.created_ns, UTC),
            expires=_instant(key.expires_ns),
            revoked=_instant(key.revoked_ns),
            last_used=_instant(key.last_used_ns),
            rotated_from=key.rotated_from,
        )


class KeysAnswer(Schema):
    """Every key."""

    keys: list[KeyAnswer]


class MadeKey(Schema):
    """A key that was just made."""

    secret: str = Field(description="The key itself; it is not shown again.")
    key: KeyAnswer


class NewKey(Schema):
    """A key to be made."""

    name: str = Field(description="Who or what uses it, for people.", max_length=200)
    user: str | None = Field(None, description="The user that it belongs to.", max_length=64)
    grants: list[GrantModel] = Field(
        [], description="What it may do; of a user's key: none means the user's.", max_length=200
    )
    scopes: list[Permission] | None = Field(
        None,
        description="The only permissions that it uses; null: all.",
        min_length=1,
        max_length=50,
    )
    expires: str | None = Field(
        None,
        description="From when on it is refused: RFC 3339, a day, or relative such as now+90d.",
        max_length=64,
    )


class Rotation(Schema):
    """How a key is replaced."""

    grace_s: float = Field(
        86_400, description="For how long the old key is good, seconds.", ge=0, le=90 * 86_400
    )
    expires: str | None = Field(
        None, description="When the new one expires; null: as the old one did.", max_length=64
    )


class AuditRow(Schema):
    """One row of the audit."""

    id: int
    time: str
    event: str = Field(description="`read`, `refused`, `access` or `alert`.")
    outcome: str = Field(
        description="`answered`, `begun`, `complete`, `failed`, `refused` or `done`."
    )
    actor_kind: str
    actor: str
    actor_name: str
    address: str
    method: str
    route: str
    status: int
    permission: str
    sites: list[str]
    devices: int = Field(description="Devices whose vital signs were read.")
    quantities: list[str]
    start: str | None
    end: str | None
    rows: int = Field(description="Values that were read, as far as known.")
    times: int = Field(description="Requests that the row stands for.")
    detail: str
    chain: str = Field(description="SHA-256 over the row and the chain of the row before.")

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditRow:
        """Return what the API says of a row."""
        return cls(
            id=entry.id,
            time=in_zone(entry.time_ns, UTC),
            event=entry.event,
            outcome=entry.outcome,
            actor_kind=entry.actor.kind,
            actor=entry.actor.id,
            actor_name=entry.actor.name,
            address=entry.actor.address,
            method=entry.method,
            route=entry.route,
            status=entry.status,
            permission=entry.permission,
            sites=list(entry.sites),
            devices=entry.devices,
            quantities=list(entry.quantities),
            start=_instant(entry.start_ns),
            end=_instant(entry.end_ns),
            rows=entry.rows,
            times=entry.times,
            detail=entry.detail,
            chain=entry.chain,
        )


class AuditAnswer(Schema):
    """A page of the audit, the newest rows first."""

    rows: list[AuditRow]
    next: str | None = Field(description="Address of the next page, or null.")


def _instant(time_ns: int | None) -> str | None:
    return None if time_ns is None else in_zone(time_ns, UTC)


GRANT_EXAMPLE = {"role": "researcher", "site": "elgazala", "domain": None}
ME_EXAMPLE = {
    "id": "0f3a5c7d9e1b",
    "name": "notebook of Amina",
    "kind": "user",
    "user": "amina",
    "expires": "2027-02-21T00:00:00Z",
    "grants": [GRANT_EXAMPLE],
    "scopes": ["read_readings"],
    "permissions": ["use", "read_readings"],
    "sites": [
        {
            "site": "elgazala",
            "permissions": ["use", "read_readings"],
            "domains": ["building", "energy", "environment", "equipment"],
        }
    ],
}
USER_EXAMPLE = {
    "id": "amina",
    "name": "Amina B.",
    "subject": None,
    "grants": [GRANT_EXAMPLE],
    "created": "2026-11-23T08:00:00Z",
    "disabled": None,
}
USERS_EXAMPLE = {"users": [USER_EXAMPLE]}
NEW_USER_EXAMPLE = {"id": "amina", "name": "Amina B.", "grants": [GRANT_EXAMPLE]}
KEY_EXAMPLE = {
    "id": "0f3a5c7d9e1b",
    "name": "notebook of Amina",
    "user": "amina",
    "grants": [GRANT_EXAMPLE],
    "scopes": ["read_readings"],
    "created": "2026-11-23T08:00:00Z",
    "expires": "2027-02-21T00:00:00Z",
    "revoked": None,
    "last_used": None,
    "rotated_from": None,
}
KEYS_EXAMPLE = {"keys": [KEY_EXAMPLE]}
MADE_KEY_EXAMPLE = {"secret": "psl_0f3a5c7d9e1b_...", "key": KEY_EXAMPLE}
NEW_KEY_EXAMPLE = {
    "name": "notebook of Amina",
    "grants": [{"role": "researcher", "site": "elgazala"}],
    "expires": "now+90d",
}
AUDIT_EXAMPLE = {
    "rows": [
        {
            "id": 41,
            "time": "2026-11-23T08:00:00Z",
            "event": "read",
            "outcome": "answered",
            "actor_kind": "key",
            "actor": "0f3a5c7d9e1b",
            "actor_name": "ward display",
            "address": "10.0.0.7",
            "method": "GET",
            "route": "/v1/readings",
            "status": 200,
            "permission": "read_readings",
            "sites": ["elgazala"],
            "devices": 1,
            "quantities": ["heart_rate"],
            "start": "2026-11-22T08:00:00Z",
            "end": "2026-11-23T08:00:00Z",
            "rows": 1440,
            "times": 1,
            "detail": "",
            "chain": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }
    ],
    "next": None,
}
