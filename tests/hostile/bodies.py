"""Axes of what frames a body and what is in it: lengths, codings, kinds, forms, files.

The tricks with lengths are those by which two servers are made to disagree where a request ends
(RFC 9112, 11.2): each of them carries a whole second letter, which must not be read as one.
"""

from __future__ import annotations

import gzip
from urllib.parse import urlencode

from intake import receipt
from intake.server.requests import MOST_FIELDS
from tests.hostile.cases import (
    B4,
    BURMESE,
    CANARY,
    CLOSED,
    FORM,
    LETTER,
    MAYBE,
    RECEIPT,
    URLENCODED,
    Case,
    case,
    head,
    letter,
    octets,
)

OTHER = LETTER.replace(b"7" * 64, b"6" * 64)
SECOND = letter(body=OTHER)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LETTER), LETTER)
MULTIPART = "multipart/form-data; boundary=x"
DIGITS = receipt.receipt(bytes(32))
FORMS = {"": LETTER, "/back": b"receipt=" + CANARY.encode()}
BACK = urlencode({"receipt": DIGITS, "_seed": "7" * 64, "words": f"{CANARY} {BURMESE}"}).encode()
DOORS = {"": LETTER, "/back": BACK, "/words": BACK, "/withdraw": BACK + b"&sure=yes"}

CODINGS: dict[str, str | bytes] = {
    "chunked": "Transfer-Encoding: chunked",
    "capitals": "TRANSFER-ENCODING: CHUNKED",
    "space before": "Transfer-Encoding:  chunked",
    "tab before": "Transfer-Encoding:\tchunked",
    "vertical tab": "Transfer-Encoding: \x0bchunked",
    "NUL": "Transfer-Encoding: chunked\0",
    "fold": "Transfer-Encoding:\r\n chunked",
    "space before the colon": "Transfer-Encoding : chunked",
    "twice in one": "Transfer-Encoding: chunked, chunked",
    "twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "twice, one other": "Transfer-Encoding: chunked\r\nTransfer-encoding: cow",
    "identity": "Transfer-Encoding: identity",
    "identity, chunked": "Transfer-Encoding: identity, chunked",
    "chunked, identity": "Transfer-Encoding: chunked, identity",
    "gzip": "Transfer-Encoding: gzip",
    "gzip, chunked": "Transfer-Encoding: gzip, chunked",
    "unknown": f"Transfer-Encoding: {CANARY}",
    "like it": "Transfer-Encoding: xchunked",
    "quoted": 'Transfer-Encoding: "chunked"',
    "parameter": "Transfer-Encoding: chunked;q=1",
    "empty": "Transfer-Encoding:",
    "comma": "Transfer-Encoding: ,chunked",
    "Latin-1": b"Transfer-Encoding: chunk\xe9d",
    "behind another": "X: a\rTransfer-Encoding: chunked",
    "of a connection": "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
}
CHUNKED = {
    "no end": CHUNKS[:-5],
    "no size": b"\r\n\r\n",
    "negative": b"-1\r\n",
    "hexadecimal": b"0x5\r\nhello\r\n0\r\n\r\n",
    "huge": b"ffffffffffffffffff\r\n" + CANARY.encode(),
    "extension": b"5;" + CANARY.encode() * 2000 + b"\r\nhello\r\n0\r\n\r\n",
    "LF": CHUNKS.replace(b"\r\n", b"\n"),
    "trailer": CHUNKS[:-2] + b"Host: " + CANARY.encode() + b"\r\n\r\n",
    "100,000": b"1\r\na\r\n" * 100_000 + b"0\r\n\r\n",
    "10 MB": b"989680\r\n" + bytes(10_000_000) + b"\r\n0\r\n\r\n",
}
LENGTHS: dict[str, str | bytes] = {
    "negative": "-1",
    "plus": f"+{len(LETTER)}",
    "hexadecimal": f"0x{len(LETTER):x}",
    "exponent": "1e3",
    "point": f"{len(LETTER)}.0",
    "comma": f"{len(LETTER)},{len(LETTER)}",
    "two": f"{len(LETTER)}, 0",
    "space in it": "1 0",
    "NUL": f"{len(LETTER)}\0",
    "semicolon": f"{len(LETTER)};",
    "underscore": "1_000",
    "nothing": "",
    "canary": CANARY,
    "not a number": "NaN",
    "endless": "Infinity",
    "Burmese": "၁၀၀",
    "full width": "\uff15",
    "superscript": b"\xb2",
    "fraction": b"\xbd",
    "4,000 digits and a letter": "9" * 4000 + "x",
}
LARGE = {
    "a byte more than may be": 1,
    "1 GB": 10**9,
    "2^63": 1 << 63,
    "2^64": 1 << 64,
    "4,000 digits": 10**3999,
}


