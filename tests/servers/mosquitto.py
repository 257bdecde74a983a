"""A Mosquitto of one's own, to be restarted and killed at will."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.certificates import Certificates, make_certificates
from tests.servers.choice import Image, choose
from tests.servers.containers import ServerContainer
from tests.servers.ports import free_port, listening
from tests.servers.process import ServerProcess
from tests.servers.runner import Runner
from tests.servers.server import Server

IMAGE = "docker.io/library/eclipse-mosquitto:2.0"
REMEDY = "apt-get install mosquitto (macOS: brew install mosquitto)"


@dataclass(frozen=True, kw_only=True)
class MosquittoOptions:
    """What a test may choose; the limits that lose messages silently are always set on purpose.

    Args:
        persistence: keep sessions and queued messages on disk when it is stopped politely.
        autosave_on_changes: write them to disk after so many changes, some time after they were
            acknowledged; 0: only when stopped.
        max_inflight_messages: sent to one client and not yet acknowledged.
        max_queued_messages: waiting for one client; beyond it Mosquitto drops without a word.
        upgrade_outgoing_qos: hand a QoS 0 message to a QoS 1 subscriber at QoS 1.
        username: with a password: nobody else may connect.
        password: that user's password.
        tls: serve MQTT over TLS, with certificates made on the fly.
        client_certificates: with tls: a client must show one.
        lines: further lines of the configuration file.
    """

    persistence: bool = True
    autosave_on_changes: int = 0
    max_inflight_messages: int = 2000
    max_queued_messages: int = 1_000_000
    upgrade_outgoing_qos: bool = True
    username: str | None = None
    password: str | None = None
    tls: bool = False
    client_certificates: bool = False
    lines: tuple[str, ...] = ()


class MosquittoServer(Server):
    """A broker on a free port of 127.0.0.1; made by `new_mosquitto` or the fixtures."""

    name = "Mosquitto"

    def __init__(
        self,
        *,
        runner: Runner,
        port: int,
        directory: Path,
        options: MosquittoOptions,
        certificates: Certificates | None,
    ) -> None:
        super().__init__(runner=runner)
        self.persistence_file = directory / "mosquitto.db"
        self.host = "localhost" if options.tls else "127.0.0.1"
        self.port = port
        self.options = options
        self.certificates = certificates

    @property
    def url(self) -> str:
        """Its address, with user and password where it wants them."""
        user = ""
        if self.options.username is not None:
            user = f"{self.options.username}:{self.options.password}@"
        return f"mqtt{'s' if self.options.tls else ''}://{user}{self.host}:{self.port}"

    def answers(self) -> bool:
        """Tell whether it accepts connections: it does so only once its sessions are loaded."""
        return listening(self.port)


def new_mosquitto(directory: Path, options: MosquittoOptions | None = None) -> MosquittoServer:
    """Return a broker that keeps its files in an empty directory; not started.

    Raises:
        ServerUnavailableError: there is no Mosquitto on this machine.
    """
    options = options or MosquittoOptions()
    origin = choose(server="Mosquitto", image=IMAGE, binary="mosquitto", remedy=REMEDY)
    certificates = make_certificates(directory) if options.tls else None
    port = free_port()
    file = directory / "mosquitto.conf"
    address = "0.0.0.0" if isinstance(origin, Image) else "127.0.0.1"
    lines = [f"listener {port} {address}", *_configuration(directory, options, certificates)]
    file.write_text("\n".join([*lines, *options.lines, ""]))
    runner: Runner
    if isinstance(origin, Image):
        runner = ServerContainer(
            engine=origin.engine,
            image=origin.name,
            command=["mosquitto", "-c", str(file)],
            ports={port: port},
            directories=[directory],
        )
    else:
        runner = ServerProcess(
            command=[str(origin), "-c", str(file)], log_file=directory / "mosquitto.log"
        )
    return MosquittoServer(
        runner=runner, port=port, directory=directory, options=options, certificates=certificates
    )


@contextmanager
def running_mosquitto(
    directory: Path, options: MosquittoOptions | None = None
) -> Iterator[MosquittoServer]:
    """Run a broker for as long as the context lasts."""
    with new_mosquitto(directory, options) as server:
        yield server


def _configuration(
    directory: Path, options: MosquittoOptions, certificates: Certificates | None
) -> list[str]:
    lines = [
        f"max_inflight_messages {options.max_inflight_messages}",
        f"max_queued_messages {options.max_queued_messages}",
        f"upgrade_outgoing_qos {_boolean(value=options.upgrade_outgoing_qos)}",
        "set_tcp_nodelay true",
        "sys_interval 1",
        "log_type error",
        "log_type warning",
        "log_type notice",
        # Started by root, Mosquitto would become a user who may not enter a test's directory.
        "user root",
        f"allow_anonymous {_boolean(value=options.username is None)}",
    ]
    if options.persistence:
        lines += ["persistence true", f"persistence_location {directory}/"]
        if options.autosave_on_changes:
            lines += [
                "autosave_on_changes true",
                f"autosave_interval {options.autosave_on_changes}",
            ]
    if options.username is not None:
        passwords = directory / "passwords"
        passwords.write_text(password_line(options.username, options.password or ""))
        lines.append(f"password_file {passwords}")
    if certificates is not None:
        lines += [
            f"cafile {certificates.ca_file}",
            f"certfile {certificates.cert_file}",
            f"keyfile {certificates.key_file}",
            f"require_certificate {_boolean(value=options.client_certificates)}",
        ]
    return lines


def password_line(username: str, password: str) -> str:
    """Return a line of a password file, `passwords` in the broker's directory."""
    return f"{username}:{_hashed(password)}\n"


def _boolean(*, value: bool) -> str:
    return "true" if value else "false"


def _hashed(password: str) -> str:
    """Hash a password as mosquitto_passwd does: PBKDF2-SHA512, 101 rounds."""
    salt = os.urandom(12)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"
