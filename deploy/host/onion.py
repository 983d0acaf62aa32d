"""The addresses of this server: the site's, and one of its own for the admin's SSH.

The second onion lets in only who has a key that is listed (rend-spec-v3, client authorisation): to
all others it is not there. It has no other use for anybody, so it needs no proof of work.

Rules:
- It is never open to everybody: without a client there is no such onion.
- Removing the last client removes the onion's lines, never its keys: the address stays ours.
- Tor runs with ``Sandbox 1``, which lets it open no file that it did not know at its start: with a
  new one, a reload ends it (tried with 0.4.9). So it is started anew when a client comes or goes.
  A note says that it has still to be, should this be cut off.
"""

from __future__ import annotations

import base64
import re
import time

from deploy.host.machine import TOR, Machine, say
from intake import files
from intake.admin import host
from intake.errors import Misuse

SITE = "/var/lib/tor/intake"
ADMIN = "/var/lib/tor/intake-admin"
CLIENTS = f"{ADMIN}/authorized_clients"
_CONF = "/etc/tor/intake.d/admin.conf"
_LINES = f"""\
# The admin's onion: SSH, for those in {CLIENTS} only.
HiddenServiceDir {ADMIN}
HiddenServicePort 22 127.0.0.1:22
"""
_NOTE = "/opt/intake/tor-unread"
_CLIENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,31})=([A-Z2-7]{52})")


def address(machine: Machine, folder: str = SITE, patience: float = 0) -> str | None:
    """Return the address that tor made, waiting for it at most so many seconds; None if none is."""
    path = machine.at(f"{folder}/hostname")
    until = time.monotonic() + patience
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.2)
    return path.read_text("ascii", "replace").strip() if path.exists() else None


def clients(machine: Machine) -> list[str]:
    """Return the names of those who are let in."""
    return sorted(path.stem for path in machine.at(CLIENTS).glob("*.auth"))


def admit(machine: Machine, added: list[str], removed: list[str]) -> bool:
    """Let clients in (``NAME=KEY``) and out (``NAME``); return whether that changed anything."""
    wanted = dict(_parsed(each) for each in added)
    there = set(clients(machine))
    if unknown := set(removed) - there:
        raise Misuse(f"There is no client {min(unknown)}.", f"There are: {sorted(there)}")
    if not wanted and not there - set(removed) and not removed:
        what = "An onion without a client would let in everybody."
        raise Misuse(what, "Make a key on your own machine: python3 deploy/onion_client.py --help")
    note = machine.at(_NOTE)
    changed = note.exists()
    files.write(note, b"", files.PUBLIC)
    for name in (ADMIN, CLIENTS):
        changed |= machine.folder(name, 0o700, TOR)
    for name, key in wanted.items():
        line = f"descriptor:x25519:{key}\n".encode()
        changed |= machine.put(f"{CLIENTS}/{name}.auth", line, files.PRIVATE, TOR)
    conf = machine.at(_CONF)
    last = not (there | wanted.keys()) - set(removed)
    if last:  # the lines go first: an onion without clients is open
        conf.unlink(missing_ok=True)
    for name in removed:
        machine.at(f"{CLIENTS}/{name}.auth").unlink()
        changed = True
    if not last:
        changed |= machine.put(_CONF, _LINES.encode())
    if changed and machine.systemd:
        say("Starting tor anew.")
        machine.systemctl("restart", host.TOR)
    note.unlink()
    return changed


def _parsed(text: str) -> tuple[str, str]:
    """Return name and key. Raises :class:`Misuse` for what is no key of X25519."""
    found = _CLIENT.fullmatch(text)
    if found is None or len(base64.b32decode(found[2] + "====")) != 32:  # noqa: PLR2004
        what = "A client is NAME=KEY: the key is 52 capital letters and digits from 2 to 7."
        raise Misuse(what, "deploy/onion_client.py prints it, on the admin's own machine.")
    return found[1], found[2]


def tell(machine: Machine) -> None:
    """Say who is let in, and where."""
    found = address(machine, ADMIN, patience=60 if machine.systemd else 0)
    names = clients(machine)
    say(f"Let in    {', '.join(names) or 'nobody; the onion is off'}")
    if names:
        say(f"Address   {found or 'tor makes it when it starts; then: intake-host show'}")
        say("  → On the client's machine: python3 deploy/onion_client.py NAME --address ADDRESS")
