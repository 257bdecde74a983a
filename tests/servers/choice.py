"""Choosing what a server runs as: a container, else a local program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.servers.availability import (
    ServerUnavailableError,
    allowed_origin,
    find_binary,
)
from tests.servers.containers import engine_address, has_image


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that a container engine can run."""

    engine: str
    name: str


def choose(
    *,
    server: str,
    image: str,
    binary: str,
    remedy: str,
    built: Path | None = None,
    accept: Callable[[Path], bool] = lambda _: True,
) -> Image | Path:
    """Return the image where an engine has it, else the path of the program.

    Args:
        server: its name in messages.
        image: name and tag of its image.
        binary: name of its program.
        remedy: the command that makes it available.
        built: where `make test-servers` puts the program.
        accept: asked of a program found elsewhere, for example whether its version is right.

    Raises:
        ServerUnavailableError: there is neither.
    """
    tried = []
    origin = allowed_origin()
    if origin != "binaries":
        engine = engine_address()
        if engine is None:
            tried.append("no container engine answers")
        elif has_image(engine, image):
            return Image(engine=engine, name=image)
        else:
            tried.append(f"the container engine has no image {image}")
    if origin != "containers":
        path = find_binary(binary, built=built, accept=accept)
        if path is not None:
            return path
        tried.append(f"there is no program {binary}")
    raise ServerUnavailableError(server=server, tried=" and ".join(tried), remedy=remedy)
