"""Form bodies: what any browser, and anything that is no browser, posts to the site.

Rules:
- Urlencoding has many spellings of one text, so for a body "equal" means: the fields are, character
  for character, those that a second decoder finds, written out here from the standard (WHATWG URL,
  section 5.1). Nothing is lost, moved or repaired; U+FFFD appears only where somebody typed it.
- The most mutants go through ``read_fields``, ``pop_seed`` and ``Form.validate`` with a real
  request; fewer through the whole site, headers and all, where no answer may be a defect (500).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

from flask import Request
from hypothesis import strategies as st
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from intake import errors, form
from intake.form import Errors, Form, Sentence
from intake.server import requests
from intake.settings import FORM
from tests.fuzz.mutations import EDIT, FEW, MANY, Reader, Way, edited, outside, tiers
from tests.site_maker import LEAST, ORIGIN, make_site

TODAY = date(2026, 11, 20)
DECLARED = Form.load(FORM)
LIMIT = DECLARED.body_limit()
SEED = bytes(range(32))
FULL: dict[str, Any] = {
    "_seed": SEED.hex(),
    "_fill": "o" * 9,
    **LEAST,
    "account": "တပ်ရင်းမှူးက ပစ်ခိုင်းတယ်။\r\n😀 & = + %",
    "unit_no": "၅၂၈",
    "rank": "SGT",
    "left-year": "2021",
    "left-month": "2",
    "left-day": "3",
}
BODY = urlencode(FULL, doseq=True).encode()
OTHER = urlencode({**LEAST, "vet_hint": "ေျပာျပခ်င္တယ္", "_seed": "ab" * 32}, doseq=True).encode()
Fields = dict[str, list[str]]
Read = tuple[Fields, bytes | None, form.Testimony | Errors]


class TooMuch(errors.BadRequest):
    """The site's refusal of a body, as one of ours, so that a reader of files is like it."""


def read(body: bytes, kind: str = requests.URLENCODED) -> Read:
    environ = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    request = Request({**environ, "CONTENT_TYPE": kind, "REQUEST_METHOD": "POST"})
    try:
        fields = requests.read_fields(request, LIMIT)
    except (BadRequest, RequestEntityTooLarge) as error:
        raise TooMuch(str(error.code)) from None
    kept = {name: list(values) for name, values in fields.items()}
    seed = requests.pop_seed(fields)
    return kept, seed, DECLARED.validate(fields, TODAY)


def decoded(body: bytes) -> Fields | None:
    """Return the fields of an urlencoded body; None if it is none, or not UTF-8."""
    fields: Fields = {}
    for pair in body.split(b"&") if body else []:
        name, equals, value = pair.partition(b"=")
        if not equals:
            return None
        try:
            words = [_unescaped(part).decode() for part in (name, value)]
        except UnicodeDecodeError:
            return None
        fields.setdefault(words[0], []).append(words[1])
    return fields


def _unescaped(text: bytes) -> bytes:
    first, *parts = text.replace(b"+", b" ").split(b"%")
    digits = b"0123456789abcdefABCDEF"
    for part in parts:
        right = len(part) > 1 and part[0] in digits and part[1] in digits
        first += bytes([int(part[:2], 16)]) + part[2:] if right else b"%" + part
    return first


def same(found: Read, body: bytes) -> bool:
    """Compare with the second decoder, and look at what was made of the fields."""
    fields, seed, outcome = found
    seeds = fields.get("_seed", [])
    right = seed is None or seeds == [seed.hex()]
    expected = decoded(body) or {}
    filler = expected.pop("_fill", [])
    return fields == expected and len(filler) < 2 and right and sound(outcome, fields)


def sound(outcome: form.Testimony | Errors, fields: Fields) -> bool:
    """Return whether every answer was typed just so, and every error is one of our sentences."""
    if isinstance(outcome, Errors):
        return set(outcome.values()) <= set(Sentence) and outcome.keys() == outcome.numbers.keys()
    exact = {k: q.kind for q in DECLARED.questions() for k in [q.key] if q.kind in {"text", "one"}}
    answers = outcome.answers
    typed = {k: [v.replace("\r\n", "\n") for v in fields[k]] for k in exact if k in answers}
    known = fields.keys() - {"_seed"} <= set(DECLARED.names())
    size = len(outcome.canonical()) <= DECLARED.worst_case()
    return known and size and all([answers[k]] == v for k, v in typed.items())


