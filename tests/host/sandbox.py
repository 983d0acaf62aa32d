"""The walls of a unit, as commands: limits, privileges, and a namespace of mounts.

Rules:
- Each function returns what a shell or a command line takes, so that a reader sees what is done.
- The mounts are those of systemd.exec(5): made in a namespace of their own, in the order that lets
  a folder be written inside of one that cannot, and gone with the last process.
- A path that a unit may write and that is not there fails, as in systemd; with ``-`` it is left.
"""

from __future__ import annotations

import resource
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.host.units import BadUnit, Unit

DEVICES = "null zero full random urandom tty"
SYSTEM = {"full": ["usr", "boot", "etc"], "yes": ["usr", "boot"]}  # what ProtectSystem closes


def limits(unit: Unit) -> list[str]:
    """Return the words that set a unit's limits; none above the hard one that this process has."""
    words = []
    for key, own in (("LimitCORE", resource.RLIMIT_CORE), ("LimitNOFILE", resource.RLIMIT_NOFILE)):
        if value := unit.get(key):
            hard = resource.getrlimit(own)[1]
            most = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
            words.append(f"--{key.removeprefix('Limit').lower()}={most}:{most}")
    return ["prlimit", *words] if words else []


def privileges(unit: Unit) -> list[str]:
    """Return the words that take away what a unit's processes may not do."""
    words = ["setpriv", "--inh-caps=-all", "--ambient-caps=-all"]
    if unit.says("CapabilityBoundingSet"):
        kept = unit.words("CapabilityBoundingSet")
        if any(not name.startswith("CAP_") for name in kept):
            raise BadUnit(f"{unit.name}: CapabilityBoundingSet= is none that is known here.")
        names = [f"+{name.removeprefix('CAP_').lower()}" for name in kept]
        words.append(f"--bounding-set={','.join(['-all', *names])}")
    if unit.words("AmbientCapabilities"):
        raise BadUnit(f"{unit.name}: AmbientCapabilities= is not known here, but for none.")
    if user := unit.get("User"):
        words += [f"--reuid={user}", f"--regid={unit.get('Group') or user}", "--init-groups"]
    if unit.yes("NoNewPrivileges"):
        words.append("--no-new-privs")
    return [*words, "--"]


def mounts(root: Path, unit: Unit) -> list[str]:
    """Return the commands that make a namespace of mounts as the unit has it."""
    view = View(str(root).rstrip("/"), unit)
    return [
        f"mount --rbind {view.at('/')} {view.at('/')}",
        *view.paths(),
        *view.empty(),
        *view.processes(),
        *view.devices(),
    ]


@dataclass(frozen=True, slots=True)
class View:
    """What of the machine below ``top`` a unit sees, and what it can write."""

    top: str
    unit: Unit

    def at(self, path: str) -> str:
        """Return where a path of the machine is, for a shell."""
        return shlex.quote(f"{self.top}/{path.strip('/')}".rstrip("/") or "/")

    def listed(self, *keys: str) -> Iterator[tuple[str, bool]]:
        """Yield the paths of some keys, and whether each may be missing."""
        for path in (path for key in keys for path in self.unit.words(key)):
            yield path.lstrip("-+"), path.startswith("-")

    def paths(self) -> Iterator[str]:
        """Yield what makes paths writable, and the others not."""
        written = list(self.listed("ReadWritePaths", "ReadWriteDirectories"))
        for path, optional in written:
            bind = f"mount --bind {self.at(path)} {self.at(path)}"
            yield f"! test -e {self.at(path)} || {bind}" if optional else bind
        closed = [path for path, _ in self.listed("ReadOnlyPaths", "ReadOnlyDirectories")]
        if self.unit.get("ProtectSystem") == "strict" or "/" in closed:
            open_ = ("proc", "sys", "dev", *(path for path, _ in written))
            keep = "|".join(f"{self.at(path)}|{self.at(path)}/*" for path in open_)
            here = f"{self.at('/')}|{shlex.quote(self.top)}/*"
            yield (
                f"findmnt -rno TARGET | while read -r each; do case $each in {keep}) ;; "
                f'{here}) mount -o remount,bind,ro "$each" ;; esac; done'
            )
        for path in (*closed, *SYSTEM.get(self.unit.get("ProtectSystem"), [])):
            if path != "/":
                yield self.read_only(self.at(path))

    @staticmethod
    def read_only(*paths: str) -> str:
        """Return what closes those of the paths that are there."""
        return (
            f"for each in {' '.join(paths)}; do ! test -e $each || "
            "{ mount --bind $each $each; mount -o remount,bind,ro $each; }; done"
        )

    def empty(self) -> Iterator[str]:
        """Yield what puts empty folders over others."""
        if self.unit.yes("PrivateTmp"):
            for path in ("tmp", "var/tmp"):
                yield f"mount -t tmpfs -o mode=1777 tmpfs {self.at(path)}"
        for word in self.unit.words("TemporaryFileSystem"):
            path, _, options = word.partition(":")
            options = ",".join(["mode=0755", "nosuid", "nodev", *options.split(",")]).rstrip(",")
            yield f"mount -t tmpfs -o {options} tmpfs {self.at(path)}"
        if self.unit.yes("ProtectHome"):
            for path in ("home", "root", "run/user"):
                at = self.at(path)
                yield f"! test -e {at} || mount -t tmpfs -o ro,mode=0 tmpfs {at}"

    def processes(self) -> Iterator[str]:
        """Yield what shows in /proc what the unit shows."""
        proc, options = self.at("proc"), []
        if hidden := self.unit.get("ProtectProc"):
            options.append(f"hidepid={hidden}")
        if self.unit.get("ProcSubset") == "pid":
            options.append("subset=pid")
        if options:
            yield f"mount -t proc -o {','.join(options)} proc {proc}"
        if self.unit.yes("ProtectKernelTunables"):
            yield self.read_only(*(f"{proc}/{name}" for name in ("sys", "irq", "bus", "fs")))

    def devices(self) -> Iterator[str]:
        """Yield what leaves of /dev what the unit leaves."""
        if not self.unit.yes("PrivateDevices"):
            return
        dev = self.at("dev")
        yield "new=$(mktemp -d)"
        yield "mount -t tmpfs -o mode=0755,nosuid,noexec dev $new"
        yield (
            f"for each in {DEVICES}; do touch $new/$each; mount --bind {dev}/$each $new/$each; done"
        )
        yield f"mkdir $new/shm; mount --rbind {dev}/shm $new/shm"
        yield f"mount --move $new {dev}"
        yield "rmdir $new"
