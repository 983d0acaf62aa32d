"""A backup put back: on the server that it is of, or on one that becomes it.

Procedure of :func:`restore`:
1. Let ``age`` open it, into memory, and read it as a stranger's file.
2. Look at the folders, and compare with what is here. If a keyring is in force here and anything
   differs, stop, unless ``replace`` is given: then this server would become another one.
3. Copy what is to give way into a new folder of root's, and sync it.
4. Stop the site and tor.
5. Take away the record of the keyring, which closes the site; and what the backup has not.
6. Write each file, with its owner and mode; the record last, which opens the site again.
7. Start tor and the site.

What a crash leaves: before (5), all as it was; then a site that is closed, with everything that
gave way in the folder of (3). The same command again does the rest.
"""

from __future__ import annotations

import os
from pathlib import Path

from deploy.host import backup, switching, system
from deploy.host.machine import TOR, Machine, say
from intake import files
from intake.admin import host
from intake.errors import MachineTrouble, Unsafe

_RECORD = "var/lib/intake/data/installed"


def restore(machine: Machine, path: Path, *, replace: bool = False, check: bool = False) -> None:
    """Put a backup back. Raises :class:`Refused`; what that leaves is said above."""
    content = backup.read(path)  # (1)
    say(*backup.describe(content))
    if check:
        say("It is whole, and can be put back.")
        return
    with backup.Quiet(machine):
        there = backup.here(machine)
        differ = [
            name for name in sorted({*there, *content}) if there.get(name) != content.get(name)
        ]
        if not differ:
            say("All of it is here already; nothing changed.")
            return
        if _RECORD in there and not replace:  # (2)
            what = "A keyring is in force on this server, and these differ from the backup:"
            hint = "If this server is to become that one: --replace. What is here is moved aside."
            raise Unsafe("\n  ".join([what, *differ]), hint)
        kinds = _folders(machine, content)
        old = {name: there[name] for name in differ if name in there}
        _aside(machine, old)  # (3)
        if machine.systemd:
            machine.systemctl("stop", "intake.service", host.TOR)  # (4)
        with files.troubled(machine.at(_RECORD)):
            for name in [_RECORD, *(name for name in old if name not in content)]:  # (5)
                machine.at(name).unlink(missing_ok=True)
            os.sync()  # or a power cut brings back what the backup has not
        for name in sorted(content, key=lambda name: name == _RECORD):  # (6)
            machine.put(name, content[name], kinds[name].mode, kinds[name].owner)
    if machine.systemd:  # (7)
        system.start(machine, {"torrc"}, fresh=True)
        if not switching.ask(machine):
            what = "All is put back, and the site gives no page."
            raise MachineTrouble(what, "Its own words: journalctl -u intake.service")
    say("All is put back.")


def _aside(machine: Machine, old: dict[str, bytes]) -> None:
    if not old:
        return
    number = 1
    while (folder := machine.at(f"/var/lib/intake/replaced-{number}")).exists():
        number += 1
    with files.troubled(folder):
        folder.mkdir(mode=0o700)
        for name, data in old.items():
            kept = folder / name
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.write(kept, data)
        os.sync()
    say(f"What was here is in {folder}: {len(old)} files.")


def _folders(machine: Machine, content: dict[str, bytes]) -> dict[str, backup.Kind]:
    """Make tor's folders, and return the kind of each file.

    Raises :class:`Refused` for a folder that is a link, or is not there.
    """
    found = {name: kind for name in content if (kind := backup.kind_of(name))}
    for kind in found.values():
        if kind.owner == TOR:
            site = kind.folder.removesuffix("/authorized_clients")
            for folder in dict.fromkeys((site, kind.folder)):
                machine.folder(f"/{folder}", 0o700, TOR)
        elif machine.at(kind.folder).is_symlink() or not machine.at(kind.folder).is_dir():
            hint = "Install first; if it is a link, find out who made it, and move it away."
            raise Unsafe(f"{machine.at(kind.folder)} is no folder.", hint)
    return found
