"""Server-sent events, taken apart line by line."""

from __future__ import annotations

import json
from typing import Any


class Events:
    """What comes on one stream, over any number of connections.

    Attributes:
        last: identifier of the last event that had one; asked for when connecting again.
    """

    def __init__(self) -> None:
        self.last: str | None = None
        self._event: dict[str, Any] = {}

    @property
    def headers(self) -> dict[str, str]:
        """What to send when connecting."""
        return {} if self.last is None else {"Last-Event-ID": self.last}

    def begin(self) -> None:
        """Forget what was cut off."""
        self._event = {}

    def line(self, text: str) -> dict[str, Any] | None:
        """Take a line; return the event that it ends, if any."""
        name, _, rest = text.partition(": ")
        if not text and "type" in self._event:
            event, self._event = self._event, {}
            self.last = event.get("id", self.last)
            return event
        if name == "event":
            self._event["type"] = rest
        elif name == "id":
            self._event["id"] = rest
        elif name == "data":
            self._event |= json.loads(rest)
        return None
