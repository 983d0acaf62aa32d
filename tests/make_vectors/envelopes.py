"""Vectors of envelopes: what stands in 32,768 bytes, and under which row id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from intake import canonical, envelope, receipt
from intake.age.sealing import seal
from tests.make_vectors import Vector, respelled
from tests.makers import identity, make_deployment

MADE = make_deployment(weeks=1, reviewers=2)
PERIOD = "2026-w47"
SEED = bytes(range(32))  # as in section 4 of FORMAT.md
NONCE = receipt.nonce(SEED)
REPLY = receipt.reply_secret(MADE.deployment, receipt.receipt(SEED))
DECOY_ROW = bytes(16).hex()

UNKNOWN = "not an envelope that this version of Intake knows"
UNBOUND = "not the row id of these words"

BURMESE = "ရွာကို မီးရှို့ခိုင်းတယ်။\nကျွန်တော် ထွက်ပြေးခဲ့တယ်။"
ZAWGYI = "\u1031\u1019\u107e\u1004\u1039\u1038"  # visual order, as old phones type it
EMOJI = "👨‍👩‍👧‍👦 🇲🇲 \U0001fae0"
CONTROLS = "".join(map(chr, range(0x20))) + '\x7f\u0085\u2028\u202e\ufeff"\\/'

Draft = Mapping[str, Any]


def told(**answers: object) -> Draft:
    """Return the body of a testimony."""
    return {"answers": answers, "form": "cdm", "version": 1}


BODY = told(account=BURMESE, force="army", intent=["certify", "testify"])
FACTS: Draft = {
    "body": BODY,
    "case": receipt.case_tag(REPLY).hex(),
    "day": "2026-11-16",
    "keyring": {"sha256": MADE.keyring.sha256.hex(), "version": 1},
    "kind": "testimony",
    "language": "my",
    "nonce": NONCE.hex(),
    "reply": REPLY.hex(),
    "size": 0,
    "version": 1,
}
DECOY: Draft = {**FACTS, "body": {}, "kind": "decoy"}
SLICE: Draft = {**FACTS, "body": {"number": 1}, "kind": "slice", "size": 3}
END_BODY: Draft = {"name": "ဓာတ်ပုံ.jpg", "number": 2, "sha256": "11" * 32, "size": 32256}
END: Draft = {**SLICE, "body": END_BODY, "size": 0}
WORDS: Draft = {**FACTS, "kind": "words", "body": {"words": BURMESE}}
WITHDRAWAL: Draft = {**FACTS, "kind": "withdrawal", "body": {}}


def padded(data: bytes) -> bytes:
    """Return a whole plaintext."""
    return data.ljust(envelope.PLAINTEXT, b" ")


def plain(facts: object, content: bytes = b"") -> bytes:
    """Return the plaintext of these fields, spelled canonically."""
    return padded(canonical.dump(facts) + b"\n" + content)


def changed(**changes: object) -> bytes:
    """Return the testimony with other fields."""
    return plain({**FACTS, **changes})


def without(field: str) -> bytes:
    """Return the testimony that lacks a field."""
    return plain({key: value for key, value in FACTS.items() if key != field})


def spelled(old: str, new: str | bytes, facts: Draft = FACTS) -> bytes:
    """Return the plaintext with one piece of its line spelled otherwise, whatever that gives."""
    return padded(respelled(canonical.dump(facts), old, new) + b"\n")


def body_of(text: str) -> bytes:
    """Return a decoy, whose body may be any JSON, with this one."""
    return spelled('"body":{}', f'"body":{text}', DECOY)


def row_of(
    body: object, nonce: bytes = NONCE, content: bytes = b"", kind: str = "testimony"
) -> str:
    """Return the row id of an envelope that is no decoy."""
    before = b"" if kind == "testimony" else f"{kind}\n".encode()
    return receipt.submission_id(nonce, before + canonical.dump(body) + content).hex()


ROW = row_of(BODY)
LINE = canonical.dump(FACTS)
NOTHING = hashlib.sha256(b"").hexdigest()
SLICE_FILLED = envelope.PLAINTEXT - len(canonical.dump({**SLICE, "size": 32000})) - 1
FILLED = envelope.PLAINTEXT - len(canonical.dump({**FACTS, "body": told(account="")})) - 1

# name, comment, body, content, of what is no slice of a file, nor an end
NO_SLICES: list[tuple[str, str, object, bytes]] = [
    ("of-another-shape", "another field.", {"part": 1}, b"abc"),
    ("of-nothing", "no content.", {"number": 1}, b""),
    ("of-too-much", "32,001 bytes.", {"number": 1}, b"x" * (envelope.CONTENT + 1)),
    ("number-negative", "a number below 0.", {"number": -1}, b"abc"),
    ("number-true", "true is no number.", {"number": True}, b"abc"),
    ("number-text", "a text is no number.", {"number": "1"}, b"abc"),
    ("with-a-name", "a field more.", {"name": "", "number": 1}, b"abc"),
    ("of-null", "null.", None, b"abc"),
    ("end-with-content", "an end with content.", END_BODY, b"abc"),
    ("end-number-below", "fewer slices than its bytes need.", {**END_BODY, "number": 1}, b""),
    ("end-number-above", "more slices than its bytes need.", {**END_BODY, "number": 3}, b""),
    ("end-size-negative", "a size below 0.", {**END_BODY, "number": 0, "size": -1}, b""),
    ("end-size-true", "true is no size.", {**END_BODY, "number": 1, "size": True}, b""),
    ("end-hash-short", "31 bytes.", {**END_BODY, "sha256": "11" * 31}, b""),
    ("end-hash-upper-case", "hex in upper case.", {**END_BODY, "sha256": "AB" * 32}, b""),
    ("end-name-null", "null is no name.", {**END_BODY, "name": None}, b""),
    ("end-name-list", "a list is no name.", {**END_BODY, "name": ["a"]}, b""),
    ("end-without-name", "no name.", {k: v for k, v in END_BODY.items() if k != "name"}, b""),
    ("end-field", "a field more.", {**END_BODY, "type": "image/jpeg"}, b""),
]  # fmt: skip

# name, comment, fields, content
ACCEPTED: list[tuple[str, str, Draft, bytes]] = [
    ("testimony", "A testimony in Burmese.", FACTS, b""),
    ("testimony-without-answers", "Nothing was answered.", {**FACTS, "body": told()}, b""),
    ("testimony-zawgyi", "Text in Zawgyi's order is text.", {**FACTS, "body": told(account=ZAWGYI)},
     b""),
    ("testimony-emoji", "Characters beyond the Basic Multilingual Plane.",
     {**FACTS, "body": told(account=EMOJI)}, b""),
    ("testimony-controls", "Every control character, and what acts on terminals.",
     {**FACTS, "body": told(account=CONTROLS)}, b""),
    ("testimony-not-normalized", "Text is as typed: NFD stays NFD.",
     {**FACTS, "body": told(account="cafe\u0301 \u1014\u103a\u1037")}, b""),
    ("testimony-maximal", "The line and its LF fill all 32,768 bytes: there is no padding.",
     {**FACTS, "body": told(account="x" * FILLED)}, b""),
    ("testimony-of-another-shape", "A body that no form gives is kept, for a person to look at.",
     {**FACTS, "body": ["account", 1]}, b""),
    ("keys-beyond-bmp", "Keys sort by code point: U+FFEE before U+1F600.",
     {**FACTS, "body": told(**{"\uffee": "1", "\U0001f600": "2"})}, b""),
    ("twelve-deep", "Twelve levels, the line's object among them.",
     {**FACTS, "body": json.loads("[" * 11 + "]" * 11)}, b""),
    ("integers-of-15-digits", "The largest and the smallest integer.",
     {**FACTS, "body": [10**15 - 1, 1 - 10**15]}, b""),
    ("language-unknown", "To a reader, the language is any string.", {**FACTS, "language": ""},
     b""),
    ("keyring-0", "To a reader, the version of the keyring is any integer.",
     {**FACTS, "keyring": {**FACTS["keyring"], "version": 0}}, b""),
    ("day-first", "The first day that there is.", {**FACTS, "day": "0001-01-01"}, b""),
    ("day-last", "The last day that there is.", {**FACTS, "day": "9999-12-31"}, b""),
    ("day-leap", "A leap day.", {**FACTS, "day": "2028-02-29"}, b""),
    ("words", "Words that came later: the row id follows from them too.", WORDS, b""),
    ("words-empty", "No word.", {**WORDS, "body": {"words": ""}}, b""),
    ("words-zawgyi", "Text in Zawgyi's order.", {**WORDS, "body": {"words": ZAWGYI}}, b""),
    ("words-of-another-shape", "A body of no known shape is kept, for a person to look at.",
     {**WORDS, "body": {"text": BURMESE}}, b""),
    ("slice", "Content of every byte, LF and NUL among them.", {**SLICE, "size": 256},
     bytes(range(256))),
    ("slice-0", "The first slice of a file, with as many bytes as a slice has.",
     {**SLICE, "body": {"number": 0}, "size": envelope.CONTENT}, b"\0\n" * 16000),
    ("slice-of-spaces", "Content that looks like padding is content.", SLICE, b"   "),
    ("slice-maximal", "The content goes to the last byte, and is more than a slice has.",
     {**SLICE, "size": SLICE_FILLED}, b"\xff" * SLICE_FILLED),
    *((f"slice-{name}", f"Part of no file, and kept, for a person to look at: {comment}",
       {**SLICE, "body": body, "size": len(content)}, content)
      for name, comment, body, content in NO_SLICES),
    ("end", "The end of a file.", END, b""),
    ("end-of-nothing", "The end of a file that has no byte, and no name.",
     {**END, "body": {**END_BODY, "name": "", "number": 0, "sha256": NOTHING, "size": 0}}, b""),
    ("end-with-a-path", "A name is a text, whatever it looks like.",
     {**END, "body": {**END_BODY, "name": "../\u202egpj.\x1b[31m\0/etc/passwd"}}, b""),
    ("end-with-the-longest-name", "A name of 4,096 characters of six bytes each.",
     {**END, "body": {**END_BODY, "name": "\x01" * 4096}}, b""),
    ("withdrawal", "A withdrawal.", WITHDRAWAL, b""),
    ("withdrawal-of-null", "A body of no known shape.", {**WITHDRAWAL, "body": None}, b""),
    ("decoy-with-content", "A decoy may have content, and means nothing.", {**DECOY, "size": 3},
     b"abc"),
    ("decoy", "Means nothing, and its row id follows from nothing.", DECOY, b""),
]  # fmt: skip

# name, rule, comment, plaintext; the base is "testimony"
TESTIMONY: list[tuple[str, str, str, bytes]] = [
    ("empty", "5", "No byte.", b""),
    ("too-short", "5", "32,767 bytes.", plain(FACTS)[:-1]),
    ("too-long", "5", "32,769 bytes.", plain(FACTS) + b" "),
    ("no-line-feed", "5", "The line is not ended.", padded(LINE)),
    ("crlf", "1", "The line ends in CR LF.", padded(LINE + b"\r\n")),
    ("byte-order-mark", "1", "A byte order mark before the line.",
     padded(b"\xef\xbb\xbf" + LINE + b"\n")),
    ("utf-16", "1", "The line in UTF-16.", padded(LINE.decode().encode("utf-16-le") + b"\n")),
    ("not-utf-8", "1", "A byte that UTF-8 has not, 0xff, in the language.",
     spelled('"my"', b'"\xff"')),
    ("overlong-utf-8", "1", "U+006D in two bytes.", spelled('"my"', b'"\xc1\xady"')),
    ("surrogate-bytes", "1", "A lone surrogate in three bytes.",
     spelled('"my"', b'"\xed\xa0\x80"')),
    ("surrogate-escaped", "2", "A lone surrogate, escaped.", spelled('"my"', r'"\ud800"')),
    ("control-unescaped", "2", "A line feed of the text stands as it is.", spelled(r"\n", b"\t")),
    ("space-before", "2", "White space before the line.", padded(b" " + LINE + b"\n")),
    ("space-after", "2", "White space after the line.", padded(LINE + b" \n")),
    ("space-after-colon", "2", "White space after a colon.", spelled('"size":0', '"size": 0')),
    ("space-after-comma", "2", "White space after a comma.", spelled(',"size"', ', "size"')),
    ("keys-unsorted", "2", "version before size.",
     spelled('"size":0,"version":1}', '"version":1,"size":0}')),
    ("keys-unsorted-deep", "2", "Keys of the body out of order.",
     spelled('"form":"cdm","version":1},', '"version":1,"form":"cdm"},')),
    ("key-twice", "2", "A key twice, with one value.", spelled('"size":0', '"size":0,"size":0')),
    ("key-twice-other-first", "2", "A key twice; a reader that keeps the last sees what is right.",
     spelled('"size":0', '"size":1,"size":0')),
    ("key-twice-other-last", "2", "A key twice; a reader that keeps the first sees what is right.",
     spelled('"size":0', '"size":0,"size":1')),
    ("key-twice-deep", "2", "A key of the body twice.",
     spelled('"form":"cdm"', '"form":"cdm","form":"cdm"')),
    ("float", "2", "0.0 for 0.", spelled('"size":0', '"size":0.0')),
    ("exponent", "2", "0e0 for 0.", spelled('"size":0', '"size":0e0')),
    ("minus-zero", "2", "-0 for 0.", spelled('"size":0', '"size":-0')),
    ("leading-zero", "2", "00 for 0.", spelled('"size":0', '"size":00')),
    ("escaped-letter", "2", "A letter escaped that need not be.",
     spelled('"army"', r'"\u0061rmy"')),
    ("escaped-burmese", "2", "A Burmese letter escaped.", spelled('"ရွာ', r'"\u101bွာ')),
    ("escaped-slash", "2", "A slash escaped.", spelled('"my"', r'"m\/"')),
    ("escaped-long", "2", "A line feed as \\u000a.", spelled(r"\n", r"\u000a")),
    ("escaped-upper-case", "2", "U+001F in upper-case hex.", spelled('"my"', r'"\u001F"')),
    ("escaped-delete", "2", "U+007F escaped, which is no control character here.",
     spelled('"my"', r'"\u007f"')),
    ("escaped-key", "2", "A key escaped.", spelled('"size"', r'"\u0073ize"')),
    ("trailing-comma", "2", "A comma before the last brace.",
     spelled('"size":0,"version":1}', '"size":0,"version":1,}')),
    ("second-value", "2", "Something after the value.", padded(LINE + b"1\n")),
    ("case-upper-case", "1", "Hex in upper case.", changed(case=FACTS["case"].upper())),
    ("case-spaces", "1", "Hex with a space between two bytes.",
     changed(case=FACTS["case"][:4] + " " + FACTS["case"][4:])),
    ("case-spaces-around", "1", "Hex with white space around it.",
     changed(case=f" {FACTS['case']}\n")),
    ("case-prefix", "1", "Hex with 0x before it.", changed(case="0x" + FACTS["case"])),
    ("case-burmese-digits", "1", "Hex with Burmese digits.", changed(case="၁" * 32)),
    ("case-fullwidth-digits", "1", "Hex with fullwidth digits.", changed(case="\uff11" * 32)),
    ("case-odd", "1", "31 digits.", changed(case=FACTS["case"][:-1])),
    ("case-short", "5", "15 bytes.", changed(case=FACTS["case"][:-2])),
    ("case-long", "5", "17 bytes.", changed(case=FACTS["case"] + "00")),
    ("case-empty", "5", "No byte.", changed(case="")),
    ("case-null", "5", "null is no hex.", changed(case=None)),
    ("case-number", "5", "A number is no hex.", changed(case=1)),
    ("case-array", "5", "A list is no hex.", changed(case=[])),
    ("nonce-short", "5", "31 bytes.", changed(nonce=FACTS["nonce"][:-2])),
    ("reply-short", "5", "31 bytes.", changed(reply=FACTS["reply"][:-2])),
    ("reply-upper-case", "1", "Hex in upper case.", changed(reply=FACTS["reply"].upper())),
    ("day-that-is-not", "1", "30 February.", changed(day="2026-02-30")),
    ("day-no-leap", "1", "29 February of a year that has none.", changed(day="2100-02-29")),
    ("day-short", "1", "2026-2-3.", changed(day="2026-2-3")),
    ("day-without-hyphens", "1", "20261116.", changed(day="20261116")),
    ("day-as-week", "1", "The same day as ISO 8601 counts weeks.", changed(day="2026-W47-1")),
    ("day-with-time", "1", "A day with a time.", changed(day="2026-11-16T00:00")),
    ("day-with-space", "1", "A day with a space.", changed(day="2026-11-16 ")),
    ("day-with-line-feed", "1", "A day with a line feed.", changed(day="2026-11-16\n")),
    ("day-burmese-digits", "1", "A day in Burmese digits.", changed(day="၂၀၂၆-၁၁-၁၆")),
    ("day-month-13", "1", "Month 13.", changed(day="2026-13-01")),
    ("day-0", "1", "Day 0.", changed(day="2026-11-00")),
    ("day-year-0", "1", "There is no year 0.", changed(day="0000-11-16")),
    ("day-year-10000", "1", "A year of five digits.", changed(day="10000-11-16")),
    ("day-sign", "1", "A year with a sign.", changed(day="+2026-11-16")),
    ("day-null", "1", "null is no day.", changed(day=None)),
    *((f"without-{field}", "5", f"No field {field}.", without(field)) for field in FACTS),
    ("unknown-field", "5", "A field that this version does not know.", changed(time="12:00")),
    ("version-2", "5", "Another version.", changed(version=2)),
    ("version-true", "5", "true is not 1.", changed(version=True)),
    ("version-text", "5", "A text is no version.", changed(version="1")),
    ("kind-unknown", "5", "A kind that is none.", changed(kind="rumour")),
    ("kind-upper-case", "5", "Testimony.", changed(kind="Testimony")),
    ("kind-null", "5", "null is no kind.", changed(kind=None)),
    ("kind-array", "5", "A list is no kind.", changed(kind=["testimony"])),
    ("language-null", "5", "null is no language.", changed(language=None)),
    ("language-number", "5", "A number is no language.", changed(language=1)),
    ("keyring-array", "5", "A list is no keyring.",
     changed(keyring=[1, FACTS["keyring"]["sha256"]])),
    ("keyring-null", "5", "null is no keyring.", changed(keyring=None)),
    ("keyring-unknown-field", "5", "A field of the keyring that this version does not know.",
     changed(keyring={**FACTS["keyring"], "name": ""})),
    ("keyring-without-version", "5", "The keyring has no version.",
     changed(keyring={"sha256": FACTS["keyring"]["sha256"]})),
    ("keyring-version-true", "5", "true is not 1.",
     changed(keyring={**FACTS["keyring"], "version": True})),
    ("keyring-version-text", "5", "A text is no version.",
     changed(keyring={**FACTS["keyring"], "version": "1"})),
    ("keyring-hash-short", "5", "A hash of 31 bytes.",
     changed(keyring={**FACTS["keyring"], "sha256": "11" * 31})),
    ("no-object", "5", "The line is a list.", plain(list(FACTS.items()))),
    ("no-object-but-text", "5", "The line is a text.", plain("testimony")),
    ("testimony-with-content", "5", "A testimony has no content.",
     plain({**FACTS, "size": 3}, b"abc")),
    ("words-with-content", "5", "Words have no content.",
     plain({**WORDS, "size": 3}, b"abc")),
    ("withdrawal-with-content", "5", "A withdrawal has no content.",
     plain({**WITHDRAWAL, "size": 3}, b"abc")),
    ("testimony-with-spaces", "5", "Content of a testimony that looks like its padding.",
     changed(size=1)),
    ("padding-last-byte", "5", "The last byte of the padding is a NUL.", plain(FACTS)[:-1] + b"\0"),
    ("padding-first-byte", "5", "The first byte of the padding is a tab.", padded(LINE + b"\n\t")),
    ("padding-line-feed", "5", "Padding with an LF.", padded(LINE + b"\n\n")),
    ("padding-hides", "5", "A word in the padding.", plain(FACTS)[:-9] + b"rosa     "),
    ("size-negative", "5", "-1 bytes of content.", changed(size=-1)),
    ("size-null", "5", "null is no size.", changed(size=None)),
    ("size-text", "5", "A text is no size.", changed(size="0")),
    ("size-false", "5", "false is not 0.", changed(size=False)),
]  # fmt: skip

# As above; the base is "decoy", whose body may be any JSON.
JSON: list[tuple[str, str, str, bytes]] = [
    ("body-sixteen-digits", "2", "An integer of 16 digits.", body_of("1000000000000000")),
    ("body-minus-sixteen-digits", "2", "A negative integer of 16 digits.",
     body_of("-1000000000000000")),
    ("body-float", "2", "A number with a fraction.", body_of("0.5")),
    ("body-large-exponent", "2", "A number that overflows to infinity.", body_of("1e999")),
    ("body-nan", "2", "NaN, which some parsers know.", body_of("NaN")),
    ("body-infinity", "2", "Infinity, which some parsers know.", body_of("-Infinity")),
    ("body-thirteen-deep", "2", "Thirteen levels, the line's object among them.",
     body_of("[" * 12 + "]" * 12)),
    ("body-thirteen-deep-in-objects", "2", "Thirteen levels of objects.",
     body_of('{"a":' * 12 + "1" + "}" * 12)),
    ("body-endlessly-deep", "2", "Fifteen thousand levels.", body_of("[" * 15000 + "]" * 15000)),
    ("body-keys-by-utf-16", "2", "Keys sorted by UTF-16 unit, as RFC 8785 has them.",
     body_of('{"\U0001f600":1,"\uffee":2}')),
    ("body-surrogate-pair-escaped", "2", "An emoji as two escaped surrogates.",
     body_of(r'"\ud83d\ude00"')),
    ("body-surrogate-as-key", "2", "A lone surrogate as a key.", body_of(r'{"\udfff":1}')),
    ("body-comment", "2", "A comment.", body_of("[1/**/]")),
    ("body-single-quotes", "2", "Single quotes.", body_of("'a'")),
    ("body-python", "2", "True with a capital.", body_of("True")),
]  # fmt: skip

# As above; the base is "slice", which has content: "abc".
CONTENT: list[tuple[str, str, str, bytes]] = [
    ("size-below", "5", "The size is one less than the content.",
     plain({**SLICE, "size": 2}, b"abc")),
    ("size-beyond", "5", "The size goes one byte beyond the end.",
     plain({**SLICE, "size": 40000}, b"abc")),
    ("size-true", "5", "true is not 1.", plain({**SLICE, "size": True}, b"a")),
    ("size-float", "2", "A size with a fraction.", spelled('"size":3', '"size":3.0', SLICE)),
]  # fmt: skip

# name, comment, fields, content, row id; the base is the accepted vector called as the kind
ROWS: list[tuple[str, str, Draft, bytes, str]] = [
    ("row-of-other-words", "The row id is that of other words.", FACTS, b"",
     row_of(told(account="other words"))),
    ("row-of-another-form", "The row id is that of another nonce.", FACTS, b"",
     row_of(BODY, bytes(32))),
    ("row-zeros", "The row id is one that the server made up.", FACTS, b"", DECOY_ROW),
    ("row-of-words", "Later words under a row id that does not follow from them.", WORDS, b"",
     DECOY_ROW),
    ("row-of-a-slice", "A slice under a row id that does not follow from it.", SLICE, b"abc",
     DECOY_ROW),
    ("row-of-other-content", "The row id is that of a slice with another last byte.", SLICE, b"abc",
     row_of(SLICE["body"], content=b"abd", kind="slice")),
    ("row-without-the-content", "The row id follows from the body alone.", SLICE, b"abc",
     row_of(SLICE["body"], kind="slice")),
    ("row-with-the-padding", "The row id follows from what is padding, too.", SLICE, b"abc",
     row_of(SLICE["body"], content=b"abc ", kind="slice")),
    ("row-of-an-end", "An end under the row id of another name.", END, b"",
     row_of({**END_BODY, "name": ""}, kind="slice")),
    ("row-of-a-testimony", "Words under the row id that a testimony with their body has.", WORDS,
     b"", row_of(WORDS["body"])),
    ("row-of-another-kind", "A testimony under the row id that a slice with its body has.", FACTS,
     b"", row_of(BODY, kind="slice")),
    ("row-of-a-withdrawal", "A withdrawal that was moved to another row.", WITHDRAWAL, b"",
     DECOY_ROW),
]  # fmt: skip


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    for name, comment, facts, content in ACCEPTED:
        yield _accepted(name, comment, facts, content, plain(facts, content))
    tables = {"testimony": (ROW, TESTIMONY), "decoy": (DECOY_ROW, JSON)}
    tables["slice"] = row_of(SLICE["body"], content=b"abc", kind="slice"), CONTENT
    for base, (row, table) in tables.items():
        for name, rule, comment, body in table:
            yield _refused(name, comment, body, rule=rule, row=row, base=base)
    for name, comment, facts, content, row in ROWS:
        body, base = plain(facts, content), str(facts["kind"])
        yield _refused(name, comment, body, row=row, says=UNBOUND, base=base)
    yield from _sealed()


def slice_of(name: str, facts: Draft) -> str:
    """Return what must come out of the vector of a slice; nothing if it is no file's."""
    if name == "slice-maximal" or name.removeprefix("slice-") in {one[0] for one in NO_SLICES}:
        return ""
    file = hashlib.sha256(NONCE).hexdigest()[:32]
    told = {"end": not facts["size"], "file": file, "number": facts["body"]["number"]}
    return canonical.dump(told).decode()


