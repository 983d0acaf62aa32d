"""Two desks become one: what another casebook has and this one has not is taken from it.

Procedure of :func:`run`:
1. The other folder is a casebook of this deployment; its keyrings and ours are one chain.
2. Blobs first, then chains, so that after a power cut no event points at words that are not here.
3. Of a chain, what goes on where ours ends is added. Where the two part, both are kept, as versions
   of one chain (``chain.choose`` says which counts, and names the other).
4. What two reviewers withdrew or replaced is emptied, whoever brought it.

Rules:
- It only adds to this casebook, and changes nothing in the other. Run it at both desks.
- Nothing is believed: chains are verified each time they are read, blobs by their names.
- Words that are gone here do not come back, from however old a copy.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from intake import files, keyring
from intake.age.identity import Identity
from intake.desk import casebook, chain, record
from intake.desk.casebook import Casebook
from intake.desk.state import State, fold
from intake.errors import BadKeyring, Misuse

_LIMIT = 1 << 17  # bytes of a blob
Watch = Callable[[Iterable[Path], int], Iterable[Path]]


@dataclass(frozen=True, slots=True)
class Merged:
    """What came: files of words, bytes of chains, keyrings; versions that part; words emptied."""

    blobs: int
    grown: int
    keyrings: int
    parted: int
    emptied: int
    state: State


def run(
    book: Casebook,
    other: Path,
    identities: Sequence[Identity],
    watch: Watch = lambda paths, _: paths,
) -> Merged:
    """Take what the casebook in ``other`` has. Raises any :class:`Refused`.

    ``identities`` are a reviewer's, who sees what the events say; ``watch`` shows progress.
    """
    theirs = casebook.load(other)  # (1)
    if theirs.keyring.deployment != book.keyring.deployment:
        raise Misuse(f"{other} is a casebook of other people.", "Take the stick of your own desks.")
    if other.samefile(book.folder):
        raise Misuse("This is the casebook itself.", "Name the folder on the stick.")
    with book.locked():
        record.tidy(book.folder, book.chains([]))
        added = _keyrings(book, theirs)
        gone = fold(book.chains(identities)).erased()
        paths = sorted((other / "blobs").glob("??/*"))
        blobs = sum(_blob(book.folder, path, gone) for path in watch(paths, len(paths)))  # (2)
        changes = [_chain(book.folder, path) for path in casebook.chain_files(other)]  # (3)
        state = fold(book.chains(identities))
        emptied = record.erase(book.folder, state.erased())  # (4)
    grown, parted = (sum(column) for column in zip(*changes, strict=True)) if changes else (0, 0)
    return Merged(blobs, grown, added, parted, emptied, state)


def _keyrings(book: Casebook, theirs: Casebook) -> int:
    """Take newer keyrings; return how many."""
    ours, others = ([(one.version, one.sha256) for one in made.keyrings] for made in (book, theirs))
    if any(dict(ours).get(version, digest) != digest for version, digest in others):
        raise BadKeyring(
            "The two casebooks have different keyrings under one number.",
            "Compare the fingerprints with what was announced, and tell the admins at once.",
        )
    newer = [path for path in casebook.keyring_files(theirs.folder) if int(path.name) > ours[-1][0]]
    for path in newer:
        book.add_keyring(files.read(path, keyring.MAX_SIZE))
    return len(newer)


def _blob(folder: Path, path: Path, gone: set[bytes]) -> bool:
    """Take one file of words, unless it is here, or gone for ever; return whether it was taken."""
    if len(path.name) != 2 * hashlib.sha256().digest_size or not path.stat().st_size:
        return False
    try:
        name = bytes.fromhex(path.name)
    except ValueError:
        return False
    target = record.blob_path(folder, name)
    # Dangerous line: an empty file is where withdrawn words were. What exists is never replaced.
    if target.exists() or name in gone:
        return False
    if not target.parent.exists():
        target.parent.mkdir(mode=0o700, exist_ok=True)
        files.sync_folder(target.parent.parent)
    files.write(target, files.read(path, _LIMIT), replace=False)
    return True


def _chain(folder: Path, path: Path) -> tuple[int, int]:
    """Take one version of a chain; return how many bytes came, and 1 if it parts from ours."""
    data = path.read_bytes()
    whole = max((end for end, _ in chain.frames(data)), default=0)
    data, name = data[:whole], path.name.partition(chain.VERSION)[0]
    here = [one for one in casebook.chain_files(folder) if _name(one) == name]
    if any(one.read_bytes().startswith(data) for one in here):
        return 0, 0
    for one in here:
        ours = one.read_bytes()
        if data.startswith(ours):
            record.append(one, data[len(ours) :])
            return len(data) - len(ours), 0
    # A name of its own that stays the same while it grows: after the first frame that is another.
    label = name
    if here:
        known = {frame for one in here for _, frame in chain.frames(one.read_bytes())}
        others = (frame for _, frame in chain.frames(data) if frame and frame not in known)
        digest = hashlib.sha256(next(others, data)).hexdigest()
        label = f"{name}{chain.VERSION}{digest[:8]}"
    files.write(folder / "chains" / label, data, replace=not here)
    return len(data), int(bool(here))


def _name(path: Path) -> str:
    return path.name.partition(chain.VERSION)[0]
