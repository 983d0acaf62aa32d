"""One network and one host for all tests of this folder, and what they measured."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from intake.settings import ROOT
from tests import spine
from tests.onion import figures
from tests.onion.chain import Chain
from tests.onion.host import Host, Hosted
from tests.onion.machine import machine
from tests.onion.network import kept_keys, network
from tests.test_journey import Reviewers

KEPT = ROOT / ".onion"
NEEDED = ("tor", "tor-gencert", "setpriv", "chromium", "chromedriver", "firefox-esr")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
CLIENTS = ("c0", "c1", "c2")


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host behind an onion that can be reached."""
    absent = [name for name in NEEDED if shutil.which(name, path=PATH) is None]
    assert not absent, f"Install what has these commands, and run again: {', '.join(absent)}"
    folder = tmp_path_factory.mktemp("onion")
    for name in ("machine", "people"):
        (folder / name).mkdir()
    with kept_keys(KEPT) as keys:
        options = keys.options()
        with machine(KEPT, folder / "machine", options) as own:
            with figures.timed("network started, from nothing"):
                running = network(keys, folder / "net", CLIENTS)
                net = running.__enter__()
            try:
                machines = Hosted.make(folder / "people", own)
                spine.install(machines)
                with figures.timed("tor of the host started, until its onion is found"):
                    chain = Chain(own)
                    net.clients["c0"].wait_for(chain.onion)
                yield Host(machines, net, chain)
            finally:
                running.__exit__(None, None, None)


@pytest.fixture(scope="session")
def reviewers(host: Host) -> Reviewers:
    """The desk, which goes on from one test to the next."""
    return Reviewers(host.machines)


@pytest.fixture(autouse=True)
def _as_new(host: Host) -> None:
    """Begin with an empty store, and clients that know where the onion is now."""
    host.empty()
    host.reach()


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401
    """Print what was measured."""
    if found := list(figures.lines()):
        terminalreporter.section("measured on a private Tor network, on this machine")
        for line in found:
            terminalreporter.line(line)