NAMES = st.sampled_from(
    [*DECLARED.names(), "_seed", "_fill", "", "surprise", "account ", "Account"]
)
TYPED = st.text(max_size=12) | st.sampled_from(
    [
        *(
            "yes",
            "no",
            "army",
            "skip",
            "certify",
            "SGT",
            "0",
            "2021",
            "2",
            "30",
            "9999",
            "-1",
            "1e3",
        ),
        *("၅၂၈", "ဝ၂", "٣", "²", "1" * 400, "0" * 5000, SEED.hex(), SEED.hex().upper(), "00" * 31),
        *(
            "x" * 2001,
            "က" * 2000,
            "😀" * 2000,
            " ",
            "\x00",
            "\r",
            "\r\n" * 2000,
            "<script>",
            "\u202e",
        ),
    ]
)
ESCAPES: Mapping[str, Callable[[str], str]] = {
    "browser": quote_plus,
    "lower": lambda text: quote_plus(text).lower(),
    "all": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "twice": lambda text: quote_plus(quote_plus(text)),
    "half": lambda text: quote_plus(text)[:-1],
    "latin": lambda text: quote_plus(text, encoding="utf-16"),
    "none": lambda text: text,
}


def typed_way() -> Way:
    """Return the way that changes, doubles and drops fields, in any escape."""
    changes = st.lists(st.tuples(NAMES, TYPED, st.sampled_from(sorted(ESCAPES))), max_size=4)
    recipes = st.tuples(changes, st.integers(0, 1200), st.lists(EDIT, max_size=1))
    base = [(name, value) for name, values in FULL.items() for value in _list(values)]

    def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        changes, many, edits = recipe
        pairs = [(k, v, "browser") for k, v in base]
        for number, change in enumerate(changes):
            at = (many + step * 7 + number) % len(pairs)
            pairs[at : at + (many + step) % 3] = [change]
        if many > 800:
            pairs += [("surprise", str(step), "browser")] * many
        text = "&".join(f"{ESCAPES[how](k)}={ESCAPES[how](v)}" for k, v, how in pairs)
        return edited(text.encode(), edits, step, len(text))

    return recipes, build


def _list(values: str | list[str]) -> Sequence[str]:
    return [values] if isinstance(values, str) else values


@tiers(MANY)
def test_a_form_body(count: int) -> None:
    Reader(
        valid=BODY,
        read=read,
        same=same,
        ways=[outside(BODY, OTHER), typed_way()],
        refused=(TooMuch,),
        reached=["400", "413"],
        weight=200,  # urllib takes every escaped byte apart; the body has its limit
    ).fuzz(count)


HEADERS = [
    {},
    {"Origin": f"http://{'e' * 56}.onion"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Host": "a b/\\@[::1]:x"},
    {"Content-Length": "99999999999999999999"},
    {"Content-Length": "-1"},
    {"Content-Length": "٣"},
    {"Transfer-Encoding": "chunked"},
    {"Accept-Encoding": "gzip;q=x, *;q=--, ,;"},
    {"Content-Encoding": "gzip"},
]
KINDS = [
    *[requests.URLENCODED] * 12,
    *("application/x-www-form-urlencoded; charset=UTF-8", "text/plain", "", ";", "a/b; charset"),
    *(
        "multipart/form-data; boundary=x",
        "application/json",
        "application/x-www-form-urlencoded;;=",
    ),
    "application/x-www-form-urlencoded; charset*=utf-8''%ff; charset=\x80",
    "application/x-www-form-urlencoded; charset*0=ut; charset*1=f-8",
]


@tiers(FEW // 5, fast=20)
def test_a_form_body_with_its_headers_through_the_whole_site(tmp_path: Path, count: int) -> None:
    """No answer is a defect, and a row is stored exactly where a receipt is shown."""
    site = make_site(tmp_path)
    client, store = site.client(), site.store
    stored: set[bytes] = set()

    def answer(data: bytes) -> tuple[int, bool]:
        kind, headers, body = data.split(b"\n", 2)
        sent = {**ORIGIN, **HEADERS[int(headers)]}
        found = client.post("/en", data=body, content_type=KINDS[int(kind)], headers=sent)
        assert found.status_code in {200, 400, 403, 413, 415, 421}
        if found.status_code != 200:
            raise TooMuch(str(found.status_code))
        page = {row for period in store.counts() for row, _ in store.page(period, b"", 10**6)}
        fresh = bool(page - stored)
        stored.update(page)
        return found.status_code, fresh

    def headed(way: Way) -> Way:
        recipes = st.tuples(way[0], st.integers(0, 500), st.integers(0, 500))

        def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
            kind, header = (recipe[1] + step) % len(KINDS), (recipe[2] + step * 3) % 50
            head = b"%d\n%d\n" % (kind, header if header < len(HEADERS) else 0)
            return head + way[1](recipe[0], step)

        return recipes, build

    Reader(
        valid=b"0\n0\n" + BODY,
        read=answer,
        same=lambda found, _: found[0] == 200,
        ways=[headed(outside(BODY, OTHER)), headed(typed_way())],
        refused=(TooMuch,),
        reached=["400", "403", "415", "421"],
        weight=200,
        raw=False,
    ).fuzz(count)
