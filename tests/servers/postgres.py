"""A real PostgreSQL cluster, thrown away with the tests that used it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.servers.availability import ServerUnavailableError
from tests.servers.choice import Image, choose
from tests.servers.containers import ServerContainer
from tests.servers.ports import free_port
from tests.servers.process import ServerProcess
from tests.servers.runner import Runner
from tests.servers.server import Server

IMAGE = "docker.io/library/postgres:15"
REMEDY = "apt-get install postgresql (macOS: brew install postgresql)"
URL_VARIABLE = "PASSERELLE_TEST_POSTGRES_URL"

_USER = "passerelle"
_PASSWORD = "throwaway-password"
_LOCALE = ("--encoding=UTF8", "--locale=C")


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """How to reach a PostgreSQL as a user who may create databases.

    Args:
        url: `postgresql://user:password@host:port/database`.
    """

    url: str

    def create_database(self, *, template: str | None = None) -> str:
        """Create a database; return its SQLAlchemy address (psycopg 3).

        Args:
            template: address of a database to copy, which nobody uses now; None: it is empty.
        """
        name = f"test_{uuid.uuid4().hex}"
        origin = "template0" if template is None else _name(template)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(origin)
                )
            )
        parts = urlsplit(self.url)
        return urlunsplit(("postgresql+psycopg", parts.netloc, f"/{name}", parts.query, ""))

    def drop_database(self, database_url: str) -> None:
        """Drop a database that `create_database` made, with the connections that use it."""
        name = _name(database_url)
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


class PostgresServer(Server):
    """A cluster on a free port of 127.0.0.1. Stopping it ends the sessions of its clients."""

    name = "PostgreSQL"

    def __init__(self, *, runner: Runner, port: int) -> None:
        super().__init__(runner=runner)
        self.port = port
        self.access = Postgres(
            url=f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{port}/postgres?connect_timeout=5"
        )

    def answers(self) -> bool:
        """Tell whether it answers a query."""
        try:
            with psycopg.connect(self.access.url) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def new_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Make a cluster, not started, in a directory of its own; remove both at the end.

    Args:
        durable: it waits for the disk, as one that is used does (not in a container).

    The directory is not one of pytest's: root's tests run the server as another user, who may not
    enter those.

    Raises:
        ServerUnavailableError: there is no PostgreSQL on this machine.
    """
    origin = choose(
        server="PostgreSQL",
        image=IMAGE,
        binary="postgres",
        remedy=REMEDY,
        built=_newest(Path("/usr/lib/postgresql")),
    )
    port = free_port()
    if isinstance(origin, Image):
        server = PostgresServer(runner=_container(origin, port), port=port)
        try:
            yield server
        finally:
            server.remove()
        return
    user = _unprivileged_user()
    directory = Path(tempfile.mkdtemp(prefix="passerelle-postgres-"))
    try:
        if user is not None:
            shutil.chown(directory, user)
        server = PostgresServer(
            runner=_cluster(
                origin.resolve().parent, directory, port=port, user=user, durable=durable
            ),
            port=port,
        )
        try:
            yield server
        finally:
            server.remove()
    finally:
        shutil.rmtree(directory)


def given_postgres() -> Postgres | None:
    """Return the server that the environment names, if it names one."""
    url = os.environ.get(URL_VARIABLE)
    return Postgres(url=url.replace("postgresql+psycopg://", "postgresql://", 1)) if url else None


def _name(database_url: str) -> str:
    return urlsplit(database_url).path.lstrip("/")


def _newest(root: Path) -> Path | None:
    programs = [path for path in root.glob("*/bin/postgres") if path.parts[-3].isdecimal()]
    return max(programs, key=lambda path: int(path.parts[-3]), default=None)


def _unprivileged_user() -> str | None:
    """Return whom to run it as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise ServerUnavailableError(
        server="PostgreSQL",
        tried="it refuses to run as root and there is no user postgres or nobody",
        remedy=REMEDY,
    )


def _container(image: Image, port: int) -> Runner:
    account = {"POSTGRES_USER": _USER, "POSTGRES_PASSWORD": _PASSWORD}
    return ServerContainer(
        engine=image.engine,
        image=image.name,
        command=["postgres", "-c", "fsync=off"],
        environment=account | {"POSTGRES_INITDB_ARGS": " ".join(_LOCALE)},
        ports={5432: port},
    )


def _cluster(
    programs: Path, directory: Path, *, port: int, user: str | None, durable: bool
) -> Runner:
    data = directory / "data"
    password_file = directory / "password"
    password_file.write_text(_PASSWORD)
    subprocess.run(
        [
            str(programs / "initdb"),
            f"--pgdata={data}",
            f"--username={_USER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--no-sync",
            *_LOCALE,
        ],
        check=True,
        capture_output=True,
        timeout=120,
        cwd="/",
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        # these data outlive a killed process, and need not outlive the machine
        "fsync": "on" if durable else "off",
        "max_connections": "200",
    }
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ServerProcess(
        command=[str(programs / "postgres"), "-D", str(data), *flags],
        log_file=directory / "postgres.log",
        user=user,
        stop_signal=signal.SIGINT,
    )
