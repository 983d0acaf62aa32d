"""Write quorum packages, and try them. The reading half, and the layout, are in ``quorum.py``.

A package holds the archive's identity or a period's. A period is a week to come, Monday to Sunday,
named by ISO 8601, ``2026-w47``; its key dies when it is over.

Rules:
- At most 13 weeks at once: what is made today should not outlive the trust in who made it.
- The identity is made or opened in here and leaves only sealed: no caller is handed it.
- Every k-subset of the reviewers gets a file; there is none that fewer can open.
- A package is believed when k reviewers attest that they opened it, there and then, with their own
  keys. An attestation is one line, ``<reviewer> <signature>``, in ``attestation-<reviewer>``.
- A period's attestations are over :meth:`intake.keyring.Period.statement` and go into the keyring.
  The archive's are over the same context and canonical JSON of its name and recipient, and stay
  here; ``propose`` asks for them, because a case that no archive opens dies with its quarter.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files, keyring, quorum
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.ceremony import card, folder
from intake.errors import BadFile, Misuse
from intake.quorum import Package
from intake.signatures import signature_line

ATTESTATION = "attestation-"
MAX_WEEKS = 13


Days = tuple[date, date] | None  # the first and last of a period; None for the archive
Keys = Mapping[str, tuple[Identity, Ed25519PrivateKey]]  # by name: what holder.unlock returned


def make(path: Path, reviewers: Mapping[str, str], needed: int, days: Days = None) -> Package:
    """Make a secret that ``needed`` of ``reviewers`` open, as a package in the folder ``path``.

    The folder's name is the secret's; ``reviewers`` maps names to quorum recipients. A package
    that is there already, for the same reviewers and days, is left as it is and returned.
    Raises :class:`Misuse`.
    """
    return _there(path, reviewers, needed, days) or _write(
        path, Identity.generate(), reviewers, needed, days
    )


def again(path: Path, out: Path, people: Keys, reviewers: Mapping[str, str]) -> Package:
    """Write the secret of the package in ``path`` as a new one in ``out``, for ``reviewers``.

    A quorum of ``people`` opens it. What is written may be there already, as with :func:`make`.
    Raises as :func:`intake.quorum.open_package`, and :class:`Misuse`.
    """
    old = quorum.read_package(path)
    if there := _there(out / old.name, reviewers, old.quorum, old.days):
        return there
    keys = {name: identity for name, (identity, _) in people.items()}
    identity = quorum.open_package(path, keys, old.recipient)
    return _write(out / old.name, identity, reviewers, old.quorum, old.days)


def _there(path: Path, reviewers: Mapping[str, str], needed: int, days: Days) -> Package | None:
    if not keyring.MINIMUM <= needed <= len(reviewers) <= keyring.MAX_REVIEWERS:
        what = f"{needed} of {len(reviewers)} reviewers cannot be a quorum."
        raise Misuse(what, f"Take 2 or more, of at most {keyring.MAX_REVIEWERS} reviewers.")
    if not path.exists():
        return None
    there = quorum.read_package(path)
    if (there.reviewers, there.quorum, there.days) != (tuple(sorted(reviewers)), needed, days):
        what = f"{path} is already there, for other reviewers, another quorum or other days."
        raise Misuse(what, "It stays as it is. Choose another folder for the new one.")
    return there


def _write(
    path: Path, identity: Identity, reviewers: Mapping[str, str], needed: int, days: Days
) -> Package:
    # The order of opening is the order of names, and so the same for every package.
    people = dict(sorted(reviewers.items()))
    facts: dict[str, object] = {"format": quorum.FORMAT, "name": path.name, "quorum": needed}
    facts |= {"recipient": str(identity.recipient()), "reviewers": list(people)}
    facts["secret"] = quorum.PERIOD if days else quorum.ARCHIVE
    if days:
        facts |= {"first": days[0], "last": days[1]}
    with folder.whole(path) as partial:
        for subset in itertools.combinations(people, needed):
            sealed = nested(identity, [people[name] for name in subset])
            files.write(partial / f"{'+'.join(subset)}.age", sealed)
        files.write(partial / "package.json", canonical.dump(facts), files.PUBLIC)
    return quorum.read_package(path)


def periods(
    out: Path, first: date, weeks: int, reviewers: Mapping[str, str], needed: int
) -> Iterator[Package]:
    """Make the package of each week in ``out``, in order, and yield it when it is there."""
    for name, days in spans(first, weeks).items():
        yield make(out / name, reviewers, needed, days)


def spans(first: date, weeks: int) -> dict[str, tuple[date, date]]:
    """Return names and days, first and last, of ``weeks`` periods from the day ``first``.

    The first one may begin in the middle of its week. Raises :class:`Misuse`.
    """
    if not 1 <= weeks <= MAX_WEEKS:
        raise Misuse(f"{weeks} weeks are not 1 to {MAX_WEEKS}.", "Make the others later.")
    monday = first - timedelta(days=first.weekday())
    found = {}
    for start in (monday + timedelta(weeks=week) for week in range(weeks)):
        year, week, _ = start.isocalendar()
        found[f"{year}-w{week:02}"] = (max(start, first), start + timedelta(days=6))
    return found


def nested(identity: Identity, recipients: Sequence[str]) -> bytes:
    """Return the identity sealed to each recipient in turn; the first opens the outermost."""
    secret = identity.encode().encode() + b"\n"
    for recipient in reversed(recipients):
        secret = seal(secret, [Recipient.parse(recipient)])
    return secret


def attest(path: Path, people: Keys) -> None:
    """Open the package in ``path`` with every subset of ``people``, then let each sign.

    Raises :class:`NoMatchingKey` or :class:`BadFile` as :func:`intake.quorum.open_package`, and
    :class:`Misuse` for somebody who is no reviewer of the package; then nobody has signed.
    """
    package = quorum.read_package(path)
    if strangers := sorted(people.keys() - set(package.reviewers)):
        raise Misuse(f"{strangers[0]} is no reviewer of {path}.", "Leave that reviewer out.")
    if {one.name for one in path.glob("*.age")} != set(package.file_names()):
        what = f"{path} has not exactly one sealed file for each {package.quorum} reviewers."
        raise BadFile(what, "Make the package again in an empty folder.")
    keys = {name: identity for name, (identity, _) in people.items()}
    for subset in itertools.combinations(sorted(keys), min(package.quorum, len(keys))):
        quorum.open_package(path, {name: keys[name] for name in subset})
    for name, (_, key) in people.items():
        line = signature_line(name, key.sign(statement(package)))
        files.write(path / f"{ATTESTATION}{name}", line, files.PUBLIC)


def statement(package: Package) -> bytes:
    """Return what is signed: the period's statement, or the archive's."""
    if package.days:
        return keyring.Period(package.name, *package.days, package.recipient, {}).statement()
    facts = {"name": package.name, "recipient": package.recipient}
    return keyring.ATTESTATION + canonical.dump(facts)


def attestations(path: Path, package: Package, reviewers: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the verified attestations of the package in ``path``, by name.

    ``reviewers`` maps names to verifying keys. Raises :class:`BadFile` for a forged one, and
    :class:`Misuse` if fewer than the quorum attested.
    """
    paths, message = sorted(path.glob(f"{ATTESTATION}*")), statement(package)
    found = dict(card.read_signature(one, reviewers, message) for one in paths)
    if len(found) < package.quorum:
        what = f"{len(found)} of {package.quorum} reviewers have opened {path} to try it."
        raise Misuse(what, f"Run: attest {path} --reviewer FOLDER --reviewer FOLDER")
    return found
