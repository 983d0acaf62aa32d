"""Start what units say, for real, on a machine where systemd is not the first process.

::

    with Door(root, units.load(root, "intake.socket")) as door:
        site = Service(root, units.load(root, "intake.service"), folder, doors=[door])
        site.start()          # ExecStartPre, ExecStart, ready, ExecStartPost
        site.restart()        # whoever comes meanwhile waits at the door
        site.stop()           # KillSignal, KillMode, TimeoutStopSec

Rules:
- ``root`` is the machine: a folder with a Debian in it, or ``/``. Root runs this; the programs run
  in the root as the unit's user, under ``setpriv``, in a namespace without network where the unit
  says so, and in one of mounts that are as the unit has them. Nothing of the caller's environment
  reaches them.
- What a unit says is done, or is one of `LEFT`, which only systemd does: a cgroup, a profile, a
  restart. A key that is neither is refused. So `left` says what was not executed.
- A socket is held here, as systemd holds it: while a service is down, visitors queue.
- A service is a group of processes; `Service.stop` leaves none of it. No mount outlives it either:
  they are in its own namespace.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.host.roots import OFFLINE
from tests.host.sandbox import limits, mounts, privileges
from tests.host.units import BadUnit, Line, Unit

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
START, STOP = 90.0, 90.0  # seconds, systemd's own
DONE = frozenset(
    {
        *("AmbientCapabilities", "CapabilityBoundingSet", "Environment", "EnvironmentFile"),
        *("ExecReload", "ExecStart", "ExecStartPost", "ExecStartPre", "ExecStop", "ExecStopPost"),
        *("Group", "KillMode", "KillSignal", "LimitCORE", "LimitNOFILE", "NoNewPrivileges"),
        *("NotifyAccess", "PermissionsStartOnly", "PrivateDevices", "PrivateNetwork"),
        *("PrivateTmp", "ProcSubset", "ProtectHome", "ProtectKernelTunables", "ProtectProc"),
        *("ProtectSystem", "ReadOnlyDirectories", "ReadOnlyPaths", "ReadWriteDirectories"),
        *("ReadWritePaths", "SupplementaryGroups", "TemporaryFileSystem", "TimeoutStartSec"),
        *("TimeoutStopSec", "Type", "UMask", "User", "WorkingDirectory"),
        *("Backlog", "ListenStream", "SocketGroup", "SocketMode", "SocketUser"),
        *("DirectoryMode", "RemoveOnStop"),
    }
)
LEFT = frozenset(
    {
        *("AppArmorProfile", "DevicePolicy", "IPAddressDeny", "KeyringMode", "LockPersonality"),
        *("MemoryDenyWriteExecute", "MemoryMax", "MemorySwapMax", "OOMPolicy", "PIDFile"),
        *("ProtectClock", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs"),
        *("ProtectKernelModules", "RemoveIPC", "Restart", "RestartSec"),
        *("RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime"),
        *("RestrictSUIDSGID", "SystemCallArchitectures", "SystemCallErrorNumber"),
        *("SystemCallFilter", "TasksMax"),
    }
)
BINDS = """
import os, socket, sys
made = socket.socket(fileno=int(sys.argv[1]))
os.chroot(sys.argv[2])
made.bind(sys.argv[3])
"""
HANDS_OVER = """
import os, sys
held = [int(word) for word in sys.argv[1].split()]
for number in held:
    os.set_inheritable(number, False)
for place, number in enumerate(held, 3):
    os.dup2(number, place)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Failed(Exception):  # noqa: N818 - it says what failed
    """A unit did not start or did not end well; the text has what it printed."""


def left(unit: Unit) -> list[str]:
    """Return the keys that only systemd does. Raises :class:`BadUnit` for one unknown here."""
    keys = unit.keys()
    if unknown := [key for key in keys if key not in DONE | LEFT]:
        raise BadUnit(f"{unit.name}: {', '.join(unknown)} cannot be done here. See services.py.")
    return [key for key in keys if key in LEFT]


@contextlib.contextmanager
def below(folder: Path) -> Iterator[str]:
    """Yield a short name of a folder: a socket's path has 107 bytes at most."""
    number = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def bind(made: socket.socket, root: Path, name: str) -> Path:
    """Give a socket its name in a root, as its processes will know it; return the path."""
    path = root / name.lstrip("/")
    path.unlink(missing_ok=True)
    with made.dup() as held:
        number = held.fileno()
        words = [sys.executable, "-c", BINDS, str(number), str(root), name]
        subprocess.run(words, pass_fds=[number], check=True)
    return path


