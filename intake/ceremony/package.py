"""Write quorum packages. The reading half, and the layout, are in :mod:`intake.quorum`.

Rules:
- The identity is made in here and leaves only sealed: nobody is handed it, not even the caller.
- Every k-subset of the reviewers gets a file; there is none that fewer can open.
- What was made is not proven to open until k reviewers tried: see ``attestation.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from intake import canonical, files, keyring, quorum
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.ceremony import folder
from intake.ceremony.card import Card
from intake.errors import Misuse
from intake.quorum import Package


def make(
    path: Path, reviewers: Sequence[Card], needed: int, days: tuple[date, date] | None = None
) -> Package:
    """Make a secret that ``needed`` of ``reviewers`` open, as a package in the folder ``path``.

    The folder's name is the secret's; ``days`` are a period's, None for the archive. A package
    that is there already, for the same reviewers and days, is left as it is and returned.
    Raises :class:`Misuse`.
    """
    if not keyring.MINIMUM <= needed <= len(reviewers) <= keyring.MAX_REVIEWERS:
        raise Misuse(
            f"{needed} of {len(reviewers)} reviewers cannot be a quorum.",
            f"Take a quorum of 2 or more, of at most {keyring.MAX_REVIEWERS} reviewers.",
        )
    # The order of opening is the order of names, and so the same for every package.
    people = sorted(reviewers, key=lambda one: one.name)
    names = tuple(one.name for one in people)
    if path.exists():
        return _same(path, names, needed, days)
    identity = Identity.generate()
    secret = identity.encode().encode() + b"\n"
    facts: dict[str, object] = {
        "format": quorum.FORMAT,
        "name": path.name,
        "quorum": needed,
        "recipient": str(identity.recipient()),
        "reviewers": list(names),
        "secret": quorum.PERIOD if days else quorum.ARCHIVE,
    }
    if days:
        facts |= {"first": days[0].isoformat(), "last": days[1].isoformat()}
    with folder.whole(path) as partial:
        for subset in itertools.combinations(people, needed):
            target = partial / f"{'+'.join(one.name for one in subset)}.age"
            files.write(target, nested(secret, [one.quorum for one in subset]))
        files.write(partial / "package.json", canonical.dump(facts), files.PUBLIC)
    return quorum.read_package(path)


def nested(secret: bytes, recipients: Sequence[str]) -> bytes:
    """Return ``secret`` sealed to each recipient in turn; the first one opens the outermost."""
    for recipient in reversed(recipients):
        secret = seal(secret, [Recipient.parse(recipient)])
    return secret


def _same(
    path: Path, names: tuple[str, ...], needed: int, days: tuple[date, date] | None
) -> Package:
    there = quorum.read_package(path)
    if (there.reviewers, there.quorum, there.days) != (names, needed, days):
        raise Misuse(
            f"{path} is already there, for other reviewers, another quorum or other days.",
            "It stays as it is. Choose another folder for the new one.",
        )
    return there
