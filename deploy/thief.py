"""The thief of the drill: a closure over bytes, which knows no permissions and no roles.

It has a heap of stolen bytes and the passphrases that were stolen with them. It tries every key on
everything, and whatever opens goes back onto the heap, until nothing more opens:

- an age file wherever one begins: whole files, rows of a database, frames of chains, envelopes of
  bundles, packages inside packages, armor,
- a key wherever one stands: every age identity, every passphrase, and every 64 hex digits as the
  seed of a signing key.

Rules:
- It asks nobody of us what it may read. Of our formats it knows age's first line, and that lengths
  may stand in front of a file.
- Opening is a function of the file and the key alone, so what one thief has tried is not tried
  again for the next. That saves time and tells nobody anything: a key that a thief lacks is never
  asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from intake.age.armor import BEGIN, END, dearmor
from intake.age.classic import ClassicIdentity
from intake.age.identity import PREFIX as HYBRID
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.unsealing import AnyIdentity, PayloadFailure, unseal
from intake.errors import Refused

MARK = b"canary"
CANARY = re.compile(MARK + rb"-[0-9]{4}-[0-9a-f]{16}")
_AGE = re.compile(rb"age-encryption\.org/v1\n")
_ARMOR = re.compile(re.escape(BEGIN) + rb".*?" + re.escape(END), re.DOTALL)
_IDENTITY = re.compile(rb"AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]{58}")
_SEED = re.compile(rb"(?<![0-9A-Za-z])[0-9a-fA-F]{64}(?![0-9A-Za-z])")
_LENGTH = re.compile(rb"([0-9a-f]{8})\n\Z")
_LENGTH_SIZE = 9
_BETWEEN = (0, 1, 10)  # bytes between two files: nothing, a line feed, a line feed and a length
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Found:
    """What a thief has in the end.

    ``canaries`` are those that were read, ``signing`` maps the public half of each key that signs
    to the key, ``identities`` are the keys that open.
    """

    canaries: AbstractSet[str]
    signing: Mapping[bytes, Ed25519PrivateKey]
    identities: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class _Sealed:
    """An age file that begins at ``start``; ``ends`` are where it may end, the likeliest first."""

    data: bytes = field(repr=False)
    start: int
    ends: tuple[int, ...]

    def digest(self) -> bytes:
        """Return the hash of the likeliest."""
        return hashlib.sha256(memoryview(self.data)[self.start : self.ends[0]]).digest()

    def open(self, key: AnyIdentity) -> bytes | None:
        """Return the plaintext, or None if ``key`` is not one of this file's."""
        for end in self.ends:
            try:
                return unseal(self.data[self.start : end], [key])
            except PayloadFailure:  # the key fits, and the file ends elsewhere
                continue
            except Refused:
                return None
        return None


@dataclass(frozen=True, slots=True)
class _Piece:
    """What can be seen in some bytes without opening anything; ``inner`` are bytes within."""

    canaries: frozenset[str]
    identities: frozenset[str]
    seeds: frozenset[bytes]
    sealed: Mapping[bytes, _Sealed]
    inner: tuple[bytes, ...]


@dataclass(slots=True)
class _Haul:
    """One thief at work."""

    pieces: set[bytes] = field(default_factory=set)
    sealed: dict[bytes, _Sealed] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    canaries: set[str] = field(default_factory=set)
    seeds: set[bytes] = field(default_factory=set)


def steal(*paths: Path) -> list[bytes]:
    """Return the bytes of every file in these folders, and of these files."""
    every = (inner for path in paths for inner in ([path] if path.is_file() else path.rglob("*")))
    return [path.read_bytes() for path in sorted(every) if path.is_file()]


def ransack(heap: Iterable[bytes], passphrases: Iterable[str] = ()) -> Found:
    """Return all that comes out of ``heap`` with the keys in it and the ``passphrases``."""
    haul, fresh = _Haul(), list(heap)
    keys: dict[str, AnyIdentity] = {text: Passphrase(text) for text in passphrases}
    tried: set[tuple[bytes, str]] = set()
    while fresh:
        while fresh:
            fresh += _take(haul, fresh.pop())
        keys |= {text: key for text in haul.keys if (key := _identity(text))}
        for digest, text in itertools.product(list(haul.sealed), keys):
            if (digest, text) not in tried and digest in haul.sealed:
                tried.add((digest, text))
                if (plain := _opened(digest, text, haul.sealed[digest], keys[text])) is not None:
                    fresh.append(plain)
                    del haul.sealed[digest]
    signing = {key.public_key().public_bytes_raw(): key for key in map(_signing, haul.seeds)}
    return Found(haul.canaries, signing, haul.keys)


def _take(haul: _Haul, data: bytes) -> Iterator[bytes]:
    """Put what stands in ``data`` into the haul; yield what is inside it."""
    if data not in haul.pieces:
        haul.pieces.add(data)
        piece = _look(data)
        haul.canaries |= piece.canaries
        haul.keys |= piece.identities
        haul.seeds |= piece.seeds
        haul.sealed |= piece.sealed
        yield from piece.inner


@cache
def _look(data: bytes) -> _Piece:
    narrow = data + data.replace(b"\0", b"") if b"c\0a\0n\0" in data else data  # UTF-16
    return _Piece(
        canaries=frozenset(text.decode() for text in CANARY.findall(narrow)),
        identities=frozenset(text.decode() for text in _IDENTITY.findall(data)),
        seeds=frozenset(bytes.fromhex(text.decode()) for text in _SEED.findall(data)),
        sealed={found.digest(): found for found in _files(data)},
        inner=(*_armored(data), *_values(data)),
    )


def _files(data: bytes) -> Iterator[_Sealed]:
    starts = [match.start() for match in _AGE.finditer(data)]
    for start, following in itertools.pairwise([*starts, len(data)]):
        length = _LENGTH.search(data[max(0, start - _LENGTH_SIZE) : start])
        ends = [start + int(length[1], 16)] if length else []
        ends += [following - less for less in _BETWEEN]
        yield _Sealed(data, start, tuple(end for end in ends if start < end <= len(data)))


def _armored(data: bytes) -> Iterator[bytes]:
    for match in _ARMOR.findall(data):
        with contextlib.suppress(Refused):
            yield dearmor(match)


def _values(data: bytes) -> Iterator[bytes]:
    """Yield every value of every row, if ``data`` is the image of a database."""
    if not data.startswith(_SQLITE):
        return
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(data)
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - its own name
                yield from (v if isinstance(v, bytes) else str(v).encode() for v in row)


_OPENED: dict[tuple[bytes, str], bytes | None] = {}


def _opened(digest: bytes, text: str, sealed: _Sealed, key: AnyIdentity) -> bytes | None:
    if (digest, text) not in _OPENED:
        _OPENED[digest, text] = sealed.open(key)
    return _OPENED[digest, text]


@cache
def _identity(text: str) -> AnyIdentity | None:
    kind = Identity if text.startswith(HYBRID) else ClassicIdentity
    with contextlib.suppress(Refused):
        return kind.parse(text)
    return None


@cache
def _signing(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)
