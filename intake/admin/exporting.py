"""Rows to bundles: signed, numbered, chained, and read in short transactions.

Procedure of one bundle, under the lock of ``chain``:
1. Finish first what an earlier run left unfinished.
2. List the rows of the period, 256 at a time: id and SHA-256. Posts go on between two reads.
3. Write the head (line 1, signature, list) to ``bundles.pending``.
4. Read the rows again, check each against the list, write the bundle to the stick.
5. Save number and hash in ``bundles``.
6. Remove ``bundles.pending``.

What a crash leaves: before (3), nothing. From (3) on, a number is taken, and whether a file of that
number lies on some stick is not known. So the next export writes the same bundle once more, byte
for byte: its head is kept, Ed25519 signs the same to the same, and acknowledge waits until it is
done, so the rows are still there. After (5), a note that the next export clears away. At no point
do two bundles share a number and differ, nor is a number left out. If the rows did change (a
damaged disk), the number is given up and said to be, and the next bundle has the rows.

An empty bundle says, signed, that a period is over and that nothing of it is left: its key may die
then. So it is made only of a period whose last day is past, or that the keyring does not name any
more. (A post that began in the last milliseconds of the day is there before any stick is carried.)

Nothing is deleted here. Until a return comes, every export carries the same rows again.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from intake import days, files, installed
from intake.admin import chain, setup
from intake.bundle import BundleHeader, Entry, fits
from intake.bundle.reading import open_bundle
from intake.bundle.writing import write_bundle, write_manifest
from intake.envelope import SEALED
from intake.errors import BadFile, Incomplete, Misuse
from intake.rows import Rows
from intake.settings import Settings

_PAGE = 256  # rows of one transaction


@dataclass(frozen=True, slots=True)
class Exported:
    """One bundle. ``odd`` rows have another size than an envelope, and stayed behind."""

    header: BundleHeader
    path: Path
    sha256: str
    odd: int = 0
    again: bool = False


class Export:
    """One run: the folder it writes to, and what it writes with."""

    def __init__(self, settings: Settings, folder: Path, watch: chain.Watch) -> None:
        """Check keyring, key and folder before anything is read."""
        self.keyring = installed.load(settings)
        self._settings = settings
        self._key = setup.signer(settings, self.keyring)
        self._store = Rows(settings.url, settings.data)
        self._note = settings.data / chain.PENDING
        self._folder = folder
        self._watch = watch
        with files.troubled(folder):
            if not folder.is_dir():
                raise Misuse(f"There is no folder {folder}.", "Is the stick mounted there?")

    def run(
        self, period: str | None = None, *, everything: bool = False, empty: bool = False
    ) -> Iterator[Exported]:
        """Yield each bundle when it is on the stick; none if there is nothing to export.

        After a bundle that had to be finished first, no other is made: more may have arrived, and
        the person who runs this should see what happened. Raises :class:`Misuse`,
        :class:`MachineTrouble`, :class:`BadFile` and :class:`Incomplete`.
        """
        with chain.alone(self._settings):
            if finished := self._finish():  # (1)
                yield finished
                return
            first = {p.name: p.first for p in self.keyring.periods}
            last = {p.name: p.last for p in self.keyring.periods}
            # Oldest first; rows of a period that the keyring no longer has before all others.
            stored = sorted(self._store.counts(), key=lambda p: (first.get(p, date.min), p))
            if period is not None and period not in stored:
                if not (empty or period in first):
                    raise Misuse(f"There is no period {period}.", f"There are: {' '.join(first)}")
                # Dangerous line: without it, a key may die that words are still sealed to.
                days.today(self._settings, self.keyring.expires)  # saved: the site goes on from it
                if empty and last.get(period, date.min) >= days.read_floor(self._settings):
                    what = f"Period {period} is not over: its last day is {last[period]}."
                    hint = "That it is empty is signed only when nothing more can come: after that "
                    raise Misuse(what, f"{hint}day, and for the last one with the next keyring.")
            self._store.settle()  # so that whatever was still to come has come
            for name in [period] if period else stored if everything else stored[:1]:
                yield from self._period(name, empty=empty)

    def _period(self, period: str, *, empty: bool) -> Iterator[Exported]:
        rows, each = self._rows(period), fits(SEALED)
        for number in itertools.count():  # one part in memory at a time
            total = min(each, self._store.counts()[period])
            part, odd = [], 0
            some = itertools.islice(rows, each)
            for row, sealed in self._watch(f"Listing {period}", some, total):  # (2)
                if len(sealed) == SEALED:
                    part.append(Entry(row, hashlib.sha256(sealed).digest()))
                else:
                    odd += 1
            if not part and not odd and (number or not empty):
                return
            before = chain.last(self._settings, chain.BUNDLES)
            header = BundleHeader(
                deployment=self.keyring.deployment,
                number=before.number + 1,
                previous=before.sha256,
                period=period,
                keyring=(self.keyring.version, self.keyring.sha256),
                size=SEALED,
                left=max(0, self._store.counts()[period] - len(part)),
            )
            if (self._folder / header.name).exists():
                what = f"{self._folder / header.name} is there already, and is another bundle."
                hint = "Take another stick. Was this server put back from a backup? Then ask first."
                raise Misuse(what, hint)
            header = write_manifest(self._note, header, part, self._key.sign)  # (3)
            yield self._write(header, part, odd=odd)
            if len(part) + odd < each:
                return

    def _finish(self) -> Exported | None:
        if not self._note.exists():
            return None
        ours = self.keyring
        try:
            with open_bundle(self._note, ours.bundle_key, ours.deployment) as opened:
                header, entries = opened.header, opened.entries
        except BadFile:
            what = f"{self._note}, the note of an unfinished bundle, is damaged."
            hint = "Move it away and export again; tell the desk that one number may come twice."
            raise BadFile(what, hint) from None
        if header.number <= chain.last(self._settings, chain.BUNDLES).number:
            with files.troubled(self._note):
                self._note.unlink()
            return None
        try:
            return self._write(header, entries, again=True)
        except BadFile:
            self._done(header)
            what = f"Bundle {header.number} was not finished, and its rows have changed since."
            hint = "Export again; tell the desk that this number may not come, its rows will."
            raise Incomplete(what, hint) from None

    def _write(
        self, header: BundleHeader, entries: Sequence[Entry], *, odd: int = 0, again: bool = False
    ) -> Exported:
        path = self._folder / header.name
        rows, left = self._rows(header.period), iter(entries)  # both in the order of ids
        found = (next((b for r, b in rows if r >= e.id), b"") for e in left)
        bodies = self._watch(f"Writing bundle {header.number}", found, len(entries))
        digest = write_bundle(path, header, entries, bodies, self._key.sign)  # (4)
        self._done(header)
        return Exported(header, path, digest, odd, again)

    def _done(self, header: BundleHeader) -> None:
        chain.save(self._settings, chain.BUNDLES, chain.Mark(header.number, header.sha256))  # (5)
        with files.troubled(self._note):
            self._note.unlink()  # (6)

    def _rows(self, period: str) -> Iterator[tuple[bytes, bytes]]:
        after = b""
        while page := self._store.page(period, after, _PAGE):
            yield from page
            after = page[-1][0]