def framing() -> list[Case]:
    """Codings and lengths, with a letter that is framed by them, and a second one behind."""
    cases = []
    for name, line in CODINGS.items():
        raw = letter([line], body=CHUNKS + SECOND, length=None)
        cases.append(case(f"coding, {name}", raw, B4))
        raw = letter([line], body=CHUNKS + SECOND, length=5)
        cases.append(case(f"coding and length, {name}", raw, B4))
        raw = head(lines=[line, "Content-Length: 0"]) + CHUNKS + SECOND
        cases.append(case(f"coding of a visit, {name}", raw, B4))
        raw = letter([line], body=CHUNKS + SECOND, length=None, version="HTTP/1.0")
        cases.append(case(f"coding in 1.0, {name}", raw, B4))
    for name, body in CHUNKED.items():
        raw = letter(["Transfer-Encoding: chunked", f"X: {CANARY}"], body=body, length=None)
        cases.append(case(f"chunks, {name}", raw, B4))
    for name, length in LENGTHS.items():
        cases.append(case(f"length, {name}", letter(body=LETTER + SECOND, length=length), B4))
        raw = letter([b"Content-Length: " + octets(length)], body=LETTER + SECOND)
        cases.append(case(f"two lengths, {name}", raw, B4))
    for name, number in LARGE.items():
        cases.append(case(f"length, {name}", letter(length=number + 10**6), "en 413"))
        raw = letter(length=number + 10**6, target="/en/back")
        cases.append(case(f"length, {name}, a receipt", raw, "en 413"))
    zero = letter(length=0, close=False, body=SECOND)
    return [
        *cases,
        case("two lengths, equal", letter([f"Content-Length: {len(LETTER)}"]), B4),
        case("two lengths, one of a fold", letter(["Content-Length:\r\n 0"]), B4),
        case("no length", letter(length=None, close=False, body=SECOND), "en stale"),
        case("length, zeros before", letter(length="0" * 50 + str(len(LETTER))), RECEIPT),
        case("length, spaces", letter(length=f" \t{len(LETTER)} "), RECEIPT),
        case("length of none", zero, "en stale"),
        case("longer than the body", letter(length=len(LETTER) + 1), "en 400"),
        case("shorter than the body", letter(length=len(LETTER) - 1), "en 400"),
        case("body of a visit", letter_visit() + SECOND, FORM, RECEIPT),
        case(
            "behind a visit, more",
            head(close=False) + f"{CANARY}\r\n\r\n".encode(),
            FORM,
            MAYBE + B4,
        ),
        case("behind a last visit", head(lines={"X": CANARY}) + SECOND, FORM),
        case("behind a last letter", letter() + SECOND, RECEIPT),
        case("behind a letter", letter(close=False) + SECOND, RECEIPT, RECEIPT),
        case(
            "behind a refusal", letter(close=False, kind="text/plain") + SECOND, "en 415", RECEIPT
        ),
        case(
            "behind one too large",
            letter(close=False, body=bytes(10**6)) + SECOND,
            "en 413",
            RECEIPT,
        ),
        case(
            "behind a method",
            head("PUT", close=False, lines={"X": CANARY}) + SECOND,
            "en 405",
        ),
        case("behind a PUT with a body", letter_visit("PUT") + SECOND, "en 405", RECEIPT),
        case("behind CONNECT", head("CONNECT", "x:80", close=False) + SECOND, "my 404"),
        case(
            "twenty in one piece",
            head(lines={"X": CANARY}, close=False) * 19 + SECOND,
            *[FORM] * 19,
            RECEIPT,
        ),
        case("cut in the line", b"GET /c4n4ry", CLOSED),
        case("cut in the head", head(lines={"X": CANARY})[:-2], CLOSED),
        case("cut before the body", letter(body=b"", length=len(LETTER)), "en 400", plain=True),
        case("cut in the body", letter()[:-5], "en 400"),
        case("cut in an escape", letter(body=LETTER[: LETTER.rindex(b"%") + 2]), "en 400"),
        case("64 MB and more", letter(body=bytes((64 << 20) + 10**6)), "en 413", plain=True),
    ]


