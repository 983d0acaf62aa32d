"""The admin's command line, and the only file of this room that prints and asks.

Rules:
- A command says what it did, then the next step.
- A command's docstring is its ``--help``.
"""

from argparse import ArgumentParser, Namespace
from typing import Any

from intake import canonical, files, installed, keyring, sentences, terminal
from intake.admin import (
    acknowledging,
    chain,
    doctor,
    exporting,
    install,
    maintaining,
    setup,
    status,
)
from intake.errors import Incomplete, Misuse, Unsafe
from intake.settings import Settings
from intake.terminal import FLAG, PATH, PATHS, say

_ME = "python -m intake.admin"
_CEREMONY = "python -m intake.ceremony"
_STATUS = f"  → {_ME} status"


def do_init(_: Namespace) -> None:
    """Make the data folder, the store and the bundle key. Again: changes nothing.

    Examples:
      python -m intake.admin init
      INTAKE_DATA=/srv/intake/data python -m intake.admin init
    """
    settings = Settings.from_environment()
    new, public = setup.init(settings)
    say(f"Made in {settings.data}: {', '.join(new)}." if new else "All is there already.")
    say(f"Bundle key, public half: {public.hex()}")
    if settings.keyring.exists():
        say(_STATUS)
    else:
        say(f"  → At the key ceremony: propose … --bundle-key {public.hex()}")
        say(f"  → Then, here: {_ME} keyring install FILE")


def do_install(given: Namespace) -> None:
    """Verify a keyring, or a chain of them, and put the last in force.

    Examples:
      python -m intake.admin keyring install /media/stick/keyring
      python -m intake.admin keyring install k2 k3 k4
    """

    def compare(first: keyring.Keyring) -> None:
        say(*sentences.describe(first))
        question = "Is this the fingerprint that was announced elsewhere?"
        terminal.confirm(question, assume=given.yes)

    data = [files.read(path, keyring.MAX_SIZE) for path in given.files]
    settings = Settings.from_environment()
    found, what = install.install(settings, data, compare, demo=given.allow_demo)
    say(f"Keyring {found.version}, valid to {found.expires}, {what}.")
    say(*sentences.fingerprint(found.sha256), _STATUS)


def do_show(given: Namespace) -> None:
    """Read the installed keyring aloud, or one in a file.

    Examples:
      python -m intake.admin keyring show
      python -m intake.admin keyring show /media/stick/keyring
    """
    if given.keyring is None:
        found = installed.load(Settings.from_environment())
    else:
        found = keyring.parse(files.read(given.keyring, keyring.MAX_SIZE))
    say(*sentences.describe(found))


def do_diff(given: Namespace) -> None:
    """Say what changes from one keyring to the next, and whether it follows.

    Example:
      python -m intake.admin keyring diff keys/keyring /media/stick/keyring
    """
    old, new = (files.read(path, keyring.MAX_SIZE) for path in (given.old, given.new))
    say(*sentences.compared(old, new))


def do_rotate(_: Namespace) -> None:
    """Say where keys are rotated: not here. No key of this machine opens or signs a keyring.

    Example:
      python -m intake.admin rotate
    """
    what = "Keys are rotated offline, by the people who hold them; this machine holds none."
    raise Misuse(what, f"There: {_CEREMONY} rotate --help. Then, here: {_ME} keyring install FILE")


def do_export(given: Namespace) -> None:
    """Write what is in the store to a stick, as signed bundles.

    Examples:
      python -m intake.admin export /media/stick
      python -m intake.admin export /media/stick --all
      python -m intake.admin export /media/stick --period 2026-w47 --empty
    """
    if given.period and given.all:
        raise Misuse("--all has every period with rows; --period names one.", "Leave one away.")
    run = exporting.Export(Settings.from_environment(), given.folder, terminal.progress)
    number = odd = 0
    for made in run.run(given.period, everything=given.all, empty=given.empty):
        number, odd = made.header.number, odd + made.odd
        if made.again:
            say("An export was not finished before; it is now. For what came since, run it again.")
        say(f"Bundle {number}: {made.header.count} envelopes of period {made.header.period}")
        say(f"  file     {made.path}", f"  sha256   {made.sha256}")
        say(f"  left     {made.header.left} more of this period in the store")
    if number:
        say("  → Take the stick to the desk: python -m intake.desk import FILE")
    else:
        say("Nothing to export.")
    if odd:
        what = f"Rows that have another size than an envelope, and stayed in the store: {odd}."
        hint = f"The disk may be failing. Copy the data folder, then: {_ME} doctor"
        raise Incomplete(what, hint)


