"""The desk's command line, and the only file of this room that prints and asks.

Rules:
- Every other module of the room does the work; this one says what came of it.
- What a source wrote comes here only through ``page``, spelled; what others named, through
  ``terminal.visible``.
- A command's docstring is its ``--help``.
"""

from __future__ import annotations

import argparse
import inspect
from argparse import Namespace
from functools import partial
from pathlib import Path
from typing import Any

from intake import files, keyring, terminal
from intake.age.identity import Identity
from intake.desk import acknowledging, casebook, copying, importing, page, reading, record, state
from intake.desk.casebook import Casebook
from intake.desk.importing import Result
from intake.desk.present import Present, arrive
from intake.desk.state import Case, State
from intake.errors import Incomplete, Misuse
from intake.wording import Wording

_ME = "python -m intake.desk"
_EXAMPLES = f"""\
  {_ME} init --casebook casebook --keyring /stick/keyring --desk desk-a
  {_ME} import /stick/5f1c33aa-000003.bundle --casebook casebook \\
      --package /stick/2026-w47 --reviewer keys/alice --reviewer keys/bob
  {_ME} list --casebook casebook --reviewer keys/alice
  {_ME} read 3f2a91bc --casebook casebook --reviewer keys/alice"""
_SHORTEST = 4  # hex digits that name a case


def init(given: Namespace) -> None:
    """Make a casebook, once for each desk. The keyring's fingerprint must be compared.

    Example:
      python -m intake.desk init --casebook casebook --keyring /stick/keyring --desk desk-a
    """
    data = files.read(given.keyring, keyring.MAX_SIZE)
    found = keyring.parse(data)
    _say(
        f"Keyring {found.version}, valid {found.issued} to {found.expires}.",
        *(["It is a DEMO's keyring. Never use it for real testimony."] * found.demo),
        f"Roots: {', '.join(sorted(found.roots))}. Reviewers: {_names(found.reviewers)}.",
        f"Fingerprint: {_grouped(found.sha256)}",
    )
    terminal.confirm("Is this the fingerprint that was announced to you?", assume=given.yes)
    made = casebook.create(given.casebook, data, given.desk)
    _say(f"{made.folder} is there, the casebook of {made.desk}. Next: import a bundle.")


def newer(given: Namespace) -> None:
    """Put the next keyring in force.

    Example:
      python -m intake.desk keyring /stick/keyring --casebook casebook
    """
    book = casebook.load(given.casebook)
    new = book.add_keyring(files.read(given.file, keyring.MAX_SIZE))
    _say(
        f"Keyring {new.version} is in force, valid to {new.expires}.",
        f"Reviewers: {_names(new.active)}. Fingerprint: {_grouped(new.sha256)}",
    )


def bring(given: Namespace) -> None:
    r"""Open a bundle and record it. The quorum of its period must be present.

    Example:
      python -m intake.desk import /stick/5f1c33aa-000003.bundle --casebook casebook \
        --package /stick/2026-w47 --reviewer keys/alice --reviewer keys/bob
    """
    book, present = _arrive(given, given.reviewer)
    author = next((who for who in present if who.name == given.author), present[0])
    if given.author not in {None, author.name}:
        raise Misuse("The author is not here.", "Take one of the reviewers named with --reviewer.")
    watch = partial(terminal.progress, "Opening and recording")
    _report(importing.run(book, given.bundle, given.package, present, author=author, watch=watch))


def _report(result: Result) -> None:
    """Tell the truth about an import, first in one line."""
    header, said = result.header, result.verdicts
    before = {
        importing.FIRST: "it is the first bundle",
        state.HERE: "the one before is here",
        state.MISSING: f"bundle {header.number - 1} is missing: carry it over",
        importing.OTHER: f"another bundle {header.number - 1} is here than this one follows",
    }[result.before]
    opened = header.count - result.lacking
    _say(f"{header.count} in the bundle, {opened} opened, {before}, {said['missing']} missing")
    notes = [(said[verdict], meaning) for verdict, meaning in state.VERDICTS.items()]
    notes += [
        (result.decoys, "of the new ones are decoys, and mean nothing"),
        (header.left, "left on the server; the next bundle brings them"),
        (result.older, "made under an older keyring than the bundle's"),
        (result.unknown_keyring, "made under a keyring that is not known here: ask the admins"),
        (result.doubled, "twice in the file"),
        (result.stray, "bytes in the file that belong to no row"),
        (result.other_number, "other bundle with this number was imported before: ask the admins"),
    ]
    _say(*(f"  {number:6}  {note}" for number, note in notes if number))
    if result.lacking or result.other_number or result.before in {state.MISSING, importing.OTHER}:
        raise Incomplete(
            f"Bundle {header.number} is recorded, but not everything that should be here is.",
            "Copy what is missing again from the server, and import it; what is here stays.",
        )


