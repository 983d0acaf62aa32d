"""The site, through Flask's own client: what comes back, what is stored, and what never is."""

from __future__ import annotations

import html
import json
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.lines import count
from intake import canonical, days, declaration, envelope, installed, keyring, words
from intake.age.unsealing import unseal
from intake.errors import BadKeyring, MachineTrouble, NoRoom, Unsafe
from intake.form import Form
from intake.settings import FORM, ROOT
from intake.store import Store
from intake.wording import NUMERALS, OFFERED
from tests.boundaries import ABSENT, CLOSED, within
from tests.makers import make_deployment
from tests.site_maker import LEAST, ORIGIN, Site, make_site, receipt_in, seed_in, submit

CANARY = "ကျွန်ုပ်တို့ canary"
BURMESE = "တပ်ရင်းမှူးက ပစ်ခိုင်းတယ်။\r\n\r\nကျွန်တော် မပစ်ခဲ့ပါ။ 😀"
ZAWGYI = "ေျပာျပခ်င္တယ္"
PAGE_LIMIT = 16 * 1024  # bytes of a page on the wire, whatever is on it
HEADERS_LIMIT = 1024  # bytes
AUDIT_LIMITS = {"site": 1220, "returns": 2080}  # lines from form field to stored row, and back
LIMITS = {"account": 2000, "vet_hint": 300}
ELSEWHERE = f"{'e' * 56}.onion"
URLENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


@pytest.fixture
def client(site: Site) -> FlaskClient:
    """A browser on it."""
    return site.client()


def rows(site: Site) -> list[tuple[bytes, bytes]]:
    """Return all rows of all periods."""
    return [row for period in site.store.counts() for row in site.store.page(period, b"", 10**6)]


def open_row(site: Site, sealed: bytes) -> bytes:
    """Open a row with the period's identity, which the server never has."""
    return unseal(sealed, list(site.made.periods.values()))


class Links(HTMLParser):
    """Collect what a page could make a browser do."""

    def __init__(self, page: str) -> None:
        """Parse ``page``."""
        super().__init__()
        self.tags: set[str] = set()
        self.urls: list[str] = []
        self.handlers: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, its URLs and its event handlers."""
        self.tags.add(tag)
        for name, value in attrs:
            if name in {"href", "src", "action", "srcset", "poster", "data", "formaction"}:
                self.urls.append(value or "")
            if name.startswith("on") or name == "style":
                self.handlers.append(name)


def test_one_request_and_its_size(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole form in one request, of 16 KiB and the headers."""
    client = site.client()
    sizes = {}
    for path in ("/", "/en"):
        answer = client.get(path)
        headers = len(str(answer.headers)) + len("HTTP/1.1 200 OK\r\n")
        requests = [
            url for url in Links(answer.text).urls if not url.startswith(("data:", "#", "/"))
        ]
        assert requests == []
        assert answer.content_length == PAGE_LIMIT
        assert headers < HEADERS_LIMIT
        sizes[path] = PAGE_LIMIT + headers
    with capsys.disabled():
        sys.stdout.write(
            f"\n  the form on the wire: 1 request, {sizes['/']} bytes (my), {sizes['/en']} (en)\n"
        )


@pytest.mark.parametrize("path", ["/", "/en", "/nowhere"])
def test_headers_and_nothing_that_runs(site: Site, path: str) -> None:
    """Strict headers on every page; no script, handler, inline style or foreign URL (12, 13)."""
    answer = site.client().get(path)
    found = Links(answer.text)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert not {"Set-Cookie", "Date", "Server", "ETag", "Last-Modified"} & set(
        answer.headers.keys()
    )
    assert not found.tags & {"script", "iframe", "object", "embed", "img", "video", "form[action]"}
    assert found.handlers == []
    starts = "|".join(f"/{language}" for language in OFFERED[1:])
    ours = re.compile(rf"/|({starts})(/back|/exit)?|/back|/exit|#(Cover|[a-z_]*)|data:,")
    assert [url for url in found.urls if not ours.fullmatch(url)] == []


