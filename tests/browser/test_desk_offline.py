"""The desk, whole, in a network namespace that has loopback and nothing else (property 26)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.browser.test_browser import pictures

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

# A mount of its own shows the namespace's interfaces in /sys, and not the machine's.
CUT_OFF = 'mount -t sysfs none /sys && ip link set lo up && exec "$@"'
MINUTES = 10


def test_the_whole_desk_without_a_network(tmp_path: Path, pictures: Path) -> None:
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    space = ["unshare", *own, "--net", "--mount", "sh", "-c", CUT_OFF, "sh"]
    story = [sys.executable, "-m", "tests.browser.desk_story", str(tmp_path), str(pictures)]
    done = subprocess.run(
        [*space, *story],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=MINUTES * 60,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def test_outside_of_it_the_desk_refuses_to_open(tmp_path: Path) -> None:
    """Where an interface is up, `open` says which, and asks nobody for a passphrase."""
    veth = "ip link add out type veth peer name in && ip link set in up && ip link set out up && "
    space = ["unshare", "--net", "--mount", "sh", "-c", CUT_OFF.replace("exec", veth + "exec"), "x"]
    if os.geteuid() != 0:
        space.insert(1, "--map-root-user")
    line = [sys.executable, "-m", "intake.desk", "open", "--casebook", str(tmp_path)]
    done = subprocess.run(
        [*space, *line, "--reviewer", str(tmp_path / "alice")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 6, done.stdout + done.stderr
    assert "A network is up: in, out." in done.stderr
