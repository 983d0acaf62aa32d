"""An onion of its own for the admin: with the key one meets sshd, without it nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intake.settings import ROOT
from tests.onion import figures
from tests.onion.circuits import NoCircuitError, connect
from tests.onion.host import Host

pytestmark = pytest.mark.onion

SSH = 22
LIMIT = 120  # seconds
TOOL = ROOT / "deploy" / "onion_client.py"


def key(folder: Path, *words: str) -> str:
    """Run what the admin runs on their own machine; return what it says."""
    command = [sys.executable, str(TOOL), "laptop", "--in", str(folder), *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout


def test_only_the_key_opens_the_way_to_ssh(host: Host, tmp_path: Path) -> None:
    """By the commands of docs/ADMINS.md: a key, its line on the server, the file for tor."""
    owner, stranger = host.net.clients["c2"], host.net.clients["c1"]
    line = re.search(r"--client (\S+)", key(tmp_path))
    assert line is not None
    said = host.machines.machine.run("intake-host", "admin-onion", "--client", line[1])
    found = re.search(r"[a-z2-7]{56}\.onion", said)
    assert found is not None, said
    address = found[0]
    key(tmp_path, "--address", address)
    allowed = owner.folder / "auth"
    (allowed / "laptop.auth_private").write_bytes((tmp_path / "laptop.auth_private").read_bytes())
    owner.reload()
    with figures.timed("admin's onion: from its making to sshd's banner"):
        assert banner(owner.listening(), address).startswith(b"SSH-2.0-OpenSSH")
    for _ in range(3):
        with pytest.raises(NoCircuitError):
            connect(stranger.listening(), address, "stranger", port=SSH).close()
    assert host.circuit("c1").get()  # the site's own is open to all, as it was
    host.machines.machine.run("intake-host", "admin-onion", "--remove", "laptop")


def banner(port: int, address: str) -> bytes:
    """Return what the program behind an onion says first; its descriptor may take a while."""
    deadline = time.monotonic() + LIMIT
    while True:
        try:
            with connect(port, address, f"admin {time.monotonic()}", port=SSH) as line:
                return line.recv(100)
        except NoCircuitError:
            assert time.monotonic() < deadline, "the admin's onion was not found"
            time.sleep(1)
