"""The thread of one channel: woken when something is due, and now and then by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable

from alerts.deliver.lane import Lane
from core.logs import logger
from devices.registry.errors import LeaseLostError, RegistryUnavailableError

STATE_S = 5.0
"""How often the state of sites is looked up, for channels that show it, seconds."""
AWAY_S = 2.0
"""How long to wait for a registry that does not answer, seconds."""
_log = logger("alerts.deliver")


class LaneThread(threading.Thread):
    """Delivers what one channel has, whenever it is woken.

    Args:
        lane: of the channel.
        stop: set when it has to end.
        shows: whether the channel shows a state that has to be kept up to date.
        on_lost: called when another process was found to deliver.
    """

    def __init__(
        self,
        lane: Lane,
        *,
        stop: threading.Event,
        shows: bool,
        on_lost: Callable[[LeaseLostError], None],
    ) -> None:
        super().__init__(name=f"alerts-{lane.spec.name}", daemon=True)
        self._lane = lane
        self._ended = stop
        self._shows = shows
        self._on_lost = on_lost
        self._news = threading.Event()
        self._news.set()

    def wake(self) -> None:
        """Say that something is due."""
        self._news.set()

    def run(self) -> None:
        """Deliver until it has to stop; what the registry could not say is asked again later."""
        while not self._ended.is_set():
            self._news.wait(STATE_S)
            self._news.clear()
            try:
                if not self._ended.is_set():
                    self._lane.deliver_due()
                if self._shows and not self._ended.is_set():
                    self._lane.show_state()
            except RegistryUnavailableError:
                self._ended.wait(AWAY_S)
            except LeaseLostError as error:
                self._on_lost(error)
            except Exception:  # noqa: BLE001 - a defect must not silence the channel
                _log.exception("outbox_defect", channel=self._lane.spec.name)
                self._ended.wait(AWAY_S)
