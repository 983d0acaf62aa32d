"""What sources, browsers and strangers send: a canary in each place that can hold one.

Rules:
- A case is the bytes of one connection. Each has canaries of its own number, so that what is found
  says whose it is, and what is not seen coming in was not tried.
- A body's canaries are a source's words. A head's are not, and have cores of their own.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import NamedTuple
from urllib.parse import urlencode

from intake.form import Form
from intake.settings import FORM
from intake.wording import OFFERED
from tests.leaks.canaries import ASCII, BODIES, HEADS, NUMBER, SCRIPTS, mark
from tests.leaks.chain import head, post
from tests.site_maker import LEAST
from tests.upload_maker import BOUNDARY, KIND, Part, body, file, first

URLENCODED = "application/x-www-form-urlencoded"
FORM_MADE = Form.load(FORM)
TEXTS = [question for question in FORM_MADE.questions() if question.kind == "text"]
ANY = (200, 400, 403, 404, 405, 408, 413, 415, 417, 421)
KIB = 1024
SIZES = (1, 64, 600, 5 * KIB, 25 * KIB)  # KiB of a file; Werkzeug's parser writes from 500 on
HEADERS = (
    *("Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization"),
    *("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language"),
    *("Content-Length", "Content-MD5", "Content-Type", "Cookie", "DNT", "Date", "Expect"),
    *("Forwarded", "From", "Host", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range"),
    *("Keep-Alive", "Max-Forwards", "Origin", "Pragma", "Priority", "Proxy-Authorization"),
    *("Range", "Referer", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User"),
    *("Sec-GPC", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests"),
    *("User-Agent", "Via", "Warning", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
    *("X-Http-Method-Override", "X-Onion-Circuit", "X-Real-IP", "X-Request-ID", "Path_Info"),
    *("Remote-User", "Script_Name", "X_Odd"),
)


class Case(NamedTuple):
    """The bytes of one connection, and what must come of them.

    ``marks`` must be seen coming in. ``status`` is 0 where nothing comes back. ``told`` says that
    the page gives back what was typed. ``end`` is how the line ends: "whole", "half" (no more is
    sent), "both" (nobody reads either) or "unread" (all is sent, and nobody reads).
    """

    name: str
    pieces: tuple[bytes, ...]
    marks: tuple[str, ...]
    status: tuple[int, ...] = (200,)
    told: bool = False
    end: str = "whole"
    greeted: bool = True


_NUMBERS = count(1)


def marks(cores: Iterable[str] = BODIES) -> tuple[str, ...]:
    """Return the canaries of a new case."""
    number = next(_NUMBERS)
    return tuple(mark(core, number) for core in cores)


def urlencoded(
    path: str, fields: object, *lines: str | bytes, origin: str = "http://localhost"
) -> bytes:
    """Return a form as a browser posts it; ``fields`` are a mapping, pairs or bytes."""
    raw = fields if isinstance(fields, bytes) else urlencode(fields, doseq=True).encode()  # type: ignore[arg-type]
    return post(path, URLENCODED, raw, *lines, origin=origin)


def answers(text: str, **more: object) -> dict[str, object]:
    """Return a letter with ``text`` in each field for text, and a fresh seed."""
    typed = {question.key: text for question in TEXTS}
    return {"_seed": secrets.token_hex(32), **LEAST, **typed, **more}


def every() -> Iterator[Case]:
    """Yield all cases."""
    yield from letters()
    yield from refused()
    yield from cut()
    yield from files()
    yield from heads()
    yield from lines()


def letters() -> Iterator[Case]:
    """Yield what is stored, and what the page gives back with what is wrong."""
    for language in OFFERED:
        path = "/" if language == OFFERED[0] else f"/{language}"
        for script, core in SCRIPTS.items():
            (one,) = marks([core])
            yield Case(f"a letter, {script}, {language}", (urlencoded(path, answers(one)),), (one,))
    own = marks()
    full = {q.key: (" ".join(own) * q.limit)[: q.limit] for q in TEXTS}
    yield Case("every text at its limit", (urlencoded("/en", answers("", **full)),), own)
    yield Case("a number", (urlencoded("/en", answers("", unit_no=NUMBER)),), (NUMBER,))
    own = marks()
    everywhere: dict[str, object] = {name: list(own) for name in FORM_MADE.names()}
    odd = (urlencoded("/en", {"_seed": secrets.token_hex(32), **everywhere}),)
    yield Case("every field, choices too", odd, own, (400,), told=True)
    own = marks()
    named = {**answers(own[0]), **dict.fromkeys(own[1:], "x"), f"_{own[0]}": "x"}
    yield Case("names of fields", (urlencoded("/en", named),), own, (400,), told=True)
    own = marks()
    long = {TEXTS[0].key: (" ".join(own) + " ") * 80}
    yield Case(
        "a text that is too long",
        (urlencoded("/en", answers(own[0], **long)),),
        own,
        (400,),
        told=True,
    )
    (one,) = marks([ASCII])
    yield Case("U+0000", (urlencoded("/en", answers(f"{one}\0")),), (one,), (400,), told=True)
    own = marks()
    stale = {**answers(own[0]), "_seed": own[1], "_fill": own[2]}
    yield Case("in the seed and the filler", (urlencoded("/en", stale),), own, (400,), told=True)


def refused() -> Iterator[Case]:
    """Yield bodies that get one constant page, and none of which is read as a letter."""
    own = marks()
    yield Case(
        "two fillers",
        (urlencoded("/en", [*answers(own[0]).items(), ("_fill", own[1]), ("_fill", own[2])]),),
        own,
        (400,),
    )
    own = marks()
    yield Case(
        "a thousand fields",
        (
            urlencoded(
                "/en", [*((own[n], "x") for n in range(3)), *(("x", "x") for _ in range(998))]
            ),
        ),
        own,
        (400,),
    )
    own = marks()
    yield Case(
        "from another site",
        (urlencoded("/en", answers(" ".join(own)), origin=f"http://{'a' * 56}.onion"),),
        own,
        (403,),
    )
    own = marks()
    yield Case(
        "through a proxy", (urlencoded("/en", answers(" ".join(own)), "Via: 1.1 x"),), own, (421,)
    )
    own = marks()
    raw = "&".join(own).encode()
    yield Case("not escaped", (urlencoded("/en", raw),), own, (400,))
    own = marks()
    yield Case(
        "not UTF-8",
        (
            urlencoded(
                "/en", f"a={own[0]}%ff&b=".encode() + urlencode({"x": own[1:]}, doseq=True).encode()
            ),
        ),
        own[:1],
        (400,),
    )
    for kind in ("text/plain", "application/json", f"{URLENCODED}; charset=latin-1", "x"):
        own = marks()
        yield Case(
            f"of kind {kind}", (post("/en", kind, raw := " ".join(own).encode()),), own, (415,)
        )
    for size in (300, 600, 5 * KIB, 25 * KIB):
        own = marks()
        much = (urlencode({"account": " ".join(own)}).encode() + b"&") * (size * KIB // 250)
        yield Case(f"a letter of {size} KiB", (urlencoded("/en", much),), own, (413,))
    own = marks()
    parts = body(('; name="account"', " ".join(own).encode()), file(own[0], _filled(own[1], 600)))
    yield Case("a letter as multipart", (post("/en", KIND, parts),), own, (415,))
    for path, kind in {"/en": URLENCODED, "/en/file": KIND, "/en/words": URLENCODED}.items():
        own = marks()
        raw = " ".join(own).encode() * 20
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
        lines = (f"Content-Type: {kind}", "Transfer-Encoding: chunked")
        yield Case(f"{path} in chunks", (head(path, *lines), chunks), (), (400,))
        both = (*lines, f"Content-Length: {len(chunks)}")
        yield Case(f"{path} in chunks, with a length", (head(path, *both), chunks), (), (400,))
    own = marks()
    yield Case(
        "no length", (head("/en", f"Content-Type: {URLENCODED}"), " ".join(own).encode()), (), ANY
    )
    own = marks()
    asked = urlencoded("/en", answers(" ".join(own)), "Expect: 100-continue")
    yield Case("after 100 Continue", tuple(_split(asked)), own)


def cut() -> Iterator[Case]:
    """Yield letters whose line breaks, and one whose answer nobody reads."""
    for end in ("half", "both"):
        for where, share in {"in the head": -9, "before the body": 0, "in the body": 0.5}.items():
            own = marks()
            top, rest = _split(urlencoded("/en", answers(" ".join(own) * 3)))
            sent = top[:-9] if share < 0 else top + rest[: int(len(rest) * share)]
            yield Case(
                f"cut {where}, {end}", (sent,), own[:1] if share > 0 else (), (0, 400), end=end
            )
        own = marks()
        whole = urlencoded("/en", answers(" ".join(own)))
        yield Case(f"cut before the last byte, {end}", (whole[:-1],), own, (0, 400), end=end)
    own = marks()
    yield Case(
        "answer unread", (urlencoded("/en", answers(" ".join(own))),), own, (0,), end="unread"
    )


def files() -> Iterator[Case]:
    """Yield uploads: of each size, cut, mistyped, too many, too large."""
    for script, core in SCRIPTS.items():
        (one,) = marks([core])
        parts = body(first(), file(f"{one}.jpg", _filled(one, 1)))
        yield Case(f"a file, {script}", (post("/en/file", KIND, parts),), (one,))
    for size in SIZES:
        own = marks()
        parts = body(first(), file(f"{own[0]}.mp4", _filled(" ".join(own), size)))
        yield Case(f"a file of {size} KiB", (post("/en/file", KIND, parts),), own)
    own = marks()
    many = body(first(), *(file(own[n % 3], _filled(own[0], 40)) for n in range(6)))
    yield Case("six files", (post("/en/file", KIND, many),), own, (400,))
    own = marks()
    large = body(first(), file(own[0], _filled(own[1], 26 * KIB)), file(own[2], b"x"))
    yield Case("a file that is too large", (post("/en/file", KIND, large),), own[:2], (400,))
    for where, (part, seen) in _odd_parts().items():
        yield Case(
            f"an upload with a canary {where}",
            (post("/en/file", KIND, part),),
            seen,
            (200, 400, 413),
        )
    (one,) = marks(HEADS[:1])
    kind, parts = KIND.replace(BOUNDARY, one), body(first(), file("a", _filled("x", 2)))
    yield Case(
        "a boundary",
        (post("/en/file", kind, parts.replace(BOUNDARY.encode(), one.encode())),),
        (one,),
    )
    yield from _cut_files()


def _odd_parts() -> Mapping[str, tuple[bytes, tuple[str, ...]]]:
    data = _filled("x", 1)
    one, two, three, four, five = (marks() for _ in range(5))
    typed: Part = '; name="receipt"', " ".join(one).encode()
    headed: Part = (
        f'; name="file"; filename="a"\r\nContent-Type: {two[1]}\r\nX-{two[0]}: {two[2]}',
        data,
    )
    named: Part = f'; name="{three[1]}"; filename="{three[0]}"', data
    return {
        "in the receipt": (body(typed, file("a", data)), one),
        "in a part's headers": (body(first(), headed), two),
        "in a part's name": (body(first(), named), three[:2]),
        "before the first part": (" ".join(four).encode() + b"\r\n" + body(first()), four),
        "in a head that does not end": (
            body(first())[:-50] + f"{BOUNDARY}\r\nX: {' '.join(five)}".encode() + b"x" * 70_000,
            five,
        ),
    }


def _cut_files() -> Iterator[Case]:
    for end in ("half", "both"):
        for where, share in {"in the receipt": 0.002, "in the middle": 0.5, "late": 0.99}.items():
            own = marks()
            data = _filled(" ".join(own), 900)
            parts = body(first(), file(own[0], data), file(own[1], data))
            top, rest = _split(post("/en/file", KIND, parts))
            sent = (
                rest[: max(int(len(rest) * share), 150)]
                if share < 0.01
                else rest[: int(len(rest) * share)]
            )
            seen = own if share > 0.01 else ()
            yield Case(f"an upload cut {where}, {end}", (top + sent,), seen, (0, 200, 400), end=end)
        own = marks()
        whole = post("/en/file", KIND, body(first(), file(own[0], _filled(" ".join(own), 700))))
        yield Case(
            f"an upload cut before its last byte, {end}", (whole[:-1],), own, (0, 200, 400), end=end
        )


def heads() -> Iterator[Case]:
    """Yield a canary in each header, by itself, in Latin and in Burmese letters."""
    for name in HEADERS:
        for core in HEADS:
            (one,) = marks([core])
            line = f"{name}: {one}"
            yield Case(
                f"{name}, {core[:6]}", (head("/en", line, method="GET"),), (one,), ANY, end="half"
            )
    for odd in (
        "X-{}: x",
        "X {}: x",
        "{}",
        "X-A\0{}: x",
        "X-A: {}\r\n more {}",
        ": {}",
        "X-A: \0{}\r{}\n{}",
        "Cookie: a={0}; b={0}",
    ):
        for core in HEADS:
            (one,) = marks([core])
            line = odd.format(*[one] * 3)
            yield Case(
                f"{odd!r}, {core[:6]}", (head("/en", line, method="GET"),), (one,), ANY, end="half"
            )
    (one,) = marks(HEADS[:1])
    yield Case(
        "65 headers",
        (head("/en", *[f"X-{n}: {one}" for n in range(65)], method="GET"),),
        (one,),
        (400, 421),
        end="half",
    )
    (one,) = marks(HEADS[:1])
    yield Case(
        "a header of 20 KiB",
        (head("/en", f"X-A: {one * 1000}", method="GET"),),
        (one,),
        ANY,
        end="half",
    )


def lines() -> Iterator[Case]:
    """Yield request lines, what is none, and what stands in the place of tor's line."""
    for text in (
        *("GET /{} HTTP/1.1", "GET /en?{} HTTP/1.1", "POST /en/{}?{} HTTP/1.1", "{} /en HTTP/1.1"),
        *("GET /en {}", "GET http://localhost/{} HTTP/1.1", "GET //{}@x/ HTTP/1.1", "{}"),
        *("GET {} HTTP/1.1", "GET /en#{} HTTP/1.1", "GET /%00{} HTTP/1.1", "OPTIONS {} HTTP/1.1"),
        *("CONNECT {}:443 HTTP/1.1", "TRACE /{} HTTP/1.1", "HEAD /{} HTTP/1.1", "GET /{}"),
        *(
            "PRI * HTTP/2.0\r\n\r\n{}",
            "GET /en HTTP/1.1\nX: {}",
            "\r\n\r\n{}",
            "\x16\x03\x01\x02{}",
        ),
    ):
        for core in HEADS:
            (one,) = marks([core])
            raw = text.format(one, one).encode() + b"\r\nHost: localhost\r\n\r\n"
            yield Case(f"{text!r}, {core[:6]}", (raw,), (one,), (0, *ANY), end="half")
    (one,) = marks(HEADS[:1])
    yield Case(
        "a request line of 30 KiB",
        (f"GET /{one * 2000} HTTP/1.1\r\n\r\n".encode(),),
        (one,),
        ANY,
        end="half",
    )
    for greeting in (
        "PROXY TCP6 {} ::1 1 80\r\n",
        "{}\r\n",
        "GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ):
        (one,) = marks(HEADS[:1])
        yield Case(
            f"for tor's line, {greeting!r}",
            (greeting.format(one).encode(),),
            (one,),
            (0,),
            end="half",
            greeted=False,
        )


def _filled(text: str, size: int) -> bytes:
    """Return so many KiB, each of which has the text and then chance."""
    octets = text.encode()
    return b"".join(octets + secrets.token_bytes(KIB - len(octets)) for _ in range(size))


def _split(request: bytes) -> tuple[bytes, bytes]:
    """Return head and body."""
    top, line, rest = request.partition(b"\r\n\r\n")
    return top + line, rest