def do_acknowledge(given: Namespace) -> None:
    """Delete the rows that a return names, and put its replies: two reviewers signed it.

    Example:
      python -m intake.admin acknowledge /media/stick/1a2b3c4d-000007.return
    """
    done = acknowledging.acknowledge(Settings.from_environment(), given.file, terminal.progress)
    if done.again:
        say(f"Return {done.number} is already done; nothing changed.", _STATUS)
        return
    rows = f"{done.deleted} deleted, {done.gone} already gone"
    say(f"Return {done.number}: {rows}, {done.replies} replies put into mailboxes")
    say(*[f"  {done.closed} of the ended periods may die: retire"] * bool(done.closed), _STATUS)
    if done.different:
        what = f"Rows that are not what the desk has read, and were kept: {done.different}."
        raise Incomplete(what, f"Tell the reviewers, and export them again: {_ME} export FOLDER")
    if done.spoilt:
        what = f"Replies that were cut or altered on their way, and were not put: {done.spoilt}."
        number = done.number - 1
        raise Incomplete(what, f"The desk sends them again with: acknowledge --after {number}")


def do_replies(given: Namespace) -> None:
    """Put the replies of a return into their mailboxes; all of it is done, as by acknowledge.

    Example:
      python -m intake.admin replies install /media/stick/1a2b3c4d-000007.return
    """
    do_acknowledge(given)


def do_resume(given: Namespace) -> None:
    """After a backup was put back: go on after the last bundle and return, which are on the stick.

    Example:
      python -m intake.admin resume --bundle 1a2b3c4d-000009.bundle --return 1a2b3c4d-000007.return
    """
    bundle, back = chain.resume(Settings.from_environment(), given.bundle, given.back)
    say(f"The last bundle is {bundle.number}, the last return {back.number}.", _STATUS)


def do_maintain(_: Namespace) -> None:
    """Give the store a fresh file, in which nothing lies in the order it came. Once a night.

    Example:
      python -m intake.admin maintain
    """
    if maintaining.maintain(Settings.from_environment()):
        say("The store has a fresh file, in which nothing lies in the order it came.", _STATUS)
    else:
        say("This store is PostgreSQL's, which arranges its files by itself: nothing was done.")
        say("  → They show in what order rows came: docs/adr/0007-store.md")


def do_status(given: Namespace) -> None:
    """Show how things stand, what to do next, and by when. Red exits with 8.

    The screen is the same whether anybody came lately or not, but for --rows.

    Examples:
      python -m intake.admin status
      python -m intake.admin status --json
    """
    facts = status.look(Settings.from_environment(), rows=given.rows)
    if given.json:
        say(canonical.dump(facts).decode())
    else:
        say(*status.lines(facts))
    if facts["state"] == "red":
        raise Incomplete("Red: what says NOW cannot wait.")


def do_doctor(_: Namespace) -> None:
    """Check this machine. A FAIL exits with 6.

    Examples:
      python -m intake.admin doctor
      python -m intake.admin doctor | grep FAIL
    """
    found = list(doctor.examine(Settings.from_environment()))
    say(*(f"{level:4} {line}" for level, line in found))
    if failed := sum(level == "FAIL" for level, _ in found):
        what = f"{failed} of the checks failed."
        raise Unsafe(what, "Put right what says FAIL, the first one first.")


_OPTIONS: dict[str, dict[str, Any]] = {
    "--all": {**FLAG, "help": "every period with rows"},
    "--bundle": {**PATH, "help": "the last one that was exported"},
    "--demo": {**FLAG, "dest": "allow_demo", "help": "a demo's keyring, too"},
    "--empty": {**FLAG, "help": "if --period is over and has no rows, say so, signed"},
    "--json": {**FLAG, "help": "for machines"},
    "--period": {"metavar": "NAME", "help": "not the oldest with rows, but this"},
    "--return": {**PATH, "dest": "back", "help": "the last one that was acknowledged"},
    "--rows": {**FLAG, "help": "count those of the period that runs, too"},
    "--yes": {**FLAG, "help": "the fingerprint was compared already"},
    "files": {**PATHS, "help": "one, or a chain in order"},
    "folder": {**PATH, "help": "where the stick is mounted"},
    "keyring": {**PATH, "nargs": "?", "help": "not the installed one"},
    "file": {**PATH, "help": "a return that two reviewers signed"},
}
_COMMANDS = {
    "init": (do_init, ""),
    "keyring install": (do_install, "files [--yes] [--demo]"),
    "keyring show": (do_show, "[keyring]"),
    "keyring diff": (do_diff, "old new"),
    "rotate": (do_rotate, ""),
    "export": (do_export, "folder [--period] [--all] [--empty]"),
    "acknowledge": (do_acknowledge, "file"),
    "replies install": (do_replies, "file"),
    "resume": (do_resume, "[--bundle] [--return]"),
    "maintain": (do_maintain, ""),
    "status": (do_status, "[--json] [--rows]"),
    "doctor": (do_doctor, ""),
}


def build() -> ArgumentParser:
    """Do an admin's work on the server. Nothing here can open what a source sent."""
    return terminal.commands("admin", build, _COMMANDS, _OPTIONS)


if __name__ == "__main__":
    terminal.run(build)
