"""What is played at a traced site, what was odd about its answers, and what is looked for after.

Procedure of :func:`play`:
1. Start the site traced, and send every case.
2. Come back with a receipt: an answer that waits, words, a file, the wish to withdraw, a reply
   that is deleted; and with receipts that are none.
3. Send letters while the store is damaged, and while the site is closed.
4. Kill its processes as a defect would, so that a core is written where one can be.
5. Stop it, and read the trace.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from intake import receipt, reply
from intake.age.identity import Identity
from tests import door
from tests.door import Door
from tests.leaks import tracing
from tests.leaks.canaries import Hit, Search, of_receipt
from tests.leaks.cases import Case, answers, marks, urlencoded
from tests.leaks.chain import Answer, Chain, ask, post
from tests.leaks.tracing import Trace
from tests.site_maker import receipt_in, seed_in
from tests.spine import WAIT
from tests.test_uploads_served import spools, workers
from tests.upload_maker import DIGITS, KIND, body, file, first
from tests.way_back import answer as put_replies


@dataclass
class Played:
    """What was sent and seen: ``odd`` names answers that are not as they must be."""

    chain: Chain
    cases: int = 0
    sent: set[str] = field(default_factory=set)  # canaries that must be seen coming in
    cut: set[str] = field(default_factory=set)  # those whose line broke, so that nobody need read
    odd: list[str] = field(default_factory=list)
    echoes: list[str] = field(default_factory=list)
    secrets: list[bytes] = field(default_factory=list)
    trace: Trace = field(default_factory=lambda: Trace(b""))
    strays: list[str] = field(default_factory=list)  # files that came into the release
    cores: list[str] = field(default_factory=list)

    def take(self, case: Case, answer: Answer) -> None:
        """Note a case, and what is wrong with its answer."""
        self.cases += 1
        (self.cut if 0 in case.status else self.sent).update(case.marks)
        if answer.status not in case.status:
            self.odd.append(f"{case.name}: {answer.status}")
        if not case.told and list(Search().within(answer.raw + answer.text.encode())):
            self.echoes.append(case.name)

    def search(self) -> Search:
        """Return what must be nowhere."""
        return Search(secrets=[*self.secrets, *of_receipt(DIGITS)])

    def hits(self) -> list[tuple[str, Hit]]:
        """Return where words, or a secret of their source, were written to."""
        return list(self.trace.hits(self.search()))

    def left(self) -> Iterator[tuple[str, Hit]]:
        """Yield what lies in a file of the site, or in a value of its database."""
        search = self.search()
        paths = [path for path in self.chain.folder.rglob("*") if path.is_file()]
        for path in paths:
            for hit in search.within(str(path).encode() + b"\n" + path.read_bytes()):
                yield str(path), hit
        with self.chain.site.store.transaction() as connection:
            tables = connection.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
            for table in tables:
                for row in connection.exec_driver_sql(f"SELECT * FROM {table}"):  # noqa: S608
                    values = (v if isinstance(v, bytes) else str(v).encode() for v in row)
                    for hit in search.within(b"\n".join(values)):
                        yield f"a row of {table}", hit


def play(chain: Chain, traced: Path, cases: Iterable[Case], *, more: bool = True) -> Played:
    """Play ``cases`` and, if ``more``, all the rest; return what was seen."""
    played = Played(chain)
    release = set(chain.release.rglob("*"))
    with chain.served(*tracing.tracer(traced)) as opened:  # (1)
        for case in cases:
            played.take(case, send(opened, case))
        if more:
            for step in (come_back, damaged, closed):  # (2), (3)
                step(played, opened)
            settle(chain)
            crash(opened)  # (4)
            answer = ask(opened, urlencoded("/en", answers("")))
            played.take(Case("after the crash", (), ()), answer)
        settle(chain)
    for path in sorted(set(chain.release.rglob("*")) - release):
        (played.cores if path.name.startswith("core") else played.strays).append(str(path))
    played.trace = Trace.load(traced, opened.path)  # (5)
    return played


def send(opened: Door, case: Case) -> Answer:
    """Send a case's bytes, and end its line as it says."""
    if case.greeted and case.end in {"whole", "half"}:
        return ask(opened, *case.pieces, half=case.end == "half")
    greeting = door.line(os.getpid()) if case.greeted else b""
    if case.end == "half":
        return Answer.read(opened.ask(greeting, *case.pieces))
    with opened.connect(greeting, *case.pieces):
        if case.end == "both":
            time.sleep(0.05)  # so that some of it is read before the line is gone
    return Answer(0, "", b"")


