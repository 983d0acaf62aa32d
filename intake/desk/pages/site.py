"""The routes of the desk pages.

Rules:
- Locked, every page is the lock page. What was posted meanwhile is dropped, and the reviewer told.
- A GET changes nothing but what was read. A POST does one thing and leads to a page.
- A refusal becomes a sentence on the next page; anything else that goes wrong, a constant page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import HTTPException, NotFound

from intake.desk import deciding, figures, tally
from intake.desk.cases import Case
from intake.desk.pages import answers, inbox
from intake.desk.pages import case as one_case
from intake.desk.pages.answers import go
from intake.desk.pages.guard import OPEN, Guard
from intake.desk.pages.inbox import Row
from intake.desk.pages.session import Desk, Session
from intake.errors import Refused

MOST = 200  # cases that a search shows, and characters that it looks for
LOCKED = "/locked"
STAYS = frozenset({"inbox", "search", "case", "sign", "tally"})  # where one returns to
KEPT = "Kept. It counts when you have signed it."
UNDONE = "Undone. It was never in the casebook."
ALL_READ = "You have opened all your cases."
DROPPED = "The desk was locked, and what you sent was not kept."


def guarded(session: Session) -> Guard:
    """Return the pages behind their door."""
    app = Flask("intake.desk", template_folder=str(answers.TEMPLATES), static_folder=None)
    answers.prepare(app, session)
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
        ("/tally", pages.tally, ["GET"]),
        ("/undo", pages.undo, ["POST"]),
        ("/unlock", pages.unlock, ["POST"]),
        ("/lock", pages.lock, ["POST"]),
        ("/language", pages.language, ["POST"]),
    ):
        app.add_url_rule(path, view.__name__, view, methods=methods)
    return Guard(app, session.hold, answers.notices(app, session))


@dataclass(frozen=True, slots=True)
class Pages:
    """What answers each route."""

    session: Session

    @property
    def desk(self) -> Desk:
        """What is open; only asked where the gate let in."""
        if self.session.desk is None:
            raise NotFound
        return self.session.desk

    def gate(self) -> Response | None:
        """Let in if the desk is open; else answer with the page that says why not."""
        session, endpoint = self.session, request.endpoint
        if request.path in OPEN:
            return None
        if request.path == LOCKED:  # an open page comes here by itself when nobody was there
            session.look()
            return go(session.place)
        session.here()
        if request.method == "GET" and endpoint in STAYS:
            session.place = url_for(endpoint, **(request.view_args or {}))
        loading, shut = session.progress is not None, session.desk is None
        if endpoint in {"language", "lock"} or not shut or (endpoint == "unlock" and not loading):
            return None
        if request.method == "GET":
            return answers.show(session, "loading" if loading else "lock")
        session.told += [DROPPED] * (endpoint != "unlock")  # which was pressed twice
        return go("/")

    def inbox(self) -> Response:
        """GET: the list of cases, filtered."""
        desk, session = self.desk, self.session
        facets = inbox.facets(session.form, desk.rows)
        chosen: dict[str, Any] = inbox.chosen(facets, request.args)
        session.place = url_for("inbox", **chosen)

        def link(key: str, code: object) -> str:
            return url_for("inbox", **{**chosen, key: code or None})

        fit, counts = inbox.choose(desk.rows, facets, chosen, flags := self._flags())
        pages = max(1, -(-len(fit) // inbox.SIZE))
        page = min(max(request.args.get("page", 1, int), 1), pages)
        shown = fit[(page - 1) * inbox.SIZE :][: inbox.SIZE]
        more = {"facets": facets, "chosen": chosen, "counts": counts, "link": link}
        return self._list("inbox", fit, shown, flags=flags, page=page, pages=pages, **more)

    def unread(self) -> Response:
        """GET: the next case that was not opened yet, of the list; else of all."""
        desk = self.desk
        for tag in (*desk.listing, *(row.case.tag for row in desk.rows)):
            if tag not in desk.drafts.seen:
                return go(f"/case/{tag.hex()}")
        self.session.told.append(ALL_READ)
        return go("/")

    def search(self) -> Response:
        """POST: remember what is looked for. GET: show what was found."""
        desk = self.desk
        if request.method == "POST":
            desk.query = request.form.get("query", "").strip()[:MOST]
            return go("/search")
        found = set(desk.index.find(desk.query))
        fit = [row for row in desk.rows if row.case.tag in found]
        return self._list("search", fit, fit[:MOST], flags=self._flags())

    def case(self, tag: str) -> Response:
        """GET: one case."""
        desk, case = self.desk, self._case(tag)
        desk.drafts.seen.add(case.tag)
        shown = one_case.page(desk, case)
        return answers.show(self.session, "case", case=case, people=self._active(), **shown)

    def draft(self, tag: str) -> Response:
        """POST: keep a decision until it is signed."""
        desk, case = self.desk, self._case(tag)
        made = one_case.draft(desk, case, request.form)
        deciding.check(case, made, set(self._active()))
        desk.drafts.add(made)
        desk.drafts.save()
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
        if request.method == "GET":
            return answers.show(self.session, "sign", drafts=self.desk.drafts.pending)
        self.session.sign(request.form.get("passphrase", ""))
        return go("/")

    def tally(self) -> Response:
        """GET: how many left, in the reviewer's own cases."""
        opener = f"the caseload of {self.session.reviewer.name}"
        counted = tally.of(self.desk.caseload, opener, tally.assume())
        return answers.show(self.session, "tally", **figures.inside(counted))

    def export(self, tag: str) -> Response:
        """POST: write a file of the case into the reviewer's folder."""
        case, folder = self._case(tag), self.session.exports
        wanted = request.form.get("file", "")
        told = one_case.export(self.desk, case, wanted, folder) if folder else None
        if told is None:
            raise NotFound
        self.session.told += told
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
        if (wanted := request.form.get("language", "")) in self.session.wordings:
            self.session.language = wanted
        return go(self.session.place)

    def fail(self, error: Exception) -> Response:
        """Answer what went wrong: with a sentence, or with the bare status of a constant page."""
        if isinstance(error, Refused):
            self.session.told += self.session.refusal(error)
            return go(self.session.place)
        return Response(status=error.code if isinstance(error, HTTPException) else 500)

    def _list(
        self, template: str, fit: Sequence[Row], shown: Sequence[Row], **more: object
    ) -> Response:
        """Answer with a list of cases; ``shown`` are those of ``fit`` that it has room for."""
        self.desk.listing = [row.case.tag for row in fit]
        pending = {draft.case for draft in self.desk.drafts.pending}
        lists = {"rows": shown, "fit": len(fit), "pending": pending}
        return answers.show(self.session, template, **lists, **more)

    def _flags(self) -> dict[bytes, set[str]]:
        name = self.session.reviewer.name
        return dict(inbox.flags(self.desk.rows, name, self.desk.drafts))

    def _active(self) -> list[str]:
        return [reviewer.name for reviewer in self.session.book.keyring.active]

    def _case(self, tag: str) -> Case:
        try:
            return self.desk.caseload.facts[bytes.fromhex(tag)].case
        except (ValueError, LookupError):
            raise NotFound from None
