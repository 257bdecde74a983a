"""TCP ports for servers of tests."""

from __future__ import annotations

import random
import socket

# Below the ephemeral range of Linux (32768) and macOS (49152): while a server is down between two
# starts, no outgoing connection of another program can be given its port.
_FIRST, _LAST = 15_000, 31_999


def free_port() -> int:
    """Return a port of the loopback address on which nothing listens."""
    for _ in range(100):
        port = random.SystemRandom().randint(_FIRST, _LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise OSError("100 ports tried, none is free")


def listening(port: int) -> bool:
    """Tell whether something accepts connections on this port of the loopback address."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0