def letter_visit(method: str = "GET") -> bytes:
    """Return a request that has a body although nobody reads it, and stays open."""
    lines = [f"Content-Length: {len(OTHER)}"]
    return head(method, lines=lines, close=False) + OTHER


KINDS: dict[str, str | bytes | None] = {
    "none": None,
    "empty": "",
    "text": "text/plain",
    "JSON": "application/json",
    "XML": "application/xml",
    "octets": "application/octet-stream",
    "any": "*/*",
    "a form without": "multipart/form-data",
    "mixed": "multipart/mixed; boundary=x",
    "message": "message/http",
    "a Java object": "application/x-java-serialized-object",
    "canary": f"application/{CANARY}",
    "Burmese": f"{BURMESE}/{BURMESE}",
    "Latin-1": b"application/x-www-form-urlencoded\xff",
    "two": f"{URLENCODED}, text/plain",
    "like it": f"{URLENCODED}-{CANARY}",
    "4 KB": f"text/{CANARY * 600}",
    "UTF-16": f"{URLENCODED}; charset=utf-16",
    "UTF-7": f"{URLENCODED}; charset=utf-7",
    "Latin-1 in it": f"{URLENCODED}; charset=iso-8859-1",
    "of Japan": f"{URLENCODED}; charset=iso-2022-jp",
    "EBCDIC": f"{URLENCODED}; charset=cp037",
    "Zawgyi": f"{URLENCODED}; charset=my-zawgyi",
    "canary in it": f"{URLENCODED}; charset={CANARY}",
    "a codec that is none": f"{URLENCODED}; charset=rot13",
    "two charsets": f"{URLENCODED}; charset=utf-8; charset=utf-16",
    "extended": f"{URLENCODED}; charset*=utf-8''utf-7",
    "many parameters": URLENCODED + "; a=b" * 700 + "; charset=x",
}
FINE = {
    "with a charset": f"{URLENCODED};charset=UTF-8",
    "quoted": f'{URLENCODED}; charset="utf-8"',
    "capitals": URLENCODED.upper(),
    "a parameter more": f"{URLENCODED}; {CANARY}=1",
}


def kinds() -> list[Case]:
    """Every kind of body at every door."""
    cases = []
    for name, kind in KINDS.items():
        for door, body in {**DOORS, "/file": LETTER}.items():
            raw = letter(kind=kind, body=body, target=f"/en{door}")
            cases.append(case(f"{name} at /en{door}", raw, "en 415"))
    cases += [case(f"{name}, allowed", letter(kind=kind), RECEIPT) for name, kind in FINE.items()]
    cases.append(case("NUL", letter(kind=f"{URLENCODED}\0{CANARY}"), B4))
    cases.append(case("twice", letter([f"Content-Type: {URLENCODED}"]), B4))
    cases.append(case("a form at a door for files", letter(target="/en/file"), "en 415"))
    return cases


