"""What goes out: a template in the reviewer's language, the constant pages, style and script.

Rules:
- A page's template gets what it shows, and the session, which knows what is open.
- Every word that a source or a reviewer wrote goes through the filter ``typed``, which is
  ``visible.html``. Behind it stands autoescape, and behind that the policy of ``guard``.
- The constant pages are made once, in all languages at once: nothing can go wrong in them.
"""

import secrets
from collections.abc import Mapping
from functools import partial

from flask import Flask, Response, render_template
from jinja2 import StrictUndefined

from intake.desk import noticing, page, visible
from intake.desk.cases import Case
from intake.desk.labels import LABELS
from intake.desk.pages import inbox, language
from intake.desk.pages.case import key, unicode_copy
from intake.desk.pages.session import Session
from intake.settings import ROOT

TEMPLATES = ROOT / "templates" / "desk"
SENTENCES: Mapping[str, str] = LABELS["refusals"]


def prepare(app: Flask, session: Session) -> None:
    """Give the app its filters, what all templates know, and the two files of the pages."""
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    app.jinja_env.filters.update(
        typed=visible.html, notices=noticing.notices, unicode=unicode_copy, key=key
    )

    def find(tag: str) -> Case | None:
        facts = session.desk and session.desk.caseload.facts.get(bytes.fromhex(tag))
        return facts.case if facts else None

    shared = {
        "session": session,
        "find": find,
        "names": language.NAMES,
        "labels": LABELS,
        "urgent": inbox.URGENT,
        "dangers": session.form.labels().get(inbox.DANGER, {}),
        "conversation": page.conversation,
        "of_file": page.of_file,
    }
    app.context_processor(lambda: shared)
    styles = ("case.css", "tally.css", "desk.css")
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in styles)
    script = (TEMPLATES / "keys.js").read_text("utf-8")
    for path, data, kind in (("/desk.css", style, "css"), ("/keys.js", script, "javascript")):
        answer = partial(Response, data, content_type=f"text/{kind}; charset=utf-8")
        app.add_url_rule(path, kind, answer, methods=["GET"])


def notices(app: Flask, session: Session) -> dict[int, bytes]:
    """Return the constant pages, by status."""
    template, said = app.jinja_env.get_template("pages/notice.html"), session.wordings.values()
    return {
        int(code): template.render(code=code, sentence=sentence, wordings=list(said)).encode()
        for code, sentence in SENTENCES.items()
    }


def show(session: Session, template: str, **content: object) -> Response:
    """Answer with a page, in the reviewer's language; what is to be told is told once."""
    told, session.told = session.told, []
    own = session.wordings[session.language]
    other = next(word for name, word in session.wordings.items() if name != session.language)
    html = render_template(
        f"pages/{template}.html",
        _=own.text,
        numerals=own.numerals,
        other=other,
        told=[sentence for sentence in told if sentence],
        at=template,
        **content,
    )
    answer = Response(html, content_type="text/html; charset=utf-8")
    if template == "lock":
        # Dangerous line: without a cookie that changes, Chromium's "back" shows the words again.
        answer.set_cookie("lock", secrets.token_hex(8), httponly=True, samesite="Strict")
    return answer


def go(path: str) -> Response:
    """Lead to another page of ours."""
    return Response(status=303, headers={"Location": path})
