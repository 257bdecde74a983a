"""Bearer tokens of an OpenID provider: whether one is good, and what it gives."""

from api.oidc.identity import Identity
from api.oidc.provider import Provider
from api.oidc.verifier import OidcVerifier

__all__ = ["Identity", "OidcVerifier", "Provider"]