def test_words_arrive_as_typed(site: Site) -> None:
    """What is stored opens to exactly what was typed, after CRLF to LF."""
    answer = submit(site.client(), account=BURMESE, vet_hint=ZAWGYI, unit_no="၅၂၈")
    ((row, sealed),) = rows(site)
    plaintext = open_row(site, sealed)
    body = envelope_body(plaintext)
    assert answer.status_code == 200
    assert body["account"] == BURMESE.replace("\r\n", "\n")
    assert body["vet_hint"] == ZAWGYI
    assert body["unit_no"] == "528"
    assert len(plaintext) == envelope.PLAINTEXT
    assert CANARY.encode() not in sealed
    assert len(row) == 16


def envelope_body(plaintext: bytes) -> dict[str, str]:
    """Return the answers, read by a stock JSON parser."""
    answers: dict[str, str] = json.loads(plaintext)["body"]["answers"]
    return answers


def test_same_form_twice_is_one_row_also_after_a_restart(site: Site) -> None:
    """One row and the same receipt; other words are another row of the case."""
    first = site.client()
    seed = seed_in(first.get("/").text)
    receipts = {receipt_in(submit(first, seed=seed, account=BURMESE).text) for _ in range(2)}
    again = site.client()  # a new process in all but name: no state is shared
    receipts.add(receipt_in(submit(again, path="/en", seed=seed, account=BURMESE).text))
    assert len(rows(site)) == 1
    other = receipt_in(submit(again, seed=seed, account="အခြား").text)
    assert receipts == {other}
    assert len(rows(site)) == 2
    opened = [open_row(site, sealed) for _, sealed in rows(site)]
    assert len({re.search(rb'"case":"(\w+)"', text)[1] for text in opened if text}) == 1  # type: ignore[index]


