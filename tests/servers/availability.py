"""Where a real server may come from, and what is said when it can come from nowhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal, cast

Origin = Literal["any", "containers", "binaries"]

ORIGIN_VARIABLE = "PASSERELLE_TEST_SERVERS_FROM"
CACHE_VARIABLE = "PASSERELLE_CACHE"


class ServerUnavailableError(Exception):
    """A real server cannot be had on this machine.

    Args:
        server: its name, for example "InfluxDB 2".
        tried: what was looked for, in words.
        remedy: the command that makes it available.
    """

    def __init__(self, *, server: str, tried: str, remedy: str) -> None:
        super().__init__(f"{server} is not available: {tried}. To run these tests: {remedy}")
        self.server = server
        self.tried = tried
        self.remedy = remedy


def allowed_origin() -> Origin:
    """Return what `PASSERELLE_TEST_SERVERS_FROM` allows: any (default), containers or binaries.

    Raises:
        ValueError: the variable holds something else.
    """
    value = os.environ.get(ORIGIN_VARIABLE, "any")
    if value not in {"any", "containers", "binaries"}:
        raise ValueError(f"{ORIGIN_VARIABLE} is {value!r}; it may be any, containers or binaries")
    return cast("Origin", value)


def server_cache() -> Path:
    """Return the directory where `make test-servers` puts what it builds."""
    if explicit := os.environ.get(CACHE_VARIABLE):
        return Path(explicit) / "servers"
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "passerelle" / "servers"


def find_binary(
    name: str,
    *,
    built: Path | None = None,
    accept: Callable[[Path], bool] = lambda _: True,
) -> Path | None:
    """Return a program.

    Args:
        name: what it is called.
        built: where `make test-servers` puts it; taken first.
        accept: asked of one found on PATH or where Debian and Homebrew put daemons.
    """
    if built is not None and os.access(built, os.X_OK):
        return built
    daemons = "/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin"
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{daemons}")
    return Path(found) if found and accept(Path(found)) else None
