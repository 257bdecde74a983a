"""TCP ports on this machine."""

from __future__ import annotations

import socket

from core.errors import ConfigurationError


def is_free(port: int, *, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on `port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def any_free(*, host: str = "127.0.0.1") -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, *, what: str, option: str, host: str = "127.0.0.1") -> None:
    """Do nothing when `port` is free.

    Raises:
        ConfigurationError: something listens there already; the sentence names the option.
    """
    if port and not is_free(port, host=host):
        raise ConfigurationError(
            f"port {port} for {what} is busy on {host}; stop what uses it or choose another "
            f"with {option}"
        )
