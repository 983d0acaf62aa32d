"""Several desks of one deployment, and what people do at them, without their commands.

Rules:
- A desk is a :class:`tests.desk_maker.Desk`; here is what is done at more than one of them.
- What an honest person does goes through the room's own modules; what a planted one signs is signed
  with their real key, by :func:`planted`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from intake import files
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.desk import casebook, deciding, merging, record, resealing
from intake.desk.casebook import Casebook
from intake.desk.deciding import Draft
from intake.desk.merging import Merged
from intake.desk.present import Present
from intake.desk.record import Pen
from intake.desk.state import State, fold
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.makers import Deployment, make_deployment

LATER = ("2027q1", "2027q2")
BURMESE = "အမည်မဖော်လိုသူ၏ ထွက်ဆိုချက်"
ZAWGYI = "\u1031\u107e\u1010\u103c\u1033"  # as phones of 2015 typed it
TYPED = ("", BURMESE, ZAWGYI, "🪖🕊️", "က" * 2000)


@cache
def people(count: int = 3) -> Deployment:
    """Return a deployment of so many reviewers, with keys of three quarters."""
    return make_deployment(reviewers=count, label=f"of {count}", quarters=LATER)


def desks(root: Path, *names: str, count: int = 3) -> list[Desk]:
    """Return desks of one deployment."""
    return [Desk(root / name, people(count), name) for name in names]


def rows(count: int, start: int = 0, made: Deployment | None = None) -> list[Sealed]:
    """Return testimonies with Burmese, Zawgyi, emoji, nothing, and much in them."""
    return [
        sealed_row(
            f"form {n}",
            {**ANSWERS, "account": TYPED[n % len(TYPED)]},
            made=made or people(),
        )
        for n in range(start, start + count)
    ]


def bundle_of(desk: Desk, names: tuple[str, ...], *rows: Sealed) -> Path:
    """Write a bundle whose rows are all assigned to these two reviewers."""
    book = casebook.load(desk.casebook)
    for left in range(5000):
        path, manifest = desk.bundle(rows, left=left)
        if {book.assign(row.case, manifest) for row in rows} == {names}:
            return path
    raise AssertionError


def who(desk: Desk, name: str) -> Present:
    """Return a reviewer who is at that desk."""
    reviewer = casebook.load(desk.casebook).keyring.reviewer(name)
    assert reviewer is not None
    return Present(desk.keys(name), reviewer, Passphrase(f"demo-{name}", 10))


def keys(desk: Desk, *names: str) -> list[Identity]:
    """Return what these reviewers open with at that desk: what is in their folders."""
    return [key for name in names for key in who(desk, name).quarters()]


def seen(desk: Desk, *names: str, folder: Path | None = None) -> State:
    """Return what a casebook says to these reviewers."""
    book = casebook.load(folder or desk.casebook)
    return fold(book.chains(keys(desk, *names)))


def merge(desk: Desk, other: Path | Desk, name: str = "alice") -> Merged:
    """Merge another casebook into the desk's."""
    place = other.casebook if isinstance(other, Desk) else other
    return merging.run(casebook.load(desk.casebook), place, keys(desk, name))


def decide(desk: Desk, name: str, tag: bytes, kind: str = "decided", **what: Any) -> None:  # noqa: ANN401
    """Sign one decision. ``grounds`` may be among ``what``."""
    grounds = tuple(what.pop("grounds", ("other",) if kind != "withdrawn" else ()))
    if kind != "assigned":
        what.setdefault("note", "")
    draft = Draft(tag, kind, what, grounds)
    deciding.write(casebook.load(desk.casebook), [draft], who(desk, name))


def withdraw(desk: Desk, name: str, tag: bytes) -> None:
    """Say that a case was withdrawn."""
    decide(desk, name, tag, "withdrawn")


def reseal(desk: Desk, name: str) -> resealing.Result:
    """Run what each reviewer runs at the turn of a quarter."""
    return resealing.run(casebook.load(desk.casebook), who(desk, name))


def case_of(desk: Desk, *names: str, number: int = 0) -> bytes:
    """Return the tag of a case that all these reviewers are assigned to."""
    state = seen(desk, *names)
    found = [c.tag for c in state.cases.values() if set(names) <= set(c.assigned)]
    return found[number]


def planted(desk: Desk, name: str, *whats: Mapping[str, object], **changes: Any) -> Pen:  # noqa: ANN401
    """Sign any events for everyone with a reviewer's real key; ``changes`` are the pen's."""
    book = casebook.load(desk.casebook)
    pen = book.pen(who(desk, name), book.chains(keys(desk, *desk.made.reviewers)))
    for key, value in changes.items():
        setattr(pen, key, value)
    to = book.everyone(pen.day)
    if whats:
        pen.append([record.Draft(what, to) for what in whats])
    return pen


def blobs(folder: Path) -> dict[str, bytes]:
    """Return all files of words below a casebook, by name."""
    return {p.name: p.read_bytes() for p in (folder / "blobs").rglob("*") if p.is_file()}


def words_left(folder: Path) -> set[str]:
    """Return the names of blobs that have words."""
    return {name for name, data in blobs(folder).items() if data}


def everything(folder: Path) -> dict[str, bytes]:
    """Return all files of a casebook."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def twin(desk: Desk, to: Path) -> Path:
    """Copy a casebook's folder as it stands, as a stick has it."""
    shutil.copytree(desk.casebook, to)
    return to


def opened(folder: Path) -> Casebook:
    """Open a casebook."""
    return casebook.load(folder)


def shown(state: State) -> dict[str, Any]:
    """Return all that two desks with the same events must agree on."""
    return {
        "assigned": dict(state.assigned),
        "bundles": dict(state.bundles),
        "cases": {
            case.tag: {
                "assigned": case.assigned,
                "conflict": [(one.author, one.what) for one in case.conflict],
                "decisions": [(one.chain, one.sequence) for one in case.decisions],
                "duplicate": case.duplicate_of,
                "erased": case.erased,
                "hidden": case.hidden,
                "marks": case.marks,
                "notes": [one.note for one in case.decisions],
                "people": set(case.people),
                "received": [(item.id, item.blob) for item in case.received],
                "state": case.state,
                "voices": case.voices,
            }
            for case in state.cases.values()
        },
        "closed": state.closed,
        "erased": state.erased(),
        "faults": sorted(state.faults),
        "gone": set(state.gone),
        "moved": dict(state.moved),
        "number": state.number,
        "pending": set(state.pending),
        "rows": dict(state.rows),
    }


def remove(desk: Desk, name: str, *desks_too: Desk) -> None:
    """Put a keyring in force at all these desks that removes a reviewer where they stand here."""
    ends = {
        one.name: [one.last, one.head[1].hex()]
        for one in opened(desk.casebook).chains([]).values()
        if one.name.startswith(f"{name}.")
    }
    reviewers = [dict(facts) for facts in desk.made.draft["reviewers"]]
    for facts in reviewers:
        if facts["name"] == name:
            facts["removed"] = ends
    made = desk.made.follow(reviewers=reviewers)
    for each in (desk, *desks_too):
        opened(each.casebook).add_keyring(made.raw)


def put(path: Path, data: bytes) -> Path:
    """Write a file as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(files.PRIVATE)
    return path


def cut(*_: object) -> None:
    """Cut the power."""
    raise KeyboardInterrupt
