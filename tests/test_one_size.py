"""Every answer has one length on the wire: a crawler over a real server and real sockets.

Rules:
- What there is to ask for comes from the app: a route of a kind that has no states here fails.
- Each state says which status it is, so that a state that is not reached fails, too.
- HEAD has no body (RFC 9110, 9.3.2); its head is as long as any other.
"""

from __future__ import annotations

import gzip
import random
import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from deploy.door.answers import HEAD, Answer, refusal
from deploy.population import people
from deploy.zawgyi import zawgyi
from intake import about, days, receipt
from intake.form import Form
from intake.reply import REPLY, TEXT, Reply
from intake.server import returns
from intake.server.answers import SIZE
from intake.settings import FORM, ROOT
from intake.wording import OFFERED, ZAWGYI, Wording
from intake.zawgyi import to_zawgyi
from tests.site_maker import LEAST, Site, make_site, receipt_in
from tests.spine import WAIT, serve
from tests.upload_maker import KIND as MULTIPART
from tests.upload_maker import body as parts
from tests.upload_maker import file, first
from tests.way_back import answer as put_replies

URLENCODED = "application/x-www-form-urlencoded"
REQUEST = 3  # seconds that troubled_site gives one
METHODS = ("OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "BREW", "GET", "POST")
SEED = "5" * 64
WRONG = "1" * 24
ELSEWHERE = f"http://{'a' * 56}.onion"
RARE = 0x20000, 0x2A6D0  # Chinese letters of four bytes
DRAWN = random.Random(8)  # what is hard to compress, not a secret


class Page(NamedTuple):
    """An answer: its status, and its text."""

    status: int
    text: str


def measured(raw: bytes, *, empty: bool = False) -> Page:
    """Return the page of an answer. Fails unless it has the one length, head and body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    assert (len(head) + 4, len(body)) == (HEAD, 0 if empty else SIZE), head
    assert b"\r\nContent-Encoding: gzip\r\n" in head
    assert b"\r\nContent-Length: %d\r\n" % SIZE in head
    text = "" if empty else gzip.decompress(body).decode()
    assert empty or text.startswith("<!doctype html>")
    return Page(int(head.split()[1]), text)


def exchange(address: str, *pieces: bytes, half: bool = False) -> bytes:
    """Send these bytes on a new connection; return all that comes back."""
    host, port = address.split(":")
    found = b""
    with socket.create_connection((host, int(port)), WAIT) as line:
        with suppress(OSError):  # it may have answered and closed before all was sent
            for piece in pieces:
                line.sendall(piece)
            if half:
                line.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while piece := line.recv(1 << 16):
                found += piece
    return found


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody at a served site, in one language."""

    site: Site
    address: str
    language: str

    @property
    def start(self) -> str:
        """Return what the paths of the language begin with."""
        return "" if self.language == OFFERED[0] else f"/{self.language}"

    def head(self, method: str, path: str, kind: str = "", length: int = 0, **more: str) -> bytes:
        """Return the head of a request, from our own page unless ``Origin`` says otherwise."""
        own = {"Host": self.address, "Origin": f"http://{self.address}", "Connection": "close"}
        own |= {"Content-Type": kind, "Content-Length": str(length)} if kind else {}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (own | more).items())
        return f"{method} {self.start}{path} HTTP/1.1\r\n{lines}\r\n".encode()

    def ask(self, method: str, path: str, **more: str) -> Page:
        """Ask without a body."""
        raw = exchange(
            self.address, self.head(method, path or "/" * (not self.start), "", 0, **more)
        )
        return measured(raw, empty=method == "HEAD")

    def post(
        self, path: str, fields: Mapping[str, Any] | bytes, kind: str = "", **more: str
    ) -> Page:
        """Send a form."""
        body = fields if isinstance(fields, bytes) else urlencode(fields, doseq=True).encode()
        path = path or "/" * (not self.start)
        head = self.head("POST", path, kind or URLENCODED, len(body), **more)
        return measured(exchange(self.address, head, body))

    def letter(self) -> str:
        """Send a letter; return its receipt."""
        page = self.post("", {**LEAST, "_seed": secrets.token_hex(32)})
        return receipt_in(page.text)


