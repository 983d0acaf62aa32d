"""Writing bundles and returns, streamed: one envelope in memory at a time.

A file gets its name when it is whole and synced (``intake.files``). It may replace a file of the
same name, because sticks are often FAT, which has no other way to put a file in place at once; the
caller looks before.

Procedure of :func:`write_bundle`, and of :func:`write_return` likewise:
1. Sort the list, refuse doubles and what does not fit, and put its counts and hash into line 1.
2. Sign line 1.
3. Write line 1, the signatures, the list.
4. Write each envelope, and stop if it is not the one that the list names.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

from intake import files
from intake.bundle import SIGNERS, BundleHeader, Entry, Header, ReturnHeader, Sign
from intake.errors import BadFile, Misuse
from intake.signatures import signature_line

Kind = TypeVar("Kind", bound=Header)


def write_manifest(
    path: Path, header: BundleHeader, entries: Sequence[Entry], sign: Sign
) -> BundleHeader:
    """Write a bundle without its envelopes, as a note of what it will be; return its line 1."""
    header, head = _bundle_head(header, entries, sign)
    with files.whole(path) as file:
        file.writelines(head)
    return header


def write_bundle(
    path: Path, header: BundleHeader, entries: Sequence[Entry], bodies: Iterable[bytes], sign: Sign
) -> str:
    """Write a bundle; return the SHA-256 of the whole file in hex.

    ``bodies`` are the envelopes, in the order of their sorted ids, ``header.size`` bytes each.
    ``sign`` is the bundle key's Ed25519 signature; it is deterministic, so the same bundle written
    again is the same file. Raises :class:`Misuse`, :class:`MachineTrouble`, and :class:`BadFile` if
    an envelope is not the one listed; then no file appears.
    """
    header, head = _bundle_head(header, entries, sign)
    return _write(path, head, header, entries, bodies)


def write_return(
    path: Path,
    header: ReturnHeader,
    signers: Mapping[str, Sign],
    acknowledged: Sequence[Entry],
    replies: tuple[Sequence[Entry], Iterable[bytes]] = ((), ()),
) -> ReturnHeader:
    """Write a return signed by ``signers``, reviewers' names with their keys; return its line 1.

    ``replies`` are their entries, and their bodies in the order of sorted entries, ``header.size``
    bytes each. Raises as :func:`write_bundle`.
    """
    entries, bodies = replies
    listed = _listing(acknowledged) + _listing(entries)  # (1)
    header = _filled(header, listed, acknowledged=len(acknowledged), replies=len(entries))
    if len(signers) < SIGNERS:
        raise Misuse("A return needs the signatures of two reviewers.", "Let a second one sign.")
    marks = {name: sign(header.statement()) for name, sign in sorted(signers.items())}  # (2)
    signed = b"".join(signature_line(name, mark) for name, mark in marks.items())
    _write(path, [header.line() + b"\n" + signed + b"\n", listed], header, entries, bodies)
    return header


def _bundle_head(
    header: BundleHeader, entries: Sequence[Entry], sign: Sign
) -> tuple[BundleHeader, list[bytes]]:
    listed = _listing(entries)  # (1)
    header = _filled(header, listed, count=len(entries))
    signature = sign(header.statement()).hex().encode()  # (2)
    return header, [header.line() + b"\n" + signature + b"\n", listed]


def _listing(entries: Sequence[Entry]) -> bytes:
    listed, before = io.BytesIO(), b""
    for entry in _in_order(entries):
        if entry.key == before:
            raise Misuse("A list names the same row twice.")
        listed.write(entry.line())
        before = entry.key
    return listed.getvalue()


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda e: e.key)


def _filled(header: Kind, listed: bytes, **counts: int) -> Kind:
    facts: dict[str, Any] = {"listed": hashlib.sha256(listed).digest(), **counts}
    header = replace(header, **facts)
    if not header.within_limits():
        raise Misuse("This does not fit one file of its kind.", "Make several smaller ones.")
    return header


def _write(
    path: Path, head: list[bytes], header: Header, entries: Sequence[Entry], bodies: Iterable[bytes]
) -> str:
    whole = hashlib.sha256()
    with files.whole(path) as file:
        for piece in head:  # (3)
            whole.update(piece)
            file.write(piece)
        for entry, body in zip_longest(_in_order(entries), bodies):  # (4)
            digest = hashlib.sha256(body or b"").digest()
            if not entry or len(body or b"") != header.size or digest != entry.sha256:
                hint = "The rows changed meanwhile. No file was made; run it again."
                raise BadFile(f"An envelope is not the one listed for {path.name}.", hint)
            whole.update(body)
            file.write(body)
    return whole.hexdigest()
