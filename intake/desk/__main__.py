"""The desk's commands. Nothing here opens a connection.

Rules: this module parses, asks and prints; every other module of the room does the work.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from intake import files, keyring, terminal
from intake.age.identity import Identity
from intake.desk import (
    acknowledging,
    casebook,
    copying,
    exporting,
    importing,
    page,
    reading,
    record,
)
from intake.desk.casebook import Casebook
from intake.desk.importing import FIRST, OTHER, Item, Result
from intake.desk.present import Present, arrive
from intake.desk.state import (
    ALTERED,
    CLOSED,
    FOREIGN,
    HERE,
    MISSING,
    OK,
    VERDICTS,
    Case,
    Row,
    State,
)
from intake.errors import Incomplete, Misuse
from intake.form import Form
from intake.settings import Settings
from intake.terminal import Passphrases, say
from intake.wording import Wording

SHORTEST = 4  # hex digits that name a case
SAID = {
    OK: "new, opened and recorded",
    HERE: "already here",
    ALTERED: "altered: other bytes than the server signed for",
    MISSING: "missing from the file",
    CLOSED: "not openable with the period's key",
    FOREIGN: "not an envelope of this deployment's form, or of another id",
}


def build() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = terminal.parser(
        "desk",
        "Open, record, read and acknowledge testimony, on a machine with no network.",
        "  python -m intake.desk init --casebook casebook --keyring /stick/keyring --desk desk-a\n"
        "  python -m intake.desk import /stick/5f1c33aa-000003.bundle --casebook casebook \\\n"
        "      --package /stick/2026-w47 --reviewer keys/alice --reviewer keys/bob\n"
        "  python -m intake.desk list --casebook casebook --reviewer keys/alice\n"
        "  python -m intake.desk read 3f2a91bc --casebook casebook --reviewer keys/alice",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_folder_commands(commands)
    _add_reading_commands(commands)
    _add_stick_commands(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: Commands, name: str, help_: str, example: str) -> argparse.ArgumentParser:
    made = commands.add_parser(
        name,
        help=help_,
        description=help_[0].upper() + help_[1:] + ".",
        epilog=f"example:\n  python -m intake.desk {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--casebook", type=Path, required=True, metavar="DIR", help="the casebook")
    return made


def _add_folder_commands(commands: Commands) -> None:
    init = _command(
        commands,
        "init",
        "make a casebook, once for each desk",
        "--casebook casebook --keyring /stick/keyring --desk desk-a",
    )
    init.add_argument("--keyring", type=Path, required=True, metavar="FILE")
    init.add_argument("--desk", required=True, metavar="NAME", help="of this desk, such as desk-a")
    init.add_argument("--yes", action="store_true", help="the fingerprint was compared")
    init.set_defaults(do=_init)

    newer = _command(
        commands, "keyring", "put the next keyring in force", "/stick/keyring --casebook casebook"
    )
    newer.add_argument("file", type=Path, metavar="FILE")
    newer.set_defaults(do=_keyring)

    copy = _command(
        commands,
        "copy",
        "write a second copy and read it back",
        "--casebook casebook --to /disk/casebook",
    )
    copy.add_argument("--to", type=Path, required=True, metavar="DIR", help="the second copy")
    copy.set_defaults(do=_copy)

    repair = _command(
        commands,
        "repair",
        "cut off what a power cut left at the end of a log; the cut part is kept in torn/",
        "--casebook casebook",
    )
    repair.add_argument("--yes", action="store_true", help="do not ask")
    repair.set_defaults(do=_repair)


def _add_reading_commands(commands: Commands) -> None:
    listing = _command(
        commands,
        "list",
        "list the cases that a reviewer can open",
        "--casebook casebook --reviewer keys/alice",
    )
    listing.set_defaults(do=_list)
    read = _command(
        commands,
        "read",
        "show one case, as text or as a page for a browser",
        "3f2a91bc --casebook casebook --reviewer keys/alice --html /ram/case.html",
    )
    read.add_argument("case", metavar="CASE", help="its number, or the beginning of it")
    read.add_argument(
        "--html", type=Path, metavar="FILE", help="write a page, readable by you only"
    )
    read.add_argument("--text", action="store_true", help="print text also when there is a page")
    read.set_defaults(do=_read)
    export = _command(
        commands,
        "export",
        "give the cases that a reviewer can open as JSON",
        "--casebook casebook --reviewer keys/alice --out cases.json",
    )
    export.add_argument("--out", type=Path, metavar="FILE", help="else it is printed")
    export.set_defaults(do=_export)
    for command in (listing, read, export):
        command.add_argument(
            "--reviewer", type=Path, required=True, metavar="FOLDER", help="the reviewer's folder"
        )


def _add_stick_commands(commands: Commands) -> None:
    bring = _command(
        commands,
        "import",
        "open a bundle and record it; the quorum must be present",
        "/stick/5f1c33aa-000003.bundle --casebook casebook \\\n"
        "      --package /stick/2026-w47 --reviewer keys/alice --reviewer keys/bob",
    )
    bring.add_argument("bundle", type=Path, metavar="BUNDLE")
    bring.add_argument(
        "--package", type=Path, required=True, metavar="FOLDER", help="the period's quorum package"
    )
    bring.add_argument(
        "--author", metavar="NAME", help="who signs; the first reviewer if not given"
    )
    bring.set_defaults(do=_import)
    acknowledge = _command(
        commands,
        "acknowledge",
        "tell the server what it may delete, after reading the second copy back",
        "--casebook casebook --second-copy /disk/casebook \\\n"
        "      --reviewer keys/alice --reviewer keys/bob --out /stick/1.return",
    )
    acknowledge.add_argument("--second-copy", type=Path, required=True, metavar="DIR")
    acknowledge.add_argument("--out", type=Path, required=True, metavar="FILE")
    acknowledge.set_defaults(do=_acknowledge)
    for command in (bring, acknowledge):
        command.add_argument(
            "--reviewer",
            type=Path,
            action="append",
            required=True,
            metavar="FOLDER",
            help="a reviewer's folder; give it once for each who is here",
        )


def _init(arguments: argparse.Namespace) -> None:
    data = files.read(arguments.keyring, keyring.MAX_SIZE)
    found = keyring.parse(data)
    say(f"Keyring {found.version}, valid {found.issued} to {found.expires}.")
    if found.demo:
        say("It is a DEMO's keyring. Never use it for real testimony.")
    say(f"Roots: {', '.join(sorted(found.roots))}. Reviewers: {_names(found.reviewers)}.")
    say(f"Fingerprint:\n  {_fingerprint(found.sha256)}")
    terminal.confirm("Is this the fingerprint that was announced to you?", assume=arguments.yes)
    made = casebook.create(arguments.casebook, data, arguments.desk)
    say(f"Casebook of {made.desk} made in {made.folder}. Next: import a bundle.")


def _keyring(arguments: argparse.Namespace) -> None:
    book = casebook.load(arguments.casebook)
    new = book.add_keyring(files.read(arguments.file, keyring.MAX_SIZE))
    say(f"Keyring {new.version} is in force, valid until {new.expires}.")
    say(f"Reviewers: {_names(new.active)}. Fingerprint:\n  {_fingerprint(new.sha256)}")


def _import(arguments: argparse.Namespace) -> None:
    book = casebook.load(arguments.casebook)
    present = _arrive(arguments, book, arguments.reviewer)
    wanted = arguments.author or present[0].name
    author = next((who for who in present if who.name == wanted), None)
    if author is None:
        raise Misuse("The author is not here.", "Take one of the reviewers named with --reviewer.")

    def watch(items: Iterable[Item], total: int) -> Iterable[Item]:
        return terminal.progress("Opening and recording", items, total)

    result = importing.run(
        book, arguments.bundle, arguments.package, present, author=author, watch=watch
    )
    _report(result)


def _report(result: Result) -> None:
    """Tell the truth about an import, first in one line."""
    number, count, said = result.header.number, result.header.count, result.verdicts
    before = {
        FIRST: "it is the first bundle",
        HERE: "the one before is here",
        MISSING: f"bundle {number - 1} is missing: carry it over",
        OTHER: f"another bundle {number - 1} is here than the one that this follows",
    }[result.before]
    opened = count - result.lacking
    say(f"{count} in the bundle, {opened} opened, {before}, {said[MISSING]} missing")
    for verdict in VERDICTS:
        if said[verdict]:
            say(f"  {said[verdict]:6}  {SAID[verdict]}")
    notes = (
        (result.header.left, "left on the server; the next bundle brings them"),
        (result.older, "made under an older keyring than the bundle's"),
        (result.unknown_keyring, "made under a keyring that is not known here: ask the admins"),
        (result.doubled, "twice in the file"),
        (result.stray, "bytes in the file that belong to no row"),
    )
    for number_of, note in notes:
        if number_of:
            say(f"  {number_of:6}  {note}")
    if result.other_number:
        say(f"  Another bundle with number {number} was imported before. Ask the admins why.")
    if result.lacking or result.other_number or result.before in {MISSING, OTHER}:
        raise Incomplete(
            f"Bundle {number} is recorded, but not everything that should be here is.",
            "Copy the bundle again from the server and import it again; what is here stays.",
        )


def _list(arguments: argparse.Namespace) -> None:
    book, state, identities = _open(arguments)
    form = _form()
    table = [["case", "day", "danger", "force", "rank", "unit", "state"]]
    for case in state.cases.values():
        opened = reading.open_case(book.folder, state, case, identities, form)
        found = next((item.testimony for item in opened if item.testimony), None)
        told = {k: page.one_line(a) for k, a in reading.summary(found, form).items()}
        unit = f"{told.get('unit_type', '')} {told.get('unit_no', '')}".strip()
        cells = [told.get(key, "-") for key in ("urgency", "force", "rank")]
        table.append([case.number, f"{case.received[0].day}", *cells, unit or "-", case.state])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        say("  ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)).rstrip())
    kept = sum(row.blob is not None for row in state.rows.values())
    mine = sum(len(case.received) for case in state.cases.values())
    say(f"\n{len(state.cases)} cases are yours, with {mine} of the {kept} envelopes here.")
    if state.closed:
        say(f"{state.closed} events are not for you.")
    _faults(state)


def _read(arguments: argparse.Namespace) -> None:
    book, state, identities = _open(arguments)
    case = _case(state, arguments.case)
    form = _form()
    opened = reading.open_case(book.folder, state, case, identities, form)
    if arguments.html is not None:
        first = reading.summary(next((i.testimony for i in opened if i.testimony), None), form)
        glance = [words for answers in first.values() for words in answers]
        wording = Wording.load("my", Settings.from_environment().form)
        written = page.html(case, opened, glance, wording, demo=book.keyring.demo)
        files.write(arguments.html, written)
        say(
            f"{arguments.html} is written, in the clear. Open it here, and delete it after reading."
        )
    if arguments.html is None or arguments.text:
        say(page.text(case, opened))
    _faults(state)
    if any(item.fault for item in opened):
        raise Incomplete("A part of this case cannot be read.", "See the lines marked with “!”.")


def _export(arguments: argparse.Namespace) -> None:
    book, state, identities = _open(arguments)
    form = _form()
    cases = [
        (case, reading.open_case(book.folder, state, case, identities, form))
        for case in state.cases.values()
    ]
    text = exporting.dump(cases)
    if arguments.out is None:
        say(text.rstrip("\n"))
    else:
        files.write(arguments.out, text.encode(), replace=False)
        say(f"{len(cases)} cases are written to {arguments.out}, in the clear.")
    _faults(state)


def _copy(arguments: argparse.Namespace) -> None:
    book = casebook.load(arguments.casebook)
    copied = copying.copy(book, arguments.to)
    say(f"{len(copied)} files copied to {arguments.to}, read back, and equal.")


def _repair(arguments: argparse.Namespace) -> None:
    book = casebook.load(arguments.casebook)
    with book.locked():
        torn = [chain for chain in book.chains([]).values() if chain.torn]
        for chain in torn:
            say(f"{chain.name}: {chain.torn} bytes after event {chain.last} are torn.")
            terminal.confirm("Cut them off, and keep them in torn/?", assume=arguments.yes)
            say(f"  kept as {record.cut(book.folder, chain)}")
    say("Nothing is torn." if not torn else "Import the last bundle again, to be sure.")


def _acknowledge(arguments: argparse.Namespace) -> None:
    book = casebook.load(arguments.casebook)
    present = _arrive(arguments, book, arguments.reviewer)
    if len(present) < casebook.ASSIGNED:
        raise Misuse("An acknowledgement needs two reviewers.", "Give --reviewer twice.")

    def watch(rows: Sequence[Row]) -> Iterable[Row]:
        return terminal.progress("Reading the second copy", rows)

    header = acknowledging.run(book, arguments.second_copy, present, arguments.out, watch)
    if arguments.second_copy.stat().st_dev == book.folder.stat().st_dev:
        say("Mind: both copies are on one disk. A disk that fails, or is taken, takes both.")
    say(f"Return {header.number}: {header.acknowledged} rows are in both copies, and may go.")
    say(f"Carry {arguments.out} to the server.")


def _arrive(arguments: argparse.Namespace, book: Casebook, folders: list[Path]) -> list[Present]:
    return arrive(folders, book.keyring, Passphrases(arguments.demo))


def _open(arguments: argparse.Namespace) -> tuple[Casebook, State, list[Identity]]:
    book = casebook.load(arguments.casebook)
    identities = _arrive(arguments, book, [arguments.reviewer])[0].quarters()
    return book, book.state(identities), identities


def _case(state: State, number: str) -> Case:
    wanted = number.lower()
    found = [case for tag, case in state.cases.items() if tag.hex().startswith(wanted)]
    if len(wanted) < SHORTEST or not found:
        raise Misuse("No case of yours has this number.", "See them with: list")
    if len(found) > 1:
        raise Misuse("Several cases begin so.", "Give more digits of the number.")
    return found[0]


def _form() -> Form:
    return Form.load(Settings.from_environment().form)


def _faults(state: State) -> None:
    for fault in state.faults:
        say(f"! {fault}")


def _names(reviewers: Sequence[keyring.Reviewer]) -> str:
    return ", ".join(reviewer.name for reviewer in reviewers)


def _fingerprint(digest: bytes) -> str:
    text = digest.hex()
    return " ".join(text[at : at + 8] for at in range(0, len(text), 8))


if __name__ == "__main__":
    terminal.run(build)