# What a visitor can do, and the status that it must come to. A state does it, and yields each page.
State = Callable[[Source], Iterable[Page]]


def sends(path: str, fields: Mapping[str, Any], **more: str) -> State:
    """Return the state of a form with these fields; a receipt is made where None stands."""

    def state(source: Source) -> Iterator[Page]:
        known = {k: v if v is not None else receipt.receipt(bytes(32)) for k, v in fields.items()}
        yield source.post(path, known, **more)

    return state


def raw(path: str, body: bytes, kind: str = URLENCODED, *, half: bool = False) -> State:
    """Return the state of a body as it is; of one that ends half-way, if ``half``."""

    def state(source: Source) -> Iterator[Page]:
        path_ = path or "/" * (not source.start)
        head = source.head("POST", path_, kind, len(body) + (1000 if half else 0))
        yield measured(exchange(source.address, head, body, half=half))

    return state


def gets(path: str) -> State:
    """Return the state of a page that is looked at."""
    return lambda source: [source.ask("GET", path), source.ask("HEAD", path)]


def refused(path: str) -> dict[str, tuple[int, State]]:
    """Return what no page of ours sends to a form."""
    return {
        "foreign": (403, sends(path, LEAST, Origin=ELSEWHERE)),
        "proxied": (421, sends(path, LEAST, Via="1.1 x")),
        "type": (415, raw(path, b"{}", "application/json")),
        "broken": (400, raw(path, b"a=%ff")),
        "fillers": (400, raw(path, b"_fill=o&_fill=o")),
        "half": (400, raw(path, b"account=x", half=True)),
        "large": (413, raw(path, b"account=" + b"x" * 300_000)),
    }


def form(**fields: Any) -> State:  # noqa: ANN401 - text, or a list of it
    """Return the state of a testimony of the fewest answers, and these."""
    return sends("", {"_seed": SEED, **LEAST, **fields})


def mailbox(source: Source, *texts: str) -> str:
    """Send a letter, and answer it; return its receipt."""
    digits = source.letter()
    put_replies(source.site, digits, *texts)
    return digits


def visits(*texts: str, places: int = 1) -> State:
    """Return the state of a mailbox with a note and these answers, on each of its pages."""

    def state(source: Source) -> Iterator[Page]:
        digits = mailbox(source, *texts)
        seen = ""
        for place in range(places):
            page = source.post("/back", {"receipt": digits, "to": str(place)})
            seen += page.text
            yield page
            (name, *_) = re.findall(r'name="delete" value="(\w+)"', page.text)
        yield source.post("/back", {"receipt": digits, "delete": name, "place": str(places - 1)})
        spell = to_zawgyi if source.language == ZAWGYI else str
        assert all(spell(text) in seen for text in texts)

    return state


def unanswered(source: Source) -> Iterator[Page]:
    """A receipt without answers, one that nobody has, and one that was withdrawn: one page."""
    digits = source.letter()
    yield source.post("/back", {"receipt": digits})
    yield source.post("/back", {"receipt": receipt.receipt(secrets.token_bytes(32))})
    yield source.post("/withdraw", {"receipt": digits, "_seed": SEED, "sure": "yes"})
    yield source.post("/back", {"receipt": digits})


def longest() -> list[str]:
    """Return answers of the greatest length, which do not compress; more than one page holds."""
    day, made = days.clock(), []
    for number in range(2 * returns.MOST):
        block = [RARE, (0x1000, 0x10A0), (0x1F300, 0x1F650)][number % 3]
        text = "".join(chr(DRAWN.randrange(*block)) for _ in range(TEXT))
        Reply(REPLY, day, number + 1, text).plaintext()  # it fits
        made.append(text)
    return made


def files(*names: str, size: int = 100, digits: str | None = None) -> State:
    """Return the state of an upload of files."""
    listed = [file(name, bytes(size)) for name in names]
    data = parts(first(digits) if digits else first(), *listed)
    return raw("/file", data, MULTIPART)


def accounts(length: int) -> str:
    """Return so many letters of what made-up people write."""
    texts = (str(one.answers.get("account", "")) for one in people(seed=8, count=120))
    return "".join(texts)[:length]