def list_cases(given: Namespace) -> None:
    """List the cases that a reviewer can open.

    Example:
      python -m intake.desk list --casebook casebook --reviewer keys/alice
    """
    book, found, identities = _open(given)
    form = reading.form()
    table = [["case", "day", "danger", "force", "rank", "unit", "state"]]
    for case in found.cases.values():
        opened = reading.open_case(book.folder, found, case, identities, form)
        told = {k: page.one_line(a) for k, a in reading.summary(opened).items()}
        unit = f"{told.get('unit_type', '-')} {told.get('unit_no', '')}".strip()
        cells = [told.get(key, "-") for key in ("urgency", "force", "rank")]
        table.append([case.number, f"{case.received[0].day}", *cells, unit, case.state])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        _say("  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip())
    kept = sum(row.blob is not None for row in found.rows.values())
    mine = sum(len(case.received) for case in found.cases.values())
    _say("", f"{len(found.cases)} cases are yours, with {mine} of the {kept} envelopes here.")
    _say_faults(found)


def read(given: Namespace) -> None:
    """Show one case, as text, or as a page that a browser shows with Burmese in its right shape.

    Example:
      python -m intake.desk read 3f2a91bc --casebook casebook --reviewer keys/alice
      python -m intake.desk read 3f2a91bc --casebook casebook --reviewer keys/alice \
        --html /run/user/1000/page.html
    """
    book, found, identities = _open(given)
    case, form = _case(found, given.case), reading.form()
    opened = reading.open_case(book.folder, found, case, identities, form)
    if given.html is not None:
        my = Wording.load("my", reading.form_path())
        files.write(given.html, page.html(case, opened, my, demo=book.keyring.demo))
        _say(f"{given.html} is there, in the clear. Open it here, and delete it after reading.")
    if given.html is None or given.text:
        terminal.say(page.text(case, opened))
    _say_faults(found)
    if any(item.fault for item in opened):
        raise Incomplete("A part of this case cannot be read.", "See the lines marked with “!”.")


def export(given: Namespace) -> None:
    """Give the cases that a reviewer can open as JSON, printed or into a file.

    Example:
      python -m intake.desk export --casebook casebook --reviewer keys/alice --out cases.json
    """
    book, found, identities = _open(given)
    form = reading.form()
    cases = {
        tag.hex(): (case, reading.open_case(book.folder, found, case, identities, form))
        for tag, case in found.cases.items()
    }
    text = page.as_json(cases)
    if given.out is None:
        terminal.say(text)
        return
    files.write(given.out, text.encode(), replace=False)
    _say(f"{given.out} is there with {len(found.cases)} cases, in the clear.")
    _say_faults(found)


def copy(given: Namespace) -> None:
    """Write a second copy of the casebook, or bring it up to date, and read it back.

    Example:
      python -m intake.desk copy --casebook casebook --to /disk/casebook
    """
    copied = copying.copy(casebook.load(given.casebook), given.to)
    _say(f"{copied} files copied to {given.to}; all read back, and equal.")


def acknowledge(given: Namespace) -> None:
    r"""Tell the server what it may delete, after the second copy was read back.

    Example:
      python -m intake.desk acknowledge --casebook casebook --second-copy /disk/casebook \
        --reviewer keys/alice --reviewer keys/bob --out /stick/1.return
    """
    book, present = _arrive(given, given.reviewer)
    header, waits = acknowledging.run(book, given.second_copy, present, given.out)
    if given.second_copy.stat().st_dev == book.folder.stat().st_dev:
        _say("Mind: both copies are on one disk. A disk that fails, or is taken, takes both.")
    if header:
        _say(f"Return {header.number}: {header.acknowledged} rows are in both copies, and may go.")
        _say(f"Next: carry {given.out} to the server.")
    _say(*(f"  {number:6}  {doubt}" for doubt, number in sorted(waits.items())))
    if waits:
        signers = " and ".join(who.name for who in present)
        raise Incomplete(
            f"Rows that {signers} cannot vouch for, and that stay on the server: {waits.total()}.",
            "Copy, then acknowledge again with who is missing: a reviewer of the case, and not "
            "the one who imported it.",
        )


def repair(given: Namespace) -> None:
    """Cut off what a power cut left at the end of a log. The cut part is kept in torn/.

    Example:
      python -m intake.desk repair --casebook casebook
    """
    book = casebook.load(given.casebook)
    with book.locked():
        torn = [chain for chain in book.chains([]).values() if chain.torn]
        for chain in torn:
            _say(f"{chain.name}: {chain.torn} bytes after event {chain.last} are torn.")
            terminal.confirm("Cut them off, and keep them in torn/?", assume=given.yes)
            _say(f"  kept as {record.cut(book.folder, chain)}")
    _say("Next: import the last bundle again, to be sure." if torn else "Nothing is torn.")


def _arrive(given: Namespace, folders: list[Path]) -> tuple[Casebook, list[Present]]:
    book = casebook.load(given.casebook)
    return book, arrive(folders, book.keyring, terminal.Passphrases(given.demo))


def _open(given: Namespace) -> tuple[Casebook, State, list[Identity]]:
    book, present = _arrive(given, given.reviewer[:1])
    identities = present[0].quarters()
    return book, state.fold(book.chains(identities)), identities


def _case(found: State, number: str) -> Case:
    cases = [case for tag, case in found.cases.items() if tag.hex().startswith(number.lower())]
    if len(cases) > 1:
        raise Misuse("Several cases begin so.", "Give more digits of the number.")
    if not cases or len(number) < _SHORTEST:
        raise Misuse("No case of yours has this number.", f"See the cases with: {_ME} list")
    return cases[0]


def _say_faults(found: State) -> None:
    _say(*([f"{found.closed} events are not for you."] if found.closed else []))
    _say(*(f"! {fault}" for fault in found.faults))


def _say(*lines: str) -> None:
    for line in lines:
        terminal.say(terminal.visible(line))


def _names(reviewers: tuple[keyring.Reviewer, ...]) -> str:
    return ", ".join(reviewer.name for reviewer in reviewers)


def _grouped(digest: bytes) -> str:
    text = digest.hex()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


_PATH = {"type": Path, "metavar": "PATH"}
_OPTIONS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("bundle", "file", "--keyring"), _PATH),
    "--author": {"metavar": "NAME", "help": "who signs; the first reviewer, if not given"},
    "--casebook": {**_PATH, "help": "the casebook's folder"},
    "--desk": {"metavar": "NAME", "help": "the desk's name, such as desk-a"},
    "--html": {**_PATH, "help": "write a page, readable by you alone"},
    "--out": {**_PATH, "help": "the file to write"},
    "--package": {**_PATH, "help": "the folder of the period's quorum package"},
    "--reviewer": {**_PATH, "action": "append", "help": "a reviewer's folder; once for each"},
    "--second-copy": {**_PATH, "help": "the second copy's folder"},
    "--text": {"action": "store_true", "help": "print the text too"},
    "--to": {**_PATH, "help": "the second copy's folder"},
    "--yes": {"action": "store_true", "help": "do not ask"},
    "case": {"metavar": "CASE", "help": "the case number, or its beginning"},
}
# What each command must have; after the bar, what it may have.
_COMMANDS = {
    "init": (init, "--casebook --keyring --desk | --yes"),
    "keyring": (newer, "file --casebook |"),
    "import": (bring, "bundle --casebook --package --reviewer | --author"),
    "list": (list_cases, "--casebook --reviewer |"),
    "read": (read, "case --casebook --reviewer | --html --text"),
    "export": (export, "--casebook --reviewer | --out"),
    "copy": (copy, "--casebook --to |"),
    "acknowledge": (acknowledge, "--casebook --second-copy --reviewer --out |"),
    "repair": (repair, "--casebook | --yes"),
}


def build() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    what = "Open, record, read and acknowledge testimony, on a machine with no network."
    made = terminal.parser("desk", what, _EXAMPLES)
    commands = made.add_subparsers(required=True, metavar="COMMAND")
    for name, (do, options) in _COMMANDS.items():
        what, _, more = inspect.cleandoc(do.__doc__ or "").partition("\n\n")
        own = commands.add_parser(name, help=what, description=what, epilog=more)
        own.formatter_class, own.allow_abbrev = made.formatter_class, False
        own.set_defaults(do=do)
        needed, allowed = options.split("|")
        for option in needed.split():
            must: dict[str, Any] = {"required": True} if option.startswith("-") else {}
            own.add_argument(option, **_OPTIONS[option], **must)
        for option in allowed.split():
            own.add_argument(option, **_OPTIONS[option])
    return made


if __name__ == "__main__":
    terminal.run(build)