WRONG = {
    "no UTF-8": b"&x=%ff%fe",
    "overlong": b"&x=%c0%80",
    "half a surrogate": b"&x=%ED%A0%80",
    "beyond Unicode": b"&x=%f4%90%80%80",
    "cut in a letter": b"&x=%E1%80",
    "bad name": b"&%ff=x",
    "raw Burmese": f"&x={BURMESE}".encode(),
    "raw octets": b"&x=\x80\xff",
    "no equals": b"&c4n4ry",
    "nothing between": b"&&x=c4n4ry",
    "semicolons": b"&a;b",
    "a thousand and one": b"&a=1" * MOST_FIELDS,
    "5,000 names": b"&" + b"&".join(b"%x=" % n for n in range(5000)),
    "30,000 separators": b"&" * 30_000,
    "two fillers": b"&_fill=o&_fill=o",
    "zipped": gzip.compress(LETTER),
}
TOO_LARGE = {
    "100,000 fields": b"&a=1" * 100_000,
    "100,000 names": b"&" + b"&".join(b"%x=" % n for n in range(100_000)),
    "300,000 separators": b"&" * 300_000,
    "100,000 doubled": b"&account=c4n4ry" * 100_000,
    "one name of 1 MB": b"&" + b"c4n4ry" * 170_000 + b"=1",
    "one value of 10 MB": b"&x=" + b"%00" * 3_300_000,
    "40 MB": bytes(40_000_000),
    "a bomb": gzip.compress(bytes(10**9 // 4), 1),
}


def forms() -> list[Case]:
    """What is wrong with a form, at every door that takes one, behind what would be right."""
    cases = []
    for door, body in DOORS.items():
        for name, more in WRONG.items():
            raw = letter(body=body + more, target=f"/en{door}")
            cases.append(case(f"{name} at /en{door}", raw, "en 400"))
        for name, more in TOO_LARGE.items():
            raw = letter(body=body + more, target=f"/en{door}")
            cases.append(case(f"{name} at /en{door}", raw, "en 413"))
    return cases


def part(
    disposition: str | bytes, data: bytes = b"", more: str = "", line: bytes = b"\r\n"
) -> bytes:
    """Return one part of a body with files."""
    lines = [b"--x", b"Content-Disposition: " + octets(disposition)]
    lines += [octets(more)] if more else []
    return line.join([*lines, b"", data, b""])


RIGHT = part('form-data; name="receipt"', DIGITS.encode())
FILE = 'form-data; name="file"; filename="{}"'
END = b"--x--\r\n"
PARTS: dict[str, bytes] = {
    "nothing": b"",
    "an end alone": END,
    "no receipt": part(FILE.format(CANARY), b"x") + END,
    "a receipt that is none": part('form-data; name="receipt"', CANARY.encode()) + END,
    "a receipt of octets": part('form-data; name="receipt"', b"\xff\xfe\0") + END,
    "a receipt as a file": part(f'form-data; name="receipt"; filename="{CANARY}"') + END,
    "a receipt of another name": part(f'form-data; name="{CANARY}"', DIGITS.encode()) + END,
    "a name without quotes": part("form-data; name=receipt", DIGITS.encode()) + END,
    "a name in capitals": part('form-data; name="RECEIPT"', DIGITS.encode()) + END,
    "no disposition": b"--x\r\nX: c4n4ry\r\n\r\nx\r\n" + END,
    "another disposition": part(f'attachment; filename="{CANARY}"') + END,
    "a disposition twice": part('form-data; name="receipt"', b"x", "Content-Disposition: form-data")
    + END,
    "two receipts": RIGHT + RIGHT + END,
    "another part": RIGHT + part(f'form-data; name="{CANARY}"', b"x") + END,
    "a path in a name of another part": RIGHT + part('form-data; name="../x"; filename="x"') + END,
    "an extended name": RIGHT + part(f"form-data; name=\"file\"; filename*=utf-8''{CANARY}") + END,
    "nested": RIGHT
    + part(
        'form-data; name="file"',
        b"--y\r\n\r\nc4n4ry\r\n--y--",
        "Content-Type: multipart/mixed; boundary=y",
    )
    + END,
    "a name that is no UTF-8": RIGHT + part(b'form-data; name="file"; filename="\xff"') + END,
    "a parameter too many": RIGHT + part(FILE.format(CANARY) + "; x=y") + END,
    "no end": RIGHT + part(FILE.format(CANARY), b"x" * 5000),
    "no end of a head": RIGHT + b"--x\r\nContent-Disposition: form-data; name=c4n4ry",
    "no boundary": CANARY.encode() * 1000,
    "another boundary": (RIGHT + END).replace(b"--x", b"--c4n4ry"),
    "10,000 parts": RIGHT + part(f'form-data; name="{CANARY}"') * 10_000 + END,
    "garbage in a head": b"--x\r\nc4n4ry\r\n\r\n" + END,
    "NUL in a head": RIGHT.replace(b"receipt", b"rec\0ipt") + END,
    "LF alone, no receipt": part(FILE.format(CANARY), b"x", line=b"\n") + END,
    "a thousand levels": b"".join(
        b"--x%d\r\nContent-Type: multipart/mixed; boundary=x%d\r\n\r\n" % (n, n + 1)
        for n in range(1000)
    )
    + CANARY.encode(),
}
ENDLESS: dict[str, bytes] = {
    "a receipt of 201 bytes": part('form-data; name="receipt"', CANARY.encode() * 34) + END,
    "a receipt of 1 MB": part('form-data; name="receipt"', CANARY.encode() * 170_000) + END,
    "what is before the first part": CANARY.encode() * 20_000,
    "line ends before the first part": b"\r\n" * 50_000,
    "a head": b"--x\r\nX: " + CANARY.encode() * 20_000,
    "a head of lines": b"--x\r\n" + b"X: c4n4ry\r\n" * 20_000,
    "a name": part(FILE.format(CANARY * 20_000)) + END,
    "a head of a second part": RIGHT + b"--x\r\nX: " + CANARY.encode() * 20_000,
    "more than all files": bytes(4_000_000),
}
BOUNDARIES: dict[str, str | bytes] = {
    "none": "multipart/form-data",
    "empty": "multipart/form-data; boundary=",
    "quotes alone": 'multipart/form-data; boundary=""',
    "a space in it": 'multipart/form-data; boundary="x y"',
    "71 signs": "multipart/form-data; boundary=" + "x" * 71,
    "3 KB": "multipart/form-data; boundary=" + CANARY * 500,
    "Burmese": f"multipart/form-data; boundary={BURMESE}",
    "markup": f"multipart/form-data; boundary=<{CANARY}>",
    "a pattern": "multipart/form-data; boundary=[x]*",
    "a backslash": 'multipart/form-data; boundary="x\\\\"',
    "related": "multipart/related; boundary=x",
}
LENIENT: dict[str, str | bytes] = {  # read as "x" by Werkzeug; nothing was chosen, says the page
    "Latin-1 behind it": b"multipart/form-data; boundary=x\xff",
    "extended": "multipart/form-data; boundary*=utf-8''x",
}


def parts() -> list[Case]:
    """What is wrong with a body with files. Nothing of it is stored."""
    cases = []
    for table, found in ((PARTS, "en 400"), (ENDLESS, "en 413")):
        for name, body in table.items():
            raw = letter(["X: " + CANARY], kind=MULTIPART, body=body, target="/en/file")
            cases.append(case(f"{name}", raw, found))
    for name, kind in BOUNDARIES.items():
        raw = letter(["X: " + CANARY], kind=kind, body=RIGHT + END, target="/en/file")
        cases.append(case(f"boundary, {name}", raw, "en 415"))
    half = letter(["X: " + CANARY], kind=MULTIPART, body=RIGHT, length=5000, target="/en/file")
    for name, kind in LENIENT.items():
        raw = letter(["X: " + CANARY], kind=kind, body=RIGHT + END, target="/en/file")
        cases.append(case(f"boundary, {name}", raw, "en none"))
    raw = letter(
        kind=MULTIPART,
        body=b"--x\r\n" + b"X: c4n4ry\r\n" * 1000 + RIGHT[5:] + END,
        target="/en/file",
    )
    cases.append(case("a head with 1,000 lines", raw, "en none"))
    return [*cases, case("cut after the receipt", half, "en 400")]