def come_back(played: Played, opened: Door) -> None:
    """Write, come back, read, add, delete, withdraw; each with canaries."""
    site, seed = played.chain.site, secrets.token_hex(32)
    own = marks()

    def step(name: str, path: str, fields: object, *statuses: int, told: bool = False) -> Answer:
        case = Case(name, (urlencoded(path, fields),), own, statuses or (200,), told=told)
        answer = send(opened, case)
        played.take(case, answer)
        return answer

    letter = step("a letter, to come back to", "/en", {**answers(" ".join(own)), "_seed": seed})
    digits = receipt.receipt(bytes.fromhex(seed))
    if letter.status == 200 and receipt_in(letter.text) != digits:
        played.odd.append("the receipt of a seed")
    played.secrets += [*_secrets(played.chain, seed, digits)]
    put_replies(site, digits, f"{own[0]} {own[1]}", own[2])
    again = {"receipt": " ".join(receipt.groups(digits)), own[0]: own[1]}
    box = step("the mailbox", "/en/back", again, told=True)
    if box.status == 200:
        names = re.findall(r'name="delete" value="(\w+)"', box.text)
        if len(names) != 3 or own[2] not in box.text:
            played.odd.append("what waits in the mailbox")
        step("a reply is deleted", "/en/back", {**again, "delete": names[-1]}, told=True)
        more = {"receipt": digits, "_seed": seed_in(box.text)}
        step("words", "/en/words", {**more, "words": " ".join(own)})
        step(
            "words that are too long", "/en/words", {**more, "words": own[1] * 200}, 400, told=True
        )
        step("the wish to withdraw", "/en/withdraw", {**more, "sure": "yes", "x": own})
        step("not sure", "/en/withdraw", {**more, "sure": own}, 400)
        whole = post("/en/file", KIND, body(first(digits), file(own[1], own[2].encode())))
        case = Case("a file under the receipt", (whole,), own)
        played.take(case, send(opened, case))
    burmese = {"receipt": digits.translate({48 + n: 0x1040 + n for n in range(10)})}
    step("the mailbox, in Burmese digits", "/back", burmese, told=True)
    step("a receipt that is none", "/en/back", {"receipt": own[0]}, 400, told=True)
    wrong = receipt.receipt(secrets.token_bytes(32))
    step("a receipt that was never given", "/en/back", {"receipt": wrong, "delete": own[1]})


def _secrets(chain: Chain, seed: str, digits: str) -> Iterator[bytes]:
    """Yield what follows from a form's seed, and is only ever in memory or under a seal."""
    raw, deployment = bytes.fromhex(seed), chain.site.made.keyring.deployment
    own = receipt.reply_secret(deployment, digits)
    box = reply.mailbox(deployment, own)
    yield from (raw, receipt.nonce(raw), own, receipt.case_tag(own), box.seed)
    yield Identity.from_seed(box.seed).encode().encode()
    yield from of_receipt(digits)


def damaged(played: Played, opened: Door) -> None:
    """Send a letter, words and a file while the store's file is none of SQLite's."""
    path = played.chain.site.settings.data / "intake.db"
    kept = path.read_bytes()
    path.write_bytes(b"no database at all" * 1000)
    _troubled(played, opened, "the store is damaged")
    path.write_bytes(kept)


def closed(played: Played, opened: Door) -> None:
    """Send a letter, words and a file while no keyring is in force."""
    path = played.chain.site.settings.installed
    kept = path.read_bytes()
    path.unlink()
    _troubled(played, opened, "the site is closed")
    path.write_bytes(kept)
    path.chmod(0o600)


def _troubled(played: Played, opened: Door, why: str) -> None:
    own = marks()
    words = {"receipt": DIGITS, "_seed": secrets.token_hex(32), "words": " ".join(own)}
    upload = post("/en/file", KIND, body(first(), file(own[0], own[1].encode() * 30_000)))
    for name, raw, told in (
        ("a letter", urlencoded("/en", answers(" ".join(own))), True),
        ("words", urlencoded("/en/words", words), True),
        ("a file", upload, False),
    ):
        case = Case(f"{name} while {why}", (raw,), own, (503,), told=told)
        played.take(case, send(opened, case))


def settle(chain: Chain) -> None:
    """Return when the site has noticed every line that was cut."""
    until = time.monotonic() + WAIT
    while spools(chain.site.settings.data):
        assert time.monotonic() < until, "a spool is left"
        time.sleep(0.05)


def crash(opened: Door) -> None:
    """Kill every process below the server as a fault in memory does; return when others came."""
    old = workers()
    for pid in old:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSEGV)
    until = time.monotonic() + WAIT
    while set(workers()) & set(old) or len(workers()) < len(old):
        assert time.monotonic() < until, "no worker came after a crash"
        time.sleep(0.05)
    assert opened.process.poll() is None
