"""Writing events and source words.

Rules:
- Only the author's own chain is written, and only at its end. An event is durable (written and
  fsynced) before anything is said about it.
- Words are sealed to the people named and to the archive, and to nobody else; here is no key that
  opens anything.
- If the disk refuses, the chain is as long as before.
- What a power cut tore is no event: it was never said to be written. A note beside the chains says
  what was being appended, and whoever writes next takes it back. A torn tail without a note, as on
  a stick, is moved to ``torn/`` and the chain goes on before it.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import canonical, files
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.desk.chain import CONTEXT, VERSION, Chain, Event, Heads, frames
from intake.errors import BadFile
from intake.signatures import octets

_APPENDING = "appending"  # a chain's file, its size before and after, SHA-256 of what is added
_NOTE = "importing"  # a chain's file, its size, and the blobs of each event that comes next
_LIMIT = 1 << 20  # bytes of it


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to write: what, for whom, and about which case."""

    what: Mapping[str, object]
    recipients: Sequence[Recipient]
    case: bytes | None = None
    grounds: Sequence[str] = ()


@dataclass(slots=True)
class Pen:
    """One author at one desk. ``heads`` are those of all chains seen but the own one."""

    path: Path
    key: Ed25519PrivateKey
    deployment: bytes
    day: date
    heads: Heads
    last: int
    hash: bytes

    def append(self, drafts: Sequence[Draft]) -> None:
        """Sign, seal and write events; return when they are on the disk.

        Raises :class:`MachineTrouble`; then none of them was written.
        """
        written, last, previous = bytearray(), self.last, self.hash
        for draft in drafts:
            last += 1
            sealed = self._seal(draft, last, previous)
            previous = hashlib.sha256(sealed).digest()
            written += b"%08x\n%b\n" % (len(sealed), sealed)
        append(self.path, bytes(written))
        self.last, self.hash = last, previous

    def _seal(self, draft: Draft, sequence: int, previous: bytes) -> bytes:
        name = self.path.name.partition(VERSION)[0]
        place = (name, self.deployment, sequence, previous, self.day)
        line = Event(*place, draft.case, draft.what, self.heads, draft.grounds).line()
        signature = self.key.sign(CONTEXT + line).hex().encode()
        return seal(line + b"\n" + signature + b"\n", draft.recipients)


def append(path: Path, data: bytes) -> None:
    """Write ``data`` durably at the end of the chain at ``path``, all of it or nothing."""
    note = path.parent.parent / _APPENDING
    with files.troubled(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.PRIVATE)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            size = os.fstat(descriptor).st_size
            files.write(note, canonical.dump([path.name, size, size + len(data), _hash(data)]))
            try:
                while data:
                    data = data[file.write(data) :]
                os.fsync(descriptor)
            except OSError:
                file.truncate(size)
                raise
        files.sync_folder(path.parent)
    with contextlib.suppress(OSError):  # it is written: nobody may be told that it is not
        note.unlink()


def undo(folder: Path) -> None:
    """Take back what was being appended when the power went, unless all of it is there.

    A disk may keep the end of it without the middle: nobody could tell that from a forged event.
    """
    note = folder / _APPENDING
    if note.exists():
        raw: Any = canonical.load(files.read(note, _LIMIT))
        try:
            name, start, end, digest = raw
            chains = {path.name: path for path in (folder / "chains").iterdir()}
            now = chains[name].read_bytes() if name in chains else b""
            torn = 0 <= start < len(now) <= end and _hash(now[start:]) != digest
        except (ValueError, TypeError):
            raise BadFile(f"{note} is damaged.", "Move it away, then run repair.") from None
        with files.troubled(note):
            if torn:
                with chains[name].open("r+b") as file:
                    file.truncate(start)
                    os.fsync(file.fileno())
            note.unlink()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def cut(folder: Path, chain: Chain) -> Path:
    """Move the torn tail of ``chain`` to ``torn/`` and return where."""
    path = folder / "chains" / chain.file
    kept = folder / "torn" / f"{chain.file}-{chain.last + 1}-{secrets.token_hex(4)}"
    with files.troubled(path):
        files.make_folder(kept.parent)
        with path.open("r+b") as file:
            file.seek(chain.whole)
            files.write(kept, file.read())
            file.truncate(chain.whole)
            os.fsync(file.fileno())
    return kept


def blob_name(salt: bytes, words: bytes) -> bytes:
    """Return the 32-byte name of ``words``: who has not read them cannot guess them from it."""
    digest = hashlib.sha256(salt)
    digest.update(words)
    return digest.digest()


def case_key(tag: bytes) -> bytes:
    """Return what events for everyone call a case: only who knows the tag can tell which it is."""
    return hashlib.sha256(tag).digest()


def blob_path(folder: Path, name: bytes) -> Path:
    """Return where the blob of that name lies."""
    return folder / "blobs" / name.hex()[:2] / name.hex()


def new_name(words: bytes) -> tuple[bytes, bytes]:
    """Return name and salt of the blob that ``words`` will have."""
    salt = secrets.token_bytes(32)
    return blob_name(salt, words), salt


def write_blob(folder: Path, name: bytes, words: bytes, recipients: Sequence[Recipient]) -> None:
    """Seal ``words`` durably into the blob of that name."""
    write_sealed(folder, name, seal(words, recipients))


def write_sealed(folder: Path, name: bytes, sealed: bytes) -> None:
    """Write durably what was sealed already. Raises :class:`Misuse` if something is there."""
    _write(blob_path(folder, name), sealed, replace=False)


def _write(path: Path, sealed: bytes, *, replace: bool = True) -> None:
    files.make_folder(path.parent)
    files.write(path, sealed, replace=replace)


def erase(folder: Path, names: Iterable[bytes]) -> int:
    """Empty the blobs of these names and return how many had words.

    An empty file stays where words were, or could come: no merge and no copy brings them back over
    it, whoever runs it. What this is worth on flash: nothing certain (``ceremony.retiring`` says
    it); encrypt the disk.
    """
    count = 0
    for path in (blob_path(folder, name) for name in names):
        if not (path.exists() and not path.stat().st_size):
            count += path.exists()
            _write(path, b"")
    return count


def noted(folder: Path, pen: Pen, events: Sequence[Sequence[bytes]]) -> None:
    """Note the names of blobs that the next events will record, before the blobs are written.

    So whatever happens, the next command knows which blobs may belong to nobody.
    """
    size = pen.path.stat().st_size if pen.path.exists() else 0
    files.write(folder / _NOTE, canonical.dump([pen.path.name, size, *events]))


def done(folder: Path) -> None:
    """Drop the note: the events are written."""
    with files.troubled(folder):
        (folder / _NOTE).unlink()


def tidy(folder: Path) -> None:
    """Delete the blobs of a batch whose events were not written: nobody could withdraw them.

    What was written is told by the whole frames of the chain alone, so it does not matter who is
    here, or what is damaged before them.
    """
    note = folder / _NOTE
    if note.exists():
        raw: Any = canonical.load(files.read(note, _LIMIT))
        try:
            file, size, *events = raw
            named = [[octets(blob, 32) for blob in blobs] for blobs in events]
            chains = {path.name: path for path in (folder / "chains").iterdir()}
            new = chains[file].read_bytes()[size:] if file in chains else b""
            written = sum(frame is not None for _, frame in frames(new))
            paths = [blob_path(folder, blob) for blobs in named[written:] for blob in blobs]
        except (ValueError, TypeError):
            raise BadFile(f"{note} is damaged.", "Move it away, then import again.") from None
        with files.troubled(note):
            for path in paths:
                path.unlink(missing_ok=True)
            note.unlink()
