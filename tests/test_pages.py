"""The desk pages, asked over loopback as a browser does: who comes in, what is shown, what is kept.

Rules:
- Each test asks a real server, on a port of its own, with the keys of the demo.
- Nothing here runs a script: whatever works here works without one.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from copy import copy
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client

from deploy import messages
from intake import days, terminal
from intake.desk import visible
from intake.desk.caseload import Facts
from intake.desk.pages import answers, guard, inbox, network, session, site
from intake.desk.pages import case as one_case
from intake.desk.pages.serving import Server
from intake.desk.pages.session import Session
from intake.envelope import CONTENT, WORDS
from intake.errors import Incomplete, Misuse, Unsafe, WrongPassphrase
from intake.settings import ROOT
from intake.wording import LOCALE
from tests.desk_browser import FORM, WAIT, Browser, entered, files, served
from tests.desk_browser import session as session_of
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.file_maker import follow, sealed, slices_of
from tests.makers import FIRST
from tests.test_desk import HOSTILE

CANARY = "ကင်နရီငှက်"
PEOPLE = (
    {"urgency": "today", "force": "army", "posted": "MMR006001", "account": f"{CANARY} ပထမ"},
    {"urgency": "days", "force": "navy", "posted": "MMR005016", "account": "🕊 ဒုတိယ"},
    {"urgency": "later", "force": "police", "posted": "MMR006", "account": "ဇေယ်ာတုႏ်ိင္ငံ"},
    {"urgency": "skip", "force": "army"},
)
TYPED = ("account", "rank", "unit_no", "extra\x1b[0m\u202e", "force", "urgency", "posted")
PATHS = (
    "/",
    "/sign",
    "/search",
    "/unread",
    "/case/00",
    "/nope",
    "/desk.css",
    "/keys.js",
    "/unlock",
)


def people(count: int = len(PEOPLE)) -> list[Sealed]:
    """Return testimonies of different people."""
    base = {key: answer for key, answer in ANSWERS.items() if key != "account"}
    return [sealed_row(f"person {n}", {**base, **PEOPLE[n % len(PEOPLE)]}) for n in range(count)]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk without cases."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    return Desk(tmp_path / "desk")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Return a desk whose cases are all alice's, made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(days, "clock", lambda: FIRST)
        made = Desk(tmp_path_factory.mktemp("kept") / "desk")
        made.bring(made.bundle_for("alice", True, *people()))
    return made


@pytest.fixture
def desk(
    kept: Desk,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Desk:
    """Return a copy of it for one test."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    made = copy(kept)
    made.root = shutil.copytree(kept.root, tmp_path / "desk")
    capfd.readouterr()
    return made


@pytest.fixture
def browser(desk: Desk) -> Iterator[Browser]:
    """Return a browser that is in, with the cases open."""
    with served(session_of(desk)) as server:
        found = entered(server)
        found.unlock()
        yield found


def case_links(text: str) -> list[str]:
    """Return the cases of a list, in its order."""
    return re.findall(r'class="case" href="(/case/[0-9a-f]{32})"', text)


def words_of(text: str) -> str:
    """Return what a page says, without its tags."""
    return unescape(re.sub(r"<[^>]*>", "", text))


# The machine is cut off.


@pytest.mark.parametrize(
    ("name", "flags", "state", "connects"),
    [
        ("lo", "0x9", "unknown", False),
        ("eth0", "0x1003", "up", True),
        ("eth0", "0x1003", "down", False),
        ("eth0", "0x1002", "down", False),
        ("wlan0", "0x1003", "dormant", True),
        ("tun0", "0x1091", "unknown", True),
        ("eth0", "0x1003", "lowerlayerdown", False),
    ],
)
def test_a_network_that_is_up_is_refused(
    tmp_path: Path, name: str, flags: str, state: str, connects: bool
) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "flags").write_text(f"{flags}\n")
    (tmp_path / name / "operstate").write_text(f"{state}\n")
    (tmp_path / "bonding_masters").write_text("")  # a file of the kernel's, and no interface
    assert network.connected(tmp_path) == [name] * connects
    if connects:
        with pytest.raises(Unsafe, match=f"A network is up: {name}") as refused:
            network.refuse(tmp_path)
        assert "--despite-network" in refused.value.hint
    else:
        network.refuse(tmp_path)
    assert network.suspected(tmp_path) == connects


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "61"])
def test_a_desk_that_never_locks_is_refused(
    desk: Desk, minutes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "run", lambda *_, **__: None)
    with pytest.raises(Misuse, match="at most 60 minutes"):
        desk.run("open", *desk.here("alice"), "--lock-after", minutes, "--despite-network")


def test_a_folder_for_exports_that_is_not_there_is_said_at_once(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="is no folder"):
        desk.run("open", *desk.here("alice"), "--exports", tmp_path / "none", "--despite-network")


@pytest.mark.parametrize("flags", [None, "zero"])
def test_what_cannot_be_told_is_refused(tmp_path: Path, flags: str | None) -> None:
    folder = tmp_path / "net"
    if flags:
        (folder / "eth0").mkdir(parents=True)
        (folder / "eth0" / "flags").write_text(flags)
    with pytest.raises(Unsafe, match="cannot be told") as refused:
        network.refuse(folder)
    assert "--despite-network" in refused.value.hint
    assert network.suspected(folder)


# The door.


