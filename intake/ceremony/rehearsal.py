"""The whole ceremony in a temporary folder, to learn it and to test this machine.

Rules:
- The same functions as the commands, in the same order; only the passphrases are made up, and
  being a demo's, they can make no keyring that a real server takes.
- Nothing stays: the caller erases the folder.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import keyring, locked, quorum, terminal
from intake.age.identity import PREFIX, Identity
from intake.age.passphrase import Passphrase
from intake.age.unsealing import unseal
from intake.ceremony import attestation, card, package, period, proposal, reviewer, root, signing
from intake.ceremony import folder as folders
from intake.ceremony.sentences import grouped
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
    words = {
        name: Passphrase(terminal.DEMO + secrets.token_hex(8), terminal.DEMO_WORK)
        for name in (*ROOTS, *REVIEWERS)
    }
    for name in ROOTS:
        root.make(folder / name, words[name], demo=True)
        yield f"{name} made a root."
    for name in REVIEWERS:
        quarters = [reviewer.quarter_of(day)]
        reviewer.make(folder / name, f"Body of {name}", quarters, words[name], demo=True)
        yield f"{name} made a reviewer's keys."

    cards = card.read_all([folder / name for name in REVIEWERS], card.REVIEWER, demo=True)
    archive, out = folder / "archive", folder / "periods"
    package.make(archive, cards, NEEDED)
    yield f"The archive is a package that {NEEDED} of {len(cards)} reviewers open."
    packages = [out / made.name for made in period.make(out, day, WEEKS, cards, NEEDED)]
    yield f"{len(packages)} periods, from {day}, are packages too."

    keys = {name: attestation.unlock(folder / name, words[name]) for name in REVIEWERS}
    for path in (archive, *packages):
        attestation.attest(path, keys)
    yield f"{', '.join(REVIEWERS)} opened each package and attested it."
    openers = {name: own.quorum for name, own in keys.items()}
    tried = sum(try_subsets(path, openers) for path in (archive, *packages))
    yield f"{tried} subsets tried: {NEEDED} reviewers open each package, {NEEDED - 1} cannot."

    wish = proposal.Wish(
        roots=card.read_all([folder / name for name in ROOTS], card.ROOT, demo=True),
        threshold=len(ROOTS),
        reviewers=cards,
        archive=archive,
        periods=packages,
        bundle_key=Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex(),
        issued=day,
        expires=day + timedelta(weeks=WEEKS),
        demo=True,
    )
    draft = folder / "draft"
    folders.put(draft, proposal.draft(wish, None) + b"\n")
    yield "The draft of the keyring is written."
    for name in ROOTS:
        key = locked.signing_key(folder / name / root.SIGNING, words[name])
        line = signing.sign(signing.read_draft(draft), name, key)
        folders.put(folder / f"draft.{name}.sig", line)
        yield f"{name} signed it."
    signatures = [folder / f"draft.{name}.sig" for name in ROOTS]
    data = signing.assemble(signing.read_draft(draft), signatures, None)
    yield f"The keyring is assembled: {grouped(keyring.parse(data).sha256)}"


def try_subsets(folder: Path, keys: Mapping[str, Identity]) -> int:
    """Try every k-subset and every (k-1)-subset of ``keys`` on a package; return how many.

    Raises :class:`MachineTrouble` if fewer than the quorum get the secret, however they go about
    it, and :class:`BadFile` or :class:`NoMatchingKey` if a full quorum does not.
    """
    made = quorum.read_package(folder)
    full = list(itertools.combinations(sorted(keys), made.quorum))
    for names in full:
        quorum.open_package(folder, {name: keys[name] for name in names}, made.recipient)
    fewer = list(itertools.combinations(sorted(keys), made.quorum - 1))
    for names in fewer:
        for path in sorted(folder.glob("*.age")):
            if PREFIX.encode() in peel(path.read_bytes(), [keys[name] for name in names]):
                raise MachineTrouble(
                    f"{path} opens with only {', '.join(names)}.", "Use nothing made here; report."
                )
    return len(full) + len(fewer)


def peel(data: bytes, identities: Sequence[Identity]) -> bytes:
    """Return what is left of nested age files when none of ``identities`` gets any further."""
    while True:
        try:
            data = unseal(data, identities)
        except (NoMatchingKey, BadFile):
            return data
