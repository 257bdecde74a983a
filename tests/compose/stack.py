"""The services of docker-compose.yml, started by podman for one test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
SETTINGS = ROOT / "deploy" / "test-images"
IMAGE = "localhost/passerelle"
TAG = "test"

_STAGE_LABEL = "passerelle.stage=build"
_AUTHORITY = "/run/build-certificates.crt"


class CommandError(Exception):
    """A command of podman failed; the message holds what it said."""


class Stack:
    """One project of podman-compose with secrets of its own; a context manager that removes it.

    Args:
        name: of the project: the prefix of its containers, volumes and network.
        variables: for the compose file, beside the secrets that deploy/new-env makes.
    """

    def __init__(self, *, name: str, variables: Mapping[str, str]) -> None:
        self.name = name
        self._directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._env_file = self._directory / "env"
        made = subprocess.run(
            [str(ROOT / "deploy" / "new-env")], check=True, capture_output=True, text=True
        ).stdout
        given = {**variables, "PASSERELLE_VERSION": TAG}
        kept = [line for line in made.splitlines() if line.partition("=")[0] not in given]
        lines = [*kept, *(f"{key}={value}" for key, value in given.items())]
        self._env_file.write_text("\n".join(lines) + "\n")
        self._environment = {
            **os.environ,
            "CONTAINERS_CONF": str(SETTINGS / "containers.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(SETTINGS / "registries.conf"),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            sys.stderr.write(self.logs())
        self.compose("down", "--volumes", "--timeout", "10", check=False)
        shutil.rmtree(self._directory)

    def build(self) -> None:
        """Build the image of the programs, as `docker compose build` would elsewhere."""
        options = ["--quiet", "--network=host", "--format=docker", "--pull=never"]
        authority = os.environ.get("SSL_CERT_FILE")
        if authority:
            options.append(f"--volume={authority}:{_AUTHORITY}:ro")
            options += [
                f"--build-arg={name}={_AUTHORITY}" for name in ("PIP_CERT", "SSL_CERT_FILE")
            ]
        before = self._image_id()
        self.podman("build", *options, f"--tag={IMAGE}:{TAG}", str(ROOT), seconds=900)
        # What earlier builds left is not needed: it would fill the disk, build after build.
        old = {before} - {"", self._image_id()}
        leftovers = ["--filter=dangling=true", f"--filter=label={_STAGE_LABEL}", "--sort=created"]
        old.update(self.podman("images", "--quiet", *leftovers).split()[1:])
        for image in old:
            self.podman("rmi", image, check=False)

    def up(self, *services: str) -> None:
        """Start services."""
        self.compose("up", "--detach", "--no-build", *services, seconds=180)

    def restart(self, service: str) -> None:
        """Stop a service politely and start it again."""
        self.compose("restart", "--timeout", "60", service, seconds=180)

    def stop(self, service: str) -> None:
        """Stop a service politely."""
        self.compose("stop", "--timeout", "60", service, seconds=180)

    def start(self, service: str) -> None:
        """Start a service that was stopped."""
        self.compose("start", service, seconds=180)

    def run(self, service: str, *command: str) -> str:
        """Run a command in a service's container; return what it printed."""
        return self.podman("exec", self._container(service), *command)

    def files(self, volume: str) -> dict[str, bytes]:
        """Return the files of a volume of the compose file by name, whether or not it is used."""
        exported = self._directory / "exported.tar"
        self.podman("volume", "export", f"--output={exported}", f"{self.name}_{volume}")
        found = {}
        with tarfile.open(exported) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    found[Path(member.name).name] = file.read()
        return found

    def healthy(self, service: str) -> bool:
        """Run the health check of a service now."""
        return self._run(["podman", "healthcheck", "run", self._container(service)]).returncode == 0

    def services(self) -> list[str]:
        """Return the services that have a container."""
        asked = self.podman(
            "ps", "--all", f"--filter=label=io.podman.compose.project={self.name}",
            '--format={{index .Labels "io.podman.compose.service"}}',
        )  # fmt: skip
        return sorted(asked.split())

    def logs(self) -> str:
        """Return the end of what each service said."""
        parts = []
        for service in self.services():
            done = self._run(["podman", "logs", "--tail=40", self._container(service)])
            parts.append(f"--- {service}\n{done.stdout}{done.stderr}")
        return "\n".join(parts)

    def compose(self, *arguments: str, check: bool = True, seconds: float = 120) -> str:
        """Run podman-compose; return what it printed."""
        program = [sys.executable, "-m", "podman_compose", "--project-name", self.name]
        files = ["--file", str(ROOT / "docker-compose.yml"), "--env-file", str(self._env_file)]
        return self._checked([*program, *files, *arguments], check=check, seconds=seconds)

    def podman(self, *arguments: str, check: bool = True, seconds: float = 120) -> str:
        """Run podman; return what it printed."""
        return self._checked(["podman", *arguments], check=check, seconds=seconds)

    def _container(self, service: str) -> str:
        return f"{self.name}_{service}_1"

    def _image_id(self) -> str:
        return self.podman("images", "--quiet", f"{IMAGE}:{TAG}").strip()

    def _checked(self, command: list[str], *, check: bool, seconds: float) -> str:
        done = self._run(command, seconds=seconds)
        if check and done.returncode != 0:
            raise CommandError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _run(self, command: list[str], *, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
