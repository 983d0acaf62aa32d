"""Whole files: written durably, and secrets readable by their owner alone.

Rules:
- A file appears under its name whole and synced, or not at all: temporary name in the same folder,
  fsync, rename, fsync of the folder.
- A folder is made durably too, before anything is written into it.
- A name that is taken is looked for before writing, not with link(2), which sticks (FAT) lack.
- A private file that group or others can read is refused, not repaired: someone may have read it.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from intake.errors import BadFile, MachineTrouble, Misuse, Unsafe

PRIVATE, PUBLIC = 0o600, 0o644


@contextlib.contextmanager
def whole(path: Path, mode: int = PRIVATE, *, replace: bool = True) -> Iterator[BinaryIO]:
    """Open a file that gets its name only when the block ends well.

    Raises :class:`Misuse` if the name is taken and ``replace`` is false, and
    :class:`MachineTrouble` if the disk refuses; the old file is then untouched.
    """
    _check_name(path, replace=replace)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    with troubled(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _check_name(path, replace=replace)  # again: somebody may have been faster
            partial.rename(path)
        finally:
            partial.unlink(missing_ok=True)
        sync_folder(path.parent)


def write(path: Path, data: bytes, mode: int = PRIVATE, *, replace: bool = True) -> None:
    """Write ``data`` durably under ``path``. Raises as :func:`whole`."""
    with whole(path, mode, replace=replace) as file:
        file.write(data)


def read(path: Path, limit: int, *, private: bool = False) -> bytes:
    """Return the bytes of ``path``, at most ``limit`` of them.

    Raises :class:`Misuse` if it is not there, :class:`BadFile` if it is larger, and
    :class:`Unsafe` if it is ``private`` and group or others may read or write it.
    """
    try:
        with path.open("rb") as file:
            if private and os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise Unsafe(
                    f"Other users of this machine can read {path}, which holds a secret.",
                    "If that may have happened, treat it as seen. Else: chmod 600. From a FAT "
                    "stick, which has no permissions, copy it into a folder of your own first.",
                )
            data = file.read(limit + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise Misuse(f"{path} is not there, or is a folder.", "Check its name and stick.") from None
    except OSError as error:
        raise trouble(error, path) from None
    if len(data) > limit:
        hint = "It is not what its name says. Fetch it again from where it was made."
        raise BadFile(f"{path} is larger than any file of its kind.", hint)
    return data


def _check_name(path: Path, *, replace: bool) -> None:
    if not replace and path.exists():
        raise Misuse(f"{path} exists already.", "Choose another name, or move the old one away.")


def make_folder(folder: Path, mode: int = 0o700) -> None:
    """Make a folder, and those above it, unless it is there. Raises :class:`MachineTrouble`."""
    if not folder.is_dir():
        make_folder(folder.parent, mode)
        with troubled(folder):
            folder.mkdir(mode, exist_ok=True)
            sync_folder(folder.parent)  # or a power cut takes the folder, and all in it


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable (fsync of the directory, POSIX)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def troubled(path: Path) -> Iterator[None]:
    """Run a block about ``path``: what the operating system refuses is :class:`MachineTrouble`."""
    try:
        yield
    except OSError as error:
        raise trouble(error, path) from None


def trouble(error: OSError, path: Path) -> MachineTrouble:
    """Turn an operating system's error about ``path`` into a sentence with a next step."""
    hint = "Check free space, permissions and the stick. Nothing was half written; run it again."
    if isinstance(error, FileNotFoundError):
        hint = f"Make the folder {path.parent} first, or name another, then run it again."
    if isinstance(error, PermissionError):
        hint = "Take a place that the user who runs this can use; on a host that is /srv/intake."
    return MachineTrouble(f"{path}: {(error.strerror or 'input/output error').lower()}.", hint)
