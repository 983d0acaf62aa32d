"""One case, to be read: as text for a terminal, and as one page for a browser.

Rules:
- Every word that a source wrote goes through ``visible``, here and in the template: ``typed`` is
  its only filter, and autoescape stands behind it.
- In text, each line of a source's own begins with a bar, so nobody can write lines that look like
  ours.
- The page stands alone: no script, no link, no font, no request; its policy forbids all of them.
  Terminals cannot shape Burmese, browsers can; that is why there is a page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from intake.desk import visible
from intake.desk.reading import Opened, Shown, Words
from intake.desk.state import Case
from intake.wording import Wording

TITLES = {
    "testimony": "Testimony",
    "words": "More words",
    "slice": "Part of a file",
    "withdrawal": "Withdrawal",
}
_BAR = "    │ "
_TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "desk"


def text(case: Case, opened: Sequence[Opened]) -> str:
    """Return the case for a terminal, escaped."""
    return "\n".join(_lines(case, opened)) + "\n"


def html(
    case: Case,
    opened: Sequence[Opened],
    glance: Mapping[str, tuple[Words, ...]],
    my: Wording,
    *,
    demo: bool,
) -> bytes:
    """Return the case as one HTML page, UTF-8. ``glance`` is what to see first."""
    first = [words for answers in glance.values() for words in answers]
    shown = {"case": case, "opened": opened, "glance": first, "demo": demo}
    ours = {"titles": TITLES, "provenance": provenance, "my": my.text}
    return _environment().get_template("case.html").render(shown | ours).encode()


def provenance(item: Opened) -> str:
    """Return where an envelope came from, in our words."""
    bundle = item.bundle
    source = f"bundle {bundle.number}, period {bundle.period}" if bundle else "unfinished import"
    event = item.received.event
    recorded = f"recorded {event.day} in {event.chain}, event {event.sequence}"
    version, digest = item.received.keyring
    return f"{source} · keyring {version} ({digest.hex()[:8]}) · {recorded}"


def _lines(case: Case, opened: Sequence[Opened]) -> Iterator[str]:
    yield f"Case {case.number} · {case.state} · for {' and '.join(case.assigned)}"
    for item in opened:
        title = TITLES.get(item.received.kind, item.received.kind)
        yield f"\n{title} of {item.received.day}"
        yield f"  {provenance(item)}"
        if item.fault:
            yield f"  ! {item.fault}"
        for section, shown in item.sections:
            yield f"\n  {section or 'What the form of this machine does not know'}"
            for question in shown:
                yield from _answer(question)


def _answer(question: Shown) -> Iterator[str]:
    yield f"  - {question.label or visible.line(question.key)}"
    for words in question.answers:
        if words.known:
            yield f"    {words.known}"
        for line in visible.text(words.typed).split("\n") if words.typed else ():
            yield _BAR + line


def one_line(answers: Sequence[Words]) -> str:
    """Return answers for a table, escaped."""
    return ", ".join(words.known or visible.line(words.typed) for words in answers)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["typed"] = visible.html
    return environment