def test_rows_of_200_submissions_have_one_size(site: Site) -> None:
    """From empty to every limit, in any script, one size."""
    client = site.client()
    alphabet = ("", "က", "😀", "\x01", "a\r\n", "ေျ", "\u202e", "ၵႃႈ")
    for number in range(200):
        filling = alphabet[number % len(alphabet)]
        length = [0, 1, 50, 2000][number // len(alphabet) % 4]
        text = (filling * length)[: length if "\r" not in filling else 2000]
        sent = {key: text[:limit] for key, limit in LIMITS.items()}
        assert submit(client, seed=f"{number:064x}", **sent).status_code == 200
    sizes = {len(sealed) for _, sealed in rows(site)}
    assert sizes == {envelope.SEALED}
    assert len(rows(site)) == 200


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    texts=st.fixed_dictionaries({k: st.text(max_size=n * 5 // 4) for k, n in LIMITS.items()}),
    number=st.sampled_from(["၅၂၈", "x", "12345678"]),
)
def test_nothing_typed_is_lost_on_an_error(
    site: Site, client: FlaskClient, texts: dict[str, str], number: str
) -> None:
    """Up to 1.25 times each limit, everything typed comes back in its field."""
    # What a browser sends: CRLF for line ends. A page cannot hold U+0000, nor a lone CR.
    texts = {
        k: t.replace("\0", "").replace("\r", "").replace("\n", "\r\n") for k, t in texts.items()
    }
    sent = {"intent": ["certify", "skip"], "urgency": "today", "unit_no": number, "rank": "SGT"}
    seed = "ab" * 32
    answer = client.post(
        "/en", data={"_seed": seed, **sent, **texts, "left-year": "2021"}, headers=ORIGIN
    )
    page = answer.text
    assert answer.status_code == 400
    assert seed_in(page) == seed
    shown = re.search(r'<textarea[^>]*name="account"[^>]*>\r?\n(.*?)</textarea>', page, re.DOTALL)
    assert shown is not None
    assert html.unescape(shown[1]) == texts["account"]
    assert html.escape(texts["vet_hint"], quote=False)[:50] in page.replace("&#34;", '"').replace(
        "&#39;", "'"
    )
    assert f'value="{html.escape(number)}"' in page
    for code in ("certify", "skip"):
        assert f'<input type="checkbox" name="intent" value="{code}" checked>' in page
    assert '<option value="2021" selected>' in page
    assert rows(site) == []


def test_errors_stand_beside_their_fields_and_in_a_linked_summary(site: Site) -> None:
    """A person at a screen reader finds the way from the summary to the field."""
    page = submit(site.client(), path="/en", consent_store="", account="x" * 2001).text
    for key in ("consent_store", "account"):
        assert f'<a href="#{key}">' in page
        assert f'id="{key}"' in page
        assert f'id="{key}-e"' in page
        assert re.search(rf'aria-describedby="[^"]*{key}-e', page)


def test_what_need_not_be_answered_is_folded_until_it_is(site: Site, client: FlaskClient) -> None:
    """A part with a needed question, an answer or an error is open; at first the warnings, too."""

    def opened(page: str) -> set[str]:
        parts = re.findall(r"<section>\n<details( open)?>(.*?)</section>", page, re.DOTALL)
        keys = [(is_open, re.findall(r' name="([a-z_]+)', part)[0]) for is_open, part in parts]
        assert len(keys) == len(Form.load(FORM).sections)
        return {key for is_open, key in keys if is_open}

    needed = {"intent", "force", "consent_store"}
    assert opened(client.get("/en").text) == {"device", *needed}
    assert opened(submit(client, "/en", force="").text) == needed
    assert opened(submit(client, "/en", force="", account=BURMESE).text) == {"happened", *needed}
    assert opened(submit(client, "/en", **{"left-day": "3"}).text) == {"posted", *needed}
    assert len(rows(site)) == 0


def test_the_form_says_what_it_cannot_promise_and_chooses_nothing(site: Site) -> None:
    """Each risk that stays, and how to withdraw, before the first question; every consent is no."""
    page = site.client().get("/en").text
    before = page.partition('name="device"')[0]
    for said in (
        *("cannot promise help", "can read what you type", "can see that you use Tor"),
        *("Did your unit give it to you?", "take your words back", "“New Identity”"),
    ):
        assert said in before
    assert not re.search(r"<(input|option)[^>]* (checked|selected)", page)


@pytest.mark.parametrize("language", ["my", "en"])
def test_every_answer_speaks_the_language_of_its_path(site: Site, language: str) -> None:
    """Burmese at /, English at /en, on forms, errors and notices."""
    client = site.client()
    path = "/" if language == "my" else f"/{language}"
    pages = [client.get(path), submit(client, path), submit(client, path, force="?")]
    pages.append(client.post(path, data={}))
    for answer in pages:
        assert f'<html lang="{language}">' in answer.text
        assert bool(re.search("[က-အ]{2}", Links.__name__ + strip_tags(answer.text))) == (
            language == "my"
        )


def strip_tags(page: str) -> str:
    """Return a page's text, without the switch to the other language."""
    return re.sub(r"<nav>.*?</nav>|<[^>]+>", "", page, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "https://localhost"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": f"http://{ELSEWHERE}"}, 403),
        ({"Origin": f"http://localhost.{ELSEWHERE}"}, 403),
        ({"Origin": f"http://{ELSEWHERE}", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Referer": "http://localhost/"}, 403),
    ],
)
def test_only_our_own_page_may_post(site: Site, headers: dict[str, str], status: int) -> None:
    """Property 15, at the level of headers."""
    client = site.client()
    sent = {"_seed": seed_in(client.get("/").text), **LEAST}
    assert client.post("/", data=sent, headers=headers).status_code == status
    assert len(rows(site)) == (status == 200)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"account=%ff%fe", URLENCODED, 400),
        (b"account=%ED%A0%80", URLENCODED, 400),
        ("account=သက်သေ".encode(), URLENCODED, 400),
        (b"account=a;b&&", URLENCODED, 400),
        (b"nothing", URLENCODED, 400),
        (b"a=1&" * 2000 + b"a=1", URLENCODED, 400),
        (b"account=" + b"a" * 10**6, URLENCODED, 413),
        (b"account=canary", "text/plain", 415),
        (b"account=canary", f"{URLENCODED}; charset=utf-16", 415),
        (
            b'--x\r\nContent-Disposition: form-data; name="account"\r\n\r\ncanary\r\n--x--',
            "multipart/form-data; boundary=x",
            415,
        ),
        (b"{}", "application/json", 415),
    ],
)
def test_what_no_page_of_ours_sends_gets_one_constant_page(
    site: Site, body: bytes, kind: str, status: int
) -> None:
    """Refused, not repaired; nothing echoed; nothing stored; the same page every time."""
    client = site.client()
    answers = [client.post("/en", data=body, content_type=kind, headers=ORIGIN) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].data == answers[1].data
    assert "Nothing was stored" in answers[0].text
    assert "canary" not in answers[0].text
    assert "\ufffd" not in answers[0].text
    assert rows(site) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"surprise": "x"},
        {"force": ["army", "navy"]},
        {"account": ["a", "b"]},
        {"rank": "not-a-rank"},
        {"unit_no": "1234567"},
        {"left-year": "2021", "left-month": "2", "left-day": "30"},
        {"left-day": "3"},
        {"consent_store": ""},
    ],
)
def test_fields_that_cannot_be_right_are_named(site: Site, fields: dict[str, Any]) -> None:
    """Unknown, doubled, impossible or missing: the form comes back, and nothing is stored."""
    answer = submit(site.client(), path="/en", **fields)
    assert answer.status_code == 400
    assert 'id="errors"' in answer.text
    assert rows(site) == []


