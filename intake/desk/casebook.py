"""The casebook: a folder, and nothing in it that is not sealed, signed or public.

::

    casebook.json     format, deployment, desk
    keyrings/000001   every keyring that was in force here, verified as one chain
    chains/           one log for each author and desk
    blobs/3f/3f2a…    a source's words, sealed to the case's reviewers and the archive
    torn/             tails that a power cut left, kept for whoever wants to look

Rules:
- The first keyring was compared by a person, by its fingerprint. Each later one must follow.
- One writer at a time: a lock on ``casebook.json``.
- The day of an event is the machine's, but never before the keyring's issue or the last event of
  the same author here: a clock set back backdates nothing.
"""

import contextlib
import fcntl
import functools
import hashlib
import re
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from intake import canonical, days, files, keyring
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.desk import chain, record
from intake.desk.present import Present
from intake.errors import BadFile, BadKeyring, MachineTrouble, Misuse
from intake.keyring import Keyring

FORMAT = "intake casebook 1"
ASSIGNED = 2  # reviewers of one case
_LIMIT = 4096  # bytes of casebook.json
_CHAIN = re.compile(keyring.CHAIN.pattern.replace(r"\Z", rf"({chain.VERSION}[0-9a-f]{{8}})?\Z"))
_recipient = functools.cache(Recipient.parse)  # three for each row, and there are few


@dataclass(slots=True)
class Casebook:
    """An open casebook. ``keyrings`` are all that were in force, the last one is."""

    folder: Path
    desk: str
    keyrings: list[Keyring]

    @property
    def keyring(self) -> Keyring:
        """The keyring in force."""
        return self.keyrings[-1]

    def chains(self, identities: Sequence[Identity]) -> dict[str, chain.Chain]:
        """Read and verify all chains with the keys at hand."""
        versions: dict[str, list[chain.Chain]] = defaultdict(list)
        for path in chain_files(self.folder):
            one = chain.read(path, identities, self.keyrings)
            versions[one.name].append(one)
        found = {name: chain.choose(files) for name, files in versions.items()}
        chain.carry(found, self.keyrings)
        return found

    def torn(self) -> list[chain.Chain]:
        """Return the chains, and versions of them, whose end a power cut left half written."""
        found = (chain.read(path, [], self.keyrings) for path in chain_files(self.folder))
        return [one for one in found if one.torn]

    def recipients(self, names: Sequence[str], day: date) -> list[Recipient]:
        """Return whom to seal to: the reviewers' keys of the quarter, and the archive."""
        quarter, version = keyring.quarter_of(day), self.keyring.version
        reviewers = {who.name: who.quarters for who in self.keyring.active}
        if without := [name for name in names if quarter not in reviewers.get(name, ())]:
            raise BadKeyring(
                f"Keyring {version} has no key of {' and '.join(without)} for {quarter}.",
                "Check this machine's clock. If it is right, the key ceremony makes the "
                "quarter's keys and a new keyring; then run: keyring FILE",
            )
        found = [*(reviewers[name][quarter] for name in names), self.keyring.archive]
        return list(map(_recipient, found))

    def everyone(self, day: date) -> list[Recipient]:
        """Return whom an event without a case is for: all active reviewers and the archive."""
        return self.recipients([reviewer.name for reviewer in self.keyring.active], day)

    def assign(self, tag: bytes, manifest: bytes, assigned: Sequence[str] = ()) -> tuple[str, ...]:
        """Return a case's two reviewers: those it has, as far as they are active, and others.

        The others are the same at every desk (rendezvous hashing). A source chooses the tag, but
        not the ``manifest`` of the bundle that first brings the case, and so not who reads it.
        """

        def rank(name: str) -> tuple[bool, bytes]:
            digest = hashlib.sha256(manifest + tag + name.encode()).digest()
            return name not in assigned, digest

        names = sorted((reviewer.name for reviewer in self.keyring.active), key=rank)
        return tuple(sorted(names[:ASSIGNED]))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the casebook for writing. Raises :class:`MachineTrouble` if another does."""
        with (self.folder / "casebook.json").open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise MachineTrouble(
                    "Another command is writing to this casebook.", "Wait until it has ended."
                ) from None
            record.undo(self.folder)
            yield

    def pen(self, author: Present, chains: dict[str, chain.Chain]) -> record.Pen:
        """Return ``author``'s pen; a torn tail of their chain is cut off first."""
        name = f"{author.name}.{self.desk}"
        own = chains.get(name, chain.Chain(name))
        if own.torn:
            record.cut(self.folder, own)
        told = [event.day for event in own.events.values()]
        day = max([days.clock(), self.keyring.issued, *told])
        # Dangerous line: with ``head``, frames that nobody signed count as decisions that we knew.
        heads = {other: c.seen for other, c in chains.items() if other != name and c.events}
        path, deployment = self.folder / "chains" / (own.file or name), self.keyring.deployment
        return record.Pen(path, author.signing(), deployment, day, heads, *own.head)

    def add_keyring(self, data: bytes) -> Keyring:
        """Put the next keyring in force. Raises :class:`BadKeyring` unless it follows."""
        new = keyring.follow(self.keyring, [data])
        files.write(_keyring_path(self.folder, new.version), data, files.PUBLIC, replace=False)
        self.keyrings.append(new)
        return new


