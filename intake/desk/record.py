"""Writing events and source words.

Rules:
- Only the author's own chain is written, and only at its end. An event is durable (written and
  fsynced) before anything is said about it.
- Words are sealed to the people named and to the archive, and to nobody else; here is no key that
  opens anything.
- If the disk refuses, the chain is as long as before.
- Many blobs at once are staged first: sealed, and durable, in ``new/``, where nobody looks. Then
  each gets its name. It costs a third of writing one after the other.
- A tail that a power cut tore is no event: it was never said to be written. It is moved to
  ``torn/`` and the chain goes on before it.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake import files
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.desk.chain import CONTEXT, Chain, Event, Heads

_NEW = "new"


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
        place = (self.path.name, self.deployment, sequence, previous, self.day)
        line = Event(*place, draft.case, draft.what, self.heads, draft.grounds).line()
        signature = self.key.sign(CONTEXT + line).hex().encode()
        return seal(line + b"\n" + signature + b"\n", draft.recipients)


def append(path: Path, data: bytes) -> None:
    """Write ``data`` durably at the end of ``path``, all of it or nothing."""
    with files.troubled(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.PRIVATE)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            size = os.fstat(descriptor).st_size
            try:
                while data:
                    data = data[file.write(data) :]
                os.fsync(descriptor)
            except OSError:
                file.truncate(size)
                raise
        files.sync_folder(path.parent)


def cut(folder: Path, chain: Chain) -> Path:
    """Move the torn tail of ``chain`` to ``torn/`` and return where."""
    path = folder / "chains" / chain.name
    kept = folder / "torn" / f"{chain.name}-{chain.last + 1}-{secrets.token_hex(4)}"
    with files.troubled(path):
        kept.parent.mkdir(mode=0o700, exist_ok=True)
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
    path = blob_path(folder, name)
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        files.sync_folder(path.parent.parent)  # or a power cut takes the folder, and all in it
    files.write(path, seal(words, recipients), replace=False)


def stage(folder: Path, blobs: Sequence[tuple[bytes, bytes]]) -> None:
    """Write blobs, by name and sealed bytes, durably into ``new/``. Raises `MachineTrouble`."""
    new, flags, descriptors = folder / _NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL, []
    with files.troubled(new), contextlib.ExitStack() as opened:
        for name, sealed in blobs:
            descriptor = os.open(f"{new}/{name.hex()}", flags, files.PRIVATE)
            opened.callback(os.close, descriptor)
            descriptors.append(descriptor)
            written = 0
            while written < len(sealed):
                written += os.write(descriptor, sealed[written:])
            # The disk begins to write it, so that syncing many takes the time of a few.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for descriptor in descriptors:
            os.fsync(descriptor)


def settle(folder: Path, names: Sequence[bytes]) -> None:
    """Give staged blobs their places, durably."""
    blobs, files_named = folder / "blobs", [name.hex() for name in names]
    starts = {name[:2] for name in files_named}
    with files.troubled(folder):
        for start in starts.difference(os.listdir(blobs)):
            (blobs / start).mkdir(mode=0o700)
        for name in files_named:
            os.rename(f"{folder}/{_NEW}/{name}", f"{blobs}/{name[:2]}/{name}")
        for one in [blobs, *(blobs / start for start in starts)]:
            files.sync_folder(one)


def clear(folder: Path) -> None:
    """Empty ``new/``: what is staged and was not recorded belongs to nobody."""
    with files.troubled(folder / _NEW):
        shutil.rmtree(folder / _NEW, ignore_errors=True)
        (folder / _NEW).mkdir(mode=0o700)
