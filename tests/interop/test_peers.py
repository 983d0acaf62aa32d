"""Both directions with everybody else's age, at every edge of a chunk.

``make interop`` prints the matrix. The one cell that is missing is meant: nothing of ours seals to
X25519 (``test_nothing_seals_to_x25519``).
"""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from intake import locked, words
from intake.age.armor import armored, dearmor
from intake.age.classic import ClassicIdentity
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.age.unsealing import AnyIdentity, unseal
from intake.errors import BadFile, NoMatchingKey
from intake.settings import ROOT
from tests.interop.peers import (
    CLASSIC,
    HYBRID,
    IDENTITIES,
    PASSPHRASE,
    PHRASE,
    RECIPIENTS,
    SPEAKS,
    Stock,
    node,
    peers,
    run,
)

pytestmark = pytest.mark.interop

SIZES = [0, 1, 65_535, 65_536, 65_537, (1 << 20) + 1]
CELLS = [(peer, kind) for peer, kinds in SPEAKS.items() for kind in kinds]
OURS: dict[str, AnyIdentity] = {
    HYBRID: Identity.parse(IDENTITIES[HYBRID]),
    CLASSIC: ClassicIdentity.parse(IDENTITIES[CLASSIC]),
    PASSPHRASE: Passphrase(PHRASE, work=10),
}
Record = Callable[[str, object], None]


def pattern(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("peer", "kind"), CELLS)
def test_what_a_peer_sealed_opens_here(
    peer: str, kind: str, size: int, record_property: Record
) -> None:
    record_property("cell", (peer, "we open", kind, size))
    sealed = peers()[peer].seal(kind, pattern(size))
    assert not armored(sealed)
    assert unseal(sealed, [OURS[kind]]) == pattern(size)
    with pytest.raises(NoMatchingKey):
        unseal(sealed, [Identity.generate(), Passphrase("another", work=1)])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("peer", "kind"), [cell for cell in CELLS if cell[1] != CLASSIC])
def test_what_we_sealed_opens_there(
    peer: str, kind: str, size: int, record_property: Record
) -> None:
    record_property("cell", (peer, "opens ours", kind, size))
    to = OURS[PASSPHRASE] if kind == PASSPHRASE else Recipient.parse(RECIPIENTS[kind])
    assert isinstance(to, Passphrase | Recipient)
    assert peers()[peer].open(kind, seal(pattern(size), [to])) == pattern(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("peer", "kind"), [cell for cell in CELLS if cell[1] != PASSPHRASE])
def test_what_a_peer_armored_opens_here(
    peer: str, kind: str, size: int, record_property: Record
) -> None:
    record_property("cell", (peer, "we dearmor", kind, size))
    sealed = peers()[peer].seal(kind, pattern(size), armor=True)
    assert armored(sealed)
    assert unseal(dearmor(sealed), [OURS[kind]]) == pattern(size)


def test_a_peer_opens_what_we_sealed_to_three() -> None:
    three = [Identity.generate().recipient(), Recipient.parse(RECIPIENTS[HYBRID])]
    three.append(Identity.generate().recipient())
    sealed = seal(pattern(65_537), three)
    for peer in ("stock age", "typage"):
        assert peers()[peer].open(HYBRID, sealed) == pattern(65_537)


def test_peers_refuse_what_was_altered() -> None:
    """So that a peer who opens ours has read it, and not only passed it through."""
    sealed = bytearray(seal(pattern(100), [Recipient.parse(RECIPIENTS[HYBRID])]))
    sealed[-1] ^= 1
    for peer in ("stock age", "typage"):
        with pytest.raises(subprocess.CalledProcessError):
            peers()[peer].open(HYBRID, bytes(sealed))


def test_nothing_seals_to_x25519() -> None:
    with pytest.raises(BadFile):
        Recipient.parse(RECIPIENTS[CLASSIC])
    assert not hasattr(ClassicIdentity, "recipient")
    assert not hasattr(ClassicIdentity, "wrap")


def test_peers_derive_the_same_recipient() -> None:
    assert node("recipient", IDENTITIES[HYBRID]).decode() == RECIPIENTS[HYBRID]
    for kind in (HYBRID, CLASSIC):
        keygen = ROOT / ".peers" / "bin" / "age-keygen"
        printed = run([keygen, "-y"], IDENTITIES[kind].encode() + b"\n")
        assert printed.decode().strip() == RECIPIENTS[kind]


@pytest.mark.parametrize("armor", [False, True])
@pytest.mark.parametrize("peer", [peer for peer, kinds in SPEAKS.items() if PASSPHRASE in kinds])
def test_a_secret_that_was_locked_again_with_a_peer_is_unlocked(
    tmp_path: Path, peer: str, *, armor: bool
) -> None:
    path = tmp_path / "quorum.age"
    path.write_bytes(
        peers()[peer].seal(PASSPHRASE, IDENTITIES[HYBRID].encode() + b"\n", armor=armor)
    )
    path.chmod(0o600)
    assert locked.identity(path, Passphrase(PHRASE)).encode() == IDENTITIES[HYBRID]


@pytest.mark.parametrize("peer", ["stock age", "the system's age"])
def test_stock_age_takes_the_ten_words_that_stand_on_the_paper(tmp_path: Path, peer: str) -> None:
    """With one space between, and in no other spelling; ours takes capitals and spaces too."""
    drawn = words.passphrase()
    path = tmp_path / "quorum.age"
    locked.lock(path, IDENTITIES[HYBRID], Passphrase(words.as_drawn(f" {drawn.upper()}"), 10))
    stock = peers()[peer]
    assert isinstance(stock, Stock)
    opened = run([stock.age, "--decrypt", path], phrases=[drawn])
    assert opened.decode() == IDENTITIES[HYBRID] + "\n"
    with pytest.raises(subprocess.CalledProcessError):
        run([stock.age, "--decrypt", path], phrases=[drawn.upper()])


def test_the_phrase_has_one_spelling() -> None:
    assert unicodedata.is_normalized("NFC", PHRASE)


def test_an_age_before_hybrid_keys_says_so() -> None:
    """What docs/RECOVERY.md tells a reader to look for."""
    system = peers()["the system's age"]
    assert isinstance(system, Stock)
    sealed = seal(b"words", [Recipient.parse(RECIPIENTS[HYBRID])])
    if system.name >= "age 1.3":
        assert system.open(HYBRID, sealed) == b"words"
    else:
        with pytest.raises(subprocess.CalledProcessError) as caught:
            system.open(HYBRID, sealed)
        assert b"AGE-SECRET-KEY-PQ" not in caught.value.stderr
