"""A bare Debian in a folder: made by debootstrap, kept as an archive, and entered.

Rules:
- Only root can make or enter one. `missing` says what this machine lacks.
- Packages come from wherever this machine's apt takes Debian's, and Python's from wherever its pip
  does: both are asked when they are needed, and nothing of it is written into the project. Where
  apt has no mirror of Debian's, HOST_MIRROR names one.
- An archive is made once, in ``.host/``; its name says what went into it.
- Mounts are made in a namespace of this process alone (`private_mounts`), and whatever runs in a
  root is in a namespace of processes: so both are gone with whoever made them, whatever happens.
- systemd is not the first process in a root, and ``systemctl`` is told so: it enables units, and
  says of the rest that it ignores it.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import hashlib
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intake.settings import ROOT

KEPT = ROOT / ".host"
SUITES = ("bookworm", "trixie")  # Debian 12 and 13
INCLUDED = ("procps", "systemd-sysv")  # what any Debian that boots has, and minbase has not
TOOLS = ("debootstrap", "chroot", "mount", "tar", "unshare", "setpriv", "prlimit", "findmnt")
NODES = ("null", "zero", "full", "random", "urandom", "tty")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CLONE_NEWNS = 0x20000
OFFLINE = {"SYSTEMD_OFFLINE": "1"}  # systemctl sees it by itself, but not behind every wall
DISK = "5g"  # at most, in memory; a bare Debian with Intake is a tenth of it
FAR = 1800  # seconds for a download
# What is no part of an installation: other file systems, and what apt and the clock write.
PASSING = re.compile(
    r"(proc|sys|dev|run|tmp|checkout|machine)(/|$)"
    r"|var/(cache|tmp)/|var/log/(apt|alternatives|dpkg)|var/lib/(apt|dpkg|systemd)/|etc/(hosts|resolv\.conf)$|.*/__pycache__(/|$)"
)


class NoRoot(Exception):  # noqa: N818 - it says what is missing
    """This machine cannot make a root."""


def missing() -> str:
    """Return what this machine lacks for a root; an empty text if nothing."""
    if os.geteuid():
        return "only root can make a Debian in a folder and enter it"
    lacks = [tool for tool in TOOLS if not shutil.which(tool)]
    return f"not installed: {', '.join(lacks)}" if lacks else ""


@functools.cache
def private_mounts() -> None:
    """Let mounts from here on be seen by this process and its children only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    command("mount", "--make-rprivate", "/")


def command(*words: object) -> subprocess.CompletedProcess[str]:
    """Run a command on this machine. Raises with all that it printed."""
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NoRoot(f"{' '.join(map(str, words))} ended with {done.returncode}.\n{done.stderr}")
    return done


def sources(suite: str) -> dict[str, str]:
    """Return the mirror of each of Debian's archives for a suite, by the archive's name."""
    if mirror := os.environ.get("HOST_MIRROR"):
        return {suite: mirror}
    asked = "$(ORIGIN)|$(COMPONENT)|$(RELEASE)|$(SITE)"
    lines = command("apt-get", "indextargets", "--format", asked).stdout.splitlines()
    found = {}
    for line in lines:
        origin, component, release, site = line.split("|")
        if (origin, component) == ("Debian", "main"):
            found[re.sub(r"^[a-z]+", suite, release)] = site
    if suite not in found:
        raise NoRoot("This machine's apt has no mirror of Debian: name one in HOST_MIRROR.")
    return dict(sorted(found.items()))


def apt_settings() -> str:
    """Return how this machine's apt fetches: proxies, and which dates it believes."""
    lines = command("apt-config", "dump").stdout.splitlines()
    wanted = re.compile(r"Acquire::(http|https|Check-Date|Check-Valid-Until|Retries)\b.* \"[^\"]")
    return "".join(f"{line}\n" for line in lines if wanted.match(line))


