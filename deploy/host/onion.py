"""The addresses of this server."""

from __future__ import annotations

import time

from deploy.host.machine import Machine

SITE = "/var/lib/tor/intake"


def address(machine: Machine, folder: str = SITE, patience: float = 0) -> str | None:
    """Return the address that tor made, waiting for it at most so many seconds; None if none is."""
    path = machine.at(f"{folder}/hostname")
    until = time.monotonic() + patience
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.2)
    return path.read_text("ascii", "replace").strip() if path.exists() else None
