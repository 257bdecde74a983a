"""What only the live stream answers."""

from __future__ import annotations

from core.errors import PasserelleError


class LiveBusyError(PasserelleError):
    """As many readers as may look on do so already."""

    code = "live_busy"
