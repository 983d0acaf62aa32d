"""The key ceremony's command line, and the only file of this room that prints and asks.

Rules:
- Secrets come from the terminal and are in no argument, variable of the environment or message.
- What is there already stays; the command then says so, and what comes next.
- Names on cards were written by others, so everything printed goes through ``visible``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from intake import files, keyring, locked, terminal
from intake.ceremony import (
    attestation,
    card,
    package,
    period,
    proposal,
    rehearsal,
    reviewer,
    root,
    signing,
)
from intake.ceremony import folder as folders
from intake.ceremony.card import Card
from intake.ceremony.sentences import describe, differences, grouped, of_recipient
from intake.quorum import Package

_ME = "python -m intake.ceremony"
_EXAMPLES = f"""\
  {_ME} root rosa --out /media/rosa
  {_ME} reviewer alice --body "Defectors' Association" --out /media/alice
  {_ME} archive --reviewers alice/card.json bob/card.json carol/card.json --quorum 2 --out made
  {_ME} rehearse

Each command has its own --help. The order of the steps: root, reviewer, archive, periods, attest,
propose, sign, assemble."""


def make_root(arguments: argparse.Namespace) -> None:
    """Make a root, or say that it is there."""
    path = arguments.out / arguments.name
    if not path.exists():
        words = terminal.Passphrases(arguments.demo)
        root.make(path, words.ask(path.name, "the root's key", new=True), demo=words.demo)
    made = _cards([path], card.ROOT, arguments)[0]
    _say(f"{path} is there: root {made.name}, key {grouped(made.key)}")
    _next(f"Read the key out to the others. Give {path / card.NAME} to whoever proposes.")


def make_reviewer(arguments: argparse.Namespace) -> None:
    """Make a reviewer's keys, or say that they are there."""
    path = arguments.out / arguments.name
    if not path.exists():
        words = terminal.Passphrases(arguments.demo)
        passphrase = words.ask(path.name, "the reviewer's keys", new=True)
        quarters = arguments.quarter or [reviewer.quarter_of(_today())]
        reviewer.make(path, arguments.body, quarters, passphrase, demo=words.demo)
    made = _cards([path], card.REVIEWER, arguments)[0]
    _say(f"{path} is there: reviewer {made.name}, sent by {made.body}, key {grouped(made.key)}")
    _say(f"Quarters: {', '.join(sorted(made.quarters))}")
    _next(f"Read the key out to the others. Give {path / card.NAME} to whoever makes packages.")


def make_archive(arguments: argparse.Namespace) -> None:
    """Make the archive's package, or say that it is there."""
    path = arguments.out / "archive"
    made = package.make(path, _compared(arguments), arguments.quorum)
    _say_package(path, made)
    _say(made.recipient)
    _next(f"{_ME} attest {path} --reviewer FOLDER --reviewer FOLDER")


def make_periods(arguments: argparse.Namespace) -> None:
    """Make the package of each week, or say that it is there."""
    cards = _compared(arguments)
    days, weeks, out = arguments.first, arguments.weeks, arguments.out
    made = list(period.make(out, days, weeks, cards, arguments.quorum))
    for one in made:
        _say_package(out / one.name, one)
    packages = " ".join(str(out / one.name) for one in made)
    _next(f"{_ME} attest {packages} --reviewer FOLDER --reviewer FOLDER")


def attest(arguments: argparse.Namespace) -> None:
    """Let the reviewers who are here open the packages, and sign that they opened."""
    words = terminal.Passphrases(arguments.demo)
    people = {}
    for folder in arguments.reviewer:
        name = _cards([folder], card.REVIEWER, arguments)[0].name
        passphrase = words.ask(name, "to open the packages and attest them")
        people[name] = attestation.unlock(folder, passphrase)
    for path in terminal.progress("Packages opened", arguments.package):
        attestation.attest(path, people)
        _say(f"{path}: opened and attested by {', '.join(sorted(people))}")
    _next(f"{_ME} propose --help")


def propose(arguments: argparse.Namespace) -> None:
    """Write the draft of a keyring."""
    before = _read_keyring(arguments.previous)
    if not arguments.out.exists():
        wish = proposal.Wish(
            roots=_cards(arguments.roots, card.ROOT, arguments),
            threshold=arguments.threshold,
            reviewers=_cards(arguments.reviewers, card.REVIEWER, arguments),
            archive=arguments.archive,
            periods=arguments.periods,
            bundle_key=arguments.bundle_key and arguments.bundle_key.hex(),
            issued=arguments.issued or _today(),
            expires=arguments.expires,
            demo=arguments.demo is not None,
        )
        folders.put(arguments.out, proposal.draft(wish, before) + b"\n")
    for line in describe(proposal.check(signing.read_draft(arguments.out), before)):
        _say(line)
    _say(f"{arguments.out} is there.")
    _next(f"Each root, on their own machine: {_ME} sign {arguments.out} --root FOLDER")


