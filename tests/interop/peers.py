"""Other people's age: stock age of two ages, typage and pyrage, each as a :class:`Peer`.

Rules:
- A peer is the real program, installed by ``make peers``. One that is missing fails the test with a
  sentence; nothing is skipped and nothing is imitated.
- ``SPEAKS`` lists the kinds that each speaks by itself. What it cannot, it is not asked.
"""

from __future__ import annotations

import functools
import importlib.metadata
import json
import os
import pty
import shutil
import subprocess
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Protocol

import pyrage
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from intake.age import bech32
from intake.age.identity import Identity
from intake.settings import ROOT

HYBRID, CLASSIC, PASSPHRASE = "hybrid", "X25519", "passphrase"
NODE = ROOT / "tests" / "node"
PHRASE = "ဖြူ စင် words of a test 🔑"  # the same bytes in NFC
_SECRET = bytes(range(32))
_CLASSIC = X25519PrivateKey.from_private_bytes(_SECRET)
IDENTITIES = {
    HYBRID: Identity.from_seed(_SECRET).encode(),
    CLASSIC: bech32.encode("AGE-SECRET-KEY-", _SECRET),
}
RECIPIENTS = {
    HYBRID: str(Identity.from_seed(_SECRET).recipient()),
    CLASSIC: bech32.encode("age", _CLASSIC.public_key().public_bytes_raw()),
}


SPEAKS = {
    "stock age": (HYBRID, CLASSIC, PASSPHRASE),
    "the system's age": (CLASSIC, PASSPHRASE),  # Debian 12 has 1.1.1
    "typage": (HYBRID, CLASSIC, PASSPHRASE),
    "pyrage": (CLASSIC, PASSPHRASE),
}


class Peer(Protocol):
    """An implementation of age that is not ours. Failures are its own exceptions."""

    @property
    def name(self) -> str:
        """Name and version."""

    def seal(self, kind: str, plaintext: bytes, *, armor: bool = False) -> bytes:
        """Seal to the recipient of ``kind``, or to the passphrase."""

    def open(self, kind: str, sealed: bytes) -> bytes:
        """Open with the identity of ``kind``, or with the passphrase."""


def run(command: Sequence[str | Path], given: bytes = b"", phrases: Sequence[str] = ()) -> bytes:
    """Return what ``command`` prints, given bytes on standard input and phrases on its terminal.

    Raises ``subprocess.CalledProcessError``.
    """
    ours, theirs = pty.openpty()
    os.write(ours, "".join(f"{phrase}\n" for phrase in phrases).encode())
    try:
        done = subprocess.run(
            command,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            start_new_session=True,
            preexec_fn=lambda: ioctl(theirs, termios.TIOCSCTTY, 0),
            pass_fds=[theirs],
            timeout=120,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.stdout


@dataclass(frozen=True, slots=True)
class Stock:
    """Stock age at a path."""

    age: Path

    @property
    def name(self) -> str:
        return "age " + run([self.age, "--version"]).decode().strip().lstrip("v")

    def seal(self, kind: str, plaintext: bytes, *, armor: bool = False) -> bytes:
        command: list[str | Path] = [self.age, *(["--armor"] if armor else [])]
        if kind == PASSPHRASE:
            return run([*command, "--passphrase"], plaintext, [PHRASE, PHRASE])
        return run([*command, "--recipient", RECIPIENTS[kind]], plaintext)

    def open(self, kind: str, sealed: bytes) -> bytes:
        if kind == PASSPHRASE:
            return run([self.age, "--decrypt"], sealed, [PHRASE])
        reading, writing = os.pipe()  # an identity file that is in no folder
        with os.fdopen(writing, "w") as file:
            file.write(IDENTITIES[kind])
        command: list[str | Path] = [self.age, "--decrypt", "--identity", f"/dev/fd/{reading}"]
        try:
            done = subprocess.run(
                command, input=sealed, capture_output=True, check=True, pass_fds=[reading]
            )
        finally:
            os.close(reading)
        return done.stdout


@dataclass(frozen=True, slots=True)
class Typage:
    """The npm package age-encryption."""

    @property
    def name(self) -> str:
        lock = json.loads((NODE / "package-lock.json").read_text("utf-8"))
        return f"typage {lock['packages']['node_modules/age-encryption']['version']}"

    def seal(self, kind: str, plaintext: bytes, *, armor: bool = False) -> bytes:
        to = ("passphrase", PHRASE) if kind == PASSPHRASE else ("recipient", RECIPIENTS[kind])
        return node("armor" if armor else "seal", *to, given=plaintext)

    def open(self, kind: str, sealed: bytes) -> bytes:
        key = ("passphrase", PHRASE) if kind == PASSPHRASE else ("identity", IDENTITIES[kind])
        return node("open", *key, given=sealed)


@dataclass(frozen=True, slots=True)
class Pyrage:
    """The PyPI package pyrage, which is rage's library."""

    @property
    def name(self) -> str:
        return f"pyrage {importlib.metadata.version('pyrage')}"

    def seal(self, kind: str, plaintext: bytes, *, armor: bool = False) -> bytes:
        if kind == PASSPHRASE:
            return bytes(pyrage.passphrase.encrypt(plaintext, PHRASE, armored=armor))
        recipient = pyrage.x25519.Recipient.from_str(RECIPIENTS[kind])
        return bytes(pyrage.encrypt(plaintext, [recipient], armored=armor))

    def open(self, kind: str, sealed: bytes) -> bytes:
        if kind == PASSPHRASE:
            return bytes(pyrage.passphrase.decrypt(sealed, PHRASE))
        identity = pyrage.x25519.Identity.from_str(IDENTITIES[kind])
        return bytes(pyrage.decrypt(sealed, [identity]))


def node(*arguments: str | Path, given: bytes = b"") -> bytes:
    """Return what the script ``tests/node/typage.mjs`` prints."""
    assert (NODE / "node_modules").is_dir(), "Node or typage is missing; run: make peers"
    return run([Path(sys.executable).with_name("node"), NODE / "typage.mjs", *arguments], given)


@functools.cache
def peers() -> dict[str, Peer]:
    """Return every peer, by a name that does not change with its version."""
    new, system = ROOT / ".peers" / "bin" / "age", shutil.which("age")
    assert new.exists(), "age 1.3 or later is missing; run: make peers"
    assert system, "The system's age is missing. On Debian: apt install age"
    return {
        "stock age": Stock(new),
        "the system's age": Stock(Path(system)),
        "typage": Typage(),
        "pyrage": Pyrage(),
    }
