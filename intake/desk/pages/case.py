"""One case as its page shows it, and what a reviewer decides about it there.

Rules:
- What is posted is checked as a decision before it is kept, and is only a draft until it is signed.
- A file is never sent to the browser. It goes, on demand, into a folder that the reviewer named.
"""

import hashlib
from pathlib import Path
from typing import Any

from werkzeug.datastructures import MultiDict

from intake import canonical
from intake.desk import assembling, deciding, zawgyi
from intake.desk.cases import DUPLICATE, REPLIED, Case, named
from intake.desk.deciding import Draft
from intake.desk.pages.session import Desk

EXPORTED = "The file is in the folder for exports. Beside its new name stands the source's own."


def page(desk: Desk, case: Case) -> dict[str, object]:
    """Return what the page of a case shows, beside the case itself."""
    order = [None, *desk.listing, None]
    place = order.index(case.tag) if case.tag in desk.listing else 0
    return {
        "row": next(row for row in desk.rows if row.case is case),
        "opened": desk.caseload.opened(case),
        "before": order[place - 1] if place else None,
        "after": order[place + 1] if place else None,
        "alike": desk.similar.of(case.tag) if desk.similar else None,
        "drafts": [draft for draft in desk.drafts.pending if draft.case == case.tag],
    }


def key(draft: Draft) -> str:
    """Return what a page calls a draft: no other one, also when the list has changed meanwhile."""
    return hashlib.sha256(canonical.dump([*draft])).hexdigest()[:32]


def draft(desk: Desk, case: Case, posted: MultiDict[str, str]) -> Draft:
    """Return what was decided on the page. Raises :class:`Misuse`."""
    kind = posted.get("kind", "")
    if kind == REPLIED:
        return deciding.reply(case, posted.get("note", ""))
    if kind == "assigned":
        return Draft(case.tag, kind, {"assigned": sorted(set(posted.getlist("names")))})
    what: dict[str, Any] = {"note": posted.get("note", "").replace("\r\n", "\n").strip()}
    if kind == "decided":
        what["state"] = posted.get("state", "")
    elif kind == "marked":
        what |= {"mark": posted.get("mark", ""), "on": posted.get("on") == "yes"}
        if what["mark"] == DUPLICATE:
            known = (facts.case for facts in desk.caseload.facts.values())
            what["of"] = named(known, posted.get("of", "")).tag.hex()
    return Draft(case.tag, kind, what, tuple(dict.fromkeys(posted.getlist("grounds"))))


def unicode_copy(typed: str) -> str:
    """Return the Unicode copy of what is, or may be, in Zawgyi; nothing for any other text."""
    copy = zawgyi.guess(typed)
    return copy if copy != typed else ""


def export(desk: Desk, case: Case, wanted: str, folder: Path) -> list[str] | None:
    """Write a file of the case into ``folder``; return what to tell the reviewer.

    ``wanted`` is the row of its end, in hex; None if no file has it. Raises as
    :func:`assembling.write`.
    """
    load = desk.caseload
    for item in load.opened(case):
        if item.file and item.file.end and item.received.id.hex() == wanted:
            path, note = assembling.write(load.book.folder, item.file, load.identities, folder)
            named = f"{path.name} ← {assembling.name(item.file.end) or '-'}"
            return [EXPORTED, named, note, assembling.ADVICE]
    return None
