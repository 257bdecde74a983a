"""Why a token is not accepted: a code to branch on for each, and a sentence for a person."""

from __future__ import annotations

from core.errors import PasserelleError


class TokenRefusedError(PasserelleError):
    """A token that is not accepted; `code` says why. The answer is 401."""

    code = "token_malformed"

    forged: bool = True
    """Whether nobody can have it who was given tokens by the provider: it counts as a guess."""


class TokenMalformedError(TokenRefusedError):
    """Text that is no signed JSON web token, or one without what is needed."""


class TokenAlgorithmError(TokenRefusedError):
    """Signed in a way that is not accepted: not at all, with a shared secret, or unusually."""

    code = "token_algorithm_refused"


class TokenKeyUnknownError(TokenRefusedError):
    """Signed with a key that the provider does not publish."""

    code = "token_key_unknown"


class TokenSignatureError(TokenRefusedError):
    """The signature is not that of the key it names."""

    code = "token_signature_wrong"


class TokenIssuerError(TokenRefusedError):
    """Another provider's."""

    code = "token_wrong_issuer"
    forged = False


class TokenAudienceError(TokenRefusedError):
    """Meant for another program."""

    code = "token_wrong_audience"
    forged = False


class TokenClientError(TokenRefusedError):
    """Given to a client that may not call."""

    code = "token_wrong_client"
    forged = False


class TokenExpiredError(TokenRefusedError):
    """Good once; a new one is needed."""

    code = "token_expired"
    forged = False


class TokenNotYetValidError(TokenRefusedError):
    """Good later: a clock is wrong, or it was made for later."""

    code = "token_not_yet_valid"
    forged = False


class ProviderUnavailableError(PasserelleError):
    """The provider cannot be asked for its keys, and the token needs one that is not known."""

    code = "identity_provider_unavailable"


REFUSALS: tuple[type[TokenRefusedError], ...] = (
    TokenMalformedError,
    TokenAlgorithmError,
    TokenKeyUnknownError,
    TokenSignatureError,
    TokenIssuerError,
    TokenAudienceError,
    TokenClientError,
    TokenExpiredError,
    TokenNotYetValidError,
)
"""Every way in which a token is refused."""


class TokenUserDisabledError(TokenRefusedError):
    """Whom the token is about was shut out here."""

    code = "unauthorized"
    forged = False
