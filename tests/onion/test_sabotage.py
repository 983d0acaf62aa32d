"""Each wall is taken away once, on the running host, and the test that guards it turns red.

A mutant is one file of the release that is in force, a piece of it that is there exactly once, and
what stands there instead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.mutants import Mutant
from tests.onion import test_flood, test_life, test_restarts
from tests.onion.host import Host

pytestmark = pytest.mark.onion

CIRCUITS = "deploy/door/circuits.py"
MUTANTS: dict[str, tuple[Mutant, Callable[[Host], object]]] = {
    "tor's line is not required": (
        Mutant(
            CIRCUITS,
            "        found = CIRCUIT.fullmatch(",
            "        if not CIRCUIT.match(super().recv(LONGEST, socket.MSG_PEEK)):\n"
            "            return True\n"
            "        found = CIRCUIT.fullmatch(",
            "",
        ),
        test_life.test_nobody_is_served_without_the_line_that_tor_sends,
    ),
    "a circuit is not bounded": (
        Mutant(
            CIRCUITS,
            "        if not circuit:\n            return 0.0\n",
            "        return 0.0\n",
            "allowed|not served",
        ),
        test_flood.bounded,
    ),
    "a row is dropped": (
        Mutant(
            "intake/store.py",
            "                for row, sealed in rows:\n",
            "                for row, sealed in (one for one in rows if one[0][0] > 40):\n",
            "receipts and rows",
        ),
        lambda host: test_restarts.everyone(host, 60),
    ),
    "who waits makes no room": (
        Mutant(
            "deploy/door/turns.py",
            "        if len(self._circuits) > self._most:\n",
            "        if False:\n",
            "nobody made room",
        ),
        test_flood.test_more_who_wait_than_are_served_lock_nobody_out,
    ),
    "another site may post": (
        Mutant("intake/server/requests.py", "    if not ours:\n", "    if False:\n", ""),
        test_life.test_a_post_from_another_onion_is_refused,
    ),
}


@contextlib.contextmanager
def broken(host: Host, mutant: Mutant) -> Iterator[None]:
    """Have a breakage in force while the block runs."""
    release: Path = host.machines.machine.root.at("/opt/intake/current")
    whole = mutant.apply(release)
    try:
        host.chain.restart_site()
        yield
    finally:
        (release / mutant.file).write_text(whole, encoding="utf-8")
        host.chain.restart_site()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_breakage_is_caught(host: Host, name: str) -> None:
    mutant, guard = MUTANTS[name]
    with broken(host, mutant), pytest.raises(AssertionError, match=mutant.caught_by or None):
        guard(host)
