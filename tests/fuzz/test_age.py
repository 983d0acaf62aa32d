"""age files: to recipients and under a passphrase, as they come and with a MAC made anew.

Rules:
- What opens must be what was sealed, and its header, written back by ``tests.test_age``'s own hand,
  must be the very same bytes: base64 has no second spelling, and a body no second way to wrap.
- scrypt is costly by design. In the mutants under a passphrase work above ten is not done: the
  derivation notes what it was asked for and gives a key that opens nothing. So the cap is still the
  reader's own, and :func:`test_no_work_above_the_cap_is_ever_done` shows it with nothing replaced.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from hypothesis import strategies as st

from intake import locked, quorum
from intake.age.armor import dearmor
from intake.age.header import HeaderFailure
from intake.age.identity import Identity
from intake.age.passphrase import MAX_WORK, Passphrase
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from tests.fuzz.mutations import (
    EDIT,
    FEW,
    MANY,
    NEW,
    PLACE,
    STRIDE,
    Made,
    Reader,
    Way,
    edited,
    outside,
    put,
    tiers,
)
from tests.test_age import (
    ALICE,
    BOB,
    CHUNK,
    FILE_KEY,
    HYBRID,
    PHRASE,
    TO_THREE,
    b64,
    hkdf,
    hybrid_parts,
    scrypt_stanza,
    stanza,
)
from tests.test_armor import armor

WORDS = b"words of a source"
TEXT = WORDS * 4096
SEALED = seal(WORDS, [ALICE.recipient()])
THREE = seal(WORDS, TO_THREE)
UNDER_PHRASE = seal(WORDS, [Passphrase(PHRASE, work=1)])
DAMAGED = ["header is damaged", "not an age v1 file"]
ALL = [*DAMAGED, "payload is damaged", "None of the identities"]
TO_BOB = stanza(b"mlkem768x25519", b64(hybrid_parts(BOB)[0]), body=hybrid_parts(BOB)[1])
LOW = stanza(b"mlkem768x25519", b64(hybrid_parts()[0][:1088] + bytes(32)), body=bytes(32))
STANZAS = {
    "right": HYBRID,
    "wrapped": stanza(b"grease", b"x", body=bytes(100)),
    "full line": stanza(b"grease", body=bytes(48)),
    "no body": stanza(b"a"),
    "bob's": TO_BOB,
    "low order": LOW,
    "classic": stanza(b"X25519", b64(bytes(range(32))), body=bytes(32)),
    "passphrase": scrypt_stanza(),
    "short body": stanza(b"mlkem768x25519", b64(hybrid_parts()[0]), body=bytes(31)),
    "two arguments": stanza(b"mlkem768x25519", b64(hybrid_parts()[0]), b"x", body=bytes(32)),
}


class Header(NamedTuple):
    """Stanzas, what is changed in them before the MAC, and what in the MAC's line."""

    stanzas: Sequence[str]
    inside: Sequence[Any]
    end: Sequence[Any]


def by_hand(signed: bytes, end: bytes, payload: bytes) -> bytes:
    return signed + end + b"\n" + payload


def mac(signed: bytes, key: bytes = FILE_KEY) -> bytes:
    return b" " + b64(hmac.digest(hkdf(key, b"", b"header"), signed, "sha256"))


def chunked(chunks: Sequence[tuple[int, bool, bytes]], nonce: bytes = bytes(16)) -> bytes:
    """Return a payload of chunks: their counter, whether they say they are the last, their text."""
    aead = ChaCha20Poly1305(hkdf(FILE_KEY, nonce, b"payload"))
    sealed = [aead.encrypt(n.to_bytes(11) + bytes([last]), t, None) for n, last, t in chunks]
    return nonce + b"".join(sealed)


def header_way(names: Sequence[str]) -> Way:
    """Return the way that changes a header and makes its MAC anew."""
    some = st.lists(st.sampled_from(names), max_size=2)
    first = st.sampled_from([["right"], [], *[["right"]] * 4]) if "right" in names else st.just([])
    order = st.builds(
        lambda a, b, c: [*a, *b, *c], some, first, st.lists(st.sampled_from(names), max_size=1)
    )
    once = st.lists(EDIT, max_size=1)
    recipes = st.builds(Header, order, st.lists(EDIT, max_size=2), st.just([]) | st.just([]) | once)

    def build(recipe: Header, step: int) -> bytes:
        stanzas = b"".join(STANZAS[name] for name in recipe.stanzas)
        body = edited(stanzas, recipe.inside, step, len(stanzas), HYBRID)
        signed = b"age-encryption.org/v1\n" + body + b"---"
        end = edited(mac(signed), recipe.end, step, 45)
        return by_hand(signed, end, chunked([(0, True, WORDS)]))

    return recipes, build


