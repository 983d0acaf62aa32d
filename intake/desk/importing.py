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
- A row id that is known is "here" if its bytes are, or if the id follows from the words. Else the
  server used one id for two things, and the second is ``foreign``.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from intake import canonical, files
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.bundle import MAX_LINE, BundleHeader, Entry
from intake.bundle.reading import Opened, open_bundle
from intake.desk import opened, record
from intake.desk.casebook import Casebook
from intake.desk.present import Present
from intake.desk.record import Draft, Pen
from intake.desk.state import CLOSED, FOREIGN, HERE, KEPT, MISSING, OK, Row, State, fold
from intake.envelope import Envelope
from intake.errors import BadFile, BadKeyring, NoMatchingKey, Refused
from intake.keyring import Keyring, octets
from intake.quorum import open_package

BATCH = 256  # rows between two writes of the chain
DECOY = "decoy"
FIRST = "first"  # what is said of the bundle before; or HERE, MISSING
OTHER = "other"
_NOTE = "importing"  # the blobs of the batch that is being written
_LIMIT = 1 << 20  # bytes of it

Item = tuple[Entry, bytes | None, str]
Watch = Callable[[Iterable[Item], int], Iterable[Item]]


@dataclass(slots=True)
class Result:
    """What the reviewer must know. ``before`` is ``first``, ``here``, ``missing`` or ``other``."""

    header: BundleHeader
    before: str
    other_number: bool
    verdicts: Counter[str] = field(default_factory=Counter)
    older: int = 0
    unknown_keyring: int = 0
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
    watch: Watch = lambda items, _: items,
) -> Result:
    """Import a bundle; ``watch`` shows progress. Raises any :class:`Refused`."""
    keyring = _keyring_of(path, casebook)  # (1)
    with open_bundle(path, keyring.bundle_key, keyring.deployment) as bundle:
        period = _open_period(bundle.header, keyring, package, present)  # (2)
        identities = [identity for who in present for identity in who.quarters()]
        with casebook.locked():  # (3)
            chains = casebook.chains(identities)
            state = fold(chains)
            _tidy(casebook.folder, state)
            pen = casebook.pen(author, chains)
            return _Import(casebook, state, pen, period).run(bundle, watch)


class _Import:
    """One import under way: rows and words since the last flush."""

    def __init__(self, casebook: Casebook, state: State, pen: Pen, period: Identity) -> None:
        self._casebook = casebook
        self._state = state
        self._pen = pen
        self._period = period
        self._everyone = casebook.everyone(pen.day)
        self._rows: list[Row] = []
        self._words: list[tuple[bytes, bytes, Envelope]] = []  # row id, plaintext, parsed

    def run(self, bundle: Opened[BundleHeader], watch: Watch) -> Result:
        header, manifest = bundle.header, bundle.header.sha256
        same = [b.manifest == manifest for b in self._state.bundles.get(header.number, ())]
        result = Result(header, _before(header, self._state), not all(same))
        done = self._state.parts.get(manifest, {})
        for entry, data, verdict in watch(bundle, header.count):  # (4)
            row = self._judge(entry, data, verdict, result)
            result.verdicts[row.verdict] += 1
            if entry.id in done and done[entry.id].verdict in KEPT:
                continue
            self._rows.append(row)
            if len(self._rows) == BATCH:
                self._flush({"kind": "part", "manifest": manifest.hex()})
        result.doubled, result.stray = len(bundle.doubled), bundle.stray
        if not any(same) or any(row.verdict in KEPT for row in self._rows):
            self._flush(_facts(header))  # (6)
        return result

    def _judge(self, entry: Entry, data: bytes | None, verdict: str, result: Result) -> Row:
        """Say what a row is, and keep its words for the next flush."""
        known = self._state.rows.get(entry.id)
        if known and known.sha256 == entry.sha256:
            return Row(entry.id, entry.sha256, HERE, known.blob)
        if data is None:
            return Row(entry.id, entry.sha256, verdict, None)
        try:
            words = unseal(data, [self._period])
        except (NoMatchingKey, BadFile):
            return Row(entry.id, entry.sha256, CLOSED, None)
        return self._recorded(entry, words, known, result)

    def _recorded(self, entry: Entry, words: bytes, known: Row | None, result: Result) -> Row:
        try:
            envelope = opened.parse(words)
        except BadFile:
            return Row(entry.id, entry.sha256, FOREIGN, None)
        if known:
            if opened.is_bound(entry.id, envelope):
                return Row(entry.id, entry.sha256, HERE, known.blob)
            return Row(entry.id, entry.sha256, FOREIGN, None)
        version, digest = envelope.keyring
        hashes = {keyring.version: keyring.sha256 for keyring in self._casebook.keyrings}
        result.older += version < result.header.keyring[0]
        result.unknown_keyring += hashes.get(version) != digest
        if envelope.kind != DECOY:
            self._words.append((entry.id, words, envelope))
        return Row(entry.id, entry.sha256, OK, None)

    def _flush(self, what: dict[str, object]) -> None:
        """Write blobs, then events (5)."""
        folder, drafts, blobs = self._casebook.folder, [], {}
        named = [(row, words, *record.new_name(words)) for row, words, _ in self._words]
        # Whatever happens from here on, the next import knows which blobs may belong to nobody.
        files.write(folder / _NOTE, canonical.dump([name.hex() for _, _, name, _ in named]))
        for (row, words, name, salt), (_, _, envelope) in zip(named, self._words, strict=True):
            assigned = self._assigned(envelope.case)
            recipients = self._casebook.recipients(assigned, self._pen.day)
            record.write_blob(folder, name, words, recipients)
            event = _received(row, envelope, (name, salt), assigned)
            drafts.append(Draft(event, recipients, envelope.case))
            blobs[row] = name
        rows = [replace(row, blob=blobs.get(row.id, row.blob)) for row in self._rows]
        listed = {**what, "rows": [row.as_list() for row in rows]}
        self._pen.append([*drafts, Draft(listed, self._everyone)])
        (folder / _NOTE).unlink()
        self._rows, self._words = [], []

    def _assigned(self, tag: bytes) -> tuple[str, ...]:
        active = {reviewer.name for reviewer in self._casebook.keyring.active}
        case = self._state.cases.get(tag)
        if case is not None and active.issuperset(case.assigned):
            return case.assigned
        return self._casebook.assign(tag)


