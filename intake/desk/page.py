"""Cases to be read: as text for a terminal, as one page for a browser.

Rules:
- Every word that a source wrote goes through ``visible``, here and in the templates, whose filters
  ``typed``, ``text`` and ``line`` are its functions. Behind them stand autoescape in the page, and
  ``terminal.visible`` in the text.
- In text, each line of a source's own begins with a bar, so nobody can write lines that look like
  ours.
- The page stands alone: no script, no link, no font, no request; its policy forbids all of them.
  Terminals cannot shape Burmese, browsers can; that is why there is a page.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from intake.desk import visible
from intake.desk.cases import Case, saw
from intake.desk.chain import Event
from intake.desk.labels import LABELS
from intake.desk.reading import Opened, Words, summary
from intake.desk.slices import File
from intake.envelope import TESTIMONY
from intake.wording import Wording

SIZE = "{size} bytes"
PARTS = "Not all of it is here: {here} of {number} parts. The next bundle may bring the others."
UNFINISHED = "{number} parts of a file. Its end is not here yet; the next bundle may bring it."
AGAIN = "The same file came {number} more times. It is shown once."
_TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "desk"


def text(case: Case, opened: Sequence[Opened]) -> str:
    """Return the case for a terminal, escaped."""
    return render("case.txt", case=case, opened=opened)


def html(case: Case, opened: Sequence[Opened], my: Wording, *, demo: bool) -> bytes:
    """Return the case as one HTML page, UTF-8."""
    glance = [words for answers in summary(opened).values() for words in answers]
    shown = {"case": case, "opened": opened, "glance": glance, "demo": demo, "my": my.text}
    return render("case.html", **shown).encode()


def provenance(item: Opened) -> str:
    """Return where an envelope came from, in our words."""
    bundle = item.bundle
    source = f"bundle {bundle.number}, period {bundle.period}" if bundle else "unfinished import"
    event = item.received.event
    recorded = f"recorded {event.day} in {event.chain}, event {event.sequence}"
    version, digest = item.received.keyring
    return f"{source} · keyring {version} ({digest.hex()[:8]}) · {recorded}"


def conversation(case: Case, opened: Sequence[Opened]) -> list[Opened | Event]:
    """Return what came and the replies that went, by their days.

    Of one day, a reply stands before what was recorded by somebody who knew of it.
    """
    found: list[Opened | Event] = [*opened]
    for reply in case.replies.values():
        later = (place for place, item in enumerate(found) if _follows(item, reply))
        found.insert(next(later, len(found)), reply)
    return found


def _follows(item: Opened | Event, reply: Event) -> bool:
    if item.day != reply.day or isinstance(item, Event):
        return item.day > reply.day
    return item.received.kind != TESTIMONY and saw(item.received.event, reply)


def barred(words: str) -> list[str]:
    """Return what somebody typed as lines for a terminal, escaped, each with a bar before it."""
    return [f"    │ {line}" for line in visible.text(words).split("\n")]


def of_file(file: File) -> list[tuple[str, dict[str, int]]]:
    """Return what to say of a file beside its name and hash, as msgids and their numbers."""
    if file.end is None:
        return [(UNFINISHED, {"number": file.here})]
    said = [(SIZE, {"size": file.end.size})]
    if file.missing:
        said.append((PARTS, {"here": file.here, "number": file.end.number}))
    if file.again:
        said.append((AGAIN, {"number": file.again}))
    return said


def one_line(answers: Sequence[Words]) -> str:
    """Return answers for a table, escaped."""
    return ", ".join(words.known or visible.line(words.typed) for words in answers)


def render(template: str, **shown: object) -> str:
    """Return a template of the desk, filled; what a source typed goes through its filters."""
    filled = _environment().get_template(template)
    ours = {"labels": LABELS, "provenance": provenance, "conversation": conversation}
    return filled.render(**ours, barred=barred, of_file=of_file, **shown)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(typed=visible.html, text=visible.text, line=visible.line)
    return environment
