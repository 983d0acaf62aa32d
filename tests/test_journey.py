"""A conversation from its first word to its last: real processes, a real socket, three folders.

A source writes, comes back, reads, adds, deletes, withdraws; reviewers read, answer, and let go.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import secrets
import socket
import sqlite3
import time
from hashlib import sha256
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from intake.settings import ROOT
from tests.spine import WAIT, Machines, install, serve, set_up

ACCOUNT = "တပ်ရင်းက ရွာထဲကို ပစ်ဖို့ အမိန့်ပေးတယ်။ 😔"
REPLY = "ကျေးဇူးတင်ပါတယ်။ သင်တန်း အပတ်စဉ် ဘယ်လောက်လဲ။"
WORDS = "အပတ်စဉ် ၅၄ ပါ။"
NAME = "ဓာတ်ပုံ ၁.jpg"
SIZE = 20 << 20

pytestmark = pytest.mark.slow


class Source:
    """A browser without JavaScript at the site of a server."""

    def __init__(self, address: str) -> None:
        """Come to ``address``."""
        self.address = address

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "") -> tuple[int, str]:
        """Ask for a page; return status and text."""
        headers = {"Origin": f"http://{self.address}", "Content-Type": kind}
        with contextlib.closing(HTTPConnection(self.address, timeout=WAIT)) as connection:
            connection.request(method, path, body, headers if method == "POST" else {})
            answer = connection.getresponse()
            return answer.status, unescape(gzip.decompress(answer.read()).decode())

    def post(self, path: str, **fields: str) -> str:
        """Send a form; return the page."""
        kind = "application/x-www-form-urlencoded"
        status, page = self.ask("POST", path, urlencode(fields).encode(), kind)
        assert status == 200, page
        return page

    def form(self) -> dict[str, str]:
        """Return a form that is filled in."""
        _, page = self.ask("GET", "/en")
        seed = re.findall(r'name="_seed" value="(\w+)"', page)[0]
        return {
            "_seed": seed,
            "consent_store": "yes",
            "intent": "certify",
            "urgency": "skip",
            "force": "army",
            "account": ACCOUNT,
        }

    def lose(self, path: str, **fields: str) -> None:
        """Send a form, and hang up before the answer comes."""
        host, port = self.address.split(":")
        body = urlencode(fields)
        with socket.create_connection((host, int(port)), WAIT) as line:
            head = f"POST {path} HTTP/1.1\r\nHost: {self.address}\r\nOrigin: http://{self.address}"
            head += "\r\nContent-Type: application/x-www-form-urlencoded"
            line.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def file(self, digits: str, name: str, data: bytes) -> str:
        """Send a file under a receipt; return the page."""
        mark = b"--" + secrets.token_hex(16).encode()
        part = b'\r\nContent-Disposition: form-data; name="'
        body = mark + part + b'receipt"\r\n\r\n' + digits.encode() + b"\r\n" + mark + part
        body += b'file"; filename="' + name.encode() + b'"\r\nContent-Type: image/jpeg\r\n\r\n'
        body += data + b"\r\n" + mark + b"--\r\n"
        kind = f"multipart/form-data; boundary={mark[2:].decode()}"
        status, page = self.ask("POST", "/en/file", body, kind)
        assert status == 200, page
        return page


def receipt_on(page: str) -> str:
    """Return the digits of a receipt page."""
    return "".join(re.findall(r"<li>(\d{4})</li>", page))


def count(machines: Machines) -> int:
    """Return how many rows wait on the server."""
    with contextlib.closing(sqlite3.connect(machines["server"] / "data" / "intake.db")) as db:
        found: tuple[int] = db.execute("SELECT count(*) FROM envelopes").fetchone()
    return found[0]


class Reviewers:
    """The desk, and the stick between it and the server."""

    def __init__(self, machines: Machines) -> None:
        """Sit down."""
        self.machines, self.desk = machines, machines["desk"]
        self.book = ("--casebook", self.desk / "casebook")
        self.bundles = self.returns = 0

    def say(self, tool: str, *arguments: str | Path, code: int = 0) -> str:
        """Run a command; return what it said."""
        done = self.machines.run(tool, *arguments)
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def keys(self, *names: str) -> tuple[str | Path, ...]:
        """Return the arguments that say who is there."""
        return tuple(x for name in names for x in ("--reviewer", self.desk / "keys" / name))

    def bring(self) -> str:
        """Carry the next bundle to the desk, and import it by quorum."""
        folder = self.machines["stick"] / f"{self.bundles}"
        folder.mkdir()
        self.say("admin", "export", folder)
        self.bundles += 1
        (bundle,) = folder.glob("*.bundle")
        package = ("--package", self.desk / "package", *self.keys("alice", "bob"))
        return self.say("desk", "import", bundle, *self.book, *package)

    def cases(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the cases that a reviewer exports, by number."""
        array = json.loads(self.say("desk", "export", *self.book, *self.keys(name)))
        return {case["case"][:8]: case for case in array}

    def copy(self) -> None:
        """Bring the second copy up to date."""
        self.say("desk", "copy", *self.book, "--to", self.desk / "copy")

    def send_back(self, *signers: str) -> str:
        """Acknowledge, answer, and carry the return to the server."""
        self.returns += 1
        self.copy()
        back = self.machines["stick"] / f"{self.returns}.return"
        where = ("--second-copy", self.desk / "copy", "--out", back, "--yes")
        said = self.say("desk", "acknowledge", *self.book, *where, *self.keys(*signers))
        return said + self.say("admin", "acknowledge", back)


