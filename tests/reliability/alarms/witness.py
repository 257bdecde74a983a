"""Who is told: an HTTP server that keeps what it got, and looks whether it was promised.

Nothing may be told that is not in the registry: a process that dies then does not know that it told
it. So each request is held against the registry as it comes, through a connection of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from http.server import BaseHTTPRequestHandler

from core.errors import NotFoundError
from devices.registry import Registry
from tests.support.receivers import HookReceiver

BEGINS = frozenset({"firing", "retroactive", "digest"})
"""Occasions that tell of an alarm for the first time."""


class Witness(HookReceiver):
    """Keeps what it was told.

    Args:
        registry: where every notice has to be.

    Attributes:
        unpromised: ids of notices that came before the registry had an attempt at them.
        refusing: how many notices that an alarm began are still refused.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._registry = registry
        self.unpromised: list[str] = []
        self.refusing = 0

    def take(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """Keep a request, and answer it."""
        said = json.loads(body)
        notice = said["id"]
        try:
            promised = self._registry.notices.attempts(notice)
        except NotFoundError:
            promised = []
        if not promised:
            self.unpromised.append(notice)
        if self.refusing and said["occasion"] in BEGINS:
            self.refusing -= 1
            handler.send_response(503)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        super().take(handler, body)

    def told(self) -> Counter[tuple[str, str]]:
        """Return how often each alarm was told of: (device, since when) -> times."""
        found: Counter[tuple[str, str]] = Counter()
        for one in list(self.posted):
            said = json.loads(one.body)
            if said["occasion"] in BEGINS:
                for alert in said["alerts"]:
                    if alert["rule"] == "hot":
                        found[alert["subject"]["device"], alert["fires_since"]] += 1
        return found

    def messages(self, devices: frozenset[str]) -> int:
        """Return how many messages there were about the beginnings of some devices' alarms."""
        return sum(
            1
            for one in list(self.posted)
            if (said := json.loads(one.body))["occasion"] in BEGINS
            and any(alert["subject"]["device"] in devices for alert in said["alerts"])
        )