def _keyring_of(path: Path, casebook: Casebook) -> Keyring:
    """Return the keyring that a bundle names, before anything of it is believed."""
    version = casebook.keyring.version
    with contextlib.suppress(Refused, ValueError, TypeError, KeyError, OSError):
        with path.open("rb") as file:
            line: Any = canonical.load(file.readline(MAX_LINE).removesuffix(b"\n"))
        if line["deployment"] == casebook.keyring.deployment.hex():
            version = int(line["keyring"]["version"])
    for keyring in casebook.keyrings:
        if keyring.version == version:
            return keyring
    raise BadKeyring(
        f"The bundle was made under keyring {version}, which this casebook does not have.",
        f"Bring it here first, then import again: keyring FILE --casebook {casebook.folder}",
    )


def _open_period(
    header: BundleHeader, keyring: Keyring, package: Path, present: Sequence[Present]
) -> Identity:
    if header.keyring != (keyring.version, keyring.sha256):
        raise BadKeyring(
            f"The bundle was made under another keyring {header.keyring[0]} than the one here.",
            "Find out which one the reviewers were given, before anything else is imported.",
        )
    period = next((p for p in keyring.periods if p.name == header.period), None)
    if period is None:
        raise BadKeyring(
            f"Keyring {keyring.version} has no period {header.period}.",
            "Its key was destroyed, or this is another keyring. Ask the admins.",
        )
    keys = {who.name: who.quorum() for who in present}
    return open_package(package, keys, period.recipient)


def _before(header: BundleHeader, state: State) -> str:
    """Return whether the bundle before this one is here."""
    if header.number == 1:
        return FIRST
    before = state.bundles.get(header.number - 1, [])
    if any(bundle.manifest == header.previous for bundle in before):
        return HERE
    return OTHER if before else MISSING


def _facts(header: BundleHeader) -> dict[str, object]:
    return {
        "bundle": header.number,
        "keyring": {"sha256": header.keyring[1].hex(), "version": header.keyring[0]},
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
        "keyring": {"sha256": envelope.keyring[1].hex(), "version": envelope.keyring[0]},
        "kind": "received",
        "salt": blob[1].hex(),
    }


def _tidy(folder: Path, state: State) -> None:
    """Delete the blobs of a batch whose events were never written: nobody could withdraw them."""
    note = folder / _NOTE
    if not note.exists():
        return
    kept = {row.blob for row in state.rows.values()}
    names: Any = canonical.load(files.read(note, _LIMIT))
    for text in names:
        name = octets(text, 32)
        if name not in kept:
            record.blob_path(folder, name).unlink(missing_ok=True)
    note.unlink()