@pytest.fixture
def machines(tmp_path: Path) -> Machines:
    """Three machines, with a keyring in force."""
    made = set_up(ROOT, tmp_path)
    install(made)
    return made


def test_an_answer_that_was_lost_costs_nothing(machines: Machines) -> None:
    """Sent again to either worker and after a restart: one testimony, and the same receipt."""
    with serve(ROOT, machines.environment) as address:
        source = Source(address)
        form = source.form()
        source.lose("/en", **form)
        until = time.monotonic() + WAIT
        while not count(machines) and time.monotonic() < until:
            time.sleep(0.05)
        assert count(machines) == 1
        seen = {receipt_on(source.post("/en", **form)) for _ in range(12)}
    with serve(ROOT, machines.environment) as address:
        seen |= {receipt_on(Source(address).post("/en", **form)) for _ in range(4)}
        assert len(seen) == 1
        assert count(machines) == 1
        (digits,) = seen
        added = {"receipt": digits, "_seed": form["_seed"], "words": WORDS}
        for _ in range(4):
            Source(address).lose("/en/words", **added)
            Source(address).post("/en/words", **added)
        assert count(machines) == 2


def test_a_conversation(machines: Machines, tmp_path: Path) -> None:
    """Letter, notice and reply, more words, a file, a deletion; withdrawn, also by an old copy."""
    desk = Reviewers(machines)
    with serve(ROOT, machines.environment) as address:
        source = Source(address)
        digits = receipt_on(source.post("/en", **source.form()))
        assert "Nothing waits here" in source.post("/en/back", receipt=digits)
        number, people = answer(desk, tmp_path)
        read_delete_and_add(source, digits, data := secrets.token_bytes(SIZE))
        find_all_of_it(desk, number, people, data, tmp_path)
        assert REPLY not in source.post("/en/back", receipt=digits)
        old = tmp_path / "old"
        desk.say("desk", "copy", *desk.book, "--to", old)
        source.post("/en/withdraw", receipt=digits, _seed=secrets.token_hex(32), sure="yes")
        withdraw(desk, number, people, old)


def answer(desk: Reviewers, folder: Path) -> tuple[str, list[str]]:
    """Read the letter, answer, let the server forget; return the case's number and people."""
    assert "1 opened" in desk.bring()
    found = desk.cases("alice") | desk.cases("bob")
    ((number, case),) = found.items()
    people = [str(name) for name in case["assigned"]]
    text = folder / "reply.txt"
    text.write_text(REPLY, encoding="utf-8")
    desk.say("desk", "reply", number, "--text", text, *desk.book, *desk.keys(people[0]))
    said = desk.send_back(*people)
    assert "1 deleted" in said
    assert "2 replies put into mailboxes" in said
    assert count(desk.machines) == 0
    return number, people


def read_delete_and_add(source: Source, digits: str, data: bytes) -> None:
    """Come back, read notice and reply, delete the reply; add words and a file."""
    mailbox = source.post("/en/back", receipt=digits)
    assert "people have opened it" in mailbox
    assert REPLY in mailbox
    names = re.findall(r'name="delete" value="(\w+)"', mailbox)
    left = source.post("/en/back", receipt=digits, delete=names[1])
    assert REPLY not in left
    assert "people have opened it" in left
    seed = re.findall(r'name="_seed" value="(\w+)"', left)[0]
    source.post("/en/words", receipt=digits, _seed=seed, words=WORDS)
    assert "stored: 1" in source.file(digits, NAME, data)


def find_all_of_it(
    desk: Reviewers, number: str, people: list[str], data: bytes, folder: Path
) -> None:
    """All of it is in one case at the desk, to the byte, and the server may forget it."""
    desk.bring()
    case, found = (number, *desk.book, *desk.keys(people[0])), desk.cases(people[0])
    assert list(found) == [number]
    assert WORDS in json.dumps(found[number], ensure_ascii=False)
    out = folder / "files"
    out.mkdir()
    assert NAME in desk.say("desk", "files", *case, "--out", out)
    (file,) = out.iterdir()
    assert sha256(file.read_bytes()).digest() == sha256(data).digest()
    read = desk.say("desk", "read", *case)
    places = [read.index(text) for text in (ACCOUNT[:10], REPLY[:10], WORDS)]
    assert places == sorted(places)  # all of one day; what came with one bundle is in no order
    assert read.index(NAME) > places[1]
    desk.send_back(*people)
    assert count(desk.machines) == 0


def withdraw(desk: Reviewers, number: str, people: list[str], old: Path) -> None:
    """The wish arrives: hidden at once, emptied when two said so, and no old copy undoes it."""
    desk.bring()
    assert desk.cases(people[0])[number]["withdrawn"] is True
    said = ""
    for name in people:
        said = desk.say("desk", "withdraw", number, *desk.book, *desk.keys(name), "--yes")
    assert "Its words are gone." in said
    desk.say("desk", "merge", "--from", old, *desk.book, *desk.keys(people[1]))
    after = desk.cases(people[1])[number]
    assert (after["withdrawn"], after["envelopes"]) == (True, [])
    blobs = [path for path in (desk.desk / "casebook" / "blobs").rglob("*") if path.is_file()]
    assert blobs
    assert not any(path.stat().st_size for path in blobs)
    desk.say("desk", "read", number, *desk.book, *desk.keys(people[0]), code=2)