def test_the_address_opens_once(desk: Desk) -> None:
    with served(session_of(desk)) as server:
        host, path = server.address.removeprefix("http://").split("/", 1)
        assert re.fullmatch(r"127\.0\.0\.1:\d+", host)
        assert len(path.removeprefix("enter/")) >= 43  # 32 bytes
        stranger, reviewer = Browser(host), Browser(host)
        assert stranger.ask("HEAD", f"/{path}").status == 403
        assert stranger.ask("POST", f"/{path}", b"").status == 403
        assert stranger.ask("GET", f"/{path}", Sec_Fetch_Site="cross-site").status == 403
        for wrong in ("enter/", f"{path}x", path[:-1], "enter/%00", "enter/%E1%80%80"):
            assert stranger.ask("GET", f"/{wrong}").status == 404
        first = reviewer.ask("GET", f"/{path}")
        assert (first.status, first.headers["Location"], first.text) == (303, "/", "")
        cookie, *rest = first.headers["Set-Cookie"].split("; ")
        assert set(rest) == {"HttpOnly", "Path=/", "SameSite=Strict"}
        assert re.fullmatch(r"desk=[0-9a-f]{64}", cookie)
        assert cookie.encode() not in repr(server._guard.__dict__).encode()
        assert stranger.ask("GET", f"/{path}").status == 404
        assert reviewer.ask("GET", f"/{path}").status == 404
        assert stranger.ask("GET", "/").status == 403
        assert reviewer.ask("GET", "/").status == 200
        assert path.removeprefix("enter/") not in reviewer.ask("GET", "/").text


@pytest.mark.parametrize("cookie", ["", "desk=", f"desk={'0' * 64}", "other=1", "desk=\xff"])
def test_without_the_cookie_nothing_is_said(desk: Desk, cookie: str) -> None:
    with served(session_of(desk)) as server:
        entered(server)
        thief = Browser(server._guard.host, cookie)
        answers = {path: thief.ask("GET", path) for path in PATHS}
        assert {a.status for path, a in answers.items() if path not in guard.OPEN} == {403}
        assert len({a.text for path, a in answers.items() if path not in guard.OPEN}) == 1
        assert thief.ask("POST", "/lock", b"").status == 403


HOSTS = (
    "localhost:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "evil.example:{port}",
    "127.0.0.1:{port}.",
    "",
)


@pytest.mark.parametrize("host", [*HOSTS, None])
def test_another_name_for_this_machine_is_refused(desk: Desk, host: str | None) -> None:
    with served(session_of(desk)) as server:
        browser = entered(server)
        named = host and host.format(port=server.port)
        for path in (*PATHS, server.address.rpartition("127")[2][-50:]):
            assert browser.ask("GET", path, Host=named).status == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": None, "Sec_Fetch_Site": "same-origin"}, 200),
        ({"Origin": None}, 403),
        ({"Origin": "null", "Sec_Fetch_Site": "same-origin"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1"}, 403),
        ({"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-origin"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 400),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 400),
        ({"Content_Length": None, "Transfer_Encoding": "chunked"}, 400),
        ({"Content_Length": str(guard.LIMIT + 1)}, 413),
        ({"Content_Length": "-1"}, 400),
        ({"Transfer_Encoding": "chunked"}, 400),
    ],
)
def test_a_post_comes_from_our_own_page(
    browser: Browser, headers: dict[str, str | None], status: int
) -> None:
    chunk = b"10001\r\n" + bytes(0x10001) + b"\r\n0\r\n\r\n"
    body = chunk if "Transfer_Encoding" in headers else b"language=my"
    answer = browser.ask("POST", "/language", body, **headers)
    assert answer.status == (303 if status == 200 else status)
    now = browser.get("/").text
    assert ('<html lang="my">' in now) == (status == 200)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_strangers_link_leads_nowhere(browser: Browser, site: str) -> None:
    for path in PATHS:
        assert browser.ask("GET", path, Sec_Fetch_Site=site).status == 403
    assert browser.ask("GET", "/", Sec_Fetch_Site="none").status == 200


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "TRACE", "PATCH", "FROB"])
def test_other_methods_get_one_answer(browser: Browser, method: str) -> None:
    answers = [browser.ask(method, path) for path in ("/", "/case/00", "/desk.css", "/nope")]
    assert {answer.status for answer in answers} == {405}
    assert len({answer.text for answer in answers}) == 1
    assert not any("Allow" in answer.headers for answer in answers)


def test_every_answer_has_the_strict_headers(browser: Browser) -> None:
    for path in PATHS:
        browser.ask("GET", path)
    browser.ask("GET", "/", Host="evil")
    browser.ask("POST", "/nope", b"")
    assert {a.status for a in browser.seen} >= {200, 303, 400, 404, 405}
    for answer in browser.seen:
        assert guard.HEADERS.items() <= answer.headers.items()
        assert answer.headers["Server"] == "Desk"
    policy = guard.HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self'; ")
    assert "unsafe" not in policy