def wrong(write: Callable[[int], str]) -> dict[str, Any]:
    """Return all that must come back on an error: each text at 1.25 times its limit."""
    fields: dict[str, Any] = {"_seed": SEED}
    for item in Form.load(FORM).questions():
        answer: Any = item.codes() if item.kind == "many" else "?"
        fields |= dict.fromkeys(
            item.names(), write(item.limit * 5 // 4) if item.kind == "text" else answer
        )
    return fields


BACK = {"receipt": None, "_seed": SEED}
STATES: dict[str, dict[str, tuple[int, State]]] = {
    "GET ": {"fresh": (200, gets(""))},
    "POST ": {
        **refused(""),
        "stored": (200, form(account="သက်သေ")),
        "needed": (400, form(force="")),
        "no consent": (400, form(consent_store="")),
        "no choice": (400, form(force="?")),
        "twice": (400, form(force=["army", "police"])),
        "long": (400, form(account="သ" * 2500, vet_hint="😀" * 375)),
        "no number": (400, form(unit_no="x")),
        "half a date": (400, form(**{"left-year": "2021"})),
        "no such day": (
            400,
            form(**{"left-year": "2021", "left-month": "2", "left-day": "30"}),
        ),
        "not yet": (
            400,
            form(**{"left-year": str(days.clock().year + 1), "left-month": "12"}),
        ),
        "greatest": (400, sends("", wrong(accounts))),
        "greatest, Zawgyi": (400, sends("", wrong(lambda length: zawgyi(accounts(length))))),
        "unknown": (400, form(surprise="x")),
        "stale": (400, sends("", {**LEAST, "_seed": "5", "account": "သက်သေ"})),
    },
    "GET /back": {"fresh": (200, gets("/back"))},
    "POST /back": {
        **refused("/back"),
        "none": (400, sends("/back", {})),
        "wrong": (400, sends("/back", {"receipt": WRONG})),
        "long": (400, sends("/back", {"receipt": "၁" * 6000})),
        "unanswered": (200, unanswered),
        "one": (200, visits()),
        "two": (200, visits("သက်သေ")),
        "many": (200, visits(*longest(), places=3)),
    },
    "POST /words": {
        **refused("/words"),
        "stored": (200, sends("/words", {**BACK, "words": "သက်သေ"})),
        "empty": (400, sends("/words", {**BACK, "words": " "})),
        "long": (400, sends("/words", {**BACK, "words": "သက်သေ😀" * 1000})),
        "greatest": (400, sends("/words", {"words": accounts(returns.LONGEST * 5 // 4)})),
        "damaged": (400, sends("/words", {**BACK, "_seed": "5", "words": "သက်သေ"})),
        "receipt": (400, sends("/words", {**BACK, "receipt": WRONG, "words": "သက်သေ"})),
    },
    "POST /withdraw": {
        **refused("/withdraw"),
        "stored": (200, sends("/withdraw", {**BACK, "sure": "yes"})),
        "unsure": (400, sends("/withdraw", BACK)),
        "damaged": (400, sends("/withdraw", {**BACK, "_seed": "5", "sure": "yes"})),
        "receipt": (400, sends("/withdraw", {**BACK, "receipt": WRONG, "sure": "yes"})),
    },
    "POST /file": {
        "foreign": (403, sends("/file", {}, Origin=ELSEWHERE)),
        "type": (415, sends("/file", {})),
        "stored": (200, files("သက်သေ.jpg")),
        "two": (200, files("a", "b")),
        "none": (400, files("", size=0)),
        "many": (400, files("a", "b", "c")),
        "large": (400, files("a", size=(1 << 20) + 1)),
        "receipt": (400, files("a", digits=WRONG)),
        "half": (400, raw("/file", parts(first())[:-10], MULTIPART, half=True)),
        "rest half": (
            400,
            raw(
                "/file",
                parts(first(), file("a", b"a"), file("b", b"b"))[:-80],
                MULTIPART,
                half=True,
            ),
        ),
    },
    "GET /key": {"fresh": (200, gets("/key"))},
    "GET /exit": {"fresh": (200, gets("/exit"))},
}
NOWHERE = ("/nowhere", "/back/", "/words", "/%ff", "/back/x?y=z")
BELOW = {
    "chunks": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "no request": b"canary\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03canary\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/3.0": b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
    "small letters": b"get / HTTP/1.1\r\nHost: x\r\n\r\n",
    "long address": b"GET /" + b"canary" * 1000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"X-Canary: x\r\n" * 200 + b"\r\n",
    "long header": b"GET / HTTP/1.1\r\nX: " + b"canary" * 1000 + b"\r\n\r\n",
    "bad header": b"GET / HTTP/1.1\r\nHost : canary\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "no length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: canary\r\n\r\n",
    "expects": b"GET / HTTP/1.1\r\nHost: x\r\nExpect: canary\r\n\r\n",
}


def environment(site: Site, **more: str) -> dict[str, str]:
    """Return what a server is started with: few and small files, and a group that says much."""
    path = site.settings.data.parent / "about.toml"
    words = {name: accounts(most).replace("\n", " ") for name, most in about.LIMITS.items()}
    texts = [
        f'[{name}]\nmy = "{text}"\nmy-Qaag = "{zawgyi(text)}"\n' for name, text in words.items()
    ]
    path.write_text("".join(texts), encoding="utf-8")
    own = {"INTAKE_ABOUT": str(path)}
    own |= {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    return {"PATH": "/usr/bin:/bin", "INTAKE_FILES": "2", "INTAKE_FILE_MB": "1", **own, **more}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Source]]:
    """A served site, and somebody at it in each language."""
    site = make_site(tmp_path_factory.mktemp("site"))
    with serve(ROOT, environment(site)) as address:
        yield [Source(site, address, language) for language in OFFERED]


def kinds(site: Site) -> dict[str, set[str]]:
    """Return method and path of each route without its language -> the languages it has."""
    found: dict[str, set[str]] = {}
    for rule in site.client().application.url_map.iter_rules():
        language = next((x for x in OFFERED if f"{rule.rule}/".startswith(f"/{x}/")), OFFERED[0])
        path = rule.rule.removeprefix(f"/{language}").removesuffix("/")
        for method in (rule.methods or set()) - {"HEAD"}:
            found.setdefault(f"{method} {path}", set()).add(language)
    return found


def test_every_route_has_its_states_here(tmp_path: Path) -> None:
    found = kinds(make_site(tmp_path))
    assert found.keys() == STATES.keys()
    assert set(map(frozenset, found.values())) == {frozenset(OFFERED)}


LONG_WAY = {"unanswered", "one", "two"}  # each receipt costs a tenth of a second, on both sides


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        pytest.param(kind, state, marks=[pytest.mark.slow] * (state in LONG_WAY))
        for kind, states in STATES.items()
        for state in states
    ],
)
@pytest.mark.usefixtures("slow_step")  # the server's is as it is
def test_a_state(sources: list[Source], kind: str, state: str) -> None:
    """In every language: the status, the language, and the one length."""
    status, visit = STATES[kind][state]
    for source in sources:
        found = list(visit(source))
        assert {page.status for page in found} == {status}
        assert {f'<html lang="{source.language}">' in page.text for page in found if page.text} == {
            True
        }


@pytest.mark.parametrize("method", METHODS)
def test_a_method(sources: list[Source], method: str) -> None:
    """Every route by every method, and what is no route."""
    for source in sources:
        found = {path: source.ask(method, path).status for path in NOWHERE if path != "/words"}
        assert set(found.values()) == {404}
        for path in {kind.split()[-1] if "/" in kind else "" for kind in STATES}:
            known = f"{method} {path}" in STATES
            status = source.ask(method, path).status
            assert status in ({200, 403, 415} if known else {405}), path


@pytest.mark.parametrize("line", [{"Via": "1.1 x"}, {"Host": "x.onion.ws"}])
def test_through_a_proxy_that_strips_tor(sources: list[Source], line: dict[str, str]) -> None:
    for source in sources:
        for kind in STATES:
            method, _, path = kind.partition(" ")
            assert source.ask(method, path, **line).status == 421


def test_nowhere(sources: list[Source]) -> None:
    for source in sources:
        for path in NOWHERE:
            assert source.ask("GET", path).status in {404, 405}
            assert source.ask("HEAD", path).status in {404, 405}


@pytest.mark.parametrize("what", BELOW)
def test_a_layer_below(sources: list[Source], what: str) -> None:
    """One constant page, in the catalogue's sentences, in every language; nothing is echoed."""
    sentence = "Your browser sent something that cannot be read here. Nothing was stored."
    found = [exchange(sources[0].address, BELOW[what]) for _ in range(2)]
    page = measured(found[0])
    assert found[0] == found[1]
    assert page.status == 400
    assert "canary" not in page.text.lower()
    for language in OFFERED:
        assert f'<div class="box" lang="{language}">' in page.text
        assert Wording.load(language, FORM).text(sentence) in page.text


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET http://canary?canary HTTP/1.1", 200),
        ("GET /en//back?receipt=canary HTTP/1.1", 404),
        ("GET /en HTTP/1.0", 200),
        ("GET /en HTTP/1.2", 200),
        ("GET /en HTTP/1.1\r\nExpect: 100-continue", 200),
    ],
)
def test_what_a_library_would_answer_with_words_of_the_request(
    sources: list[Source], line: str, status: int
) -> None:
    """No address is mended by a redirect, no version given back, and no body asked for."""
    address = sources[0].address
    found = exchange(address, f"{line}\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    assert measured(found).status == status
    assert found.startswith(b"HTTP/1.1 ")
    assert b"canary" not in found


@pytest.mark.parametrize("status", [400, 403, 404, 405, 408, 413, 429, 500, 502, 503, 504])
def test_a_page_for_what_stands_in_front(tmp_path: Path, status: int) -> None:
    """Whole, head and body, for whoever refuses a request before the app sees it."""
    app = make_site(tmp_path).client().application
    page = measured(refusal(app, status))
    assert page.status == status
    assert all(f'<div class="box" lang="{language}">' in page.text for language in OFFERED)


@pytest.mark.parametrize(
    ("method", "headers", "sent"),
    [
        ("GET", [("Content-Length", "5")], [HEAD + 5]),
        ("GET", [("Content-Length", "0")], [HEAD]),
        ("HEAD", [("Content-Length", "5")], [HEAD]),
        ("GET", [("X-Long", "x" * HEAD), ("Content-Length", "5")], [2 * HEAD + 5]),
    ],
)
def test_head_and_body_leave_in_one_piece(
    method: str, headers: list[tuple[str, str]], sent: list[int]
) -> None:
    """Two pieces could fill another number of Tor cells than one."""
    pieces: list[bytes] = []
    line: Any = SimpleNamespace(sendall=pieces.append)
    asked: Any = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    configuration: Any = SimpleNamespace()
    reply = Answer(asked, line, configuration)
    reply.start_response("200 OK", headers)
    reply.write(b"hello"[: int(headers[-1][1])])
    reply.close()
    assert list(filter(None, map(len, pieces))) == sent


def test_the_group_says_as_much_as_it_may(sources: list[Source]) -> None:
    """What it says takes room on the form; the states above are with all of it."""
    page = sources[0].ask("GET", "").text
    assert all(accounts(most).replace("\n", " ") in page for most in about.LIMITS.values())


def test_many_requests_on_one_connection(sources: list[Source]) -> None:
    """Kept open or not, the length is one, and the next answer begins where the last one ends."""
    source, ends = sources[0], {}
    asked = [source.head("GET", path, Connection="keep-alive") for path in ("/", "/back", "/x")]
    raw = exchange(source.address, *asked, source.head("HEAD", "/key"), source.head("GET", "/"))
    for at in range(3):
        ends[at], raw = raw[: HEAD + SIZE], raw[HEAD + SIZE :]
    assert [measured(one).status for one in ends.values()] == [200, 200, 404]
    assert all(b"\r\nConnection: keep-alive\r\n" in one for one in ends.values())
    assert measured(raw, empty=True).status == 200


def test_what_nobody_writes_takes_whole_sizes_too(sources: list[Source]) -> None:
    """Letters of the rarest kind in no order do not compress. Such a page has twice the size."""
    fields = wrong(lambda length: "".join(chr(DRAWN.randrange(*RARE)) for _ in range(length)))
    body = urlencode(fields, doseq=True).encode()
    for source in sources:
        head = source.head("POST", "" if source.start else "/", URLENCODED, len(body))
        found = exchange(source.address, head, body)
        assert len(found) == HEAD + 2 * SIZE
        assert fields["account"] in gzip.decompress(found[HEAD:]).decode()


def test_a_closed_site(sources: list[Source]) -> None:
    keyring = sources[0].site.settings.keyring
    before = keyring.read_bytes()
    keyring.unlink()
    try:
        check_trouble(sources, {200, 400, 503})
        assert sources[0].ask("GET", "").status == 503
    finally:
        keyring.write_bytes(before)


def check_trouble(sources: list[Source], statuses: set[int]) -> None:
    """Ask each route for what needs the keyring; the worst and the other answers are these."""
    found = set()
    for source in sources:
        found |= {source.ask("GET", path).status for path in ("", "/back", "/key")}
        sent: dict[str, Any] = {"_seed": SEED, **LEAST, "account": "သက်သေ"}
        found.add(source.post("", sent).status)
        back = {"receipt": receipt.receipt(bytes(32)), "_seed": SEED, "words": "x", "sure": "yes"}
        found |= {source.post(path, back).status for path in ("/back", "/words", "/withdraw")}
        (page,) = files("a")(source)
        found.add(page.status)
    assert max(found) == max(statuses)
    assert found <= statuses


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[Source], Path]]:
    """A site that is in the trouble that a file names, and somebody at it in each language."""
    folder = tmp_path_factory.mktemp("troubled")
    site, trouble = make_site(folder), folder / "trouble"
    trouble.write_text("")
    options = ("--keep-alive", "1", "tests.troubled_site:app")
    with serve(ROOT, environment(site, INTAKE_TROUBLE=str(trouble)), options=options) as address:
        yield [Source(site, address, language) for language in OFFERED], trouble