@pytest.mark.parametrize(
    "seed", ["", "zz" * 32, "ab" * 31, "ab" * 33, "AB" * 32, " " + "ab" * 32, "ab " * 32, None]
)
def test_a_damaged_seed_loses_nothing(site: Site, seed: str | None) -> None:
    """A new seed, the words back, nothing stored."""
    sent = {**LEAST, "account": CANARY} | ({} if seed is None else {"_seed": seed})
    answer = site.client().post("/en", data=sent, headers=ORIGIN)
    assert answer.status_code == 400
    assert CANARY in answer.text
    assert seed_in(answer.text) != seed
    assert rows(site) == []


def _no_keyring(site: Site) -> None:
    site.settings.keyring.unlink()


def _never_installed(site: Site) -> None:
    (site.settings.installed).unlink()


def _forged(site: Site) -> None:
    stranger = make_deployment(first=site.made.keyring.issued, weeks=2, label="stranger")
    site.settings.keyring.write_bytes(stranger.raw)


def _unsigned(site: Site) -> None:
    site.settings.keyring.write_bytes(site.made.raw.split(b"\n")[0] + b"\n")


def _expired(site: Site) -> None:
    past = days.clock() - timedelta(days=60)
    site.install(make_deployment(first=past - timedelta(days=past.weekday()), weeks=2))


def _expired_within_a_period(site: Site) -> None:
    today = days.clock()
    monday = today - timedelta(days=today.weekday() + 7)
    site.install(make_deployment(first=monday, weeks=3, expires=today - timedelta(days=1)))


def _issued_tomorrow_for_this_week(site: Site) -> None:
    site.install(site.made.follow(issued=(days.clock() + timedelta(days=1)).isoformat()))


def _not_yet(site: Site) -> None:
    site.install(make_deployment(first=days.clock() + timedelta(days=30), weeks=2))


def _flipped(site: Site) -> None:
    data = bytearray(site.made.raw)
    data[100] ^= 1
    site.settings.keyring.write_bytes(data)


