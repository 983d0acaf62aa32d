"""A day at the site: letters, words, files, withdrawals, replies, a return; then the night.

Procedure of :func:`live`:
1. So many come, one after the other, with what is short, long, empty, Burmese or nothing at all.
   After each, whichever rows are new came with it: that is the order of arrival.
2. A return deletes some rows, and puts replies into mailboxes; one source deletes its reply.
3. What is there before the night is kept, and then maintenance runs.

Chance has a seed; only what the site draws by itself differs from run to run.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from intake import days, receipt, reply
from intake.age.identity import Identity
from intake.bundle import Entry, ReturnHeader
from intake.bundle.writing import write_return
from intake.envelope import CONTENT, SEALED
from intake.reply import REPLY, Mailbox, Reply
from intake.rows import Rows
from tests import burmese
from tests.door import Door
from tests.leaks.cases import TEXTS, urlencoded
from tests.leaks.chain import Chain, ask, post
from tests.site_maker import LEAST, receipt_in
from tests.upload_maker import KIND, body, file, first

PIECE = 64  # bytes by which a row is told in a file


@dataclass
class Lived:
    """What came, in order: ``rows`` by id, ``replies`` by mailbox and id; and what went."""

    chain: Chain
    events: int = 0
    rows: dict[bytes, bytes] = field(default_factory=dict)  # whatever ever stood in a row
    order: list[bytes] = field(default_factory=list)  # ids, as they came
    replies: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    gone: list[bytes] = field(default_factory=list)  # rows and replies that were deleted
    lies: list[str] = field(default_factory=list)  # pages that say what is not so
    before: bytes = b""  # the store's file before the night
    files: dict[str, bytes] = field(default_factory=dict)  # of the data folder, before the night
    bundle: Path = Path()
    began: float = 0.0
    ended: float = 0.0

    @property
    def kept(self) -> list[bytes]:
        """The ids that are still there, as they came."""
        deleted = set(self.gone)
        return [row for row in self.order if self.rows[row] not in deleted]


def texts(chance: random.Random, count: int) -> Iterator[str]:
    """Yield what people write: nothing, Burmese, Zawgyi, noise, signs, all there is room for."""
    limit = TEXTS[-1].limit
    lines = [*burmese.syllables(40, 3), *burmese.noise(40, 4), *burmese.texts()[:40], "a", "😀"]
    signs = "".join(map(chr, range(1, 32)))
    for _ in range(count):
        kind = chance.randrange(6)
        if kind == 0:
            yield ""
        elif kind == 1:
            yield (chance.choice(lines) + "😀") * 3
        elif kind == 2:
            yield (chance.choice(lines) * limit)[:limit]
        elif kind == 3:
            yield (signs * limit)[:limit]
        else:
            yield " ".join(chance.choices(lines, k=chance.randint(1, 30)))[:limit]


def schedule(letters: int, words: int, withdrawals: int, files: int) -> list[str]:
    """Return what comes, in what order."""
    kinds = ["letter"] * letters + ["words"] * words + ["withdraw"] * withdrawals + ["file"] * files
    random.Random(5).shuffle(kinds)
    return kinds


def live(chain: Chain, kinds: list[str], *, deleted: int, replies: int) -> Lived:
    """Live through a day and a night."""
    lived, chance = Lived(chain, began=time.time()), random.Random(6)
    with chain.served() as opened:
        for kind, text in zip(kinds, texts(chance, len(kinds)), strict=True):  # (1)
            _come(lived, opened, kind, text, chance)
        assert {len(sealed) for sealed in lived.rows.values()} <= {SEALED}, "size"
        _export(lived)
        box, mine = _return(lived, chance, deleted, replies)  # (2)
        digits = receipt.receipt(mine)
        delete = {"receipt": digits, "delete": box.notice.hex()}
        answer = ask(opened, urlencoded("/en/back", delete))
        assert answer.status == 200, f"delete\n{answer.status}"
        lived.gone.append(lived.replies.pop((box.id, box.notice)))
    lived.ended = time.time()
    lived.before = chain.database.read_bytes()  # (3)
    lived.files = {p.name: p.read_bytes() for p in chain.site.settings.data.iterdir()}
    chain.admin("maintain")
    return lived


def _come(lived: Lived, opened: Door, kind: str, text: str, chance: random.Random) -> None:
    seed = chance.randbytes(32)
    digits = receipt.receipt(seed)
    known = {"receipt": digits, "_seed": seed.hex()}
    if kind == "letter":
        fields = {**LEAST, "_seed": seed.hex(), **_fitting(text)}
        raw = urlencoded("/en", fields)
    elif kind == "words":
        raw = urlencoded("/en/words", {**known, "words": text[:5000] or "x"})
    elif kind == "withdraw":
        raw = urlencoded("/en/withdraw", {**known, "sure": "yes"})
    else:
        data = chance.randbytes(chance.randrange(1, 3 * CONTENT))
        raw = post("/en/file", KIND, body(first(digits), file(text[:100], data)))
    answer = ask(opened, raw)
    assert answer.status == 200, f"odd\n{kind}: {answer.status}"
    if kind == "letter" and receipt_in(answer.text) != digits:
        lived.lies.append("another receipt")
    store = lived.chain.site.store
    new = sorted(lived.chain.ids() - lived.rows.keys())
    chance.shuffle(new)
    if not new:
        lived.lies.append(f"{kind}: the page says that it is stored, and no row came")
    lived.events += 1
    lived.rows |= {row: store.get(row) or b"" for row in new}
    lived.order += new


def _fitting(text: str) -> dict[str, str]:
    """Return the text in each field for one, as much of it as the field holds."""
    return {question.key: text[: question.limit] for question in TEXTS}


def _export(lived: Lived) -> None:
    stick = lived.chain.folder / "stick"
    lived.chain.admin("export", stick)
    (lived.bundle,) = stick.glob("*.bundle")


def _return(lived: Lived, chance: random.Random, deleted: int, count: int) -> tuple[Mailbox, bytes]:
    """Install a return; return the one mailbox that somebody has, and the seed of its receipt."""
    made, seed = lived.chain.site.made, chance.randbytes(32)
    deployment = made.keyring.deployment
    own = reply.mailbox(deployment, receipt.reply_secret(deployment, receipt.receipt(seed)))
    to = Identity.from_seed(own.seed).recipient()
    places = [(chance.randbytes(16), chance.randbytes(16)) for _ in range(count)]
    bodies = {place: reply.seal(Reply(REPLY, days.clock(), 1, "ဖြေ"), to) for place in places}
    bodies[own.id, own.notice] = reply.seal(Reply(reply.NOTICE, days.clock()), to)
    lived.replies = dict(bodies)
    gone = chance.sample(lived.order, deleted)
    lived.gone += [lived.rows[row] for row in gone]
    acknowledged = [Entry(row, hashlib.sha256(lived.rows[row]).digest()) for row in gone]
    entries = [Entry(n, hashlib.sha256(b).digest(), mailbox=m) for (m, n), b in bodies.items()]
    entries.sort(key=Entry.line)
    path = lived.chain.folder / "stick" / "1.return"
    signers = {name: made.reviewers[name].signing.sign for name in ("alice", "bob")}
    header = ReturnHeader(
        deployment=deployment,
        number=1,
        keyring=(made.keyring.version, made.keyring.sha256),
        size=reply.SEALED,
    )
    sealed = (bodies[entry.mailbox, entry.id] for entry in entries)
    write_return(path, header, signers, acknowledged, (entries, sealed))
    said = lived.chain.admin("acknowledge", path)
    assert f"{deleted} deleted" in said, said
    return own, seed


def rebuilt(lived: Lived, folder: Path) -> bytes:
    """Return the file of another store with the same rows, put at once and in another order."""
    other, rows = lived.chain.beside(folder), lived.chain.site.store
    store = Rows(other.site.settings.url, other.site.settings.data)
    for period in rows.counts():
        store.add(sorted(rows.page(period, b"", 10**6)), period)
    with rows.transaction() as connection, store.transaction() as fresh:
        for row in connection.exec_driver_sql("SELECT * FROM replies"):
            fresh.exec_driver_sql("INSERT INTO replies VALUES (?, ?, ?)", tuple(row))
    other.admin("maintain")
    return other.database.read_bytes()


def pieces(sealed: bytes) -> list[bytes]:
    """Return bytes of which each tells this row from all others."""
    places = range(2000, len(sealed) - PIECE, max(1, len(sealed) // 6))
    return [sealed[at : at + PIECE] for at in places]
