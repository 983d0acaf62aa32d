"""What cannot be made again, in one file under a passphrase.

In it: the onion's keys and whom they let in, the bundle key, the keyring in force and its record,
the last numbers of bundles and returns, the saved day, the settings. Not in it: rows, which a
bundle carries as often as one likes until they are acknowledged, and replies, which the desk sends
again (``desk acknowledge --after``).

The file is a tar in an age file. ``age`` itself asks for the passphrase on the terminal, or makes
one up; stock ``age -d`` and ``tar`` open it without us. No member has a time.

Rules:
- Nothing of it is ever in clear on a disk but where it belongs: it goes through memory and pipes.
- A backup is read as a stranger's file: names, kinds and sizes that no backup has refuse all of it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import os
import re
import stat
import subprocess
import tarfile
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deploy.host import machine as machines
from deploy.host.machine import USER, Machine, say
from intake import files
from intake.errors import BadFile, MachineTrouble, Misuse, WrongPassphrase

FORMAT = b"intake backup 1\n"
LABEL = "intake-backup"
_MOST = 1 << 24  # bytes of all of it
_ONE = 1 << 20  # bytes of one file


class Kind(NamedTuple):
    """Files of one folder: their names, whose they are, and with which mode."""

    folder: str
    names: re.Pattern[str]
    owner: str
    mode: int


_ONION = re.compile(r"hostname|hs_ed25519_(public|secret)_key")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}\.auth")
KINDS = (
    Kind(
        "var/lib/intake/data",
        re.compile(r"bundle\.key|bundles(\.pending)?|returns|floor|installed"),
        *(USER, files.PRIVATE),
    ),
    Kind("var/lib/intake/keys", re.compile("keyring"), USER, files.PUBLIC),
    Kind("etc/intake", re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"), "root", files.PUBLIC),
    Kind("etc/tor/intake.d", re.compile(r"[a-z0-9-]{1,32}\.conf"), "root", files.PUBLIC),
    *(
        Kind(f"var/lib/tor/{name}", _ONION, machines.TOR, files.PRIVATE)
        for name in ("intake", "intake-admin")
    ),
    *(
        Kind(f"var/lib/tor/{name}/authorized_clients", _CLIENT, machines.TOR, files.PRIVATE)
        for name in ("intake", "intake-admin")
    ),
)


def kind_of(name: str) -> Kind | None:
    """Return the kind of a member's name, None if it is no name of ours."""
    folder, _, last = name.rpartition("/")
    kinds = (kind for kind in KINDS if kind.folder == folder and kind.names.fullmatch(last))
    return next(kinds, None)


def here(machine: Machine) -> dict[str, bytes]:
    """Return all that a backup has of this server, by name. Links are no files of ours."""
    found = {}
    for kind in KINDS:
        folder = machine.at(kind.folder)
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if kind.names.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
                found[f"{kind.folder}/{path.name}"] = files.read(path, _ONE)
    return found


def pack(content: dict[str, bytes]) -> bytes:
    """Return a tar of these files, without times or owners."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in {LABEL: FORMAT, **content}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), files.PRIVATE
            tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """Return the files of a backup. Raises :class:`BadFile` for anything that is none of ours."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
            for member in tar:
                kind = kind_of(member.name)
                # Dangerous line: root writes what passes here.
                if not member.isreg() or (kind is None and member.name != LABEL):
                    raise foreign(f"{member.name!a} is in it, which no backup has")
                file = tar.extractfile(member) if member.size <= _ONE else None
                if file is None or member.name in found:
                    raise foreign(f"{member.name!a} is too large, or in it twice")
                found[member.name] = file.read()
    except (tarfile.TarError, EOFError, ValueError):
        raise foreign("it is no tar") from None
    if found.pop(LABEL, b"") != FORMAT or "var/lib/intake/data/bundle.key" not in found:
        raise foreign("it has no bundle key, or is of another version")
    return found


def foreign(why: str) -> BadFile:
    """Return the refusal of a file that is no backup."""
    return BadFile(f"This is no backup of ours: {why}.", "Nothing was changed. Try an older one.")


