"""Decisions: drafts that nobody else sees, until their reviewer signs them.

Rules:
- Until it is signed a decision is a line in a file, and can be undone. Signed, it is an event, and
  only another decision changes it. Signing wants the passphrase again: whoever takes an open laptop
  reads what is open, and decides nothing.
- Drafts are sealed to their reviewer's own key. Anybody can seal to it, so a tag made with the
  secret key (HMAC-SHA256, RFC 2104) shows that the reviewer wrote them: else a stranger's line
  would be signed among forty others.
- Which cases the reviewer has read is kept with them, and nowhere else.
- Words are withdrawn blob by blob, and only where they are what their event says: an id that was
  slipped into a case does not take another source's words along.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from intake import canonical, files
from intake.age.identity import Identity
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.desk import cases, reading, record, resealing, zawgyi
from intake.desk.casebook import ASSIGNED, Casebook
from intake.desk.cases import REPLIED, Case
from intake.desk.present import Present
from intake.desk.state import fold
from intake.errors import BadFile, Incomplete, Misuse, NoMatchingKey, Refused
from intake.signatures import octets

FORMAT = "intake drafts 1"
_LIMIT = 1 << 26  # bytes
_GIVEN = "assigned"


class Draft(NamedTuple):
    """A decision that is not signed: an event's ``what`` without its kind, and its grounds.

    Kinds are those of :mod:`cases`, and ``assigned``: the case is given to other reviewers.
    """

    case: bytes
    kind: str
    what: dict[str, Any]
    grounds: tuple[str, ...] = ()

    @property
    def about(self) -> tuple[object, ...]:
        """What no two drafts are about."""
        return self.case, self.kind, self.what.get("mark"), self.what.get("id")

    def event(self) -> dict[str, Any]:
        """Return what its event will say."""
        return {"kind": self.kind, **self.what}


@dataclass(slots=True)
class Drafts:
    """One reviewer's drafts at one desk, and the tags of the cases they have read."""

    path: Path
    identity: Identity
    pending: list[Draft] = field(default_factory=list)
    seen: set[bytes] = field(default_factory=set)

    @classmethod
    def load(cls, book: Casebook, name: str, identities: list[Identity]) -> Self:
        """Read the drafts of a reviewer; ``identities`` are theirs, the latest quarter first.

        Raises :class:`BadFile` if the file is damaged or somebody else's.
        """
        made = cls(book.folder / "drafts" / f"{name}.{book.desk}", identities[0])
        if not made.path.exists():
            return made
        try:
            plaintext = unseal(files.read(made.path, _LIMIT), identities)
            line, tag, rest = plaintext.split(b"\n")
            known = [hmac.compare_digest(tag, _tag(one, line)) for one in identities]
            if rest or not any(known):
                raise BadFile("Somebody else wrote it.")
            raw = canonical.load_object(line, {"format", "pending", "seen"})
            made._take(raw)
        except NoMatchingKey:
            return made  # of a quarter whose key is gone, and with it its cases
        except (Refused, ValueError, TypeError, LookupError):
            raise BadFile(
                f"{made.path} is damaged, or was not written by {name}.",
                "Move it away; what was not signed in it must be decided again.",
            ) from None
        return made

    def _take(self, raw: dict[str, Any]) -> None:
        if raw["format"] != FORMAT:
            raise ValueError
        for case, kind, what, grounds in raw["pending"]:
            self.pending.append(Draft(octets(case, 16), str(kind), dict(what), tuple(grounds)))
        self.seen = {octets(tag, 16) for tag in raw["seen"]}

    def add(self, draft: Draft) -> None:
        """Keep a draft; it replaces one about the same thing, but a reply none."""
        self.pending = [one for one in self.pending if one.about != draft.about]
        self.pending.append(draft)

    def undo(self, position: int) -> None:
        """Drop the draft at a position in the list. Raises :class:`Misuse` if there is none."""
        if not 0 <= position < len(self.pending):
            raise Misuse("This decision is not in the list any more.", "Look at the list again.")
        del self.pending[position]

    def save(self) -> None:
        """Write them. Raises :class:`MachineTrouble`."""
        facts = {"format": FORMAT, "pending": self.pending, "seen": sorted(self.seen)}
        line = canonical.dump(facts)
        plaintext = line + b"\n" + _tag(self.identity, line) + b"\n"
        files.make_folder(self.path.parent)
        files.write(self.path, seal(plaintext, [self.identity.recipient()]))


