"""The whole life of a testimony through a real onion, in both browsers, without JavaScript.

Rules:
- All that a source does goes through the browser, its tor, and the host's chain. All that an admin
  does are the host's commands. The desk is another folder, and what goes between is carried.
- Property 15: a post is taken from the page of the same onion, and from no other.
"""

from __future__ import annotations

import json
import os
import random
import re
import secrets
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlencode

import pytest

from intake import days, receipt
from intake.form import Form
from intake.settings import FORM
from intake.wording import NUMERALS
from tests.browser.chromium import PHONE, picture, resize
from tests.browser.filling import everything, fill, held
from tests.browser.play import MAIN
from tests.browser.test_journeys import TYPED
from tests.browser.windows import ChromiumWindow
from tests.onion import figures
from tests.onion.circuits import FORM as BODY
from tests.onion.host import Host
from tests.onion.window import Visit, visit
from tests.site_maker import LEAST, seed_in
from tests.test_journey import REPLY, Reviewers, count

pytestmark = pytest.mark.onion

BROWSERS = ("chromium", "firefox")
CONSENT = "consent_store"
FILM = 20 << 20
NAME = "ရုပ်ရှင် ၁.mp4"
SLOW = 1.0  # seconds an answer is kept back, so that a second tap comes before it
OTHER = f"http://{'a' * 56}.onion"


@pytest.mark.parametrize("name", BROWSERS)
def test_the_life_of_a_testimony(
    host: Host, reviewers: Reviewers, name: str, tmp_path: Path
) -> None:
    """Submit in Burmese, add 20 MB; desk, reply, return, after which no row is left; read it."""
    film = tmp_path / NAME
    film.write_bytes(random.Random(name).randbytes(FILM))
    with visit(host, name, tmp_path / "first") as there:
        digits = submit(there)
        upload(there, digits, film)
    number, people = at_the_desk(host, reviewers, digits, film, tmp_path)
    answer(reviewers, number, people, tmp_path)
    assert count(host.machines) == 0
    with visit(host, name, tmp_path / "second") as there:
        come_back(there, digits)


def submit(there: Visit) -> str:
    """Answer everything; forget a consent, tap twice, reload, go back; return the receipt."""
    shown, form, today = there.window, Form.load(FORM), days.clock()
    shown.go(there.at())
    keep(there, "form")
    answers = everything(form, today, TYPED["my"])
    forgotten = {name: values for name, values in answers.items() if name != CONSENT}
    fill(shown, form, forgotten)
    shown.press(MAIN)
    assert shown.texts("#errors li")
    assert held(shown, form) == forgotten
    keep(there, "error")
    shown.click(f"#{CONSENT}")
    expected = receipt.receipt(bytes.fromhex(shown.value("[name=_seed]")))
    there.wire.slow = SLOW
    shown.press_twice(MAIN)
    there.wire.slow = 0.0
    digits = there.digits()
    assert digits == expected
    keep(there, "receipt")
    shown.reload()
    assert there.digits() == digits
    accepted = form.validate(answers, today)
    (row,) = there.opened()
    assert row["body"] == accepted.as_object()  # type: ignore[union-attr]
    shown.go(there.at("/back"))
    shown.back()
    shown.go(there.at())
    assert shown.value("#account") == ""
    return digits


def upload(there: Visit, digits: str, film: Path) -> None:
    """Come back with the receipt in Burmese numerals, and add a file of 20 MB."""
    shown = there.window
    there.come_back(digits.translate(NUMERALS["my"]))
    keep(there, "mailbox")
    shown.write("#file", str(film))
    with figures.timed(f"{kind(there)}: 20 MB uploaded"):
        shown.press('form[action="/file"] button')
    assert not shown.texts("[role=alert]")
    keep(there, "file")


def at_the_desk(
    host: Host, reviewers: Reviewers, digits: str, film: Path, folder: Path
) -> tuple[str, list[str]]:
    """Export, import by quorum; the words and the file are there, to the byte."""
    said = reviewers.bring()
    rows = re.search(r"(\d+) in the bundle, (\d+) opened", said)
    assert rows is not None, said
    assert rows[1] == rows[2]
    secret = receipt.reply_secret(host.machines.made.deployment, digits)
    number = receipt.case_tag(secret).hex()[:8]
    case = (reviewers.cases("alice") | reviewers.cases("bob"))[number]
    people = [str(name) for name in case["assigned"]]
    # As JSON has them, for an account is more than one line.
    assert json.dumps(TYPED["my"], ensure_ascii=False)[1:-1] in json.dumps(case, ensure_ascii=False)
    out = folder / "files"
    out.mkdir()
    asked = (number, *reviewers.book, *reviewers.keys(people[0]))
    assert NAME in reviewers.say("desk", "files", *asked, "--out", out)
    (file,) = out.iterdir()
    assert sha256(file.read_bytes()).digest() == sha256(film.read_bytes()).digest()
    return number, people


def answer(reviewers: Reviewers, number: str, people: list[str], folder: Path) -> None:
    """Reply; two acknowledge; the return is installed, and the rows are gone."""
    text = folder / "reply.txt"
    text.write_text(REPLY, encoding="utf-8")
    asked = (*reviewers.book, *reviewers.keys(people[0]))
    reviewers.say("desk", "reply", number, "--text", text, *asked)
    said = reviewers.send_back(*people)
    assert "2 replies put into mailboxes" in said, said


