"""The plugins that every test has: real servers, what is missing, what is left behind."""

pytest_plugins = [
    "tests.servers.missing",
    "tests.servers.fixtures",
    "tests.servers.leaks",
    "tests.support.bulk_fixtures",
]
