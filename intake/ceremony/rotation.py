"""The next keyring in one go: the packages of the coming weeks, tried by those present, its draft.

Procedure of :func:`rotate`:
1. Verify the keyring before. A reviewer who goes is active in it; those who come have cards.
2. Make a package of each week from ``first`` on, for the active reviewers of the next keyring.
   When somebody goes, a package of a new archive too: they know how the old one is opened.
3. Those who are present open each of these to try it, and attest it.
4. Write the draft. Periods that end on ``first`` or later give way to the new ones, and so do those
   that were retired.

What a crash leaves: packages, each whole. Run again, what is there stays and is attested again; the
draft comes last, and one that is there and says something else is refused.

A period that gives way keeps its package until its rows are read and its key is retired
(``retiring``).

Rule: a new period never takes the name of one that it stands for. Rows are filed under it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from intake import canonical, files, keyring
from intake.ceremony import card, package, proposal
from intake.errors import BadFile, Misuse
from intake.keyring import Keyring
from intake.signatures import octets

DRAFT = "draft"
_LIMIT = 1 << 16  # bytes of the file with the ends of chains
_DAY = timedelta(days=1)

Ends = Mapping[str, Any]  # sequence number and hash of the last event, by chain


@dataclass(frozen=True, slots=True)
class Rotation:
    """What is asked for. ``first`` is None for the day after the last period."""

    out: Path
    today: date
    weeks: int
    first: date | None = None
    drop: Sequence[str] = ()
    cards: Sequence[card.Card] = ()
    removed: Mapping[str, Ends] = field(default_factory=dict)
    bundle_key: str | None = None


def rotate(wish: Rotation, before: bytes, people: package.Keys) -> Iterator[tuple[Path, bool]]:
    """Make packages and draft in ``wish.out``; yield each path, and whether it was there before.

    ``people`` are those present. Raises :class:`Misuse`, and as ``package`` and ``proposal`` do.
    """
    old = keyring.parse(before)  # (1)
    openers = {one.name: one.quorum for one in old.active} | card.recipients(wish.cards)
    staying = {name: key for name, key in openers.items() if name not in wish.removed}
    if strangers := sorted(wish.removed.keys() - {one.name for one in old.active}):
        raise Misuse(f"{strangers[0]} is no active reviewer.", "See who is: show KEYRING")
    if gone := sorted(people.keys() & wish.removed.keys()):
        raise Misuse(f"{gone[0]} is to go, and attests nothing more.", "Let the others do it.")
    if len(staying) < old.quorum:
        what = f"{len(staying)} reviewers would be left, and {old.quorum} together open anything."
        raise Misuse(what, "Let somebody new come in the same step: --reviewers CARD")
    if len(people) < old.quorum:
        what = f"{old.quorum} reviewers must be present, to open what is made; {len(people)} are."
        raise Misuse(what, "Name each one's folder with --reviewer.")
    end = max((period.last for period in old.periods), default=wish.today - _DAY)
    first = wish.first or max(end + _DAY, wish.today)
    if first < wish.today:
        raise Misuse(f"{first} is past.", "A period is made for days to come: change --from.")
    mark = f"-k{old.version + 1}" if first <= end else ""
    archive = wish.out / "archive" if wish.removed else None
    made = {
        wish.out / f"{name}{mark}": days for name, days in package.spans(first, wish.weeks).items()
    }
    for path, days in {**({archive: None} if archive else {}), **made}.items():  # (2)
        there = path.exists()
        package.make(path, staying, old.quorum, days)
        package.attest(path, people)  # (3)
        yield path, there
    asked = proposal.Wish(  # (4)
        roots=(),
        threshold=None,
        reviewers=wish.cards,
        archive=archive,
        periods=[*made],
        bundle_key=wish.bundle_key,
        issued=wish.today,
        expires=max(days[1] for days in made.values()),
        demo=old.demo,
        drop=sorted({*wish.drop, *(one.name for one in old.periods if one.last >= first)}),
        removed=wish.removed,
    )
    draft, there = wish.out / DRAFT, (wish.out / DRAFT).exists()
    proposal.put(draft, proposal.draft(asked, before) + b"\n")
    yield draft, there


def read_ends(path: Path, name: str) -> Ends:
    """Return where the chains of ``name`` end, as ``desk ends`` wrote it and a keyring has it.

    Raises :class:`BadFile` if it is another's, or no such file.
    """
    data = files.read(path, _LIMIT)
    try:
        raw: Any = canonical.load(data)
        ends = {chain: [int(n), octets(last, 32).hex()] for chain, (n, last) in raw.items()}
        own = all(chain.startswith(f"{name}.") and keyring.CHAIN.match(chain) for chain in ends)
        if own and canonical.dump(ends) == data:  # Python's True is 1
            return ends
    except (BadFile, ValueError, TypeError, AttributeError):
        pass
    hint = f"Make it at a desk: python -m intake.desk ends {name} --casebook C --out FILE"
    raise BadFile(f"{path} does not say where the chains of {name} end.", hint)


def missing_quarters(draft: Keyring) -> list[str]:
    """Return, for each active reviewer, the quarters up to the expiry that they have no key of."""
    count = (draft.expires - draft.issued).days + 1
    needed = sorted({keyring.quarter_of(draft.issued + n * _DAY) for n in range(count)})
    return [
        f"{one.name} has no key of {quarter}"
        for one in draft.active
        for quarter in needed
        if quarter not in one.quarters
    ]
