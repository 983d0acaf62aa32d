"""Open what was sealed. The reading half of age v1.

Rules:
- The server and its admin never import this module (an import contract holds them to it).
- Parsing is strict: canonical base64, wrapped stanzas, exact lengths, a capped header and a capped
  scrypt work. What the grammar does not allow is refused, not repaired.
- :func:`unseal` gives all or nothing. :func:`unseal_stream` hands on verified chunks as it goes,
  so its caller writes to a name that is not the file's own until it has returned.

Procedure (C2SP age.md):
1. Parse the header into stanzas and the MAC.
2. Let each identity try the stanzas of its kind; the first that fits gives the file key.
3. Verify the header's MAC with the file key.
4. Derive the payload key from the nonce and open the chunks; the last one, and only the last one,
   is marked as last, so a file that was cut is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from intake.age import grammar
from intake.age.identity import Identity
from intake.age.passphrase import MAX_WORK, Passphrase
from intake.errors import BadFile, NoMatchingKey, WrongPassphrase

MAX_HEADER = 1 << 20  # bytes
MAX_LINE = 1 << 16  # bytes
_SEALED_CHUNK = grammar.CHUNK + grammar.TAG
_MAC = 32  # bytes
_WORK = re.compile(rb"[1-9][0-9]?\Z")
_X25519_SHARE = slice(1088, 1120)


Line = Callable[[], bytes]


class HeaderFailure(BadFile):
    """The header is not what the grammar allows."""


class MacFailure(BadFile):
    """The header was altered."""


class PayloadFailure(BadFile):
    """The payload was cut or altered."""


@dataclass(frozen=True, slots=True)
class Stanza:
    """One wrapped file key: its kind, its arguments and its body."""

    kind: bytes
    arguments: tuple[bytes, ...]
    body: bytes


def unseal(sealed: bytes, identities: Sequence[Identity | Passphrase]) -> bytes:
    """Return the plaintext. Raises :class:`BadFile`, :class:`NoMatchingKey`."""
    sink = BytesIO()
    unseal_stream(BytesIO(sealed), sink, identities)
    return sink.getvalue()


def unseal_stream(
    source: BinaryIO, sink: BinaryIO, identities: Sequence[Identity | Passphrase]
) -> None:
    """Open ``source`` into ``sink`` in constant memory.

    Raises :class:`HeaderFailure`, :class:`MacFailure`, :class:`PayloadFailure`,
    :class:`NoMatchingKey` or :class:`WrongPassphrase`. If it raises, discard the sink.
    """
    stanzas, mac, signed = _parse(source)  # (1)
    file_key = _file_key(stanzas, identities)  # (2)
    try:
        grammar.header_mac(file_key, signed).verify(mac)  # (3)
    except InvalidSignature:
        raise _failure(MacFailure, "header") from None
    nonce = _read(source, grammar.NONCE)
    if len(nonce) != grammar.NONCE:
        raise _failure(HeaderFailure, "header")
    sink.writelines(_chunks(source, grammar.derive(file_key, nonce, b"payload")))  # (4)


def _parse(source: BinaryIO) -> tuple[list[Stanza], bytes, bytes]:
    """Return the stanzas, the MAC, and the bytes that the MAC covers."""
    raw = bytearray()

    def line() -> bytes:
        text = source.readline(MAX_LINE)
        raw.extend(text)
        if not text.endswith(b"\n") or len(raw) > MAX_HEADER:
            raise _failure(HeaderFailure, "header")
        return text[:-1]

    if line() != grammar.VERSION_LINE:
        raise HeaderFailure(
            "This is not an age v1 file.", "Check that it is the file that you meant."
        )
    stanzas: list[Stanza] = []
    try:
        while True:
            signed = len(raw) + len(grammar.END)
            first, *arguments = line().split(b" ")
            if first == grammar.END and stanzas:
                mac = grammar.decode(b" ".join(arguments))
                if len(mac) != _MAC:
                    break
                return stanzas, mac, bytes(raw[:signed])
            if first != grammar.STANZA or not arguments or not all(map(_valid, arguments)):
                break
            kind, *rest = arguments
            stanzas.append(Stanza(kind, tuple(rest), _body(line)))
    except ValueError:
        pass
    raise _failure(HeaderFailure, "header")


def _valid(argument: bytes) -> bool:
    return grammar.ARGUMENT.match(argument) is not None


def _body(line: Line) -> bytes:
    body = b""
    while len(text := line()) == grammar.COLUMNS:
        body += grammar.decode(text)
    if len(text) > grammar.COLUMNS:
        raise ValueError
    return body + grammar.decode(text)


def _file_key(stanzas: Sequence[Stanza], identities: Sequence[Identity | Passphrase]) -> bytes:
    if len(stanzas) != 1 and any(stanza.kind == grammar.SCRYPT for stanza in stanzas):
        raise _failure(HeaderFailure, "header")
    for identity in identities:
        for stanza in stanzas:
            if isinstance(identity, Identity) and stanza.kind == grammar.HYBRID:
                file_key = _open_hybrid(stanza, identity)
            elif isinstance(identity, Passphrase) and stanza.kind == grammar.SCRYPT:
                file_key = _open_scrypt(stanza, identity)
            else:
                continue
            if file_key is not None:
                return file_key
    if any(isinstance(i, Passphrase) for i in identities) and stanzas[0].kind == grammar.SCRYPT:
        raise WrongPassphrase(
            "The passphrase does not open this file.",
            "Type it again; mind the keyboard layout. Nothing was changed.",
        )
    raise NoMatchingKey(
        "None of the identities at hand opens this file.",
        "It was sealed to somebody else, or the order of opening is another.",
    )


def _open_hybrid(stanza: Stanza, identity: Identity) -> bytes | None:
    share = _exact(stanza, 1)[0]
    if len(share) != grammar.HYBRID_SHARE:
        raise _failure(HeaderFailure, "header")
    try:
        return grammar.SUITE.decrypt(share + stanza.body, identity.hpke_key(), grammar.HYBRID_INFO)
    except InvalidTag:
        # cryptography reports a low-order X25519 share as InvalidTag too; the format calls it a
        # malformed header, not somebody else's file.
        try:
            identity.x25519.exchange(X25519PublicKey.from_public_bytes(share[_X25519_SHARE]))
        except ValueError:
            raise _failure(HeaderFailure, "header") from None
        return None


def _open_scrypt(stanza: Stanza, passphrase: Passphrase) -> bytes | None:
    *salts, work = stanza.arguments or [b""]
    (salt,) = _exact(Stanza(stanza.kind, tuple(salts), stanza.body), 1)
    if len(salt) != grammar.SCRYPT_SALT or not _WORK.match(work) or int(work) > MAX_WORK:
        raise _failure(HeaderFailure, "header")
    try:
        return passphrase.cipher(salt, int(work)).decrypt(bytes(12), stanza.body, None)
    except InvalidTag:
        return None


def _exact(stanza: Stanza, count: int) -> list[bytes]:
    """Return the decoded arguments of a stanza that must have ``count`` and a 32-byte body."""
    # The exact body length also stops partitioning-oracle attacks with oversized file keys.
    if len(stanza.arguments) != count or len(stanza.body) != grammar.WRAPPED_KEY:
        raise _failure(HeaderFailure, "header")
    try:
        return [grammar.decode(argument) for argument in stanza.arguments]
    except ValueError:
        raise _failure(HeaderFailure, "header") from None


def _chunks(source: BinaryIO, key: bytes) -> Iterator[bytes]:
    aead = ChaCha20Poly1305(key)
    chunk = _read(source, _SEALED_CHUNK)
    for counter, (more, last) in enumerate(grammar.chunk_nonces()):
        following = _read(source, _SEALED_CHUNK) if len(chunk) == _SEALED_CHUNK else b""
        if counter and len(chunk) == grammar.TAG:
            break  # an empty last chunk is allowed only where the whole plaintext is empty
        try:
            yield aead.decrypt(more if following else last, chunk, None)
        except (InvalidTag, ValueError):
            break
        if not following:
            return
        chunk = following
    raise _failure(PayloadFailure, "payload")


def _read(source: BinaryIO, size: int) -> bytes:
    """Read ``size`` bytes; a raw stream may return less than asked before its end."""
    data = source.read(size)
    while 0 < len(data) < size and (more := source.read(size - len(data))):
        data += more
    return data


def _failure(kind: type[BadFile], part: str) -> BadFile:
    return kind(
        f"The sealed file's {part} is damaged: it was cut or altered.",
        "Fetch the file again from where it was made; keep the damaged one for comparison.",
    )
