"""The key ceremony's command line, and the only file of this room that prints and asks.

Rules:
- Secrets come from the terminal and are in no argument, variable of the environment or message.
- What is there already stays; the command then says so, and what comes next.
- A command's docstring is its ``--help``.
"""

import tempfile
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import Any

from intake import days, files, keyring, locked, terminal
from intake.ceremony import card, holder, package, proposal, rehearsal
from intake.errors import Misuse
from intake.quorum import Package
from intake.sentences import describe, differences, grouped, of_recipient
from intake.signatures import octets
from intake.terminal import FLAG, PATH, PATHS, say

_ME = "python -m intake.ceremony"


def root(given: Namespace) -> None:
    """Make a root's signing key, in a folder with the root's name.

    Example:
      python -m intake.ceremony root rosa --out /media/rosa
    """
    path = given.out / given.name
    if not path.exists():
        words = terminal.Passphrases(given.demo)
        holder.make_root(path, words.ask(path.name, "the root's key", new=True), demo=words.demo)
    _say_card(path, _cards([path], card.ROOT, given)[0], "whoever proposes")


def make_reviewer(given: Namespace) -> None:
    """Make a reviewer's keys, in a folder with the reviewer's name.

    Example:
      python -m intake.ceremony reviewer alice --body "Defectors' Association" --out /media/alice
    """
    path = given.out / given.name
    if not path.exists():
        words = terminal.Passphrases(given.demo)
        passphrase = words.ask(path.name, "the reviewer's keys", new=True)
        quarters = given.quarter or [holder.quarter_of(days.clock())]
        holder.make_reviewer(path, given.body, quarters, passphrase, demo=words.demo)
    made = _cards([path], card.REVIEWER, given)[0]
    _say_card(path, made, "whoever makes packages and whoever proposes")


def archive(given: Namespace) -> None:
    r"""Make the archive's key, as a quorum package only.

    Example:
      python -m intake.ceremony archive --quorum 2 --out made \
        --reviewers alice/card.json bob/card.json carol/card.json
    """
    path = given.out / "archive"
    made = package.make(path, _compared(given), given.quorum)
    _say_packages({path: made})


def periods(given: Namespace) -> None:
    r"""Make the keys of the coming weeks, as quorum packages only.

    Example:
      python -m intake.ceremony periods --from 2026-11-23 --weeks 4 --quorum 2 --out made \
        --reviewers alice/card.json bob/card.json carol/card.json
    """
    cards, out = _compared(given), given.out
    made = package.periods(out, given.first, given.weeks, cards, given.quorum)
    _say_packages({out / one.name: one for one in made})


def attest(given: Namespace) -> None:
    r"""Reviewers open packages, the archive's among them, and sign that they opened.

    Example:
      python -m intake.ceremony attest made/archive made/2026-w48 made/2026-w49 \
        --reviewer /media/alice/alice --reviewer /media/bob/bob
    """
    words, people = terminal.Passphrases(given.demo), {}
    for folder in given.reviewer:
        name = _cards([folder], card.REVIEWER, given)[0].name
        passphrase = words.ask(name, "to open the packages and attest them")
        people[name] = holder.unlock(folder, passphrase)
    for path in terminal.progress("Packages opened", given.packages):
        package.attest(path, people)
    who = ", ".join(sorted(people))
    say(*(f"{path}: opened and attested by {who}." for path in given.packages))
    say(f"Next: {_ME} propose --help")