def test_a_broken_request_is_not_repeated(desk: Desk, capfd: pytest.CaptureFixture[str]) -> None:
    with served(session_of(desk)) as server:
        host, port = server._guard.host.split(":")
        for line in (
            b"GET /<script> HTTP/9.9\r\n\r\n",
            b"\xff<script>\r\n\r\n",
            b"<script>" * 9000,
        ):
            with socket.create_connection((host, int(port)), WAIT) as raw:
                raw.sendall(line)
                raw.shutdown(socket.SHUT_WR)
                got = b""
                with contextlib.suppress(ConnectionError):
                    while data := raw.recv(4096):
                        got += data
            assert b"script" not in got
        with socket.create_connection((host, int(port)), WAIT) as raw:
            raw.sendall(f"GET http://evil/ HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert b" 400 " in raw.recv(4096)
    assert capfd.readouterr() == ("", "")


def test_a_connection_that_says_nothing_holds_up_nobody(desk: Desk) -> None:
    with served(session_of(desk)) as server:
        browser = entered(server)
        host, port = server._guard.host.split(":")
        half = (
            f"POST /lock HTTP/1.1\r\nHost: {host}:{port}\r\nCookie: {browser.cookie}\r\n"
            f"Origin: http://{host}:{port}\r\nContent-Type: {FORM}\r\nContent-Length: 9\r\n\r\nx"
        )
        stalled = [socket.create_connection((host, int(port)), WAIT) for _ in range(8)]
        for number, raw in enumerate(stalled):
            raw.sendall(half.encode() if number % 2 else b"GET / HT")
        assert browser.get("/").status == 200
        for raw in stalled:
            raw.close()


def test_it_listens_on_loopback_only(desk: Desk) -> None:
    with served(session_of(desk)) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"
        assert server.socket.family == socket.AF_INET


# Keys and words are here for minutes.


def test_a_wrong_passphrase_makes_the_next_try_wait(desk: Desk) -> None:
    now = [1000.0]
    with served(session_of(desk, clock=lambda: now[0])) as server:
        browser = entered(server)
        for wrong in range(4):
            text = browser.post("/unlock", {"passphrase": f"demo-{wrong}"}).text
            assert "The passphrase does not open your keys." in text
            now[0] += 2**wrong - 0.1
            assert "Too early" in browser.post("/unlock", {"passphrase": "demo-alice"}).text
            now[0] += 0.2
        assert "demo-" not in "".join(answer.text for answer in browser.seen)
        assert len(case_links(browser.unlock().text)) == len(PEOPLE)


def test_a_passphrase_of_a_demo_opens_nothing_else(desk: Desk) -> None:
    made = session_of(desk)
    made.demo = False
    with pytest.raises(WrongPassphrase):
        made.unlock("demo-alice")
    assert made.desk is None


def alive(known: Collection[int]) -> int:
    """Return how many of these facts there are, without help of the collector of cycles."""
    return sum(type(thing) is Facts and id(thing) in known for thing in gc.get_objects())


def facts_of(made: Session) -> set[int]:
    """Return the facts that are open, by what tells objects apart."""
    return {id(facts) for facts in made.desk.caseload.facts.values()} if made.desk else set()


def test_it_locks_by_itself_and_nothing_stays(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TICK", 0.02)
    now = [0.0]
    made = session_of(desk, clock=lambda: now[0])
    with served(made) as server:
        browser = entered(server)
        browser.unlock()
        link = case_links(browser.get("/").text)[0]
        assert CANARY in browser.get(link).text
        known = facts_of(made)
        assert alive(known) == len(PEOPLE)
        now[0] += 299
        assert CANARY in browser.get(link).text
        now[0] += 301
        end = time.monotonic() + WAIT
        while made.desk is not None:  # no request wakes it
            assert time.monotonic() < end
            time.sleep(0.01)
        assert alive(known) == 0
        text = browser.get(link).text
        assert "The desk is locked" in text
        assert "Nobody was here for a while" in text
        assert link.removeprefix("/case/")[:8] not in text
        browser.post("/unlock", {"passphrase": "demo-alice"})
        assert browser.seen[-2].headers["Location"] == link  # back to where it was


def test_a_late_request_does_not_win_against_the_lock(desk: Desk) -> None:
    now = [0.0]
    with served(session_of(desk, clock=lambda: now[0])) as server:
        browser = entered(server)
        link = case_links(browser.unlock().text)[0]
        now[0] += 300
        assert "The desk is locked" in browser.get(link).text


def test_a_page_that_waits_for_nobody_keeps_nothing_open(desk: Desk) -> None:
    """Each page goes to ``/locked`` by itself when nobody was there; that is no visit."""
    now = [0.0]
    with served(session_of(desk, clock=lambda: now[0], idle=60)) as server:
        browser = entered(server)
        text = browser.unlock().text
        assert '<meta http-equiv="refresh" content="61;url=/locked">' in text
        now[0] += 59
        answer = browser.ask("GET", "/locked")
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        now[0] += 2
        text = browser.get("/locked").text
        assert "The desk is locked" in text
        assert "http-equiv" not in text


def test_it_locks_when_a_network_comes_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "TICK", 0.02)
    up = threading.Event()
    made = session_of(desk, alarm=up.is_set)
    with served(made) as server:
        browser = entered(server)
        browser.unlock()
        up.set()
        end = time.monotonic() + WAIT
        while made.desk is not None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert "A network came up" in browser.get("/").text


def test_locked_every_page_is_the_lock_page_and_posts_are_dropped(browser: Browser) -> None:
    link = case_links(browser.get("/").text)[0]
    assert "Lock now" in browser.get("/").text
    browser.post("/lock")
    for path in ("/", "/sign", "/search", "/unread", link):
        assert "The desk is locked" in browser.get(path).text
    decided = {"kind": "decided", "state": "triaged", "grounds": "complete"}
    assert "what you sent was not kept" in browser.post(f"{link}/draft", decided).text
    assert "Nothing waits" in browser_sign(browser)


def browser_sign(browser: Browser) -> str:
    """Return the page of what waits, after unlocking."""
    browser.unlock()
    return browser.get("/sign").text


def test_while_it_loads_a_page_says_how_far_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, real = threading.Event(), inbox.rows
    monkeypatch.setattr(inbox, "rows", lambda found: go.wait(WAIT) and real(found))
    with served(session_of(desk)) as server:
        browser = entered(server)
        text = browser.post("/unlock", {"passphrase": "demo-alice"}).text
        assert '<meta http-equiv="refresh" content="1">' in text
        assert "<progress" in text
        browser.post("/lock")  # gives up loading
        go.set()
        time.sleep(0.1)
        assert "The desk is locked" in browser.get("/").text


# Cases, in lists.


def test_danger_comes_first(browser: Browser) -> None:
    text = browser.get("/").text
    assert re.findall(r"Danger: ([^<]*)", text) == ["Yes, today", "Yes, in the coming days"]
    assert len(case_links(text)) == len(PEOPLE)
    assert "You can open 4 of the 4 cases in this casebook." in text


def test_each_filter_shows_as_many_as_it_says(browser: Browser) -> None:
    start = browser.get("/").text
    link = re.compile(r'<li><a href="(/\?[^"]*)".*?<span class="n">(\d+)</span>', re.DOTALL)
    offered = link.findall(start)
    assert len(offered) > 10
    danger = {path: count for path, count in offered if re.fullmatch(r"/\?danger=\w+", path)}
    for path in danger:  # what else could have been chosen is still there, with its number
        there = dict(link.findall(browser.get(path).text))
        others = {other: count for other, count in danger.items() if other != path}
        assert others.items() <= there.items()
    for path, count in offered:
        text = browser.get(unescape(path)).text
        assert len(case_links(text)) == int(count), path
        for deeper, number in link.findall(text):
            if "aria-current" not in deeper:
                assert len(case_links(browser.get(unescape(deeper)).text)) == int(number)


def test_what_is_no_code_of_a_filter_is_ignored(browser: Browser) -> None:
    start = case_links(browser.get("/").text)
    for query in (
        "state=<script>",
        "force=%E1%80%80",
        "page=0",
        "page=x",
        "page=99999999999",
        "x=1",
    ):
        text = browser.get(f"/?{query}").text
        assert case_links(text) == start
        assert "%E1" not in text


def test_pages_of_fifty(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "SIZE", 3)
    with served(session_of(desk)) as server:
        browser = entered(server)
        first = browser.unlock().text
        assert "Page 1 of 2" in first
        second = browser.get("/?page=2").text
        assert len(case_links(first) + case_links(second)) == len(PEOPLE)
        assert set(case_links(first)).isdisjoint(case_links(second))


def test_next_unread_goes_through_all(browser: Browser) -> None:
    order = case_links(browser.get("/").text)
    for link in order:
        browser.get("/unread")
        assert [a.headers["Location"] for a in browser.seen if a.status == 303][-1] == link
    assert "You have opened all your cases." in browser.get("/unread").text
    assert "?flag=unread" not in browser.get("/").text


def test_previous_and_next_follow_the_list(browser: Browser) -> None:
    order = case_links(browser.get("/").text)
    text = browser.get(order[1]).text
    assert re.findall(r'href="(/case/\w+)" data-key="(.)"', text) == [
        (order[0], "k"),
        (order[2], "j"),
    ]
    assert 'data-key="k"' not in browser.get(order[0]).text
    assert 'data-key="j"' not in browser.get(order[-1]).text


def test_search_finds_and_leaves_no_trace(
    browser: Browser, capfd: pytest.CaptureFixture[str]
) -> None:
    text = browser.post("/search", {"query": f"{CANARY[:4]} {CANARY[4:]}"}).text
    assert len(case_links(text)) == 1
    assert browser.seen[-2].headers["Location"] == "/search"
    assert "No case of yours" in browser.post("/search", {"query": "မရှိ"}).text
    assert case_links(browser.post("/search", {"query": " "}).text) == []
    assert not any(CANARY[:3] in "".join(a.links) + str(a.headers) for a in browser.seen)
    browser.post("/lock")
    browser.unlock()
    assert "မရှိ" not in browser.get("/search").text
    assert capfd.readouterr() == ("", "")


# A case, and what is decided about it.


@pytest.mark.parametrize("language", ["en", "my"])
def test_nothing_hostile_reaches_a_page(
    empty: Desk, language: str, capfd: pytest.CaptureFixture[str]
) -> None:
    row = sealed_row("hostile", {**dict.fromkeys(TYPED, HOSTILE), "consent_store": "yes"})
    empty.bring(empty.bundle_for("alice", True, row))
    capfd.readouterr()
    with served(session_of(empty)) as server:
        browser = entered(server)
        browser.unlock()
        browser.post("/language", {"language": language})
        (link,) = case_links(browser.get("/").text)
        note = {"kind": "decided", "state": "triaged", "grounds": "complete", "note": HOSTILE[:900]}
        browser.post(f"{link}/draft", note)
        browser.post("/search", {"query": HOSTILE[:250]})
        for page in (
            "/",
            link,
            "/sign",
            "/search",
            "/tally",
            f"{link}?%3Cscript",
            "/%3Cscript",
            "/case/%3C",
        ):
            browser.get(page)
        browser.post("/sign", {"passphrase": "demo-alice"})
        browser.unlock()
        assert "triaged" in browser.get(link).text
    for answer in browser.seen:
        html = answer.text
        assert terminal.visible(html) == html
        assert html.count("\u0301") < 100
        assert re.findall(r"<script[^>]*>", html) in ([], ['<script src="/keys.js" defer>'])
        for tag in ("<img", ">49", "javascript:", " style=", " onclick", "{{"):
            assert tag not in html.replace("{{7*7}}", "")
        assert all(re.fullmatch(r"[/#][\w/?=&.-]*", link) for link in answer.links), answer.links
    shown = "".join(answer.text for answer in browser.seen)
    assert '<b class="u">U+202E</b>' in shown
    assert "&lt;script&gt;" in shown
    assert capfd.readouterr() == ("", "")


def decide(browser: Browser, link: str, **fields: object) -> str:
    """Post a decision on the page of a case; return the page after it."""
    posted = {"kind": "decided", "state": "triaged", "grounds": ["complete", "urgent"], **fields}
    return browser.post(f"{link}/draft", posted).text  # type: ignore[arg-type]


def test_a_draft_is_undone_and_was_never_written(desk: Desk, browser: Browser) -> None:
    before = files(desk.casebook / "chains")
    first, second = case_links(browser.get("/").text)[:2]
    page = decide(browser, first, note="ဖုန်းဖြင့် မေးပြီး")
    assert "Kept. It counts when you have signed it." in page
    decide(browser, second, state="rejected", grounds="abuse")
    text = browser.get("/sign").text
    assert "Sign all" in text
    assert "Answers are complete enough to go on · Somebody is in danger" in text
    assert "ဖုန်းဖြင့် မေးပြီး" in text
    keys = re.findall(r'name="draft" value="(\w+)"', text)
    assert len(set(keys)) == 2
    assert "Undone" in browser.post("/undo", {"draft": keys[0]}).text
    browser.post("/undo", {"draft": keys[0]})  # pressed twice: the other one stays
    text = browser.get("/sign").text
    assert re.findall(r'name="draft" value="(\w+)"', text) == keys[1:]
    assert files(desk.casebook / "chains") == before


def test_drafts_and_what_was_read_survive_a_lock_and_a_restart(desk: Desk) -> None:
    with served(session_of(desk)) as server:
        browser = entered(server)
        links = case_links(browser.unlock().text)
        browser.get(links[2])
        decide(browser, links[0], note=CANARY)
        on_disk = copy(desk)
        on_disk.root = shutil.copytree(desk.root, desk.root.parent / "power cut")
        browser.post("/lock")
        assert CANARY in browser_sign(browser)
    assert CANARY.encode() not in b"".join(files(desk.casebook).values())
    with served(session_of(on_disk)) as server:
        browser = entered(server)
        browser.unlock()
        assert CANARY in browser.get("/sign").text
    with served(session_of(desk)) as server:
        browser = entered(server)
        text = browser.unlock().text
        assert CANARY in browser.get("/sign").text
        assert set(case_links(browser.get("/?flag=unread").text)) == {links[1], links[3]}
        assert "To sign</b>" in text


def test_signing_wants_the_passphrase_and_writes_all(desk: Desk, browser: Browser) -> None:
    before = files(desk.casebook / "chains")
    first, second, third, _ = case_links(browser.get("/").text)
    decide(browser, first, state="verified", grounds=["vouched"], note="သိသူ")
    decide(browser, second, kind="marked", mark="coercion", on="yes", grounds="watched")
    number = first.rpartition("/")[2][:8]
    decide(
        browser, third, kind="marked", mark="duplicate", on="yes", of=number, grounds="same_facts"
    )
    assert "does not open your keys" in browser.post("/sign", {"passphrase": "demo-bob"}).text
    assert files(desk.casebook / "chains") == before
    time.sleep(1.1)  # after a wrong passphrase
    browser.post("/sign", {"passphrase": "demo-alice"})
    text = browser.get("/")
    while 'http-equiv="refresh" content="1"' in text.text:
        text = browser.get("/")
    assert "Signed. It is in the casebook now." in "".join(a.text for a in browser.seen)
    assert "Nothing waits" in browser.get("/sign").text
    state = desk.state("alice")
    tags = [bytes.fromhex(link.rpartition("/")[2]) for link in (first, second, third)]
    (decision,) = state.cases[tags[0]].decisions
    assert (decision.author, decision.grounds, decision.note) == ("alice", ["vouched"], "သိသူ")
    assert state.cases[tags[0]].state == "partial"  # until a second reviewer says so too
    assert state.cases[tags[1]].marks == {"coercion"}
    assert state.cases[tags[2]].duplicate_of == tags[0]
    page = browser.get(first).text
    assert "သိသူ" in page
    assert "Somebody we know vouches" in page
    assert browser.get(third).text.count(f'href="{first}"') >= 2  # in the head, and in the history


def test_replies_wait_beside_each_other_and_are_shown_where_they_went(
    desk: Desk, browser: Browser
) -> None:
    link = case_links(browser.get("/").text)[0]
    page = browser.get(link).text
    assert "Whoever takes the receipt from the source reads this too." in page
    assert re.search(
        r'<textarea id="note-replied" name="note"[^>]* maxlength="1000" required', page
    )
    browser.post("/language", {"language": "my"})
    assert "ပြေစာကို ယူသွားသူမည်သူမဆို ဤစာကို ဖတ်နိုင်ပါသည်" in browser.get(link).text
    browser.post("/language", {"language": "en"})
    for text in (CANARY, CANARY, "<b>\u202e\r\n🕊"):
        page = decide(browser, link, kind="replied", note=text, grounds=[])
    assert page.count('class="pending"') == 3
    assert link not in case_links(browser.get("/?flag=withdrawn").text)
    assert link in case_links(browser.get("/?flag=undecided").text), "an answer decides nothing"
    browser.post("/sign", {"passphrase": "demo-alice"})
    shown = browser.get(link)
    while 'http-equiv="refresh" content="1"' in shown.text:
        shown = browser.get(link)
    assert shown.text.count(CANARY) >= 4, "in the conversation and in the history"
    assert shown.text.count("not sent yet") == 6
    assert "&lt;b&gt;" in shown.text
    assert '<b class="u">U+202E</b>' in shown.text
    tag = bytes.fromhex(link.rpartition("/")[2])
    case = desk.state("alice").cases[tag]
    notes = [one.note for one in case.replies.values()]
    assert notes == [CANARY, CANARY, "<b>\u202e\n🕊"]
    assert case.state == "received"
    desk.run("copy", "--to", desk.root / "second")
    people = [part for name in case.assigned for part in desk.here(name)]
    where = ("--second-copy", desk.root / "second", "--out", desk.root / "1.return")
    with contextlib.suppress(Incomplete):  # other cases have other people
        desk.run("acknowledge", *where, *people, "--yes")
    browser.post("/lock")
    browser.unlock()
    assert browser.get(link).text.count("sent in return 1") == 6


def test_words_that_were_withdrawn_are_shown_nowhere(desk: Desk, browser: Browser) -> None:
    found = case_links(browser.post("/search", {"query": CANARY}).text)
    decide(browser, found[0], kind="withdrawn", grounds=[])
    browser.post("/sign", {"passphrase": "demo-alice"})
    browser.unlock()
    pages = "".join(browser.get(path).text for path in ("/", found[0], "/sign", "/tally"))
    assert "Withdrawn: the words are not shown." in pages
    assert CANARY not in pages
    assert "note-replied" not in pages
    text = decide(browser, found[0], kind="replied", note="x", grounds=[])
    assert "The source of this case withdrew." in words_of(text)
    assert case_links(browser.post("/search", {"query": CANARY}).text) == []
    assert case_links(browser.get("/?flag=withdrawn").text) == found
    (case,) = (c for c in desk.state("alice").cases.values() if c.hidden)
    assert f"/case/{case.tag.hex()}" == found[0]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"grounds": []}, "A decision needs a reason."),
        ({"state": "certified"}, "This decision is not one that a case can have."),
        ({"state": "verified", "grounds": "abuse"}, "This decision is not one"),
        ({"kind": "erased"}, "This decision is not one"),
        ({"note": "က" * 1001}, "This decision is not one"),
        (
            {"kind": "marked", "mark": "duplicate", "on": "yes", "of": "00"},
            "No case of yours has",
        ),
        (
            {
                "kind": "marked",
                "mark": "duplicate",
                "on": "yes",
                "of": "own",
                "grounds": "same_facts",
            },
            "A case is no duplicate of itself.",
        ),
        ({"kind": "replied", "grounds": []}, "This is no text for a reply."),
        ({"kind": "replied", "note": "a\tb", "grounds": []}, "This is no text for a reply."),
        ({"kind": "replied", "note": "က" * 1001, "grounds": []}, "This is no text for a reply."),
        ({"kind": "assigned", "names": ["alice"]}, "A case has two different reviewers."),
        ({"kind": "assigned", "names": ["alice", "eve"]}, "A case has two different reviewers."),
    ],
)
def test_what_makes_no_sense_is_no_draft(
    browser: Browser, fields: dict[str, object], sentence: str
) -> None:
    link = case_links(browser.get("/").text)[0]
    if fields.get("of") == "own":
        fields = {**fields, "of": link.rpartition("/")[2]}
    text = decide(browser, link, **fields)
    assert sentence in words_of(text)
    assert "Nothing waits" in browser.get("/sign").text


