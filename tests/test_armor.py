"""Armor: the one spelling inside, whatever mail did to the ends of lines, and nothing else."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake.age.armor import BEGIN, END, ArmorFailure, armored, dearmor


def lines(data: bytes) -> list[bytes]:
    text = base64.b64encode(data)
    return [BEGIN, *(text[i : i + 64] for i in range(0, len(text), 64)), END]


def armor(data: bytes, eol: bytes = b"\n") -> bytes:
    return eol.join([*lines(data), b""])


@given(st.binary(max_size=500))
def test_what_was_armored_comes_back(data: bytes) -> None:
    for text in (armor(data), armor(data, b"\r\n"), armor(data).rstrip(), b" \n\t" + armor(data)):
        assert armored(text)
        assert dearmor(text) == data
    assert dearmor(armor(data) + b"\r\n \n") == data


def test_a_binary_file_is_not_armored() -> None:
    assert not armored(b"age-encryption.org/v1\n" + BEGIN)
    assert not armored(b"")
    assert not armored(BEGIN.lower())


DATA = bytes(range(100))
FIRST, SECOND, LAST = lines(DATA)[1:4]
WRONG = {
    "nothing": b"",
    "only the begin": BEGIN,
    "no begin": b"\n".join([FIRST, SECOND, LAST, END]),
    "no end": b"\n".join([BEGIN, FIRST, SECOND, LAST]),
    "garbage before": b"x\n" + armor(DATA),
    "garbage after": armor(DATA) + b"x\n",
    "another kind": armor(DATA).replace(b"AGE ENCRYPTED FILE", b"PGP MESSAGE"),
    "lower case": armor(DATA).replace(b"BEGIN AGE", b"BEGIN age"),
    "a header line": armor(DATA).replace(FIRST, b"Comment: none\n\n" + FIRST),
    "empty line at the start": armor(DATA).replace(FIRST, b"\n" + FIRST),
    "empty line at the end": armor(DATA).replace(END, b"\n" + END),
    "a short line": armor(DATA).replace(FIRST, FIRST[:60] + b"\n" + FIRST[60:]),
    "a long line": armor(DATA).replace(FIRST + b"\n" + SECOND, FIRST + SECOND),
    "space at the end of a line": armor(DATA).replace(FIRST, FIRST + b" "),
    "space at the start of a line": armor(DATA).replace(FIRST, b" " + FIRST),
    "CR alone": armor(DATA, b"\r"),
    "no padding": armor(DATA).replace(b"=", b""),
    "padding and more": armor(DATA).replace(END, b"AAAA\n" + END),
    "URL-safe alphabet": armor(b"\xff" * 48).replace(b"/", b"_"),
    "not canonical": armor(b"\x00").replace(b"AA==", b"AB=="),
    "lone character": armor(b"\x00").replace(b"AA==", b"A"),
    "not ASCII": armor(DATA).replace(LAST, "အ".encode()),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_armor_outside_the_grammar_is_refused(wrong: bytes) -> None:
    assert wrong != armor(DATA)
    with pytest.raises(ArmorFailure):
        dearmor(wrong)


def test_a_refusal_repeats_nothing() -> None:
    with pytest.raises(ArmorFailure) as caught:
        dearmor(BEGIN + b"\ncanary\n" + END)
    assert "canary" not in str(caught.value) + caught.value.hint
