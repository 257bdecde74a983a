"""The settings of bearer tokens: which provider is believed, and what its claims give."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from core.access import Domain, Grant, Role

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]
"""How a token may be signed (RFC 7518, RFC 8037): with a key pair. `none` and the HMAC family, for
which whoever can check can sign, are no choice at all."""

_USUAL: Sequence[Algorithm] = ("RS256", "PS256", "ES256", "ES384", "EdDSA")


class OidcGrant(BaseModel):
    """What one value of the roles claim gives."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str = Field(min_length=1, description="Value of the claim, as the provider writes it.")
    role: Role = Field(description="The role it gives.")
    site: str | None = Field(None, description="The site; none: every one.")
    domain: Domain | None = Field(
        None, description="The domain of the quantities; none: every one but health."
    )

    @property
    def grant(self) -> Grant:
        """The same for those who decide."""
        return Grant(role=self.role, site=self.site, domain=self.domain)


class OidcSettings(BaseModel):
    """People and programs that an OpenID provider vouches for (docs/access-oidc.md)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str | None = Field(
        None,
        description="The provider, exactly as `iss` in its tokens says: https, or http on this "
        "machine. None: only API keys are accepted.",
    )
    audience: str = Field(
        "passerelle", min_length=1, description="What a token must be for (its claim `aud`)."
    )
    client_id: str | None = Field(
        None, description="The public client with which the dashboard logs in; none: it does not."
    )
    clients: tuple[str, ...] = Field(
        (),
        description="Further clients whose tokens are accepted (`azp`, else `client_id`); none "
        "here nor in `oidc.client_id`: every client of the provider.",
    )
    scopes: str = Field(
        "openid profile email", description="What the dashboard asks for when it logs in."
    )
    roles_claim: str = Field(
        "roles",
        min_length=1,
        description="The claim that says what somebody is: a name, or a path such as "
        "realm_access.roles.",
    )
    grants: tuple[OidcGrant, ...] = Field(
        (),
        description="What each value of that claim gives: "
        '`[{"value": "lab", "role": "researcher", "site": "elgazala"}]`, or `[[oidc.grants]]` '
        "tables in TOML; `domain` limits it. A value that is not here gives nothing.",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        tuple(_USUAL), min_length=1, description="Signatures that are accepted."
    )
    leeway_s: float = Field(
        60.0, ge=0, le=600, description="How far the provider's clock may be off, seconds."
    )
    timeout_s: float = Field(
        5.0, gt=0, le=60, description="Longest wait for the provider, seconds."
    )
    refetch_s: float = Field(
        10.0,
        ge=1,
        description="The provider is not asked for its keys more often than this, seconds, "
        "whatever tokens come.",
    )
    keys_age_s: float = Field(
        600.0, ge=1, description="Age at which its keys are asked for again, seconds."
    )
    keys_kept_s: float = Field(
        86_400.0,
        ge=1,
        description="How long its keys are believed when it does not answer, seconds.",
    )
    ca_file: Path | None = Field(
        None, description="Certificate authority of the provider (PEM); default: the usual ones."
    )

    @field_validator("issuer")
    @classmethod
    def _is_an_address(cls, issuer: str | None) -> str | None:
        if issuer is not None and (not is_safe_address(issuer) or set(issuer) & set("?# ")):
            raise ValueError("it must be an https:// address (http:// only on this machine)")
        return issuer

    @model_validator(mode="after")
    def _kept_longer_than_fresh(self) -> Self:
        if self.keys_kept_s < self.keys_age_s:
            raise ValueError("keys_kept_s is at least keys_age_s")
        return self


def is_safe_address(url: str) -> bool:
    """Tell whether what comes from there cannot be changed on its way: https, or this machine."""
    parts = urlsplit(url)
    if not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