def propose(given: Namespace) -> None:
    r"""Write the draft of a keyring. After --previous, only what changes is named.

    Example:
      python -m intake.ceremony propose --out draft --expires 2026-12-06 --threshold 2 \
        --roots rosa/card.json ruth/card.json --archive made/archive \
        --reviewers alice/card.json bob/card.json carol/card.json \
        --periods made/2026-w48 made/2026-w49 --bundle-key 3f2a...
    """
    if not given.out.exists():
        wish = proposal.Wish(
            roots=_cards(given.roots or [], card.ROOT, given),
            threshold=given.threshold,
            reviewers=_cards(given.reviewers or [], card.REVIEWER, given),
            archive=given.archive,
            periods=given.periods or [],
            bundle_key=given.bundle_key,
            issued=given.issued or days.clock(),
            expires=given.expires,
            demo=given.demo is not None,
        )
        proposal.put(given.out, proposal.draft(wish, _keyring(given.previous)) + b"\n")
    say(*describe(keyring.draft(proposal.read_draft(given.out))))
    say(f"{given.out} is there.")
    say(f"Next, each root on their own machine: {_ME} sign {given.out} --root FOLDER")


def sign(given: Namespace) -> None:
    """Read a draft and sign it as one root. --previous also says what changes after that keyring.

    Example:
      python -m intake.ceremony sign draft --root /media/rosa/rosa
    """
    line, before = proposal.read_draft(given.draft), _keyring(given.previous)
    draft = keyring.draft(line)
    say(*describe(draft))
    if before is not None:
        old = keyring.parse(before)
        if draft.previous != old.sha256:
            raise Misuse("The draft does not follow that keyring.", "Ask which one it follows.")
        say("What changes:", *differences(old, draft))
    name = _cards([given.root], card.ROOT, given)[0].name
    card.check_demo([draft.demo], demo=given.demo is not None)
    terminal.confirm(f"Sign this as root {name}?", assume=given.yes)
    passphrase = terminal.Passphrases(given.demo).ask(name, "to sign the keyring")
    key = locked.signing_key(given.root / holder.SIGNING, passphrase)
    out = given.out or given.draft.with_name(f"{given.draft.name}.{name}.sig")
    proposal.put(out, proposal.sign(line, name, key))
    say(f"{out} is there. Bring it to whoever assembles.")
    say(f"Next: {_ME} assemble {given.draft} SIG... --out FILE")


def assemble(given: Namespace) -> None:
    """Put a draft and its signatures together: the keyring.

    Example:
      python -m intake.ceremony assemble draft draft.rosa.sig draft.ruth.sig --out keyring
    """
    line = proposal.read_draft(given.draft)
    data = proposal.assemble(line, given.signatures, _keyring(given.previous))
    proposal.put(given.out, data)
    made = keyring.parse(data)
    say(f"{given.out} is there: keyring {made.version}, signed by {len(made.signers)} roots.")
    say(f"Fingerprint: {grouped(made.sha256)}")
    say("Next: announce the fingerprint where the server cannot change it; then, on the server:")
    say(f"  python -m intake.admin keyring install {given.out.name}")


def show(given: Namespace) -> None:
    """Read a keyring aloud.

    Example:
      python -m intake.ceremony show keyring
    """
    found = keyring.parse(files.read(given.keyring, keyring.MAX_SIZE))
    say(*describe(found))
    say("Compare it with one announced elsewhere: a file cannot vouch for itself.")


def rehearse(given: Namespace) -> None:
    """Play the whole ceremony in a folder, --folder or a temporary one, that is erased after.

    Example:
      python -m intake.ceremony rehearse
    """
    with tempfile.TemporaryDirectory(prefix="rehearsal-", dir=given.folder) as name:
        start = time.monotonic()
        for number, sentence in enumerate(rehearsal.play(Path(name), days.clock()), 1):
            say(f"{number:2}. {time.monotonic() - start:5.1f} s  {sentence}")
    say("The folder was erased. Nothing that was made in it is of any use.")
    say(f"Next, the real ceremony: {_ME} root --help")


def _cards(paths: list[Path], kind: str, given: Namespace) -> list[card.Card]:
    return card.read_all(paths, kind, demo=given.demo is not None)


def _compared(given: Namespace) -> list[card.Card]:
    """Return the reviewers' cards, after a person said that they are theirs."""
    cards = _cards(given.reviewers, card.REVIEWER, given)
    shown = (f"{one.name}, sent by {one.facts['body']}: {grouped(one.key)}" for one in cards)
    say(*(terminal.visible(line, keep="") for line in shown))  # nobody's card writes a line of ours
    question = "Did each reviewer read out this very key, face to face?"
    terminal.confirm(question, assume=given.yes)
    return cards


