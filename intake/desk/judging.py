"""What one row of a bundle is, and its words sealed again. Many rows at once, at any core.

Rules:
- One bad row costs that row. Nothing a source wrote is in what is returned.
- Words are recorded only under the id that follows from them. Else the server, or whoever made the
  row, used an id of other words, and the row is ``foreign``.
- A row that is known is "here" if its bytes are, or if the id follows from the words. One that was
  recorded without words is looked at again: whoever recorded it may have lied.
- A case's reviewers are chosen when it first comes, and stay (``Casebook.assign``).
- Of a decoy the nonce is returned, from which its id follows: so others need not take our word.
- The words of what is returned lie sealed in ``new/``, durably. Nobody else holds them.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from intake import files
from intake.age.identity import Identity
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.bundle import BundleHeader, Entry
from intake.desk import inner, opened, record, slices, staging
from intake.desk.casebook import Casebook
from intake.desk.state import CLOSED, FOREIGN, HERE, Row
from intake.envelope import DECOY, Envelope
from intake.errors import BadFile, NoMatchingKey

OLDER, UNKNOWN = "older", "unknown"  # what else is counted, beside decoys
ASTRAY = "astray"  # a verdict that is none yet: other bytes are in the row's place


class Brought(NamedTuple):
    """A row of a bundle, what the bundle's reader said of it, and what is known of it.

    ``found`` has its bytes, or where in the file they should be, or None: they are not there.
    """

    entry: Entry
    found: bytes | int | None
    verdict: str
    known: Row | None


class Judged(NamedTuple):
    """A row, what else is counted of it, and if it has words: for whom, and what is said of it.

    ``inner`` says that it may be the first slice of a file that its source had sealed; ``nonce`` is
    that of a decoy which is proven by it.
    """

    row: Row
    counted: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    what: Mapping[str, Any] | None = None
    inner: bool = False
    nonce: bytes | None = None


class Judge:
    """Judges rows of the bundle in ``path``.

    ``period`` is the secret key in text, or None; ``before`` has the cases that are known, as
    ``State.assigned``. ``day`` is that of the events to come.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - all that a worker knows
        self,
        casebook: Casebook,
        path: Path,
        header: BundleHeader,
        period: str | None,
        before: Mapping[bytes, tuple[bytes, tuple[str, ...]]],
        day: date,
    ) -> None:
        self._casebook, self._day, self._before = casebook, day, before
        self._path, self._size = path, header.size
        self._version, self._manifest = header.keyring[0], header.sha256
        self._period = [Identity.parse(period)] if period else []
        self._keyrings = {keyring.version: keyring.sha256 for keyring in casebook.keyrings}
        self._sealed: list[tuple[bytes, bytes]] = []  # blob names and bytes, not yet written

    def __call__(self, rows: Sequence[Brought]) -> list[Judged]:
        """Judge rows. Raises :class:`MachineTrouble` or :class:`BadKeyring`."""
        with files.troubled(self._path), self._path.open("rb") as file:
            judged = [self._judge(*self._read(file.fileno(), row)) for row in rows]
        staging.stage(self._casebook.folder, self._sealed)
        self._sealed.clear()
        return judged

    def inner_key(self, rows: Sequence[Brought]) -> bytes | None:
        """Return the key of a file that its source had sealed, and that begins with these rows."""
        with files.troubled(self._path), self._path.open("rb") as file:
            found = [self._read(file.fileno(), row).found for row in rows]
        data = [one for one in found if isinstance(one, bytes)]
        begun = (opened.parse(unseal(one, self._period)) for one in data)
        return inner.key_of(b"".join(one.content for one in begun), self._period)

    def _read(self, file: int, row: Brought) -> Brought:
        """Read the bytes of a row, if they are still in the file, and are the row's."""
        if not isinstance(row.found, int):
            return row
        data = os.pread(file, self._size, row.found)
        if hashlib.sha256(data).digest() != row.entry.sha256:
            return row._replace(found=None, verdict=ASTRAY)
        return row._replace(found=data)

    def _judge(  # noqa: PLR0911 - one for each verdict
        self, entry: Entry, data: bytes | int | None, verdict: str, known: Row | None
    ) -> Judged:
        same = known is not None and known.sha256 == entry.sha256
        here = Row(entry.id, entry.sha256, HERE, known.blob if known else None)
        row = here._replace(verdict=verdict, blob=None)
        if verdict != ASTRAY and same and (here.blob or data is None):
            return Judged(here)
        if not isinstance(data, bytes):
            return Judged(row)
        try:
            words = unseal(data, self._period)
            envelope = opened.parse(words)
        except opened.NotAnEnvelope:
            return Judged(row._replace(verdict=FOREIGN))
        except (NoMatchingKey, BadFile):
            return Judged(row._replace(verdict=CLOSED))
        # Dangerous line: without it, other words than the source's are kept under the row's name.
        decoy, bound = envelope.kind == DECOY, opened.is_bound(entry.id, envelope)
        if not bound and not (decoy and (same or not known)):
            return Judged(row._replace(verdict=FOREIGN))
        nonce = envelope.nonce if decoy and opened.is_decoy(entry.id, envelope.nonce) else None
        if here.blob or (same and decoy):
            return Judged(here, nonce=nonce)
        version, digest = envelope.keyring
        counts = {
            DECOY: decoy,
            OLDER: version < self._version,
            UNKNOWN: self._keyrings.get(version) != digest,
        }
        counted = tuple(name for name, counts_it in counts.items() if counts_it)
        judged = Judged(row, counted, nonce=nonce)
        return judged if decoy else self._keep(judged, words, envelope)

    def _keep(self, judged: Judged, words: bytes, envelope: Envelope) -> Judged:
        """Seal words again, and say what the event is to say of them."""
        book, key = self._casebook, record.case_key(envelope.case)
        first, before = self._before.get(key, (self._manifest, ()))
        assigned = book.assign(envelope.case, first, before)
        name, salt = record.new_name(words)
        self._sealed.append((name, seal(words, book.recipients(assigned, self._day))))
        what = {
            "blob": name,
            "case": envelope.case,
            "day": envelope.day,
            "envelope": envelope.kind,
            "id": judged.row.id,
            "keyring": envelope.keyring,
            "salt": salt,
        }
        if part := slices.part_of(envelope):
            what["slice"] = part.told()
        row = judged.row._replace(blob=name)
        sealed = inner.is_sealed(envelope)
        return judged._replace(row=row, assigned=assigned, what=what, inner=sealed)