CHUNKS = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2, 1 << 80]), st.booleans(), st.sampled_from([0, 1, 17, CHUNK])
    ),
    max_size=3,
)


def payload_way() -> Way:
    """Return the way that makes chunks with the right key, and lets them be cut and moved."""
    recipes = st.tuples(CHUNKS, st.lists(EDIT, max_size=1), st.binary(min_size=16, max_size=16))

    def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        chunks, edits, nonce = recipe
        salt = bytes([nonce[0] ^ step, *nonce[1:]])
        texts = [(n, last, TEXT[:size]) for n, last, size in chunks]
        signed = b"age-encryption.org/v1\n" + HYBRID + b"---"
        payload = edited(chunked(texts, salt), edits, step, 40)
        return by_hand(signed, mac(signed), payload)

    return recipes, build


def header_again(sealed: bytes) -> bytes:
    """Return the header written anew from what a lenient reader finds in it.

    A share is read only until one stanza opens, so it is looked at only where there is just one.
    """
    head = sealed[: sealed.index(b"\n---") + 1]
    out, alone = b"age-encryption.org/v1\n", head.count(b"-> mlkem768x25519 ") == 1
    for part in head.split(b"\n-> ")[1:]:
        arguments, *lines = part.split(b"\n")
        kind, *rest = arguments.split(b" ")
        rest = [b64(loose(a)) for a in rest] if alone and kind == b"mlkem768x25519" else rest
        out += stanza(kind, *rest, body=loose(b"".join(lines)))
    end = sealed[len(head) :].partition(b"\n")[0]
    return out + b"--- " + b64(loose(end.removeprefix(b"--- "))) + b"\n"


def loose(text: bytes) -> bytes:
    return base64.b64decode(text.rstrip(b"=") + b"=" * (-len(text) % 4))


def opens_to(plaintexts: Sequence[bytes]) -> Any:  # noqa: ANN401 - a comparison
    """Return the comparison of what opened: it begins as ``plaintexts`` do, header and all."""
    return lambda found, mutant: mutant.startswith(header_again(mutant)) and found[0] in plaintexts


def opened(data: bytes, key: Identity | Passphrase = ALICE) -> tuple[bytes, bytes]:
    """Return the plaintext and the header as it stands, so that both are compared."""
    plaintext = unseal(data, [key])
    return plaintext, data[: data.index(b"\n---") + 4 + 44]


@tiers(MANY)
def test_an_age_file(count: int) -> None:
    """To one, to three, with headers and payloads by hand, and cut or mixed as a whole."""
    made = [WORDS * n for n in (0, 1)]
    lengths = [full * CHUNK + more for full in range(3) for more in (0, 1, 17, CHUNK)]
    made += [b"".join([TEXT[: min(n - at, CHUNK)] for at in range(0, n, CHUNK)]) for n in lengths]
    head = SEALED.index(b"\n--- ") + 90
    Reader(
        valid=SEALED,
        read=opened,
        same=opens_to(made),
        ways=[
            outside(SEALED, THREE, head),
            outside(THREE, SEALED, THREE.index(b"\n--- ") + 90),
            *[header_way(list(STANZAS))] * 2,
            payload_way(),
        ],
        reached=ALL,
    ).fuzz(count)


