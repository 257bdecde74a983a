"""A publisher that goes on through faults, and knows what the broker has acknowledged to it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.reliability.messages import Message
from tests.servers.waiting import wait_until

_ACKNOWLEDGED_S = 60.0
_IN_FLIGHT = 500
_NAME = "fault-publisher"
_TICK_S = 0.01


class Traffic:
    """Publishes messages in order at QoS 1, at a steady rate, in a thread of its own.

    What the broker has not acknowledged is sent again when the connection is back, as a device
    with memory does.

    Args:
        port: of the broker on 127.0.0.1.
        messages: what is published.
        rate: messages a second.
        user: name and password, where the broker wants them.
    """

    def __init__(
        self,
        *,
        port: int,
        messages: Sequence[Message],
        rate: float,
        user: tuple[str, str] | None = None,
    ) -> None:
        self._messages = messages
        self._rate = rate
        self._pubacks: deque[int] = deque()
        self._waiting: dict[int, int] = {}
        self._acknowledged: set[int] = set()
        self._given = 0
        self._failure: BaseException | None = None
        self._ending = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=_NAME, clean_session=False
        )
        if user is not None:
            self._client.username_pw_set(*user)
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(_IN_FLIGHT)
        self._client.on_publish = self._note
        self._client.connect("127.0.0.1", port)
        self._thread = threading.Thread(target=self._run, name="traffic")

    @property
    def acknowledged(self) -> int:
        """How many messages the broker has acknowledged so far, as far as they were counted."""
        return len(self._acknowledged)

    def start(self) -> None:
        """Begin to publish."""
        self._client.loop_start()
        self._thread.start()

    def reach(self, share: float, *, seconds: float = 120.0) -> None:
        """Wait until that share of the messages has been handed to the client."""
        wait_until(
            lambda: self._given >= share * len(self._messages) or self._failure is not None,
            seconds=seconds,
            what=f"{share:.0%} of the messages are published",
        )
        if self._failure is not None:
            raise self._failure

    def finish(self) -> list[Message]:
        """Wait until everything is published and acknowledged; return what was acknowledged."""
        self.reach(1.0)
        self._thread.join()
        wait_until(
            lambda: self._count() == len(self._messages),
            seconds=_ACKNOWLEDGED_S,
            what="the broker acknowledges what was published",
        )
        self.close()
        return [self._messages[place] for place in sorted(self._acknowledged)]

    def close(self) -> None:
        """End, whatever is not published."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _run(self) -> None:
        began_s = time.monotonic()
        try:
            while self._given < len(self._messages) and not self._ending.is_set():
                due = min(len(self._messages), int((time.monotonic() - began_s) * self._rate) + 1)
                for place in range(self._given, due):
                    self._publish(place)
                self._count()
                self._ending.wait(_TICK_S)
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits
            self._failure = error

    def _publish(self, place: int) -> None:
        message = self._messages[place]
        info = self._client.publish(message.topic, message.payload(), qos=1)
        self._waiting[info.mid] = place
        self._given = place + 1

    def _count(self) -> int:
        """Take the PUBACKs that came; in the thread that publishes, or when that has ended."""
        while self._pubacks:
            self._acknowledged.add(self._waiting.pop(self._pubacks.popleft()))
        return len(self._acknowledged)

    def _note(self, _client: object, _data: object, mid: int, *_more: object) -> None:
        """Take a PUBACK; it may come before `publish` has returned its number."""
        self._pubacks.append(mid)
