"""A fault at each line that a letter, words or a file run: what it tells, and whether it lies.

Procedure of :func:`play`, at a site whose processes are all told where to fail:
1. Note the lines that one request of a kind runs, and how often each is run.
2. For each line let the first run of it fail, and the last one where there are more; with the words
   in the error's own message. Compare what the page says with the rows that are there.
3. Send the very same again, without a fault: it must be stored, and once.
"""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from intake import receipt
from intake.settings import ROOT
from tests.door import Door
from tests.leaks.canaries import BODIES, HEADS, Search
from tests.leaks.cases import answers, marks, urlencoded
from tests.leaks.chain import Answer, Chain, ask, post
from tests.spine import WAIT
from tests.table import record
from tests.upload_maker import KIND, body, file, first

PLANT = ROOT / "tests" / "leaks" / "fault"
ENDS = ("KeyboardInterrupt", "SystemExit", "GeneratorExit")  # these end a worker
WARM = 12  # requests, so that each worker has done once what it does once
HOW = "make leaks"
DISK = ("intake/store.py", "intake/files.py", "intake/days.py", "intake/server/")
DOUBT = "We cannot be sure that"
GIVEN = (400, 503)  # pages that give back what was typed
SLICES = 3  # rows of the file
# What a page says that does not know whether it is stored, to who sent one row or several.
UNKNOWN = {1: "Words are never stored twice.", SLICES: "A file may be."}


class Fault(NamedTuple):
    """Where, at the how-manieth run, and with which error."""

    at: str
    nth: int
    kind: str


class Sent(NamedTuple):
    """A request: its bytes, how many rows it makes, and what a page says of it that is stored."""

    raw: bytes
    rows: int
    said: str


@dataclass
class Seen:
    """What was seen of all faults; each list must be empty."""

    faults: Counter[str] = field(default_factory=Counter)  # by kind of request
    lines: set[str] = field(default_factory=set)
    missed: list[Fault] = field(default_factory=list)  # the line was not run this time
    leaks: list[tuple[Fault, str]] = field(default_factory=list)
    lies: list[tuple[Fault, str]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)


def letter() -> Sent:
    """Return a letter."""
    seed = secrets.token_hex(32)
    groups = receipt.groups(receipt.receipt(bytes.fromhex(seed)))
    said = f"<li>{groups[0]}</li>"
    return Sent(urlencoded("/en", {**answers(" ".join(marks())), "_seed": seed}), 1, said)


def words() -> Sent:
    """Return more words."""
    seed = secrets.token_bytes(32)
    fields = {"receipt": receipt.receipt(seed), "_seed": seed.hex(), "words": " ".join(marks())}
    return Sent(urlencoded("/en/words", fields), 1, "Your words are sealed and stored")


def upload() -> Sent:
    """Return a file of two slices."""
    own = marks()
    data = " ".join(own).encode() * 500
    raw = post("/en/file", KIND, body(first(), file(own[1], data[:40_000].ljust(40_000, b"x"))))
    return Sent(raw, SLICES, "Files that are sealed and stored: 1")


KINDS: dict[str, Callable[[], Sent]] = {"letter": letter, "file": upload, "words": words}


def play(
    chain: Chain,
    kinds: Iterable[str],
    choose: Callable[[Iterator[Fault], set[str]], Iterable[Fault]],
) -> Seen:
    """Let requests of these kinds fail where ``choose`` says, of all that could."""
    seen, folder = Seen(), chain.folder / "fault"
    folder.mkdir()
    more = {"INTAKE_FAULT": str(folder), "PYTHONPATH": str(PLANT)}
    with chain.served(more=more) as opened:
        for kind in kinds:
            make = KINDS[kind]
            for _ in range(WARM):
                assert ask(opened, make().raw).status == 200, "odd"
            for fault in choose(faults(run(folder, opened, make())), set(seen.lines)):
                seen.faults[kind] += 1
                seen.lines.add(fault.at)
                one(chain, opened, folder, fault, make(), seen)
    return seen


def run(folder: Path, opened: Door, sent: Sent) -> dict[str, int]:
    """Return how often each line is run by a request (1)."""
    (folder / "order").write_text("{}")
    assert ask(opened, sent.raw).status == 200, "odd"
    (folder / "order").unlink()
    lines: dict[str, int] = json.loads((folder / "lines").read_text("utf-8"))
    assert len(lines) > 100, "the lines are not seen"
    return lines


def faults(
    lines: dict[str, int], kinds: Iterable[str] = ("RuntimeError", "OSError")
) -> Iterator[Fault]:
    """Yield a fault at the first and the last run of each line, of each kind."""
    for at, times in lines.items():
        for nth in sorted({1, times}):
            yield from (Fault(at, nth, kind) for kind in kinds)


