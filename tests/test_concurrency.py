"""Posts go on while a keyring is installed, and while the day turns: no word is lost or misplaced.

Rules:
- What a source sees is taken from the answer, what is stored from the store. A row is opened with
  the identity of the period that it says, and with no other.
- A period reigns from the moment it may first be in force to the moment its end is known for
  certain: from the start of one installation to the return of the next. Whatever was sent outside
  of its reign must not be sealed to it.
- Nothing sleeps: the posts themselves say when to go on.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from intake import days, envelope, receipt, terminal, words
from intake.admin import exporting, install
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.keyring import Period
from intake.server import letterbox
from intake.server.letterbox import Letterbox
from intake.server.site import create_app
from intake.settings import ROOT
from tests import makers, spine
from tests.makers import FIRST, Deployment
from tests.mutants import Mutant
from tests.mutants.spine import ROTATION
from tests.site_maker import LEAST, ORIGIN, Site, browser, make_site, receipt_in
from tests.test_end_to_end import checkout

THREADS = 8
EACH = 100  # posts, at least, before and after each change
TAPS = 4  # at the same moment
FORMS = 25  # that are sent so
WAIT = 120  # seconds
CLOSED = "We cannot take letters just now"
WORDS = (
    "တပ်ရင်းမှူးက ရွာကို မီးရှို့ခိုင်းတယ်။ ကျွန်တော် မလုပ်ခဲ့ဘူး။",
    "ေျပာျပခ်င္တယ္ (Zawgyi)",
    "😔🙏🏽",
    "x" * 2000,
)
DAY = timedelta(days=1)

Send = Callable[[dict[str, object]], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Post:
    """What a source sent, when, and what came back."""

    seed: bytes
    words: str
    start: float
    end: float
    status: int
    page: str


@dataclass(frozen=True, slots=True)
class Reign:
    """When these periods of a keyring may be sealed to."""

    periods: frozenset[str]
    version: int
    start: float
    end: float

    def covers(self, post: Post) -> bool:
        """Return whether there was a moment of the post at which they reigned."""
        return self.start <= post.end and post.start <= self.end


@dataclass
class Crowd:
    """Sources who post at the same time, without a pause, until they are stopped."""

    posts: list[Post] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    stopped: bool = False

    @contextlib.contextmanager
    def posting(self, senders: Sequence[Send]) -> Iterator[None]:
        """Let each of ``senders`` post in a thread of its own while the block runs."""
        with ThreadPoolExecutor(len(senders)) as pool:
            running = [pool.submit(self._post, n, send) for n, send in enumerate(senders)]
            try:
                yield
            finally:
                self.stopped = True
            for one in running:
                one.result(WAIT)

    def wait(self) -> None:
        """Return when many more posts have been answered."""
        with self.news:
            enough = len(self.posts) + EACH
            assert self.news.wait_for(lambda: len(self.posts) >= enough, WAIT), "slow"

    def _post(self, thread: int, send: Send) -> None:
        number = 0
        while not self.stopped:
            seed = hashlib.sha256(f"{thread} {number}".encode()).digest()
            words = f"{thread}.{number} {spine.CANARY} {WORDS[number % len(WORDS)]}"[:2000]
            status = 503
            while status == 503 and not self.stopped:  # who reads "closed" tries again
                start = time.monotonic()
                status, page = send({"_seed": seed.hex(), **LEAST, "account": words})
                with self.news:
                    self.posts.append(Post(seed, words, start, time.monotonic(), status, page))
                    self.news.notify_all()
            number += 1


def check(
    site: Site, posts: Sequence[Post], reigns: Sequence[Reign], keys: dict[str, Identity]
) -> int:
    """See that every receipt has its row and every row its right period; return how many rows."""
    rows = {}
    for period in site.store.counts():
        for row, sealed in site.store.page(period, b"", 10**6):
            inside = json.loads(unseal(sealed, [keys[period]]))
            assert inside["nonce"] not in rows, "twice"
            rows[inside["nonce"]] = (row, period, inside)
    taken = [post for post in posts if post.status == 200]
    assert {receipt.nonce(post.seed).hex() for post in taken} == rows.keys(), "receipts and rows"
    assert len(taken) == len(rows), "receipts and rows"
    for post in taken:
        digits, nonce = receipt.receipt(post.seed), receipt.nonce(post.seed)
        row, period, inside = rows[nonce.hex()]
        version = inside["keyring"]["version"]
        answers = inside["body"]
        assert receipt_in(post.page) == digits, "receipt"
        reply = receipt.reply_secret(site.made.deployment, digits)
        assert (inside["reply"], inside["case"]) == (reply.hex(), receipt.case_tag(reply).hex())
        assert answers["answers"]["account"] == post.words, "words"
        canonical = json.dumps(answers, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert row == receipt.submission_id(nonce, canonical.encode()), "row"
        ruled = [one for one in reigns if one.covers(post)]
        assert any(period in one.periods and version == one.version for one in ruled), "dead period"
    for post in posts:
        if post.status != 200:
            assert post.status == 503, "status"
            assert CLOSED in post.page, "closed"
            assert post.words in unescape(post.page), "words lost"
            assert sum(one.covers(post) for one in reigns) > 1, "closed without a cause"
    return len(rows)


# A keyring is installed, which also replaces today's period.


def replacing(before: Deployment, name: str, today: date) -> Deployment:
    """Return the next keyring, whose one period begins today and replaces all others."""
    key = makers.identity(f"period {name}")
    last = before.keyring.expires
    period = Period(name, today, last, str(key.recipient()), {})
    new = before.follow(periods=[makers.attested(period, before.reviewers)])
    return replace(new, periods={name: key})


def over_http(address: str) -> Send:
    """Return what posts as a browser does, on a new connection each time."""

    def send(fields: dict[str, object]) -> tuple[int, str]:
        body = urlencode(fields, doseq=True)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://{address}",
        }
        with contextlib.closing(HTTPConnection(address, timeout=WAIT)) as connection:
            connection.request("POST", "/en", body, headers)
            answer = connection.getresponse()
            return answer.status, gzip.decompress(answer.read()).decode()

    return send


def installations(root: Path, folder: Path) -> int:
    """Install two keyrings under a real server that takes posts; check, return how many rows."""
    site = make_site(folder)
    today = days.clock()
    second = replacing(site.made, "second", today)
    third = replacing(second, "third", today)
    paths = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **paths}
    starts, ends, crowd = [time.monotonic()], [], Crowd()
    with spine.serve(root, environment) as address, crowd.posting([over_http(address)] * THREADS):
        crowd.wait()
        for made in (second, third):
            stick = folder / f"keyring-{made.keyring.version}"
            stick.write_bytes(made.raw)
            starts.append(time.monotonic())
            done = subprocess.run(
                [sys.executable, "-m", "intake.admin", "keyring", "install", stick],
                cwd=root,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=WAIT,
            )
            ends.append(time.monotonic())
            assert (done.returncode, "is in force" in done.stdout) == (0, True), done.stderr
            crowd.wait()
    ends.append(time.monotonic())
    line = (site.made, second, third)
    reigns = [
        Reign(frozenset(made.periods), made.keyring.version, start, end)
        for made, start, end in zip(line, starts, ends, strict=True)
    ]
    keys = {name: key for made in line for name, key in made.periods.items()}
    rows = check(site, crowd.posts, reigns, keys)
    refused = [post for post in crowd.posts if post.status != 200]
    assert rows + len(refused) == len(crowd.posts) >= 3 * EACH
    assert all(set(site.store.counts()) & reign.periods for reign in reigns), "a reign without rows"
    sys.stdout.write(f"{rows} rows {dict(site.store.counts())}, {len(refused)} told to try again\n")
    return rows


def test_posts_go_on_while_keyrings_are_installed(tmp_path: Path) -> None:
    assert installations(ROOT, tmp_path) > 2 * EACH


def test_a_form_sent_twice_at_the_same_moment_is_one_row(tmp_path: Path) -> None:
    """A double tap: both answers show the receipt, whichever worker each of them met."""
    site = make_site(tmp_path)
    paths = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **paths}
    together = threading.Barrier(TAPS)
    forms = [hashlib.sha256(b"tap %d" % number).digest() for number in range(FORMS)]

    def tap(send: Send) -> list[tuple[int, str]]:
        found = []
        for seed in forms:
            together.wait(WAIT)
            status, page = send({"_seed": seed.hex(), **LEAST, "account": WORDS[0]})
            found.append((status, receipt_in(page)))
        return found

    with spine.serve(ROOT, environment) as address, ThreadPoolExecutor(TAPS) as pool:
        shown = list(pool.map(tap, [over_http(address)] * TAPS))
    assert shown == [[(200, receipt.receipt(seed)) for seed in forms]] * TAPS
    assert site.store.counts().total() == FORMS


@pytest.mark.slow
@pytest.mark.parametrize("mutant", ROTATION.values(), ids=ROTATION.keys())
def test_a_server_that_does_not_follow_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    root = checkout(tmp_path / "checkout")
    mutant.apply(root)
    with pytest.raises(AssertionError) as caught:
        installations(root, tmp_path)
    assert str(caught.value).splitlines()[0] == mutant.caught_by


# The day turns, and with it the period.


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[date]:
    """Return the clock of this process; what stands in it last is the day."""
    now = [FIRST]
    monkeypatch.setattr(days, "clock", lambda: now[-1])
    return now


def in_process(site: Site) -> list[Send]:
    """Return browsers of one app, one for each thread."""
    app = create_app(site.settings)

    def visitor() -> Send:
        client = browser(app)

        def send(fields: dict[str, object]) -> tuple[int, str]:
            answer = client.post("/en", data=fields, headers=ORIGIN)
            return answer.status_code, answer.text

        return send

    return [visitor() for _ in range(THREADS)]


def turn(site: Site, clock: list[date]) -> int:
    """Let the day turn from the first week's last to the next; check, return how many rows."""
    first, second = site.made.keyring.periods
    clock.append(first.last)
    crowd, start = Crowd(), time.monotonic()
    with crowd.posting(in_process(site)):
        crowd.wait()
        before = time.monotonic()
        clock.append(second.first)
        after = time.monotonic()
        crowd.wait()
    reigns = [
        Reign(frozenset({first.name}), 1, start, after),
        Reign(frozenset({second.name}), 1, before, time.monotonic()),
    ]
    rows = check(site, crowd.posts, reigns, dict(site.made.periods))
    assert rows == len(crowd.posts) > EACH
    assert set(site.store.counts()) == {first.name, second.name}
    return rows