@tiers(FEW)
def test_an_armored_file(count: int) -> None:
    """White space around it and CR before LF are other spellings of the file; nothing else is."""
    to_alice, to_three = armor(SEALED), armor(THREE)
    Reader(
        valid=to_alice,
        read=lambda data: unseal(dearmor(data), [ALICE]),
        same=lambda found, _: found == WORDS,
        ways=[outside(to_alice, to_three, 200), outside(to_three, to_alice, 2000)],
        reached=["armor is damaged", *DAMAGED],
    ).fuzz(count)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace scrypt above work 10, and return the list of all work that was asked for."""
    asked: list[int] = []

    def cheap(salt: bytes, length: int, n: int, r: int, p: int) -> Scrypt:
        asked.append(n.bit_length() - 1)
        assert asked[-1] <= MAX_WORK
        return Scrypt(salt, length, n if n <= 1 << 10 else 2, r, p)

    monkeypatch.setattr("intake.age.passphrase.Scrypt", cheap)
    return asked


def worked() -> Way:
    """Return the way that asks for any work, under the right passphrase, with a right MAC."""
    numbers = st.integers(0, 120) | st.integers(-5, 10**30)
    spelled = st.sampled_from(["%d", "0%d", "+%d", "%d ", " %d", "%d.0", "%de0", "%o", "%x"])
    recipes = st.tuples(numbers, spelled, NEW, PLACE)

    def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        number, how, new, place = recipe
        work = (how % (number + step)).encode() if place % 3 else new
        salt = hashlib.sha256(b"%d" % (place + step * STRIDE)).digest()[: 16 + (place % 29 == 0)]
        signed = b"age-encryption.org/v1\n" + scrypt_stanza(work, salt) + b"---"
        return by_hand(signed, mac(signed), chunked([(0, True, WORDS)]))

    return recipes, build


PHRASED = (
    header_way(["passphrase", "classic", "no body"]),
    outside(UNDER_PHRASE, SEALED, UNDER_PHRASE.index(b"\n--- ") + 90),
)


@tiers(FEW)
def test_a_file_under_a_passphrase(works: list[int], count: int) -> None:
    Reader(
        valid=UNDER_PHRASE,
        read=lambda data: opened(data, Passphrase(PHRASE)),
        same=opens_to([WORDS]),
        ways=[*PHRASED, worked(), worked()],
        reached=[*ALL, "The passphrase does not open"],
    ).fuzz(count)
    assert 1 <= min(works) <= max(works) <= MAX_WORK


@pytest.mark.parametrize("work", [*range(MAX_WORK + 1, 100), 10**9, 10**300])
def test_no_work_above_the_cap_is_ever_done(monkeypatch: pytest.MonkeyPatch, work: int) -> None:
    monkeypatch.setattr("intake.age.passphrase.Scrypt", None)  # calling it is a TypeError
    signed = b"age-encryption.org/v1\n" + scrypt_stanza(b"%d" % work) + b"---"
    with pytest.raises(HeaderFailure):
        unseal(by_hand(signed, mac(signed), chunked([(0, True, WORDS)])), [Passphrase(PHRASE)])


@tiers(FEW)
@pytest.mark.usefixtures("works")
@pytest.mark.parametrize("kind", ["signing key", "identity"])
def test_a_locked_file(tmp_path: Path, kind: str, count: int) -> None:
    """Read as a tool reads it, and with its line changed under the right passphrase."""
    path, phrase = tmp_path / "signing.age", Passphrase(PHRASE, work=1)
    secret = bytes(range(32)).hex() if kind == "signing key" else ALICE.encode()
    valid = seal(secret.encode() + b"\n", [phrase])

    def read(data: bytes) -> str:
        put(path, data)
        if kind == "identity":
            return locked.identity(path, phrase).encode()
        return locked.signing_key(path, phrase).private_bytes_raw().hex()

    def line(data: bytes) -> str:
        return unseal(data, [phrase]).strip().split(b"\n")[-1].decode()

    def within(edits: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        changed = edited(secret.encode() + b"\n", edits, step, 64)
        return Made.of(seal(changed, [phrase]), changed, secret.encode() + b"\n")

    lines = st.lists(EDIT, min_size=1, max_size=2)
    Reader(
        valid=valid,
        read=read,
        same=lambda found, data: found == line(data),
        ways=[
            outside(valid, UNDER_PHRASE, valid.index(b"\n--- ") + 90),
            (lines, within),
        ],
        reached=[*DAMAGED, "payload is damaged", "holds another kind of secret", "does not open"],
    ).fuzz(count)


@tiers(FEW)
def test_a_nested_file_of_a_package(tmp_path: Path, count: int) -> None:
    """``alice+bob.age``: each layer may be altered, by those who can make the ones around it."""
    package = quorum.Package(
        "archive", "archive", str(ALICE.recipient()), 2, ("alice", "bob"), None
    )
    keys, path = {"alice": ALICE, "bob": BOB}, tmp_path / "alice+bob.age"
    to_alice, to_bob, secret = [ALICE.recipient()], [BOB.recipient()], ALICE.encode().encode()
    inner = seal(secret + b"\n", to_bob)
    valid = seal(inner, to_alice)
    one = st.lists(EDIT, min_size=1, max_size=1)

    def within(edits: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        changed = edited(inner, edits, step, 1700)
        return Made.of(seal(changed, to_alice), changed, inner)

    def innermost(edits: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        changed = edited(secret, edits, step, 77)
        return Made.of(seal(seal(changed, to_bob), to_alice), changed, secret)

    Reader(
        valid=valid,
        read=lambda data: quorum._open(put(path, data).parent, package, keys).encode(),
        same=lambda found, _: found == ALICE.encode(),
        ways=[outside(valid, inner, 1700), (one, within), (one, innermost)],
        reached=["is damaged", "does not open", "not a post-quantum identity"],
        accepts=False,  # the identity and its LF have one spelling, and so has each layer
    ).fuzz(count)
