"""Replies, which two reviewers sealed, or whoever has a mailbox's recipient; and files in files.

A mailbox is read as the site reads it for its source. What begins like an age file of a source's
own is read as an import reads it, with the period's key.
"""

from __future__ import annotations

import json
from io import BytesIO

from intake import reply
from intake.age import unsealing
from intake.age.identity import Identity
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.desk import inner
from intake.errors import BadFile
from intake.reply import Reply
from intake.server import mailbox
from tests.fuzz.mutations import FEW, MANY, Made, Reader, inside, outside, tiers
from tests.makers import FIRST

MADE = Reply(reply.REPLY, FIRST, 1, "ကျေးဇူးတင်ပါတယ်။ 😀\nဘယ်တော့လဲ။")
OTHER = Reply(reply.NOTICE, FIRST)
LINE = MADE.plaintext().partition(b"\n")[0]
KEY = Identity.from_seed(bytes(32))
WORDS = "တပ်ရင်းက ပစ်ခိုင်းတယ်။ ".encode() * 2000  # more than two chunks of age


def padded(line: bytes, variant: int) -> bytes:
    """Return a reply's plaintext: mostly right padding, sometimes more, or too short."""
    tail = [b"\n", b"\n", b"\n", b"\n", b"", b"\nwords", b"\n\x00", b"\r\n"][variant % 8]
    return (line + tail).ljust(reply.PLAINTEXT - (variant // 8 % 37 == 0), b" ")


def same(found: Reply, mutant: bytes) -> bool:
    """Return whether a reply that was accepted is the bytes that it was read from."""
    whole = type(found.number) is int and isinstance(found.text, str)
    return whole and found.plaintext() == mutant


@tiers(MANY)
def test_a_reply(count: int) -> None:
    Reader(
        valid=MADE.plaintext(),
        read=mailbox.parse,
        same=same,
        ways=[
            outside(MADE.plaintext(), OTHER.plaintext(), len(LINE) + 2),
            inside(json.loads(LINE), padded),
        ],
        reached=["is none"],
    ).fuzz(count)


@tiers(FEW)
def test_a_reply_in_its_seal(count: int) -> None:
    sealed = reply.seal(MADE, KEY.recipient())
    other = reply.seal(OTHER, KEY.recipient())

    def within(line: bytes, variant: int) -> bytes:
        plaintext = padded(line, variant)
        return Made.of(seal(plaintext, [KEY.recipient()]), plaintext, MADE.plaintext())

    Reader(
        valid=sealed,
        read=lambda data: mailbox.parse(unseal(data, [KEY])),
        same=lambda found, data: same(found, unseal(data, [KEY])),
        ways=[
            outside(sealed, other, reply.SEALED - reply.PLAINTEXT),
            inside(json.loads(LINE), within),
        ],
        reached=["is none", "payload is damaged", "header is damaged", "None of the"],
    ).fuzz(count)


@tiers(FEW)
def test_a_file_that_its_source_sealed(count: int) -> None:
    """A key is given out only if it opens what begins so."""
    valid = seal(WORDS, [KEY.recipient()])
    other = seal(WORDS[::-1], [KEY.recipient()])

    def read(data: bytes) -> bytes:
        key = inner.key_of(data, [KEY])
        if key is None:
            raise BadFile("No key comes out of it.")
        return key

    def opens(key: bytes, data: bytes) -> bool:
        source = BytesIO(data)
        unsealing.read_key(source, key)
        return len(next(unsealing.chunks(source, key))) > 0

    Reader(
        valid=valid,
        read=read,
        same=opens,
        ways=[outside(valid, other, 2000)],
        reached=["No key comes out"],
    ).fuzz(count)
