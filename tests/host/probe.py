"""What a process tries that took over a service: ``python probe.py DATA`` prints what it could do.

It is started in a unit's place, behind its walls, and uses nothing but the standard library. Each
attempt would succeed for a plain user of a plain machine.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, PTRACE_TRACEME, PR_GET_NO_NEW_PRIVS = 0x10000000, 0, 39
ADDR_NO_RANDOMIZE = 0x0040000
DATA = Path(sys.argv[1])


def call(name: str, *arguments: object) -> int:
    """Call the C library; raise what it says."""
    found = int(getattr(LIBC, name)(*arguments))
    if found < 0:
        raise OSError(ctypes.get_errno(), name)
    return found


def in_child(attempt: Callable[[], object]) -> None:
    """Try in a child of its own, which may change as it likes."""
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise PermissionError


def opened(family: int, kind: int = socket.SOCK_STREAM) -> Callable[[], object]:
    """Return the attempt to make a socket."""
    return lambda: socket.socket(family, kind).close()


def written(path: str) -> Callable[[], object]:
    """Return the attempt to write a file in a folder."""

    def attempt() -> None:
        file = Path(path) / "probe"
        file.write_bytes(b"x")
        file.unlink()

    return attempt


def executable() -> None:
    """Make memory that can be written and executed."""
    rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    mmap.mmap(-1, mmap.PAGESIZE, prot=rights).close()


def suid() -> None:
    """Make a program that runs as its owner, whoever starts it."""
    file = DATA / "probe-suid"
    file.touch()
    try:
        file.chmod(0o4755)
    finally:
        file.unlink()


ATTEMPTS: dict[str, Callable[[], object]] = {
    "speak IPv4": opened(socket.AF_INET),
    "speak IPv6": opened(socket.AF_INET6),
    "ask the kernel about networks": opened(socket.AF_NETLINK, socket.SOCK_RAW),
    "be traced": lambda: in_child(lambda: call("ptrace", PTRACE_TRACEME, 0, 0, 0)),
    "make a user namespace": lambda: in_child(lambda: call("unshare", CLONE_NEWUSER)),
    "be another machine": lambda: in_child(lambda: call("personality", ADDR_NO_RANDOMIZE)),
    "write and execute memory": executable,
    "make a program suid": suid,
    "read the machine's memory figures": lambda: Path("/proc/meminfo").read_bytes(),
    "see the first process": lambda: Path("/proc/1/cmdline").read_bytes(),
    "write in keys": written("/var/lib/intake/keys"),
    "write on the stick": written("/srv/intake"),
    "write in /tmp": written("/tmp"),  # noqa: S108
    "write in /var/tmp": written("/var/tmp"),  # noqa: S108
    "look into /home": lambda: list(Path("/home").iterdir()),
    "write in the data": written(str(DATA)),
    "speak to a socket of this machine": opened(socket.AF_UNIX),
    "start a program": lambda: subprocess.run(["/usr/bin/true"], check=True),
}


def main() -> None:
    """Try all, and print it."""
    could = []
    for name, attempt in ATTEMPTS.items():
        try:
            attempt()
        except (OSError, ValueError):
            continue
        could.append(name)
    made = DATA / "probe-mode"
    made.touch(0o666)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    facts = {
        "could": could,
        "capabilities": [lines[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")],
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        "groups": [os.getgid(), *os.getgroups()],
        "mode": made.stat().st_mode & 0o777,
        "new privileges": not LIBC.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
        "network": os.stat("/proc/self/ns/net").st_ino,  # noqa: PTH116
        "devices": sorted(os.listdir("/dev")),  # noqa: PTH208
    }
    made.unlink()
    print(json.dumps(facts))  # noqa: T201


if __name__ == "__main__":
    main()
