"""A bundle goes into the casebook: open, seal again, record.

Procedure of :func:`run`:
1. Find the keyring that was in force when the bundle was made, and verify the bundle with its key.
2. The reviewers who are here open the period's package.
3. Take the casebook's lock, and tidy up after an import that was cut short.
4. On all cores: read each row from its place in the file, say what it is (``judging``), and seal
   its words again to the case's reviewers and the archive.
5. Look through the whole file for those that were not in their places.
6. Take the keys of files that their sources had sealed (``inner``).
7. After each batch: blobs first, then the events, then go on. So a power cut costs one batch, and
   running it again continues.
8. The ``import`` event comes last: what the bundle said of itself, and the rows not yet recorded.

Rules:
- A worker holds the period's key, and writes blobs; this process alone writes the chain.
- One event records up to :data:`ROWS` envelopes of the same reviewers: sealing it costs as much as
  sealing words, and a flipped byte costs what is in one event.
"""

import contextlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intake import canonical
from intake.age.identity import Identity
from intake.bundle import MAX_LINE, BundleHeader, Entry
from intake.bundle.reading import Opened, open_bundle
from intake.desk import cores, inner, record, staging
from intake.desk.casebook import Casebook
from intake.desk.judging import ASTRAY, OLDER, UNKNOWN, Brought, Judge, Judged
from intake.desk.present import Present
from intake.desk.record import Draft, Pen
from intake.desk.state import HERE, KEPT, OK, VERDICTS, Row, State, fold
from intake.envelope import DECOY
from intake.errors import BadFile, BadKeyring, Misuse
from intake.keyring import Keyring
from intake.quorum import open_package
from intake.signatures import octets

BATCH = 1024  # rows between two writes of the chain
ROWS = 16  # envelopes in one event

Item = tuple[Entry, bytes | int | None, str]
Watch = Callable[[Iterable[Item], int], Iterable[Item]]

NOTES = {  # what is counted, and what that means
    **VERDICTS,
    DECOY: "of the new ones are decoys, and mean nothing",
    "left": "left on the server; the next bundle brings them",
    OLDER: "made under an older keyring than the bundle's",
    UNKNOWN: "made under a keyring that is not known here: ask the admins",
    "doubled": "twice in the file",
    "stray": "bytes in the file that belong to no row",
    "others": "other bundle with this number was imported before: ask the admins",
    "replaced": "server that the newest keyring replaced signed this: whoever took it still can",
}


@dataclass(slots=True)
class Result:
    """What the reviewer must know: of the bundle before, and how many of each of ``NOTES``."""

    header: BundleHeader
    before: str
    follows: bool
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def lacking(self) -> int:
        """How many rows of the bundle are not in the casebook."""
        return sum(self.counts[verdict] for verdict in VERDICTS.keys() - KEPT)

    @property
    def complete(self) -> bool:
        """Whether all is here that should be."""
        return self.follows and not self.lacking and not self.counts["others"]


def run(
    casebook: Casebook,
    path: Path,
    package: Path | None,
    present: Sequence[Present],
    watch: Watch = lambda items, _: items,
) -> Result:
    """Import a bundle; the first who is present signs, ``watch`` shows progress.

    Raises any :class:`Refused`.
    """
    keyring = _keyring_of(path, casebook)  # (1)
    with open_bundle(path, keyring.bundle_key, keyring.deployment) as bundle:
        known = casebook.keyrings[: casebook.keyrings.index(keyring) + 1]
        period = _open_period(bundle.header, known, package, present)  # (2)
        identities = [identity for who in present for identity in who.quarters()]
        with casebook.locked():  # (3)
            chains = casebook.chains(identities)
            state = fold(chains)
            record.tidy(casebook.folder)
            staging.clear(casebook.folder)
            pen = casebook.pen(present[0], chains)
            work = _Import(casebook, state, pen, bundle.header)
            try:
                return work.run(path, bundle, period, watch)
            finally:
                staging.clear(casebook.folder)


