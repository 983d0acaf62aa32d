"""The admin's command line, and the only file of this room that prints and asks.

Rules:
- Everything printed goes through ``visible``; a keyring's names were written by others.
- A command says what it did, then the next step; ``--help`` shows how each is used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intake import canonical, files, installed, keyring, terminal
from intake.admin import acknowledging, doctor, exporting, install, setup, status
from intake.errors import Incomplete, Unsafe
from intake.keyring import Keyring
from intake.settings import Settings

_ME = "python -m intake.admin"
_STATUS = f"  → {_ME} status"


def do_init(_: argparse.Namespace) -> None:
    """Make the data folder, the store and the bundle key."""
    settings = Settings.from_environment()
    new, public = setup.init(settings)
    _say(f"Made in {settings.data}: {', '.join(new)}." if new else "All is there already.")
    _say(f"Bundle key, public half: {public.hex()}")
    if settings.keyring.exists():
        _say(_STATUS)
    else:
        _say(f"  → At the key ceremony: propose … --bundle-key {public.hex()}")
        _say(f"  → Then, here: {_ME} keyring install FILE")


def do_install(arguments: argparse.Namespace) -> None:
    """Verify a keyring, or a chain of them, and put the last in force."""

    def compare(first: Keyring) -> None:
        _say(*install.describe(first))
        question = "Is this the fingerprint that was announced elsewhere?"
        terminal.confirm(question, assume=arguments.yes)

    data = [files.read(path, keyring.MAX_SIZE) for path in arguments.files]
    settings = Settings.from_environment()
    found, what = install.install(settings, data, compare, demo=arguments.allow_demo)
    _say(f"Keyring {found.version}, valid to {found.expires}, {what}.")
    _say(f"Fingerprint: {install.grouped(found.sha256)}", _STATUS)


def do_show(arguments: argparse.Namespace) -> None:
    """Show the installed keyring, or one in a file."""
    if arguments.file is None:
        found = installed.load(Settings.from_environment())
    else:
        found = keyring.parse(files.read(arguments.file, keyring.MAX_SIZE))
    _say(*install.describe(found))


def do_export(arguments: argparse.Namespace) -> None:
    """Write what is in the store to a stick, as signed bundles."""
    run = exporting.Export(Settings.from_environment(), arguments.folder, terminal.progress)
    number = odd = 0
    for made in run.run(arguments.period, everything=arguments.all, empty=arguments.empty):
        number, odd = made.header.number, odd + made.odd
        if made.again:
            _say("An export was not finished before; it is now. For what came since, run it again.")
        _say(f"Bundle {number}: {made.header.count} envelopes of period {made.header.period}")
        _say(f"  file     {made.path}", f"  sha256   {made.sha256}")
        _say(f"  left     {made.header.left} more of this period in the store")
    if number:
        _say("  → Take the stick to the desk: python -m intake.desk import FILE")
    else:
        _say("Nothing to export.")
    if odd:
        raise Incomplete(
            f"Rows that have another size than an envelope, and stayed in the store: {odd}.",
            f"The disk may be failing. Copy the data folder, then: {_ME} doctor",
        )


def do_acknowledge(arguments: argparse.Namespace) -> None:
    """Delete the rows that a return names, which two reviewers signed."""
    done = acknowledging.acknowledge(Settings.from_environment(), arguments.file, terminal.progress)
    if done.again:
        _say(f"Return {done.number} is already done; nothing changed.", _STATUS)
        return
    _say(f"Return {done.number}: {done.deleted} deleted, {done.gone} already gone", _STATUS)
    if done.different:
        raise Incomplete(
            f"Rows that are not what the desk has read, and were kept: {done.different}.",
            f"Tell the reviewers, and export them again: {_ME} export FOLDER",
        )


def do_status(arguments: argparse.Namespace) -> None:
    """Show how things stand, what to do next, and by when. Red exits with 8."""
    facts, actions = status.look(Settings.from_environment())
    if arguments.json:
        terminal.say(canonical.dump(facts).decode())
    else:
        _say(*status.lines(facts, actions))
    if facts["state"] == "red":
        raise Incomplete("Red: what says NOW cannot wait.")


def do_doctor(_: argparse.Namespace) -> None:
    """Check this machine. A FAIL exits with 6."""
    failed = 0
    for level, line in doctor.examine(Settings.from_environment()):
        failed += level == "FAIL"
        _say(f"{level:4} {line}")
    if failed:
        raise Unsafe(
            f"{failed} of the checks failed.", "Put right what says FAIL, the first one first."
        )


def build() -> argparse.ArgumentParser:
    """Return the command line."""
    root = terminal.parser(
        "admin",
        "What admins do on the server. It cannot open anything that a source sent.",
        f"  {_ME} init\n  {_ME} status\n  {_ME} export /media/stick",
    )
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add(commands, do_init, "init", "", "  # again: changes nothing")
    inner = commands.add_parser("keyring", help="Install or show a keyring.", allow_abbrev=False)
    inner_commands = inner.add_subparsers(title="commands", metavar="COMMAND", required=True)
    own = _add(inner_commands, do_install, "keyring install", "/media/stick/keyring", "k2 k3 k4")
    own.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one, or a chain in order")
    own.add_argument("--yes", action="store_true", help="the fingerprint was compared already")
    own.add_argument("--demo", dest="allow_demo", action="store_true", help="a demo's keyring, too")
    own = _add(inner_commands, do_show, "keyring show", "", "/media/stick/keyring")
    own.add_argument("file", nargs="?", type=Path, metavar="FILE", help="not the installed one")
    period = "/media/stick --period 2026-w47 --empty"
    own = _add(commands, do_export, "export", "/media/stick", "/media/stick --all", period)
    own.add_argument("folder", type=Path, metavar="FOLDER", help="where the stick is mounted")
    which = own.add_mutually_exclusive_group()
    which.add_argument("--period", metavar="NAME", help="not the oldest with rows, but this")
    which.add_argument("--all", action="store_true", help="every period with rows")
    own.add_argument("--empty", action="store_true", help="if --period has no rows, say so, signed")
    examples = ("/media/stick/1a2b3c4d-000007.return", "/media/stick/*-000007.return")
    own = _add(commands, do_acknowledge, "acknowledge", *examples)
    own.add_argument("file", type=Path, metavar="FILE", help="a return that two reviewers signed")
    own = _add(commands, do_status, "status", "", "--json")
    own.add_argument("--json", action="store_true", help="for machines")
    _add(commands, do_doctor, "doctor", "", "| grep FAIL")
    return root


def _add(
    commands: Any,  # noqa: ANN401 - argparse does not name the type
    do: Callable[[argparse.Namespace], None],
    name: str,
    *examples: str,
) -> argparse.ArgumentParser:
    """Add a command whose help is its docstring and its examples."""
    shown = "\n".join(f"  {_ME} {name} {example}".rstrip() for example in examples)
    own: argparse.ArgumentParser = commands.add_parser(
        name.rpartition(" ")[2],
        help=do.__doc__,
        description=do.__doc__,
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    own.set_defaults(do=do)
    return own


def _say(*lines: str) -> None:
    for line in lines:
        terminal.say(terminal.visible(line))


if __name__ == "__main__":
    terminal.run(build)