def sign(arguments: argparse.Namespace) -> None:
    """Show a draft and sign it as one root."""
    line, before = signing.read_draft(arguments.draft), _read_keyring(arguments.previous)
    draft = proposal.check(line, before)
    for sentence in describe(draft):
        _say(sentence)
    if before is not None:
        old = keyring.parse(before)
        _say(f"What changes after keyring {old.version}:")
        for sentence in differences(old, draft):
            _say(f"  {sentence}")
    _say(f"Fingerprint: {grouped(draft.sha256)}")
    words = terminal.Passphrases(arguments.demo)
    name = _cards([arguments.root], card.ROOT, arguments)[0].name
    card.check_demo([draft.demo], demo=words.demo)
    terminal.confirm(f"Sign this as root {name}?", assume=arguments.yes)
    passphrase = words.ask(name, "to sign the keyring")
    key = locked.signing_key(arguments.root / root.SIGNING, passphrase)
    out = arguments.out or arguments.draft.with_name(f"{arguments.draft.name}.{name}.sig")
    folders.put(out, signing.sign(line, name, key))
    _say(f"{out} is there.")
    _next(f"Bring it to whoever assembles: {_ME} assemble {arguments.draft} SIG... --out FILE")


def assemble(arguments: argparse.Namespace) -> None:
    """Put a draft and its signatures together."""
    before = _read_keyring(arguments.previous)
    line = signing.read_draft(arguments.draft)
    data = signing.assemble(line, arguments.signature, before)
    folders.put(arguments.out, data)
    made = keyring.parse(data)
    _say(f"{arguments.out} is there: keyring {made.version}, signed by {len(made.signers)} roots.")
    _say(f"Fingerprint: {grouped(made.sha256)}")
    _next(
        "Announce the fingerprint where the server cannot change it. Then, on the server: "
        f"python -m intake.admin keyring install {arguments.out.name}"
    )


def show(arguments: argparse.Namespace) -> None:
    """Read a keyring aloud; it was verified by itself."""
    found = keyring.parse(files.read(arguments.keyring, keyring.MAX_SIZE))
    for sentence in describe(found):
        _say(sentence)
    _say(f"Fingerprint: {grouped(found.sha256)}")
    _next("Compare the fingerprint with one announced elsewhere; the file cannot vouch for itself.")


def rehearse(arguments: argparse.Namespace) -> None:
    """Play the whole ceremony in a folder that is erased afterwards."""
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=arguments.folder) as name:
        start = time.monotonic()
        for number, sentence in enumerate(rehearsal.play(Path(name), _today()), 1):
            _say(f"{number:2}. {time.monotonic() - start:5.1f} s  {sentence}")
    _say("The folder was erased. Nothing that was made here is of any use.")
    _next(f"The real ceremony begins with: {_ME} root --help")


def _today() -> date:
    return datetime.now(tz=UTC).date()


def _cards(paths: Sequence[Path], kind: str, arguments: argparse.Namespace) -> list[Card]:
    return card.read_all(paths, kind, demo=arguments.demo is not None)


def _compared(arguments: argparse.Namespace) -> list[Card]:
    """Return the reviewers' cards, after a person said that they are theirs."""
    cards = _cards(arguments.reviewers, card.REVIEWER, arguments)
    for one in cards:
        _say(f"  Reviewer {one.name}, sent by {one.body}: {grouped(one.key)}")
    question = "Did each reviewer read out this very key, face to face?"
    terminal.confirm(question, assume=arguments.yes)
    return cards


def _read_keyring(path: Path | None) -> bytes | None:
    return None if path is None else files.read(path, keyring.MAX_SIZE)


def _say_package(path: Path, made: Package) -> None:
    days = f", {made.days[0]} to {made.days[1]}" if made.days else ""
    who = f"{made.quorum} of {', '.join(made.reviewers)} open it"
    _say(f"{path} is there{days}: {of_recipient(made.recipient)}; {who}.")


def _say(text: str) -> None:
    terminal.say(terminal.visible(text))


def _next(text: str) -> None:
    _say(f"Next: {text}")


def _name(text: str) -> str:
    if not keyring.NAME.match(text):
        raise argparse.ArgumentTypeError("a name has small letters, digits and -, 32 at most")
    return text


def _quarter(text: str) -> str:
    if not keyring.QUARTER.match(text):
        raise argparse.ArgumentTypeError("a quarter looks like 2026q4")
    return text


def _key(text: str) -> bytes:
    return keyring.octets(text, 32)


