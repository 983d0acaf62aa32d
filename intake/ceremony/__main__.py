"""The key ceremony's command line, and the only file of this room that prints and asks.

Rules:
- Secrets come from the terminal and are in no argument, variable of the environment or message.
- What is there already stays; the command then says so, and what comes next.
- A command's docstring is its ``--help``.
"""

import tempfile
import time
from argparse import ArgumentParser, Namespace
from datetime import date
from pathlib import Path

from intake import days, files, keyring, locked, terminal
from intake.ceremony import card, holder, package, proposal, rehearsal, retiring, rotation
from intake.ceremony.options import OPTIONS
from intake.errors import BadFile, Misuse
from intake.quorum import Package, read_package
from intake.sentences import compared, describe, differences, fingerprint, of_key, of_recipient
from intake.terminal import say

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
        quarters = given.quarter or [keyring.quarter_of(days.clock())]
        holder.make_reviewer(path, given.body, quarters, passphrase, demo=words.demo)
    made = _cards([path], card.REVIEWER, given)[0]
    _say_card(path, made, "whoever makes packages and whoever proposes")


def add_quarter(given: Namespace) -> None:
    """Make the identity of a reviewer's next quarter, or of --quarter, and a new card.

    Example:
      python -m intake.ceremony quarter /media/alice/alice
    """
    made = _cards([given.folder], card.REVIEWER, given)[0]
    wanted = given.quarter or [holder.after(max(made.facts["quarters"]))]
    words = terminal.Passphrases(given.demo)
    passphrase = words.ask(made.name, f"to make {', '.join(wanted)}")
    for quarter in wanted:
        holder.add_quarter(given.folder, made, quarter, passphrase)
        made = _cards([given.folder], card.REVIEWER, given)[0]
        say(f"{quarter} is there: {of_recipient(made.facts['quarters'][quarter])}")
    say(f"Next: give {given.folder / card.NAME} to whoever rotates: {_ME} rotate --reviewers CARD")


def archive(given: Namespace) -> None:
    r"""Make the archive's key, as a quorum package only.

    Example:
      python -m intake.ceremony archive --quorum 2 --out made \
        --reviewers alice/card.json bob/card.json carol/card.json
    """
    path = given.out / "archive"
    people = card.recipients(_compared(given))
    made = package.make(path, people, given.quorum)
    _say_packages({path: made})


def periods(given: Namespace) -> None:
    r"""Make the keys of the coming weeks, as quorum packages only.

    Example:
      python -m intake.ceremony periods --from 2026-11-23 --weeks 4 --quorum 2 --out made \
        --reviewers alice/card.json bob/card.json carol/card.json
    """
    people, out = card.recipients(_compared(given)), given.out
    made = package.periods(out, given.first, given.weeks, people, given.quorum)
    _say_packages({out / one.name: one for one in made})


def attest(given: Namespace) -> None:
    r"""Reviewers open packages, the archive's among them, and sign that they opened.

    Example:
      python -m intake.ceremony attest made/archive made/2026-w48 made/2026-w49 \
        --reviewer /media/alice/alice --reviewer /media/bob/bob
    """
    people = _present(given)
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


def rotate(given: Namespace) -> None:
    r"""Make the coming weeks' packages, attest them, and write the next keyring's draft, in one go.

    Those who are present open and attest. --from names the first day that gets a new key: periods
    that end then or later give way, a stolen key's say. --drop names periods that were retired.
    Stopped anywhere, it is run again.

    Examples:
      python -m intake.ceremony rotate --previous keyring --out made \
        --reviewer /media/alice/alice --reviewer /media/bob/bob --drop 2026-w47
      python -m intake.ceremony rotate --previous keyring --out made --from 2026-11-28 \
        --reviewer /media/alice/alice --reviewer /media/bob/bob
    """
    _rotate(given, given.first, {})


def remove(given: Namespace) -> None:
    r"""Remove a reviewer: from --from on, today if not given, all keys are new to them.

    --ends says where their chains end, as "desk ends" wrote it. The archive gets a new key as well.

    Example:
      python -m intake.ceremony remove alice --previous keyring --ends ends.json --out made \
        --reviewer /media/bob/bob --reviewer /media/carol/carol
    """
    ends = rotation.read_ends(given.ends, given.name)
    say(*(f"What {chain} recorded up to event {last} counts." for chain, (last, _) in ends.items()))
    say("Nothing else that they signed will count.")
    terminal.confirm(f"Remove {given.name} for good?", assume=given.yes)
    _rotate(given, given.first or days.clock(), {given.name: ends})


def _rotate(given: Namespace, first: date | None, removed: dict[str, rotation.Ends]) -> None:
    before = files.read(given.previous, keyring.MAX_SIZE)
    old = keyring.parse(before)
    card.check_demo([old.demo], demo=given.demo is not None)
    cards = _compared(given) if given.reviewers else []
    asked = (given.weeks, first, given.drop or (), cards, removed, given.bundle_key)
    wish = rotation.Rotation(given.out, days.clock(), *asked)
    for path, there in rotation.rotate(wish, before, _present(given)):
        say(f"{path} {'was there before, and stays' if there else 'is there'}.")
    draft = keyring.draft(proposal.read_draft(given.out / rotation.DRAFT))
    say("What changes:", *differences(old, draft))
    say(*(f"Mind: {lack}. Run: quarter" for lack in rotation.missing_quarters(draft)))
    say(f"Next, each root on their own machine: {_ME} sign {given.out / rotation.DRAFT} \\")
    say(f"  --root FOLDER --previous {given.previous}")


