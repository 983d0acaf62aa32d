"""Open what was sealed. The reading half of age v1.

Rules:
- The server and its admin never import this module (an import contract holds them to it).
- What the grammar does not allow is refused, not repaired; scrypt's work is capped.
- :func:`unseal` gives all or nothing. :func:`unseal_stream` hands on verified chunks as it goes,
  so its caller writes to a name that is not the file's own until it has returned.
- A file of a colleague's older age opens too: classic X25519 identities here, armor by
  ``armor.py``. Nothing of ours is sealed so.

Procedure (C2SP age.md):
1. Parse the header into stanzas and the MAC.
2. Let each identity try the stanzas of its kind; the first that fits gives the file key.
3. Verify the header's MAC with the file key.
4. Derive the payload key from the nonce and open the chunks; the last one, and only the last one,
   is marked as last, so a file that was cut is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from intake.age import grammar
from intake.age.classic import ClassicIdentity
from intake.age.header import Stanza, damaged, read_header
from intake.age.identity import Identity
from intake.age.passphrase import MAX_WORK, Passphrase
from intake.errors import BadFile, NoMatchingKey, WrongPassphrase

AnyIdentity = Identity | ClassicIdentity | Passphrase

_SEALED_CHUNK = grammar.CHUNK + grammar.TAG
_WORK = re.compile(rb"[1-9][0-9]?\Z")
_ZERO = bytes(12)  # the nonce of a wrapped file key; its key is used once


class MacFailure(BadFile):
    """The header was altered."""


class PayloadFailure(BadFile):
    """The payload was cut or altered."""


def unseal(sealed: bytes, identities: Sequence[AnyIdentity]) -> bytes:
    """Return the plaintext. Raises :class:`BadFile`, :class:`NoMatchingKey`."""
    sink = BytesIO()
    unseal_stream(BytesIO(sealed), sink, identities)
    return sink.getvalue()


def unseal_stream(source: BinaryIO, sink: BinaryIO, identities: Sequence[AnyIdentity]) -> None:
    """Open ``source`` into ``sink`` in constant memory.

    Raises :class:`~intake.age.header.HeaderFailure`, :class:`MacFailure`, :class:`PayloadFailure`,
    :class:`NoMatchingKey` or :class:`WrongPassphrase`. If it raises, discard the sink.
    """
    file_key = read_key(source, identities)
    sink.writelines(chunks(source, file_key))


def read_key(source: BinaryIO, known: Sequence[AnyIdentity] | bytes) -> bytes:
    """Read the header of ``source``, and return its 16-byte file key.

    ``known`` is who may open it, or the file key itself. Raises as :func:`unseal_stream`.
    """
    stanzas, mac, signed = read_header(source)  # (1)
    file_key = known if isinstance(known, bytes) else _file_key(stanzas, known)  # (2)
    try:
        grammar.header_mac(file_key, signed).verify(mac)  # (3)
    except InvalidSignature:
        raise _failure(MacFailure, "header") from None
    return file_key


def chunks(source: BinaryIO, file_key: bytes) -> Iterator[memoryview]:
    """Yield the chunks that follow a header, each as soon as it is verified, in one buffer.

    Raises :class:`PayloadFailure`; what was yielded before that was not altered.
    """
    nonce = _read(source, grammar.NONCE)
    if len(nonce) != grammar.NONCE:
        raise damaged()
    return _chunks(source, grammar.derive(file_key, nonce, b"payload"))  # (4)


def _file_key(stanzas: Sequence[Stanza], identities: Sequence[AnyIdentity]) -> bytes:
    if len(stanzas) != 1 and any(stanza.kind == grammar.SCRYPT for stanza in stanzas):
        raise damaged()
    for identity in identities:
        for stanza in stanzas:
            file_key = _open(stanza, identity)
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


def _open(stanza: Stanza, identity: AnyIdentity) -> bytes | None:
    """Return the file key in ``stanza``, or None if it is not for ``identity``."""
    try:
        match identity, stanza.kind:
            case Identity(), grammar.HYBRID:
                return _open_hybrid(stanza, identity)
            case ClassicIdentity(), grammar.CLASSIC:
                return _open_classic(stanza, identity)
            case Passphrase(), grammar.SCRYPT:
                return _open_scrypt(stanza, identity)
    except InvalidTag:
        pass
    return None


def _open_hybrid(stanza: Stanza, identity: Identity) -> bytes:
    (share,) = stanza.exact(1)
    if len(share) != grammar.HYBRID_SHARE:
        raise damaged()
    try:
        return grammar.SUITE.decrypt(share + stanza.body, identity.hpke, grammar.HYBRID_INFO)
    except InvalidTag:
        # cryptography reports a low-order X25519 share as InvalidTag too; the format calls it a
        # malformed header, not somebody else's file.
        _exchange(identity.x25519, share[-grammar.CLASSIC_SHARE :])
        raise


def _open_classic(stanza: Stanza, identity: ClassicIdentity) -> bytes:
    (share,) = stanza.exact(1)
    if len(share) != grammar.CLASSIC_SHARE:
        raise damaged()
    shared, own = _exchange(identity.x25519, share), identity.x25519.public_key().public_bytes_raw()
    key = grammar.derive(shared, share + own, grammar.CLASSIC_INFO)
    return ChaCha20Poly1305(key).decrypt(_ZERO, stanza.body, None)


def _exchange(key: X25519PrivateKey, share: bytes) -> bytes:
    """Return the shared secret. A share of low order would give everybody the same one."""
    try:
        return key.exchange(X25519PublicKey.from_public_bytes(share))
    except ValueError:
        raise damaged() from None


def _open_scrypt(stanza: Stanza, passphrase: Passphrase) -> bytes:
    *salts, work = stanza.arguments or [b""]
    (salt,) = Stanza(stanza.kind, tuple(salts), stanza.body).exact(1)
    if len(salt) != grammar.SCRYPT_SALT or not _WORK.match(work) or int(work) > MAX_WORK:
        raise damaged()
    return passphrase.cipher(salt, int(work)).decrypt(_ZERO, stanza.body, None)


def _chunks(source: BinaryIO, key: bytes) -> Iterator[memoryview]:
    aead, chunk = ChaCha20Poly1305(key), _read(source, _SEALED_CHUNK)
    out = memoryview(bytearray(len(chunk)))  # no later chunk is longer
    for counter, (more, last) in enumerate(grammar.chunk_nonces()):
        size = len(chunk) - grammar.TAG
        if size < 0 or (counter and not size):
            break  # an empty last chunk is allowed only where the whole plaintext is empty
        whole = len(chunk) == _SEALED_CHUNK and _opens(aead, more, chunk, out)
        if not whole and not _opens(aead, last, chunk, out):
            break
        yield out[:size]
        chunk = _read(source, _SEALED_CHUNK)
        if not whole:
            if chunk:
                break
            return
    raise _failure(PayloadFailure, "payload")


def _opens(aead: ChaCha20Poly1305, nonce: bytes, chunk: bytes, out: memoryview) -> bool:
    """Decrypt ``chunk`` into ``out``; say whether it is whole, and this is its place."""
    try:
        aead.decrypt_into(nonce, chunk, None, out[: len(chunk) - grammar.TAG])
    except InvalidTag:
        return False
    return True


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
