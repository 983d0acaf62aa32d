"""The machine below a deployed site: whether what the installation put there is all in force.

Rules:
- It is asked only on a host, where ``/opt/intake/current`` is. ``INTAKE_HOST`` names another root,
  for a test.
- What must be in force is what the release has in ``deploy/host/``, line by line, as systemd reads
  a unit and all that is dropped in beside it. What a line is for, the comment above it says.
- What this user cannot read is said (``Doubt``), not guessed.
- Nothing here runs a program. The one connection that is opened goes to the site's own socket.
"""

import contextlib
import os
import re
import socket
import stat
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from intake.errors import MachineTrouble, Refused, Unsafe
from intake.settings import Settings

RELEASE, OWN = Path("opt/intake/current"), Path("opt/intake/current/deploy/host")
DOOR = Path("run/intake/web.sock")
SYSTEM = Path("etc/systemd/system")
UNITS = ("intake.socket", "intake.service", "intake-maintain.service", "intake-maintain.timer")
TOR = "tor@default.service"
ABSENT = (  # what no server has: what opens, and what only reviewers and roots need
    *("intake/desk", "intake/ceremony", "intake/locked.py", "intake/quorum.py"),
    *("intake/age/armor.py", "templates/desk", "tests"),
)
AGAIN = "Install again: sh deploy/install.sh"
_ID = 2  # where passwd(5) and group(5) have the number
_MODE = 0o660
PATIENCE = 10.0  # seconds for an answer of the site
SETTLE = 2.0  # seconds in which a process of the site comes into its bounds, or is gone
_PLACES = ("usr/lib/systemd/system", "run/systemd/system", "etc/systemd/system")
_CONTROL = ("run/systemd/system.control", "etc/systemd/system.control")
# A circuit that tor has not: its own are counted from zero.
_VISIT = (
    b"PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 1 80\r\n"
    b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
)
_OURS = b"\r\nX-Padding: "  # deploy/door/answers.py fills each head with it
_ONION = re.compile(
    r"HiddenService(Dir /var/lib/tor/(?!intake/*$)[\w-]+|Port \d+ (127\.0\.0\.1:\d+|unix:/\S+)|"
    r"PoWDefensesEnabled 1|EnableIntroDoSDefense 1|MaxStreams \d+|MaxStreamsCloseCircuit 1)"
)
_TOR = re.compile(r"^Package: tor\n(?:.+\n)*?Version: (?:\d+:)?(\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_BOUNDS = {"NoNewPrivs": "1", "Seccomp": "2"} | dict.fromkeys(
    ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), f"{0:016}"
)
_LEAST = 1300  # MiB, of which the site may have 60 in 100; measured: docs/adr/0025
_POW = b"Verification of EquiX"  # what a tor without proof of work has no need to say

Values = dict[str, list[str]]


class Doubt(Refused):
    """Something that will cost, that only a person can judge, or that could not be seen."""


def root() -> Path | None:
    """Return the root of the host that this runs on, or None if it is none."""
    place = Path(os.environ.get("INTAKE_HOST", "/"))
    return place if (place / RELEASE).exists() else None


def visit(place: Path, page: bytes, patience: float = PATIENCE) -> str:
    """Ask for a page at the site's door as tor does; return the status, "" if none of ours came."""
    head = b""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(patience)
        line.connect(str(place / DOOR))
        line.sendall(_VISIT % page)
        while b"\r\n\r\n" not in head and (more := line.recv(1 << 12)):
            head += more
    return head[9:12].decode("ascii", "replace") if _OURS in head else ""


def ask(place: Path) -> None:
    """Raise :class:`MachineTrouble` if the site does not answer."""
    # There is no such page: for it, the site looks at no keyring and writes nothing.
    if visit(place, b"/status") != "404":
        hint = "systemctl restart intake.socket intake.service; if that does not help: doctor"
        raise MachineTrouble(f"The site does not answer at {place / DOOR}.", hint)