def owner(root: Path, user: str, group: str) -> tuple[int, int]:
    """Return the numbers of a user and a group in a root; -1 where none is named."""
    found = []
    for name, file in ((user, "passwd"), (group, "group")):
        lines = (root / "etc" / file).read_text(encoding="utf-8").splitlines()
        numbers = {line.split(":")[0]: int(line.split(":")[2]) for line in lines}
        if name and name not in numbers:
            raise Failed(f"There is no {name} in {root / 'etc' / file}.")
        found.append(numbers[name] if name else -1)
    return found[0], found[1]


class Door:
    """A socket unit: held open from `start` to `stop`, over all restarts of its service."""

    def __init__(self, root: Path, unit: Unit) -> None:
        """Take the unit; nothing is opened yet."""
        left(unit)
        self.root, self.unit = root, unit
        self.name = unit.get("ListenStream")
        self.path = root / self.name.lstrip("/")
        self.socket: socket.socket | None = None

    def start(self) -> Self:
        """Make the socket, with the owner and mode that the unit says."""
        unit = self.unit
        for folder in reversed(self.path.parents):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(int(unit.get("DirectoryMode", "0755"), 8))
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        bind(self.socket, self.root, self.name)
        os.chown(self.path, *owner(self.root, unit.get("SocketUser"), unit.get("SocketGroup")))
        self.path.chmod(int(unit.get("SocketMode", "0666"), 8))
        self.socket.listen(int(unit.get("Backlog", "4096")))
        return self

    def stop(self) -> None:
        """Close it. Its name stays, as systemd leaves it."""
        if self.socket:
            self.socket.close()
        self.socket = None

    def connect(self) -> socket.socket:
        """Return a connection to it, as tor makes one."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with below(self.path.parent) as folder:
            client.connect(f"{folder}/{self.path.name}")
        return client

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


@dataclass
class Service:
    """A service unit.

    ``folder`` takes its log; ``extra`` are words after those of ExecStart; ``more`` is environment
    beside the unit's; ``network`` is the unit's own, the caller's (True), or none (False);
    ``before`` are words that the command of ExecStart is put behind, such as a tracer's.
    """

    root: Path
    unit: Unit
    folder: Path
    doors: Sequence[Door] = ()
    extra: Sequence[str] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    network: bool | None = None
    before: Sequence[str] = ()
    main: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        """Refuse a unit that says what cannot be done here."""
        self.left = left(self.unit)
        self.log = self.folder / f"{self.unit.name}.log"

    # Life.

    def start(self) -> Self:
        """Start it, and return when it is ready; a oneshot, when it has ended."""
        for line in self.unit.lines("ExecStartPre"):
            self.run(line)
        (line, *others) = self.unit.lines("ExecStart")
        if self.unit.get("Type") != "notify":
            self._spawn(line, {}, ())
        else:
            with self._notified() as (told, variables):
                self._spawn(line, variables, self.doors)
                self._wait_ready(told)
        if self.unit.get("Type") == "oneshot":
            for each in [None, *others]:
                if each:
                    self._spawn(each, {}, ())
                self._wait_end(line)
        for post in self.unit.lines("ExecStartPost"):
            self.run(post)
        return self

    def stop(self) -> int | None:
        """Stop it as the unit says; return how its main process ended."""
        if self.main is None:
            return None
        for line in self.unit.lines("ExecStop"):
            self.run(line)
        sign = signal.Signals[self.unit.get("KillSignal", "SIGTERM")]
        mode = self.unit.get("KillMode", "control-group")
        if mode not in {"control-group", "mixed"}:
            raise BadUnit(f"{self.unit.name}: KillMode={mode} cannot be done here.")
        main, self.main = self.main, None
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if mode == "control-group" else os.kill)(main.pid, sign)
        try:
            return main.wait(self.unit.seconds("TimeoutStopSec", STOP))
        except subprocess.TimeoutExpired:
            main.kill()
            return main.wait()
        finally:
            kill_group(main.pid)

    def kill(self) -> None:
        """Kill all of it at once, as a power cut does."""
        if self.main:
            kill_group(self.main.pid)
            self.main.wait()
        self.main = None

    def restart(self) -> Self:
        """Stop and start, as ``systemctl restart``."""
        self.stop()
        return self.start()

    def reload(self) -> None:
        """Run its ExecReload lines."""
        for line in self.unit.lines("ExecReload"):
            self.run(line)

    def alive(self) -> bool:
        """Return whether its main process runs."""
        return self.main is not None and self.main.poll() is None

    def wait(self, seconds: float) -> int | None:
        """Wait so long for its main process to end; return how it did, None if it has not."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.main.wait(seconds) if self.main else None
        return None

    def said(self) -> str:
        """Return all that it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Commands.

    def run(self, line: Line) -> str:
        """Run one of its other Exec lines to its end; return what it printed."""
        done = subprocess.run(
            self.command(line, OFFLINE, ()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=self.unit.seconds("TimeoutStartSec", START),
        )
        said = done.stdout.decode("utf-8", "replace")
        if done.returncode and not line.may_fail:
            raise Failed(f"{self.unit.name}: {' '.join(line.words)}\n{said}")
        return said

    def environment(self) -> dict[str, str]:
        """Return what its processes find in their environment."""
        found = {"PATH": PATH}
        if user := self.unit.get("User"):
            lines = (self.root / "etc/passwd").read_text(encoding="utf-8").splitlines()
            *_, home, shell = next(x for x in lines if x.startswith(f"{user}:")).split(":")
            found |= {"USER": user, "LOGNAME": user, "HOME": home, "SHELL": shell}
        found |= {**self.unit.environment(self.root), **self.more}
        return found | ({"MAINPID": str(self.main.pid)} if self.main else {})

    def command(
        self, line: Line, variables: Mapping[str, str], doors: Sequence[Door], *more: str
    ) -> list[str]:
        """Return the command that runs an Exec line as the unit says."""
        unit, given = self.unit, {**self.environment(), **variables}
        words = [*line.expanded(given), *more]
        # With PermissionsStartOnly, only ExecStart is behind the unit's walls.
        start_only = unit.yes("PermissionsStartOnly") and line not in unit.lines("ExecStart")
        plain = line.privileged or start_only
        steps = [] if plain else mounts(self.root, unit)
        if doors:
            names = ":".join(door.unit.name for door in doors)
            given |= {"LISTEN_FDS": str(len(doors)), "LISTEN_FDNAMES": names}
        place = unit.get("WorkingDirectory", "/")
        enter = ["chroot", str(self.root), "/usr/bin/env", "-i", f"--chdir={place}"]
        enter += [f"{name}={value}" for name, value in given.items()]
        after = [] if plain else [*limits(unit), *privileges(unit)]
        listen = "LISTEN_PID=$$ " if doors else ""
        steps += [
            f"umask {unit.get('UMask', '0022')}",
            f"exec {shlex.join(enter)} {listen}{shlex.join([*after, *words])}",
        ]
        apart = ["unshare", "--mount"]
        none = unit.yes("PrivateNetwork") if self.network is None else not self.network
        if none and not plain:
            apart.append("--net")
        return [*apart, "/bin/sh", "-euc", "\n".join(steps)]

    def _spawn(self, line: Line, variables: Mapping[str, str], doors: Sequence[Door]) -> None:
        held = [door.socket.fileno() for door in doors if door.socket]
        if len(held) < len(doors):
            raise Failed(f"{self.unit.name}: the socket that it needs is not started.")
        command = self.command(line, variables, doors, *self.extra)
        moved = [fcntl.fcntl(number, fcntl.F_DUPFD, 64) for number in held]  # out of their way
        try:
            with self.log.open("ab") as log:
                self.main = subprocess.Popen(
                    [
                        sys.executable,
                        "-c",
                        HANDS_OVER,
                        " ".join(map(str, moved)),
                        *self.before,
                        *command,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=moved,
                    process_group=0,
                )
        finally:
            for number in moved:
                os.close(number)

    @contextlib.contextmanager
    def _notified(self) -> Iterator[tuple[socket.socket, dict[str, str]]]:
        """Yield the socket on which it says that it is ready, and the variable that names it."""
        name = f"/run/systemd/{self.unit.name}.notify"
        (self.root / "run/systemd").mkdir(parents=True, exist_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            path = bind(told, self.root, name)
            path.chmod(0o777)
            try:
                yield told, {"NOTIFY_SOCKET": name}
            finally:
                path.unlink(missing_ok=True)

    def _wait_ready(self, told: socket.socket) -> None:
        until = time.monotonic() + self.unit.seconds("TimeoutStartSec", START)
        told.settimeout(0.2)
        while time.monotonic() < until:
            if not self.alive():
                break
            with contextlib.suppress(TimeoutError):
                if b"READY=1" in told.recv(4096).split(b"\n"):
                    return
        said = self.said()
        self.kill()
        raise Failed(f"{self.unit.name} did not become ready.\n{said}")

    def _wait_end(self, line: Line) -> None:
        if self.main is None:
            return
        main = self.main
        try:
            code = main.wait(self.unit.seconds("TimeoutStartSec", float("1e6")))
        finally:
            self.kill()
        if code and not line.may_fail:
            raise Failed(f"{self.unit.name} ended with {code}.\n{self.said()}")


def kill_group(number: int) -> None:
    """Kill what is left of a group of processes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, signal.SIGKILL)
