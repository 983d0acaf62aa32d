"""The constant answers of the site, made in this process, and how an answer is told from them.

Rules:
- What is drawn anew for each page (seed, filler, receipt) is taken out before pages are compared;
  nothing else is. So an answer that is one of these holds nothing of the request.
- A head is compared too, but for the two lines that say how the connection goes on.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import NamedTuple

from flask import Flask
from werkzeug.wrappers import Response

from deploy.door.answers import HEAD
from intake import receipt
from intake.server.answers import SIZE
from intake.server.returns import create_app
from intake.server.site import notice
from intake.settings import Settings
from intake.wording import OFFERED
from tests.site_maker import LEAST, ORIGIN

BELOW = (400, 408, 429, 500)  # what the layer below the app answers, in all languages
NOTICES = (400, 403, 404, 405, 408, 413, 415, 421, 429)
PAGES = ("", "/back", "/key", "/exit")
DRAWN = re.compile(
    r'(?<=name="_seed" value=")\w{64}|(?<=name="_fill" value=")o+|(?<=value=")\d{24}(?=")'
    r"|(?<=<li>)[0-9\u1040-\u1049]{4}|(?<=<small>)\d{4}"
)
OURS = re.compile(rb"(?:Connection|X-Padding): .*\r\n")


class Answer(NamedTuple):
    """A head without what says how the connection goes on, and a page without what is drawn."""

    head: bytes
    page: str


def split(raw: bytes, *, bare: bool = False) -> Iterator[bytes]:
    """Cut what came on one connection into answers of the one length; ``bare`` are without body."""
    size = HEAD if bare else HEAD + SIZE
    for at in range(0, len(raw), size):
        yield raw[at : at + size]


def measured(raw: bytes, *, bare: bool = False) -> Answer:
    """Return an answer. Raises AssertionError unless it has the one length."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lengths = len(head) + 4, len(body)
    assert lengths == (HEAD, 0 if bare else SIZE), f"length: {lengths}"
    return Answer(OURS.sub(b"", head + b"\r\n"), "" if bare else page(gzip.decompress(body)))


def page(text: bytes) -> str:
    """Return a page without what is drawn."""
    return DRAWN.sub("", text.decode())


def constants(settings: Settings) -> dict[str, Answer]:
    """Return name -> answer. "below 400" is of the layer below, "en 404" of the app."""
    app = create_app(settings)
    site = app.extensions["site"]
    found = {f"below {status}": of(app.extensions["refusal"](status)) for status in BELOW}
    for language in OFFERED:
        for status in NOTICES:
            asked = app.test_request_context("/")
            with asked:
                answer = app.process_response(notice(site, language, status))
            found[f"{language} {status}"] = of(answer)
        start = "" if language == OFFERED[0] else f"/{language}"
        found |= {f"{language} form{path}": visit(app, start + path) for path in PAGES}
        sent = {"_seed": "5" * 64, **LEAST}
        found[f"{language} receipt"] = visit(app, start, sent)
        found[f"{language} unsure"] = visit(app, f"{start}/back", {"receipt": ""})
        found[f"{language} stale"] = visit(app, start, {"_fill": ""})
        chosen = {"receipt": receipt.receipt(bytes(32)), "file": (BytesIO(), "")}
        found[f"{language} none"] = visit(app, f"{start}/file", chosen)
    return found


def visit(app: Flask, path: str, fields: Mapping[str, object] | None = None) -> Answer:
    """Ask the app in this process; with ``fields``, post them."""
    client = app.test_client(use_cookies=False)
    if fields is None:
        return of(client.get(path or "/", headers=ORIGIN))
    return of(client.post(path or "/", headers=ORIGIN, data=fields))


def of(answer: Response) -> Answer:
    """Return an answer of the app as it is on the wire."""
    lines = [f"HTTP/1.1 {answer.status}", *(f"{name}: {value}" for name, value in answer.headers)]
    head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
    return Answer(OURS.sub(b"", head), page(gzip.decompress(answer.get_data())))


def names(found: Answer, known: Mapping[str, Answer]) -> list[str]:
    """Return the names of the constant answers that this is; of a bare one, all with that head."""
    return [
        name
        for name, one in known.items()
        if one.head == found.head and found.page in {one.page, ""}
    ]
