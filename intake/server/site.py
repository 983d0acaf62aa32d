"""The routes: one GET returns the whole form, one POST stores and confirms.

Rules:
- On any error what was typed comes back in the form, with the sentence beside it. Only a body that
  is too large, not UTF-8, or from another site gets one constant page instead. Whoever comes
  through a proxy that strips Tor gets one too, before anything is read.
- The site is closed, with a sentence, when no valid keyring is installed for today.
- A defect answers with a constant page and is not logged: a traceback holds a source's words.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from flask import Flask, Response, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from intake import about, days, misplaced, receipt
from intake.envelope import TESTIMONY
from intake.errors import BadKeyring, MachineTrouble, NoRoom, Unsafe
from intake.form import Form
from intake.server import answers, requests
from intake.server.fields import DeclaredForm, generate
from intake.server.letterbox import Letterbox, Source
from intake.settings import ROOT, Settings
from intake.wording import OFFERED, Wording


@dataclass(frozen=True, slots=True)
class Site:
    """What the routes share: made once, never changed."""

    form: Form
    wordings: Mapping[str, Wording]
    fields: type[DeclaredForm]
    letterbox: Letterbox
    style: Markup
    headers: dict[str, str]
    about: Mapping[str, Mapping[str, about.Text | None]]


def create_app(settings: Settings) -> Flask:
    """Return the WSGI app that takes letters; ``returns`` adds the way back.

    Raises :class:`Unsafe` if a secret lies where none may be, and ``Misuse`` if the form, or what a
    group says of itself, cannot be used.
    """
    if found := misplaced.find([settings.keys, settings.data]):
        raise Unsafe(
            f"A secret lies on the server, in {found[0]}.",
            "Move it to the offline machine it belongs to, treat it as seen, and make a new one.",
        )
    app = Flask("intake", template_folder=str(ROOT / "templates"), static_folder=None)
    # No address is mended by a redirect, which would say it back.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = app.url_map.merge_slashes = False
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    style = (ROOT / "templates" / "source" / "style.css").read_text(encoding="utf-8")
    wordings = {name: Wording.load(name, settings.form) for name in OFFERED}
    # Our own file, and hashed into the policy: safe to put into the page as it is.
    unescaped = Markup(style)  # noqa: S704
    form = Form.load(settings.form)
    said = about.load(settings.about) if settings.about else {}
    own, fixed = Letterbox(settings), answers.headers(style)
    site = Site(form, wordings, generate(form), own, unescaped, fixed, said)
    for language in OFFERED:
        path = "/" if language == OFFERED[0] else f"/{language}"
        app.add_url_rule(path, f"show-{language}", partial(show, site, language), methods=["GET"])
        app.add_url_rule(path, f"take-{language}", partial(take, site, language), methods=["POST"])
    app.extensions["site"] = site
    app.extensions["refusal"] = lambda status: refuse(site, app, status)
    app.before_request(lambda: requests.check_direct(request))
    app.register_error_handler(Exception, partial(fail, site))
    app.after_request(lambda response: answers.finish(response, site.headers))
    return app


def show(site: Site, language: str) -> Response:
    """GET: the whole form, empty, with a fresh seed."""
    try:
        site.letterbox.today()
    except (BadKeyring, MachineTrouble):
        return notice(site, language, 503)
    return form_page(site, language, site.fields(formdata=None), receipt.new_seed())


def take(site: Site, language: str) -> Response:
    """POST: store and confirm, or give everything back with what is wrong."""
    requests.check_origin(request)
    typed = requests.read_fields(request, site.form.body_limit() + site.letterbox.settings.fill)
    seed = requests.pop_seed(typed)
    shown = site.fields.holding(typed)
    try:
        today = site.letterbox.today()
        if seed is None:
            shown.trouble, seed = "stale", receipt.new_seed()
        elif testimony := shown.check(typed, today.day, site.wordings[language]):
            source = Source(receipt.nonce(seed), receipt.receipt(seed), language)
            site.letterbox.post(today, source, TESTIMONY, testimony.as_object())
            return page(site, language, "receipt", digits=source.digits, groups=receipt.groups)
    except BadKeyring:
        shown.trouble = "closed"
    except NoRoom:
        shown.trouble = "room"
    except MachineTrouble:  # also of the last sync, after which the row may be there
        shown.trouble = "doubt"
    status = 503 if shown.trouble in {"closed", "room", "doubt"} else 400
    return form_page(site, language, shown, seed or receipt.new_seed(), status)


def form_page(
    site: Site, language: str, shown: DeclaredForm, seed: bytes, status: int = 200
) -> Response:
    """Answer with the form as it stands: empty, or with what was typed and what is wrong."""
    content = {"shown": shown, "form": site.form, "seed": seed.hex(), "today": days.clock()}
    return page(site, language, "form", status, **content)


def notice(site: Site, language: str, status: int, *others: str) -> Response:
    """Answer with one constant page for a status, in a language and ``others``."""
    spoken = [site.wordings[name] for name in (language, *others)]
    return page(site, language, "notice", status, status=status, spoken=spoken)


def refuse(site: Site, app: Flask, status: int) -> Response:
    """Return the notice of a layer below the app, which knows no path: in every language."""
    with app.app_context():
        return answers.finish(notice(site, OFFERED[0], status, *OFFERED[1:]), site.headers)


def page(site: Site, language: str, name: str, code: int = 200, **content: object) -> Response:
    """Answer with a template, in a language."""
    wording = site.wordings[language]
    html = render_template(
        f"source/{name}.html",
        _=wording.text,
        numerals=wording.numerals,
        language=language,
        languages=OFFERED,
        start="" if language == OFFERED[0] else f"/{language}",
        letterbox=site.letterbox,
        # Drawn anew for each page, and of one letter, so that it compresses away on the way down.
        fill="o" * secrets.randbelow(site.letterbox.settings.fill + 1),
        style=site.style,
        about=site.about.get(language),
        **content,
    )
    return Response(html, code, content_type="text/html; charset=utf-8")


def fail(site: Site, error: Exception) -> Response:
    """Answer any error with a constant page in the language of the path."""
    # A traceback holds a source's words: it is dropped, not logged.
    language = request.path.split("/")[1]
    code = error.code if isinstance(error, HTTPException) and error.code else 500
    if isinstance(error.__context__, TimeoutError):
        code = 408  # the body stopped half-way, and the line was silent for too long
    return notice(site, language if language in OFFERED else OFFERED[0], code)
