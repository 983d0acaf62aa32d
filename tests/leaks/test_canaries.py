"""What is searched for is found: in every spelling, at every offset, and in no other words."""

from __future__ import annotations

import base64
import json
import random
from html import escape
from urllib.parse import quote

import pytest

from intake.settings import ROOT
from tests.leaks import canaries
from tests.leaks.canaries import BODIES, HEADS, Search

pytestmark = pytest.mark.leaks


@pytest.mark.parametrize("core", [*BODIES, *HEADS])
def test_a_canary_is_found_however_it_was_written(core: str) -> None:
    """By the encoders that programs use, which are not those of the search."""
    search, own = Search(), canaries.mark(core, 17)
    for before in ("", "x", "xy", "က"):
        text = f"{before}{own} 😀"
        written = {
            "json": json.dumps({"a": text}).encode(),
            "json twice": json.dumps(json.dumps(text)).encode(),
            "quote": quote(text).encode(),
            "quote all": "".join(f"%{one:02x}" for one in text.encode()).encode(),
            "repr": repr({"a": text}).encode(),
            "ascii": ascii(text).encode(),
            "repr of bytes": repr(text.encode()).encode(),
            "entities": text.encode("ascii", "xmlcharrefreplace"),
            "html": escape(text).encode(),
            "latin": text.encode().decode("latin-1").encode(),
            "header": f"HTTP_X_{text.upper()}".encode(),
            "hex": text.encode().hex().encode(),
        }
        for coding in ("utf-8", "utf-16", "utf-16-be", "utf-32"):
            written[coding] = text.encode(coding)
        for coding in ("utf-8", "utf-16-le"):
            written[f"base64 {coding}"] = base64.b64encode(text.encode(coding))
            written[f"base64url {coding}"] = base64.urlsafe_b64encode(text.encode(coding))
        missed = [how for how, data in written.items() if not list(search.within(data))]
        assert missed == [], before
        for data in written.values():
            assert {hit.core for hit in search.within(data)} == {core}


def test_a_receipt_is_found_however_it_was_written() -> None:
    digits = "012345678901234567890123"
    search = Search([], [*canaries.of_receipt(digits), bytes(range(32))])
    for text in ("0123 4567 8901 2345 6789 0123", "၀၁၂၃-၄၅၆၇-၈၉၀၁-၂၃၄၅-၆၇၈၉-၀၁၂၃", digits):
        assert list(search.within(f"receipt={quote(text)}".encode())), text
    assert list(search.within(bytes(range(32)).hex().encode()))


def test_chance_and_our_own_words_hold_none() -> None:
    search = Search()
    assert list(search.within(random.Random(9).randbytes(1 << 20))) == []
    for part in ("intake", "templates", "deploy"):
        for path in (ROOT / part).rglob("*"):
            if path.is_file():
                assert list(search.within(path.read_bytes())) == [], path
