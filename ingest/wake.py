"""Waking a thread that waits for sockets."""

from __future__ import annotations

import contextlib
import selectors
import socket

_DRAIN_BYTES = 4096


class Waker:
    """Waits for a socket, or for a call of `wake` by any thread; to be closed."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._inner, self._outer = socket.socketpair()
        self._inner.settimeout(0.0)
        self._outer.settimeout(0.0)
        self._selector.register(self._inner, selectors.EVENT_READ)
        self._link: socket.socket | None = None
        self._events = 0

    def wake(self) -> None:
        """End the present wait, or the next."""
        # Full: it is awake. Closed: nobody waits any more.
        with contextlib.suppress(OSError):
            self._outer.send(b"\0")

    def watch(self, link: socket.socket) -> None:
        """Wait for this socket from now on."""
        self.forget()
        self._selector.register(link, selectors.EVENT_READ)
        self._link, self._events = link, selectors.EVENT_READ

    def forget(self) -> None:
        """Wait for no socket."""
        if self._link is not None:
            with contextlib.suppress(KeyError, ValueError):  # it may be closed already
                self._selector.unregister(self._link)
            self._link = None

    def wait(self, timeout_s: float, *, writable: bool) -> bool:
        """Wait; return whether the socket can be read.

        Args:
            timeout_s: longest wait, seconds.
            writable: end the wait also when the socket takes bytes.
        """
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
        if self._link is not None and events != self._events:
            self._selector.modify(self._link, events)
            self._events = events
        readable = False
        for key, ready in self._selector.select(timeout_s):
            if key.fileobj is self._inner:
                with contextlib.suppress(BlockingIOError):
                    self._inner.recv(_DRAIN_BYTES)
            elif ready & selectors.EVENT_READ:
                readable = True
        return readable

    def close(self) -> None:
        """Give the sockets back."""
        self.forget()
        self._selector.close()
        self._inner.close()
        self._outer.close()
