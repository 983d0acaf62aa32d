"""A machine that runs: systemd is the first process of a root, in namespaces of its own.

::

    with Booted(root, folder) as machine:          # as a rented server that was switched on
        machine.run("sh", "/checkout/deploy/install.sh")
        machine.reboot()

Rules:
- Processes, mounts, host name, semaphores, control groups and network are the machine's own. It has
  a loopback and no other network. What is typed may have the caller's (``network=True``), as an
  installation needs; its services never do.
- The kernel is this machine's: its settings, below /proc/sys, cannot be written from inside.
- Whatever happens here, no process of it is left: they end with the first one, and that one with
  the process that started it. Its mounts go with them.
- Not every machine lets its root do so. `cannot` says why; then nothing of systemd is executed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.host.roots import NODES, NoRoot, Root, command, ended, private_mounts

INIT = "/usr/lib/systemd/systemd"
WAIT = 120.0  # seconds for a start, or for a stop
# (1) What this process has mounted stays as it is. (2) The root becomes a mount, with the file
# systems of a machine: its kernel's settings can be read only. (3) It is the only root there is.
BOOT = """
mount --make-rprivate /
mount --bind {root} {root}
cd {root}
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for each in run dev; do mount -t tmpfs -o mode=0755 tmpfs $each; done
mount -t tmpfs -o mode=1777 tmpfs tmp
for each in {nodes}; do touch dev/$each; mount --bind /dev/$each dev/$each; done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
cat {certificates} >run/certificates.pem
ip link set lo up
hostname intake-host
pivot_root . mnt
umount -l /mnt
exec env -i container=chroot PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin {init}
"""
OWN = ("--cgroup", "--mount", "--uts", "--ipc", "--net", "--pid")


@functools.cache
def groups() -> Path:
    """Return the folder of this process's control group (cgroups(7), version 2), mounted anew."""
    private_mounts()
    place = Path(tempfile.mkdtemp(prefix="groups"))
    command("mount", "-t", "cgroup2", "cgroup2", place)
    lines = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    own = re.search(r"^0::/(.*)$", lines, re.MULTILINE)
    return place / (own[1] if own else "")


@functools.cache
def cannot() -> str:
    """Return why systemd cannot be the first process of a root here; an empty text if it can."""
    try:
        probe = groups() / "intake-host-probe"
        probe.mkdir(exist_ok=True)
        probe.rmdir()
        command("unshare", *OWN, "--fork", "mount", "-t", "cgroup2", "cgroup2", "/sys/fs/cgroup")
    except (NoRoot, OSError) as problem:
        return " ".join(str(problem).split())
    return ""


