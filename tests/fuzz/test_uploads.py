"""Bodies with files: what any browser, and anything that is no browser, sends under a receipt.

Rules:
- Two texts of one body are no two files, so "equal" means: every file that was found is, byte for
  byte, what stands in the body after the head of a part and before the next line of the boundary,
  and nothing in it is such a line.
- The most mutants go through all that reads; fewer through the sealing and the store as well, where
  nothing may be stored but whole files, as many as the answer says.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from intake import errors
from intake.form import LETTER_WA
from intake.receipt import check_digit
from intake.server import uploads
from intake.server.uploads import Limits
from tests.fuzz.mutations import EDIT, FEW, MANY, Reader, Way, edited, outside, tiers
from tests.site_maker import make_site
from tests.upload_maker import BOUNDARY, DIGITS, Part, body, file, files, first, request, send

LIMITS = Limits(3, 90_000)
WHOLE = body(first(), file("သက်သေ.jpg", b"\xff\xd8\r\n--\r\n" * 50), file("", b""), file("b", b"b"))
OTHER = body(first(), file("\u202ea\\", f"\r\n--{BOUNDARY[:-1]}\r\n".encode() * 40), file("c", b""))
LINE = re.compile(b"[\r\n]--" + BOUNDARY.encode() + b"(--|[\r\n])")
Found = tuple[str, list[tuple[str, bytes]]]


class Refused(errors.BadRequest):
    """The site's refusal of a body, as one of ours, so that a reader of files is like it."""


def read(data: bytes) -> Found:
    """Read a body as ``uploads.receive`` does, and keep what it would store."""
    try:
        events = uploads._events(request(data))
        digits = uploads._digits(events)
        names = uploads._parts(events, uploads._OUR_FILE)
        return digits, [(name, b"".join(uploads._data(events))) for name in names]
    except HTTPException as error:
        raise Refused(str(error.code)) from None


def same(found: Found, data: bytes) -> bool:
    """Return whether every file stands in the body just so."""
    digits, listed = found
    return _typed(digits, data) and all(_stands(name, content, data) for name, content in listed)


def _typed(digits: str, data: bytes) -> bool:
    """Return whether a receipt is that of the body, or another right one that stands in it."""
    text = data.decode("utf-8", "replace").replace(LETTER_WA, "0")
    there = "".join(str(int(sign)) for sign in text if sign.isdecimal())
    return digits == DIGITS or (digits in there and check_digit(digits[:-1]) == digits[-1])


def _stands(name: str, content: bytes, data: bytes) -> bool:
    after = (b"\r\n", b"\r", b"\n")
    line = b"--" + BOUNDARY.encode()
    there = any(blank + content + end + line in data for blank in after for end in after)
    there |= not content and line in data
    unfolded = re.sub(b"(\r\n|\r|\n)[ \t]", b" ", data)
    return there and f'filename="{name}"'.encode() in unfolded and not LINE.search(content)


HEADS = st.sampled_from(
    [
        *("", "; name=file", '; name="file"', '; name="receipt"', '; name="file"; filename=""'),
        *('; name="file"; filename="a\\"', '; name="file"; filename*=utf-8\'\'%ff; filename="a"'),
        *('; name="file"; filename="' + "က" * 9000 + '"', '; name="receipt"; filename="x"'),
        *('; name="file"; filename="x"\r\nContent-Disposition: x', "\r\n\r\n", '; name="fil"'),
        *('; name="file"; filename="\x00\u2028"', '; name="file"; filename="x"\r\n  ; folded="y"'),
        *("; " * 20_000, '; name="file"; filename="' + "a" * 70_000 + '"'),
    ]
)
CONTENT = st.sampled_from(
    [
        *(b"", b"\r", b"\n", b"\r\n", b"--", f"--{BOUNDARY}".encode(), DIGITS.encode()),
        *(f"\r\n--{BOUNDARY}".encode(), f"\n--{BOUNDARY}--".encode(), b"\r\n" * 20_000),
        *(b"x" * 31_999, b"x" * 32_001, b"y" * 90_001, b"\r\n--" * 20_000),
    ]
)


def parts_way() -> Way:
    """Return the way that puts other parts in, in any order, and changes bytes."""
    parts = st.lists(st.tuples(HEADS, CONTENT), max_size=5)
    recipes = st.tuples(parts, st.integers(0, 1 << 16), st.lists(EDIT, max_size=2))

    def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        more, place, edits = recipe
        own: list[Part] = [first(), file("သက်သေ", b"canary"), file("b", b"b" * (step * 5000))]
        at = (place + step) % 5
        data = body(*own[:at], *more, *own[at:])
        return edited(data, edits, place + step, len(data))

    return recipes, build


WAYS = [outside(WHOLE, OTHER), outside(OTHER, WHOLE), parts_way()]


@tiers(MANY)
def test_a_body_with_files(count: int) -> None:
    Reader(
        valid=WHOLE,
        read=read,
        same=same,
        ways=WAYS,
        refused=(Refused,),
        reached=["400", "413"],
        weight=6,  # a buffer that grows, its copy, and what is cut from it
    ).fuzz(count)


@tiers(FEW // 5, fast=20)
def test_a_body_with_files_through_the_store(tmp_path: Path, count: int) -> None:
    """What is stored is whole, and as many files as the answer says; after a refusal, nothing."""
    site = make_site(tmp_path)
    empty = (site.settings.data / "intake.db").read_bytes()

    def stored(data: bytes) -> tuple[str, int, str]:
        (site.settings.data / "intake.db").write_bytes(empty)
        try:
            found = send(site, data, LIMITS)
        except HTTPException as error:
            assert not site.store.counts()
            raise Refused(str(error.code)) from None
        assert len(files(site)) == found.stored  # and asserts that all of them are whole
        return found.digits, found.stored, found.trouble

    Reader(
        valid=WHOLE,
        read=stored,
        same=lambda found, data: _typed(found[0], data) and found[1] <= LIMITS.files,
        ways=WAYS,
        refused=(Refused,),
        reached=["400", "413"],
        weight=4,
    ).fuzz(count)