def recover(given: Namespace) -> None:
    r"""Write a package's secret anew, for the reviewers of the cards: one of them lost their keys.

    The old package still opens for a quorum of those it names. Were they robbed, make a new secret.
    It must be one that the keyring names; give several where an earlier one named it.

    Example:
      python -m intake.ceremony recover made/archive --keyring keyring --out again \
        --reviewers bob/card.json carol/card.json dave/card.json \
        --reviewer /media/bob/bob --reviewer /media/carol/carol
    """
    keyrings = _keyrings(given)
    periods = (period for one in keyrings for period in one.periods)
    named = {*(one.archive for one in keyrings), *(period.recipient for period in periods)}
    if read_package(given.package).recipient not in named:
        raise BadFile(f"No keyring names the key of {given.package}.", "Take another copy of it.")
    people = card.recipients(_compared(given))
    made = package.again(given.package, given.out, _present(given), people)
    _say_packages({given.out / made.name: made})


def retire(given: Namespace) -> None:
    r"""Destroy a period's key: all copies of its package that are named.

    It must be over, empty on the server and acknowledged. --keyring takes the keyring in force, or
    several with that one last, if it does not name the period any more.

    Example:
      python -m intake.ceremony retire made/2026-w47 /media/bob/2026-w47 --keyring keyring \
        --closing /stick/5f1c33aa-000004.bundle --return /stick/2.return
    """
    keyrings = _keyrings(given)
    folders = [path for path in given.packages if (path / "package.json").exists()]
    if not folders:
        raise Misuse("None of these packages is there.", "Check the names and the sticks.")
    name = retiring.check(folders, keyrings, given.closing, given.back, days.clock())
    say(f"Period {name} is over, empty on the server, and acknowledged by two reviewers.")
    say(*map(str, folders), *retiring.ON_FLASH)
    terminal.confirm("Destroy these, for good?", assume=given.yes)
    for path in folders:
        retiring.destroy(path)
        say(f"{path} is destroyed.")
    say(f"Next: the same for every other copy, then {_ME} rotate --drop {name}")


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
    say(*fingerprint(made.sha256))
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


def diff(given: Namespace) -> None:
    """Say what changes from one keyring to the next, and whether it follows.

    Example:
      python -m intake.ceremony diff keyring-1 keyring-2
    """
    old, new = (files.read(path, keyring.MAX_SIZE) for path in (given.old, given.new))
    say(*compared(old, new))


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
    shown = (f"{one.name}, sent by {one.facts['body']}: {of_key(one.key)}" for one in cards)
    say(*(terminal.visible(line, keep="") for line in shown))  # nobody's card writes a line of ours
    question = "Did each reviewer read out this very key, face to face?"
    terminal.confirm(question, assume=given.yes)
    return cards


def _present(given: Namespace) -> package.Keys:
    """Return the keys of the reviewers who are here, each unlocked with their passphrase."""
    words, people = terminal.Passphrases(given.demo), {}
    for folder in given.reviewer:
        name = _cards([folder], card.REVIEWER, given)[0].name
        passphrase = words.ask(name, "to open packages and attest them")
        people[name] = holder.unlock(folder, passphrase)
    return people


def _keyrings(given: Namespace) -> list[keyring.Keyring]:
    return [keyring.parse(files.read(path, keyring.MAX_SIZE)) for path in given.keyring]


def _keyring(path: Path | None) -> bytes | None:
    return None if path is None else files.read(path, keyring.MAX_SIZE)


def _say_card(path: Path, made: card.Card, to: str) -> None:
    say(f"{path} is there. The key of {made.name}: {of_key(made.key)}")
    say(f"Next: read the key out to the others, and give {path / card.NAME} to {to}.")


def _say_packages(made: dict[Path, Package]) -> None:
    for path, one in made.items():
        span = f", {one.days[0]} to {one.days[1]}" if one.days else ""
        who = f"any {one.quorum} of {', '.join(one.reviewers)} open it"
        say(f"{path} is there{span}: {of_recipient(one.recipient)}; {who}.")
    say(f"Next: {_ME} attest {' '.join(map(str, made))} --reviewer FOLDER --reviewer FOLDER")


_NEW = "[--roots] [--threshold] [--reviewers] [--archive] [--periods] [--bundle-key]"
_NEXT = "--previous --out --reviewer [--weeks] [--drop] [--reviewers] [--bundle-key]"
_COMMANDS = {
    "root": (root, "name --out"),
    "reviewer": (make_reviewer, "name --body --out [--quarter]"),
    "quarter": (add_quarter, "folder [--quarter]"),
    "archive": (archive, "--reviewers --quorum --out [--yes]"),
    "periods": (periods, "--from [--weeks] --reviewers --quorum --out [--yes]"),
    "attest": (attest, "packages --reviewer"),
    "propose": (propose, f"--out [--expires] [--issued] {_NEW} [--previous]"),
    "sign": (sign, "draft --root [--out] [--previous] [--yes]"),
    "assemble": (assemble, "draft signatures --out [--previous]"),
    "rotate": (rotate, f"{_NEXT} [--from] [--yes]"),
    "remove": (remove, f"name --ends {_NEXT} [--from] [--yes]"),
    "retire": (retire, "packages --keyring --closing --return [--yes]"),
    "recover": (recover, "package --keyring --reviewers --reviewer --out [--yes]"),
    "show": (show, "keyring"),
    "diff": (diff, "old new"),
    "rehearse": (rehearse, "[--folder]"),
}


def build() -> ArgumentParser:
    """Make, sign and destroy keys, offline.

    The order of the steps: root, reviewer, archive, periods, attest, propose, sign, assemble; later
    rotate, sign, assemble; and retire what is over. docs/ADMINS.md goes through all of it.
    """
    return terminal.commands("ceremony", build, _COMMANDS, OPTIONS)


if __name__ == "__main__":
    terminal.run(build)
