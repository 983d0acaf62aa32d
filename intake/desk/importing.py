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
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intake import canonical, files
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.bundle import MAX_LINE, BundleHeader, Entry
from intake.bundle.reading import Opened, open_bundle
from intake.desk import opened, record
from intake.desk.casebook import Casebook
from intake.desk.chain import Chain
from intake.desk.present import Present
from intake.desk.record import Draft, Pen
from intake.desk.state import CLOSED, FOREIGN, HERE, KEPT, MISSING, OK, Row, State, fold
from intake.envelope import Envelope
from intake.errors import BadFile, BadKeyring, NoMatchingKey
from intake.keyring import Keyring, octets
from intake.quorum import open_package

BATCH = 256  # rows between two writes of the chain
WRITERS = 16  # blobs written at once
DECOY = "decoy"
FIRST = "first"  # what is said of the bundle before; or HERE, MISSING
OTHER = "other"
_NOTE = "importing"  # chain, its last event, and the blobs of the batch that comes after it
_LIMIT = 1 << 20  # bytes of it

Item = tuple[Entry, bytes | None, str]


@dataclass(slots=True)
class Result:
    """What the reviewer must know. ``before`` is ``first``, ``here``, ``missing`` or ``other``."""

    header: BundleHeader
    before: str
    other_number: bool = False
    verdicts: Counter[str] = field(default_factory=Counter)
    older: int = 0
    unknown_keyring: int = 0
    decoys: int = 0
    doubled: int = 0
    stray: int = 0

    @property
    def lacking(self) -> int:
        """How many rows of the bundle are not in the casebook."""
        return sum(n for verdict, n in self.verdicts.items() if verdict not in KEPT)


def run(  # noqa: PLR0913 - the command's arguments
    casebook: Casebook,
    path: Path,
    package: Path,
    present: Sequence[Present],
    *,
    author: Present,
    watch: Callable[[Iterable[Item], int], Iterable[Item]] = lambda items, _: items,
) -> Result:
    """Import a bundle; ``watch`` shows progress. Raises any :class:`Refused`."""
    keyring = _keyring_of(path, casebook)  # (1)
    with open_bundle(path, keyring.bundle_key, keyring.deployment) as bundle:
        period = _open_period(bundle.header, keyring, package, present)  # (2)
        identities = [identity for who in present for identity in who.quarters()]
        with casebook.locked():  # (3)
            chains = casebook.chains(identities)
            state = fold(chains)
            _tidy(casebook.folder, chains)
            work = _Import(casebook, state, casebook.pen(author, chains), period, bundle.header)
            return work.run(bundle, watch(bundle, bundle.header.count))


class _Import:
    """One import under way: what came of it, and rows and words since the last flush."""

    def __init__(
        self, casebook: Casebook, state: State, pen: Pen, period: Identity, header: BundleHeader
    ) -> None:
        self._casebook, self._state, self._pen, self._period = casebook, state, pen, period
        self._rows: list[Row] = []
        self._words: list[tuple[bytes, bytes, Envelope]] = []  # row id, plaintext, parsed
        self._result = Result(header, _before(header, state))

    def run(self, bundle: Opened[BundleHeader], items: Iterable[Item]) -> Result:
        result, manifest = self._result, bundle.header.sha256
        others = self._state.manifests(bundle.header.number) - {manifest}
        done = self._state.parts.get(manifest, {})
        for entry, data, verdict in items:  # (4)
            row = self._judge(entry, data, verdict)
            result.verdicts[row.verdict] += 1
            before = done.get(entry.id)
            if row.verdict == OK or before is None or before.verdict not in KEPT:
                self._rows.append(row)
            if len(self._rows) == BATCH:
                self._flush({"kind": "part", "manifest": manifest.hex()})
        if manifest not in self._state.bundles or any(row.verdict in KEPT for row in self._rows):
            self._flush(_facts(bundle.header))  # (6)
        result.other_number = bool(others)
        result.doubled, result.stray = len(bundle.doubled), bundle.stray
        return result

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
            words = unseal(data, [self._period])
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
        self._compare(envelope)
        if envelope.kind == DECOY:
            self._result.decoys += 1
        else:
            self._words.append((entry.id, words, envelope))
        return row

    def _compare(self, envelope: Envelope) -> None:
        version, digest = envelope.keyring
        hashes = {keyring.version: keyring.sha256 for keyring in self._casebook.keyrings}
        self._result.older += version < self._result.header.keyring[0]
        self._result.unknown_keyring += hashes.get(version) != digest

    def _flush(self, what: dict[str, object]) -> None:
        """Write blobs, then events (5)."""
        folder, day = self._casebook.folder, self._pen.day
        names = [record.new_name(words) for _, words, _ in self._words]
        # Whatever happens from here on, the next import knows which blobs may belong to nobody.
        batch = [self._pen.path.name, self._pen.last, *(name.hex() for name, _ in names)]
        files.write(folder / _NOTE, canonical.dump(batch))
        drafts, blobs, jobs, cases = [], {}, [], {}
        new = (self._result.header.sha256, ())
        for (row, words, envelope), (name, salt) in zip(self._words, names, strict=True):
            key = record.case_key(envelope.case)
            assigned = self._casebook.assign(envelope.case, *self._state.assigned.get(key, new))
            cases[key.hex()] = list(assigned)
            recipients = self._casebook.recipients(assigned, day)
            jobs.append((folder, name, words, recipients))
            event = _received(row, envelope, (name, salt), assigned)
            drafts.append(Draft(event, recipients, envelope.case))
            blobs[row] = name
        # Side by side, because a disk that syncs many files at once takes the time of a few.
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(lambda job: record.write_blob(*job), jobs))
        rows = [row._replace(blob=blobs.get(row.id, row.blob)).as_list() for row in self._rows]
        what = {**what, "cases": cases, "rows": rows}
        self._pen.append([*drafts, Draft(what, self._casebook.everyone(day))])
        (folder / _NOTE).unlink()
        self._rows, self._words = [], []


