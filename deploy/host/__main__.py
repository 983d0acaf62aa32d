"""The command line of a server, and the only file of this room that knows its words.

``intake-host`` runs it once it is installed; ``sh deploy/install.sh`` does before.

Rule: a command's docstring is its ``--help``.
"""

from __future__ import annotations

import argparse
import inspect
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":  # whatever is made here, others may read, but for what says otherwise
    os.umask(0o022)

from deploy.host import backup, onion, restoring, showing, switching
from deploy.host.installing import Install
from deploy.host.machine import Machine, say
from intake.errors import Incomplete, Misuse, Refused

Given = argparse.Namespace


def do_install(given: Given) -> int:
    """Install Intake from this checkout, or upgrade to it. Again: changes nothing.

    What is there and right stays as it is; settings, data and keys always do. If the new release
    does not work, the one before is in force again.

    Examples:
      sh deploy/install.sh
      sh deploy/install.sh --keyring /root/keyring-1
      sh deploy/install.sh --wheels /root/wheels     (without a network)
    """
    run = Install(given.machine, wheels=given.wheels, keyring=given.keyring)
    run.run()
    run.tell()
    return 0


def do_rollback(given: Given) -> int:
    """Go back to the release before this one. Again: forward.

    Example:
      intake-host rollback
    """
    with given.machine.alone():
        name = switching.rollback(given.machine)
    say(f"Release {name} is in force.", "  → intake-admin doctor")
    return 0


def do_backup(given: Given) -> int:
    """Write what cannot be made again to a file, under a passphrase that age asks for.

    Not in it: rows, which travel in bundles, and replies, which the desk can send again.

    Example:
      intake-host backup /root/intake-1.age
    """
    backup.save(given.machine, given.file)
    return 0


def do_restore(given: Given) -> int:
    """Put a backup back on this server, or look whether that would do.

    On a server where a keyring is in force it asks for --replace; what was there is moved aside. If
    anything was exported or acknowledged since the backup, give the last of each, from the stick.

    Examples:
      intake-host restore --check /root/intake-1.age
      intake-host restore /root/intake-1.age --last-bundle /srv/intake/1a2b3c4d-000007.bundle
    """
    if given.check:
        restoring.restore(given.machine, given.file, check=True)
        return 0
    marks = [("--bundle", given.last_bundle), ("--return", given.last_return)]
    known = [word for option, path in marks if path for word in (option, path)]
    with given.machine.alone():
        restoring.restore(given.machine, given.file, replace=given.replace)
        current = given.machine.at("/opt/intake/current")
        if known and given.machine.talk(current, "-m", "intake.admin", "resume", *known):
            hint = "What it said stands above. Put it right, then: intake-admin resume --help"
            raise Incomplete("All is put back but the last numbers.", hint)
    if not known:
        say("Was anything exported or acknowledged since? Then, before the next export:")
        say("  → intake-admin resume --bundle FILE --return FILE, the last ones on the stick")
    say("  → intake-host show; intake-admin status; intake-admin doctor")
    return 0


def do_admin_onion(given: Given) -> int:
    """Have an onion for the admin's SSH, which only the clients that are named find.

    Examples:
      intake-host admin-onion --client laptop=KEY
      intake-host admin-onion --remove laptop
    """
    with given.machine.alone():
        onion.admit(given.machine, given.client, given.remove)
    onion.tell(given.machine)
    return 0


def do_show(given: Given) -> int:
    """Show what is installed, and what runs; nothing that says when anyone came.

    Example:
      intake-host show
    """
    say(*showing.lines(given.machine))
    return 0


def do_admin(given: Given) -> int:
    """Run the admin's tool as the site's user, with the site's settings: intake-admin.

    Example:
      intake-admin status
    """
    current = given.machine.at("/opt/intake/current")
    return int(given.machine.talk(current, "-m", "intake.admin", *given.words))


def _command(
    among: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    do: Callable[[Given], int],
) -> argparse.ArgumentParser:
    what, _, more = (inspect.getdoc(do) or "").partition("\n\n")
    made = among.add_parser(name, help=what, description=what, epilog=more, allow_abbrev=False)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.set_defaults(do=do)
    return made


def build() -> argparse.ArgumentParser:
    """Return the parser."""
    more = (
        "upgrade: sh deploy/install.sh, from the newer checkout\n"
        "exit codes: as those of intake-admin"
    )
    made = argparse.ArgumentParser(
        prog="intake-host",
        description="Put Intake on this server, and keep it there. Run it as root.",
        epilog=more,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--root", type=Path, default=Path("/"), help=argparse.SUPPRESS)
    among = made.add_subparsers(title="commands", metavar="COMMAND", required=True)
    install = _command(among, "install", do_install)
    install.add_argument("--wheels", type=Path, metavar="FOLDER", help="take packages from here")
    install.add_argument("--keyring", type=Path, metavar="FILE", help="the first one, put in force")
    _command(among, "rollback", do_rollback)
    _command(among, "show", do_show)
    saving = _command(among, "backup", do_backup)
    saving.add_argument("file", type=Path, metavar="FILE", help="is made; never written over")
    back = _command(among, "restore", do_restore)
    back.add_argument("file", type=Path, metavar="FILE", help="a backup")
    back.add_argument("--check", action="store_true", help="open it, show what is in it, no more")
    back.add_argument("--replace", action="store_true", help="this server becomes that one")
    back.add_argument("--last-bundle", type=Path, metavar="FILE", help="exported since")
    back.add_argument("--last-return", type=Path, metavar="FILE", help="acknowledged since")
    own = _command(among, "admin-onion", do_admin_onion)
    own.add_argument("--client", action="append", default=[], metavar="NAME=KEY", help="let in")
    own.add_argument("--remove", action="append", default=[], metavar="NAME", help="let in no more")
    admin = _command(among, "admin", do_admin)
    admin.add_argument("words", nargs=argparse.REMAINDER)
    return made


def main() -> int:
    """Run one command; a refusal becomes a sentence, the next step and an exit code."""
    given = build().parse_args()
    given.machine = Machine(given.root.absolute())
    try:
        if given.machine.real and os.geteuid() != 0:
            raise Misuse("Only root can do this.", "Run it again as root, or with sudo.")
        if given.do is not do_admin:  # a connection that breaks leaves nothing half done
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return int(given.do(given))
    except Refused as refused:
        print(refused.what, f"  → {refused.hint}", sep="\n", file=sys.stderr)
        return refused.exit
    except KeyboardInterrupt:
        print("\nStopped. Run it again: it goes on where it has to.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
