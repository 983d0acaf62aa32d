"""The server: where things are, who owns them, and how a program runs as the site's user.

Rules:
- A file appears whole or not at all (``intake.files``), and only if it differs from what is there.
- Whatever others could read of the data is refused, never repaired in silence: somebody may have.
- With another root than ``/`` no user is made, no owner set and no service touched, and programs
  run as whoever calls. That is for tests; a whole system in a folder is entered with chroot first.
- systemd is asked only where it runs. In a chroot or container it does not, and that is said.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import resource
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from intake import files
from intake.errors import MachineTrouble, Misuse, Unsafe

USER = "intake"
TOR = "debian-tor"
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# Each folder of ours, its mode and its owner. The data are beneath the first two.
FOLDERS = (
    ("/var/lib/intake/data", 0o700, USER),
    ("/var/lib/intake/keys", 0o755, USER),
    ("/srv/intake", 0o750, USER),
    ("/opt/intake/releases", 0o755, "root"),
    ("/etc/intake", 0o755, "root"),
    ("/etc/tor/intake.d", 0o755, "root"),
)
OWNED = tuple(name for name, _, owner in FOLDERS if owner == USER)


def say(*lines: str) -> None:
    """Print lines, each at once: whoever waits sees how far it is. Nobody has to listen."""
    with contextlib.suppress(OSError):  # the connection broke; the work goes on
        for line in lines:
            print(line, flush=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """A server whose files are below ``root``."""

    root: Path = Path("/")

    def at(self, name: str) -> Path:
        """Return where the absolute path ``name`` of the server is."""
        return self.root / name.lstrip("/")

    @property
    def real(self) -> bool:
        """Whether this is the running system, and no folder of a test."""
        return self.root == Path("/")

    @property
    def python(self) -> str:
        """The system's Python; in a test, the one that runs this."""
        return "/usr/bin/python3" if self.real else sys.executable

    @property
    def systemd(self) -> bool:
        """Whether systemd runs here (sd_booted(3))."""
        return self.at("/run/systemd/system").is_dir()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock. Raises :class:`MachineTrouble` if another command has it."""
        folder = self.at("/opt/intake")
        with files.troubled(folder):
            folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "Somebody else is installing, going back or restoring on this server."
            os.close(held)
            raise MachineTrouble(what, "Wait until that is done, then run it again.") from None
        try:
            yield
        finally:
            os.close(held)

    def users(self) -> list[str]:
        """Make the site's user and group; return the names of what was made."""
        if not self.real or _known(USER):
            return []
        self.run(
            *("useradd", "--system", "--user-group", "--no-create-home"),
            *("--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", USER),
        )
        return [USER]

    def folder(self, name: str, mode: int, owner: str) -> bool:
        """Make a folder, or put its mode and owner right; return whether that changed anything.

        Raises :class:`Unsafe` if it is to be closed, and others can enter it.
        """
        path = self.at(name)
        with files.troubled(path):
            new = not path.exists()
            if new:
                path.mkdir(mode=0o700, parents=True)
            found = path.lstat()
            if not stat.S_ISDIR(found.st_mode):
                raise Misuse(f"{path} is no folder.", "Move it away, then run it again.")
            if not new and mode == files.PRIVATE | stat.S_IXUSR and found.st_mode & _OTHERS:
                what = f"Other users of this machine can enter {path}."
                raise Unsafe(what, f"Close it, and find out who looked: chmod 700 {path}")
            return any([new, self.settle(path, owner, mode)])

    def settle(self, path: Path, owner: str, mode: int | None = None) -> bool:
        """Put owner and mode of a file or folder right; return whether they were wrong.

        Raises :class:`Unsafe` for a link or a second name: it would be another's file.
        """
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with files.troubled(path):
            if path.is_symlink():
                raise Unsafe(f"{path} is a link.", "Find out who made it, and move it away.")
            opened = os.open(path, how)
            try:
                return self._settle(opened, path, owner, mode)
            finally:
                os.close(opened)

    def _settle(self, opened: int, path: Path, owner: str, mode: int | None) -> bool:
        found = os.fstat(opened)
        whose = (found.st_uid, found.st_gid)
        wanted = _known(owner) if self.real else whose
        if wanted is None:
            hint = "Install the package that makes it, then run it again: sh deploy/install.sh"
            raise MachineTrouble(f"This machine has no user {owner}.", hint)
        if whose == wanted and mode in {None, stat.S_IMODE(found.st_mode)}:
            return False
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            raise Unsafe(f"{path} has a second name.", "Find out which, and move this one away.")
        if whose != wanted:
            os.fchown(opened, *wanted)
        if mode is not None:
            os.fchmod(opened, mode)
        return True

    def own_all(self) -> list[Path]:
        """Give what is in the site's folders to the site; return what was another's."""
        found = [each for name in OWNED for each in sorted(self.at(name).rglob("*"))]
        return [each for each in found if self._settled(each)]

    def _settled(self, path: Path) -> bool:
        try:
            return self.settle(path, USER)
        except MachineTrouble:
            if os.path.lexists(path):
                raise
            return False  # a journal that came and went

    def put(self, name: str, data: bytes, mode: int = files.PUBLIC, owner: str = "root") -> bool:
        """Write a file of the system if it differs; return whether it did."""
        path = self.at(name)
        with files.troubled(path):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            for left in path.parent.glob(f".{path.name}.*.partial"):
                left.unlink()
        there = path.is_file() and not path.is_symlink() and path.read_bytes() == data
        if not there:
            files.write(path, data, mode)
        return any([not there, self.settle(path, owner, mode)])

    def settings(self) -> dict[str, str]:
        """Return what ``site.env`` says, as systemd reads it."""
        path = self.at("/etc/intake/site.env")
        found = {}
        for line in files.read(path, 1 << 16).decode("utf-8", "replace").splitlines():
            name, sign, value = line.strip().partition("=")
            if sign and not name.startswith("#"):
                quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
                found[name.strip()] = value[1:-1] if quoted else value
        return found

    def environment(self) -> dict[str, str]:
        """Return what the site's programs are told: the settings, and nothing of the caller's."""
        kept = {name: os.environ[name] for name in ("TERM",) if name in os.environ}
        fixed = {"PATH": SEARCH, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
        return kept | fixed | self.settings()

    def run(self, *words: object) -> str:
        """Run a program of the system; return what it printed. Raises :class:`MachineTrouble`."""
        return _done([str(word) for word in words], None)

    def as_site(self, release: Path, *words: object) -> str:
        """Run Python of a release as the site's user, in its folder; return what it printed."""
        return _done(self._python(release, words), self, cwd=release)

    def talk(self, release: Path, *words: object) -> int:
        """Run Python of a release as the site's user, on this terminal; return how it ended.

        Names of files count from where the caller is.
        """
        os.umask(0o077)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        named = {"INTAKE_CALLED": "intake-admin"}  # what its hints say to type next
        own = self.environment() | {"PYTHONPATH": str(release)} | named
        command = self._python(release, ("-P", *words))
        done = subprocess.run(command, env=own, check=False, **self._rights())  # type: ignore[call-overload]
        return int(done.returncode)

    @staticmethod
    def _python(release: Path, words: Sequence[object]) -> list[str]:
        return [str(release / "venv/bin/python"), *map(str, words)]

    def _rights(self) -> dict[str, object]:
        if not self.real:
            return {}
        return {"user": USER, "group": USER, "extra_groups": []}

    def systemctl(self, *words: str) -> str:
        """Ask systemd. Raises :class:`MachineTrouble` with what it says."""
        return self.run("systemctl", *words)


def _done(command: list[str], site: Machine | None, cwd: Path | None = None) -> str:
    own = site.environment() if site else os.environ | {"LC_ALL": "C.UTF-8"}
    rights = site._rights() if site else {}  # noqa: SLF001 - a function of this module
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            command,
            cwd=cwd,
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            umask=0o077 if site else -1,
            **rights,
        )
    except OSError as error:
        raise files.trouble(error, Path(command[0])) from None
    if done.returncode:
        last = "\n".join(str(done.stdout).strip().splitlines()[-12:])
        raise MachineTrouble(f"This failed: {' '.join(command)}\n{last}", "It says why above.")
    return str(done.stdout)


def _known(name: str) -> tuple[int, int] | None:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid


def remove(path: Path) -> None:
    """Remove a folder of a release that is no more in force; nothing else is ever removed."""
    with files.troubled(path):
        shutil.rmtree(path)