def come_back(there: Visit, digits: str) -> None:
    """Another day, another browser, another circuit: read the answer, and add words."""
    shown = there.window
    there.through(there.other())
    there.come_back(digits)
    assert (shown.texts(".t"), len(shown.texts(".m"))) == ([REPLY], 2)
    keep(there, "answer")
    shown.write("#words", TYPED["my"])
    shown.press('form[action="/words"] button')
    shown.reload()
    assert there.rows == 1


def kind(there: Visit) -> str:
    """Return the name of the browser."""
    return "chromium" if isinstance(there.window, ChromiumWindow) else "firefox"


def keep(there: Visit, name: str) -> None:
    """Keep a picture of the page as a phone shows it, where `TOUR` names a folder."""
    if (folder := os.environ.get("TOUR")) and isinstance(there.window, ChromiumWindow):
        resize(there.window.browser, PHONE)
        size = picture(there.window.browser, Path(folder) / f"onion-{name}.png", 3000)
        assert size["width"] <= size["viewport"], f"{name} scrolls sideways"


@pytest.mark.parametrize("name", BROWSERS)
def test_seconds_to_the_page_and_to_the_receipt(host: Host, name: str, tmp_path: Path) -> None:
    """First visits, each by a client that knows no circuit and no descriptor of ours."""
    seeds = set()
    with visit(host, name, tmp_path / "first") as there:
        for client in host.net.clients.values():
            client.forget()
            there.through(client)
            with figures.timed(f"{name}: from a cold client to the page"):
                there.window.go(there.at())
            seeds.add(there.window.value("[name=_seed]"))
            there.answer_least()
            with figures.timed(f"{name}: from the button to the receipt"):
                there.window.press(MAIN)
            assert re.fullmatch(r"\d{24}", there.digits())
        assert there.rows == len(seeds) == len(host.net.clients)
        says_whose_page_it_posts_from(there)


def says_whose_page_it_posts_from(there: Visit) -> None:
    """What both browsers send to an http onion, by which a post of ours is known."""
    posts = "".join(head for head in there.wire.heads() if head.startswith("POST"))
    assert set(re.findall(r"(?mi)^Origin: (\S+)\r$", posts)) == {there.at()}
    assert set(re.findall(r"(?mi)^Host: (\S+)\r$", posts)) == {there.at().removeprefix("http://")}
    assert "cookie:" not in posts.lower()


def test_a_post_from_another_onion_is_refused(host: Host) -> None:
    """By its Origin or its Host, and by Sec-Fetch-Site where there is no Origin."""
    circuit = host.circuit()
    fields = {"_seed": seed_in(circuit.get()), **LEAST, "account": "x"}
    body = urlencode(fields, doseq=True).encode()
    tried: list[tuple[dict[str, str], int]] = [
        ({"Origin": OTHER}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://{host.onion}:81"}, 403),
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": OTHER, "Sec-Fetch-Site": "same-origin"}, 403),
    ]
    for headers, expected in tried:
        status, _ = circuit.fresh().ask("POST", "/en", body, {**BODY, **headers})
        assert (headers, status) == (headers, expected)
    assert sum(host.site.store.counts().values()) == 0
    ours = {"Origin": f"http://{host.onion}"}
    status, _ = circuit.ask("POST", "/en", body, {**BODY, **ours})
    assert status == 200
    assert sum(host.site.store.counts().values()) == 1


FORGED = {"X-Onion-Circuit": "fc00:dead:beef:4dad::0:1", "Remote-Addr": "192.0.2.7", "PROXY": "1"}
THROUGH = {  # what a proxy in front of tor adds: whoever comes through one is told so
    "X-Forwarded-For": "192.0.2.7",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "192.0.2.7",
    "Forwarded": "for=192.0.2.7;proto=https",
}


def test_what_a_visitor_says_of_circuits_reaches_nobody(host: Host) -> None:
    """Such headers change no page; a second line of the kind that tor sends is no request."""
    circuit = host.circuit()

    def bare(page: str) -> str:
        return re.sub(r'name="(_seed|_fill)" value="\w*"', r'name="\1"', page)

    status, page = circuit.ask("GET", "/en", headers=FORGED)
    assert (status, bare(page)) == (200, bare(circuit.get()))
    for name, value in THROUGH.items():
        assert circuit.ask("GET", "/en", headers={name: value})[0] == 421, name
    with circuit.fresh().connect() as line:
        line.sendall(b"PROXY TCP6 fc00:dead:beef:4dad::0:1 ::1 1 80\r\n")
        line.sendall(f"GET /en HTTP/1.1\r\nHost: {host.onion}\r\n\r\n".encode())
        assert line.recv(100).startswith(b"HTTP/1.1 400 ")


def test_nobody_is_served_without_the_line_that_tor_sends(host: Host) -> None:
    """Who can open the socket and is not tor gets nothing, whatever they send."""
    request = f"GET /en HTTP/1.1\r\nHost: {host.onion}\r\n\r\n".encode()
    for data in (request, b"PROXY UNKNOWN\r\n" + request, secrets.token_bytes(200)):
        assert host.chain.knock(data) == b""
    line = b"PROXY TCP6 fc00:dead:beef:4dad::0:1 ::1 1 80\r\n"
    assert host.chain.knock(line + request).startswith(b"HTTP/1.1 200 ")