def test_a_refusal_in_english_is_announced_in_burmese(desk: Desk, browser: Browser) -> None:
    """A disk that refuses a draft: the system's words have a path in them."""
    drafts = desk.casebook / "drafts"
    shutil.rmtree(drafts, ignore_errors=True)
    drafts.write_bytes(b"")
    link = case_links(browser.get("/").text)[0]
    announced = "အင်္ဂလိပ်လို ဖော်ပြထားပါသည်"
    assert announced not in (said := decide(browser, link))
    assert "/drafts: " in said
    browser.post("/language", {"language": "my"})
    assert announced in (said := decide(browser, link))
    assert "/drafts: " in said
    assert announced not in decide(browser, link, grounds=[])  # this one is in Burmese
    browser.post("/language", {"language": "en"})
    drafts.unlink()


def test_a_case_that_is_not_there_is_no_page(browser: Browser) -> None:
    for tag in ("0" * 32, "0" * 31, "x", "%E1%80%80", "..", "0" * 64):
        assert browser.ask("GET", f"/case/{tag}").status == 404
    assert browser.ask("POST", f"/case/{'0' * 32}/draft", b"kind=decided").status == 404


def test_a_file_goes_into_a_folder_and_never_to_the_browser(empty: Desk, tmp_path: Path) -> None:
    folder, content = tmp_path / "exports", b"MZ" + CANARY.encode()
    folder.mkdir()
    name = "\u202egnp.exe/../<b>"
    late, lost = bytes(2 * CONTENT), slices_of("other", content)
    begun, _, end = slices_of("file", late, "late", number=1)
    files = [*slices_of("file", content, name), begun, end, lost[0]]
    rows = [sealed_row("file"), *sealed(*files, follow("other", WORDS, {"words": "ထပ်ပြောမယ်"}))]
    empty.bring(empty.bundle_for("alice", True, *rows))
    made = session_of(empty, exports=folder)
    with served(made) as server:
        browser = entered(server)
        browser.unlock()
        link, other = (f"/case/{row.case.hex()}" for row in (rows[0], rows[-1]))
        page = browser.get(link).text
        assert page.count("Export this file") == 1
        assert "Not all of it is here: 1 of 2 parts" in page
        assert f'<p class="typed">{visible.html(name)}</p>' in page
        assert hashlib.sha256(content).hexdigest()[:16] in page
        assert CANARY not in page
        wanted = {one.body["name"]: one.row.hex() for one in (files[1], end)}  # type: ignore[index]
        text = browser.post(f"{link}/export", {"file": wanted[name]}).text
        (path,) = folder.iterdir()
        told = browser.post(f"{link}/export", {"file": wanted["late"]}).text
        assert "1 of the 2 parts of this file: not here." in told
        for nothing in (b"file=00", b"", f"file={rows[0].entry.id.hex()}".encode()):
            assert browser.ask("POST", f"{link}/export", nothing).status == 404
        page = browser.get(other).text
        assert "1 parts of a file. Its end is not here yet" in page
        assert "No testimony here" in page
        assert "ထပ်ပြောမယ်" in page
        assert browser.get("/").text.count("No testimony here") == 1
    assert list(folder.iterdir()) == [path]
    assert re.fullmatch(r"[0-9a-f]{16}", path.name)
    assert path.read_bytes() == content
    assert "Dangerzone" in text
    assert path.name in text
    assert "&lt;U+202E&gt;gnp.exe/../&lt;b&gt;" in text


