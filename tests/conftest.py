"""The plugins that every test has: real servers, what is missing, what is left behind."""

from hypothesis import settings

settings.register_profile("passerelle", deadline=None)  # no test is timed: machines are shared
settings.load_profile("passerelle")

pytest_plugins = [
    "tests.servers.missing",
    "tests.servers.fixtures",
    "tests.servers.leaks",
    "tests.support.bulk_fixtures",
    "tests.support.migrated",
]
