"""pytest plugin: what could not run is said loudly at the end, and where it must run, it fails.

A test whose server is not available is skipped; the end of the session says how many, which
server and what makes it available. With `PASSERELLE_REQUIRE_SERVERS=1` every skip, whatever its
reason, is a failure: a continuous integration that skips tests proves nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.servers.availability import ServerUnavailableError

REQUIRE_VARIABLE = "PASSERELLE_REQUIRE_SERVERS"

_UNAVAILABLE = pytest.StashKey[dict[str, ServerUnavailableError]]()


def required() -> bool:
    """Tell whether every test must run."""
    return os.environ.get(REQUIRE_VARIABLE, "") not in {"", "0"}


@contextmanager
def skipped_when_unavailable(config: pytest.Config) -> Iterator[None]:
    """Skip the test where the block finds that its server is not available."""
    try:
        yield
    except ServerUnavailableError as error:
        config.stash[_UNAVAILABLE][str(error)] = error
        pytest.skip(str(error))


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the list of what was not available."""
    config.stash[_UNAVAILABLE] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where every test must run."""
    report = yield
    if required() and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = _complaint(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a module that skips itself while it is collected."""
    report = yield
    if required() and report.skipped:
        report.outcome = "failed"
        report.longrepr = _complaint(report)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None]:
    """Say, last of all, what did not run for want of a server and how to run it."""
    yield
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        counts[_reason(report)] += 1
    unavailable = config.stash[_UNAVAILABLE]
    missing = {reason: count for reason, count in counts.items() if reason in unavailable}
    if not missing:
        return
    tests = sum(missing.values())
    terminalreporter.section(f"{tests} tests DID NOT RUN: no server", red=True, bold=True)
    for reason, count in sorted(missing.items()):
        error = unavailable[reason]
        terminalreporter.line(
            f"{error.server}: {count} tests did not run; {error.tried}.", red=True
        )
        terminalreporter.line(f"    to run them: {error.remedy}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)


def _complaint(report: pytest.TestReport | pytest.CollectReport) -> str:
    return f"{REQUIRE_VARIABLE}=1 and this was skipped: {_reason(report)}"
