"""What sealing and unsealing cost, beside the bare primitives and beside other people's tools.

Rules:
- Ratios, not times: each row stands against a baseline that ran in the same rounds, one of each in
  an order that changes, so that a busy machine slows both. Medians over the rounds. Times are
  printed to be read beside the ratios; nothing asserts them.
- "what the format demands" is the primitives that a file of this size cannot do without, called one
  after the other with nothing between: what is above it is our own Python.
- Goals stand in the table. A miss is printed as a miss.

Run it as `make bench-quick`; ROUNDS=n for more rounds (of the small ones; the large ones take a
fortieth of them).
"""

from __future__ import annotations

import io
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pyrage
import pysequoia
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from intake import envelope
from intake.age import grammar
from intake.age.identity import Identity
from intake.age.sealing import seal, seal_stream
from intake.age.unsealing import unseal, unseal_stream

ROUNDS = int(os.environ.get("ROUNDS", "400"))
LARGE = 64 << 20  # bytes
CHUNK = grammar.CHUNK
IDENTITY = Identity.generate()
RECIPIENT = IDENTITY.recipient()
SHA256 = hashes.SHA256()
WORDS = "ကျွန်တော် တပ်ရင်း ၁၁၂ က ထွက်လာပါတယ်။ " * 60

Work = Callable[[], object]


class Row(NamedTuple):
    """A line of a table; ``goal`` is the ratio to ``baseline`` that we want to stay under."""

    name: str
    work: Work
    baseline: str
    goal: float | None = None


class Null(io.RawIOBase):
    """A sink that takes everything and keeps nothing."""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, data: object, /) -> int:
        """Take it."""
        return len(memoryview(data))  # type: ignore[arg-type]


def small() -> tuple[dict[str, Work], list[Row]]:
    """Return baselines and rows of small files: 4 KiB, and one envelope."""
    plaintext, info = os.urandom(4096), grammar.HYBRID_INFO
    suite, key, secret = grammar.SUITE, RECIPIENT.key, IDENTITY.hpke
    wrapped = suite.encrypt(bytes(16), key, info)
    header, nonce = bytes(1600), bytes(12)
    sealed, ciphertext = (
        seal(plaintext, [RECIPIENT]),
        ChaCha20Poly1305(bytes(32)).encrypt(nonce, plaintext, None),
    )

    def demanded(hpke: Work, aead: Work) -> None:
        hpke()
        mac = hmac.HMAC(HKDF(SHA256, 32, b"", b"header").derive(bytes(16)), SHA256)
        mac.update(header)
        mac.finalize()
        HKDF(SHA256, 32, bytes(16), b"payload").derive(bytes(16))
        aead()

    def bare_seal() -> object:
        return suite.encrypt(bytes(16), key, info)

    def bare_open() -> object:
        return suite.decrypt(wrapped, secret, info)

    def aead_seal() -> object:
        return ChaCha20Poly1305(bytes(32)).encrypt(nonce, plaintext, None)

    def aead_open() -> object:
        return ChaCha20Poly1305(bytes(32)).decrypt(nonce, ciphertext, None)

    full = envelope.Envelope(
        kind=envelope.TESTIMONY,
        day=date(2026, 11, 16),
        language="my",
        keyring=(1, bytes(32)),
        case=bytes(16),
        reply=bytes(32),
        nonce=bytes(32),
        body={"answers": {"what": WORDS}},
    )
    row = envelope.seal(full, RECIPIENT)
    classic = pyrage.x25519.Identity.generate()
    theirs = pyrage.encrypt(plaintext, [classic.to_public()])
    baselines: dict[str, Work] = {"bare HPKE seal": bare_seal, "bare HPKE open": bare_open}
    rows = [
        Row(
            "seal: what the format demands",
            lambda: demanded(bare_seal, aead_seal),
            "bare HPKE seal",
        ),
        Row("seal 4 KiB", lambda: seal(plaintext, [RECIPIENT]), "bare HPKE seal", 1.3),
        Row("seal one envelope", lambda: envelope.seal(full, RECIPIENT), "bare HPKE seal"),
        Row(
            "pyrage seals 4 KiB to X25519",
            lambda: pyrage.encrypt(plaintext, [classic.to_public()]),
            "bare HPKE seal",
        ),
        Row(
            "open: what the format demands",
            lambda: demanded(bare_open, aead_open),
            "bare HPKE open",
        ),
        Row("unseal 4 KiB", lambda: unseal(sealed, [IDENTITY]), "bare HPKE open", 1.3),
        Row("unseal one envelope", lambda: unseal(row, [IDENTITY]), "bare HPKE open"),
        Row(
            "pyrage opens 4 KiB, X25519",
            lambda: pyrage.decrypt(theirs, [classic]),
            "bare HPKE open",
        ),
    ]
    for name, cert, secrets in sequoias():
        message = pysequoia.encrypt(plaintext, [cert], armor=False)
        rows += [
            Row(
                f"pysequoia seals 4 KiB, {name}",
                partial(pysequoia.encrypt, plaintext, [cert], armor=False),
                "bare HPKE seal",
            ),
            Row(
                f"pysequoia opens 4 KiB, {name}",
                partial(pysequoia.decrypt, message, secrets.decryptor()),
                "bare HPKE open",
            ),
        ]
    return baselines, rows


