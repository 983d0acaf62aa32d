"""Many blobs at once: sealed and durable in ``new/``, and then each under its name.

Rules:
- Nobody looks into ``new/``. What lies there belongs to nobody until its event is noted; whoever
  holds the casebook's lock may empty it.
- A name is given to whole and synced bytes only. A disk that syncs many files at once takes the
  time of a few.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from intake import files

_NEW = "new"


def stage(folder: Path, blobs: Sequence[tuple[bytes, bytes]]) -> None:
    """Write blobs, by name and sealed bytes, durably. Raises :class:`MachineTrouble`."""
    new, flags = folder / _NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with files.troubled(new), contextlib.ExitStack() as opened:
        descriptors = []
        for name, sealed in blobs:
            descriptor = os.open(f"{new}/{name.hex()}", flags, files.PRIVATE)
            opened.callback(os.close, descriptor)
            descriptors.append(descriptor)
            rest = sealed
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if hasattr(os, "posix_fadvise"):  # the disk begins now, not when it is synced
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for descriptor in descriptors:
            os.fsync(descriptor)


def settle(folder: Path, names: Iterable[bytes]) -> None:
    """Give staged blobs their names, durably. Raises :class:`MachineTrouble`."""
    new, blobs = folder / _NEW, folder / "blobs"
    settled = [name.hex() for name in names]
    starts = {name[:2] for name in settled}
    with files.troubled(blobs):
        for start in starts.difference(path.name for path in blobs.iterdir()):
            (blobs / start).mkdir(mode=0o700)
        for name in settled:
            (new / name).rename(blobs / name[:2] / name)
        for path in (blobs, *(blobs / start for start in starts)):
            files.sync_folder(path)


def clear(folder: Path) -> None:
    """Empty ``new/``."""
    with files.troubled(folder / _NEW):
        shutil.rmtree(folder / _NEW, ignore_errors=True)
        (folder / _NEW).mkdir(mode=0o700)
