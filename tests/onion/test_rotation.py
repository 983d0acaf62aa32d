"""A keyring is installed while posts come through the onion: none lost, none sealed to the dead."""

from __future__ import annotations

import dataclasses
import time

import pytest

from intake import days
from tests.onion import figures
from tests.onion.crowd import over_circuits
from tests.onion.host import Host
from tests.test_concurrency import Crowd, Reign, check, replacing

pytestmark = pytest.mark.onion

SENDERS = 6


def test_posts_go_on_while_a_keyring_is_installed(host: Host) -> None:
    first = host.site.made
    second = replacing(first, "second", days.clock())
    stick = host.machines["stick"] / "keyring-2"
    stick.write_bytes(second.raw)
    crowd, names = Crowd(), list(host.net.clients)
    begun = time.monotonic()
    with crowd.posting([over_circuits(host, names[n % 3]) for n in range(SENDERS)]):
        crowd.wait()
        start = time.monotonic()
        done = host.machines.run("admin", "keyring", "install", stick, "--demo", "--yes")
        end = time.monotonic()
        assert (done.returncode, "is in force" in done.stdout) == (0, True), done.stderr
        crowd.wait()
    host.machines = dataclasses.replace(
        host.machines, made=dataclasses.replace(second, periods={**first.periods, **second.periods})
    )
    reigns = [
        Reign(frozenset(first.periods), first.keyring.version, begun, end),
        Reign(frozenset(second.periods), second.keyring.version, start, time.monotonic()),
    ]
    keys = {**first.periods, **second.periods}
    rows = check(host.site, crowd.posts, reigns, keys)
    assert all(set(host.site.store.counts()) & reign.periods for reign in reigns)
    figures.note("keyring installed under load: rows, all sealed to the right period", rows, "")
    figures.note("posts per second, by six visitors", rows / (crowd.posts[-1].end - begun), "")