@pytest.mark.parametrize(
    ("name", "statuses"),
    [
        ("broken", {500}),
        ("busy", {429, 500}),  # the form has no place to wait for
        ("closed", {503}),
        ("store", {503}),
    ],
)
def test_trouble(troubled: tuple[list[Source], Path], name: str, statuses: set[int]) -> None:
    everybody, trouble = troubled
    trouble.write_text(name)
    check_trouble(everybody, statuses)
    trouble.write_text("")


@pytest.mark.slow
def test_silence(troubled: tuple[list[Source], Path]) -> None:
    """A head or a body that stops half-way is answered; who says nothing is told nothing."""
    source = troubled[0][1]
    address, head = source.address, source.head("POST", "", URLENCODED, 1000)
    for pieces in (
        [head[:40]],
        [head],
        [head, b"account="],
        [source.head("POST", "/file", MULTIPART, 1000)],
    ):
        assert measured(exchange(address, *pieces)).status == 408
    kept = exchange(address, source.head("GET", "", Connection="keep-alive"))
    assert measured(kept).status == 200
    assert exchange(address) == b""


@pytest.mark.slow
def test_a_body_that_is_refused_may_take_its_time(troubled: tuple[list[Source], Path]) -> None:
    """Its rest is no head that takes too long: one answer to each request, on one connection."""
    source = troubled[0][1]
    host, port = source.address.split(":")
    body, found = b"x" * 300_000, b""
    with socket.create_connection((host, int(port)), WAIT) as line:
        line.sendall(source.head("POST", "", URLENCODED, len(body), Connection="keep-alive"))
        for at in range(0, len(body), 60_000):
            line.sendall(body[at : at + 60_000])
            time.sleep(0.4)
        line.sendall(source.head("GET", ""))
        while piece := line.recv(1 << 16):
            found += piece
    answers = found[: HEAD + SIZE], found[HEAD + SIZE :]
    assert [measured(one).status for one in answers] == [413, 200]


@pytest.mark.slow
def test_a_body_that_drips(troubled: tuple[list[Source], Path]) -> None:
    """It is never silent, and never ends: after the time of a whole request it is answered."""
    source = troubled[0][2]
    host, port = source.address.split(":")
    until = time.monotonic() + REQUEST
    with socket.create_connection((host, int(port)), WAIT) as line:
        line.sendall(source.head("POST", "", URLENCODED, 1000))
        while time.monotonic() < until:
            line.sendall(b"a")
            time.sleep(0.2)
        found = b""
        while piece := line.recv(1 << 16):
            found += piece
    assert measured(found).status == 408
