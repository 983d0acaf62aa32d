"""The whole desk on machines that have no interface but loopback, with a real Chromium.

    python -m tests.browser.desk_story FOLDER PICTURES

Two desks are two folders; each command is a process of its own, as a person types it. Alice reads
and decides at desk-a, bob at desk-b; a folder stands for the stick between them. It ends with 0 if
every assertion held. ``test_desk_offline`` runs it where there is no network.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from intake.ceremony import package
from intake.settings import ROOT
from tests.browser.chromium import DESK, NARROW, PHONE, chromium, picture, resize
from tests.browser.test_desk_pages import find, press
from tests.desk_browser import WAIT
from tests.desk_maker import ANSWERS, PERIOD, Desk, Sealed, sealed_row
from tests.makers import FIRST

MINE = "တပ်ရင်းမှူးက ရွာကို မီးရှို့ဖို့ အမိန့်ပေးတယ်။ ကျွန်တော် မလိုက်နာဘဲ ထွက်ပြေးခဲ့တယ်။"
NAME = "ကိုအောင်မြင့်"  # what is struck
TALL = 1300  # CSS pixels of a picture
KEPT = {"inbox", "verified", "tally"}  # pictures for the README


class Story:
    """Two desks, and a stick."""

    def __init__(self, folder: Path, pictures: Path) -> None:
        """Make the first desk, its keys and packages, and the second desk's casebook."""
        self.a, self.pictures, self.folder = Desk(folder / "a"), pictures, folder
        self.words = self.a.root / "demo"
        quorum = {name: str(k.quorum.recipient()) for name, k in self.a.made.reviewers.items()}
        package._write(self.a.root / "archive", self.a.made.archive, quorum, 2, None)
        self.books = {"a": self.a.casebook, "b": folder / "b"}
        keyring = ("--keyring", self.a.root / "keyring", "--desk", "desk-b", "--yes")
        self.run("b", "init", *keyring)

    def command(self, desk: str, *words: object) -> list[str]:
        """Return a command line of one desk, on the day of the story."""
        day = [sys.executable, str(ROOT / "deploy/at_day.py"), FIRST.isoformat(), "intake.desk"]
        typed = [*words, "--casebook", self.books[desk]]
        return [*day, "--demo-passphrases", str(self.words), *map(str, typed)]

    def run(self, desk: str, *words: object) -> str:
        """Run a command; return what it printed."""
        done = subprocess.run(
            self.command(desk, *words), cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{words[0]}: {done.stdout}{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def pages(self, desk: str, name: str) -> Iterator[webdriver.Chrome]:
        """Yield a browser in which the pages are open; then Ctrl-C ends them."""
        line = self.command(desk, "open", *self.a.here(name))
        process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            said = (re.search(r"http://127\.0\.0\.1:\S+", text) for text in process.stdout)
            address = next(match for match in said if match)[0]
            profile = self.folder / f"browser-{desk}-{name}"
            profile.mkdir(exist_ok=True)
            with chromium(profile, cookies=True) as browser:
                browser.get(address)
                wait(browser, ".bar nav")  # the passphrase was typed at the command
                yield browser
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait(WAIT) == 0

    def carry(self, one: str, other: str, reader: str) -> str:
        """Copy a casebook to the stick, and merge it at the other desk."""
        stick = self.folder / f"stick-{one}"
        self.run(one, "copy", "--to", stick)
        return self.run(other, "merge", "--from", stick, *self.a.here(reader))

    def shot(self, browser: webdriver.Chrome, name: str) -> None:
        """Take the page at both widths; it never scrolls sideways, not on the narrowest phone."""
        folder = self.pictures if name in KEPT else self.folder
        for width in (NARROW, DESK, PHONE):
            resize(browser, width)
            file = folder / f"desk-{name}-{width}.png"
            size = picture(browser, file, TALL)
            assert size["width"] <= size["viewport"], f"{name} scrolls sideways at {width} px"
            if width == NARROW:
                file.unlink()
        resize(browser, DESK)


def wait(browser: webdriver.Chrome, css: str) -> None:
    """Wait until something is on the page, which looks again by itself."""
    WebDriverWait(browser, WAIT).until(lambda b: b.find_elements(By.CSS_SELECTOR, css))


def verify(browser: webdriver.Chrome, number: str, name: str) -> str:
    """Find the case by searching, verify it, sign; return the words that were on its page."""
    find(browser, "#query").send_keys("ရွာကိုမီးရှို့")  # spaces otherwise than it was typed
    press(browser, ".find button")
    assert len(browser.find_elements(By.CSS_SELECTOR, "a.case")) == 1
    press(browser, "a.case")
    assert number in find(browser, "h1").text
    read = find(browser, "main").text
    find(browser, ".side details:nth-of-type(4) summary").click()
    boxes = browser.find_elements(By.CSS_SELECTOR, "details[open] [type=checkbox]")
    boxes[0].click()
    press(browser, "details[open] button")
    press(browser, '.bar a[href="/sign"]')
    find(browser, "#passphrase").send_keys(f"demo-{name}")
    press(browser, "main form.card button")
    wait(browser, "a.case")
    return read


def state(story: Story, desk: str, name: str, tag: str) -> str:
    """Return what the export of a desk says of a case."""
    cases = json.loads(story.run(desk, "export", *story.a.here(name)))
    return str(next(case["state"] for case in cases if case["case"] == tag))


def shared(rows: list[Sealed], story: Story) -> Sealed:
    """Return the first row whose case is alice's and bob's."""
    cases = story.a.state("alice").cases
    return next(row for row in rows if cases.get(row.case) and cases[row.case].assigned[1] == "bob")


def testimonies() -> list[Sealed]:
    """Return twenty, each with a name in it."""
    rest = {**ANSWERS, "c_count": "yes", "c_verify": "yes", "left": "2021-08"}
    return [
        sealed_row(f"story {n}", {**rest, "account": f"{n}။ {NAME} နဲ့ အတူ ထွက်ခဲ့တယ်။"}) for n in range(20)
    ]


def play(folder: Path, pictures: Path) -> None:
    """Import by quorum, read, search, decide at two desks, merge, tally, export, redact."""
    interfaces = sorted(path.name for path in Path("/sys/class/net").iterdir())
    assert interfaces == ["lo"], f"there are other interfaces: {interfaces}"
    story = Story(folder, pictures)
    rows = testimonies()
    special = sealed_row("special", {**ANSWERS, "c_count": "yes", "account": f"{MINE} {NAME}"})
    chosen = story.a.bundle_for("alice", True, special, others=rows)
    both = [*story.a.here("alice"), *story.a.here("bob")]
    said = story.run("a", "import", chosen, "--package", story.a.root / PERIOD, *both)
    assert "21 in the bundle, 21 opened" in said
    case = story.a.state("alice").cases[special.case]
    tag, other = special.case.hex(), next(n for n in case.assigned if n != "alice")
    assert "came" in story.carry("a", "b", other)

    with story.pages("a", "alice") as browser:
        story.shot(browser, "inbox")
        read = verify(browser, tag[:8], "alice")
        assert MINE in read
        browser.get(f"http://{host(browser)}/case/{tag}")
        story.shot(browser, "one-voice")
    assert state(story, "a", "alice", tag) == "partial"

    story.carry("a", "b", other)
    assert state(story, "b", other, tag) == "partial"
    with story.pages("b", other) as browser:
        verify(browser, tag[:8], other)
        browser.get(f"http://{host(browser)}/case/{tag}")
        story.shot(browser, "verified")
        press(browser, '.bar a[href="/tally"]')
        story.shot(browser, "tally")
    story.carry("b", "a", "alice")
    for desk, name in (("a", "alice"), ("b", other)):
        assert state(story, desk, name, tag) == "verified"

    archive = ("--archive", story.a.root / "archive", *both)
    told = story.run("a", "tally", *archive, "--json", folder / "tally.json")
    assert "never publish" in told
    assert json.loads((folder / "tally.json").read_text())["tables"]["figures"]["counted"] == 1
    strike = folder / "strike"
    strike.write_text(f"{NAME}\n", encoding="utf-8")
    out = ("--strike", strike, "--out", folder / "redacted.html")
    story.run("a", "redact", tag[:8], "--keep", "account", *out, *story.a.here("alice"))
    page = (folder / "redacted.html").read_text(encoding="utf-8")
    assert MINE in page
    assert NAME not in page
    with chromium(folder, cookies=False) as browser:
        browser.get((folder / "redacted.html").as_uri())
        story.shot(browser, "redacted")


def host(browser: webdriver.Chrome) -> str:
    """Return the host and port of the page that is shown."""
    return browser.current_url.split("/")[2]


if __name__ == "__main__":
    os.umask(0o077)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may have it ignored
    play(Path(sys.argv[1]), Path(sys.argv[2]))
