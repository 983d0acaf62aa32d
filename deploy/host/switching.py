"""Which release is in force, and that the site works with it; or the one before is back.

``current`` and ``previous`` are links to releases. ``unproved``, a note beside them, says what both
were while nobody knows yet whether a new one works.

Procedure of :func:`switch`:
1. If there is a note, another switch was cut off: let both links be what they were.
2. Ask the site for its page, as it is now.
3. Write the note, if anything is to change.
4. ``previous`` becomes what was in force, ``current`` the new one. Each changes by a rename.
5. Put the system's files of the release in place.
6. Start what has changed. A visitor meanwhile waits at the socket, which systemd holds.
7. Ask the site for its page again. If it was open before, it must be open now.
8. Remove the note. If (6) or (7) failed: first (1), (5) and (6) with what was in force before.

What a crash leaves: the note, if (3) was reached, and all releases. The same command again begins
with (1), and does all of it; and as nobody knows what was started, all of that is started anew.

Where systemd does not run, (2), (6) and (7) are left out, and that is said.
"""

from __future__ import annotations

import time

from deploy.host import system
from deploy.host.machine import Machine, say
from deploy.host.release import ID, RELEASES
from intake import files
from intake.admin import host
from intake.errors import MachineTrouble, Misuse, Refused

BASE = "/opt/intake"
PATIENCE = 60  # seconds for the page
SOON = 5  # seconds for the page of a site that runs
_NOTE = f"{BASE}/unproved"


def named(machine: Machine, link: str) -> str | None:
    """Return the name of the release that is ``current`` or ``previous``, None if none is."""
    path = machine.at(f"{BASE}/{link}")
    found = path.readlink().name if path.is_symlink() else ""
    return found if ID.match(found) else None


def interrupted(machine: Machine) -> bool:
    """Return whether a switch was cut off before anybody knew whether it was a good one."""
    return machine.at(_NOTE).exists()


def recover(machine: Machine) -> bool:
    """Let both links be what the note says; return whether there is one."""
    if not interrupted(machine):
        return False
    note = files.read(machine.at(_NOTE), 256).decode("ascii", "replace")
    for link, name in zip(("current", "previous"), note.split(), strict=False):
        if ID.match(name):
            _link(machine, link, name)
        elif named(machine, link):  # there was none
            machine.at(f"{BASE}/{link}").unlink()
    return True


def switch(machine: Machine, new: str, *, anew: bool = False) -> bool:
    """Put a release in force, made ``anew`` or not; return whether that changed anything.

    Raises :class:`MachineTrouble` if it does not work; then the one before is in force again.
    """
    cut = recover(machine)  # (1)
    current, previous = named(machine, "current"), named(machine, "previous")
    before = ask(machine, SOON) if machine.systemd and current else ""  # (2)
    fresh = cut or anew or new != current
    made = machine.at(f"{RELEASES}/{new}")
    if fresh or system.differing(machine, made):
        note = f"{current or '-'} {previous or '-'}\n"
        files.write(machine.at(_NOTE), note.encode(), files.PUBLIC)  # (3)
    if current and new != current:
        _link(machine, "previous", current)  # (4)
    _link(machine, "current", new)
    try:
        changed = system.place(machine, made) | (system.EVERY if cut else set())  # (5)
        started = _start(machine, changed, fresh=fresh, before=before)  # (6), (7)
    except Refused as refused:
        if current is None or current == new:
            raise
        say(f"     {refused.what}", f"     Going back to release {current}.")
        recover(machine)
        _start(machine, system.place(machine, machine.at(f"{RELEASES}/{current}")), fresh=True)
        machine.at(_NOTE).unlink()
        what = f"Release {new} does not work here. Release {current} is in force again."
        raise MachineTrouble(what, "What it said stands above. Nothing was lost.") from None
    machine.at(_NOTE).unlink(missing_ok=True)  # (8)
    return fresh or bool(changed) or started


def rollback(machine: Machine) -> str:
    """Put the release before in force; return its name. Raises :class:`Misuse` if there is none."""
    recover(machine)
    old = named(machine, "previous")
    if old is None:
        raise Misuse("There is no release before this one.", "See: intake-host show")
    if not machine.at(f"{RELEASES}/{old}").is_dir():
        raise Misuse(f"Release {old} is not there any more.", "Install it from its checkout.")
    switch(machine, old)
    return old


def _link(machine: Machine, link: str, release: str) -> None:
    """Let a link name another release, by a rename."""
    path = machine.at(f"{BASE}/{link}")
    if named(machine, link) == release:
        return
    partial = path.with_name(f".{link}.partial")
    with files.troubled(path):
        partial.unlink(missing_ok=True)
        partial.symlink_to(f"releases/{release}")
        partial.rename(path)
        files.sync_folder(path.parent)


def _start(machine: Machine, changed: set[str], *, fresh: bool, before: str = "") -> bool:
    if not machine.systemd:
        system.enable(machine)
        say("     systemd does not run here: nothing was started, and the site was not asked.")
        return False
    started = system.start(machine, changed, fresh=fresh)
    say("     asking the site for its page")
    now = ask(machine)
    if now not in {"200", before or "503"}:  # open, or closed as before
        said = f"answers {now}" if now else f"gives no page within {PATIENCE} seconds"
        raise MachineTrouble(f"The site {said}.", "Its own words: journalctl -u intake.service")
    say(f"     it answers {now}" + ": closed, for want of a keyring" * (now == "503"))
    return started


def ask(machine: Machine, patience: float = PATIENCE) -> str:
    """Ask the site for its page as tor does; return its answer's status, "" if none came."""
    until = time.monotonic() + patience
    while (left := until - time.monotonic()) > 0:
        if found := host.visit(machine.root, b"/", left):
            return found
        time.sleep(min(left, 0.2))
    return ""
