"""Seal to public keys (and passphrases). The writing half of age v1.

Rules:
- Nothing here can open anything; ``unsealing.py`` is never imported.
- A fresh file key from ``secrets`` for every file, used once.
- Recipients of one kind only: a file that a classic key could open too is not post-quantum, and a
  passphrase stands alone.

Procedure (C2SP age.md):
1. Draw a 16-byte file key and wrap it once for each recipient.
2. Write the stanzas, and the header's MAC under a key derived from the file key.
3. Draw a 16-byte nonce and derive the payload key from it.
4. Encrypt the payload in chunks of 64 KiB, the last one marked as last.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import BinaryIO, Protocol

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from intake.age import grammar
from intake.errors import Misuse

Buffer = bytes | bytearray | memoryview


class Wrapper(Protocol):
    """What a file is sealed to: a ``Recipient``, or a ``Passphrase``."""

    @property
    def kind(self) -> bytes:
        """The name of its stanza."""

    def wrap(self, file_key: bytes) -> tuple[bytes, ...]:
        """Return the stanza's arguments, encoded, and last its 32-byte body."""


def seal(plaintext: Buffer, recipients: Sequence[Wrapper]) -> bytes:
    """Return the age file of ``plaintext`` to ``recipients``. Raises :class:`Misuse`."""
    sink = BytesIO()
    seal_stream(plaintext, sink, recipients)
    return sink.getvalue()


def seal_stream(source: BinaryIO | Buffer, sink: BinaryIO, recipients: Sequence[Wrapper]) -> None:
    """Seal all of ``source`` into ``sink`` in constant memory. Raises :class:`Misuse`.

    If it raises, what ``sink`` holds is not a whole file: write to a temporary name.
    """
    file_key = secrets.token_bytes(grammar.FILE_KEY)  # (1)
    header = _header(file_key, recipients)  # (2)
    nonce = secrets.token_bytes(grammar.NONCE)  # (3)
    sink.write(header + nonce)
    _payload(_chunks(source), sink.write, grammar.derive(file_key, nonce, b"payload"))  # (4)


def _header(file_key: bytes, recipients: Sequence[Wrapper]) -> bytes:
    kinds = {recipient.kind for recipient in recipients}
    if len(kinds) != 1 or (grammar.SCRYPT in kinds and len(recipients) != 1):
        raise Misuse(
            "A file is sealed to hybrid recipients, or to one passphrase, never to a mixture.",
            "Name at least one age1pq1 recipient, or exactly one passphrase.",
        )
    lines = [grammar.VERSION_LINE]
    for recipient in recipients:
        *arguments, body = recipient.wrap(file_key)
        # The 32-byte body fits one line of 43 characters, so no stanza of ours is wrapped.
        lines += [b" ".join([grammar.STANZA, recipient.kind, *arguments]), grammar.encode(body)]
    signed = b"\n".join([*lines, grammar.END])
    mac = grammar.header_mac(file_key, signed).finalize()
    return signed + b" " + grammar.encode(mac) + b"\n"


def _payload(chunks: Iterator[Buffer], write: Callable[[Buffer], object], key: bytes) -> None:
    """Encrypt chunk by chunk, one chunk behind the reader, to know which one is the last."""
    aead, chunk, out = ChaCha20Poly1305(key), next(chunks), bytearray()
    for more, last in grammar.chunk_nonces():
        following = next(chunks, b"")
        if not following:
            write(aead.encrypt(last, chunk, None))
            return
        out = out or bytearray(grammar.CHUNK + grammar.TAG)  # every chunk but the last is full
        aead.encrypt_into(more, chunk, None, out)
        write(out)
        chunk = following


def _chunks(source: BinaryIO | Buffer) -> Iterator[Buffer]:
    """Yield whole chunks, the last one shorter; an empty one only if there is nothing else."""
    if isinstance(source, Buffer):
        view = memoryview(source)  # no copy is made
        for start in range(0, len(view) or 1, grammar.CHUNK):
            yield view[start : start + grammar.CHUNK]
        return
    chunk = _read_chunk(source)
    yield chunk
    while len(chunk) == grammar.CHUNK and (chunk := _read_chunk(source)):
        yield chunk


def _read_chunk(source: BinaryIO) -> bytes:
    """Read a whole chunk; a raw stream may return less than asked before its end."""
    chunk = source.read(grammar.CHUNK)
    while 0 < len(chunk) < grammar.CHUNK and (more := source.read(grammar.CHUNK - len(chunk))):
        chunk += more
    return chunk
