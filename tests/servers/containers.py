"""A server that runs as a container, where a container engine answers and has its image.

testcontainers talks to whatever answers at `DOCKER_HOST`, Docker's socket or podman's. Its cleaning
container (Ryuk) is not used: it needs an image of its own and Docker's privileges, and a server
here is removed by its own context manager.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

_ANSWER_SECONDS = 5


def _addresses() -> list[str]:
    if explicit := os.environ.get("DOCKER_HOST"):
        return [explicit]
    sockets = [Path("/var/run/docker.sock"), Path("/run/podman/podman.sock")]
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        sockets.append(Path(runtime) / "podman" / "podman.sock")
    return [f"unix://{path}" for path in sockets if path.exists()]


def _options(address: str, *, timeout: int) -> dict[str, Any]:
    return {"environment": {**os.environ, "DOCKER_HOST": address}, "timeout": timeout}


def _connect(address: str, *, timeout: int) -> Any:
    return DockerClient(**_options(address, timeout=timeout)).client


def _accepts(address: str) -> bool:
    """Try a Unix socket first: docker's client leaves its own open when nobody listens."""
    if not address.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_SECONDS)
        return probe.connect_ex(address.removeprefix("unix://")) == 0


def _answers(address: str) -> bool:
    if not _accepts(address):
        return False
    try:
        client = _connect(address, timeout=_ANSWER_SECONDS)
    except (DockerException, OSError):
        return False
    try:
        return bool(client.ping())
    except (DockerException, OSError):
        return False
    finally:
        client.close()


def engine_address() -> str | None:
    """Return the address of a container engine that answers, or none."""
    return next((address for address in _addresses() if _answers(address)), None)


@cache
def has_image(address: str, image: str) -> bool:
    """Tell whether the engine has the image, or can pull it now."""
    client = _connect(address, timeout=600)
    try:
        if client.images.list(image):
            return True
        with suppress(DockerException, OSError):
            client.images.pull(image)
            return True
        return False
    finally:
        client.close()


class ServerContainer:
    """A `Runner`: a container made at the first start, kept until it is removed.

    Args:
        engine: address of the container engine.
        image: name and tag.
        command: arguments for the image's entry point.
        environment: variables for it.
        ports: port in the container to port of the loopback address here.
        directories: directories mounted at the path that they have here.
    """

    def __init__(
        self,
        *,
        engine: str,
        image: str,
        command: Sequence[str],
        ports: Mapping[int, int],
        environment: Mapping[str, str] | None = None,
        directories: Sequence[Path] = (),
    ) -> None:
        testcontainers_config.ryuk_disabled = True
        # testcontainers' own type of a port is a number; the client below takes address and number.
        bindings: Any = {f"{inner}/tcp": ("127.0.0.1", outer) for inner, outer in ports.items()}
        self._made = DockerContainer(image, docker_client_kw=_options(engine, timeout=120))
        self._made.with_command(list(command)).with_envs(**(environment or {}))
        self._made.ports = bindings
        for directory in directories:
            self._made.with_volume_mapping(str(directory), str(directory), "rw")
        self._container: Any = None

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        if self._container is None:
            return False
        self._container.reload()
        return bool(self._container.status == "running")

    def start(self) -> None:
        """Make the container, or start it again."""
        if self._container is None:
            self._made.start()
            self._container = self._made.get_wrapped_container()
        else:
            self._container.start()

    def stop(self) -> None:
        """Let the engine stop it."""
        if self.running:
            self._container.stop(timeout=30)
            self._container.wait(timeout=60)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        if self.running:
            self._container.kill(signal="SIGKILL")
            self._container.wait(timeout=60)

    def remove(self) -> None:
        """Remove it, running or not, with its volumes."""
        self._made.stop(force=True, delete_volume=True)
        self._container = None

    def log(self) -> str:
        """Return what it printed."""
        if self._container is None:
            return ""
        return bytes(self._container.logs()).decode(errors="replace")