def build() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    made = terminal.parser("ceremony", "Make, sign and destroy keys, offline.", _EXAMPLES)
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, do: Callable[[argparse.Namespace], None], what: str, example: str
    ) -> argparse.ArgumentParser:
        own = commands.add_parser(
            name,
            help=what,
            description=what,
            epilog=f"example:\n  {_ME} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        own.set_defaults(do=do)
        return own

    def several(own: argparse.ArgumentParser, option: str, *, required: bool = True) -> None:
        own.add_argument(
            option, nargs="+", type=Path, metavar="PATH", required=required, default=[]
        )

    for name, do, what, example in (
        ("root", make_root, "Make a root's signing key.", "root rosa --out /media/rosa"),
        (
            "reviewer",
            make_reviewer,
            "Make a reviewer's keys.",
            'reviewer alice --body "Defectors\' Association" --out /media/alice',
        ),
    ):
        own = command(name, do, what, example)
        own.add_argument("name", type=_name, metavar="NAME")
        own.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    own.add_argument("--body", required=True, metavar="TEXT", help="who sent the reviewer")
    own.add_argument("--quarter", nargs="+", type=_quarter, help="2026q4; else the one of today")

    cards = "alice/card.json bob/card.json carol/card.json --quorum 2 --out made"
    for name, do, what, example in (
        (
            "archive",
            make_archive,
            "Make the archive's key, as a quorum package only.",
            f"archive --reviewers {cards}",
        ),
        (
            "periods",
            make_periods,
            "Make the keys of the coming weeks, as quorum packages only.",
            f"periods --from 2026-11-23 --weeks 4 --reviewers {cards}",
        ),
    ):
        own = command(name, do, what, example)
        several(own, "--reviewers")
        own.add_argument("--quorum", type=int, required=True, metavar="K")
        own.add_argument("--out", type=Path, required=True, metavar="FOLDER")
        own.add_argument("--yes", action="store_true", help="the keys were compared already")
    own.add_argument("--from", dest="first", type=keyring.day, required=True, metavar="DAY")
    own.add_argument("--weeks", type=int, required=True, metavar="N")

    own = command(
        "attest",
        attest,
        "Reviewers open packages to try them, and sign that they opened.",
        "attest made/archive made/2026-w48 --reviewer /media/alice/alice --reviewer /media/bob/bob",
    )
    own.add_argument("package", nargs="+", type=Path, metavar="PACKAGE")
    own.add_argument("--reviewer", action="append", type=Path, required=True, metavar="FOLDER")

    own = command(
        "propose",
        propose,
        "Write the draft of a keyring. After --previous, only what changes is named.",
        "propose --out draft --roots rosa/card.json ruth/card.json --threshold 2\n"
        "    --reviewers alice/card.json bob/card.json carol/card.json --archive made/archive\n"
        "    --periods made/2026-w48 made/2026-w49 --bundle-key HEX --expires 2026-12-06",
    )
    own.add_argument("--out", type=Path, required=True, metavar="FILE")
    several(own, "--roots", required=False)
    own.add_argument("--threshold", type=int, metavar="M")
    several(own, "--reviewers", required=False)
    own.add_argument("--archive", type=Path, metavar="PACKAGE")
    several(own, "--periods", required=False)
    own.add_argument("--bundle-key", type=_key, metavar="HEX", help="admin init printed it")
    own.add_argument("--expires", type=keyring.day, required=True, metavar="DAY")
    own.add_argument("--issued", type=keyring.day, metavar="DAY", help="today, if not given")
    own.add_argument("--previous", type=Path, metavar="KEYRING")

    own = command(
        "sign", sign, "Read a draft and sign it as one root.", "sign draft --root /media/rosa/rosa"
    )
    own.add_argument("draft", type=Path, metavar="DRAFT")
    own.add_argument("--root", type=Path, required=True, metavar="FOLDER")
    own.add_argument("--out", type=Path, metavar="FILE", help="DRAFT.NAME.sig, if not given")
    own.add_argument("--previous", type=Path, metavar="KEYRING", help="say what changes after it")
    own.add_argument("--yes", action="store_true", help="do not ask before signing")

    own = command(
        "assemble",
        assemble,
        "Put a draft and its signatures together: the keyring.",
        "assemble draft draft.rosa.sig draft.ruth.sig --out keyring",
    )
    own.add_argument("draft", type=Path, metavar="DRAFT")
    own.add_argument("signature", nargs="+", type=Path, metavar="SIG")
    own.add_argument("--out", type=Path, required=True, metavar="FILE")
    own.add_argument("--previous", type=Path, metavar="KEYRING")

    own = command("show", show, "Read a keyring aloud.", "show keyring")
    own.add_argument("keyring", type=Path, metavar="KEYRING")

    own = command("rehearse", rehearse, "Play the whole ceremony, and erase it.", "rehearse")
    own.add_argument("--folder", type=Path, metavar="DIR", help="where; else the temporary folder")
    return made


if __name__ == "__main__":
    terminal.run(build)
