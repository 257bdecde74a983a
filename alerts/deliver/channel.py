"""What every channel does: it delivers a notice, or says why not and whether to try again."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from alerts.model import Notice


class DeliveryError(Exception):
    """A notice was not delivered, or nobody knows whether it was.

    Args:
        detail: what the receiver answered, one sentence, without secrets.
        retry: whether trying again may help; False: it is refused for good.
        after_s: how long the receiver asks to wait, seconds, or None.
    """

    def __init__(self, detail: str, *, retry: bool, after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry = retry
        self.after_s = after_s


class Channel(Protocol):
    """A way to people, or to a machine. One thread uses it at a time."""

    def deliver(self, notice: Notice) -> str:
        """Deliver a notice; return what the receiver answered, in a few words.

        The same notice may be given again, after an error or a crash: its id goes along.

        Raises:
            DeliveryError: it was not delivered.
        """
        ...

    def close(self) -> None:
        """Let go of connections; it may be used no more."""
        ...


@runtime_checkable
class StateChannel(Protocol):
    """A channel that besides shows the present state to whoever begins to listen."""

    def show_state(self) -> None:
        """Bring what is shown up to date, when it changed.

        Raises:
            DeliveryError: it could not be shown.
            RegistryUnavailableError: the state is not known.
        """
        ...
