"""A thief with the server's database: what links a mailbox to an envelope, with a receipt or not.

Rules:
- Whatever could link the two is computed over pairs that belong together, and over pairs that do
  not; where both give the same, a thief learns nothing from it.
- Rank correlations are of n = 200: above 0.276 with probability 10^-4 if there is no link.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from intake import days, receipt, reply
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.errors import NoMatchingKey
from intake.reply import Reply
from intake.server import mailbox as reading
from intake.server.letterbox import Letterbox, Source
from tests.site_maker import ORIGIN, Site, make_site
from tests.way_back import answer, boxes, mailbox

COUNT = 200
NOISE = 0.276
WINDOW = 8  # bytes or letters; two windows are the same by chance once in 2^48
SEALED = re.compile(  # what is drawn or encrypted in an age file with one recipient
    rb"age-encryption\.org/v1\n-> mlkem768x25519 (\S+)\n(\S+)\n--- (\S+)\n(.*)", re.DOTALL
)

pytestmark = pytest.mark.slow
TEXT = "ဖြေကြားချက်"


class Stolen:
    """The database of a server with 200 letters, a notice for each, and the truth about it."""

    def __init__(self, site: Site) -> None:
        """Send letters one after the other; bring all notices with one return, sorted as it is."""
        letterbox = Letterbox(site.settings)
        today, notices = letterbox.today(), []
        self.digits, self.rows, self.sealed = [], [], []
        for _ in range(COUNT):
            seed = receipt.new_seed()
            source = Source(receipt.nonce(seed), receipt.receipt(seed), "my")
            row, sealed = letterbox.row(today, source, "testimony", {"answers": {}})
            letterbox.store.add([(row, sealed)], today.period)
            box = mailbox(site, source.digits)
            to = Identity.from_seed(box.seed).recipient()
            notice = reply.seal(Reply(reply.NOTICE, days.clock()), to)
            notices.append((box.id, box.notice, notice))
            self.digits.append(source.digits)
            self.rows.append(row)
            self.sealed.append(sealed)
        boxes(site).put(sorted(notices))
        self.notices = notices
        self.file = (site.settings.data / "intake.db").read_bytes()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that is open."""
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def stolen(site: Site) -> Stolen:
    """What a thief took, and the truth."""
    return Stolen(site)


def correlation(left: Sequence[Any], right: Sequence[Any]) -> float:
    """Return Spearman's rank correlation; no value stands twice in a list."""
    ranks = [{value: place for place, value in enumerate(sorted(side))} for side in (left, right)]
    pairs = zip(left, right, strict=True)
    apart = sum((ranks[0][a] - ranks[1][b]) ** 2 for a, b in pairs)
    return 1 - 6 * apart / (COUNT * (COUNT**2 - 1))


def windows(*names: bytes, sealed: bytes) -> set[bytes]:
    """Return all windows of names, and of what is no fixed text in a sealed file."""
    found = SEALED.fullmatch(sealed)
    assert found
    pieces = (*names, *found.groups())
    return {one[at : at + WINDOW] for one in pieces for at in range(len(one) - WINDOW + 1)}


def test_without_a_receipt_nothing_links_a_mailbox_to_an_envelope(
    stolen: Stolen, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither order nor place nor bytes (6)."""
    arrived = list(range(COUNT))
    envelope: dict[str, Sequence[Any]] = {
        "arrival": arrived,
        "id": stolen.rows,
        "place": [stolen.file.index(sealed[3000:3040]) for sealed in stolen.sealed],
    }
    box: dict[str, Sequence[Any]] = {
        "mailbox": [mailbox for mailbox, _, _ in stolen.notices],
        "id": [name for _, name, _ in stolen.notices],
        "place": [stolen.file.index(sealed[3000:3040]) for _, _, sealed in stolen.notices],
    }
    found = {(a, b): correlation(envelope[a], box[b]) for a in envelope for b in box}
    worst = max(found.values(), key=abs)
    with capsys.disabled():
        print(f"\n  envelope and mailbox: worst of {len(found)} correlations {worst:+.3f}")  # noqa: T201
    assert all(abs(value) < NOISE for value in found.values()), found
    # The measure is not blind: what does show the order of arrival is the file itself.
    assert correlation(arrived, envelope["place"]) > 0.9


def test_without_a_receipt_no_byte_is_shared(stolen: Stolen) -> None:
    pairs = zip(stolen.rows, stolen.sealed, strict=True)
    mine = [windows(row, sealed=sealed) for row, sealed in pairs]
    theirs = [windows(box, name, sealed=sealed) for box, name, sealed in stolen.notices]
    shared = [bool(a & b) for a, b in zip(mine, theirs, strict=True)]
    other = theirs[1:] + theirs[:1]
    apart = [bool(a & b) for a, b in zip(mine, other, strict=True)]
    assert (sum(shared), sum(apart)) == (0, 0)
    assert mine[0] & windows(stolen.rows[0], sealed=stolen.notices[0][2])  # it is not blind


def test_with_a_receipt_a_thief_learns_its_mailbox_and_no_envelope(
    site: Site, stolen: Stolen
) -> None:
    """Exactly what docs/THREATS.md says: replies, that one is shut, and nothing else."""
    number = random.Random(7).randrange(COUNT)
    digits = stolen.digits[number]
    box = mailbox(site, digits)
    key = Identity.from_seed(box.seed)
    _, first, second = answer(site, digits, TEXT, "နောက်တစ်ခု")
    reading.visit(boxes(site), site.made.keyring.deployment, digits, drop=second)
    waiting = dict(boxes(site).waiting(box.id))
    opened: dict[bytes, Reply | None] = {}
    for name, sealed in waiting.items():
        try:
            opened[name] = reading.parse(unseal(sealed, [key]))
        except NoMatchingKey:
            opened[name] = None
    # The replies, in the clear; that something else is or was there, and not what.
    assert opened == {
        box.notice: Reply(reply.NOTICE, days.clock()),
        first: Reply(reply.REPLY, days.clock(), 1, TEXT),
        second: None,
    }
    # No other mailbox, and no envelope, their own one among them.
    others = [sealed for where, _, sealed in stolen.notices if where != box.id]
    assert len(others) == COUNT - 1
    for sealed in (*others, *stolen.sealed):
        with pytest.raises(NoMatchingKey):
            unseal(sealed, [key])
    # Nor which envelope is theirs: what a receipt gives stands in no row.
    secret = receipt.reply_secret(site.made.keyring.deployment, digits)
    known = (secret, receipt.case_tag(secret), box.id, box.notice, box.seed, digits.encode())
    for row, sealed in zip(stolen.rows, stolen.sealed, strict=True):
        assert not any(piece[:8] in row + sealed for piece in known)


def test_places_of_the_site_say_nothing(site: Site, stolen: Stolen) -> None:
    """What the slow step leaves beside the database: empty files, made once."""
    assert stolen.file
    browser = site.client()
    for digits in stolen.digits[:2]:
        sent = {"receipt": digits}
        assert browser.post("/back", data=sent, headers=ORIGIN).status_code == 200
    found: list[Path] = sorted(site.settings.data.glob("place-*"))
    assert found
    assert all(path.stat().st_size == 0 for path in found)
