"""The machines that the tests run on, and what they were run for.

SUITES names the Debians, `bookworm` (12) if nothing else does. One machine of each is made bare and
installed once for all tests; see hosts.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.host import booted, hosts, roots
from tests.host.booted import Booted
from tests.host.hosts import Host


@pytest.fixture(scope="session")
def _alone() -> None:
    """Have a machine's mounts seen by these tests only; without root there is nothing to test."""
    if lacks := roots.missing():
        if os.geteuid():
            pytest.skip(lacks)
        pytest.fail(lacks)
    roots.private_mounts()
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("It was told to end."))


@pytest.fixture(scope="session", params=os.environ.get("SUITES", "bookworm").split())
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, _alone: None
) -> Iterator[Host]:
    """Yield a host of a suite, on which the install command was run."""
    made = hosts.install(request.param, tmp_path_factory.mktemp(request.param))
    try:
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def machine(host: Host) -> Iterator[Booted]:
    """Yield the host's running machine."""
    if why := booted.cannot():
        pytest.skip(f"systemd's own sandbox was not executed here: {why}")
    yield host.on()
    host.off()


@pytest.fixture(scope="module")
def still(host: Host) -> roots.Root:
    """Return the host's root, switched off: units are started one by one (services.py)."""
    return host.off()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say whether systemd's own sandbox was executed, and print what tests wrote down."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    ours = [report for report in reports if "tests/host/" in report.nodeid]
    if not ours:
        return
    terminalreporter.section("hosts")
    if why := booted.cannot():
        terminalreporter.line(f"systemd's own sandbox was not executed here: {why}")
    else:
        terminalreporter.line("systemd was the first process: its own sandbox was executed here")
    for report in ours:
        for name, text in report.user_properties:
            terminalreporter.line(f"\n{name}\n{text}")
