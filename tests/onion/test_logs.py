"""What is written down: logs say the same whether nobody came or many, and tor keeps no count."""

from __future__ import annotations

import re
import sys

import pytest

from tests.onion.crowd import post_all
from tests.onion.host import Host

pytestmark = pytest.mark.onion

COMERS = 50
# What the state file may have: what it is, when it was written, who tor's first relays are, and
# how many circuits went through each. None of it is a time of a visit, or a count of bytes.
ALLOWED = {"Dormant", "Guard", "LastWritten", "MinutesSinceUserActivity", "TorVersion"} | {
    *("CircuitBuildAbandonedCount", "CircuitBuildTimeBin", "TotalBuildTimes"),
}


def state(host: Host) -> str:
    """Return tor's state, which it writes as it ends."""
    host.chain.restart_tor()
    host.reach()
    return host.machines.machine.root.at("/var/lib/tor/state").read_text()


def keys(text: str) -> set[str]:
    """Return the keys of a state file."""
    return set(re.findall(r"^(\w+) ", text, re.MULTILINE))


def circuits(text: str) -> dict[str, float]:
    """Return how many circuits a state file has counted, by the name of the count."""
    found: dict[str, float] = {}
    for name, value in re.findall(r"\b(pb_\w+|TotalBuildTimes)[= ]([\d.]+)", text):
        found[name] = found.get(name, 0.0) + float(value)
    return found


def test_logs_are_the_same_for_nobody_and_for_fifty(host: Host) -> None:
    """Neither tor, nor the site, nor systemd says a word of a visit."""
    before = host.chain.journal()
    posts = post_all(
        [host.circuit(name, timeout=30) for name in host.net.clients], COMERS, "logged"
    )
    assert len(posts) == COMERS
    assert host.chain.journal() == before


def test_what_tor_keeps(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """No key but the known ones; how its counts of circuits grow with visits is said."""
    told = [circuits(state(host))]
    for count in (0, COMERS):
        post_all([host.circuit(timeout=30) for _ in range(5)], count, f"kept {count}")
        text = state(host)
        told.append(circuits(text))
        assert keys(text) <= ALLOWED, keys(text) - ALLOWED
    folder = host.machines.machine.root.at("/var/lib/tor")
    with capsys.disabled():
        names = sorted(path.name for path in folder.iterdir())
        sys.stdout.write(f"\n  tor's data folder: {', '.join(names)}\n")
        sys.stdout.write(f"  its state: {', '.join(sorted(keys(text)))}\n")
        for what, old, new in zip(("nobody", f"{COMERS} visits"), told, told[1:], strict=False):
            grown = {name: new[name] - old.get(name, 0) for name in new}
            sys.stdout.write(f"  counts of circuits, grown by {what} and a restart: {grown}\n")
