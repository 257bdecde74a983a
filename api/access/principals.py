"""Who a credential stands for."""

from __future__ import annotations

from api.oidc import Identity
from core.access import Principal
from devices.registry import ApiKey, User


def principal_of_key(key: ApiKey) -> Principal:
    """Return who a good key stands for."""
    return Principal(
        id=key.id,
        name=key.name,
        kind="key" if key.user is None else "user",
        grants=key.grants,
        within=key.within,
        user=key.user,
        scopes=key.scopes,
        expires_ns=key.expires_ns,
    )


def principal_of_identity(identity: Identity, user: User | None) -> Principal:
    """Return who a good bearer token stands for.

    Args:
        identity: what the token says.
        user: whom the registry knows it as: what that user holds is added to what the claims give.
    """
    return Principal(
        id=f"oidc:{identity.subject}",
        name=identity.name,
        kind="oidc",
        grants=identity.claims_grants + (() if user is None else user.grants),
        user=None if user is None else user.id,
        expires_ns=identity.expires_ns,
    )
