"""One file on its way: sealed slice by slice, with no more of it in memory than one slice.

Rules:
- What is written is sealed. The spool file is in the store's folder, never in a temporary one, and
  has no name: when it is closed, or the power goes, nothing of it is left to find.
- Before each slice it is asked whether there is room. What is free counts the spools of all workers
  as used, and so bounds them together.
- Its records are an id and a sealed row, all of one size, in the order of the slices.
"""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Self

from intake import files
from intake.envelope import CONTENT, SEALED

_ID = 16  # bytes
Check = Callable[[], None]
Seal = Callable[[dict[str, object], bytes], tuple[bytes, bytes]]


class Spool:
    """The slices of one file; ``size`` is how many bytes of it were taken."""

    def __init__(self, records: IO[bytes], seal: Seal, folder: Path, check: Check) -> None:
        """Begin. ``seal`` makes the row of a slice from its body and its content."""
        self._records = records
        self._seal = seal
        self._folder = folder
        self._check = check
        self._held = bytearray()
        self._sha256 = hashlib.sha256()
        self._number = 0
        self.size = 0

    @classmethod
    @contextlib.contextmanager
    def within(cls, folder: Path, seal: Seal, check: Check) -> Iterator[Self]:
        """Have a spool in ``folder`` for one file. ``check`` raises :class:`NoRoom` if it is so.

        Raises :class:`MachineTrouble`, as the spool does.
        """
        with files.troubled(folder):
            # Dangerous line: what goes into this file must be sealed already.
            records = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
        try:
            yield cls(records, seal, folder, check)
        finally:
            # Dangerous line: the file may be stored, and an error here must not say that it is not.
            with contextlib.suppress(OSError):
                records.close()

    def take(self, data: bytes) -> None:
        """Take the next bytes of the file."""
        self._sha256.update(data)
        self.size += len(data)
        while data:
            room = CONTENT - len(self._held)
            self._held += data[:room]
            data = data[room:]
            if len(self._held) == CONTENT:
                self._slice()

    def end(self, name: str) -> None:
        """Seal the rest, and the end with the file's name. Nothing can be taken after it."""
        if self._held:
            self._slice()
        whole = {"name": name, "sha256": self._sha256.hexdigest(), "size": self.size}
        self._write(whole, b"")

    def rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield pairs of id and sealed row, from the first."""
        with files.troubled(self._folder):
            self._records.seek(0)
            while row := self._records.read(_ID):
                yield row, self._records.read(SEALED)

    def _slice(self) -> None:
        self._write({}, bytes(self._held))
        self._held.clear()

    def _write(self, body: dict[str, object], content: bytes) -> None:
        self._check()
        row, sealed = self._seal({**body, "number": self._number}, content)
        with files.troubled(self._folder):
            self._records.write(row + sealed)
        self._number += 1
