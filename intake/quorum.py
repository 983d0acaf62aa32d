"""Open a quorum package: k of n reviewers together unlock a secret. ``ceremony/`` writes them.

A package is a folder. ``package.json`` says what is inside and who opens it; one age file for each
k-subset of the reviewers holds the same secret, nested, and its name is the order of opening:
``alice+bob.age`` opens with alice's quorum identity, and what comes out opens with bob's. Innermost
is an age identity file, so stock ``age -d -i`` opens it step by step (docs/adr/0005).

Rules:
- Nothing in the folder is believed: the identity that comes out must be the one of the recipient
  that ``package.json`` names, and of the one that the keyring names, where there is a keyring.
- The identity is returned and never written. The server and its admin never import this module.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from intake import canonical, files
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.age.unsealing import unseal
from intake.days import day
from intake.errors import BadFile, NoMatchingKey, Refused
from intake.keyring import MAX_REVIEWERS, MINIMUM, NAME

FORMAT = "intake package 1"
ARCHIVE, PERIOD = "archive", "period"
FIELDS = frozenset({"format", "name", "quorum", "recipient", "reviewers", "secret"})
_LIMIT = 1 << 16  # bytes of each file; a file nested five deep has 8,373
_NEXT = "Take the package again from another copy. Every reviewer may keep one; it is sealed."


@dataclass(frozen=True, slots=True)
class Package:
    """What ``package.json`` says. ``days`` are the first and last of a period, None for others."""

    secret: str
    name: str
    recipient: str
    quorum: int
    reviewers: tuple[str, ...]
    days: tuple[date, date] | None

    def file_names(self) -> list[str]:
        """Return the names of the age files, one for each subset, in order."""
        subsets = itertools.combinations(self.reviewers, self.quorum)
        return ["+".join(subset) + ".age" for subset in subsets]


def read_package(folder: Path) -> Package:
    """Return what the package in ``folder`` says of itself. Raises :class:`BadFile`."""
    raw = canonical.load(files.read(folder / "package.json", _LIMIT))
    try:
        return _package(raw)
    except (BadFile, ValueError, TypeError, AttributeError, KeyError):
        raise _foreign(folder) from None


def _package(raw: Any) -> Package:  # noqa: ANN401 - JSON of any shape comes in, a package goes out
    days = (day(raw["first"]), day(raw["last"])) if raw["secret"] == PERIOD else None
    canonical.check_object(raw, FIELDS | {"first", "last"} if days else FIELDS)
    recipient, names = str(Recipient.parse(raw["recipient"])), tuple(raw["reviewers"])
    package = Package(raw["secret"], raw["name"], recipient, raw["quorum"], names, days)
    if (
        raw["format"] != FORMAT
        or package.secret not in {ARCHIVE, PERIOD}
        or not all(map(NAME.match, (package.name, *names)))
        or raw["reviewers"] != sorted(set(names))
        or not MINIMUM <= package.quorum <= len(names) <= MAX_REVIEWERS
    ):
        raise ValueError
    return package


def open_package(
    folder: Path, keys: Mapping[str, Identity], expected: str | None = None
) -> Identity:
    """Return the secret of the package in ``folder``, opened with reviewers' quorum ``keys``.

    ``keys`` maps reviewers' names to identities; ``expected`` is the recipient that the keyring
    names, None where there is no keyring yet.

    Raises :class:`NoMatchingKey` (too few keys, or wrong ones) or :class:`BadFile` (damaged,
    or another secret than expected).
    """
    package = read_package(folder)
    if expected is not None and package.recipient != expected:
        raise _foreign(folder)
    present = [name for name in package.reviewers if name in keys]
    if len(present) < package.quorum:
        others = ", ".join(name for name in package.reviewers if name not in keys)
        what = f"{package.quorum} reviewers open {folder}; {len(present)} of them are here."
        hint = f"{package.quorum - len(present)} more must come, of: {others}."
        raise NoMatchingKey(what, hint)
    # A file that was damaged on a stick is no loss while another subset is here.
    for subset in itertools.combinations(present, package.quorum):
        with contextlib.suppress(Refused):
            return _open(folder, package, {name: keys[name] for name in subset})
    return _open(folder, package, {name: keys[name] for name in present[: package.quorum]})


def _open(folder: Path, package: Package, keys: Mapping[str, Identity]) -> Identity:
    path = folder / f"{'+'.join(keys)}.age"
    data = files.read(path, _LIMIT)
    for name, key in keys.items():
        try:
            data = unseal(data, [key])
        except NoMatchingKey:
            what = f"The quorum key of {name} does not open {path}."
            hint = f"It is sealed to another key of {name}, or was altered. {_NEXT}"
            raise NoMatchingKey(what, hint) from None
        except BadFile:
            raise BadFile(f"{path} is damaged: it was cut or altered.", _NEXT) from None
    identity = Identity.parse(data.decode("ascii", "replace").strip())
    # Dangerous line: without it, whoever hands out packages chooses the key that is believed.
    if str(identity.recipient()) != package.recipient:
        raise _foreign(folder)
    return identity


def _foreign(folder: Path) -> BadFile:
    what = f"{folder} is not the package that was expected: its key, format or names are others."
    return BadFile(what, f"Check that it belongs to this deployment and period. {_NEXT}")