def test_two_reviewers_who_disagree_are_shown(desk: Desk) -> None:
    other = next(n for n in ("bob", "carol") if desk.state(n).cases)
    for name, state, ground in (("alice", "rejected", "abuse"), (other, "triaged", "complete")):
        with served(session_of(desk, name)) as server:
            browser = entered(server)
            links = case_links(browser.unlock(f"demo-{name}").text)
            tag = max(desk.state(other).cases)
            link = f"/case/{tag.hex()}"
            assert link in links
            decide(browser, link, state=state, grounds=ground)
            browser.post("/sign", {"passphrase": f"demo-{name}"})
            browser.unlock(f"demo-{name}")
    with served(session_of(desk)) as server:
        browser = entered(server)
        browser.unlock()
        text = browser.get(link).text
        history = words_of(text.partition('id="history"')[2])
        assert history.index(other) < history.index("alice")  # the latest first
        assert "Triaged" in history
        assert "Rejected" in history


# Errors, languages, and what leaves this machine.


def test_a_defect_says_nothing(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    link = case_links(browser.get("/").text)[0]

    def broken(*_: object) -> None:
        raise RuntimeError(CANARY)

    capfd.readouterr()
    monkeypatch.setattr(one_case, "page", broken)
    answer = browser.ask("GET", link)
    assert answer.status == 500
    assert CANARY not in answer.text + str(answer.headers)
    assert "A defect in Intake." in answer.text
    assert capfd.readouterr() == ("", "")


def test_each_page_is_in_one_language_with_a_switch(browser: Browser) -> None:
    link = case_links(browser.get("/").text)[0]
    decide(browser, link)
    for path in ("/", "/?danger=today", link, "/sign", "/search"):
        assert '<html lang="en">' in browser.get(path).text
        text = browser.post("/language", {"language": "my"}).text
        assert '<html lang="my">' in text
        assert browser.seen[-2].headers["Location"] == path  # it stays where it was
        assert ">သော့ခတ်ရန်<" in text
        browser.post("/language", {"language": "en"})
    assert '<html lang="en">' in browser.post("/language", {"language": "../x"}).text


def test_where_an_envelope_came_from_is_said_in_both_languages(browser: Browser) -> None:
    link = case_links(browser.get("/").text)[0]
    where = r"{} 1 · {} 2026-w47 · {} 1 \([0-9a-f]{{8}}\) · {} 2026-11-16, alice\.desk-a, \d+"
    for language, labels in (
        ("en", ("Bundle", "Period", "Keyring", "Recorded")),
        ("my", ("အထုပ်", "ကာလ", "သော့တွဲ", "မှတ်တမ်းတင်သည့်နေ့")),
    ):
        browser.post("/language", {"language": language})
        text = " ".join(words_of(browser.get(link).text).split())
        assert re.search(where.format(*labels), text)
    browser.post("/language", {"language": "en"})


def test_the_desks_own_catalogue_is_complete_and_compiled() -> None:
    assert messages.problems("my", messages.DESK) == []
    po = LOCALE / "my" / "LC_MESSAGES" / "desk.po"
    assert po.read_bytes() == messages.updated("my", messages.DESK)


def test_every_place_of_the_desk_is_searched() -> None:
    found = messages.found(messages.DESK)
    said = {"The desk is locked", "Suspected plant", "Month it came", "To do", "Grounds"}
    said |= {site.KEPT, session.NETWORK, *answers.SENTENCES.values(), *inbox.FLAGS.values()}
    assert said <= found.keys()
    assert not found.keys() & messages.found().keys()


def test_no_page_needs_a_script(browser: Browser) -> None:
    link = case_links(browser.get("/").text)[0]
    for path in ("/", link, "/sign", "/search"):
        text = browser.get(path).text
        assert not re.search(r"\son\w+=|javascript:|\sstyle=|<style|<noscript", text)
        forms = re.findall(r'<form[^>]*method="(\w+)"[^>]*action="(/[^"]*)"', text)
        assert len(forms) == text.count("<form")
        assert {method for method, _ in forms} == {"post"}
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(set(ids)) == len(ids)
        fields = re.findall(r'<(?:input|textarea) (?![^>]*type="(?:hidden|checkbox)")[^>]*', text)
        for field in fields:
            (name,) = re.findall(r'\bid="([^"]+)"', field)
            assert f'for="{name}"' in text
    script = (ROOT / "templates" / "desk" / "keys.js").read_text("utf-8")
    assert len(script.splitlines()) < 40
    assert not re.search(r"fetch|XMLHttp|import|WebSocket|eval|innerHTML|location|cookie", script)


def test_similar_cases_are_shown_with_the_reason(empty: Desk) -> None:
    told = f"{CANARY} ရွာကို မီးရှို့ခိုင်းတယ်၊ ကျွန်တော် ထွက်ပြေးခဲ့တယ်၊ လမ်းမှာ သုံးရက်ကြာတယ်"
    twice = [
        sealed_row(f"twice {n}", {**ANSWERS, "account": told, "left": "2021-08"}) for n in "ab"
    ]
    empty.bring(empty.bundle_for("alice", True, *twice))
    made = session_of(empty)
    with served(made) as server:
        browser = entered(server)
        browser.unlock()
        end = time.monotonic() + WAIT
        while made.desk is None or made.desk.similar is None:
            assert time.monotonic() < end
            time.sleep(0.02)
        one, other = case_links(browser.get("/").text)
        part = browser.get(one).text.partition('id="similar"')[2].partition('id="decide"')[0]
        assert re.findall(r'href="([^"]*)"', part) == [other]
        assert "Same unit, and left in the same month" in part
        assert CANARY not in part
        made.desk.similar = None
        assert "Cases are still being compared." in browser.get(one).text


def test_the_tally_is_of_the_reviewers_own_cases(desk: Desk) -> None:
    made = session_of(desk)
    with served(made) as server:
        browser = entered(server)
        browser.unlock()
        text = words_of(browser.get("/tally").text)
        assert "Internal: never publish" in text
        assert "the caseload of alice" in text
        assert "4 / 4" in text
        assert '<html lang="my">' in browser.post("/language", {"language": "my"}).text
        assert "အတွင်းသုံးသာ" in browser.seen[-1].text
        assert CANARY not in browser.seen[-1].text


def test_nothing_connects_outward(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every route is asked within this process, in which no socket can connect."""
    made = session_of(desk)
    door = site.guarded(made)
    door.host = "127.0.0.1:1"
    client = Client(door)

    def refused(*_: object) -> None:
        raise AssertionError

    for name in ("connect", "connect_ex", "sendto", "bind", "listen"):
        monkeypatch.setattr(socket.socket, name, refused)
    for name in ("getaddrinfo", "create_connection", "gethostbyname"):
        monkeypatch.setattr(socket, name, refused)
    base = {"base_url": f"http://{door.host}"}

    def post(path: str, **fields: str) -> int:
        headers = {"Origin": f"http://{door.host}"}
        return client.post(path, data=fields, headers=headers, **base).status_code

    assert client.get(f"{guard.ENTER}{door.secret}", **base).status_code == 303
    assert post("/unlock", passphrase="demo-alice") == 303
    end = time.monotonic() + WAIT
    while made.desk is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    link = f"/case/{next(iter(made.desk.caseload.facts)).hex()}"
    asked = {
        path: client.get(path, **base).status_code
        for path in ("/", link, "/sign", "/search", "/tally")
    }
    assert set(asked.values()) == {200}
    assert post(f"{link}/draft", kind="decided", state="triaged", grounds="complete") == 303
    assert post("/search", query="က") == 303
    assert post("/sign", passphrase="demo-alice") == 303
    assert post("/lock", _="") == 303


OPEN = [sys.executable, "-m", "intake.desk"]


def test_open_says_an_address_that_works_once_and_ends_well(desk: Desk) -> None:
    with opened(desk, OPEN) as (process, address):
        host, path = address.removeprefix("http://").split("/", 1)
        browser = Browser(host)
        assert browser.get(f"/{path}").status == 200
        page = browser.get("/")
        while 'http-equiv="refresh" content="1"' in page.text:
            page = browser.get("/")
        assert len(case_links(page.text)) == len(PEOPLE)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WAIT)
        assert (process.returncode, err) == (0, "")
        assert "Ended. What was not signed is kept" in out


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace takes root")
def test_open_runs_where_there_is_loopback_and_nothing_else(desk: Desk) -> None:
    """Without the option: the machine is cut off, and the desk sees it."""
    script = 'mount -t sysfs none /sys; ip link set lo up; exec "$@"'
    inside = ["unshare", "--net", "--mount", "sh", "-c", script, "sh"]
    with opened(desk, [*inside, *OPEN], "") as (process, address):
        ask = "import sys, http.client as h; c = h.HTTPConnection(*sys.argv[1].split(':'))\n"
        ask += "c.request('GET', '/' + sys.argv[2]); print(c.getresponse().status)"
        host, path = address.removeprefix("http://").split("/", 1)
        enter = ["nsenter", "--net", "--target", str(process.pid), sys.executable, "-c", ask]
        for status in ("303", "404"):
            done = subprocess.run([*enter, host, path], capture_output=True, text=True, check=True)
            assert done.stdout == f"{status}\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0


@contextmanager
def opened(
    desk: Desk, command: list[str], option: str = "--despite-network"
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command ``open``; yield the process and the address that it says."""
    given = ["--demo-passphrases", desk.root / "demo", "open", "--casebook", desk.casebook]
    words = [*command, *given, *desk.here("alice"), *filter(None, [option])]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may have it ignored
    with subprocess.Popen([*map(str, words)], **pipes) as process:  # type: ignore[call-overload]
        signal.signal(signal.SIGINT, ours)
        try:
            lines = iter(process.stdout.readline, "")
            address = next(line.strip() for line in lines if guard.ENTER in line)
            yield process, address
        finally:
            process.kill()


@given(st.binary(max_size=200))
def test_any_query_is_answered(data: bytes) -> None:
    """A filter takes any bytes, and knows none of them."""
    text = data.decode("utf-8", "replace")
    facets = {"state": {"received": "Received"}}
    assert inbox.chosen(facets, {"state": text, text: "received"}) in (
        {},
        {"state": "received"},
    )