class _Import:
    """One import under way: what came of it, and rows and words since the last flush."""

    def __init__(self, casebook: Casebook, state: State, pen: Pen, header: BundleHeader) -> None:
        self._casebook, self._state, self._pen = casebook, state, pen
        self._rows: list[Row] = []
        self._decoys: dict[str, bytes] = {}  # their nonces, by row
        self._received: dict[tuple[str, ...], list[Mapping[str, Any]]] = defaultdict(list)
        self._cases: dict[str, tuple[str, ...]] = {}  # by the hash of the tag
        self._begun: dict[bytes, dict[int, bytes]] = defaultdict(dict)  # rows of files' beginnings
        self._inner: list[tuple[dict[str, Any], Judged]] = []  # first slices, and what they are
        server = next(k.bundle_key for k in casebook.keyrings if k.sha256 == header.keyring[1])
        self._same = {k.sha256 for k in casebook.keyrings if k.bundle_key == server}
        self._replaced = casebook.keyring.bundle_key != server
        self._result = Result(header, *_before(header, state, self._same))

    def run(
        self, path: Path, bundle: Opened[BundleHeader], period: Identity | None, watch: Watch
    ) -> Result:
        header, counts = bundle.header, self._result.counts
        secret = period.encode() if period else None
        given = (self._casebook, path, header, secret, self._state.assigned, self._pen.day)
        told = [(entry, place, OK) for entry, place in bundle.places()]
        astray = self._judge(given, watch(told, header.count))  # (4)
        if astray or not bundle.exact:
            self._judge(given, (item for item in bundle if item[0].id in astray))  # (5)
        self._open_inner(given, bundle)  # (6)
        others = self._state.manifests(header.number, self._same) - {header.sha256}
        if header.sha256 not in self._state.bundles or any(r.verdict in KEPT for r in self._rows):
            self._flush(  # (8)
                "import",
                bundle=header.number,
                count=header.count,
                keyring=header.keyring,
                left=header.left,
                period=header.period,
                previous=header.previous,
            )
        counts.update(left=header.left, doubled=len(bundle.doubled), stray=bundle.stray)
        counts.update(others=len(others), replaced=self._replaced)
        return self._result

    def _judge(self, given: tuple[object, ...], items: Iterable[Item]) -> set[bytes]:
        """Take rows into the casebook; return the ids of those that are not in their places."""
        astray = set()
        rows = (Brought(*item, self._state.rows.get(item[0].id)) for item in items)
        with contextlib.closing(cores.each(Judge, given, rows)) as judged:
            for one in judged:
                if one.row.verdict == ASTRAY:
                    astray.add(one.row.id)
                    continue
                part = one.what and one.what.get("slice")
                if part and part["number"] < inner.SLICES and not part["end"]:
                    self._begun[part["file"]][part["number"]] = one.row.id
                if part and one.inner:
                    self._inner.append((part, one))
                else:
                    self._take(one)
        return astray

    def _open_inner(self, given: tuple[Any, ...], bundle: Opened[BundleHeader]) -> None:
        """Take the first slices of files that their sources had sealed, with the files' keys."""
        if not self._inner:
            return
        judge = Judge(*given)
        places = {entry.id: Brought(entry, place, OK, None) for entry, place in bundle.places()}
        for part, one in self._inner:
            rows = self._begun[part["file"]]
            part["key"] = judge.inner_key([places[row] for _, row in sorted(rows.items())])
            self._take(one)

    def _take(self, judged: Judged) -> None:
        """Keep what the next flush is to record."""
        row, done = judged.row, self._state.parts[self._result.header.sha256]
        self._result.counts.update([row.verdict, *judged.counted])
        told = judged.nonce is None or row.id in self._state.decoys
        if row.verdict != HERE or row.id not in done or not told:
            self._rows.append(row)
        if judged.nonce and not told:
            self._decoys[row.id.hex()] = judged.nonce
        if judged.what:
            self._received[judged.assigned].append(judged.what)
            self._cases[record.case_key(judged.what["case"]).hex()] = judged.assigned
        if len(self._rows) == BATCH:
            self._flush("part")

    def _flush(self, kind: str, **facts: object) -> None:
        """Give blobs their places, then write events (7)."""
        folder, everyone = self._casebook.folder, self._casebook.everyone(self._pen.day)
        groups = [
            (assigned, rows[start : start + ROWS])
            for assigned, rows in self._received.items()
            for start in range(0, len(rows), ROWS)
        ]
        blobs = [[row["blob"] for row in rows] for _, rows in groups]
        record.noted(folder, self._pen, blobs)
        staging.settle(folder, itertools.chain(*blobs))
        facts |= {"kind": kind, "manifest": self._result.header.sha256}
        facts |= {"cases": self._cases, "rows": self._rows}
        if self._decoys:
            facts["decoys"] = self._decoys
        drafts = [
            Draft(
                {"assigned": assigned, "kind": "received", "rows": rows},
                self._casebook.recipients(assigned, self._pen.day),
            )
            for assigned, rows in groups
        ]
        self._pen.append([*drafts, Draft(facts, everyone)])
        record.done(folder)
        self._rows, self._cases, self._decoys = [], {}, {}
        self._received.clear()


def _keyring_of(path: Path, casebook: Casebook) -> Keyring:
    """Return the keyring that a bundle names, before anything of it is believed."""
    # If it is no bundle, or not ours, reading it will say why.
    with contextlib.suppress(BadFile, ValueError, TypeError, KeyError, OSError):
        with path.open("rb") as file:
            line: Any = canonical.load(file.readline(MAX_LINE).removesuffix(b"\n"))
        version, digest = int(line["keyring"]["version"]), octets(line["keyring"]["sha256"], 32)
        if found := [k for k in casebook.keyrings if k.sha256 == digest]:
            return found[0]
        if line["deployment"] == casebook.keyring.deployment.hex():
            raise BadKeyring(
                f"The bundle was made under keyring {version}, which is not here.",
                "Bring it here first, then import again: python -m intake.desk keyring FILE",
            )
    return casebook.keyring


def _open_period(
    header: BundleHeader, known: Sequence[Keyring], package: Path | None, present: Sequence[Present]
) -> Identity | None:
    """Return the key of the bundle's period, None for a bundle without rows, which needs none."""
    keyring = known[-1]
    if not header.count:
        return None
    if package is None:
        what = "This bundle has envelopes, and its period's package opens them."
        raise Misuse(what, f"Name the folder of the package of {header.period} with --package.")
    # A period that gave way to another is in an earlier keyring; its rows may come for weeks.
    named = (p for one in reversed(known) for p in one.periods if p.name == header.period)
    period = next(named, None)
    if period is None or header.keyring != (keyring.version, keyring.sha256):
        raise BadKeyring(
            f"Keyring {keyring.version} has no period {header.period}, or is not the bundle's.",
            "Its key was destroyed, or the server has another keyring. Ask the admins.",
        )
    return open_package(package, {who.name: who.quorum() for who in present}, period.recipient)


def _before(header: BundleHeader, state: State, same: Collection[bytes]) -> tuple[str, bool]:
    """Say whether the bundle before this one is here, and whether all is well so far."""
    number = header.number - 1
    before = state.manifests(number, same)
    if not number:
        return "it is the first bundle", True
    if header.previous in state.bundles:  # also of a server that only got another key
        return "the one before is here", True
    if before:
        return f"another bundle {number} is here than this one follows", False
    return f"bundle {number} is missing: carry it over", False