def check_tor(place: Path) -> None:
    """Raise :class:`MachineTrouble` if tor does not run."""
    if not any(_read(path) == "tor\n" for path in (place / "proc").glob("[0-9]*/comm")):
        hint = "systemctl restart tor@default; if that does not help: journalctl -u tor@default"
        raise MachineTrouble("tor does not run, so nobody reaches the site.", hint)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _lines(text: str) -> list[str]:
    lines = (" ".join(line.split()) for line in text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith(("#", ";"))]


def _values(texts: Iterable[str]) -> Values:
    """Return what systemd makes of files that are read one after the other, name by name."""
    found: Values = defaultdict(list)
    for line in (line for text in texts for line in _lines(text)):
        name, equals, value = (part.strip() for part in line.partition("="))
        if equals and not value:
            found[name] = [""]
        elif equals and value not in found[name]:
            found[name].append(value)
    return found


def _dropped(place: Path, unit: str) -> list[Path]:
    """Return what is dropped in beside a unit, in the order in which systemd reads it."""
    kind = unit.rpartition(".")[2]
    names = {f"{unit}.d", f"{kind}.d", f"{unit.partition('-')[0]}-.{kind}.d"}
    names.add(re.sub("@.*", f"@.{kind}.d", unit))
    return _last(place / below / name for below in (*_PLACES, *_CONTROL) for name in names)


def _last(folders: Iterable[Path]) -> list[Path]:
    """Return the files of folders by name; of two that have one name, that of the later folder."""
    found = {path.name: path for folder in folders for path in folder.glob("*.conf")}
    return [found[name] for name in sorted(found)]


def _reasons(text: str, sign: str = "=") -> dict[str, str]:
    """Return what the comment above each setting of a file says, by the setting's name."""
    found: dict[str, str] = {}
    reason = above = ""
    for line in text.splitlines():
        if line.startswith("#"):
            reason = f"{reason} {line[2:]}" if above.startswith("#") else line[2:]
        elif line:
            found[line.partition(sign)[0].strip()] = reason
        else:
            reason = ""
        above = line
    return found


def _wrong(what: str, ours: str, wanted: Values, found: Values) -> list[str]:
    """Return a sentence for each setting that is not as it is wanted."""
    odd = [name for name in wanted if wanted[name] != found.get(name)]
    why = _reasons(ours)
    return [
        f"{what}: {name}={' '.join(wanted[name])} is not in force. {why.get(name, '')}".strip()
        for name in odd
    ]


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise Unsafe(" ".join(wrong), AGAIN)


def _units(_: Settings, place: Path) -> str:
    wrong, foreign, rows = [], [], 0
    for unit in (*UNITS, TOR):
        ours = _read(place / OWN / ("tor.conf" if unit == TOR else unit))
        lies = place / SYSTEM / (f"{TOR}.d/intake.conf" if unit == TOR else unit)
        dropped = _dropped(place, unit)
        debian = _read(place / _PLACES[0] / TOR) if unit == TOR else ""
        wanted = _values([debian, ours])
        found = _values([debian or _read(lies), *map(_read, dropped)])
        wrong += (more := _wrong(unit, ours, wanted, found))
        if not more and _read(lies) != ours:
            wrong.append(f"{lies} is another than the release's.")
        wrong += [
            f"{unit} does not start with the machine."
            for target in wanted["WantedBy"] * (unit != TOR)
            if not os.path.lexists(place / SYSTEM / f"{target}.wants" / unit)
        ]
        foreign += [f"{path}" for path in dropped if path != lies]
        rows += len(wanted)
    _refuse(wrong)
    if foreign:
        what = f"Somebody has added to units: {', '.join(foreign)}."
        raise Doubt(what, "It changes no setting of Intake's. Find out who needs it.")
    return f"{len(UNITS)} and tor's, with {rows} settings"


def _torrc(_: Settings, place: Path) -> str:
    text = _read(place / OWN / "torrc")
    ours, found, why = _lines(text), _lines(_read(place / "etc/tor/torrc")), _reasons(text, "\n")
    wrong = [f"torrc: {line} is not in force. {why[line]}" for line in ours if line not in found]
    wrong += [f"torrc: {line} is not Intake's." for line in found if line not in ours]
    for path in sorted((place / "etc/tor/intake.d").glob("*.conf")):
        odd = [line for line in _lines(_read(path)) if not _ONION.fullmatch(line)]
        wrong += [f"{path}: {line} is no line of an onion for an admin." for line in odd]
    _refuse(wrong or ["The lines of torrc are in another order."] * (found != ours))
    return f"{len(ours)} lines, and nothing else"