def _keyring_of(path: Path, casebook: Casebook) -> Keyring:
    """Return the keyring that a bundle names, before anything of it is believed."""
    keyrings = {k.sha256.hex(): k for k in casebook.keyrings}
    try:
        with path.open("rb") as file:
            line: Any = canonical.load(file.readline(MAX_LINE).removesuffix(b"\n"))
        ours, named = line["deployment"] == casebook.keyring.deployment.hex(), line["keyring"]
        if ours and named["sha256"] not in keyrings:
            raise BadKeyring(
                f"The bundle was made under keyring {int(named['version'])}, which is not here.",
                "Bring it here first, then import again: python -m intake.desk keyring FILE",
            )
        return keyrings[named["sha256"]]
    except (BadFile, ValueError, TypeError, KeyError, OSError):
        return casebook.keyring  # it is no bundle, or not ours; reading it will say why


def _open_period(
    header: BundleHeader, keyring: Keyring, package: Path, present: Sequence[Present]
) -> Identity:
    period = next((p for p in keyring.periods if p.name == header.period), None)
    if period is None or header.keyring != (keyring.version, keyring.sha256):
        raise BadKeyring(
            f"Keyring {keyring.version} has no period {header.period}, or is not the bundle's.",
            "Its key was destroyed, or the server has another keyring. Ask the admins.",
        )
    keys = {who.name: who.quorum() for who in present}
    return open_package(package, keys, period.recipient)


def _before(header: BundleHeader, state: State) -> str:
    """Return whether the bundle before this one is here."""
    if header.number == 1:
        return FIRST
    before = state.manifests(header.number - 1)
    return HERE if header.previous in before else OTHER if before else MISSING


def _facts(header: BundleHeader) -> dict[str, object]:
    return {
        "bundle": header.number,
        "keyring": _version(header.keyring),
        "kind": "import",
        "left": header.left,
        "manifest": header.sha256.hex(),
        "period": header.period,
        "previous": header.previous.hex(),
    }


def _received(
    row: bytes, envelope: Envelope, blob: tuple[bytes, bytes], assigned: Sequence[str]
) -> dict[str, object]:
    return {
        "assigned": list(assigned),
        "blob": blob[0].hex(),
        "day": envelope.day.isoformat(),
        "envelope": envelope.kind,
        "id": row.hex(),
        "keyring": _version(envelope.keyring),
        "kind": "received",
        "salt": blob[1].hex(),
    }


def _version(keyring: tuple[int, bytes]) -> list[object]:
    return [keyring[0], keyring[1].hex()]


def _tidy(folder: Path, chains: Mapping[str, Chain]) -> None:
    """Delete the blobs of a batch whose events were not written: nobody could withdraw them.

    What was written is told by the length of the chain alone, so it does not matter who is here.
    """
    note = folder / _NOTE
    if note.exists():
        raw: Any = canonical.load(files.read(note, _LIMIT))
        name, after, *blobs = raw
        written = chains[name].last - after if name in chains else 0
        for blob in blobs[written:]:
            record.blob_path(folder, octets(blob, 32)).unlink(missing_ok=True)
        note.unlink()
