"""What is written down: logs say the same whether nobody came or many, and tor keeps no count."""

from __future__ import annotations

import re
import sys

import pytest

from tests.onion.crowd import post_all
from tests.onion.host import Host

pytestmark = pytest.mark.onion

COMERS = 50
# What tor's state file may have: what it is, when it was written, who its first relays are, and
# how long circuits take to build. None of it grows with visitors.
ALLOWED = {
    *("CircuitBuildTimeBin", "Dormant", "Guard", "LastWritten", "MinutesSinceUserActivity"),
    *("TorVersion", "TotalBuildTimes", "CircuitBuildAbandonedCount", "HidServRevCounter"),
}


def keys(text: str) -> set[str]:
    """Return the keys of a state file."""
    return set(re.findall(r"^(\w+) ", text, re.MULTILINE))


def test_logs_are_the_same_for_nobody_and_for_fifty(
    host: Host, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither tor, nor the site, nor systemd says a word of a visit; the state has no count."""
    host.circuit().get()
    before = host.chain.journal()
    posts = post_all([host.circuit(name) for name in host.net.clients], COMERS, "logged")
    assert len(posts) == COMERS
    assert host.chain.journal() == before
    host.chain.restart_tor()  # which writes its state as it ends
    folder = host.machines.machine.root.at("/var/lib/tor")
    state = (folder / "state").read_text()
    assert keys(state) <= ALLOWED, keys(state) - ALLOWED
    names = sorted(path.name for path in folder.iterdir())
    with capsys.disabled():
        sys.stdout.write(f"\n  tor's data folder: {', '.join(names)}\n")
        sys.stdout.write(f"  its state file: {', '.join(sorted(keys(state)))}\n")
