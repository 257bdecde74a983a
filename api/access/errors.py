"""What is answered to those who may not."""

from __future__ import annotations

from core.errors import PasserelleError


class ForbiddenError(PasserelleError):
    """Somebody who was let in asks for what they have no right to; it says which one is missing.

    Only about what they know of: what they may not know exists is answered as if it did not.
    """

    code = "forbidden"


class AuditUnavailableError(PasserelleError):
    """Vital signs are not handed out while it cannot be written down who reads them."""

    code = "audit_unavailable"