def large() -> tuple[dict[str, Work], list[Row]]:
    """Return baselines and rows of 64 MiB in memory, written to nowhere."""
    plaintext = os.urandom(1 << 20) * (LARGE >> 20)
    sealed = seal(plaintext, [RECIPIENT])
    aead, out = ChaCha20Poly1305(bytes(32)), memoryview(bytearray(CHUNK + 16))
    view, nonce = memoryview(plaintext), bytes(12)
    chunks = [aead.encrypt(nonce, view[n : n + CHUNK], None) for n in range(0, LARGE, CHUNK)]
    classic = pyrage.x25519.Identity.generate()
    theirs = pyrage.encrypt(plaintext, [classic.to_public()])

    def bare_seal() -> None:
        for place in range(0, LARGE, CHUNK):
            aead.encrypt_into(nonce, view[place : place + CHUNK], None, out)

    def bare_open() -> None:
        for chunk in chunks:
            aead.decrypt_into(nonce, chunk, None, out[:CHUNK])

    def read_and_seal() -> None:
        source = io.BytesIO(plaintext)
        while chunk := source.read(CHUNK):
            aead.encrypt_into(nonce, chunk, None, out)

    def read_and_open() -> None:
        source = io.BytesIO(sealed)
        while chunk := source.read(CHUNK):
            aead.encrypt_into(nonce, chunk, None, out[: len(chunk) + 16])

    baselines: dict[str, Work] = {
        "bare encrypt_into": bare_seal,
        "bare decrypt_into": bare_open,
    }
    rows = [
        Row(
            "seal 64 MiB of memory",
            lambda: seal_stream(plaintext, Null(), [RECIPIENT]),  # type: ignore[arg-type]
            "bare encrypt_into",
            1.1,
        ),
        Row("reading 64 MiB, then the bare call", read_and_seal, "bare encrypt_into"),
        Row(
            "seal 64 MiB of a stream",
            lambda: seal_stream(io.BytesIO(plaintext), Null(), [RECIPIENT]),  # type: ignore[arg-type]
            "bare encrypt_into",
        ),
        Row("seal 64 MiB into memory", lambda: seal(plaintext, [RECIPIENT]), "bare encrypt_into"),
        Row(
            "pyrage seals 64 MiB to X25519, as a stream",
            lambda: pyrage.encrypt_io(io.BytesIO(plaintext), Null(), [classic.to_public()]),
            "bare encrypt_into",
        ),
        Row("reading 64 MiB, then as much work", read_and_open, "bare decrypt_into"),
        Row(
            "unseal 64 MiB of a stream",
            lambda: unseal_stream(io.BytesIO(sealed), Null(), [IDENTITY]),  # type: ignore[arg-type]
            "bare decrypt_into",
            1.1,
        ),
        Row("unseal 64 MiB into memory", lambda: unseal(sealed, [IDENTITY]), "bare decrypt_into"),
        Row(
            "pyrage opens 64 MiB, X25519, as a stream",
            lambda: pyrage.decrypt_io(io.BytesIO(theirs), Null(), [classic]),
            "bare decrypt_into",
        ),
    ]
    for name, cert, _ in sequoias():
        rows.append(
            Row(
                f"pysequoia seals 64 MiB into memory, {name}",
                partial(pysequoia.encrypt, plaintext, [cert], armor=False),
                "bare encrypt_into",
            )
        )
    return baselines, rows


def sequoias() -> list[tuple[str, pysequoia.Cert, pysequoia.Tsk]]:
    """Return OpenPGP keys, classic and post-quantum."""
    classic = pysequoia.Tsk.generate("nobody")
    hybrid = pysequoia.Tsk.generate(
        "nobody",
        profile=pysequoia.Profile.RFC9580,
        cipher_suite=pysequoia.CipherSuite.MLDSA65_Ed25519,
    )
    return [
        ("Curve25519", classic.extract_certificate(), classic),
        ("ML-KEM-768", hybrid.extract_certificate(), hybrid),
    ]


def medians(works: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Return the median seconds of each, in rounds of one each."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    order = list(works)
    shuffle = random.Random(1).shuffle  # noqa: S311 - an order, not a secret
    for _ in range(rounds + 1):
        shuffle(order)  # what ran before leaves the caches warm or cold: let it be anything
        for name in order:
            before = time.perf_counter()
            works[name]()
            taken[name].append(time.perf_counter() - before)
    # The first round warms up.
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def show(title: str, baselines: Mapping[str, Work], rows: list[Row], rounds: int) -> None:
    """Measure and print one table."""
    took = medians({**baselines, **{row.name: row.work for row in rows}}, rounds)
    print(f"\n{title}; medians of {rounds} rounds")
    for name in baselines:
        print(f"  {name:<46}{took[name] * 1e3:10.3f} ms")
        for row in rows:
            if row.baseline != name:
                continue
            ratio = took[row.name] / took[name]
            goal = ""
            if row.goal:
                goal = f"   goal {row.goal}: {'met' if ratio <= row.goal else 'MISSED'}"
            print(f"    {row.name:<44}{took[row.name] * 1e3:10.3f} ms{ratio:8.2f} x{goal}")


def main() -> None:
    """Print both tables."""
    print(f"Intake seals to ML-KEM-768 with X25519; {sys.version.split()[0]}, one thread")
    show("4 KiB and one envelope", *small(), rounds=ROUNDS)
    show("64 MiB", *large(), rounds=max(5, ROUNDS // 40))


if __name__ == "__main__":
    main()
