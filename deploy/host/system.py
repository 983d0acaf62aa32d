"""The files of the system that a release brings, and the services that read them.

Rules:
- What a file said before Intake wrote it is kept beside it once, as ``NAME.before-intake``, if
  somebody else wrote it.
- Tor is started anew only if something of its own has changed: that costs every visitor a minute.
- A service that reads no changed file, and runs, is left alone.
"""

from __future__ import annotations

from pathlib import Path

from deploy.host.machine import Machine, say
from intake import files
from intake.admin.host import TOR, UNITS
from intake.errors import MachineTrouble

_UNIT = "/etc/systemd/system"
# Each file of deploy/host that the system reads, and where it reads it.
PLACES = {
    **{name: f"{_UNIT}/{name}" for name in UNITS},
    "tor.conf": f"{_UNIT}/tor@default.service.d/intake.conf",
    "torrc": "/etc/tor/torrc",
    "sysctl.conf": "/etc/sysctl.d/intake.conf",
    "journald.conf": "/etc/systemd/journald.conf.d/intake.conf",
}
PROFILE = "system_tor"
APPARMOR = "/etc/apparmor.d/local/system_tor"
EVERY = {*PLACES, PROFILE}
ENABLED = ("intake.socket", "intake.service", "intake-maintain.timer")


def differing(machine: Machine, release: Path) -> set[str]:
    """Return which of the system's files are not those of a release, by their names there."""
    found = set()
    for name, where in PLACES.items():
        path = machine.at(where)
        if not path.is_file() or path.read_bytes() != (release / "deploy/host" / name).read_bytes():
            found.add(name)
    return found | ({PROFILE} if _missing(machine, release) else set())


def place(machine: Machine, release: Path) -> set[str]:
    """Put the files of a release where the system reads them; return which have changed."""
    changed = differing(machine, release)
    known = _known(machine)
    for name in sorted(changed - {PROFILE}):
        where = PLACES[name]
        path, aside = machine.at(where), f"{where}.before-intake"
        there = path.read_bytes() if path.is_file() else None
        if there not in {None, *known.get(name, ())} and not machine.at(aside).exists():
            machine.put(aside, there or b"")
            say(f"     {where} was there; as it was, it is in {aside}")
        machine.put(where, (release / "deploy/host" / name).read_bytes())
        say(f"     {where}")
    if PROFILE in changed:
        path = machine.at(APPARMOR)
        there = path.read_bytes() if path.is_file() else b""
        begun = there if not there or there.endswith(b"\n") else there + b"\n"
        machine.put(APPARMOR, begun + _missing(machine, release))
        say(f"     {APPARMOR}")
    return changed


def _missing(machine: Machine, release: Path) -> bytes:
    """Return the lines for tor's profile that are not there; other people's lines stay."""
    path = machine.at(APPARMOR)
    there = path.read_bytes() if path.is_file() else b""
    lines = (release / "deploy/host" / PROFILE).read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if line not in there)


def _known(machine: Machine) -> dict[str, set[bytes]]:
    """Return what the releases that are here have put in place, by the files' names."""
    found: dict[str, set[bytes]] = {}
    for path in machine.at("/opt/intake/releases").glob("*/deploy/host/*"):
        if path.is_file():
            found.setdefault(path.name, set()).add(path.read_bytes())
    return found


def enable(machine: Machine) -> None:
    """Have the services start with the machine, where systemd does not run yet."""
    for name in ENABLED:
        target = "timers" if name.endswith("timer") else "sockets" if "socket" in name else ""
        wants = machine.at(f"{_UNIT}/{target or 'multi-user'}.target.wants") / name
        with files.troubled(wants):
            wants.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if not wants.is_symlink():
                wants.symlink_to(f"{_UNIT}/{name}")


def start(machine: Machine, changed: set[str], *, fresh: bool) -> bool:
    """Start what has changed, and what does not run; return whether anything was started.

    Raises :class:`MachineTrouble` with what systemd says.
    """
    ask = machine.systemctl
    if changed & {*UNITS, "tor.conf"}:
        ask("daemon-reload")
    ask("enable", "--quiet", *ENABLED)
    if "sysctl.conf" in changed:
        _again(machine, "restart", "systemd-sysctl.service")
    if "journald.conf" in changed:
        _again(machine, "restart", "systemd-journald.service")
    if PROFILE in changed:
        _again(machine, "reload-or-restart", "apparmor.service")
    todo = []
    if changed & {"intake.socket"}:
        ask("stop", "intake.service", "intake.socket")
    if changed & {"intake.socket", "intake.service"} or fresh or not active(machine, UNITS[1]):
        todo += ["intake.socket", "intake.service"]
    if changed & {"torrc", "tor.conf", PROFILE} or not active(machine, TOR):
        todo.append(TOR)
    if "intake-maintain.timer" in changed or not active(machine, "intake-maintain.timer"):
        todo.append("intake-maintain.timer")
    for name in todo:
        say(f"     starting {name}")
        ask("start" if name == "intake.socket" else "restart", name)
    return bool(todo)


def _again(machine: Machine, verb: str, unit: str) -> None:
    """Have a part of the system read its file anew; the site runs without it, so that is no end."""
    try:
        machine.systemctl(verb, unit)
    except MachineTrouble:
        say(f"     {unit} did not take it. → intake-admin doctor says what is missing")


def active(machine: Machine, name: str) -> bool:
    """Return whether a service runs."""
    try:
        machine.systemctl("is-active", "--quiet", name)
    except MachineTrouble:
        return False
    return True