def _tor(_: Settings, place: Path) -> str:
    found = _TOR.search(_read(place / "var/lib/dpkg/status"))
    version = tuple(map(int, found.groups())) if found else ()
    if version < (0, 4, 8) or _POW not in (place / "usr/sbin/tor").read_bytes():
        what = "This tor has no proof of work: a flood takes the place of all."
        raise Unsafe(what, "Install tor 0.4.8 or later, from Debian's own archive.")
    check_tor(place)
    return f"{'.'.join(map(str, version))} runs, and has proof of work"


def _entry(place: Path, name: str, file: str = "passwd") -> list[str]:
    """Return a row of passwd(5) or group(5); one that nobody has if there is none."""
    rows = (line.split(":") for line in _read(place / "etc" / file).splitlines())
    return next((row for row in rows if row[0] == name and len(row) > _ID), ["", "", "-1"])


def _user(_: Settings, place: Path) -> str:
    if not _entry(place, "intake")[-1].endswith(("/nologin", "/false")):
        raise Unsafe("There is no user intake, or it can log in.", AGAIN)
    return "intake cannot log in"


def _door(_: Settings, place: Path) -> str:
    path = place / DOOR
    owners = _entry(place, "intake")[_ID], _entry(place, "debian-tor", "group")[_ID]
    facts = path.lstat() if os.path.lexists(path) else None
    if facts is None or not stat.S_ISSOCK(facts.st_mode):
        raise MachineTrouble(f"There is no socket {path}.", "systemctl restart intake.socket")
    found = f"{facts.st_uid}", f"{facts.st_gid}"
    if found != owners or stat.S_IMODE(facts.st_mode) != _MODE:
        what = f"{path} is not intake's and debian-tor's alone: tor cannot, or others can, come in."
        raise Unsafe(what, f"systemctl restart intake.socket; if that does not help: {AGAIN}")
    ask(place)
    return "only the site and tor can open it, and the site answers"


def _release(_: Settings, place: Path) -> str:
    release = (place / RELEASE).resolve()
    if here := [name for name in ABSENT if (release / name).exists()]:
        raise Unsafe(f"These belong on no server: {', '.join(here)}.", AGAIN)
    owner, open_to = int(_entry(place, "root")[_ID]), stat.S_IWGRP | stat.S_IWOTH
    paths = [release, *release.parents[: len(RELEASE.parts) - 1], *release.rglob("*")]
    for path, fact in ((path, path.lstat()) for path in paths):
        if fact.st_uid != owner or (fact.st_mode & open_to and not path.is_symlink()):
            raise Unsafe(f"Others than root can change the code: {path}.", AGAIN)
    return f"{release.name}, which root alone can change"


def _processes(_: Settings, place: Path) -> str:
    if _read(place / "proc/1/comm") != "systemd\n":
        raise Doubt("Not checked: systemd does not run here.", "On a host, it must.")
    if _bounds(place)[1]:  # what just starts has none yet, what just ended none to read: look again
        time.sleep(SETTLE)
    count, wrong = _bounds(place)
    if wrong:
        raise Unsafe(f"The site runs without its bounds: {', '.join(sorted(wrong))}.", AGAIN)
    if not count:
        raise MachineTrouble("The site does not run.", "systemctl restart intake.service")
    return f"{count} of the site, with no rights, no network and no swap"


def _bounds(place: Path) -> tuple[int, set[str]]:
    groups = {path.parent: _read(path) for path in (place / "proc").glob("[0-9]*/cgroup")}
    ours = {path: group for path, group in groups.items() if group.endswith("/intake.service\n")}
    return len(ours), {what for path in ours for what in _loose(place, path, ours)}


