"""What the server may delete: a return file, signed by two reviewers.

Procedure of :func:`run`:
1. Take the rows that are here and that no return named since they last came.
2. Read the second copy back: all chains and the blobs of these rows, byte for byte; what the two
   reviewers can open is opened and compared with its salted hash.
3. Write the return, numbered one higher than the last, signed by both.
4. Record it. If that fails, the file is taken away again.

Rules:
- Only rows whose words are in both copies, or that were decoys. A single doubt, and nothing is
  acknowledged at all.
- A row that a later bundle brings again is acknowledged again: then the return before was lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from intake.age.identity import Identity
from intake.bundle import MAX_COUNT, SIGNERS, Entry, ReturnHeader
from intake.bundle.writing import write_return
from intake.desk import copying, record
from intake.desk.casebook import Casebook
from intake.desk.present import Present
from intake.desk.reading import open_words
from intake.desk.record import Draft
from intake.desk.state import Row, State, fold
from intake.errors import Misuse, Refused


def run(casebook: Casebook, second: Path, present: Sequence[Present], out: Path) -> ReturnHeader:
    """Write the return file and record it. Raises any :class:`Refused`."""
    if len(present) < SIGNERS:
        raise Misuse("An acknowledgement needs two reviewers.", "Give --reviewer twice.")
    if out.exists():
        raise Misuse(f"{out} exists already.", "Choose another name, or move the old one away.")
    keyring = casebook.keyring
    version = (keyring.version, keyring.sha256)
    identities = [identity for who in present for identity in who.quarters()]
    with casebook.locked():
        chains = casebook.chains(identities)
        state = fold(chains)
        rows = sorted(state.pending.values(), key=lambda row: row.id)[:MAX_COUNT]  # (1)
        if not rows:
            raise Misuse(
                "There is nothing to acknowledge: every row that is here was acknowledged.",
                "If a return was lost, import the server's next bundle; it names the rows again.",
            )
        _check_copy(casebook, second, rows, state, identities)  # (2)
        header = write_return(  # (3)
            out,
            ReturnHeader(deployment=keyring.deployment, number=state.number + 1, keyring=version),
            {who.name: who.signing().sign for who in present},
            [Entry(row.id, row.sha256) for row in rows],
        )
        try:
            pen = casebook.pen(present[0], chains)
            pen.append([Draft(_what(header, rows, present), casebook.everyone(pen.day))])  # (4)
        except Refused:
            out.unlink(missing_ok=True)
            raise
    return header


def _check_copy(
    casebook: Casebook,
    second: Path,
    rows: Sequence[Row],
    state: State,
    identities: Sequence[Identity],
) -> None:
    blobs = {record.blob_path(Path(), row.blob): row.blob for row in rows if row.blob}
    mine = {item.blob: item for case in state.cases.values() for item in case.received}
    for path in [*(p for p in copying.listed(casebook) if p.parts[0] != "blobs"), *blobs]:
        copying.check_same(casebook.folder, second, path)
        if path in blobs and blobs[path] in mine:
            open_words(second, mine[blobs[path]], identities)


def _what(
    header: ReturnHeader, rows: Sequence[Row], present: Sequence[Present]
) -> dict[str, object]:
    return {
        "kind": "acknowledged",
        "list": header.listed.hex(),
        "manifest": header.sha256.hex(),
        "number": header.number,
        "rows": [[row.id.hex(), row.sha256.hex()] for row in rows],
        "signers": [who.name for who in present],
    }
