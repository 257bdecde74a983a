"""The broker of `passerelle up`: the `mosquitto` binary where there is one, else amqtt.

Both listen on the loopback address only, without a password: it is a laptop's broker. Mosquitto
keeps its sessions on disk between runs; amqtt keeps them in memory, in this process.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import threading
import time
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from core.errors import ConfigurationError

_START_S = 15.0
_POLL_S = 0.05
_MOSQUITTO_CONF = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {directory}/
autosave_interval 5
# without limit: a queue that is full drops silently what it has acknowledged to a publisher
max_queued_messages 0
max_inflight_messages 0
# a longer message would be acknowledged to its publisher and could never reach the worker
max_packet_size 16000000
# devices that publish at QoS 0 reach the worker at QoS 1, so that it can acknowledge
upgrade_outgoing_qos true
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""


class EmbeddedBroker(Protocol):
    """A broker that belongs to this process."""

    kind: str
    """`mosquitto` or `amqtt`."""
    url: str
    """Where clients find it."""

    def start(self) -> None:
        """Start; return when it listens.

        Raises:
            ConfigurationError: it does not.
        """
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


def find_mosquitto() -> str | None:
    """Return the path of the mosquitto binary, or None."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin",
                            "/opt/homebrew/sbin"])  # fmt: skip
    return shutil.which("mosquitto", path=path)


class BrokerKind(StrEnum):
    """Which broker `passerelle up` runs."""

    AUTO = "auto"
    MOSQUITTO = "mosquitto"
    AMQTT = "amqtt"


def embedded_broker(
    *, directory: Path, port: int, kind: BrokerKind = BrokerKind.AUTO
) -> EmbeddedBroker:
    """Return the broker asked for, or the best that this machine has; not started.

    Args:
        directory: where it may keep files.
        port: where it is to listen, on 127.0.0.1.
        kind: auto takes mosquitto where it is installed, else amqtt.

    Raises:
        ConfigurationError: mosquitto is asked for and is not installed.
    """
    binary = None if kind is BrokerKind.AMQTT else find_mosquitto()
    if binary is not None:
        return MosquittoProcess(binary=binary, directory=directory, port=port)
    if kind is BrokerKind.MOSQUITTO:
        raise ConfigurationError("mosquitto is not installed; install it or use --broker amqtt")
    return AmqttThread(port=port)


class MosquittoProcess:
    """Mosquitto as a child process, in a session of its own so that Ctrl-C does not reach it."""

    kind = "mosquitto"

    def __init__(self, *, binary: str, directory: Path, port: int) -> None:
        self.url = f"mqtt://127.0.0.1:{port}"
        self._binary = binary
        self._directory = directory.absolute()
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start; return when it listens."""
        self._directory.mkdir(parents=True, exist_ok=True)
        configuration = self._directory / "mosquitto.conf"
        configuration.write_text(
            _MOSQUITTO_CONF.format(port=self._port, directory=self._directory)
            + (f"user {_own_name()}\n" if os.geteuid() == 0 else ""),
            encoding="utf-8",
        )
        log = self._directory / "mosquitto.log"
        with log.open("ab") as sink:
            self._process = subprocess.Popen(  # noqa: S603 - a fixed binary, our own file
                [self._binary, "-c", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_S
        while not _listens(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise ConfigurationError(
                    f"mosquitto did not start on port {self._port}; it says why in {log}"
                )
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stop it; it saves its sessions first."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=_START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


class AmqttThread:
    """amqtt in a thread of this process, with an event loop of its own."""

    kind = "amqtt"

    def __init__(self, *, port: int) -> None:
        self.url = f"mqtt://127.0.0.1:{port}"
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._ending = asyncio.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="amqtt", daemon=True)

    def start(self) -> None:
        """Start; return when it listens."""
        self._thread.start()
        if not self._ready.wait(_START_S) or self._error is not None:
            raise ConfigurationError(
                f"the embedded broker did not start on port {self._port}: {self._error}"
            )

    def stop(self) -> None:
        """Stop it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(_START_S)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._error = error
        finally:
            self._ready.set()
            self._loop.close()

    async def _serve(self) -> None:
        from amqtt.broker import Broker  # noqa: PLC0415 - slow to import, needed only here

        broker = Broker(
            {
                "listeners": {
                    "default": {
                        "type": "tcp",
                        "bind": f"127.0.0.1:{self._port}",
                        "max_connections": 0,
                    }
                },
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            },
            loop=self._loop,
        )
        await broker.start()
        self._ready.set()
        await self._ending.wait()
        await broker.shutdown()


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return True
    except OSError:
        return False


def _own_name() -> str:
    import pwd  # noqa: PLC0415 - only where it exists

    return pwd.getpwuid(os.geteuid()).pw_name