def _loose(place: Path, path: Path, ours: dict[Path, str]) -> Iterator[str]:
    status = dict(re.findall(r"^(\w+):\t(.*)$", _read(path / "status"), re.MULTILINE))
    yield from (f"{name} is not {n}" for name, n in _BOUNDS.items() if status.get(name) != n)
    if not re.search(r"^Max core file size +0 +0 ", _read(path / "limits"), re.MULTILINE):
        yield "it may dump core"
    # The first process sees nobody's words, and so may be dumpable; a worker must not be. What the
    # kernel shows of one that is not belongs to root, all but the folder itself.
    worker = path.with_name(status.get("PPid", "0")) in ours
    if worker and (path / "status").stat().st_uid != int(_entry(place, "root")[_ID]):
        yield "others of its user can read its memory"
    if re.findall(r"^ *(\S+):", _read(path / "net/dev"), re.MULTILINE) != ["lo"]:
        yield "it has a network"
    group = ours[path].strip().rpartition(":")[2]
    if _read(place / f"sys/fs/cgroup{group}/memory.swap.max") != "0\n":
        yield "it may be swapped to a disk"


def _kernel(_: Settings, place: Path) -> str:
    ours = _read(place / OWN / "sysctl.conf")
    wanted = _values([ours])
    values = {name: _read(place / "proc/sys" / name.replace(".", "/")) for name in wanted}
    _refuse(_wrong("The kernel", ours, wanted, {name: [x.strip()] for name, x in values.items()}))
    return f"{len(wanted)} settings are in force"


def _journal(_: Settings, place: Path) -> str:
    ours = _read(place / OWN / "journald.conf")
    folders = (place / name / "systemd/journald.conf.d" for name in ("usr/lib", "run", "etc"))
    read = [place / "etc/systemd/journald.conf", *_last(folders)]
    _refuse(_wrong("The journal", ours, _values([ours]), _values(map(_read, read))))
    return "it is kept in memory"


def _apparmor(_: Settings, place: Path) -> str:
    found = _lines(_read(place / "etc/apparmor.d/local/system_tor"))
    if not set(_lines(_read(place / OWN / "system_tor"))) <= set(found):
        raise Unsafe("AppArmor may keep tor from the site's socket.", AGAIN)
    return "it lets tor reach the site"


def _disk(settings: Settings, place: Path) -> str:
    mounts = [line.split() for line in _read(place / "proc/self/mountinfo").splitlines()]
    below = [m for m in reversed(mounts) if settings.data.is_relative_to(m[4])]
    device = max(below, key=lambda m: len(m[4]))[2] if below else "none"
    if not _crypt(place / "sys/dev/block" / device):
        what = "Nothing shows that the data folder's disk is encrypted."
        raise Doubt(what, "Ask who runs the machine. Without it, deleted rows outlive deletion.")
    return "it is encrypted"


def _crypt(device: Path) -> bool:
    above = [device / ".."] if (device / "partition").exists() else []
    return _read(device / "dm/uuid").startswith("CRYPT-") or any(
        map(_crypt, [*(device / "slaves").glob("*"), *above])
    )


def _memory(_: Settings, place: Path) -> str:
    found = re.search(r"^MemTotal: +(\d+) kB$", _read(place / "proc/meminfo"), re.MULTILINE)
    size = int(found[1]) // 1024 if found else 0
    if size < _LEAST:
        what = f"This machine shows {size} MiB of memory; the worst flood needs {_LEAST} of all."
        raise Doubt(what, "Who writes then may be cut off, and must send again. Rent 2 GiB.")
    return f"{size} MiB, enough for the worst flood"


def _freed_memory(_: Settings, place: Path) -> str:
    if "init_on_free=1" not in _read(place / "proc/cmdline").split():
        what = "What an ended process knew may lie in free memory for days."
        raise Doubt(what, "docs/ADMINS.md, chapter 13: start the kernel with init_on_free=1.")
    return "it is emptied at once"


def _time(_: Settings, place: Path) -> str:
    if not (place / "run/systemd/timesync/synchronized").exists():
        hint = "timedatectl. A wrong clock closes the site, or seals to a key that is gone."
        raise Doubt("Nothing shows that the clock is set by others.", hint)
    return "the clock is set by others"


CHECKS = (
    *(_release, _user, _units, _door, _torrc, _tor, _processes),
    *(_kernel, _memory, _freed_memory, _journal, _apparmor, _disk, _time),
)
