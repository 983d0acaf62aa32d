"""The routes of the desk pages.

Rules:
- Locked, every page is the lock page. What was posted meanwhile is dropped, and the reviewer told.
- A GET changes nothing but what was seen. A POST does one thing and leads to a page.
- A refusal becomes a sentence on the next page; anything else that goes wrong, a constant page.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, Response, render_template, request, url_for
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.wrappers import Response as Answer

from intake.desk import cases, deciding, noticing, page, visible
from intake.desk.cases import Case
from intake.desk.pages import case as one_case
from intake.desk.pages import inbox, language
from intake.desk.pages.guard import CODES, OPEN, Guard
from intake.desk.pages.session import Desk, Session
from intake.errors import Refused
from intake.settings import ROOT

TEMPLATES = ROOT / "templates" / "desk"
MOST = 200  # cases that a search shows
SENTENCES = {
    400: "This is not a request that the desk understands.",
    403: "This door is closed. The address in the terminal opens it once, in one browser.",
    404: "There is no such page.",
    405: "This page cannot be asked so.",
    413: "That was too much at once.",
    500: "A defect in Intake. Go back, and try again.",
}
KEPT = "Kept. It counts when you have signed it."
UNDONE = "Undone. It was never in the casebook."
ALL_READ = "You have opened all your cases."
DROPPED = "The desk was locked, and what you sent was not kept."
STAYS = frozenset({"inbox", "search", "case", "sign"})  # where one returns to


@dataclass(frozen=True, slots=True)
class Pages:
    """What the routes share."""

    session: Session

    @property
    def desk(self) -> Desk:
        """What is open; only asked where the gate let in."""
        if self.session.desk is None:
            raise NotFound
        return self.session.desk

    def show(self, template: str, **content: object) -> Response:
        """Answer with a template, in the reviewer's language; what was told is told once."""
        session = self.session
        told, session.told = session.told, []
        other = next(name for name in session.wordings if name != session.language)
        html = render_template(
            f"pages/{template}.html",
            _=session.wordings[session.language].text,
            numerals=session.wordings[session.language].numerals,
            other=session.wordings[other].text,
            other_language=other,
            language=session.language,
            names=language.NAMES,
            name=session.name,
            demo=session.demo,
            open=session.desk is not None,
            loading=session.progress is not None,
            waiting=len(session.desk.drafts.pending) if session.desk else 0,
            told=[sentence for sentence in told if sentence],
            **content,
        )
        return Response(html, content_type="text/html; charset=utf-8")

    def gate(self) -> Response | None:
        """Let in if the desk is open; else answer with the page that says why not."""
        session = self.session
        if request.path in OPEN:
            return None
        session.here()
        if request.method == "GET" and request.endpoint in STAYS:
            session.place = url_for(request.endpoint, **(request.view_args or {}))
        if request.endpoint in {"language", "lock"} or (
            request.endpoint == "unlock" and session.desk is None and session.progress is None
        ):
            return None
        if session.progress is not None and request.method == "GET":
            done, count = session.progress
            return self.show("loading", done=done, all=count, at="")
        if session.desk is not None:
            return None
        if request.method == "POST":
            session.told.append(DROPPED)
            return go("/")
        return self.show("lock", at="")

    def inbox(self) -> Response:
        """GET: the list of cases, filtered."""
        desk, session = self.desk, self.session
        facets = inbox.facets(session.form, desk.rows)
        chosen: dict[str, Any] = inbox.chosen(facets, request.args)
        session.place = url_for("inbox", **chosen)
        flags, pending = self._flags()
        fit, counts = inbox.choose(desk.rows, chosen, flags)
        desk.listing = [row.case.tag for row in fit]
        pages = max(1, -(-len(fit) // inbox.SIZE))
        number = min(max(request.args.get("page", 1, int), 1), pages)

        def link(key: str, code: object) -> str:
            kept: dict[str, Any] = {**chosen, key: code or None}
            return url_for("inbox", **kept)

        return self.show(
            "inbox",
            at="inbox",
            rows=fit[(number - 1) * inbox.SIZE : number * inbox.SIZE],
            facets=facets,
            chosen=chosen,
            counts=counts,
            flags=flags,
            pending=pending,
            link=link,
            page=number,
            pages=pages,
            fit=len(fit),
            mine=len(desk.rows),
            total=desk.caseload.total,
            faults=desk.caseload.state.faults,
        )

    def unread(self) -> Response:
        """GET: the next case that was not opened yet, of the list; else of all."""
        desk = self.desk
        order = [*desk.listing, *(row.case.tag for row in desk.rows)]
        for tag in order:
            if tag not in desk.drafts.seen:
                return go(f"/case/{tag.hex()}")
        self.session.told.append(ALL_READ)
        return go("/")

    def search(self) -> Response:
        """POST: remember what is looked for. GET: show what was found."""
        desk = self.desk
        if request.method == "POST":
            desk.query = request.form.get("query", "")[:MOST]
            return go("/search")
        found = set(desk.index.find(desk.query)) if desk.query.strip() else set()
        fit = [row for row in desk.rows if row.case.tag in found]
        desk.listing = [row.case.tag for row in fit]
        flags, pending = self._flags()
        shown = {"rows": fit[:MOST], "fit": len(fit), "query": desk.query}
        return self.show("search", at="search", flags=flags, pending=pending, **shown)

    def case(self, tag: str) -> Response:
        """GET: one case."""
        desk = self.desk
        case = self._case(tag)
        before, after = one_case.neighbours(desk, case.tag)
        of = desk.caseload.facts.get(case.duplicate_of or b"")
        desk.drafts.seen.add(case.tag)
        return self.show(
            "case",
            at="case",
            case=case,
            row=next(row for row in desk.rows if row.case is case),
            opened=desk.caseload.opened(case),
            original=of.case if of else None,
            before=before,
            after=after,
            drafts=[told for told in one_case.waiting(desk) if told.case is case],
            decisions=one_case.history(desk, case),
            likes=one_case.likes(desk, case),
            people=self._active(),
            exports=self.session.exports,
        )

    def draft(self, tag: str) -> Response:
        """POST: keep a decision until it is signed."""
        case = self._case(tag)
        made = one_case.draft(self.desk, case, request.form)
        deciding.check(case, made, set(self._active()))
        self.desk.drafts.add(made)
        self.desk.drafts.save()
        self.session.told.append(KEPT)
        return go(f"/case/{case.tag.hex()}")

    def undo(self) -> Response:
        """POST: drop one draft."""
        drafts = self.desk.drafts
        keys = [one_case.key(draft) for draft in drafts.pending]
        if (key := request.form.get("draft", "")) in keys:  # else it was pressed twice
            drafts.undo(keys.index(key))
            drafts.save()
            self.session.told.append(UNDONE)
        return go("/sign")

    def sign(self) -> Response:
        """GET: what waits. POST: write all of it into the casebook."""
        desk, session = self.desk, self.session
        if request.method == "GET":
            return self.show("sign", at="sign", drafts=list(one_case.waiting(desk)))
        session.sign(request.form.get("passphrase", ""))
        return go("/")

    def export(self, tag: str) -> Response:
        """POST: write a file of the case into the reviewer's folder."""
        case, folder = self._case(tag), self.session.exports
        wanted = request.form.get("envelope", "")
        found = [o for o in self.desk.caseload.opened(case) if o.received.id.hex() == wanted]
        if folder is None or not found:
            raise NotFound
        self.session.told += one_case.export(found[0], folder)
        return go(f"/case/{tag}")

    def unlock(self) -> Response:
        """POST: begin to load."""
        self.session.unlock(request.form.get("passphrase", ""))
        return go(self.session.place)

    def lock(self) -> Response:
        """POST: drop keys and words."""
        self.session.lock()
        return go("/")

    def language(self) -> Response:
        """POST: Burmese or English."""
        if request.form.get("language") in self.session.wordings:
            self.session.language = request.form["language"]
        return go(self.session.place)

    def fail(self, error: Exception) -> Answer:
        """Answer what went wrong: with a sentence, or with the bare status of a constant page."""
        if isinstance(error, Refused):
            self.session.told += [error.what, error.hint]
            return go(self.session.place)
        return Answer(status=error.code if isinstance(error, HTTPException) else 500)

    def _active(self) -> list[str]:
        return [reviewer.name for reviewer in self.session.book.keyring.active]

    def _case(self, tag: str) -> Case:
        facts = self.desk.caseload.facts.get(_tag(tag))
        if facts is None:
            raise NotFound
        return facts.case

    def _flags(self) -> tuple[dict[bytes, set[str]], set[bytes]]:
        desk = self.desk
        pending = {draft.case for draft in desk.drafts.pending}
        flags = inbox.flags(desk.rows, self.session.name, desk.drafts.seen, pending)
        return dict(flags), pending


def guarded(session: Session) -> Guard:
    """Return the pages behind their door."""
    app = create_app(session)
    notice = app.jinja_env.get_template("pages/notice.html")
    wordings = list(session.wordings.values())
    notices = {
        code: notice.render(code=code, sentence=SENTENCES[code], wordings=wordings).encode()
        for code in CODES
    }
    return Guard(app, session.hold, notices)


def create_app(session: Session) -> Flask:
    """Return the pages, without their door."""
    app = Flask("intake.desk", template_folder=str(TEMPLATES), static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    app.jinja_env.filters.update(
        typed=visible.html, notices=noticing.notices, unicode=one_case.unicode_copy
    )
    app.jinja_env.globals.update(
        STATES=cases.STATES,
        MARKS=cases.MARKS,
        GROUNDS=cases.GROUNDS,
        OFFERED=cases.OFFERED,
        urgent=inbox.URGENT,
        dangers=inbox.dangers(session.form),
        titles=page.TITLES,
        provenance=page.provenance,
    )
    pages = Pages(session)
    app.before_request(pages.gate)
    app.register_error_handler(Exception, pages.fail)
    for path, view, methods in (
        ("/", pages.inbox, ["GET"]),
        ("/unread", pages.unread, ["GET"]),
        ("/search", pages.search, ["GET", "POST"]),
        ("/case/<tag>", pages.case, ["GET"]),
        ("/case/<tag>/draft", pages.draft, ["POST"]),
        ("/case/<tag>/export", pages.export, ["POST"]),
        ("/sign", pages.sign, ["GET", "POST"]),
        ("/undo", pages.undo, ["POST"]),
        ("/unlock", pages.unlock, ["POST"]),
        ("/lock", pages.lock, ["POST"]),
        ("/language", pages.language, ["POST"]),
    ):
        app.add_url_rule(path, view.__name__, view, methods=methods)
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in ("case.css", "desk.css"))
    script = (TEMPLATES / "keys.js").read_text("utf-8")
    for path, data, kind in (("/desk.css", style, "css"), ("/keys.js", script, "javascript")):
        answer = partial(Response, data, content_type=f"text/{kind}; charset=utf-8")
        app.add_url_rule(path, kind, answer, methods=["GET"])
    return app


def go(path: str) -> Response:
    """Lead to a page."""
    return Response(status=303, headers={"Location": path})


def _tag(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise NotFound from None
