"""A return: what the server may delete, and what it carries back, signed by two reviewers.

Procedure of :func:`run`:
1. Read the second copy back: all chains and the blobs of all rows that are here and that no return
   named since they last came, byte for byte. A single doubt, and nothing is acknowledged at all.
2. Of these rows, take those whose words one of the two can vouch for.
   A bundle that says that a period is over and empty is acknowledged as a row is, once no row of
   the period waits: its id is the start of the SHA-256 of its line 1. Then its key may die.
3. Choose the notices and replies that go back, let the two agree, and seal them (``outgoing``).
4. Write the return, numbered one higher than the last one known here, signed by both.
5. Record it. If that fails, the file is taken away again.

Rules:
- One of the two may be planted, and may have recorded anything. So nobody's word is taken for it: a
  signer who is *not* the author of the record opens the words, from the second copy, with their own
  key, and the row's id follows from these very words (``reading.open_words``).
- A row for which nobody here can do so stays on the server, and is counted with what it waits for.
  So is one without words, and one whose id follows from nothing; but a decoy goes: its id follows
  from the nonce that was recorded, and from no words.
- With each decoy goes a reply to nobody, as with each case its notice: else who sees what a return
  deletes and fills would know how many of the rows were decoys.
- A row that two reviewers called withdrawn goes without its words: nobody has them any more.
- A row that a later bundle brings again is acknowledged again: then the return before was lost.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intake import reply
from intake.age.identity import Identity
from intake.bundle import MAX_COUNT, SIGNERS, Entry, ReturnHeader
from intake.bundle.writing import write_return
from intake.desk import copying, outgoing, record
from intake.desk.casebook import Casebook
from intake.desk.cases import Received
from intake.desk.outgoing import Cargo, Going
from intake.desk.present import Present
from intake.desk.reading import open_words
from intake.desk.state import State, fold
from intake.errors import Misuse, NoMatchingKey, Refused

_NO_WORDS = "hold no words, and are not proven to be decoys: import their bundle again"
_UNKNOWN = "wait for a reviewer who is not here to sign"


Agree = Callable[[Sequence[Going]], None]


@dataclass(frozen=True, slots=True)
class Done:
    """Line 1 of the return, None if there is none; how many rows wait for what; what it carries.

    ``decoys`` is how many of its rows are decoys.
    """

    header: ReturnHeader | None
    waits: Counter[str]
    cargo: Cargo
    decoys: int = 0


def run(  # noqa: PLR0913 - each is another's choice
    casebook: Casebook,
    second: Path,
    present: Sequence[Present],
    out: Path,
    *,
    after: int | None = None,
    decoys: int = 0,
    agree: Agree = lambda _: None,
    watch: outgoing.Watch = lambda packed, _: packed,
) -> Done:
    """Write the return file and record it, unless there is nothing for it.

    ``after`` is the last return that the server did: what went back in later ones goes again, and
    who came later counts on from it. ``agree`` is shown what goes out, and raises unless the
    signers agree. Raises any :class:`Refused`.
    """
    if len(present) < SIGNERS:
        raise Misuse("An acknowledgement needs two reviewers.", "Give --reviewer twice.")
    if out.exists():
        raise Misuse(f"{out} exists already.", "Choose another name, or move the old one away.")
    keyring = casebook.keyring
    keys = {who.name: who.quarters() for who in present}
    with casebook.locked():
        identities = [identity for own in keys.values() for identity in own]
        chains = casebook.chains(identities)
        state = fold(chains)
        rows = {row: state.blob(state.rows[row].blob or b"") for row in sorted(state.pending)}
        logs = [path for path in copying.listed(casebook) if path.parts[0] != "blobs"]
        blobs = [record.blob_path(Path(), rows[row]) for row in rows if rows[row]]
        for path in logs + blobs:  # (1)
            copying.check_same(casebook.folder, second, path)
        known = {(r.id, r.blob): r for case in state.cases.values() for r in case.received}
        entries: list[Entry] = []
        waits: Counter[str] = Counter()
        words: set[bytes] = set()
        may_go = state.gone | state.decoys
        for row, blob in rows.items():  # (2)
            received = known.get((row, blob))
            doubt = _doubt(second, received, keys) if blob else _NO_WORDS
            if doubt and row not in may_go:
                waits[doubt] += 1
            elif len(entries) < MAX_COUNT:
                entries.append(Entry(row, state.pending[row].sha256))
                words |= {received.case} if received else set()
        entries += _closings(state, {entry.id for entry in entries})
        entries.sort(key=lambda entry: entry.id)
        empty = len(state.decoys & {entry.id for entry in entries})
        going, left = outgoing.choose(state, keys, words, after)  # (3)
        if not (entries or going or decoys or waits or left):
            raise Misuse(
                "There is nothing to acknowledge, and nothing to send back.",
                "If a return was lost, import the server's next bundle: it names its rows again; "
                "and add --after with the number of the last return that the server did.",
            )
        agree(going)
        pen = casebook.pen(present[0], chains)
        what_for = (casebook.folder, keyring.deployment, identities, pen.day)
        cargo = outgoing.pack(*what_for, going, decoys + empty, watch)
        cargo.waits.update(left)
        if not (entries or cargo.sealed):
            return Done(None, waits, cargo)
        header = ReturnHeader(
            deployment=keyring.deployment,
            number=max(state.number, after or 0) + 1,
            keyring=(keyring.version, keyring.sha256),
            size=reply.SEALED if cargo.sealed else 0,
        )
        signers = {who.name: who.signing().sign for who in present}
        header = write_return(out, header, signers, entries, cargo.listed)  # (4)
        what = {
            "heard": sorted(cargo.heard),
            "kind": "acknowledged",
            "list": header.listed,
            "manifest": header.sha256,
            "number": header.number,
            "replies": sorted(cargo.replies),
            "rows": [(entry.id, entry.sha256) for entry in entries],
            "signers": list(signers),
        }
        try:
            pen.append([record.Draft(what, casebook.everyone(pen.day))])  # (5)
        except Refused:
            out.unlink(missing_ok=True)
            raise
    return Done(header, waits, cargo, empty)


def _closings(state: State, named: set[bytes]) -> list[Entry]:
    """Return the bundles without rows of periods of which nothing waits but what is ``named``."""
    waiting = {state.bundle_of(row) for row in state.pending.keys() - named}
    left = {bundle.period for bundle in waiting if bundle}
    found = [Entry(start, manifest) for start, manifest in state.closings.items()]
    found = [entry for entry in found if state.bundles[entry.sha256].period not in left]
    return found[: MAX_COUNT - len(named)]


def _doubt(second: Path, received: Received | None, keys: Mapping[str, Sequence[Identity]]) -> str:
    """Return what a row waits for, or nothing if a signer who did not record it vouches for it."""
    if received is None:
        return _UNKNOWN
    others = [name for name in received.assigned if name != received.event.author]
    here = [name for name in others if name in keys]
    if not here:
        return f"wait for {' or '.join(others) or 'another reviewer'} to sign"
    try:
        # Dangerous line: with the author's own key too, an author could keep words for himself.
        for name in here:
            open_words(second, received, keys[name])
    except NoMatchingKey:
        return f"do not open for {' and '.join(here)}, as {received.event.author} says they do"
    except Refused as refused:
        return f"{refused.what} {refused.hint}"
    return ""