def reply(case: Case, typed: str) -> Draft:
    """Return the draft of a reply to the source of a case, in Unicode if it was typed in Zawgyi."""
    # The site makes Zawgyi of it for who needs that, and would destroy what is Zawgyi already.
    note = zawgyi.copy(typed.replace("\r\n", "\n").strip())
    what = {"id": secrets.token_hex(16), "note": note}
    return Draft(case.tag, REPLIED, what)


def _tag(identity: Identity, line: bytes) -> bytes:
    key = identity.encode().encode()
    return hmac.digest(key, FORMAT.encode() + b"\n" + line, "sha256").hex().encode()


def check(case: Case, draft: Draft, active: frozenset[str] | set[str]) -> None:
    """Raise :class:`Misuse` unless the draft makes sense for the case as it stands.

    ``active`` are the names of the reviewers that the keyring has.
    """
    if case.erased:
        raise Misuse("The words of this case are gone for ever.", "Nothing is to be decided.")
    if draft.kind == REPLIED and case.hidden:
        raise Misuse("The source of this case withdrew.", "No reply goes to it.")
    if draft.kind == _GIVEN:
        names = draft.what.get("assigned", ())
        if (
            not isinstance(names, list | tuple)
            or len(set(names)) != ASSIGNED
            or not set(names) <= set(active)
        ):
            raise Misuse(
                "A case has two different reviewers.", "Choose two who are in the keyring."
            )
        return
    try:
        cases.check(draft.event(), draft.grounds)
    except (ValueError, TypeError, LookupError):
        if draft.kind == REPLIED:
            raise Misuse(
                "This is no text for a reply.",
                "Write 1 to 1000 characters, and no other control characters than line breaks.",
            ) from None
        raise Misuse(
            "This decision is not one that a case can have.", "Choose again, and mind the grounds."
        ) from None
    if draft.what.get("of") == case.tag.hex():
        raise Misuse("A case is no duplicate of itself.", "Give the number of the other case.")
    if draft.kind == "decided" and not draft.grounds:
        raise Misuse("A decision needs a reason.", "Choose at least one of the grounds.")


def sign(book: Casebook, drafts: Drafts, who: Present) -> int:
    """Sign all drafts, and drop them; return how many. Raises as :func:`write`; none is lost."""
    try:
        return write(book, drafts.pending, who)
    finally:
        drafts.save()


def write(book: Casebook, pending: list[Draft], who: Present) -> int:
    """Write all drafts as events, signed by their reviewer; return how many.

    What was written leaves the list, so that nothing is signed twice if the disk is full after it.
    All decisions are written, or none, if it raises any :class:`Refused`. Cases are given to others
    after that; what could not be given stays in the list, and :class:`Incomplete` is raised.
    """
    identities, count = who.quarters(), len(pending)
    with book.locked():
        chains = book.chains(identities)
        state, pen = fold(chains), book.pen(who, chains)
        active = {reviewer.name for reviewer in book.keyring.active}
        events: list[record.Draft] = []
        for draft in pending:
            case = state.cases.get(draft.case)
            if case is None or who.name not in case.people:
                raise Misuse("A case of the list is not yours any more.", "Undo its decision.")
            check(case, draft, active)
            if draft.kind != _GIVEN:
                # Dangerous line: without the author, whoever gave the case away hides the decision.
                people = {who.name, *case.assigned} & active
                to = book.recipients(sorted(people), pen.day)
                events.append(record.Draft(draft.event(), to, draft.case, draft.grounds))
            if draft.kind == "withdrawn":
                rows = _verified(book, case, identities)
                if not rows:
                    raise Misuse(
                        "No words of this case could be looked at, and so none go.",
                        "Run reseal, or take them from another copy; then sign again.",
                    )
                what = {"cases": {}, "kind": "erased", "rows": rows}
                events.append(record.Draft(what, book.everyone(pen.day)))
        if events:
            pen.append(events)
        pending[:] = [draft for draft in pending if draft.kind == _GIVEN]
        record.erase(book.folder, fold(book.chains(identities)).erased())
    given = {draft.case: tuple(sorted(draft.what["assigned"])) for draft in pending}
    if given:
        broken = resealing.run(book, who, given).broken
        pending[:] = [draft for draft in pending if draft.case in broken]
    if pending:
        raise Incomplete(
            "What is left in the list has words that are damaged, and was not given to others.",
            "Take the words from another copy of the casebook, or undo it.",
        )
    return count


def _verified(
    book: Casebook, case: Case, identities: list[Identity]
) -> list[tuple[bytes, bytes, None]]:
    """Return the rows of a case whose words are its own, with each blob that has them."""
    items = (*case.received, *case.offered)
    good = (item for item in items if reading.proven(book.folder, item, identities))
    return [(item.id, item.blob, None) for item in good]