@dataclass
class Booted:
    """A root that runs. :meth:`start` switches it on; it is switched off with the block."""

    root: Root
    folder: Path
    first: int = 0
    _holder: subprocess.Popen[bytes] | None = None

    # Power.

    def start(self) -> Self:
        """Switch it on, and return when systemd has started all that starts with the machine."""
        self.root.unmount()
        group = groups() / f"intake-host-{os.getpid()}-{id(self):x}"
        group.mkdir()
        script = BOOT.format(
            root=shlex.quote(str(self.root.path)),
            nodes=" ".join(NODES),
            certificates=shlex.quote(str(self.root.certificates() or "/dev/null")),
            init=INIT,
        )
        with (self.folder / "console").open("ab") as console:
            self._holder = subprocess.Popen(
                [
                    *("/bin/sh", "-euc", 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"', "sh"),
                    *(
                        str(group),
                        "setpriv",
                        "--pdeathsig=KILL",
                        "unshare",
                        *OWN,
                        "--fork",
                        "--kill-child",
                    ),
                    *("/bin/sh", "-euc", script),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        self._group = group
        self.first = self._first()
        self.run("systemctl", "is-system-running", "--wait", code=None)
        return self

    def _first(self) -> int:
        until = time.monotonic() + WAIT
        assert self._holder is not None
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        while time.monotonic() < until and self._holder.poll() is None:
            for child in children.read_text().split():
                with contextlib.suppress(OSError):
                    name = Path(f"/proc/{child}/comm").read_text().strip()
                    ready = Path(f"/proc/{child}/root/run/systemd/private").is_socket()
                    if name == "systemd" and ready:
                        return int(child)
            time.sleep(0.05)
        console = (self.folder / "console").read_text(errors="replace")
        self.crash()
        raise NoRoot(f"systemd did not start.\n{console[-2000:]}")

    def crash(self) -> None:
        """Cut the power: every process is gone at once."""
        if self._holder is None:
            return
        holder, self._holder, self.first = self._holder, None, 0
        holder.kill()
        holder.wait()
        until = time.monotonic() + WAIT
        while self._group.exists():
            with contextlib.suppress(OSError):
                for each in sorted(self._group.rglob("*"), reverse=True):
                    if each.is_dir():
                        each.rmdir()
                self._group.rmdir()
            assert time.monotonic() < until, "processes of the machine are left"
            time.sleep(0.02)

    def reboot(self) -> Self:
        """Switch it off as ``reboot`` does, each service told to stop, and on again."""
        self.off()
        return self.start()

    def off(self) -> None:
        """Switch it off as ``poweroff`` does."""
        if self._holder is not None and self.first:
            self.run("systemctl", "--no-block", "poweroff", code=None)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._holder.wait(WAIT)
        self.crash()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.crash()
        self.root.mount()

    # What is typed, and what is seen.

    def at(self, path: str) -> Path:
        """Return where a path of the running machine is on this one, memory included."""
        return Path(f"/proc/{self.first}/root") / path.lstrip("/")

    def entered(
        self, *words: object, network: bool = False, more: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the command that runs ``words`` on it, as root after logging in."""
        spaces = ["--mount", "--pid", "--uts", "--ipc", "--cgroup", *["--net"] * (not network)]
        variables = {**self.root.environment(), **(more or {})}
        return [
            *("nsenter", f"--target={self.first}", *spaces, "--", "/usr/bin/env", "-i"),
            *("--chdir=/root", *(f"{name}={value}" for name, value in variables.items())),
            *map(str, words),
        ]

    def run(
        self,
        *words: object,
        given: str | None = None,
        code: int | None = 0,
        network: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command on it; return what it printed. ``code=None`` lets it end as it will."""
        return ended(self.entered(*words, network=network, more=more), words, given, code)

    @contextlib.contextmanager
    def running(
        self, *words: object, network: bool = False, given: bool = False
    ) -> Iterator[subprocess.Popen[str]]:
        """Yield a command that runs on it; it and all that it started are killed with the block.

        With ``given`` its standard input stays open; else there is nothing on it.
        """
        with subprocess.Popen(
            self.entered(*words, network=network),
            stdin=subprocess.PIPE if given else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                yield running
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signal.SIGKILL)

    def show(self, unit: str, *keys: str) -> dict[str, str]:
        """Return what systemd says of a unit."""
        said = self.run("systemctl", "show", unit, *(f"--property={key}" for key in keys))
        return dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)

    def number(self, unit: str) -> int:
        """Return the number, on this machine, of a unit's main process."""
        inside = self.show(unit, "MainPID")["MainPID"]
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                found = re.search(r"^NSpid:\t\d+\t(\d+)$", status.read_text(), re.MULTILINE)
                same = (status.parent / "ns/pid").readlink() == Path(
                    f"/proc/{self.first}/ns/pid"
                ).readlink()
                if found and found[1] == inside and same:
                    return int(status.parent.name)
        raise AssertionError(f"{unit} has no main process")

    def journal(self) -> str:
        """Return all that the machine's journal holds, fields included."""
        return self.run("journalctl", "--no-pager", "--output=export", code=None)