def save(machine: Machine, path: Path) -> None:
    """Write a backup to ``path``; ``age`` asks for the passphrase. Raises :class:`Refused`."""
    if os.path.lexists(path):
        raise Misuse(f"{path} exists already.", "Choose another name, or move the old one away.")
    for name in machines.OWNED[:2]:
        if path.absolute().is_relative_to(machine.at(name)):
            what = "A backup does not belong into a folder of the site, which would not start."
            raise Misuse(what, "Write it to /root, and carry it away from there.")
    with Quiet(machine):
        content = here(machine)
    if "var/lib/intake/data/bundle.key" not in content:
        raise Misuse("There is no bundle key on this server.", "Install first.")
    partial = path.with_name(f".{path.name}.partial")
    say(f"{len(content)} files. age asks for a passphrase; press Enter, and it makes one up.")
    say("Write it on paper, and keep the paper apart from the file: without it, nobody opens it.")
    try:
        _age(["-p", "-o", str(partial)], pack(content))
        with files.troubled(path):
            with partial.open("rb") as file:
                os.fsync(file.fileno())
            partial.rename(path)
            files.sync_folder(path.absolute().parent)
    finally:
        partial.unlink(missing_ok=True)
    say(f"{path} is there.", f"  sha256   {hashlib.sha256(path.read_bytes()).hexdigest()}")
    say(*describe(content), f"  → Try it, now: intake-host restore --check {path}")
    if "var/lib/tor/intake/hs_ed25519_secret_key" not in content:
        say("It has no key of the onion: tor has not made one yet. Make another backup then.")


def read(path: Path) -> dict[str, bytes]:
    """Return what is in a backup; ``age`` asks for the passphrase. Raises :class:`Refused`."""
    if not path.is_file():
        raise Misuse(f"There is no file {path}.", "Check the name, then run it again.")
    return unpack(_age(["-d", str(path)], b""))


def _age(words: list[str], given: bytes) -> bytes:
    """Run age, which asks on the terminal; after Ctrl-C, what is typed is seen again."""
    try:
        with _terminal():
            done = subprocess.run(
                ["age", *words],  # noqa: S607 - Debian's, wherever it is
                input=given,
                stdout=subprocess.PIPE,
                umask=0o077,
                check=False,
            )
    except FileNotFoundError:
        raise MachineTrouble("There is no age here.", "Install it: apt install age") from None
    if done.returncode:
        hint = "Nothing was changed. It says why above; then run it again."
        raise WrongPassphrase("age did not do it.", hint)
    if len(done.stdout) > _MOST:
        raise foreign("it is too large")
    return done.stdout


@contextlib.contextmanager
def _terminal() -> Iterator[None]:
    try:
        with Path("/dev/tty").open("rb") as keys:
            modes = termios.tcgetattr(keys)
            try:
                yield
            finally:
                termios.tcsetattr(keys, termios.TCSANOW, modes)
    except OSError:
        what = "There is no terminal to ask for a passphrase on."
        raise Misuse(what, "Run it in a terminal; over SSH: ssh -t.") from None


def describe(content: dict[str, bytes]) -> Iterator[str]:
    """Say what a backup has, in a few lines; no secret among them."""
    address = content.get("var/lib/tor/intake/hostname", b"none").decode("ascii", "replace")
    yield f"  address  {address.strip()}"
    for name in ("bundles", "returns"):
        mark = content.get(f"var/lib/intake/data/{name}", b"")
        number = re.search(rb'"number":(\d+)', mark)
        yield f"  last     {name.removesuffix('s')} {number[1].decode() if number else 0}"
    for name in content:
        yield f"           {name}"


class Quiet:
    """While nobody exports, acknowledges or installs a keyring: their lock, if it is there."""

    def __init__(self, machine: Machine) -> None:
        """Take note of where it is."""
        self._path = machine.at("/var/lib/intake/data/exporting")
        self._held: int | None = None

    def __enter__(self) -> None:
        """Hold it. Raises :class:`MachineTrouble` if somebody else does."""
        if not self._path.exists():
            return
        self._held = os.open(self._path, os.O_RDONLY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._held)
            what = "An export, acknowledge or keyring install is running."
            raise MachineTrouble(what, "Wait until it is done, then run it again.") from None

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        if self._held is not None:
            os.close(self._held)
