"""What only the registry raises."""

from __future__ import annotations

from core.errors import PasserelleError


class RegistryUnavailableError(PasserelleError):
    """The registry database does not answer; nothing was decided, try again."""

    code = "registry_unavailable"