def test_the_day_turns_while_posts_go_on(tmp_path: Path, clock: list[date]) -> None:
    assert turn(make_site(tmp_path), clock) >= 2 * EACH


def test_a_site_that_does_not_see_the_day_turn_is_caught(
    tmp_path: Path, clock: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path)
    kept = Letterbox(site.settings).today()
    monkeypatch.setattr(letterbox, "load", lambda _: kept)
    with pytest.raises(AssertionError, match="dead period"):
        turn(site, clock)


# One post, and what happens in the middle of it.


def in_the_middle(patch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Let ``act`` happen once, when a post has been sealed and is not stored yet."""
    seal, pending = envelope.seal, [act]

    def sealed(*given: Any) -> bytes:  # noqa: ANN401 - as the real one
        done = seal(*given)
        while pending:
            pending.pop()()
        return done

    patch.setattr(envelope, "seal", sealed)


def put_in_force(site: Site, made: Deployment) -> Callable[[], object]:
    """Return what installs a keyring."""
    return lambda: install.install(site.settings, [made.raw], lambda _: None)


def one_post(site: Site) -> tuple[Post, Reign]:
    """Post once; return the post, and a reign that begins when it has ended."""
    seed = bytes(32)
    (send, *_) = in_process(site)
    start = time.monotonic()
    status, page = send({"_seed": seed.hex(), **LEAST, "account": WORDS[0]})
    end = time.monotonic()
    return Post(seed, WORDS[0], start, end, status, page), Reign(frozenset(), 0, start, end)


def test_what_is_sealed_when_a_keyring_is_installed_is_sealed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its old key may be gone by the time that the row would be there."""
    site = make_site(tmp_path)
    second = replacing(site.made, "second", days.clock())
    in_the_middle(monkeypatch, put_in_force(site, second))
    post, reign = one_post(site)
    reign = replace(reign, periods=frozenset({"second"}), version=2)
    assert check(site, [post], [reign], dict(second.periods)) == 1
    shown = words.fingerprint(second.keyring.sha256).split(", ")
    assert all(f"<li>{group}</li>" in post.page for group in shown)  # of the one it was sealed by


def test_what_is_sealed_when_the_day_turns_is_sealed_again(
    tmp_path: Path, clock: list[date], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path)
    first, second = site.made.keyring.periods
    clock.append(first.last)
    in_the_middle(monkeypatch, lambda: clock.append(second.first))
    post, reign = one_post(site)
    reign = replace(reign, periods=frozenset({second.name}), version=1)
    assert check(site, [post], [reign], dict(site.made.periods)) == 1


def test_what_is_sealed_when_the_site_closes_is_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site(tmp_path)
    in_the_middle(monkeypatch, put_in_force(site, site.made.follow(periods=[])))
    post, reign = one_post(site)
    assert post.status == 503
    assert check(site, [post], [reign, reign], {}) == 0


@pytest.mark.parametrize("command", ["install", "export"])
def test_a_command_waits_for_the_rows_that_are_being_stored(tmp_path: Path, command: str) -> None:
    """A new keyring, and a bundle that says that nothing is left, come after them."""
    site = make_site(tmp_path)
    second = replacing(site.made, "second", days.clock())
    act = put_in_force(site, second)
    if command == "export":
        act()
        old = site.made.keyring.periods[0].name
        run = exporting.Export(site.settings, tmp_path, terminal.progress)
        act = lambda: list(run.run(old, empty=True))  # noqa: E731 - one of two
    with ThreadPoolExecutor(1) as pool:
        with site.store.transaction():
            waiting = pool.submit(act)
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
        assert waiting.result(WAIT)
