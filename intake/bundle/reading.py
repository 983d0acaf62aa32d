"""Reading bundles and returns: believe the signature, then check every envelope by itself.

Procedure of :func:`open_bundle`; :func:`open_return` differs in (3):
1. Line 1 is canonical JSON with exactly the known fields, within the limits.
2. It names this deployment.
3. The bundle key signed it. (A return: at least two different active reviewers of the keyring
   signed it, and every signature present is an active reviewer's and verifies.)
4. The list is whole, has the hash that line 1 names, and rises strictly.
A file that fails one of these is refused whole, :class:`BadFile`.

Procedure of iterating, in constant memory, one result for each line of the list:
5. Each piece of ``size`` bytes is known by its SHA-256, wherever it stands: ``ok``.
6. A listed envelope that did not come is ``altered`` if other bytes stand in its place, otherwise
   ``missing``; its bytes are None.
7. What came twice is in ``doubled``; ``stray`` counts the bytes that belong to no line.

All of an altered or cut file that is still whole comes out; damage is named and never guessed at.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, Generic, Literal, TypeVar

from intake import canonical, files
from intake.bundle import ENTRY, MAX_LINE, REPLY, SIGNERS, BundleHeader, Entry, Header, ReturnHeader
from intake.errors import BadFile, Misuse
from intake.keyring import Keyring
from intake.signatures import octets, split_signature, verified

Verdict = Literal["ok", "altered", "missing"]
Kind = TypeVar("Kind", bound=Header)

_HASHES = frozenset({"deployment", "previous", "listed"})
_SIGNATURE = 64  # bytes
_NEXT = "Copy it again from where it was made. Nothing here was changed."


class Opened(Generic[Kind]):
    """A file whose head was verified. Iterate it for the envelopes or the replies.

    ``entries`` are those of the envelopes or replies; ``acknowledged`` is empty in a bundle.
    ``doubled`` and ``stray`` are known after iterating to the end.
    """

    def __init__(
        self, file: BinaryIO, header: Kind, entries: Sequence[Entry], acknowledged: Sequence[Entry]
    ) -> None:
        """Begin where ``file`` stands, after the list."""
        self.header = header
        self.entries = tuple(entries)
        self.acknowledged = tuple(acknowledged)
        self.doubled: list[Entry] = []
        self.stray = 0
        self._file = file
        self._start = file.tell()

    def places(self) -> Iterator[tuple[Entry, int]]:
        """Yield each entry, and where in the file its bytes begin if none is missing or doubled."""
        for number, entry in enumerate(self.entries):
            yield entry, self._start + number * self.header.size

    @property
    def exact(self) -> bool:
        """Whether the file is as long as all that is listed."""
        end = self._start + len(self.entries) * self.header.size
        return os.fstat(self._file.fileno()).st_size == end

    def __iter__(self) -> Iterator[tuple[Entry, bytes | None, Verdict]]:
        """Yield entry, bytes or None, and verdict: first what is ok, then the rest."""
        self.doubled, self.stray = [], 0
        self._file.seek(self._start)
        by_hash = {entry.sha256: entry for entry in self.entries}
        wanted: dict[bytes, list[int]] = {}
        for place, entry in enumerate(self.entries):
            wanted.setdefault(entry.sha256, []).append(place)
        odd: dict[int, int] = {}
        # At most twice as many pieces as listed: a hostile file costs no more than a full one.
        pieces = iter(lambda: _read(self._file, self.header.size), b"")
        for place, piece in enumerate(itertools.islice(pieces, 2 * len(self.entries))):
            digest = hashlib.sha256(piece).digest()
            if len(piece) < self.header.size or digest not in by_hash:
                odd[place] = len(piece)
            elif wanted[digest]:  # (5)
                yield self.entries[wanted[digest].pop(0)], piece, "ok"
            else:
                self.doubled.append(by_hash[digest])  # (7)
        for place in sorted(itertools.chain(*wanted.values())):  # (6)
            altered = odd.pop(place, 0) == self.header.size
            yield self.entries[place], None, "altered" if altered else "missing"
        beyond = os.fstat(self._file.fileno()).st_size - self._file.tell()
        self.stray = sum(odd.values()) + beyond  # (7)


@contextlib.contextmanager
def open_bundle(path: Path, bundle_key: bytes, deployment: bytes) -> Iterator[Opened[BundleHeader]]:
    """Open a bundle that ``bundle_key`` (32 bytes) signed.

    The key is that of the keyring in force when it was made: for an old bundle, an older keyring's.
    Raises :class:`BadFile`, :class:`Misuse` if there is no such file, :class:`MachineTrouble`.
    """
    with _opened(path) as file:
        with _known(path):
            header = _header(BundleHeader, file, deployment)  # (1) (2)
            line, _ = _read(file, 2 * _SIGNATURE + 1).decode("ascii").split("\n")
            signature = octets(line, _SIGNATURE)
            if not verified(bundle_key, signature, header.statement()):  # (3)
                hint = f"{_NEXT} If it fails again, somebody else made or changed it."
                raise BadFile(f"The server's signature on {path.name} does not verify.", hint)
            entries, _ = _lists(file, header, header.count, 0)  # (4)
        yield Opened(file, header, entries, ())


@contextlib.contextmanager
def open_return(path: Path, keyring: Keyring) -> Iterator[Opened[ReturnHeader]]:
    """Open a return that two active reviewers of ``keyring`` signed. Raises as for a bundle."""
    with _opened(path) as file:
        with _known(path):
            header = _header(ReturnHeader, file, keyring.deployment)  # (1) (2)
            _check_signers(file, header, keyring)  # (3)
            acknowledged, replies = _lists(file, header, header.acknowledged, header.replies)  # (4)
        yield Opened(file, header, replies, acknowledged)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with files.troubled(path):
        if not path.is_file():
            raise Misuse(f"{path} is not there, or is no file.", "Check the name and the stick.")
        file = path.open("rb")
    with file:
        yield file


@contextlib.contextmanager
def _known(path: Path) -> Iterator[None]:
    """Refuse what has not the form of such a file, wherever that shows: a ``ValueError``."""
    try:
        yield
    except ValueError:
        what = f"{path.name} is not a file that this version of Intake knows."
        raise BadFile(what, _NEXT) from None


def _read(file: BinaryIO, size: int, *, line: bool = False) -> bytes:
    """Return ``size`` bytes, or a line of at most that; a stick that fails is named."""
    try:
        return file.readline(size) if line else file.read(size)
    except OSError as error:
        raise files.trouble(error, Path(file.name)) from None


def _header(kind: type[Kind], file: BinaryIO, deployment: bytes) -> Kind:
    line = _read(file, MAX_LINE, line=True)
    try:
        raw: Any = canonical.load(line.removesuffix(b"\n"))
        raw["listed"] = raw["list"]
        values: dict[str, Any] = {
            field.name: octets(raw[field.name], 32) if field.name in _HASHES else raw[field.name]
            for field in fields(kind)
        }
        values["keyring"] = (raw["keyring"]["version"], octets(raw["keyring"]["sha256"], 32))
        header = kind(**values)
        # Written again, it is the same line: no unknown field, no other format, no other spelling.
        right = header.line() + b"\n" == line and header.within_limits()
    except (BadFile, ValueError, TypeError, KeyError):
        right = False
    if not right:
        if b'"format":"intake return 1"' in line or b'"format":"intake bundle 1"' in line:
            hint = "A bundle is imported at the desk, a return acknowledged on the server."
            raise BadFile(f"{Path(file.name).name} is damaged, or of the other kind.", hint)
        raise ValueError
    if header.deployment != deployment:
        hint = "It is a file of other people's. Give it back to them; nothing here was changed."
        raise BadFile(f"{Path(file.name).name} belongs to another deployment.", hint)
    return header


def _check_signers(file: BinaryIO, header: ReturnHeader, keyring: Keyring) -> None:
    path = Path(file.name)
    active = {reviewer.name: reviewer.key for reviewer in keyring.active}
    while (line := _read(file, MAX_LINE, line=True)) != b"\n":
        name, signature = split_signature(line.removesuffix(b"\n"))
        key = active.pop(name, b"")  # once each, so this ends
        if not verified(key, signature, header.statement()):
            what = f"A signature on {path.name} is not an active reviewer's, or does not verify."
            hint = f"{_NEXT} If it fails again, let the reviewers of the keyring sign it anew."
            raise BadFile(what, hint)
    if len(keyring.active) - len(active) < SIGNERS:
        what = f"{path.name} has the signatures of fewer than {SIGNERS} reviewers."
        raise BadFile(what, "At the desk, let a second reviewer sign, then bring it again.")


def _lists(
    file: BinaryIO, header: Header, plain: int, replies: int
) -> tuple[list[Entry], list[Entry]]:
    """Return the first list, of ``plain`` lines, and the second, of ``replies`` lines."""
    first = _read(file, plain * ENTRY)
    second = _read(file, replies * REPLY)
    if hashlib.sha256(first + second).digest() != header.listed:
        raise BadFile(f"The list in {Path(file.name).name} is cut or altered.", _NEXT)
    return _entries(first, plain, ENTRY), _entries(second, replies, REPLY)


def _entries(data: bytes, count: int, width: int) -> list[Entry]:
    entries = []
    for at in range(0, len(data), width):
        *mailbox, row, sha256 = data[at : at + width].decode("ascii").split()
        entry = Entry(octets(row, 16), octets(sha256, 32), *(octets(m, 16) for m in mailbox))
        if entry.line() != data[at : at + width]:
            raise ValueError
        entries.append(entry)
    rising = all(a.key < b.key for a, b in itertools.pairwise(entries))
    if not rising or len(entries) != count:
        raise ValueError
    return entries
