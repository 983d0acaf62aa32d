"""The machine behind the onion: a Debian on which the installer has run, systemd and all.

Rules:
- It was installed once, by the command that people type, and is kept in a folder. A run has an
  overlay over it, so that every run begins with the same machine.
- It has a loopback and no other network, and from then on so has this process, with all that it
  starts: the test network, the browsers, and the admin. No port is anybody else's, and what would
  speak to the world cannot.
- Its tor takes the torrc and the unit as they were installed. What makes it part of the test
  network is among Debian's own defaults, which it reads before.
- Needs root. Where systemd cannot run in namespaces, :func:`machine` says why.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from deploy.host import release
from intake.settings import ROOT
from tests.host.booted import Booted, cannot
from tests.host.roots import Root, checkout, command, missing, private_mounts, remove
from tests.onion import figures

SUITE = "bookworm"
PACKAGES = ("openssh-server",)
SETTINGS = "etc/intake/site.env"
DEFAULTS = "usr/share/tor/tor-service-defaults-torrc"
AT_BOOT = "etc/systemd/system/multi-user.target.wants/tor.service"
CLONE_NEWNET = 0x40000000


def installed(kept: Path) -> Path:
    """Return the folder of a machine on which this checkout is installed; made once."""
    content = [SUITE, *PACKAGES, release.name_of(release.shipped(ROOT))]
    name = hashlib.sha256("\n".join(content).encode()).hexdigest()
    kept.mkdir(0o700, exist_ok=True)
    folder, mark = kept / "installed", kept / "installed.name"
    with (kept / "installing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not mark.exists() or mark.read_text() != name:
            mark.unlink(missing_ok=True)
            remove(folder)
            with figures.timed("machine installed, once for each release"):
                _install(folder)
            mark.write_text(name)
    return folder


def _install(folder: Path) -> None:
    made = folder.with_suffix(".new")
    remove(made)
    root = Root.bare(SUITE, made)  # in memory
    try:
        root.bring(checkout(), ROOT)
        root.run("sh", "/checkout/deploy/install.sh")
        more = {"DEBIAN_FRONTEND": "noninteractive"}
        options = ("-qq", "--yes", "--no-install-recommends")
        root.run("apt-get", "install", *options, *PACKAGES, more=more)
    finally:
        root.unmount()
    command("cp", "-a", "--one-file-system", made, folder)
    command("umount", made)
    made.rmdir()


@contextlib.contextmanager
def machine(kept: Path, folder: Path, options: list[str]) -> Iterator[Booted]:
    """Yield a machine that runs, but for its tor, which has these lines in its defaults.

    From here on this process has the machine's network, and no other.
    """
    lacking = missing() or cannot()
    assert not lacking, f"No machine can be started here: {lacking}"
    private_mounts()
    lower, root = installed(kept), folder / "root"
    for name in ("root", "upper", "work"):
        (folder / name).mkdir()
    layers = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    command("mount", "-t", "overlay", "overlay", "-o", layers, root)
    with (root / DEFAULTS).open("a") as defaults:
        defaults.write("\n".join(["", *options, ""]))
    with (root / SETTINGS).open("a") as settings:
        settings.write("INTAKE_DECOYS=0\n")  # every row is one that was sent
    (root / AT_BOOT).unlink()
    made = Booted(Root(root), folder)
    try:
        made.start()
        _join(made.first)
        yield made
    finally:
        made.crash()
        command("umount", root)


def _join(process: int) -> None:
    """Have the network of a process, with all that is started from here on."""
    libc = ctypes.CDLL(None, use_errno=True)
    network = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    try:
        if libc.setns(network, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(network)
    there = {line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines()}
    assert "lo" in there