def _accepted(
    name: str, comment: str, facts: Draft, content: bytes, body: bytes, **more: str
) -> Vector:
    bound = facts["kind"] != "decoy"
    row = row_of(facts["body"], content=content, kind=facts["kind"]) if bound else DECOY_ROW
    digest = hashlib.sha256(canonical.dump(facts["body"])).hexdigest()
    out = {"kind": facts["kind"], "day": facts["day"], "case": facts["case"], "body-sha256": digest}
    told = {"layer": "plaintext", **more, "row": row, **out}
    if facts["kind"] == "slice":
        told["slice"] = slice_of(name, facts) or "-"
    sealed = "identity" in more
    return Vector(kind="envelope", name=name, comment=comment, body=body, facts=told, sealed=sealed)


def _refused(  # noqa: PLR0913 - what a row may say
    name: str,
    comment: str,
    body: bytes,
    *,
    row: str,
    base: str,
    rule: str = "5",
    says: str = UNKNOWN,
    **more: str,
) -> Vector:
    return Vector(
        kind="envelope",
        name=name,
        comment=comment,
        body=body,
        rule=rule,
        says=says,
        base=base,
        facts={"layer": "plaintext", **more, "row": row},
        sealed="identity" in more,
    )


def _sealed() -> Iterator[Vector]:
    key = MADE.periods[PERIOD]
    inside = plain(FACTS)
    sealed = seal(inside, [key.recipient()])
    here = {"layer": "sealed", "identity": key.encode()}
    yield _accepted("sealed", "A row as the server stores it.", FACTS, b"", sealed, **here)
    other = {**here, "identity": identity("archive").encode()}
    rows = (
        ("sealed-to-another", "Sealed to another period.", sealed, "None of the identities", other),
        (
            "sealed-short",
            "Inside is no padding.",
            seal(inside.rstrip(b" "), [key.recipient()]),
            UNKNOWN,
            here,
        ),
    )
    for name, comment, body, says, more in rows:
        rule = "5" if says == UNKNOWN else "3"
        yield _refused(name, comment, body, rule=rule, row=ROW, base="sealed", says=says, **more)
