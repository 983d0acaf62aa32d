"""Two desks become one: what another casebook has and this one has not is taken from it.

Procedure of :func:`run`:
1. The other folder is a casebook of this deployment; its keyrings and ours are one chain.
2. Of a chain, what goes on where ours ends is added. Where the two part, both are kept, as versions
   of one chain (``chain.choose`` says which counts, and names the other).
3. Words that the events name, and that are not here, are taken. If it is stopped before, they are
   named as missing to whoever reads, and running it again brings them.
4. What two reviewers withdrew or replaced is emptied, whoever brought it.

Rules:
- It only adds to this casebook, and changes nothing in the other. Run it at both desks.
- Nothing is believed: chains are verified each time they are read, blobs by their names.
- Words that are gone here do not come back, from however old a copy, nor under a name of somebody's
  own: what no event names is not looked at.
- Who had the stick put on it what they liked. A link is not followed, a pipe not opened.
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
_LONGEST = 1 << 30  # bytes of a chain
Watch = Callable[[Iterable[bytes], int], Iterable[bytes]]


@dataclass(slots=True)
class Merged:
    """What came: files of words, bytes of chains, keyrings; versions that part; words emptied.

    ``strange`` are links, pipes, folders, files that are too large, and logs of nobody we know.
    """

    state: State
    blobs: int = 0
    grown: int = 0
    keyrings: int = 0
    parted: int = 0
    emptied: int = 0
    strange: int = 0


def run(
    book: Casebook,
    other: Path,
    identities: Sequence[Identity],
    watch: Watch = lambda names, _: names,
) -> Merged:
    """Take what the casebook in ``other`` has. Raises any :class:`Refused`.

    ``identities`` are a reviewer's, who sees what the events say; ``watch`` shows progress.
    """
    for part in ("keyrings", "chains", "blobs"):
        place = other / part
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise Misuse(f"{place} is no folder.", "Name the casebook on the stick.")
    if not casebook.plain(other / "casebook.json"):
        raise Misuse(f"{other} is not a casebook.", "Name a folder that copy wrote to the stick.")
    theirs = casebook.load(other)  # (1)
    if theirs.keyring.deployment != book.keyring.deployment:
        raise Misuse(f"{other} is a casebook of other people.", "Take the stick of your own desks.")
    if other.samefile(book.folder):
        raise Misuse("This is the casebook itself.", "Name the folder on the stick.")
    merged = Merged(State())
    with book.locked():
        record.tidy(book.folder)
        merged.keyrings = _keyrings(book, theirs)
        for one in book.torn():  # what was never said to be written is no other history
            record.cut(book.folder, one)
        for path in sorted((other / "chains").glob("*")):  # (2)
            if casebook.is_chain(path):
                _chain(book, path, merged)
        merged.state = fold(book.chains(identities))
        gone = merged.state.erased()
        # Dangerous line: with ``gone`` in it, words that were withdrawn are back for a while.
        wanted = sorted(merged.state.named - gone)
        for name in watch(wanted, len(wanted)):
            _blob(book.folder, other, name, merged)  # (3)
        merged.emptied = record.erase(book.folder, gone)  # (4)
    return merged


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


def _blob(folder: Path, other: Path, name: bytes, merged: Merged) -> None:
    """Take one file of words, unless it is here, or was."""
    # Dangerous line: an empty file is where withdrawn words were. What exists is never replaced.
    if record.blob_path(folder, name).exists():
        return
    words = _plain(record.blob_path(other, name), _LIMIT, merged)
    if words:
        record.write_sealed(folder, name, words)
        merged.blobs += 1


def _chain(book: Casebook, path: Path, merged: Merged) -> None:
    """Take what one version of a chain has beyond ours."""
    name = _name(path)
    if book.keyring.reviewer(name.partition(".")[0]) is None:
        merged.strange += 1
        return
    data = _plain(path, _LONGEST, merged)
    data = data[: max((end for end, _ in chain.frames(data)), default=0)]
    paths = [one for one in casebook.chain_files(book.folder) if _name(one) == name]
    here = {one: one.read_bytes() for one in paths}
    if not data or any(ours.startswith(data) for ours in here.values()):
        return
    shorter = [one for one, ours in here.items() if data.startswith(ours)]
    start = len(here[shorter[0]]) if shorter else 0
    place = shorter[0] if shorter else book.folder / "chains" / name
    if here and not shorter:
        place = _version(place, data, here.values())
        merged.parted += 1
    record.append(place, data[start:])
    merged.grown += len(data) - start


def _version(path: Path, data: bytes, others: Iterable[bytes]) -> Path:
    """Return a name for another version, after the first frame that no other one has."""
    known = {frame for other in others for _, frame in chain.frames(other)}
    new = (frame for _, frame in chain.frames(data) if frame and frame not in known)
    digest = hashlib.sha256(next(new, data)).hexdigest()
    names = (f"{path.name}{chain.VERSION}{digest[n : n + 8]}" for n in range(0, len(digest), 8))
    return next(p for p in map(path.with_name, names) if not p.exists())


def _plain(path: Path, limit: int, merged: Merged) -> bytes:
    """Return the bytes of a file on the stick; none if it is not there, or strange."""
    # Dangerous line: without it, a link on a stick brings in any file of this machine.
    if casebook.plain(path) and not path.parent.is_symlink() and path.stat().st_size <= limit:
        return files.read(path, limit)
    merged.strange += path.exists() or path.is_symlink()
    return b""


def _name(path: Path) -> str:
    return path.name.partition(chain.VERSION)[0]