@pytest.mark.parametrize(
    "spoil",
    [
        *(_no_keyring, _never_installed, _forged, _unsigned, _flipped),
        *(_expired, _expired_within_a_period, _not_yet, _issued_tomorrow_for_this_week),
    ],
)
def test_closed_without_a_valid_keyring(site: Site, spoil: Callable[[Site], None]) -> None:
    """Closed with a sentence; a POST gets its words back; it opens again without a restart."""
    client = site.client()
    seed = seed_in(client.get("/en").text)
    spoil(site)
    shown = client.get("/en")
    posted = submit(client, path="/en", seed=seed, account=CANARY)
    assert (shown.status_code, posted.status_code) == (503, 503)
    assert "We cannot take letters just now" in shown.text
    assert CANARY in posted.text
    assert rows(site) == []
    site.install(site.made)
    (site.settings.data / "floor").unlink(missing_ok=True)
    assert submit(client, seed=seed).status_code == 200


def compared(page: str) -> tuple[str, str] | None:
    """Return the heading and the words at the foot of a page, or None if it has none."""
    found = re.search(r"<aside>\n<h2>(.*?)</h2>\n(.*?)</aside>", page, re.DOTALL)
    if found is None:
        return None
    listed = re.search(r'<ol lang="en">\n((?:<li>.*</li>\n)+)</ol>', found[2])
    assert listed is not None
    return found[1], ", ".join(re.findall("<li>(.*)</li>", listed[1]))


@pytest.mark.parametrize(("path", "heading"), [("/", "သော့တွဲ နံပါတ် {}"), ("/en", "Keyring {}")])
def test_the_words_of_the_keyring_in_force_are_at_the_foot(
    site: Site, path: str, heading: str
) -> None:
    """On the form, an error, the receipt and the closed page; a new keyring's, once installed."""
    client = site.client()
    for made in (site.made, site.made.follow()):
        site.install(made)
        number = str(made.keyring.version)
        numeral = number.translate(NUMERALS["my"]) if path == "/" else number
        expected = heading.format(numeral), words.fingerprint(made.keyring.sha256)
        pages = [client.get(path), submit(client, path), submit(client, path, force="?")]
        assert [answer.status_code for answer in pages] == [200, 200, 400]
        assert [compared(answer.text) for answer in pages] == [expected] * 3
    _not_yet(site)
    closed = client.get(path)
    assert closed.status_code == 503
    shown = compared(closed.text)
    assert shown is not None
    assert shown[1] == words.fingerprint(keyring.parse(site.settings.keyring.read_bytes()).sha256)


@pytest.mark.parametrize("spoil", [_no_keyring, _never_installed, _forged, _unsigned, _flipped])
def test_where_no_keyring_is_in_force_there_are_no_words(
    site: Site, spoil: Callable[[Site], None]
) -> None:
    """Also where there were some before, in the same process."""
    client = site.client()
    seed = seed_in(client.get("/").text)
    spoil(site)
    closed, kept = client.get("/"), submit(client, seed=seed, account=BURMESE)
    assert (closed.status_code, kept.status_code) == (503, 503)
    assert not any("<aside>" in answer.text for answer in (closed, kept))


def test_words_are_only_where_a_source_may_look_for_them(site: Site) -> None:
    """What somebody sent by mistake or in malice gets the same page as without a keyring."""
    client = site.client()
    assert compared(client.get("/").text)
    pages = [client.get("/nowhere"), client.post("/", data={}), client.put("/")]
    pages.append(client.post("/", data=b"{}", content_type="text/plain", headers=ORIGIN))
    assert [answer.status_code for answer in pages] == [404, 403, 405, 415]
    assert not any("<aside>" in answer.text for answer in pages)


