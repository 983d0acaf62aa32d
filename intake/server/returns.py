"""The way back: a receipt comes in, replies go out; more words, files, or the wish to withdraw.

Rules:
- A receipt comes in the body of a POST, and is in no address, cookie, log or error. A page that was
  reached with it carries it in hidden fields, so that nobody has to type it twice.
- What may be wrong with a receipt is told from its check digit alone. Of one that is right in form
  nobody is told whether it was ever given: no replies is no replies.
- Adding and withdrawing take no slow step and look nothing up: they are sealed rows like any other.
- On any error what was typed comes back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from flask import Flask, Response, request

from intake import receipt
from intake.envelope import WITHDRAWAL, WORDS
from intake.errors import BadKeyring, MachineTrouble, NoRoom
from intake.form import BODY_SPARE, BYTES_PER_CHARACTER
from intake.replies import Replies
from intake.server import mailbox, requests, typed, uploads
from intake.server.letterbox import Source
from intake.server.site import Site, notice, page
from intake.server.site import create_app as letters
from intake.server.slowly import Busy, Places, in_thread
from intake.settings import Settings
from intake.wording import OFFERED, ZAWGYI
from intake.zawgyi import to_zawgyi

LONGEST = 5000  # characters of words that are added
MOST = 3  # replies on one page, so that it keeps its one size whatever is in them
_BODY = BODY_SPARE + LONGEST * 5 // 4 * BYTES_PER_CHARACTER  # bytes that must come back on an error
_ID = 32  # hex digits of a reply's id


@dataclass(frozen=True, slots=True)
class Back:
    """What the routes share: made once, never changed."""

    site: Site
    replies: Replies
    places: Places


def create_app(settings: Settings) -> Flask:
    """Return the whole WSGI app: the site, and the way back. Raises as ``site.create_app``."""
    app = letters(settings)
    store, places = Replies(settings.url, settings.data), Places(settings.data)
    back = Back(app.extensions["site"], store, places)
    doors: list[tuple[str, str, Callable[[Back, str], Response]]] = [
        ("back", "GET", ask),
        ("back", "POST", visit),
        ("words", "POST", add_words),
        ("file", "POST", add_files),
        ("withdraw", "POST", withdraw),
        ("key", "GET", key),
        ("exit", "GET", leave),
    ]
    app.extensions["slow"] = set()  # paths of what waits for a slow step
    for language in OFFERED:
        start = "" if language == OFFERED[0] else f"/{language}"
        app.extensions["slow"].add(f"{start}/back")
        for name, method, answer in doors:
            found = partial(_at, answer, back, language)
            where = f"{name}-{method}-{language}"
            app.add_url_rule(f"{start}/{name}", where, found, methods=[method])
    return app


def _at(answer: Callable[..., Response], back: Back, language: str) -> Response:
    """Answer, or say with a constant page that the site is closed, or busy."""
    try:
        return answer(back, language)
    except Busy:
        return notice(back.site, language, 429)
    except (BadKeyring, MachineTrouble):
        return notice(back.site, language, 503)


def ask(back: Back, language: str) -> Response:
    """GET: ask for the receipt."""
    back.site.letterbox.today()
    return page(back.site, language, "back", wrong=False, typed="")


def visit(back: Back, language: str) -> Response:
    """POST: show what waits for a receipt, without what its source deletes."""
    fields = _fields(back)
    digits = _receipt(fields)
    if digits is None:
        again = fields.get("receipt", [""])[0][: typed.LONGEST]
        return page(back.site, language, "back", 400, wrong=True, typed=again)
    drop = fields.get("delete", [""])[0]
    name = bytes.fromhex(drop) if len(drop) == _ID and set(drop) <= set("0123456789abcdef") else b""
    deployment = back.site.letterbox.today().deployment
    found = back.places.slowly(partial(mailbox.visit, back.replies, deployment, digits, drop=name))
    (asked, *_) = fields.get("to", fields.get("place", ["0"]))
    last = max(0, (len(found) - 1) // MOST)
    place = int(asked) if asked in {str(n) for n in range(last)} else last
    end = len(found) - place * MOST
    shown = found[max(0, end - MOST) : end]
    return case(back, language, digits, waiting=shown, place=place, earlier=place < last)


def add_words(back: Back, language: str) -> Response:
    """POST: seal and store more words of a case."""
    fields = _fields(back)
    words = fields.get("words", [""])[0].replace("\r\n", "\n")
    trouble = "" if words.strip() else "empty"
    trouble = "long" if len(words) > LONGEST else trouble
    trouble = "sign" if "\0" in words else trouble  # as in ``intake.form``
    return _add(back, language, fields, WORDS, {"words": words}, trouble)


def withdraw(back: Back, language: str) -> Response:
    """POST: seal and store the wish that a case be deleted."""
    fields = _fields(back)
    trouble = "" if fields.get("sure") == ["yes"] else "unsure"
    return _add(back, language, fields, WITHDRAWAL, {}, trouble)


def _add(  # noqa: PLR0913, PLR0917 - what an envelope needs
    back: Back,
    language: str,
    fields: dict[str, list[str]],
    kind: str,
    body: dict[str, str],
    trouble: str,
) -> Response:
    """Seal and store ``body``, or give back what was typed and say what is wrong."""
    letterbox, told = back.site.letterbox, trouble
    digits, seed = _receipt(fields), requests.pop_seed(fields)
    if digits is None or seed is None:
        told = "damaged" if digits else "receipt"
    elif not told:
        try:
            source = Source(receipt.nonce(seed), digits, language)
            letterbox.post(letterbox.today(), source, kind, body)
            return case(back, language, digits, told=kind)
        except BadKeyring:
            told = "closed"
        except NoRoom:
            told = "store"
        except MachineTrouble:  # as in ``site.take``
            told = "doubt"
    status = 503 if told in {"closed", "store", "doubt"} else 400
    kept = {"typed": body.get("words", ""), "limit": LONGEST}
    return case(back, language, digits or "", status, told=told, seed=seed, **kept)


def add_files(back: Back, language: str) -> Response:
    """POST: seal files while they arrive, and store each when it is whole."""
    requests.check_origin(request)
    letterbox = back.site.letterbox
    settings = letterbox.settings
    limits = uploads.Limits(settings.files, settings.file_mb << 20)
    got = uploads.receive(request, letterbox, letterbox.today(), language, limits, in_thread)
    status = {"": 200, "room": 503, "doubt": 503}.get(got.trouble, 400)
    return case(back, language, got.digits, status, told="files", files=got)


def key(back: Back, language: str) -> Response:
    """GET: the recipient of today's period, for who seals a file by their own hand."""
    recipient = back.site.letterbox.today().recipient
    return page(back.site, language, "key", recipient=recipient)


def leave(back: Back, language: str) -> Response:
    """GET: a page that nobody minds being seen with, also when the site is closed."""
    return page(back.site, language, "exit")


def case(
    back: Back,
    language: str,
    digits: str,
    status: int = 200,
    *,
    seed: bytes | None = None,
    **content: object,
) -> Response:
    """Answer with the page of a case: what was done, what waits, and what can be done next."""
    spell = to_zawgyi if language == ZAWGYI else str  # a reply, which is written in Unicode
    known = {"waiting": None, "told": "", "typed": "", "files": None, "place": 0, "spell": spell}
    fresh = (seed or receipt.new_seed()).hex()
    return page(back.site, language, "case", status, digits=digits, seed=fresh, **known | content)


def _fields(back: Back) -> dict[str, list[str]]:
    requests.check_origin(request)
    return requests.read_fields(request, _BODY + back.site.letterbox.settings.fill)


def _receipt(fields: dict[str, list[str]]) -> str | None:
    given = fields.get("receipt", [])
    return typed.read(given[0]) if len(given) == 1 else None