def _keyring(path: Path | None) -> bytes | None:
    return None if path is None else files.read(path, keyring.MAX_SIZE)


def _say_card(path: Path, made: card.Card, to: str) -> None:
    say(f"{path} is there. The key of {made.name}: {grouped(made.key)}")
    say(f"Next: read the key out to the others, and give {path / card.NAME} to {to}.")


def _say_packages(made: dict[Path, Package]) -> None:
    for path, one in made.items():
        span = f", {one.days[0]} to {one.days[1]}" if one.days else ""
        who = f"any {one.quorum} of {', '.join(one.reviewers)} open it"
        say(f"{path} is there{span}: {of_recipient(one.recipient)}; {who}.")
    say(f"Next: {_ME} attest {' '.join(map(str, made))} --reviewer FOLDER --reviewer FOLDER")


def _name(text: str) -> str:
    if not keyring.NAME.match(text):
        raise ArgumentTypeError("a name has small letters, digits and -, 32 at most")
    return text


def _quarter(text: str) -> str:
    if not keyring.QUARTER.match(text):
        raise ArgumentTypeError("a quarter looks like 2026q4")
    return text


def _key(text: str) -> str:
    return octets(text, 32).hex()


_DAY = {"type": days.day, "metavar": "DAY"}
_COUNT = {"type": int, "metavar": "NUMBER"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "--issued": {**_DAY, "help": "today, if not given"},
    **dict.fromkeys(("--quorum", "--threshold", "--weeks"), _COUNT),
    **dict.fromkeys(("packages", "signatures"), PATHS),
    "--periods": {**PATHS, "help": "the folders of the periods' packages, attested"},
    "--reviewers": {**PATHS, "help": "the reviewers' cards"},
    "--roots": {**PATHS, "help": "the roots' cards"},
    "--root": {**PATH, "help": "the root's folder"},
    "--archive": {**PATH, "help": "the folder of the archive's package, attested"},
    "--body": {"metavar": "TEXT", "help": "who sent the reviewer"},
    "--bundle-key": {"type": _key, "metavar": "HEX", "help": "what the server's init printed"},
    "--expires": {**_DAY, "help": "the last day, such as 2026-12-06"},
    "--from": {**_DAY, "dest": "first", "help": "the first day, such as 2026-11-23"},
    "--out": {**PATH, "help": "the folder or file to make"},
    "--previous": {**PATH, "help": "the keyring that this one follows"},
    "--quarter": {"type": _quarter, "nargs": "+", "help": "2026q4; the one of today, if not given"},
    "--reviewer": {**PATH, "action": "append", "help": "a reviewer's folder; once for each"},
    "--yes": {**FLAG, "help": "do not ask"},
    "name": {"type": _name},
}
_NEW = "[--roots] [--threshold] [--reviewers] [--archive] [--periods] [--bundle-key]"
_COMMANDS = {
    "root": (root, "name --out"),
    "reviewer": (make_reviewer, "name --body --out [--quarter]"),
    "archive": (archive, "--reviewers --quorum --out [--yes]"),
    "periods": (periods, "--from --weeks --reviewers --quorum --out [--yes]"),
    "attest": (attest, "packages --reviewer"),
    "propose": (propose, f"--out --expires [--issued] {_NEW} [--previous]"),
    "sign": (sign, "draft --root [--out] [--previous] [--yes]"),
    "assemble": (assemble, "draft signatures --out [--previous]"),
    "show": (show, "keyring"),
    "rehearse": (rehearse, "[--folder]"),
}


def build() -> ArgumentParser:
    """Make, sign and destroy keys, offline.

    The order of the steps: root, reviewer, archive, periods, attest, propose, sign, assemble.
    """
    return terminal.commands("ceremony", build, _COMMANDS, _OPTIONS)


if __name__ == "__main__":
    terminal.run(build)
