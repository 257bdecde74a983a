"""pytest plugin: the real servers as fixtures. README.md beside this file is their manual.

A test that asks for one of them gets the marker of its server, so that `-m "not mosquitto"` leaves
it out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Protocol

import pytest

from tests.servers.influxdb1 import InfluxDB1, InfluxDB1Server, given_influxdb1, new_influxdb1
from tests.servers.influxdb2 import InfluxDB2, InfluxDB2Server, given_influxdb2, new_influxdb2
from tests.servers.missing import skipped_when_unavailable
from tests.servers.mosquitto import MosquittoOptions, MosquittoServer, running_mosquitto
from tests.servers.oidc import OidcOptions, OidcServer, running_oidc
from tests.servers.postgres import Postgres, PostgresServer, given_postgres, new_postgres

MQTT_URL_VARIABLE = "PASSERELLE_TEST_MQTT_URL"

_MARKERS = {
    "mosquitto": {"mosquitto", "mosquitto_factory", "broker_url"},
    "influxdb": {"influxdb2", "influxdb2_bucket", "influxdb2_server"},
    "influxdb1": {"influxdb1", "influxdb1_database", "influxdb1_server"},
    "oidc": {"oidc", "oidc_factory"},
    "postgres": {"postgres", "postgres_database", "postgres_registry", "postgres_server"},
}


class MosquittoFactory(Protocol):
    """Starts brokers that live as long as the test."""

    def __call__(self, options: MosquittoOptions | None = None) -> MosquittoServer:
        """Start a broker with these options and return it, ready."""
        ...


class OidcFactory(Protocol):
    """Starts OpenID providers that live as long as the test."""

    def __call__(self, options: OidcOptions | None = None) -> OidcServer:
        """Start a provider with these options and return it, ready."""
        ...


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test the markers of the servers that it asks for."""
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        for marker, fixtures in _MARKERS.items():
            if asked & fixtures:
                item.add_marker(marker)


@pytest.fixture
def mosquitto_factory(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[MosquittoFactory]:
    """Start as many brokers as the test wants, each with its own options; all end with it."""
    with ExitStack() as stack:

        def make(options: MosquittoOptions | None = None) -> MosquittoServer:
            directory = tmp_path_factory.mktemp("mosquitto")
            with skipped_when_unavailable(pytestconfig):
                return stack.enter_context(running_mosquitto(directory, options))

        yield make


@pytest.fixture
def mosquitto(mosquitto_factory: MosquittoFactory) -> MosquittoServer:
    """Start a broker of the test's own, with the usual options."""
    return mosquitto_factory()


@pytest.fixture(scope="session")
def broker_url(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[str]:
    """Return the address of a broker that every test shares: use topics of your own."""
    if given := os.environ.get(MQTT_URL_VARIABLE):
        yield given
        return
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            directory = tmp_path_factory.mktemp("mosquitto")
            server = stack.enter_context(running_mosquitto(directory))
        yield server.url


@pytest.fixture(scope="session")
def influxdb2(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[InfluxDB2]:
    """Return an InfluxDB 2 that every test shares; take a bucket from `influxdb2_bucket`."""
    if given := given_influxdb2():
        yield given
        return
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(new_influxdb2(tmp_path_factory.mktemp("influxdb2")))
        yield server.access


@pytest.fixture
def influxdb2_bucket(influxdb2: InfluxDB2) -> Iterator[Callable[[], str]]:
    """Create empty buckets, deleted after the test; each call returns a name."""
    with ExitStack() as stack:

        def make() -> str:
            name = influxdb2.create_bucket()
            stack.callback(influxdb2.delete_bucket, name)
            return name

        yield make


@pytest.fixture
def influxdb2_server(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[InfluxDB2Server]:
    """Start an InfluxDB 2 of the test's own, to be restarted and killed."""
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(new_influxdb2(tmp_path_factory.mktemp("influxdb2")))
        yield server


@pytest.fixture(scope="session")
def influxdb1(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[InfluxDB1]:
    """Return an InfluxDB 1 that every test shares; take a database from `influxdb1_database`."""
    if given := given_influxdb1():
        yield given
        return
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(new_influxdb1(tmp_path_factory.mktemp("influxdb1")))
        yield server.access


@pytest.fixture
def influxdb1_database(influxdb1: InfluxDB1) -> Iterator[Callable[[], str]]:
    """Create empty databases, dropped after the test; each call returns a name."""
    with ExitStack() as stack:

        def make() -> str:
            name = influxdb1.create_database()
            stack.callback(influxdb1.drop_database, name)
            return name

        yield make


@pytest.fixture
def influxdb1_server(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[InfluxDB1Server]:
    """Start an InfluxDB 1 of the test's own, to be restarted and killed."""
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(new_influxdb1(tmp_path_factory.mktemp("influxdb1")))
        yield server


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[Postgres]:
    """Return a PostgreSQL that every test shares; take a database from `postgres_database`."""
    if given := given_postgres():
        yield given
        return
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(new_postgres())
            server.start()
        yield server.access


@pytest.fixture
def postgres_database(postgres: Postgres) -> Iterator[Callable[[], str]]:
    """Create empty databases, dropped after the test; each call returns a SQLAlchemy address."""
    with ExitStack() as stack:

        def make() -> str:
            url = postgres.create_database()
            stack.callback(postgres.drop_database, url)
            return url

        yield make


@pytest.fixture
def postgres_server(pytestconfig: pytest.Config) -> Iterator[PostgresServer]:
    """Start a PostgreSQL of the test's own, to be restarted and killed."""
    with ExitStack() as stack:
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(new_postgres())
            server.start()
        yield server


@pytest.fixture
def oidc_factory(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[OidcFactory]:
    """Start as many OpenID providers as the test wants; all end with it."""
    with ExitStack() as stack:

        def make(options: OidcOptions | None = None) -> OidcServer:
            directory = tmp_path_factory.mktemp("oidc")
            with skipped_when_unavailable(pytestconfig):
                return stack.enter_context(running_oidc(directory, options))

        yield make


@pytest.fixture(scope="session")
def oidc(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[OidcServer]:
    """Return an OpenID provider that every test shares: its program has the role `lab`."""
    with ExitStack() as stack:
        options = OidcOptions(roles={"lab-scripts": ["lab", "unheard-of"]})
        with skipped_when_unavailable(pytestconfig):
            server = stack.enter_context(running_oidc(tmp_path_factory.mktemp("oidc"), options))
        yield server
