"""A bundle goes into the casebook: open, seal again, record.

Procedure of :func:`run`:
1. Find the keyring that was in force when the bundle was made, and verify the bundle with its key.
2. The reviewers who are here open the period's package.
3. Take the casebook's lock, and tidy up after an import that was cut short.
4. For each row: say what it is (``intake.desk.state`` lists the verdicts). Words are sealed again
   to the case's reviewers and the archive.
5. After each batch: blobs first, then the events, then go on. So a power cut costs one batch, and
   running it again continues.
6. The ``import`` event comes last: what the bundle said of itself, and the rows not yet recorded.

Rules:
- One bad row costs that row. Nothing a source wrote is in a result or an error.
- Words are recorded only under the id that follows from them. Else the server, or whoever made the
  row, used an id of other words, and the row is ``foreign``.
- A row that is known is "here" if its bytes are, or if the id follows from the words. One that was
  recorded without words is looked at again: whoever recorded it may have lied.
- A case's reviewers are chosen when it first comes, and stay (``Casebook.assign``).
- One event records up to :data:`ROWS` envelopes of the same reviewers: sealing it costs as much as
  sealing words, and a flipped byte costs what is in one event.
"""

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intake import canonical
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.age.unsealing import unseal
from intake.bundle import MAX_LINE, BundleHeader, Entry
from intake.bundle.reading import Opened, open_bundle
from intake.desk import opened, record
from intake.desk.casebook import Casebook
from intake.desk.present import Present
from intake.desk.record import Draft, Pen
from intake.desk.state import CLOSED, FOREIGN, HERE, KEPT, VERDICTS, Row, State, fold
from intake.envelope import Envelope
from intake.errors import BadFile, BadKeyring, Misuse, NoMatchingKey
from intake.keyring import Keyring
from intake.quorum import open_package
from intake.signatures import octets

BATCH = 256  # rows between two writes of the chain
ROWS = 16  # envelopes in one event
WRITERS = 16  # blobs written at once
DECOY = "decoy"

Item = tuple[Entry, bytes | None, str]

NOTES = {  # what is counted, and what that means
    **VERDICTS,
    DECOY: "of the new ones are decoys, and mean nothing",
    "left": "left on the server; the next bundle brings them",
    "older": "made under an older keyring than the bundle's",
    "unknown": "made under a keyring that is not known here: ask the admins",
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
    watch: Callable[[Iterable[Item], int], Iterable[Item]] = lambda items, _: items,
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
            record.tidy(casebook.folder, chains)
            work = _Import(casebook, state, casebook.pen(present[0], chains), period, bundle.header)
            return work.run(bundle, watch(bundle, bundle.header.count))


class _Import:
    """One import under way: what came of it, and rows and words since the last flush."""

    def __init__(
        self,
        casebook: Casebook,
        state: State,
        pen: Pen,
        period: Identity | None,
        header: BundleHeader,
    ) -> None:
        self._casebook, self._state, self._pen, self._period = casebook, state, pen, period
        self._rows: list[Row] = []
        self._words: list[tuple[bytes, bytes, list[Recipient]]] = []  # blob name, words, for whom
        self._received: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        self._cases: dict[str, tuple[str, ...]] = {}  # by the hash of the tag
        server = next(k.bundle_key for k in casebook.keyrings if k.sha256 == header.keyring[1])
        self._same = {k.sha256 for k in casebook.keyrings if k.bundle_key == server}
        self._replaced = casebook.keyring.bundle_key != server
        self._result = Result(header, *_before(header, state, self._same))

    def run(self, bundle: Opened[BundleHeader], items: Iterable[Item]) -> Result:
        header, counts = bundle.header, self._result.counts
        done = self._state.parts[header.sha256]
        for entry, data, verdict in items:  # (4)
            row = self._judge(entry, data, verdict)
            counts[row.verdict] += 1
            if row.verdict != HERE or entry.id not in done:
                self._rows.append(row)
            if len(self._rows) == BATCH:
                self._flush("part")
        others = self._state.manifests(header.number, self._same) - {header.sha256}
        if header.sha256 not in self._state.bundles or any(r.verdict in KEPT for r in self._rows):
            self._flush(  # (6)
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

    def _judge(  # noqa: PLR0911 - one for each verdict
        self, entry: Entry, data: bytes | None, verdict: str
    ) -> Row:
        """Say what a row is, and keep its words for the next flush."""
        known = self._state.rows.get(entry.id)
        same = known is not None and known.sha256 == entry.sha256
        here = Row(entry.id, entry.sha256, HERE, known.blob if known else None)
        if same and (here.blob or data is None):
            return here
        row = here._replace(verdict=verdict, blob=None)
        if data is None:
            return row
        try:
            words = unseal(data, [self._period] if self._period else [])
            envelope = opened.parse(words)
        except opened.NotAnEnvelope:
            return row._replace(verdict=FOREIGN)
        except (NoMatchingKey, BadFile):
            return row._replace(verdict=CLOSED)
        in_words = envelope.kind in opened.WORDS
        # Dangerous line: without it, other words than the source's are kept under the row's name.
        if not opened.is_bound(entry.id, envelope) and (in_words or (known and not same)):
            return row._replace(verdict=FOREIGN)
        if here.blob or (same and envelope.kind == DECOY):
            return here
        version, digest = envelope.keyring
        hashes = {keyring.version: keyring.sha256 for keyring in self._casebook.keyrings}
        older = version < self._result.header.keyring[0]
        self._result.counts.update(older=older, unknown=hashes.get(version) != digest)
        if envelope.kind == DECOY:
            self._result.counts[DECOY] += 1
            return row
        return row._replace(blob=self._record(row.id, words, envelope))

    def _record(self, row: bytes, words: bytes, envelope: Envelope) -> bytes:
        """Keep words, and the event that says where they lie, for the next flush."""
        book, key = self._casebook, record.case_key(envelope.case)
        first, before = self._state.assigned.get(key, (self._result.header.sha256, ()))
        assigned = self._cases[key.hex()] = book.assign(envelope.case, first, before)
        name, salt = record.new_name(words)
        what = {
            "blob": name,
            "case": envelope.case,
            "day": envelope.day,
            "envelope": envelope.kind,
            "id": row,
            "keyring": envelope.keyring,
            "salt": salt,
        }
        self._words.append((name, words, book.recipients(assigned, self._pen.day)))
        self._received[assigned].append(what)
        return name

    def _flush(self, kind: str, **facts: object) -> None:
        """Write blobs, then events (5)."""
        folder, everyone = self._casebook.folder, self._casebook.everyone(self._pen.day)
        groups = [
            (assigned, rows[start : start + ROWS])
            for assigned, rows in self._received.items()
            for start in range(0, len(rows), ROWS)
        ]
        record.noted(folder, self._pen, [[row["blob"] for row in rows] for _, rows in groups])
        # Side by side, because a disk that syncs many files at once takes the time of a few.
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda job: record.write_blob(folder, *job), self._words))
        facts |= {"kind": kind, "manifest": self._result.header.sha256}
        facts |= {"cases": self._cases, "rows": self._rows}
        drafts = [
            Draft(
                {"assigned": assigned, "kind": "received", "rows": rows},
                self._casebook.recipients(assigned, self._pen.day),
            )
            for assigned, rows in groups
        ]
        self._pen.append([*drafts, Draft(facts, everyone)])
        record.done(folder)
        self._rows, self._words, self._cases = [], [], {}
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