def keyring_files(folder: Path) -> list[Path]:
    """Return the files of a casebook's keyrings, by version."""
    return sorted(filter(plain, (folder / "keyrings").glob("[0-9]" * 6)))


def chain_files(folder: Path) -> list[Path]:
    """Return the files of all chains below a casebook's folder, of each the first version first."""
    return [
        path
        for path in sorted((folder / "chains").iterdir())
        if is_chain(path) and path.stat().st_size
    ]


def plain(path: Path) -> bool:
    """Return whether it is a file: no link, which leads elsewhere, no pipe, which never ends."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def is_chain(path: Path) -> bool:
    """Return whether a file has the name of a chain, or of a version of one."""
    return bool(_CHAIN.match(path.name))


def create(folder: Path, first: bytes, desk: str) -> Casebook:
    """Make a casebook on a keyring whose fingerprint was compared. Raises :class:`Misuse`."""
    found = keyring.parse(first)
    if not keyring.NAME.match(desk):
        raise Misuse("A desk's name has small letters, digits and hyphens.", "Take desk-a, say.")
    begun = [*(folder / "keyrings").glob("*"), *folder.rglob("*.partial")]
    if {path for path in folder.rglob("*") if not path.is_dir()}.difference(begun):
        raise Misuse(f"{folder} is not empty.", "A casebook wants a folder of its own.")
    with files.troubled(folder):
        for name in ("", "keyrings", "chains", "blobs"):
            files.make_folder(folder / name)
        for left in begun:  # what a power cut left of one that was never there
            left.unlink(missing_ok=True)
    files.write(_keyring_path(folder, found.version), first, files.PUBLIC)
    facts = {"deployment": found.deployment, "desk": desk, "format": FORMAT}
    # Last, so that a casebook that was half made is none.
    files.write(folder / "casebook.json", canonical.dump(facts))
    return Casebook(folder, desk, [found])


def load(folder: Path) -> Casebook:
    """Open a casebook. Raises :class:`Misuse`, :class:`BadFile` or :class:`BadKeyring`."""
    path = folder / "casebook.json"
    if not plain(path):
        hint = f"Make one with: python -m intake.desk init --casebook {folder} --keyring FILE"
        raise Misuse(f"{folder} is not a casebook.", hint)
    raw = canonical.load_object(files.read(path, _LIMIT), {"deployment", "desk", "format"})
    keyrings: list[Keyring] = []
    for file in keyring_files(folder):
        data = files.read(file, keyring.MAX_SIZE)
        keyrings.append(keyring.follow(keyrings[-1] if keyrings else None, [data]))
    ours = {k.deployment.hex() for k in keyrings}
    desk = str(raw["desk"])
    facts = [{"deployment": d, "desk": desk, "format": FORMAT} for d in ours]
    if facts != [raw] or not keyring.NAME.match(desk):
        raise BadFile(
            f"{folder} is damaged: its name, or its keyrings, are not those it was made with.",
            "Take the casebook from its second copy.",
        )
    return Casebook(folder, desk, keyrings)


def _keyring_path(folder: Path, version: int) -> Path:
    return folder / "keyrings" / f"{version:06}"
