"""A release: what a server needs of a checkout, with its own Python, under its content's name.

Procedure of :func:`build`:
1. Read what is shipped. The hash of names and bytes is the release's name, so the same content is
   the same release, and a release that somebody changed is seen.
2. If that release is there, unchanged, and loads the site: nothing is to be done.
3. Copy, into a folder that has another name yet.
4. A venv of the system's Python, filled from ``requirements/server.txt``: wheels only, each checked
   against its hash; without pip, and without whatever else could be run by name.
5. Compile, so that nobody ever has to write there.
6. Load the site with it, as the site's user and with the site's settings.
7. Sync the disk, and give it its name.

What a crash leaves: before (7), a folder that the next run removes. Nothing of this touches a
release that is in force; :mod:`deploy.host.switching` does.

Rules:
- What opens, and what only reviewers and roots need, never reaches a server (``ABSENT``).
- A release belongs to root, and the site cannot write to it.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

from deploy.host.machine import Machine, remove, say
from intake import files
from intake.admin.host import ABSENT
from intake.errors import MachineTrouble, Misuse, Refused

ROOT = Path(__file__).resolve().parent.parent.parent  # of the checkout, or of a release
SHIPPED = (
    *("app.py", "LICENSE", "intake", "templates/source", "requirements/server.txt"),
    *("deploy/gunicorn_conf.py", "deploy/door"),
    *("deploy/about.example.toml", "deploy/install.sh", "deploy/host"),
)
RELEASES = "/opt/intake/releases"
ID = re.compile(r"[0-9a-f]{12}\Z")
_NO_FILE = re.compile(r"\.|__pycache__$|.*\.pyc$|.*~$")  # tools and editors leave these
_DEBIAN = Path("/usr/share/python-wheels")
_PIP = (
    *("install", "--no-input", "--disable-pip-version-check", "--no-cache-dir"),
    *("--no-compile", "--progress-bar", "off", "--require-hashes", "--only-binary", ":all:"),
)
_CHECK = ("-m", "gunicorn", "--config", "deploy/gunicorn_conf.py", "--check-config")


def shipped(source: Path) -> dict[str, bytes]:
    """Return the files that a server gets, by their names below ``source``, in order."""
    found = {}
    for name in SHIPPED:
        if not (source / name).exists():
            what = f"This is no checkout of Intake: it has no {name}."
            raise Misuse(what, "Fetch Intake again, whole, then run it again.")
        for path in _files(source / name):
            own = path.relative_to(source).as_posix()
            if not own.startswith(ABSENT):
                found[own] = path.read_bytes()
    return dict(sorted(found.items()))


def _files(path: Path) -> Iterator[Path]:
    if path.is_symlink():
        what = f"{path} is a link, and a release has none."
        raise Misuse(what, "Fetch Intake again, whole, then run it again.")
    if path.is_dir():
        for each in sorted(path.iterdir()):
            if not _NO_FILE.match(each.name):
                yield from _files(each)
    else:
        yield path


def name_of(content: dict[str, bytes]) -> str:
    """Return the name of the release that has this content."""
    lines = (f"{hashlib.sha256(data).hexdigest()} {name}\n" for name, data in content.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def build(machine: Machine, source: Path, wheels: Path | None) -> tuple[Path, bool]:
    """Return the release of a checkout, whole and working, and whether it had to be made.

    Raises :class:`Refused` if it does not load the site; then nothing was changed.
    """
    content = shipped(source)  # (1)
    releases = machine.at(RELEASES)
    made = releases / name_of(content)
    if made.exists() and sound(machine, made):  # (2)
        say(f"     {made.name} is there already, and whole.")
        return made, False
    for left in releases.glob(".*"):
        remove(left)
    staging = releases / f".{made.name}.new"
    with files.troubled(staging):
        say(f"     copying {len(content)} files")
        for name, data in content.items():  # (3)
            path = staging / name
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(files.PUBLIC)
    _python(machine, staging, wheels)  # (4)
    say("     compiling")
    every = ("compileall", "-q", "-s", staging, "-p", made, staging)
    machine.run(staging / "venv/bin/python", "-m", *every)  # (5)
    say("     loading the site with it, as the site's user")
    check(machine, staging)  # (6)
    os.sync()  # (7)
    if made.exists():
        made.rename(releases / f".{made.name}.old")
    staging.rename(made)
    files.sync_folder(releases)
    for left in releases.glob(".*"):
        remove(left)
    return made, True


def _python(machine: Machine, staging: Path, wheels: Path | None) -> None:
    say("     making its Python; this takes a minute")
    _spoken([machine.python, "-m", "venv", "--without-pip", str(staging / "venv")])
    where = ["--no-index", "--find-links", str(wheels.absolute())] if wheels else []
    pip = [str(staging / "venv/bin/python"), str(_pip()), *_PIP, *where]
    _spoken([*pip, "-r", str(staging / "requirements/server.txt")])
    for path in (staging / "venv/bin").iterdir():
        if not path.name.startswith("python"):
            path.unlink()


def _pip() -> Path:
    """Return the pip that comes with Python, in its wheel; from there ensurepip runs it, too."""
    folders = [Path(venv.__file__).parent.parent / "ensurepip/_bundled", _DEBIAN]
    found = sorted(path for folder in folders for path in folder.glob("pip-*.whl"))
    if not found:
        raise MachineTrouble("This Python has no pip.", "Install it: apt install python3-venv")
    return found[-1] / "pip"


def _spoken(command: list[str]) -> None:
    """Run a program that takes long, and say how far it is."""
    own = os.environ | {"LC_ALL": "C.UTF-8", "PIP_ROOT_USER_ACTION": "ignore"}
    out, err = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(command, stdout=out, stderr=err, text=True, env=own) as running:
        lines = []
        for line in running.stdout or ():
            lines.append(line)
            if found := re.match(r"(?:Collecting |Processing \S*/)([A-Za-z0-9_.]+)", line):
                say(f"     {found[1]}")
    if running.returncode:
        what = f"This failed: {' '.join(command[1:5])} …\n{''.join(lines[-12:])}"
        hint = "Is there a network? Without one, bring the wheels: --wheels FOLDER"
        raise MachineTrouble(what.rstrip(), hint)


def check(machine: Machine, release: Path) -> None:
    """Refuse a release that does not load the site, as its user, with its settings."""
    machine.as_site(release, *_CHECK)


def sound(machine: Machine, release: Path) -> bool:
    """Return whether a release has the content of its name, and loads the site."""
    try:
        if name_of(shipped(release)) != release.name:
            say(f"     {release.name} was changed since it was made.")
            return False
        check(machine, release)
    except Refused as refused:
        say(f"     {release.name} is there, and does not work: {refused.what}")
        return False
    return True


def prune(machine: Machine, kept: set[str]) -> list[str]:
    """Remove every release whose name is not ``kept``; return their names."""
    # Dangerous line: a name that is missing here is the release that somebody wants back tonight.
    old = [path for path in sorted(machine.at(RELEASES).iterdir()) if path.name not in kept]
    for path in old:
        remove(path)
    return [path.name for path in old]
