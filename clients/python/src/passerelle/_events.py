"""Server-sent events, taken apart line by line."""

from __future__ import annotations

import json
import time
from typing import Any

from passerelle._errors import UnauthorizedError


class Events:
    """What comes on one stream, over any number of connections.

    Args:
        seconds: how long to look on from now, over all connections; None: without end.

    Attributes:
        last: identifier of the last event that had one; asked for when connecting again.
        over: the platform said that the stream is over; connecting again would be no use.
    """

    def __init__(self, *, seconds: float | None = None) -> None:
        self.last: str | None = None
        self.over = False
        self._until_s = None if seconds is None else time.monotonic() + seconds
        self._event: dict[str, Any] = {}

    @property
    def query(self) -> dict[str, float]:
        """What to ask for when connecting: the time that is left."""
        if self._until_s is None:
            return {}
        return {"seconds": max(0.0, round(self._until_s - time.monotonic(), 3))}

    @property
    def headers(self) -> dict[str, str]:
        """What to send when connecting."""
        return {} if self.last is None else {"Last-Event-ID": self.last}

    def begin(self) -> None:
        """Forget what was cut off."""
        self._event = {}

    def line(self, text: str) -> dict[str, Any] | None:
        """Take a line; return the event that it ends, if any, but for the end itself.

        Raises:
            UnauthorizedError: the key is not good any more.
        """
        name, _, rest = text.partition(": ")
        if not text and "type" in self._event:
            event, self._event = self._event, {}
            self.last = event.get("id", self.last)
            if event["type"] != "end":
                return event
            self._ended(event["reason"])
            return None
        if name == "event":
            self._event["type"] = rest
        elif name == "id":
            self._event["id"] = rest
        elif name == "data":
            self._event |= json.loads(rest)
        return None

    def _ended(self, reason: str) -> None:
        if reason == "refused":
            raise UnauthorizedError(401, {"detail": "the key is not good any more"})
        self.over = reason != "stopping"