def test_whoever_writes_the_record_chooses_the_words_but_runs_nothing(site: Site) -> None:
    """The site shows them as text (docs/THREATS.md); every tool of the admin refuses them."""
    record = json.loads(site.settings.installed.read_bytes())
    hostile = "<script>alert(1)</script>, ဗမာ \" ' &, 😀"
    for other in (hostile, 7, None, ["<b>"], ""):
        site.settings.installed.write_bytes(canonical.dump({**record, "words": other}))
        page = site.client().get("/").text
        shown = compared(page)
        assert shown is not None
        assert html.unescape(shown[1]) == str(other)
        assert "<script" not in page
        assert "<b>" not in page
        with pytest.raises(BadKeyring):
            installed.load(site.settings)
    del record["words"]
    site.settings.installed.write_bytes(canonical.dump(record))
    assert site.client().get("/").status_code == 503


def test_a_clock_set_back_never_seals_to_a_period_that_is_over(site: Site) -> None:
    """The site has acted in the second week; the clock says that it is the first again."""
    _, second = site.made.keyring.periods
    days.write_floor(site.settings, second.first)
    assert submit(site.client()).status_code == 200
    assert list(site.store.counts()) == [second.name]


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (NoRoom("full", ""), "Nothing was stored"),
        (MachineTrouble("the last sync failed", ""), "We cannot be sure that it was stored"),
    ],
)
def test_a_store_that_fails_loses_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch, trouble: MachineTrouble, told: str
) -> None:
    """The words come back, and the page says that nothing was stored only where it knows that."""
    client = site.client()
    seed = seed_in(client.get("/en").text)

    def full(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(Store, "add", full)
    answer = submit(client, path="/en", seed=seed, account=CANARY)
    assert answer.status_code == 503
    assert told in answer.text
    assert CANARY in answer.text
    monkeypatch.undo()
    assert submit(client, seed=seed, account=CANARY).status_code == 200
    assert len(rows(site)) == 1


def test_a_disk_that_is_really_full(site: Site) -> None:
    """The kernel refuses the write: nothing is said for certain, nothing lost, and then stored."""
    client = site.client()
    seed = seed_in(client.get("/en").text)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (site.settings.data / "intake.db").stat().st_size
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))  # no file grows beyond this
    try:
        answer = submit(client, path="/en", seed=seed, account=CANARY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert answer.status_code == 503
    assert "We cannot be sure that it was stored" in answer.text
    assert CANARY in answer.text
    assert rows(site) == []
    assert submit(client, path="/en", seed=seed, account=CANARY).status_code == 200
    assert len(rows(site)) == 1


@pytest.mark.parametrize("place", ["self_check", "seal"])
def test_a_defect_says_nothing(
    site: Site, place: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception that holds a source's words reaches no answer, log or stream (10)."""
    client = site.client()
    seed = seed_in(client.get("/en").text)

    def broken(*_: object) -> None:
        raise ValueError(CANARY)

    monkeypatch.setattr(envelope, place, broken)
    fresh = site.client()  # a new app has not yet checked itself
    answer = submit(fresh, path="/en", seed=seed, account=CANARY)
    assert answer.status_code == 500
    assert CANARY not in answer.text
    assert capfd.readouterr() == ("", "")
    assert rows(site) == []


@pytest.mark.parametrize("name", ["keys", "data"])
def test_a_secret_on_the_server_stops_it(site: Site, name: str) -> None:
    """Property 24: an identity, a locked key or a root's seed where none may be."""
    identity = next(iter(site.made.periods.values())).encode()
    (site.settings.data.parent / name / "note.txt").write_text(f"# x\n{identity}\n")
    with pytest.raises(Unsafe) as refused:
        site.client()
    assert identity not in str(refused.value)


def test_another_group_replaces_the_form_with_one_file_and_one_setting(tmp_path: Path) -> None:
    """A form of two questions, in its own words, through the whole site."""
    own = tmp_path / "own.toml"
    own.write_text(
        'id = "river"\nversion = 3\ntitle = "မြစ်"\n[[section]]\nkey = "s"\ntitle = "S"\n'
        '[[section.question]]\nkey = "what"\nkind = "text"\nlimit = 10\nrequired = true\n'
        'label = "What about the river?"\n',
        encoding="utf-8",
    )
    site = make_site(tmp_path, own)
    client = site.client()
    page = client.get("/").text
    sent = {"_seed": seed_in(page), "what": "ရေ"}
    assert "What about the river?" in page
    assert client.post("/", data=sent, headers=ORIGIN).status_code == 200
    ((_, sealed),) = rows(site)
    assert '{"answers":{"what":"ရေ"},"form":"river","version":3}'.encode() in open_row(site, sealed)


@pytest.mark.parametrize("key", ["check", "declaration", "holding", "meta", "process", "trouble"])
def test_a_question_may_have_any_key(tmp_path: Path, key: str) -> None:
    """A key is data. It must not take the place of what the form's class does."""
    path = tmp_path / "own.toml"
    path.write_text(
        'id = "own"\nversion = 1\ntitle = "T"\n[[section]]\nkey = "s"\ntitle = "S"\n'
        f'[[section.question]]\nkey = "{key}"\nkind = "text"\nlabel = "L"\nlimit = 9\n'
    )
    declaration.check(path)
    client = make_site(tmp_path, path).client()
    page = client.get("/en").text
    assert 'role="alert"' not in page
    fields = {"_seed": seed_in(page), key: "ten letters"}
    answer = client.post("/en", data=fields, headers=ORIGIN)
    assert (answer.status_code, "ten letters" in answer.text) == (400, True)
    answer = client.post("/en", data={**fields, key: "few"}, headers=ORIGIN)
    assert receipt_in(answer.text)


def test_the_declared_form_is_whole_on_the_page(site: Site) -> None:
    """Every wire name and every code of the declaration is on the page, and nothing else is."""
    form = Form.load(FORM)
    page = site.client().get("/en").text
    names = set(re.findall(r' name="([^"]+)"', page)) - {"viewport", "robots"}
    assert names == {"_seed", "_fill", *form.names()}
    for question in form.questions():
        for code in question.codes():
            assert f'value="{code}"' in page


@pytest.mark.parametrize("app", sorted(AUDIT_LIMITS))
def test_the_audit_path_fits_one_sitting(
    site: Site, app: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """All our modules loaded by a server that took a POST; of letters alone, and whole."""
    script = (
        "import sys\n"
        "from intake.settings import Settings\n"
        f"from intake.server.{app} import create_app\n"
        "client = create_app(Settings.from_environment()).test_client(use_cookies=False)\n"
        "import gzip, re\n"
        "page = gzip.decompress(client.get('/').data).decode()\n"
        'seed = re.search(r\'name="_seed" value="(\\w+)"\', page)[1]\n'
        f"sent = {{'_seed': seed, **{LEAST!r}}}\n"
        f"answer = client.post('/', data=sent, headers={ORIGIN!r})\n"
        "assert answer.status_code == 200, answer.status\n"
        "mine = [m for m in sys.modules if m.split('.')[0] == 'intake']\n"
        "print('\\n'.join(sys.modules[m].__file__ for m in mine))\n"
    )
    environment = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    sizes = {Path(line).relative_to(ROOT): count(Path(line)) for line in done.stdout.splitlines()}
    with capsys.disabled():
        sys.stdout.write(
            f"\n  audit path, {app}: {sum(sizes.values())} lines, {len(sizes)} modules\n"
        )
    assert sum(sizes.values()) <= AUDIT_LIMITS[app], sizes
    assert (Path("intake/zawgyi.py") in sizes) == (app == "returns")  # what only replies need
    closed = CLOSED if app == "site" else ABSENT
    assert not [path for path in sizes if within(".".join(path.with_suffix("").parts), closed)]
    assert len(rows(site)) == 1
