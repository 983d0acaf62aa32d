"""The thief of the drill finds what there is to find: a thief who is blind would prove nothing."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.thief import ransack, steal
from intake.age.armor import BEGIN, END
from intake.age.passphrase import Passphrase
from intake.age.sealing import seal
from intake.bundle import Entry
from intake.store import Store
from tests.makers import identity, public, signing_key

CANARY = "canary-0007-0123456789abcdef"
OTHER = "canary-0008-fedcba9876543210"
KEY, LATER = identity("thief one"), identity("thief two")
WORDS = f"ရွာကို မီးရှို့ခိုင်းတယ်။ {CANARY} 😔".encode()
MORE = f"ကၽြန္ေတာ္ {OTHER}".encode()
SEALED, SECOND = seal(WORDS, [KEY.recipient()]), seal(MORE, [KEY.recipient()])


def armor(data: bytes) -> bytes:
    text = base64.b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return b"\n".join([BEGIN, *lines, END]) + b"\n"


def frame(data: bytes) -> bytes:
    return b"%08x\n%b\n" % (len(data), data)


def row(sealed: bytes) -> bytes:
    return Entry(bytes(16), bytes(32)).line() + sealed


PLACES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "whole files": lambda one, other: one or other,
    "one after the other, as in a bundle": lambda one, other: b"{}\n00\n" + row(one + other),
    "frames of a chain": lambda one, other: frame(one) + frame(other),
    "frames behind damage": lambda one, other: b"\0\xff" * 40 + frame(one) + frame(other),
    "armor": lambda one, other: b"Dear colleague,\n" + armor(one) + b"and\r\n" + armor(other),
    "behind something else": lambda one, other: bytes(100) + one + b"\n" + other,
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_an_age_file_is_found_wherever_it_lies(place: Callable[[bytes, bytes], bytes]) -> None:
    heap = [place(SEALED, SECOND), place(SECOND, SEALED)]
    assert ransack([*heap, KEY.encode().encode()]).canaries == {CANARY, OTHER}
    assert ransack([*heap, LATER.encode().encode()]).canaries == set()
    assert ransack(heap).canaries == set()


def test_rows_of_a_database_are_found(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/intake.db", tmp_path)
    store.create()
    for number in range(40):  # so that envelopes spread over pages that are not in order
        sealed = seal(WORDS if number == 17 else b"\0" * 9000, [KEY.recipient()])
        store.add([(bytes([number * 37 % 256]) * 16, sealed)], "2026-w47")
    (tmp_path / "note.txt").write_text(f"# kept for later\n{KEY.encode()}\n")
    assert ransack(steal(tmp_path)).canaries == {CANARY}
    assert ransack(steal(tmp_path / "intake.db")).canaries == set()
    assert sqlite3.connect(":memory:").deserialize is not None


def test_keys_that_come_out_are_tried_on_everything_again() -> None:
    """A passphrase opens an identity, that opens a package, and that opens an envelope."""
    locked = seal(LATER.encode().encode() + b"\n", [Passphrase("demo-စကားဝှက်", 10)])
    package = seal(KEY.encode().encode() + b"\n", [LATER.recipient()])
    heap = [SEALED, package, locked]
    for order in (heap, heap[::-1]):
        assert ransack(order, ["demo-စကားဝှက်", "demo-other"]).canaries == {CANARY}
        assert ransack(order, ["demo-other"]).canaries == set()


def test_a_nested_file_needs_both_keys() -> None:
    nested = seal(seal(WORDS, [KEY.recipient()]), [LATER.recipient()])
    one, other = KEY.encode().encode(), LATER.encode().encode()
    assert ransack([nested, one]).canaries == set()
    assert ransack([nested, other]).canaries == set()
    assert ransack([nested, one + b"\n" + other]).canaries == {CANARY}


def test_every_recipient_opens_a_file_of_several() -> None:
    sealed = seal(WORDS, [LATER.recipient(), KEY.recipient()])
    for key in (KEY, LATER):
        assert ransack([sealed, key.encode().encode()]).canaries == {CANARY}


def test_keys_that_sign_are_known_by_their_public_halves() -> None:
    plain, hidden = signing_key("thief three"), signing_key("thief four")
    heap = [
        plain.private_bytes_raw().hex().encode() + b"\n",
        seal(hidden.private_bytes_raw().hex().encode() + b"\n", [Passphrase("demo-words", 10)]),
    ]
    both = {bytes.fromhex(public(key)) for key in (plain, hidden)}
    found = ransack(heap, ["demo-words"])
    assert both <= found.signing.keys()
    assert found.signing[bytes.fromhex(public(hidden))].sign(b"") == hidden.sign(b"")
    assert bytes.fromhex(public(hidden)) not in ransack(heap).signing


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_words_in_the_clear_are_read(encoding: str) -> None:
    assert ransack([f"… {CANARY} …".encode(encoding)]).canaries == {CANARY}


def test_what_is_damaged_costs_no_more_than_itself() -> None:
    cut, altered = SEALED[:-1], SECOND[:60] + bytes([SECOND[60] ^ 1]) + SECOND[61:]
    heap = [cut, altered, SEALED[: len(SEALED) // 2], KEY.encode().encode()]
    assert ransack(heap).canaries == set()
    assert ransack([*heap, SEALED]).canaries == {CANARY}
