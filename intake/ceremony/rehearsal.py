"""The whole ceremony in a temporary folder, to learn it and to test this machine.

Rules:
- The same functions as the commands, in the same order; only the passphrases are made up, and
  being a demo's, they can make no keyring that a real server takes.
- Nothing stays: the caller erases the folder.
"""

import itertools
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import keyring, locked, quorum, terminal
from intake.age.identity import PREFIX, Identity
from intake.age.passphrase import Passphrase
from intake.age.unsealing import unseal
from intake.ceremony import card, holder, package, proposal, rotation
from intake.errors import BadFile, MachineTrouble, NoMatchingKey

ROOTS = ("rosa", "ruth")
REVIEWERS = ("alice", "bob", "carol")
NEEDED = 2
WEEKS = 2


def play(folder: Path, day: date) -> Iterator[str]:
    """Play the ceremony of ``day`` in ``folder``; yield a sentence after each step.

    Raises :class:`MachineTrouble` if a package opens with too few reviewers, and whatever the
    commands raise.
    """
    drawn = {name: terminal.DEMO + secrets.token_hex(8) for name in (*ROOTS, *REVIEWERS)}
    words = {name: Passphrase(text, terminal.DEMO_WORK) for name, text in drawn.items()}
    for name in ROOTS:
        holder.make_root(folder / name, words[name], demo=True)
        yield f"{name} made a root."
    for name in REVIEWERS:
        quarters = [keyring.quarter_of(day)]
        holder.make_reviewer(folder / name, f"Body of {name}", quarters, words[name], demo=True)
        yield f"{name} made a reviewer's keys."

    cards = card.read_all([folder / name for name in REVIEWERS], card.REVIEWER, demo=True)
    archive, people = folder / "archive", card.recipients(cards)
    package.make(archive, people, NEEDED)
    yield f"The archive is a package that any {NEEDED} of {len(cards)} reviewers open."
    periods = [folder / made.name for made in package.periods(folder, day, WEEKS, people, NEEDED)]
    yield f"{len(periods)} periods, from {day}, are packages too."

    keys = {name: holder.unlock(folder / name, words[name]) for name in REVIEWERS}
    openers = {name: identity for name, (identity, _) in keys.items()}
    for path in (archive, *periods):
        package.attest(path, keys)
        tried = try_subsets(path, openers)
        yield f"{path.name} is attested: {NEEDED} open it, {NEEDED - 1} cannot, {tried} tries."

    roots = card.read_all([folder / name for name in ROOTS], card.ROOT, demo=True)
    server = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()
    expires = day + timedelta(weeks=WEEKS)
    wish = proposal.Wish(
        roots, len(roots), cards, archive, periods, server, day, expires, demo=True
    )
    draft = folder / "draft"
    proposal.put(draft, proposal.draft(wish, None) + b"\n")
    yield "The draft of the keyring is written."
    first = yield from _assemble(folder, draft, words, None)

    coming = rotation.Rotation(folder / "next", day, WEEKS)
    made = [path for path, _ in rotation.rotate(coming, first, keys)]
    yield f"One command made {len(made) - 1} more periods, attested, and the next draft."
    yield from _assemble(folder, made[-1], words, first)


def _assemble(
    folder: Path, draft: Path, words: Mapping[str, Passphrase], before: bytes | None
) -> Generator[str, None, bytes]:
    """Let the roots sign ``draft``, assemble, and return the keyring; yield as :func:`play`."""
    line, signatures = proposal.read_draft(draft), []
    for name in ROOTS:
        key = locked.signing_key(folder / name / holder.SIGNING, words[name])
        signatures.append(draft.with_name(f"{draft.name}.{name}.sig"))
        proposal.put(signatures[-1], proposal.sign(line, name, key))
        yield f"{name} signed it."
    data = proposal.assemble(line, signatures, before)
    version = keyring.parse(data).version
    proposal.put(folder / f"keyring-{version}", data)
    yield f"Keyring {version} is assembled, {len(data)} bytes."
    return data


def try_subsets(folder: Path, keys: Mapping[str, Identity]) -> int:
    """Try every k-subset and every (k-1)-subset of ``keys`` on a package; return how many.

    Raises :class:`MachineTrouble` if fewer than the quorum get the secret, however they go about
    it, and :class:`BadFile` or :class:`NoMatchingKey` if a full quorum does not.
    """
    made = quorum.read_package(folder)
    tries = 0
    for names in itertools.combinations(sorted(keys), made.quorum):
        tries += 1
        quorum.open_package(folder, {name: keys[name] for name in names}, made.recipient)
    for names in itertools.combinations(sorted(keys), made.quorum - 1):
        for path in sorted(folder.glob("*.age")):
            tries += 1
            if PREFIX.encode() in peel(path.read_bytes(), [keys[name] for name in names]):
                what = f"{path} opens with only {', '.join(names)}."
                raise MachineTrouble(what, "Use nothing that was made here, and report it.")
    return tries


def peel(data: bytes, identities: Sequence[Identity]) -> bytes:
    """Return what is left of nested age files when none of ``identities`` gets any further."""
    while True:
        try:
            data = unseal(data, identities)
        except (NoMatchingKey, BadFile):
            return data
