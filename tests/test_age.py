"""age files: what is sealed opens whole, or is refused in words.

Rules:
- Files that the writer would never make are made here, by hand, with the standard library's HMAC,
  HKDF and scrypt written out: what the reader accepts is judged by the format, not by the writer.
- ``vectors/age`` holds files that somebody else's code sealed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import itertools
import random
import subprocess
import sys
import time
import tracemalloc
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import example, given
from hypothesis import strategies as st

from intake import files
from intake.age import bech32, grammar
from intake.age.header import HeaderFailure
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.recipient import Recipient
from intake.age.sealing import seal, seal_stream
from intake.age.unsealing import (
    MacFailure,
    PayloadFailure,
    unseal,
    unseal_stream,
)
from intake.errors import (
    BadFile,
    MachineTrouble,
    Misuse,
    NoMatchingKey,
    Refused,
    WrongPassphrase,
)
from intake.settings import ROOT
from tests.boundaries import CLOSED, within
from tests.makers import sealed_size

CHUNK = 65_536
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, (1 << 20) + 1]
ALICE, BOB, CAROL, EVE = (Identity.from_seed(bytes([n]) * 32) for n in range(4))
TO_ALICE = [ALICE.recipient()]
TO_THREE = [ALICE.recipient(), BOB.recipient(), CAROL.recipient()]
CLASSIC = "age1cy0su9fwf3gf9mw868g5yut09p6nytfmmnktexz2ya5uqg9vl9sss4euqm"
FILE_KEY = bytes(range(16))
VECTORS = Path(__file__).parent / "vectors" / "age"
PHRASE = "a passphrase of this test"

SMALL = seal(b"words", TO_ALICE)
LARGE = seal(bytes(2 * CHUNK + 100), TO_ALICE)
UNDER_PHRASE = seal(b"words", [Passphrase(PHRASE, work=1)])
HEADER = SMALL.index(b"\n--- ") + 1 + 4 + 43 + 1  # bytes, of a file to one recipient


class Trickle(io.RawIOBase):
    """A raw stream that returns less than asked, as a pipe or a socket may."""

    def __init__(self, data: bytes, seed: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._random = random.Random(seed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the base class's own type
        part = self._data.read(self._random.randint(1, max(1, min(len(buffer), 30_000))))
        buffer[: len(part)] = part
        return len(part)


def trickle(data: bytes, seed: int = 0) -> BinaryIO:
    return cast("BinaryIO", Trickle(data, seed))


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


# The format by hand.


def b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869, one block."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(key, info + b"\x01", "sha256")


def by_hand(*stanzas: bytes, plaintext: bytes = b"words", end: bytes | None = None) -> bytes:
    """Return a file with these stanzas, a right MAC and one chunk; ``end`` replaces the MAC."""
    signed = b"age-encryption.org/v1\n" + b"".join(stanzas) + b"---"
    mac = hmac.digest(hkdf(FILE_KEY, b"", b"header"), signed, "sha256")
    nonce = bytes(16)
    chunk = ChaCha20Poly1305(hkdf(FILE_KEY, nonce, b"payload"))
    sealed = chunk.encrypt(bytes(11) + b"\x01", plaintext, None)
    return signed + (b" " + b64(mac) if end is None else end) + b"\n" + nonce + sealed


def hybrid_parts(identity: Identity = ALICE, file_key: bytes = FILE_KEY) -> tuple[bytes, bytes]:
    """Return share and body of a hybrid stanza."""
    sealed = grammar.SUITE.encrypt(
        file_key, identity.recipient().key, b"age-encryption.org/mlkem768x25519"
    )
    return sealed[:1120], sealed[1120:]


def stanza(*arguments: bytes, body: bytes = b"") -> bytes:
    text = b64(body)
    wrapped = [text[i : i + 64] for i in range(0, len(text) + 1, 64)]
    return b"-> " + b" ".join(arguments) + b"\n" + b"\n".join(wrapped) + b"\n"


SHARE, BODY = hybrid_parts()
HYBRID = stanza(b"mlkem768x25519", b64(SHARE), body=BODY)
SALT = b"sixteen bytes ok"


def file_key(sealed: bytes) -> bytes:
    """Return the key that a file to Alice wraps in its first stanza."""
    arguments, body = sealed.split(b"\n")[1:3]
    wrapped = base64.b64decode(arguments.split(b" ")[2] + b"==") + base64.b64decode(body + b"=")
    info = b"age-encryption.org/mlkem768x25519"
    return grammar.SUITE.decrypt(wrapped, ALICE.hpke, info)


def scrypt_stanza(
    work: bytes = b"1", salt: bytes = SALT, phrase: str = PHRASE, file_key: bytes = FILE_KEY
) -> bytes:
    cost = int(work) if work.isdigit() and int(work) in range(1, 15) else 1
    label = b"age-encryption.org/v1/scrypt" + salt
    key = hashlib.scrypt(phrase.encode(), salt=label, n=1 << cost, r=8, p=1, dklen=32)
    return stanza(
        b"scrypt", b64(salt), work, body=ChaCha20Poly1305(key).encrypt(bytes(12), file_key, None)
    )


def test_files_by_hand_open() -> None:
    """All refusals below rest on this: the same file without its one fault is good."""
    assert unseal(by_hand(HYBRID), [ALICE]) == b"words"
    assert unseal(by_hand(scrypt_stanza()), [Passphrase(PHRASE)]) == b"words"


# Round trips.


@pytest.mark.parametrize("recipients", [TO_ALICE, TO_THREE], ids=["one", "three"])
@pytest.mark.parametrize("size", SIZES)
def test_round_trip(size: int, recipients: list[Recipient]) -> None:
    plaintext = pattern(size)
    sealed = seal(plaintext, recipients)
    assert len(sealed) == sealed_size(size, len(recipients))
    for identity in (ALICE, BOB, CAROL)[: len(recipients)]:
        assert unseal(sealed, [identity]) == plaintext
        assert unseal(sealed, [EVE, identity]) == plaintext
    with pytest.raises(NoMatchingKey):
        unseal(sealed, [EVE])


@pytest.mark.parametrize("size", SIZES)
def test_round_trip_over_streams_that_return_less_than_asked(size: int) -> None:
    plaintext = pattern(size)
    sealed, opened = io.BytesIO(), io.BytesIO()
    seal_stream(trickle(plaintext, seed=size), sealed, TO_ALICE)
    assert len(sealed.getvalue()) == sealed_size(size, 1)
    unseal_stream(trickle(sealed.getvalue(), seed=size + 1), opened, [ALICE])
    assert opened.getvalue() == plaintext
    assert unseal(sealed.getvalue(), [ALICE]) == plaintext


def test_a_stream_of_single_bytes() -> None:
    class Drip(Trickle):
        def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the base class's own type
            return super().readinto(memoryview(buffer)[:1])

    opened = io.BytesIO()
    unseal_stream(cast("BinaryIO", Drip(SMALL, 0)), opened, [ALICE])
    assert opened.getvalue() == b"words"


@given(st.binary(max_size=300), st.integers(0, 3))
def test_round_trip_of_anything(plaintext: bytes, extra: int) -> None:
    recipients = TO_ALICE + [BOB.recipient()] * extra
    sealed = seal(memoryview(plaintext), recipients)
    assert len(sealed) == sealed_size(len(plaintext), 1 + extra)
    assert unseal(sealed, [ALICE]) == plaintext


@pytest.mark.parametrize("size", [0, CHUNK, CHUNK + 1])
def test_round_trip_under_a_passphrase(size: int) -> None:
    sealed = seal(pattern(size), [Passphrase(PHRASE, work=10)])
    assert unseal(sealed, [Passphrase(PHRASE)]) == pattern(size)
    assert unseal(sealed, [ALICE, Passphrase("another"), Passphrase(PHRASE)]) == pattern(size)
    assert b"-> scrypt " in sealed
    assert b" 10\n" in sealed


def test_two_files_share_no_key() -> None:
    one, two = seal(bytes(100), TO_ALICE), seal(bytes(100), TO_ALICE)
    prefix = len(b"age-encryption.org/v1\n-> mlkem768x25519 ")
    assert one[:prefix] == two[:prefix]
    assert sum(a == b for a, b in zip(one[HEADER:], two[HEADER:], strict=True)) < 20
    assert one[prefix : prefix + 64] != two[prefix : prefix + 64]
    assert one[HEADER : HEADER + 16] != two[HEADER : HEADER + 16]
    assert file_key(one) != file_key(two)


def test_constant_memory(tmp_path: Path) -> None:
    """64 MiB through both halves; the peak of what Python allocates stays under 2 MiB."""

    class Zeros(io.RawIOBase):
        left = 64 << 20

        def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the base class's own type
            size = min(len(buffer), self.left)
            self.left -= size
            return size

    class Count(io.RawIOBase):
        seen = 0

        def write(self, data: Any) -> int:  # noqa: ANN401 - the base class's own type
            self.seen += len(data)
            return len(data)

    path, counted = tmp_path / "large.age", Count()
    tracemalloc.start()
    try:
        with path.open("wb") as sink:
            seal_stream(cast("BinaryIO", Zeros()), sink, TO_ALICE)
        with path.open("rb") as source:
            unseal_stream(source, cast("BinaryIO", counted), [ALICE])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == sealed_size(64 << 20, 1)
    assert counted.seen == 64 << 20
    assert peak < 2 << 20


# What is damaged is refused, and never with a foreign exception.


def test_a_cut_file_is_refused_wherever_it_is_cut() -> None:
    edges = [HEADER, HEADER + 16, *range(HEADER + 16, len(LARGE), CHUNK + 16)]
    near = [edge + step for edge in edges for step in (-17, -16, -1, 0, 1, 16, 17)]
    sampled = random.Random(1).sample(range(len(LARGE)), 60)
    for cut in sorted({*near, *sampled, *range(60), len(LARGE) - 1}):
        sink = io.BytesIO()
        with pytest.raises(BadFile):
            unseal_stream(io.BytesIO(LARGE[:cut]), sink, [ALICE])
        assert len(sink.getvalue()) % CHUNK == 0  # only whole verified chunks come out


def test_a_cut_file_never_yields_a_file_that_looks_whole(tmp_path: Path) -> None:
    path = tmp_path / "opened"

    def copy() -> None:
        with files.whole(path) as sink:
            unseal_stream(io.BytesIO(LARGE[: -(100 + 16)]), sink, [ALICE])

    with pytest.raises(PayloadFailure):
        copy()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK])
def test_appended_bytes_are_refused(size: int) -> None:
    sealed = seal(bytes(size), TO_ALICE)
    for more in (
        b"\x00",
        b"\n",
        bytes(16),
        bytes(17),
        bytes(CHUNK),
        sealed[-(CHUNK + 16) :],
        sealed,
    ):
        with pytest.raises(PayloadFailure):
            unseal(sealed + more, [ALICE])


def test_chunks_in_another_order_are_refused() -> None:
    start = HEADER + 16
    parts = [LARGE[i : i + CHUNK + 16] for i in range(start, len(LARGE), CHUNK + 16)]
    assert len(parts) == 3
    for count in (1, 2, 3):
        for order in itertools.product(range(3), repeat=count):
            if order != (0, 1, 2):
                with pytest.raises(PayloadFailure):
                    unseal(LARGE[:start] + b"".join(parts[i] for i in order), [ALICE])


def test_an_empty_last_chunk_after_a_full_one_is_refused() -> None:
    """Made by hand with the right keys: the one writing that no writer may choose."""
    key, nonce = hkdf(FILE_KEY, bytes(16), b"payload"), bytes(11)
    full = ChaCha20Poly1305(key).encrypt(nonce + b"\x00", bytes(CHUNK), None)
    last = ChaCha20Poly1305(key).encrypt(bytes(10) + b"\x01\x01", b"", None)
    start = by_hand(HYBRID, plaintext=b"")[:-16]
    with pytest.raises(PayloadFailure):
        unseal(start + full + last, [ALICE])
    assert unseal(by_hand(HYBRID, plaintext=b""), [ALICE]) == b""
    whole = ChaCha20Poly1305(key).encrypt(nonce + b"\x01", bytes(CHUNK), None)
    assert unseal(start + whole, [ALICE]) == bytes(CHUNK)


def test_every_flipped_bit_of_the_header_is_refused() -> None:
    for place in range(HEADER + 16 + 21):
        for bit in (0x01, 0x20, 0x80):
            flipped = bytearray(SMALL)
            flipped[place] ^= bit
            with pytest.raises((BadFile, NoMatchingKey)):
                unseal(bytes(flipped), [ALICE])


def cut(data: bytes, a: int, b: int, _: bytes) -> bytes:
    return data[:a] + data[b:]


def insert(data: bytes, a: int, _: int, new: bytes) -> bytes:
    return data[:a] + new + data[a:]


def overwrite(data: bytes, a: int, _: int, new: bytes) -> bytes:
    return data[:a] + new + data[a + len(new) :]


def double(data: bytes, a: int, b: int, _: bytes) -> bytes:
    return data[:b] + data[a:b] + data[b:]


def move(data: bytes, a: int, b: int, _: bytes) -> bytes:
    return data[b:] + data[a:b] + data[:a]


# Bytes of any kind, those of the grammar, and base64 that the grammar does not refuse.
NEW = (
    st.binary(min_size=1, max_size=4)
    | st.sampled_from([b"\n", b"\n-> x\n\n", b"\r\n", b" ", b"=", b"\x00"])
    | st.text("ABYZabyz0189+/", min_size=1, max_size=4).map(str.encode)
)
ANYWHERE = st.integers(0, 3000)
AT_THE_END = st.integers(-140, -1)  # the last of the stanza, the MAC, the nonce, the one chunk
CHANGES = [cut, insert, overwrite, double, move]
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(CHANGES), ANYWHERE, ANYWHERE, NEW), min_size=1, max_size=3
) | st.lists(
    st.tuples(st.sampled_from(CHANGES[:4]), AT_THE_END, AT_THE_END, NEW), min_size=1, max_size=1
)
Mutation = tuple[Callable[[bytes, int, int, bytes], bytes], int, int, bytes]


def mutated(data: bytes, mutations: list[Mutation]) -> bytes:
    for change, one, other, new in mutations:
        first, last = sorted((one % (len(data) + 1), other % (len(data) + 1)))
        data = change(data, first, last, new)
    return data


@given(MUTATIONS)
def test_every_mutation_of_a_file_to_a_recipient_is_refused(mutations: list[Mutation]) -> None:
    altered = mutated(SMALL, mutations)
    if altered == SMALL:
        return
    with pytest.raises(Refused) as caught:
        unseal(altered, [ALICE])
    assert isinstance(caught.value, BadFile | NoMatchingKey)
    assert not isinstance(caught.value, WrongPassphrase)


@given(MUTATIONS)
def test_every_mutation_of_a_file_under_a_passphrase_is_refused(mutations: list[Mutation]) -> None:
    altered = mutated(UNDER_PHRASE, mutations)
    line = altered.partition(b"-> scrypt ")[2].partition(b"\n")[0]
    if altered == UNDER_PHRASE or len(line.split(b" ")[-1]) > 1:
        return  # work of two digits is costly, and has its own test
    with pytest.raises(Refused) as caught:
        unseal(altered, [Passphrase(PHRASE)])
    assert isinstance(caught.value, BadFile | NoMatchingKey)


@given(st.binary(max_size=200))
@example(b"")
@example(b"age-encryption.org/v1")
@example(b"age-encryption.org/v1\n")
@example(b"age-encryption.org/v1\n--- \n")
@example(b"age-encryption.org/v2\n" + SMALL[22:])
@example(b"-----BEGIN AGE ENCRYPTED FILE-----\n")
def test_any_other_bytes_are_refused(data: bytes) -> None:
    for start in (b"", b"age-encryption.org/v1\n", b"age-encryption.org/v1\n-> "):
        with pytest.raises(HeaderFailure):
            unseal(start + data, [ALICE, Passphrase(PHRASE)])


# Who may seal to whom.


def test_mixtures_and_nobody_are_refused_before_anything_is_written() -> None:
    phrase = Passphrase(PHRASE, work=1)
    mixtures: list[list[Recipient | Passphrase]] = [
        [],
        [phrase, phrase],
        [phrase, *TO_ALICE],
        [*TO_THREE, phrase],
    ]
    for recipients in mixtures:
        sink = io.BytesIO()
        with pytest.raises(Misuse, match="never to a mixture"):
            seal_stream(io.BytesIO(b"words"), sink, recipients)
        assert sink.getvalue() == b""


def test_a_classic_key_beside_a_hybrid_one_is_refused() -> None:
    """Whoever could break X25519 would open such a file; a later recipient must not slip in."""

    class Classic:
        kind = b"X25519"

        def wrap(self, file_key: bytes) -> tuple[bytes, ...]:
            return (b64(bytes(32)), file_key)

    with pytest.raises(Misuse, match="never to a mixture"):
        seal(b"words", [*TO_ALICE, cast("Recipient", Classic())])


def test_nobody_opens_nothing() -> None:
    with pytest.raises(NoMatchingKey):
        unseal(SMALL, [])
    with pytest.raises(NoMatchingKey) as caught:
        unseal(SMALL, [Passphrase(PHRASE)])
    assert not isinstance(caught.value, WrongPassphrase)
    with pytest.raises(NoMatchingKey) as caught:
        unseal(UNDER_PHRASE, [ALICE])
    assert not isinstance(caught.value, WrongPassphrase)


def test_the_wrong_key_is_told_from_damage() -> None:
    with pytest.raises(NoMatchingKey, match="None of the identities"):
        unseal(SMALL, [BOB, EVE])
    with pytest.raises(WrongPassphrase, match="does not open this file") as caught:
        unseal(UNDER_PHRASE, [Passphrase(PHRASE + ".")])
    assert PHRASE not in caught.value.what + caught.value.hint


def test_a_header_altered_behind_a_right_key_is_damage() -> None:
    with pytest.raises(MacFailure):
        unseal(by_hand(HYBRID, end=b" " + b64(bytes(32))), [ALICE])
    arrow = b"\n-> mlkem768x25519 "
    head, first, second, third = seal(b"words", TO_THREE).split(arrow)
    assert unseal(arrow.join([head, first, second, third]), [ALICE]) == b"words"
    third, tail = third[: len(second)], third[len(second) :]
    for stanzas in ([first, second], [first, third, second], [first, second, third, third]):
        with pytest.raises(MacFailure):  # stanzas of others taken out, moved or doubled
            unseal(arrow.join([head, *stanzas]) + tail, [ALICE])


def test_recipients_that_are_none() -> None:
    text = str(ALICE.recipient())
    raw = bech32.decode("age1pq", text)
    high = bytearray(raw)
    high[:3] = b"\xff\xff\xff"  # coefficients of ML-KEM above its modulus
    wrong = [
        CLASSIC,
        CLASSIC.upper(),
        text.upper(),
        text[:-1],
        text + "q",
        f" {text}",
        f"{text}\n",
        "",
        "age1pq",
        "age1pq1",
        ALICE.encode(),
        bech32.encode("age", raw),
        bech32.encode("age1pq", raw[:-1]),
        bech32.encode("age1pq", raw + b"\x00"),
        bech32.encode("age1pq", bytes(high)),
        bech32.encode("age1pq", raw[:1184] + bytes(32)),  # low order: no shared secret
        bech32.encode("age1pq", b""),
    ]
    for each in wrong:
        with pytest.raises(BadFile, match="not a post-quantum recipient") as caught:
            Recipient.parse(each)
        assert "age1pq1" in caught.value.hint


def test_recipient_and_identity_as_text() -> None:
    text = str(ALICE.recipient())
    assert len(text) == 1959
    assert str(Recipient.parse(text)) == text
    assert Recipient.parse(text) == ALICE.recipient() != BOB.recipient()
    secret = ALICE.encode()
    assert len(secret) == 77
    assert secret.startswith("AGE-SECRET-KEY-PQ-1")
    assert Identity.parse(secret) == ALICE
    assert Identity.generate() != Identity.generate()
    fresh = Identity.generate()
    assert unseal(seal(b"x", [fresh.recipient()]), [Identity.parse(fresh.encode())]) == b"x"


def test_no_secret_shows() -> None:
    secret, seed = ALICE.encode(), ALICE.seed
    phrase = Passphrase("canary of a passphrase")
    for shown in (repr(ALICE), str(ALICE), f"{[ALICE]}", repr(phrase), str(phrase), f"{phrase}"):
        for each in (secret, secret[19:], seed.hex(), str(seed), "canary"):
            assert each not in shown


def test_no_refusal_repeats_a_secret() -> None:
    secret = ALICE.encode()
    wrong = [secret[:-1], secret + "Q", secret.lower(), secret.replace("Q", "P", 1), f" {secret}"]
    wrong += [
        secret.title(),
        secret.replace("K", "\N{KELVIN SIGN}"),
        "AGE-SECRET-KEY-1" + secret[19:],
    ]
    for each in wrong:
        with pytest.raises(BadFile) as caught:
            Identity.parse(each)
        told = str(caught.value) + caught.value.what + caught.value.hint + repr(caught.value)
        assert caught.value.__suppress_context__
        assert each not in told
        assert secret[30:50] not in told
    for size in (0, 31, 33):
        with pytest.raises(BadFile):
            Identity.from_seed(bytes(size))


# Passphrases.


def test_a_passphrase_typed_on_another_keyboard_is_the_same() -> None:
    composed, apart = (unicodedata.normalize(f, "caf\u00e9 \u1025\u102e") for f in ("NFC", "NFD"))
    assert composed != apart
    assert unseal(seal(b"x", [Passphrase(apart, work=1)]), [Passphrase(composed)]) == b"x"
    assert unseal(seal(b"x", [Passphrase(composed, work=1)]), [Passphrase(apart)]) == b"x"
    # It is NFC that reaches scrypt, not another form in which both would agree.
    assert unseal(by_hand(scrypt_stanza(phrase=composed)), [Passphrase(apart)]) == b"words"
    circled = by_hand(scrypt_stanza(phrase="\u2460"))  # NFKC would make it a plain 1
    assert unseal(circled, [Passphrase("\u2460")]) == b"words"
    with pytest.raises(WrongPassphrase):
        unseal(circled, [Passphrase("1")])


def test_a_passphrase_that_has_no_utf_8_is_refused_in_words() -> None:
    phrase = Passphrase("canary\udce9", work=1)
    with pytest.raises(Misuse, match="UTF-8") as caught:
        seal(b"x", [phrase])
    assert "canary" not in str(caught.value) + caught.value.hint
    with pytest.raises(Misuse, match="UTF-8"):
        unseal(UNDER_PHRASE, [phrase])


def test_too_little_memory_is_the_machines_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    class Short:
        def __init__(self, *_: object) -> None:
            raise MemoryError

    monkeypatch.setattr("intake.age.passphrase.Scrypt", Short)
    with pytest.raises(MachineTrouble, match="memory"):
        unseal(UNDER_PHRASE, [Passphrase(PHRASE)])


@pytest.mark.parametrize("work", [b"23", b"24", b"30", b"63", b"64", b"99", b"100", b"9" * 50])
def test_too_much_work_is_refused_without_doing_it(
    monkeypatch: pytest.MonkeyPatch, work: bytes
) -> None:
    monkeypatch.setattr("intake.age.passphrase.Scrypt", None)  # a call would be a TypeError
    start = time.monotonic()
    with pytest.raises(HeaderFailure):
        unseal(by_hand(scrypt_stanza(work)), [Passphrase(PHRASE)])
    assert time.monotonic() - start < 0.5


def test_the_most_work_is_twenty_two(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Cheap:
        def __init__(self, *arguments: object) -> None:
            asked.append(cast("int", arguments[2]))

        def derive(self, _: bytes) -> bytes:
            return bytes(32)

    monkeypatch.setattr("intake.age.passphrase.Scrypt", Cheap)
    with pytest.raises(WrongPassphrase):
        unseal(by_hand(scrypt_stanza(b"22")), [Passphrase(PHRASE)])
    assert asked == [1 << 22]
    seal(b"x", [Passphrase(PHRASE)])
    assert asked[1:] == [1 << 18]


@pytest.mark.parametrize(
    "work", [b"0", b"01", b"1 ", b"+1", b"-1", b"1.0", b"0x1", b"\xd9\xa1", b"1\n1"]
)
def test_work_in_another_spelling_is_refused(work: bytes) -> None:
    with pytest.raises(HeaderFailure):
        unseal(by_hand(scrypt_stanza(work)), [Passphrase(PHRASE)])


@pytest.mark.parametrize("salt", [b"", b"fifteen bytes..", b"seventeen bytes.."])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(HeaderFailure):
        unseal(by_hand(scrypt_stanza(salt=salt)), [Passphrase(PHRASE)])


def test_a_file_key_of_another_length_is_refused() -> None:
    """An oversized body could be made to open under many passphrases at once."""
    for size in (0, 15, 17, 32):
        with pytest.raises(HeaderFailure):
            unseal(by_hand(scrypt_stanza(file_key=bytes(size))), [Passphrase(PHRASE)])
        share, body = hybrid_parts(file_key=bytes(size))
        with pytest.raises(HeaderFailure):
            unseal(by_hand(stanza(b"mlkem768x25519", b64(share), body=body)), [ALICE])


def test_a_passphrase_stands_alone() -> None:
    other = stanza(b"other")
    together: list[list[Identity | Passphrase]] = [[Passphrase(PHRASE)], [ALICE]]
    together.append([ALICE, Passphrase(PHRASE)])
    for stanzas in (
        (scrypt_stanza(), scrypt_stanza()),
        (scrypt_stanza(), HYBRID),
        (HYBRID, scrypt_stanza()),
        (scrypt_stanza(), other),
        (other, scrypt_stanza()),
    ):
        for identities in together:
            with pytest.raises(HeaderFailure):
                unseal(by_hand(*stanzas), identities)


# The grammar of the header. Every file here has a right MAC.


def test_stanzas_that_are_not_ours_are_passed_over() -> None:
    extra = [
        stanza(b"other"),
        stanza(b"other", b"with", b"!~arguments", body=bytes(47)),
        stanza(b"other", body=bytes(48)),  # 64 columns, then an empty line
        stanza(b"other", body=bytes(200)),
        stanza(b"X25519", b64(bytes(32)), body=bytes(32)),
    ]
    for before, after in ((extra, []), ([], extra), (extra[:2], extra[2:])):
        assert unseal(by_hand(*before, HYBRID, *after), [ALICE]) == b"words"


LINE = b"A" * 64 + b"\n"
WRONG_STANZAS = {
    "64 columns with no line after": b"-> other\n" + LINE,
    "128 columns with no line after": b"-> other\n" + LINE + LINE,
    "65 columns": b"-> other\n" + b"A" * 65 + b"\n",
    "66 columns": b"-> other\n" + b"A" * 66 + b"\n",
    "68 columns": b"-> other\n" + b"A" * 68 + b"\n\n",
    "short line before a long one": b"-> other\nAAAA\n" + LINE + b"\n",
    "two empty lines": b"-> other\n\n\n",
    "no body": b"-> other\n",
    "padding": b"-> other\nAA==\n",
    "not canonical": b"-> other\nAB\n",
    "not canonical, three": b"-> other\nAAB\n",
    "lone character": b"-> other\nAAAAA\n",
    "URL-safe alphabet": b"-> other\nA-_A\n",
    "space in the body": b"-> other\nAA AA\n",
    "not canonical in a full line": b"-> other\n" + b"A" * 63 + b"=\n\n",
    "no argument": b"->\n\n",
    "empty argument": b"-> \n\n",
    "space after the argument": b"-> other \n\n",
    "two spaces": b"->  other\n\n",
    "two spaces between": b"-> other  two\n\n",
    "tab": b"-> other\ttwo\n\n",
    "NUL": b"-> oth\x00er\n\n",
    "NUL in the body": b"-> other\nAA\x00A\n",
    "delete": b"-> oth\x7fer\n\n",
    "not ASCII": "-> öther\n\n".encode(),
    "CR": b"-> other\r\n\n",
    "CR in the body": b"-> other\n\r\n",
    "no space after the arrow": b"->other\n\n",
    "another arrow": b"=> other\n\n",
    "space before": b" -> other\n\n",
    "empty line before": b"\n-> other\n\n",
    "a line of 70,000": b"-> " + b"x" * 70_000 + b"\n\n",
}


@pytest.mark.parametrize("wrong", WRONG_STANZAS.values(), ids=WRONG_STANZAS.keys())
def test_a_stanza_outside_the_grammar_is_refused(wrong: bytes) -> None:
    for stanzas in ((wrong, HYBRID), (HYBRID, wrong)):
        with pytest.raises(HeaderFailure):
            unseal(by_hand(*stanzas), [ALICE])


def test_a_hybrid_stanza_with_a_wrong_part_is_refused() -> None:
    name, share, body = b"mlkem768x25519", b64(SHARE), BODY
    last = chr(share[-1])
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    unused = share[:-1] + alphabet[alphabet.index(last) ^ 1].encode()
    assert base64.b64decode(unused + b"==") == SHARE
    for wrong in (
        stanza(name, body=body),
        stanza(name, share, share, body=body),
        stanza(name, share, b"more", body=body),
        stanza(name, b64(SHARE[:-1]), body=body),
        stanza(name, b64(SHARE + b"\x00"), body=body),
        stanza(name, share + b"==", body=body),
        stanza(name, unused, body=body),
        stanza(name, share, body=body[:-1]),
        stanza(name, share, body=body + b"\x00"),
        stanza(name, share, body=b""),
    ):
        with pytest.raises(HeaderFailure):
            unseal(by_hand(wrong), [ALICE])


@pytest.mark.parametrize(
    "point",
    [
        bytes(32),
        b"\x01" + bytes(31),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ],
)
def test_a_share_of_low_order_is_damage(point: bytes) -> None:
    wrong = stanza(b"mlkem768x25519", b64(SHARE[:1088] + point), body=BODY)
    with pytest.raises(HeaderFailure):
        unseal(by_hand(wrong), [ALICE])
    other = stanza(b"mlkem768x25519", b64(SHARE[:1088] + b"\x09" * 32), body=BODY)
    with pytest.raises(NoMatchingKey):
        unseal(by_hand(other), [ALICE])


@pytest.mark.parametrize(
    "end",
    [
        b"",
        b" ",
        b" " + b64(bytes(31)),
        b" " + b64(bytes(33)),
        b" " + b64(bytes(32)) + b"=",
        b" " + b64(bytes(32))[:-1] + b"B",
        b"  " + b64(bytes(32)),
        b" " + b64(bytes(32)) + b" ",
        b" " + b64(bytes(32)) + b"\r",
        b"- " + b64(bytes(32)),
        b64(bytes(32)),
        b" " + b64(bytes(32)) + b" x",
    ],
)
def test_an_end_outside_the_grammar_is_refused(end: bytes) -> None:
    with pytest.raises(HeaderFailure):
        unseal(by_hand(HYBRID, end=end), [ALICE])


def test_a_header_without_stanzas_is_refused() -> None:
    with pytest.raises(HeaderFailure):
        unseal(by_hand(), [ALICE])


def test_a_header_has_at_most_a_mebibyte() -> None:
    filler = stanza(b"other", b"x" * 60_000)
    full = b"age-encryption.org/v1\n" + HYBRID + filler * 17
    room = (1 << 20) - len(full) - len(b"--- \n") - 43 - len(stanza(b"other", b""))
    for over, fits in ((0, True), (1, False)):
        sealed = by_hand(HYBRID, *[filler] * 17, stanza(b"other", b"x" * (room + over)))
        assert sealed.index(b"\n--- ") + 49 == (1 << 20) + over
        if fits:
            assert unseal(sealed, [ALICE]) == b"words"
        else:
            with pytest.raises(HeaderFailure):
                unseal(sealed, [ALICE])


@pytest.mark.parametrize(
    "endless", [b"A", b"-> x\n\n", b"A" * 64 + b"\n"], ids=["line", "stanzas", "body"]
)
def test_a_header_without_end_is_refused_early(endless: bytes) -> None:
    class Endless(io.BytesIO):
        taken = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            line = super().readline(size)
            self.taken += len(line)
            return line

    start = b"age-encryption.org/v1\n-> x\n" if len(endless) == 65 else b"age-encryption.org/v1\n"
    source = Endless(start + endless * ((4 << 20) // len(endless)))
    with pytest.raises(HeaderFailure):
        unseal_stream(source, io.BytesIO(), [ALICE])
    assert source.taken <= (1 << 20) + CHUNK


def test_a_file_that_ends_within_the_nonce_is_refused() -> None:
    for size in range(17):
        with pytest.raises(BadFile):
            unseal(SMALL[: HEADER + size], [ALICE])


# What others sealed.


@pytest.mark.parametrize("size", [0, 1, 65_537])
def test_what_typage_sealed_to_an_identity_opens(size: int) -> None:
    identity = Identity.from_seed(bytes(range(32)))
    assert str(identity.recipient()) == (VECTORS / "recipient.txt").read_text("ascii").strip()
    assert identity.encode() in (VECTORS / "README.md").read_text("utf-8")
    sealed = (VECTORS / f"hybrid-{size}.age").read_bytes()
    assert unseal(sealed, [identity]) == pattern(size)
    assert len(sealed) == sealed_size(size, 1)
    with pytest.raises(NoMatchingKey):
        unseal(sealed, [EVE])


def test_what_typage_sealed_to_two_opens_for_the_second() -> None:
    sealed = (VECTORS / "second-of-two-5.age").read_bytes()
    assert unseal(sealed, [Identity.from_seed(bytes(range(32)))]) == pattern(5)
    assert len(sealed) == sealed_size(5, 2)


def test_what_typage_sealed_under_a_passphrase_opens() -> None:
    sealed = (VECTORS / "passphrase-1.age").read_bytes()
    phrase = "vector of \u1019\u103c\u1014\u103a\u1019\u102c caf\u00e9"
    assert unseal(sealed, [Passphrase(phrase)]) == pattern(1)
    assert unseal(sealed, [Passphrase(unicodedata.normalize("NFD", phrase))]) == pattern(1)
    with pytest.raises(WrongPassphrase):
        unseal(sealed, [Passphrase("vector")])


# What is loaded.


def loaded(statement: str) -> set[str]:
    """Return the modules of ours that a fresh process has after ``statement``."""
    script = f"{statement}\nimport sys\nprint(*(m for m in sys.modules if m.startswith('intake')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, cwd=ROOT, text=True
    )
    return set(done.stdout.split())


def test_the_package_holds_no_name_and_loads_nothing() -> None:
    """Whoever wants to open something says so in an import, which the contracts see."""
    assert loaded("import intake.age") == {"intake", "intake.age"}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        loaded("from intake.age import unseal")
    assert "cannot import name 'unseal'" in refused.value.stderr


@pytest.mark.parametrize("statement", ["import intake.envelope", "import intake.server.site"])
def test_what_the_server_loads_opens_nothing(statement: str) -> None:
    found = loaded(statement)
    assert "intake.age.sealing" in found
    assert not [name for name in found if within(name, CLOSED)]
