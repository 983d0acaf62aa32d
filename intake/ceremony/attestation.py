r"""An attestation: a reviewer's signed word that they opened a package to try it.

One line, ``<reviewer> <signature>``, in the package's folder as ``attestation-<reviewer>``. A
period's is over :meth:`intake.keyring.Period.statement` and goes into the keyring. The archive's is
over the same context and canonical JSON of its name and recipient; it stays in the package, and
``propose`` asks for it, because a case that no archive opens is lost once its quarter is over.

Rule: nobody attests what was not opened, there and then, with their own key.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files, keyring, locked, quorum
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.ceremony.reviewer import QUORUM
from intake.ceremony.root import SIGNING
from intake.errors import BadFile, Misuse
from intake.keyring import Period
from intake.quorum import Package

PREFIX = "attestation-"
_LIMIT = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """What a reviewer unlocks to attest."""

    quorum: Identity = field(repr=False)
    signing: Ed25519PrivateKey = field(repr=False)


def unlock(folder: Path, passphrase: Passphrase) -> Keys:
    """Return the keys in a reviewer's ``folder``. Raises as :func:`intake.locked.unlock`."""
    return Keys(
        locked.identity(folder / QUORUM, passphrase),
        locked.signing_key(folder / SIGNING, passphrase),
    )


def attest(folder: Path, people: Mapping[str, Keys]) -> Package:
    """Open the package in ``folder`` with every subset of ``people``, then let each sign.

    Raises :class:`NoMatchingKey` or :class:`BadFile` as :func:`intake.quorum.open_package`, and
    :class:`Misuse` for somebody who is no reviewer of the package; then nobody has signed.
    """
    package = quorum.read_package(folder)
    strangers = sorted(people.keys() - set(package.reviewers))
    if strangers:
        raise Misuse(f"{strangers[0]} is no reviewer of {folder}.", "Leave that reviewer out.")
    found = {path.name for path in folder.glob("*.age")}
    if found != set(package.file_names()):
        raise BadFile(
            f"{folder} has not exactly one sealed file for each {package.quorum} reviewers.",
            "Make the package again in an empty folder.",
        )
    keys = {name: own.quorum for name, own in people.items()}
    size = min(package.quorum, len(keys))
    for subset in itertools.combinations(sorted(keys), size):
        quorum.open_package(folder, {name: keys[name] for name in subset})
    for name, own in people.items():
        line = keyring.signature_line(name, own.signing.sign(statement(package)))
        files.write(folder / f"{PREFIX}{name}", line, files.PUBLIC)
    return package


def statement(package: Package) -> bytes:
    """Return what is signed: the period's statement, or the archive's."""
    if package.days:
        return Period(package.name, *package.days, package.recipient, {}).statement()
    facts = {"name": package.name, "recipient": package.recipient}
    return keyring.ATTESTATION + canonical.dump(facts)


def read(folder: Path, package: Package, reviewers: Mapping[str, bytes]) -> dict[str, str]:
    """Return the verified attestations of the package in ``folder``: signatures in hex by name.

    ``reviewers`` maps names to verifying keys. Raises :class:`BadFile` for a forged one, and
    :class:`Misuse` if fewer than the quorum attested.
    """
    found = {}
    for path in sorted(folder.glob(f"{PREFIX}*")):
        try:
            data = files.read(path, _LIMIT)
            name, signature = keyring.split_signature(data.removesuffix(b"\n"))
        except ValueError:
            name, signature = "", b""
        key = reviewers.get(name)
        if key is None or not keyring.verified(key, signature, statement(package)):
            raise BadFile(f"{path} is not an attestation by a reviewer.", _attest(folder))
        found[name] = signature.hex()
    if len(found) < package.quorum:
        raise Misuse(
            f"{len(found)} of {package.quorum} reviewers have opened {folder} to try it.",
            _attest(folder),
        )
    return found


def _attest(folder: Path) -> str:
    return f"Run: attest {folder} --reviewer FOLDER --reviewer FOLDER"
