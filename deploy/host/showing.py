"""What is installed: one screen, with nothing on it that says when anyone came.

Rule: ``systemctl status`` and the journal have times; they are not asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.host import onion, release, switching, system
from deploy.host.machine import Machine
from intake.admin import host
from intake.errors import MachineTrouble

_SERVICES = (*system.ENABLED, host.TOR)


def lines(machine: Machine) -> Iterator[str]:
    """Yield the screen."""
    current = switching.named(machine, "current")
    yield f"release   {current or 'none'}{_changed(machine, current)}"
    yield f"previous  {switching.named(machine, 'previous') or 'none'}"
    if switching.interrupted(machine):
        yield "          A switch was cut off. → intake-host rollback, or install again."
    yield f"address   {onion.address(machine) or 'none yet: tor makes it when it starts'}"
    if names := onion.clients(machine):
        yield f"admin's   {onion.address(machine, onion.ADMIN) or 'none yet'}"
        yield f"          for {', '.join(names)}"
    yield f"tor       {_tor(machine)}"
    if not machine.systemd:
        yield "services  systemd does not run here"
        return
    for name in _SERVICES:
        yield f"{'services' if name == _SERVICES[0] else '':9} {name} {_state(machine, name)}"


def _changed(machine: Machine, name: str | None) -> str:
    if name is None:
        return ""
    content = release.shipped(machine.at(f"{release.RELEASES}/{name}"))
    same = release.name_of(content) == name
    return "" if same else "  CHANGED since it was made → install it again, and ask who"


def _tor(machine: Machine) -> str:
    try:
        found = re.search(r"Tor version (\S+?)\.?$", machine.run("tor", "--version"), re.MULTILINE)
    except MachineTrouble:
        return "is not installed"
    return found[1] if found else "of an unknown version"


def _state(machine: Machine, name: str) -> str:
    return "runs" if system.active(machine, name) else f"does NOT run → systemctl restart {name}"
