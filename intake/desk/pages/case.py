"""One case as its page shows it, and what a reviewer decides about it there.

Rules:
- What is posted is checked as a decision before it is kept, and is only a draft until it is signed.
- A file is never sent to the browser. It goes, on demand, into a folder that the reviewer named.
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.datastructures import MultiDict

from intake import canonical
from intake.desk import exporting, zawgyi
from intake.desk.caseload import Facts
from intake.desk.cases import DUPLICATE, Case, Decision
from intake.desk.deciding import Draft
from intake.desk.pages.session import Desk
from intake.desk.reading import Opened
from intake.errors import Misuse

SHORTEST = 4  # hex digits that name a case
EXPORTED = "The file is in the folder for exports. Beside its new name stands the source's own."


class Told(NamedTuple):
    """A decision as it is shown; ``key`` is a draft's, to undo it."""

    case: Case
    kind: str
    what: Mapping[str, Any]
    grounds: tuple[str, ...]
    of: Case | None
    day: object = None
    author: str = ""
    key: str = ""


def history(desk: Desk, case: Case) -> list[Told]:
    """Return what was decided about a case, the latest first."""
    return [_decided(desk, case, one) for one in reversed(case.decisions)]


def waiting(desk: Desk) -> Iterator[Told]:
    """Yield what waits for a signature."""
    for draft in desk.drafts.pending:
        # One whose case is not the reviewer's any more is shown too, so that it can be undone.
        facts = desk.caseload.facts.get(draft.case, Facts(Case(draft.case, ())))
        of = _original(desk, draft.what)
        yield Told(facts.case, draft.kind, draft.what, draft.grounds, of, key=key(draft))


def key(draft: Draft) -> str:
    """Return what a page calls a draft: no other one, also when the list has changed meanwhile."""
    return hashlib.sha256(canonical.dump([*draft])).hexdigest()[:32]


def neighbours(desk: Desk, tag: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the cases before and after one in the last list."""
    order = [None, *desk.listing, None]
    place = order.index(tag) if tag in desk.listing else 0
    return (order[place - 1], order[place + 1]) if place else (None, None)


def draft(desk: Desk, case: Case, posted: MultiDict[str, str]) -> Draft:
    """Return what was decided on the page. Raises :class:`Misuse`."""
    kind = posted.get("kind", "")
    if kind == "assigned":
        return Draft(case.tag, kind, {"assigned": sorted(set(posted.getlist("names")))})
    what: dict[str, Any] = {"note": posted.get("note", "").replace("\r\n", "\n").strip()}
    if kind == "decided":
        what["state"] = posted.get("state", "")
    elif kind == "marked":
        what |= {"mark": posted.get("mark", ""), "on": posted.get("on") == "yes"}
        if what["mark"] == DUPLICATE:
            what["of"] = named(desk, posted.get("of", ""), case).tag.hex()
    return Draft(case.tag, kind, what, tuple(dict.fromkeys(posted.getlist("grounds"))))


def named(desk: Desk, number: str, besides: Case) -> Case:
    """Return the one case whose number begins so. Raises :class:`Misuse`."""
    start = number.strip().lower()
    found = [
        facts.case for tag, facts in desk.caseload.facts.items() if tag.hex().startswith(start)
    ]
    if len(start) < SHORTEST or len(found) != 1 or found[0] is besides:
        raise Misuse("No other case of yours has this number.", "Look at the number in its page.")
    return found[0]


def _decided(desk: Desk, case: Case, one: Decision) -> Told:
    of = _original(desk, one.what)
    return Told(case, one.kind, one.what, one.grounds, of, one.day, one.author)


def _original(desk: Desk, what: Mapping[str, Any]) -> Case | None:
    facts = desk.caseload.facts.get(bytes.fromhex(str(what.get("of", ""))))
    return facts.case if facts else None


def unicode_copy(typed: str) -> str:
    """Return the Unicode copy of what is, or may be, in Zawgyi; nothing for any other text."""
    doubt = zawgyi.likelihood(typed) >= zawgyi.DOUBT
    copy = zawgyi.copy(typed)
    copy = zawgyi.convert(typed) if doubt and copy == typed else copy
    return copy if copy != typed else ""


def likes(desk: Desk, case: Case) -> list[object]:
    return []


def export(item: Opened, folder: Path) -> list[str]:
    """Write a file of the case into ``folder``; return what to tell the reviewer.

    Raises as :func:`exporting.export_file`.
    """
    path, shown = exporting.export_file(folder, item)
    return [EXPORTED, f"{path.name} ← {shown or '-'}", exporting.ADVICE]