@functools.cache
def pip_settings() -> tuple[dict[str, str], Path | None]:
    """Return how this machine's pip fetches, as its variables, and a file of certificates."""
    lines = command("python3", "-m", "pip", "config", "list").stdout.splitlines()
    found, certificates = {}, None
    for line in lines:
        if setting := re.fullmatch(r"(?::env:|global)\.([a-z-]+)='(.*)'", line):
            name, value = setting[1], setting[2]
            if name == "cert":
                certificates = Path(value)
            elif name in {"index-url", "trusted-host", "default-timeout", "proxy", "retries"}:
                found[f"PIP_{name.replace('-', '_').upper()}"] = value
    found |= {
        k: v
        for k, v in os.environ.items()
        if re.fullmatch(r"https?_proxy|no_proxy", k, re.IGNORECASE)
    }
    return found, certificates


def archive(suite: str) -> Path:
    """Return the archive of a bare Debian, made if there is none yet."""
    key = hashlib.sha256(" ".join((suite, *INCLUDED)).encode()).hexdigest()[:12]
    path = KEPT / f"{suite}-{key}.tar"
    KEPT.mkdir(exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            for old in KEPT.glob(f"{suite}-*.tar*"):
                old.unlink()
            made, part = KEPT / suite, path.with_suffix(".tar.part")
            remove(made)
            options = ("--variant=minbase", f"--include={','.join(INCLUDED)}")
            command("debootstrap", *options, suite, made, sources(suite)[suite])
            command("tar", "--one-file-system", "-C", made, "-cf", part, ".")
            part.rename(path)
            remove(made)
    return path


def disk(path: Path) -> None:
    """Make a folder that is a disk of its own, in memory."""
    path.mkdir()
    command("mount", "-t", "tmpfs", "-o", f"mode=0755,size={DISK}", "tmpfs", path)


def remove(folder: Path) -> None:
    """Remove a root; nothing of another file system, should one still be mounted there."""
    if folder.exists():
        command("rm", "-rf", "--one-file-system", folder)


def ended(
    command: list[str], shown: tuple[object, ...], given: str | None, code: int | None
) -> str:
    """Run a command to its end; return what it printed. ``code=None`` lets it end as it will."""
    done = subprocess.run(
        command,
        input=given,
        stdin=None if given is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=FAR,
    )
    said = f"{' '.join(map(str, shown))}: {done.returncode}\n{done.stdout}"
    assert code is None or done.returncode == code, said
    return done.stdout


@dataclass(frozen=True, slots=True)
class Root:
    """A Debian in a folder. :meth:`mount` comes first, :meth:`unmount` last."""

    path: Path

    @classmethod
    def bare(cls, suite: str, path: Path) -> Root:
        """Unpack a bare Debian, which fetches as this machine does, and mount what it needs."""
        disk(path)
        command("tar", "-C", path, "-xpf", archive(suite), "--numeric-owner")
        root = cls(path)
        lines = [f"deb {site} {release} main\n" for release, site in sources(suite).items()]
        root.write("/etc/apt/sources.list", "".join(lines))
        root.write("/etc/apt/apt.conf.d/99machine", apt_settings())
        root.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)  # no daemon starts
        root.mount()
        return root

    def copy(self, path: Path) -> Root:
        """Return a second machine that is as this one, mounted."""
        self.unmount()
        disk(path)
        try:
            command("cp", "-a", "--one-file-system", f"{self.path}/.", path)
        finally:
            self.mount()
        other = Root(path)
        other.mount()
        return other

    def mount(self) -> None:
        """Give it the file systems of a machine that runs, each of its own but for /proc."""
        for name, options in (("dev", "mode=0755"), ("run", "mode=0755"), ("tmp", "mode=1777")):
            command("mount", "-t", "tmpfs", "-o", options, "tmpfs", self.path / name)
        for name in NODES:
            (self.path / "dev" / name).touch()
            command("mount", "--bind", f"/dev/{name}", self.path / "dev" / name)
        for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1")):
            (self.path / "dev" / name).symlink_to(f"/proc/self/{target}")
        (self.path / "dev/ptmx").symlink_to("pts/ptmx")
        for name, kind, options in (
            ("dev/shm", "tmpfs", "mode=1777"),
            ("dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=620,gid=5"),
            ("proc", "proc", "nosuid"),
        ):
            (self.path / name).mkdir(exist_ok=True)
            command("mount", "-t", kind, "-o", options, kind, self.path / name)
        for name in ("hosts", "resolv.conf"):
            shutil.copyfile(f"/etc/{name}", self.path / "etc" / name)
        if certificates := pip_settings()[1]:
            shutil.copyfile(certificates, self.path / "run/certificates.pem")

    def unmount(self) -> None:
        """Take the file systems away again."""
        for name in ("proc", "tmp", "run", "dev"):
            if os.path.ismount(self.path / name):
                command("umount", "--recursive", self.path / name)

    def remove(self) -> None:
        """Take it away."""
        command("umount", "--recursive", self.path)

    def at(self, path: str) -> Path:
        """Return where a path of the machine is on this one."""
        return self.path / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the machine's root."""
        self.at(path).parent.mkdir(parents=True, exist_ok=True)
        self.at(path).write_text(text, encoding="utf-8")
        self.at(path).chmod(mode)

    @staticmethod
    def certificates() -> Path | None:
        """Return this machine's file of certificates, if its pip has one of its own."""
        return pip_settings()[1]

    def environment(self) -> dict[str, str]:
        """Return what root finds in it after logging in, and how pip fetches."""
        given = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb"}
        if self.certificates():
            given["PIP_CERT"] = "/run/certificates.pem"
        return {**given, **pip_settings()[0]}

    def entered(self, *words: object, more: Mapping[str, str] | None = None) -> list[str]:
        """Return the command that runs ``words`` in it, as root after logging in."""
        apart = ["unshare", "--pid", "--fork", "--kill-child"]
        enter = ["chroot", str(self.path), "/usr/bin/env", "-i", "--chdir=/root"]
        variables = [
            f"{name}={value}" for name, value in {**self.environment(), **(more or {})}.items()
        ]
        return [*apart, *enter, *variables, *map(str, words)]

    def run(
        self,
        *words: object,
        given: str | None = None,
        code: int | None = 0,
        more: Mapping[str, str] | None = None,
    ) -> str:
        """Run a command in it; return what it printed. ``code=None`` lets it end as it will."""
        return ended(self.entered(*words, more=more), words, given, code)

    def bring(self, files: Sequence[Path], source: Path, to: str = "/checkout") -> None:
        """Copy files of a checkout in, as ``git clone`` would leave them."""
        remove(self.at(to))
        for file in files:
            target = self.at(to) / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target, follow_symlinks=False)

    def tree(self, *below: str) -> dict[str, tuple[object, ...]]:
        """Return what is in it, by path: kind and mode, owners, and a hash of what it holds."""
        found: dict[str, tuple[object, ...]] = {}
        for path in self.paths(*below):
            seen = path.lstat()
            held = ""
            if stat.S_ISLNK(seen.st_mode):
                held = str(path.readlink())
            elif stat.S_ISREG(seen.st_mode):
                held = hashlib.sha256(path.read_bytes()).hexdigest()
            name = str(path.relative_to(self.path))
            found[name] = (stat.filemode(seen.st_mode), seen.st_uid, seen.st_gid, held)
        return found

    def paths(self, *below: str) -> Iterator[Path]:
        """Yield everything in it, or below some of its folders, but for what passes."""
        stack = [self.at(name) for name in below or ("",)]
        while stack:
            for path in sorted(stack.pop().iterdir()):
                if PASSING.match(str(path.relative_to(self.path))):
                    continue
                yield path
                if path.is_dir() and not path.is_symlink():
                    stack.append(path)


def checkout() -> list[Path]:
    """Return the files of this checkout: those that git has, and those that it would take."""
    listed = command("git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard").stdout
    found = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in found if path.exists()]
