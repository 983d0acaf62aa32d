"""Vectors of bundles and returns: heads that are not believed, and bodies that are damaged."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from intake import canonical, signatures
from tests.make_vectors import Vector, respelled
from tests.make_vectors.keyrings import MADE, ORDER
from tests.makers import signing_key

Draft = Mapping[str, Any]

KNOWN = "is not a file that this version of Intake knows"
KIND = "is damaged, or of the other kind"
FORGED = "The server's signature on"
OTHERS = "belongs to another deployment"
LIST = "The list in"
SIGNER = "is not an active reviewer's, or does not verify"
FEW = "has the signatures of fewer than 2"

SIZE = 40
BODIES = tuple(f"envelope {number} ကခဂ".encode().ljust(SIZE, b".") for number in range(4))
A, B, C, D = BODIES
IDS = tuple(bytes([number]).hex() * 16 for number in range(4))
ZERO = bytes(32).hex()
LARGE = 1_048_327  # bytes; 3,062 of them fit, and of one byte less 3,063
CONTEXT = b"intake bundle 1\n"
RETURN_CONTEXT = b"intake return 1\n"
MAILBOXES = ("0a" * 16, "0b" * 16)


def sha256(data: bytes) -> str:
    """Return the hash in hex."""
    return hashlib.sha256(data).hexdigest()


def listed(*bodies: bytes, ids: Sequence[str] = IDS) -> bytes:
    """Return the list of these envelopes."""
    pairs = zip(ids, bodies, strict=False)
    return b"".join(f"{row} {sha256(body)}\n".encode() for row, body in pairs)


LIST_OF_4 = listed(*BODIES)
WHOLE = LIST_OF_4 + b"".join(BODIES)  # what follows line 2
FACTS: Draft = {
    "count": 4,
    "deployment": MADE.deployment.hex(),
    "format": "intake bundle 1",
    "keyring": {"sha256": MADE.keyring.sha256.hex(), "version": 1},
    "left": 7,
    "list": sha256(LIST_OF_4),
    "number": 1,
    "period": "2026-w47",
    "previous": ZERO,
    "size": SIZE,
}
LINE = canonical.dump(FACTS)


def headed(line: bytes, rest: bytes, context: bytes = CONTEXT, key: str = "bundle") -> bytes:
    """Return a bundle of this line 1, its signature, and what follows."""
    return line + b"\n" + signing_key(key).sign(context + line).hex().encode() + b"\n" + rest


def made(rest: bytes = WHOLE, **changes: object) -> bytes:
    """Return the bundle, its line 1 changed and signed."""
    return headed(canonical.dump({**FACTS, **changes}), rest)


def spelled(old: str, new: str | bytes) -> bytes:
    """Return the bundle, a piece of its line 1 spelled otherwise, and signed so."""
    return headed(respelled(LINE, old, new), WHOLE)


def without(field: str) -> bytes:
    """Return the bundle whose line 1 lacks a field."""
    line = canonical.dump({key: value for key, value in FACTS.items() if key != field})
    return headed(line, WHOLE)


def listing(listed: bytes, *bodies: bytes, **changes: object) -> bytes:
    """Return a bundle with this list, whose hash line 1 names, and these envelopes."""
    facts = {"list": sha256(listed), "count": listed.count(b"\n"), **changes}
    return made(listed + b"".join(bodies), **facts)


def brought(*pieces: bytes) -> bytes:
    """Return the bundle whose head is right, and whose envelopes are these bytes."""
    return made(LIST_OF_4 + b"".join(pieces))


def unlisted(number: int) -> bytes:
    """Return an envelope that no line names."""
    return bytes([number]) * SIZE


def many(count: int) -> bytes:
    """Return a bundle of so many large envelopes, none of which is in it."""
    ids = (number.to_bytes(16).hex() for number in range(count))
    return listing(b"".join(f"{row} {ZERO}\n".encode() for row in ids), size=LARGE)


def malleable() -> bytes:
    """Return the bundle with a second spelling of its signature: S + L verifies too."""
    mark = signing_key("bundle").sign(CONTEXT + LINE)
    s = int.from_bytes(mark[32:], "little") + ORDER
    mark = mark[:32] + s.to_bytes(32, "little")
    return b"\n".join((LINE, mark.hex().encode(), WHOLE))


def keyring(**changes: object) -> Draft:
    """Return the field ``keyring``, changed."""
    return {**FACTS["keyring"], **changes}


EMPTY = listing(b"")
MARK = LINE + b"\n"  # what the signature comes after
TWINS = listed(A, B, B, C)

# name, comment, file, verdicts, doubled, stray
ACCEPTED: list[tuple[str, str, bytes, str, int, int]] = [
    ("whole", "Four envelopes, and seven rows left.", made(), "ok ok ok ok", 0, 0),
    ("empty", "It says that nothing is there.", EMPTY, "-", 0, 0),
    ("empty-with-bytes", "What comes after an empty list belongs to no line.", EMPTY + b"abc", "-",
     0, 3),
    ("none-left", "All rows of the period are here.", made(left=0), "ok ok ok ok", 0, 0),
    ("number-2", "It follows another bundle.", made(number=2, previous="11" * 32), "ok ok ok ok", 0,
     0),
    ("number-largest", "The largest number.", made(number=10**15 - 1, previous="11" * 32),
     "ok ok ok ok", 0, 0),
    ("keyring-version-0", "To a reader, the version of the keyring is any integer.",
     made(keyring=keyring(version=0)), "ok ok ok ok", 0, 0),
    ("period-longest", "A period's name of 32 characters.", made(period="p" * 32), "ok ok ok ok", 0,
     0),
    ("size-1", "Envelopes of one byte.", listing(listed(b"a", b"b"), b"ab", size=1), "ok ok", 0, 0),
    ("size-largest", "Envelopes of 1 MiB, and none came.", listing(listed(A), size=1 << 20),
     "missing", 0, 0),
    ("most-that-fit", "As many lines as a file of such envelopes holds, and no envelope.",
     many(3062), "missing " * 3061 + "missing", 0, 0),
    ("swapped", "Each envelope is known wherever it stands.", brought(B, A, D, C), "ok ok ok ok", 0,
     0),
    ("altered", "Another envelope in the place of the second.", brought(A, unlisted(1), C, D),
     "ok altered ok ok", 0, 0),
    ("altered-by-a-bit", "One bit of the third.", brought(A, B, bytes([C[0] ^ 1]) + C[1:], D),
     "ok ok altered ok", 0, 0),
    ("missing-first", "The first is not there; the others are in places before their own.",
     brought(B, C, D), "missing ok ok ok", 0, 0),
    ("missing-in-the-middle", "The third is not there.", brought(A, B, D), "ok ok missing ok", 0,
     0),
    ("missing-last", "The last is not there.", brought(A, B, C), "ok ok ok missing", 0, 0),
    ("missing-all", "The file ends after the list.", brought(), "missing missing missing missing",
     0, 0),
    ("cut", "The last byte is not there; what is left of the last stands in its place.",
     brought(A, B, C, D[:-1]), "ok ok ok missing", 0, 0),
    ("cut-to-a-byte", "One byte of the last envelope.", brought(A, B, C, D[:1]), "ok ok ok missing",
     0, 0),
    ("shifted", "One byte before all envelopes: no piece is one of them.", brought(b"x", *BODIES),
     "altered altered altered altered", 0, 1),
    ("shifted-late", "One byte before the third envelope.", brought(A, B, b"x", C, D),
     "ok ok altered altered", 0, 1),
    ("doubled", "The second once more, after the last.", brought(*BODIES, B), "ok ok ok ok", 1, 0),
    ("doubled-in-place", "The second in the place of the third too.", brought(A, B, B, D),
     "ok ok missing ok", 1, 0),
    ("doubled-thrice", "The first three times more.", brought(*BODIES, A, A, A), "ok ok ok ok", 3,
     0),
    ("doubled-beyond", "Pieces beyond twice the list are not looked at: 8 are, 2 are stray.",
     brought(*BODIES, *[A] * 6), "ok ok ok ok", 4, 80),
    ("stray-byte", "A byte after the last envelope.", brought(*BODIES, b"x"), "ok ok ok ok", 0, 1),
    ("stray-envelope", "An envelope that no line names.", brought(*BODIES, unlisted(9)),
     "ok ok ok ok", 0, 40),
    ("stray-and-altered",
     "The piece in the place of the first is altered, the one after all is stray.",
     brought(unlisted(1), B, C, D, unlisted(9)), "altered ok ok ok", 0, 40),
    ("stray-between", "One too many between the first two: they push the last out of its place.",
     brought(A, unlisted(9), B, C, D), "ok ok ok ok", 0, 40),
    ("stray-beyond", "The second lies beyond twice the list, where nobody looks.",
     brought(A, C, D, *[unlisted(9)] * 5, B), "ok missing ok ok", 0, 240),
    ("twins", "Two lines name one hash, and it comes twice.", listing(TWINS, A, B, B, C),
     "ok ok ok ok", 0, 0),
    ("twins-once", "Two lines name one hash, and it comes once: the first line has it.",
     listing(TWINS, A, B, C), "ok ok missing ok", 0, 0),
    ("twins-thrice", "Two lines name one hash, and it comes three times.",
     listing(TWINS, A, B, B, C, B), "ok ok ok ok", 1, 0),
]  # fmt: skip

# name, rule, a part of the reason, comment, file; the base is "whole"
REFUSED: list[tuple[str, str, str, str, bytes]] = [
    ("no-byte", "10", KNOWN, "No byte.", b""),
    ("line-1-alone", "10", KNOWN, "The file ends after line 1.", LINE + b"\n"),
    ("crlf", "1", KIND, "Line 1 ends in CR LF, and was signed so.",
     headed(LINE + b"\r", WHOLE)),
    ("byte-order-mark", "1", KIND, "A byte order mark.", headed(b"\xef\xbb\xbf" + LINE, WHOLE)),
    ("not-utf-8", "1", KIND, "A byte that UTF-8 has not.", spelled('"2026-w47"', b'"\xff"')),
    ("space-after-colon", "2", KIND, "White space in line 1.", spelled('"left":7', '"left": 7')),
    ("space-in-the-format", "2", KNOWN, "White space where our reader looks for the kind.",
     spelled('"format":', '"format": ')),
    ("keys-unsorted", "2", KIND, "size before previous.",
     spelled(f'"previous":"{ZERO}","size":40', f'"size":40,"previous":"{ZERO}"')),
    ("key-twice", "2", KIND, "A field twice.", spelled('"left":7', '"left":7,"left":7')),
    ("float", "2", KIND, "7.0 for 7.", spelled('"left":7', '"left":7.0')),
    ("minus-zero", "2", KIND, "-0 rows left.", spelled('"left":7', '"left":-0')),
    ("escaped-letter", "2", KIND, "A letter escaped that need not be.",
     spelled('"2026-w47"', r'"2026-\u007747"')),
    ("sixteen-digits", "2", KIND, "16 digits of rows left.",
     spelled('"left":7', '"left":1000000000000000')),
    *((f"without-{field}", "10", KIND, f"No field {field}.", without(field))
      for field in FACTS if field != "format"),
    ("without-format", "10", KNOWN, "No field format.", without("format")),
    ("unknown-field", "10", KIND, "A field that this version does not know.", made(time="12:00")),
    ("line-1-too-long", "10", KIND, "Line 1 is longer than 4096 bytes, and has a field too much.",
     made(more="x" * 4096)),
    ("format-2", "10", KNOWN, "Another format.", made(format="intake bundle 2")),
    ("format-of-a-return", "10", KIND, "The format of the other kind.",
     made(format="intake return 1")),
    ("deployment-other", "10", OTHERS, "Another deployment.", made(deployment="11" * 32)),
    ("deployment-upper-case", "1", KIND, "Hex in upper case.",
     made(deployment=FACTS["deployment"].upper())),
    ("deployment-short", "1", KIND, "31 bytes.", made(deployment=FACTS["deployment"][2:])),
    ("number-0", "10", KIND, "Numbers begin with 1.", made(number=0, previous="11" * 32)),
    ("number-negative", "10", KIND, "Number -1.", made(number=-1, previous="11" * 32)),
    ("number-true", "10", KIND, "true is not 1.", made(number=True)),
    ("number-text", "10", KIND, "A text is no number.", made(number="1")),
    ("number-1-follows", "10", KIND, "Bundle 1 follows something.", made(previous="11" * 32)),
    ("number-2-follows-nothing", "10", KIND, "Bundle 2 follows nothing.", made(number=2)),
    ("previous-upper-case", "1", KIND, "Hex in upper case.", made(number=2, previous="AB" * 32)),
    ("previous-spaces", "1", KIND, "Hex with a space between two bytes.",
     made(number=2, previous="11 " + "11" * 31)),
    ("left-negative", "10", KIND, "-1 rows left.", made(left=-1)),
    ("left-true", "10", KIND, "true is no number.", made(left=True)),
    ("left-text", "10", KIND, "A text is no number.", made(left="7")),
    ("left-words", "10", KIND, "A text that would be shown to a reviewer.",
     made(left="0\nall is well")),
    ("left-null", "10", KIND, "null is no number.", made(left=None)),
    ("left-array", "10", KIND, "A list is no number.", made(left=[7])),
    ("count-text", "10", KIND, "A text is no number.", made(count="4")),
    ("count-negative", "10", KIND, "-1 envelopes.", listing(b"", count=-1)),
    ("count-true", "10", KIND, "true is not 1.", listing(listed(A), A, count=True)),
    ("count-above", "10", LIST, "One line more than the list has.", made(count=5)),
    ("count-below", "10", LIST, "One line less than the list has.", made(count=3)),
    ("count-more-than-fit", "10", KIND, "One line more than a file of such envelopes holds.",
     many(3063)),
    ("size-0", "10", KIND, "Envelopes of no byte, and no envelope.", listing(b"", size=0)),
    ("size-text", "10", KIND, "A text is no number.", made(size="40")),
    ("size-true", "10", KIND, "true is not 1.", listing(listed(b"a", b"b"), b"ab", size=True)),
    ("size-above", "10", KIND, "Envelopes of 1 MiB and one byte, and no envelope.",
     listing(b"", size=(1 << 20) + 1)),
    ("period-capital", "1", KIND, "A capital in a name.", made(period="2026-W47")),
    ("period-line-feed", "1", KIND, "A name that ends with a line feed.",
     made(period="2026-w47\n")),
    ("period-too-long", "1", KIND, "A name of 33 characters.", made(period="p" * 33)),
    ("period-burmese-digits", "1", KIND, "A name with Burmese digits.", made(period="2026-w၄၇")),
    ("period-null", "1", KIND, "null is no name.", made(period=None)),
    ("keyring-null", "10", KIND, "null is no keyring.", made(keyring=None)),
    ("keyring-unknown-field", "10", KIND, "A field of the keyring that this version does not know.",
     made(keyring=keyring(name=""))),
    ("keyring-version-true", "10", KIND, "true is not 1.", made(keyring=keyring(version=True))),
    ("keyring-version-text", "10", KIND, "A text is no version.",
     made(keyring=keyring(version="1"))),
    ("keyring-hash-short", "1", KIND, "A hash of 31 bytes.",
     made(keyring=keyring(sha256="11" * 31))),
    ("signed-by-another", "10", FORGED, "A stranger signed.",
     headed(LINE, WHOLE, key="stranger")),
    ("signed-by-a-reviewer", "10", FORGED, "alice signed.",
     headed(LINE, WHOLE, key="alice")),
    ("no-context", "10", FORGED, "Signed without the context.",
     headed(LINE, WHOLE, b"")),
    ("context-of-a-return", "10", FORGED, "Signed with the context of the other kind.",
     headed(LINE, WHOLE, RETURN_CONTEXT)),
    ("context-without-line-feed", "10", FORGED, "Signed with a context that has no LF.",
     headed(LINE, WHOLE, CONTEXT[:-1])),
    ("signed-another-line", "10", FORGED, "One more row is left than was signed for.",
     made().replace(b'"left":7', b'"left":8')),
    ("signature-not-reduced", "10", FORGED,
     "S is not below the order of the group (RFC 8032, 5.1.7).", malleable()),
    ("signature-upper-case", "1", KNOWN, "A signature in upper-case hex.",
     MARK + made()[len(MARK):][:128].upper() + made()[len(MARK) + 128:]),
    ("signature-short", "10", KNOWN, "A signature of 63 bytes.", MARK + made()[len(MARK) + 2:]),
    ("signature-with-a-name", "10", KNOWN, "A signature line as in a return.",
     MARK + b"bundle " + made()[len(MARK):]),
    ("signature-crlf", "1", KNOWN, "Line 2 ends in CR LF.",
     MARK + made()[len(MARK):].replace(b"\n", b"\r\n", 1)),
    ("list-hash", "10", LIST, "Line 1 names the hash of another list.", made(list="11" * 32)),
    ("list-altered", "10", LIST, "A digit of the list is another.",
     made().replace(b"\n" + IDS[2].encode(), b"\n" + IDS[2][:-1].encode() + b"3")),
    ("list-not-rising", "10", KNOWN, "The second line before the first.",
     listing(listed(B, A, ids=(IDS[1], IDS[0])), B, A)),
    ("list-id-twice", "10", KNOWN, "Two envelopes under one id.",
     listing(listed(A, B, ids=(IDS[0], IDS[0])), A, B)),
    ("list-upper-case", "1", KNOWN, "An id in upper-case hex.",
     listing(listed(A, B, ids=(IDS[0], "AB" * 16)), A, B)),
    ("list-hash-upper-case", "1", KNOWN, "A hash in upper-case hex.",
     listing(f"{IDS[0]} {sha256(A).upper()}\n".encode(), A)),
    ("list-two-spaces", "10", KNOWN, "Two spaces, and one digit less.",
     listing(f"{IDS[0][1:]}  {sha256(A)}\n".encode(), A)),
    ("list-tab", "10", KNOWN, "A tab for the space.", listing(listed(A).replace(b" ", b"\t"), A)),
    ("list-space-for-line-feed", "1", KNOWN, "A space for the LF.",
     listing(listed(A).replace(b"\n", b" "), A, count=1)),
    ("list-crlf", "1", LIST, "Lines end in CR LF.",
     listing(listed(A, B).replace(b"\n", b"\r\n"), A, B)),
    ("list-of-mailboxes", "10", LIST, "A line as of a reply.",
     listing(MAILBOXES[0].encode() + b" " + listed(A), A)),
]  # fmt: skip

# As above; the base is "empty".
REFUSED_EMPTY: list[tuple[str, str, str, str, bytes]] = [
    ("empty-no-line-feed", "1", KNOWN, "The last line is not ended.", EMPTY[:-1]),
    ("empty-other-end", "1", KNOWN, "Another byte where the LF stands.", EMPTY[:-1] + b"x"),
    ("empty-list-hash", "10", LIST, "Zeros are not the hash of no byte.", listing(b"", list=ZERO)),
]  # fmt: skip

RETURN: Draft = {
    "acknowledged": 4,
    "deployment": FACTS["deployment"],
    "format": "intake return 1",
    "keyring": FACTS["keyring"],
    "list": sha256(LIST_OF_4),
    "number": 1,
    "replies": 0,
    "size": 0,
}
RETURN_LINE = canonical.dump(RETURN)
REPLIES = b"".join(
    f"{mailbox} {row} {sha256(body)}\n".encode()
    for (mailbox, row), body in zip(itertools.product(MAILBOXES, IDS[:2]), BODIES, strict=True)
)


def by(*names: str, line: bytes = RETURN_LINE, context: bytes = RETURN_CONTEXT) -> bytes:
    """Return a signature line of each."""
    marks = ((name, signing_key(name).sign(context + line)) for name in names)
    return b"".join(signatures.signature_line(name, mark) for name, mark in marks)


def returned(*names: str, rest: bytes = LIST_OF_4, line: bytes = b"", **changes: object) -> bytes:
    """Return the return, its line 1 changed and signed, by alice and bob if nobody is named."""
    line = line or canonical.dump({**RETURN, **changes})
    return line + b"\n" + by(*(names or ("alice", "bob")), line=line) + b"\n" + rest


def signed(marks: bytes) -> bytes:
    """Return the return with these signature lines, and what ends them."""
    return RETURN_LINE + b"\n" + marks + LIST_OF_4


def rows(rest: bytes, **changes: object) -> bytes:
    """Return the return with this list of rows, which line 1 counts and names."""
    counted: dict[str, Any] = {"acknowledged": rest.count(b"\n"), "list": sha256(rest), **changes}
    return returned(rest=rest, **counted)


def replying(lists: bytes, *bodies: bytes, **changes: object) -> bytes:
    """Return a return with these lists, and replies."""
    facts: dict[str, Any] = {
        "acknowledged": 0,
        "replies": 4,
        "size": SIZE,
        "list": sha256(lists),
        **changes,
    }
    return returned(rest=lists + b"".join(bodies), **facts)


FORGED_BOB = by("stranger").replace(b"stranger", b"bob")

# name, keyring, comment, file, verdicts, doubled, stray, acknowledged
RETURNS: list[tuple[str, str, str, bytes, str, int, int, int]] = [
    ("return", "minimal", "Four rows may be deleted.", returned(), "-", 0, 0, 4),
    ("return-signed-in-any-order", "minimal", "bob's signature stands first.",
     returned("bob", "alice"), "-", 0, 0, 4),
    ("return-five-signers", "five-reviewers", "All five reviewers signed.",
     returned("alice", "bob", "carol", "dave", "erin"), "-", 0, 0, 4),
    ("return-of-nothing", "minimal", "Nothing may be deleted.",
     rows(b""), "-", 0, 0, 0),
    ("return-number-largest", "minimal", "The largest number.", returned(number=10**15 - 1), "-", 0,
     0, 4),
    ("return-with-bytes", "minimal", "What comes after the lists belongs to no line.",
     returned() + b"abc", "-", 0, 3, 4),
    ("replies", "minimal", "Four replies into two mailboxes.", replying(REPLIES, *BODIES),
     "ok ok ok ok", 0, 0, 0),
    ("replies-and-rows", "minimal", "Both lists.",
     replying(LIST_OF_4 + REPLIES, *BODIES, acknowledged=4), "ok ok ok ok", 0, 0, 4),
    ("replies-damaged", "minimal", "One reply is altered, one is missing, one came twice.",
     replying(REPLIES, A, unlisted(1), C, C), "ok altered ok missing", 1, 0, 0),
    ("replies-cut", "minimal", "The last byte of the last reply is missing.",
     replying(REPLIES, *BODIES)[:-1], "ok ok ok missing", 0, 0, 0),
    ("replies-byte-more", "minimal", "A byte after the last reply belongs to no line.",
     replying(REPLIES, *BODIES) + b"x", "ok ok ok ok", 0, 1, 0),
    ("replies-byte-between", "minimal", "A byte too many: of what follows nothing is in its place.",
     replying(REPLIES, A, b"x", *BODIES[1:]), "ok altered altered altered", 0, 1, 0),
    ("replies-of-two-kinds-of-line", "minimal", "A reply may have the id and bytes of a row.",
     replying(LIST_OF_4 + REPLIES[:131], A, acknowledged=4, replies=1), "ok", 0, 0, 4),
]  # fmt: skip

# name, keyring, rule, a part of the reason, comment, file; the base is "return"
REFUSED_RETURNS: list[tuple[str, str, str, str, str, bytes]] = [
    ("return-one-signer", "minimal", "11", FEW, "alice alone.", returned("alice")),
    ("return-unsigned", "minimal", "11", FEW, "Nobody signed.", signed(b"\n")),
    ("return-signer-twice", "minimal", "11", SIGNER, "alice signed twice.",
     returned("alice", "alice")),
    ("return-signer-twice-besides", "minimal", "11", SIGNER, "Enough signed, and alice once more.",
     returned("alice", "bob", "alice")),
    ("return-signed-by-removed", "removed", "11", SIGNER, "carol was removed.",
     returned("alice", "carol")),
    ("return-signed-by-removed-besides", "removed", "11", SIGNER,
     "Enough signed, and carol, who was removed.", returned("alice", "bob", "carol")),
    ("return-signed-by-a-stranger", "minimal", "11", SIGNER, "Enough signed, and a stranger.",
     returned("alice", "bob", "stranger")),
    ("return-signed-by-roots", "minimal", "11", SIGNER, "Roots are no reviewers.",
     returned("rosa", "ruth")),
    ("return-signed-by-the-server", "minimal", "11", SIGNER, "The server's key is no reviewer's.",
     returned("alice", "bundle")),
    ("return-signed-in-another-name", "minimal", "11", SIGNER, "A stranger signed in bob's name.",
     signed(by("alice") + FORGED_BOB + b"\n")),
    ("return-bad-besides", "five-reviewers", "11", SIGNER,
     "Enough signed, and one line does not verify.",
     signed(by("alice", "carol") + FORGED_BOB + b"\n")),
    ("return-no-context", "minimal", "11", SIGNER, "bob signed without the context.",
     signed(by("alice") + by("bob", context=b"") + b"\n")),
    ("return-context-of-a-bundle", "minimal", "11", SIGNER,
     "bob signed with the context of the other kind.",
     signed(by("alice") + by("bob", context=CONTEXT) + b"\n")),
    ("return-signed-another-line", "minimal", "11", SIGNER,
     "The number is another than was signed.", returned().replace(b'"number":1,', b'"number":2,')),
    ("return-signature-upper-case", "minimal", "1", KNOWN, "A signature in upper-case hex.",
     signed(by("alice") + by("bob").upper().replace(b"BOB", b"bob") + b"\n")),
    ("return-signature-crlf", "minimal", "1", KNOWN, "Signature lines end in CR LF.",
     signed(by("alice", "bob").replace(b"\n", b"\r\n") + b"\n")),
    ("return-signature-space-after", "minimal", "1", KNOWN, "A space after a signature.",
     signed(by("alice") + by("bob")[:-1] + b" \n\n")),
    ("return-no-empty-line", "minimal", "11", KNOWN, "The list begins where the empty line stands.",
     signed(by("alice", "bob"))),
    ("return-two-empty-lines", "minimal", "11", LIST, "Two empty lines.",
     signed(by("alice", "bob") + b"\n\n")),
    ("return-empty-line-between", "minimal", "11", FEW, "An empty line after the first signature.",
     signed(by("alice") + b"\n" + by("bob") + b"\n")),
    ("return-ends-after-signatures", "minimal", "11", KNOWN, "Nothing after the signatures.",
     RETURN_LINE + b"\n" + by("alice", "bob")),
    ("return-deployment-other", "minimal", "11", OTHERS, "Another deployment.",
     returned(deployment="11" * 32)),
    ("return-format-of-a-bundle", "minimal", "11", KIND, "The format of the other kind.",
     returned(format="intake bundle 1")),
    ("return-is-a-bundle", "minimal", "11", KIND, "A whole bundle.", made()),
    ("return-unknown-field", "minimal", "11", KIND, "A field that this version does not know.",
     returned(time="12:00")),
    *((f"return-without-{field}", "minimal", "11", KIND, f"No field {field}.",
       returned(line=canonical.dump({k: v for k, v in RETURN.items() if k != field})))
      for field in RETURN if field != "format"),
    ("return-space-after-colon", "minimal", "2", KIND, "White space in line 1.",
     returned(line=RETURN_LINE.replace(b'"number":1', b'"number": 1'))),
    ("return-key-twice", "minimal", "2", KIND, "A field twice.",
     returned(line=RETURN_LINE.replace(b'"number":1', b'"number":1,"number":1'))),
    ("return-number-0", "minimal", "11", KIND, "Numbers begin with 1.", returned(number=0)),
    ("return-number-true", "minimal", "11", KIND, "true is not 1.", returned(number=True)),
    ("return-acknowledged-text", "minimal", "11", KIND, "A text is no number.",
     returned(acknowledged="4")),
    ("return-acknowledged-negative", "minimal", "11", KIND, "-1 rows.",
     rows(b"", acknowledged=-1)),
    ("return-acknowledged-true", "minimal", "11", KIND, "true is not 1.",
     rows(listed(A), acknowledged=True)),
    ("return-acknowledged-above", "minimal", "11", KNOWN, "One line more than the list has.",
     returned(acknowledged=5)),
    ("return-acknowledged-below", "minimal", "11", LIST, "One line less than the list has.",
     returned(acknowledged=3)),
    ("return-replies-false", "minimal", "11", KIND, "false is not 0.", returned(replies=False)),
    ("return-size-without-replies", "minimal", "11", KIND, "A size of replies, and no reply.",
     returned(size=40)),
    ("return-size-false", "minimal", "11", KIND, "false is not 0.", returned(size=False)),
    ("return-list-hash", "minimal", "11", LIST, "Line 1 names the hash of another list.",
     returned(list="11" * 32)),
    ("return-list-not-rising", "minimal", "11", KNOWN, "The second line before the first.",
     rows(listed(B, A, ids=(IDS[1], IDS[0])))),
    ("return-list-id-twice", "minimal", "11", KNOWN, "Two lines of one id.",
     rows(listed(A, B, ids=(IDS[0], IDS[0])))),
    ("return-list-upper-case", "minimal", "1", KNOWN, "An id in upper-case hex.",
     rows(listed(A, ids=("AB" * 16,)))),
]  # fmt: skip

# As above; the base is "replies".
REFUSED_REPLIES: list[tuple[str, str, str, str, str, bytes]] = [
    ("replies-without-size", "minimal", "11", KIND, "Replies of no byte.",
     replying(REPLIES, size=0)),
    ("replies-size-above", "minimal", "11", KIND, "Replies of 1 MiB and one byte.",
     replying(REPLIES, size=(1 << 20) + 1)),
    ("replies-not-rising", "minimal", "11", KNOWN, "The second mailbox before the first.",
     replying(b"".join(REPLIES.splitlines(keepends=True)[::-1]), *BODIES[::-1])),
    ("replies-twice", "minimal", "11", KNOWN, "A mailbox and id twice.",
     replying(REPLIES[:131] * 2, A, A, replies=2)),
    ("replies-ids-not-rising", "minimal", "11", KNOWN, "The second id before the first.",
     replying(REPLIES[131:262] + REPLIES[:131], B, A, replies=2)),
    ("replies-twice-of-other-bytes", "minimal", "11", KNOWN, "A mailbox and id, twice, for two.",
     replying(REPLIES[:131] + REPLIES[:66] + REPLIES[197:262], A, B, replies=2)),
    ("replies-mailbox-upper-case", "minimal", "1", KNOWN, "A mailbox in upper-case hex.",
     replying(b"AB" * 16 + REPLIES[32:131], A, replies=1)),
    ("replies-count-below", "minimal", "11", LIST, "Three of four lines are counted.",
     replying(REPLIES, *BODIES, replies=3)),
    ("replies-count-above", "minimal", "11", LIST, "One line more is counted.",
     replying(REPLIES, *BODIES, replies=5)),
    ("replies-more-than-fit", "minimal", "11", KIND, "A million replies.",
     replying(REPLIES, *BODIES, replies=1_000_000)),
    ("replies-without-mailbox", "minimal", "11", LIST, "Lines as of rows.",
     replying(LIST_OF_4, *BODIES)),
    ("replies-list-hash-of-one", "minimal", "11", LIST,
     "The hash is that of the second list alone.",
     replying(LIST_OF_4 + REPLIES, *BODIES, acknowledged=4, list=sha256(REPLIES))),
]  # fmt: skip


def vectors() -> Iterator[Vector]:
    """Yield all of them."""
    key = signing_key("bundle").public_key().public_bytes_raw().hex()
    here = {"type": "bundle", "bundle-key": key, "deployment": FACTS["deployment"]}
    for name, comment, body, verdicts, doubled, stray in ACCEPTED:
        out = {"verdicts": verdicts, "doubled": str(doubled), "stray": str(stray)}
        yield _vector(name, comment, body, {**here, **out})
    for base, table in (("whole", REFUSED), ("empty", REFUSED_EMPTY)):
        for name, rule, says, comment, body in table:
            yield _vector(name, comment, body, here, (rule, says, base))
    for name, keyring, comment, body, verdicts, doubled, stray, acknowledged in RETURNS:
        out = {"verdicts": verdicts, "doubled": str(doubled), "stray": str(stray)}
        out["acknowledged"] = str(acknowledged)
        yield _vector(name, comment, body, {"type": "return", "keyring": keyring, **out})
    for base, more in (("return", REFUSED_RETURNS), ("replies", REFUSED_REPLIES)):
        for name, keyring, rule, says, comment, body in more:
            here = {"type": "return", "keyring": keyring}
            yield _vector(name, comment, body, here, (rule, says, base))


def _vector(
    name: str, comment: str, body: bytes, facts: Draft, why: Sequence[str] = ("", "", "")
) -> Vector:
    rule, says, base = why
    return Vector(
        kind="bundle",
        name=name,
        comment=comment,
        body=body,
        rule=rule,
        says=says,
        base=base,
        facts=facts,
    )
