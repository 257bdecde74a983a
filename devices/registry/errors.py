"""What only the registry raises."""

from __future__ import annotations

from core.errors import PasserelleError


class RegistryUnavailableError(PasserelleError):
    """The registry database does not answer; nothing was decided, try again."""

    code = "registry_unavailable"


class LeaseLostError(PasserelleError):
    """Another process holds the lease by now; nothing was written, and nothing more may be done."""

    code = "lease_lost"