def every(of: Iterator[Fault], done: set[str]) -> Iterator[Fault]:
    """Choose each line of ours; a fault of the disk only where there is one, a template's once.

    A line that was ``done``, in a request of another kind, fails at its last run only.
    """
    found = [one for one in of if _chosen(one)]
    last = {one.at: one.nth for one in found}  # the later runs come later
    for one in found:
        if one.at not in done or (one.nth == last[one.at] and one.at.startswith("intake/")):
            yield one


def _chosen(fault: Fault) -> bool:
    if fault.kind == "OSError":
        return fault.at.startswith(DISK)
    return fault.nth == 1 or fault.at.startswith("intake/")


def some(kinds: Sequence[str], step: int) -> Callable[[Iterator[Fault], set[str]], Iterator[Fault]]:
    """Return what chooses each so manieth line, with one of these errors after the other."""

    def choose(of: Iterator[Fault], _: set[str]) -> Iterator[Fault]:
        errors = cycle(kinds)
        for fault in islice((one for one in of if one.kind == "RuntimeError"), 0, None, step):
            yield fault._replace(kind=next(errors))

    return choose


def check(seen: Seen, what: str) -> None:
    """Nothing was told that is not so, and nothing of what was typed but in the form."""
    counted = ", ".join(f"{kind} {count}" for kind, count in seen.faults.items())
    told = f"{counted} faults at {len(seen.lines)} lines"
    unknown = sum(n for said, n in seen.outcomes.items() if said.startswith(("500", "0,")))
    record(f"{what}: pages that lie", f"{len(seen.lies)} of {told}", HOW)
    record(f"{what}: pages that tell of the error, or words", f"{len(seen.leaks)} of the same", HOW)
    record(f"{what}: answers that only say: send again", f"{unknown}", HOW)
    assert not seen.leaks, f"leaks\n{seen.leaks[:5]}"
    assert not seen.lies, f"lies\n{seen.lies[:9]}"
    assert len(seen.missed) <= sum(seen.faults.values()) // 50, f"missed\n{seen.missed[:9]}"


def one(  # noqa: PLR0913, PLR0917 - a site, a fault, and what it is sent
    chain: Chain, opened: Door, folder: Path, fault: Fault, sent: Sent, seen: Seen
) -> None:
    """Let one request fail, and compare (2), then send it again (3)."""
    before = len(chain.ids())
    order = {**fault._asdict(), "text": " ".join(marks(HEADS))}
    (folder / "fired").unlink(missing_ok=True)
    (folder / "order").write_text(json.dumps(order), "utf-8")
    answer = ask(opened, sent.raw)
    (folder / "order").unlink()
    if not (folder / "fired").exists():
        seen.missed.append(fault)
    new = len(chain.ids()) - before
    seen.outcomes[f"{answer.status}, {'stored' if new else 'not stored'}"] += 1
    if lie := _lie(answer, sent, new):
        seen.lies.append((fault, lie))
    if leak := _leak(answer):
        seen.leaks.append((fault, leak))
    again = _again(opened, sent.raw)
    new = len(chain.ids()) - before
    if again.status != 200 or sent.said not in again.text:
        seen.lies.append((fault, f"sent again: {again.status}"))
    if new != sent.rows and (sent.rows == 1 or new != 2 * sent.rows):
        seen.lies.append((fault, f"sent again: {new} rows"))


def _again(opened: Door, raw: bytes) -> Answer:
    """Send it without a fault; a worker that ended may have to come first."""
    until = time.monotonic() + WAIT
    while not (answer := ask(opened, raw)).status and time.monotonic() < until:
        time.sleep(0.1)
    return answer


def _lie(answer: Answer, sent: Sent, new: int) -> str:
    """Return what is not so about the page, "" if all is."""
    stored, nothing = sent.said in answer.text, "othing was stored" in answer.text
    if new not in {0, sent.rows}:
        return f"{new} rows of {sent.rows}"
    if stored and (not new or nothing):
        return "says that it is stored"
    if nothing and new:
        return "says that nothing was stored"
    unsure = DOUBT in answer.text or UNKNOWN[sent.rows] in answer.text
    if answer.status and not (stored or nothing or unsure):
        return f"says neither: {answer.status}"
    return ""


def _leak(answer: Answer) -> str:
    """Return what a page tells of the error, or of words that it need not give back."""
    shown = answer.raw + b"\n" + answer.text.encode()
    cores = HEADS if answer.status in GIVEN else (*HEADS, *BODIES)
    return next((hit.core for hit in Search(cores).within(shown)), "")
