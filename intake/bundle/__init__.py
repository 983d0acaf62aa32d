r"""What travels between server and desk on a stick: its grammar, limits and values.

``writing`` makes both files, ``reading`` opens both; the two never import each other.

**Bundle**, server to desk, ``<deployment>-<number>.bundle``: one period, less than 3 GiB::

    line 1    canonical JSON: format, deployment, number, previous, period, keyring, count, size,
              list, left
    line 2    Ed25519 signature of the bundle key over "intake bundle 1\n" and line 1, hex
    count x   "<id> <sha256>", strictly rising
    count x   an envelope of ``size`` bytes, in the order of the list; nothing after

``previous`` is the SHA-256 of line 1 of the bundle before, zeros in bundle 1. ``list`` is the
SHA-256 of the list's bytes. ``left`` counts the rows of this period that are in the store and not
in this bundle. A bundle with a ``count`` of 0 says that nothing is there.

**Return**, desk to server, ``….return``: what may be deleted, and replies::

    line 1    canonical JSON: format, deployment, number, keyring, acknowledged, replies, size, list
    2 to 5 x  "<reviewer> <signature>" over "intake return 1\n" and line 1
    an empty line
    acknowledged x   "<id> <sha256>", strictly rising
    replies x        "<mailbox> <id> <sha256>", strictly rising
    replies x        a sealed reply of ``size`` bytes, in the order of the list; nothing after

Rules:
- Hex is lowercase, ids and mailboxes are 16 bytes, hashes 32. Lines end in LF.
- No name and no field says when; the period is the finest time in either file.
- What the list names is checked one by one, so one damaged envelope costs that envelope only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ClassVar

from intake import canonical
from intake.keyring import NAME

SIGNERS = 2  # of a return, different and active
PART = (3 << 30) - 1  # bytes of a file; sticks are often FAT, which ends at 4 GiB
MAX_LINE = 4096  # bytes of line 1
MAX_COUNT = 100_000  # lines of one list, so that it fits in memory
MAX_SIZE = 1 << 20  # bytes of one envelope or reply
ENTRY = 32 + 1 + 64 + 1  # bytes of a line of the list
REPLY = 32 + 1 + ENTRY

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list: id (16 bytes) and SHA-256; for a reply also the mailbox it waits in."""

    id: bytes
    sha256: bytes
    mailbox: bytes = b""

    def line(self) -> bytes:
        """Return the line, with its LF. Lists are sorted by it."""
        parts = (self.mailbox, self.id, self.sha256)
        return " ".join(part.hex() for part in parts if part).encode() + b"\n"

    @property
    def key(self) -> bytes:
        """What no two entries of a list share."""
        return self.mailbox + self.id

    @property
    def closing(self) -> bool:
        """Whether it is no row's, but that of a bundle which says that a period is empty."""
        return self.id == self.sha256[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What line 1 of both files has. ``size`` is that of one envelope or reply in bytes."""

    FORMAT: ClassVar[str]
    EXTENSION: ClassVar[str]

    deployment: bytes
    number: int
    keyring: tuple[int, bytes]
    size: int = 0
    listed: bytes = bytes(32)

    def line(self) -> bytes:
        """Return line 1 without its LF."""
        facts = asdict(self)
        version, sha256 = facts["keyring"]
        facts |= {"format": self.FORMAT, "list": facts.pop("listed")}
        return canonical.dump(facts | {"keyring": {"sha256": sha256, "version": version}})

    def statement(self) -> bytes:
        """Return what is signed."""
        return f"{self.FORMAT}\n".encode() + self.line()

    @property
    def sha256(self) -> bytes:
        """The hash of line 1: which file this is, and what the next bundle calls ``previous``."""
        return hashlib.sha256(self.line()).digest()

    @property
    def name(self) -> str:
        """The file's name: which deployment and which number, never when."""
        return f"{self.deployment.hex()[:8]}-{self.number:06}{self.EXTENSION}"

    def within_limits(self) -> bool:
        """Return whether every number is one, and no list is longer than a file holds."""
        counts = [v for v in asdict(self).values() if not isinstance(v, bytes | str | tuple)]
        return (
            all(type(v) is int and 0 <= v < canonical.MAX_INTEGER for v in counts)
            and type(self.keyring[0]) is int
            and self.number > 0
            and self.size <= MAX_SIZE
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleHeader(Header):
    """Line 1 of a bundle. The writer fills in ``count`` and ``listed``."""

    FORMAT = "intake bundle 1"
    EXTENSION = ".bundle"

    previous: bytes
    period: str
    left: int
    count: int = 0

    def within_limits(self) -> bool:
        """Return whether it is a bundle that could be written."""
        return (
            Header.within_limits(self)
            and NAME.match(self.period) is not None
            and (self.number == 1) == (self.previous == bytes(32))
            and self.size > 0
            and type(self.left) is int
            and self.count <= fits(self.size)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnHeader(Header):
    """Line 1 of a return. The writer fills in the two counts and ``listed``."""

    FORMAT = "intake return 1"
    EXTENSION = ".return"

    acknowledged: int = 0
    replies: int = 0

    def within_limits(self) -> bool:
        """Return whether it is a return that could be written."""
        return (
            Header.within_limits(self)
            and bool(self.replies) == bool(self.size)
            and self.replies <= fits(self.size)
            and self.acknowledged <= MAX_COUNT
        )


def fits(size: int) -> int:
    """Return how many envelopes of ``size`` bytes one file holds."""
    return min(MAX_COUNT, (PART - MAX_COUNT * ENTRY) // (REPLY + size))
