"""Whether a bearer token is good: its signature first, then what it says, each with its own error.

What is checked is OpenID Connect Core 1.0 section 3.1.3.7 and RFC 9068 section 4: the type, the
algorithm, the key, the signature, then `iss`, `aud`, `azp`, `exp`, `nbf`. Nothing a token says is
believed before its signature was found good, but the name of the key.
"""

from __future__ import annotations

from typing import Any

import jwt
import msgspec

from api.oidc.errors import (
    TokenAlgorithmError,
    TokenAudienceError,
    TokenClientError,
    TokenExpiredError,
    TokenIssuerError,
    TokenMalformedError,
    TokenNotYetValidError,
    TokenSignatureError,
)
from api.oidc.identity import Identity, email_of, grants_of, name_of, values_at
from api.oidc.provider import Provider
from core.clock import NS_PER_S, Clock, iso
from core.oidc import OidcSettings

LONGEST = 16 * 1024
"""Longest token, bytes."""
_TYPES = frozenset({"jwt", "at+jwt"})
"""What a token may call itself (RFC 9068 section 2.1); a logout token, say, gives no access."""
_LAST_S = 253_402_300_799
"""The end of the year 9999: an instant beyond it is nonsense."""
_SUBJECT = 255


class OidcVerifier:
    """Checks bearer tokens of the provider that the settings name. Used from many threads.

    Args:
        settings: the section `oidc`, with an issuer.
        provider: knows its keys.
        clock: what time it is.
    """

    def __init__(self, *, settings: OidcSettings, provider: Provider, clock: Clock) -> None:
        self._settings = settings
        self._provider = provider
        self._clock = clock
        self._jws = jwt.PyJWS(
            algorithms=list(settings.algorithms), options={"enforce_minimum_key_length": True}
        )
        named = () if settings.client_id is None else (settings.client_id,)
        self._clients = frozenset((*named, *settings.clients))

    def verify(self, token: str) -> Identity:
        """Return whom the token is about. Blocks only while the provider has to be asked.

        Raises:
            TokenRefusedError: it is not good; the class and its `code` say why.
            ProviderUnavailableError: it cannot be told, because the provider does not answer.
        """
        claims = self._signed_claims(token)
        self._check_parties(claims)
        expires_s = self._check_times(claims)
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 0 < len(subject) <= _SUBJECT:
            raise TokenMalformedError("the token does not say whom it is about (sub)")
        return Identity(
            subject=subject,
            name=name_of(claims),
            email=email_of(claims),
            claims_grants=grants_of(
                values_at(claims, self._settings.roles_claim), self._settings.grants
            ),
            expires_ns=round(expires_s * NS_PER_S),
        )

    def _signed_claims(self, token: str) -> dict[str, Any]:
        if len(token) > LONGEST:
            raise TokenMalformedError(f"the token is longer than {LONGEST} bytes")
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, RecursionError) as error:
            raise TokenMalformedError(f"this is no signed JSON web token: {error}") from None
        if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
            raise TokenMalformedError(
                f"the token is a {_shown(header['typ'])}, not one that gives access"
            )
        algorithm = header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise TokenAlgorithmError(
                f"the token is signed with {str(algorithm)[:20]!r}; accepted are "
                f"{', '.join(self._settings.algorithms)} (setting oidc.algorithms)"
            )
        key = self._provider.key(header.get("kid"), algorithm)
        try:
            content = self._jws.decode(token, key, algorithms=[algorithm])
        except jwt.InvalidSignatureError:
            raise TokenSignatureError(
                "the signature of the token is wrong: it was changed on its way, or never signed "
                f"by {self._settings.issuer}"
            ) from None
        except jwt.InvalidKeyError as error:
            raise TokenAlgorithmError(f"the key of the token is too weak: {error}") from None
        except jwt.PyJWTError as error:
            raise TokenMalformedError(f"this is no signed JSON web token: {error}") from None
        try:
            return msgspec.json.decode(content, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            raise TokenMalformedError("the claims of the token are no JSON object") from None

    def _check_parties(self, claims: dict[str, Any]) -> None:
        settings = self._settings
        if claims.get("iss") != settings.issuer:
            raise TokenIssuerError(
                f"the token is from {_shown(claims.get('iss'))}; {settings.issuer} is asked for"
            )
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if settings.audience not in audiences:
            raise TokenAudienceError(
                f"the token is for {_shown(audience)}; ask the provider for one for "
                f"{settings.audience!r} (setting oidc.audience)"
            )
        client = claims.get("azp", claims.get("client_id"))
        if self._clients and not (isinstance(client, str) and client in self._clients):
            raise TokenClientError(
                f"the token was given to the client {_shown(client)}; accepted are "
                f"{', '.join(sorted(self._clients))} (settings oidc.client_id, oidc.clients)"
            )

    def _check_times(self, claims: dict[str, Any]) -> float:
        now_s = self._clock.now_ns() / NS_PER_S
        leeway_s = self._settings.leeway_s
        expires_s = _instant(claims, "exp")
        if expires_s is None:
            raise TokenMalformedError("the token does not say when it ends (exp)")
        if now_s >= expires_s + leeway_s:
            raise TokenExpiredError(
                f"the token ended at {_when(expires_s)}; get a new one, or log in again"
            )
        begins_s = max(_instant(claims, "nbf") or 0.0, _instant(claims, "iat") or 0.0)
        if now_s < begins_s - leeway_s:
            raise TokenNotYetValidError(
                f"the token is good from {_when(begins_s)} on; if it was made just now, a clock "
                "is wrong"
            )
        return expires_s


def _instant(claims: dict[str, Any], claim: str) -> float | None:
    """Return a NumericDate (RFC 7519 section 2), seconds since the epoch."""
    value = claims.get(claim)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LAST_S:
        raise TokenMalformedError(f"the claim {claim} of the token is no time")
    return float(value)


def _when(instant_s: float) -> str:
    return iso(int(instant_s) * NS_PER_S)


def _shown(value: Any) -> str:
    """Return a claim as a sentence may quote it."""
    return "nobody in particular" if value is None else repr(value)[:200]
