"""The way back: what a receipt opens, what it adds, and what nobody learns from asking."""

from __future__ import annotations

import itertools
import random
import re
import secrets
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from intake import days, receipt, reply
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.desk import opened
from intake.envelope import WITHDRAWAL, WORDS, Envelope
from intake.errors import BadFile, MachineTrouble
from intake.reply import Reply
from intake.server import mailbox as reading
from intake.server import returns, slowly, typed
from intake.server.returns import LONGEST
from intake.store import Store
from intake.wording import OFFERED, Wording
from intake.zawgyi import to_zawgyi
from tests.site_maker import ORIGIN, Site, make_site, seed_in
from tests.upload_maker import KIND, body, file, first
from tests.way_back import answer, boxes, letter, mailbox, masked, page_of, post

CANARY = "ပြန်လာသူ canary"
BURMESE = "တပ်ရင်းမှူးက ပစ်ခိုင်းတယ်။\n\nကျွန်တော် မပစ်ခဲ့ပါ။ 😀"
ZAWGYI = "ေျပာျပခ်င္တယ္"
POSTS = ("back", "words", "file", "withdraw")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


@pytest.fixture
def client(site: Site) -> FlaskClient:
    """A browser on it."""
    return site.client()


def envelopes(site: Site) -> list[Envelope]:
    """Open all rows with the periods' identities, as the desk reads them."""
    pairs = [p for period in site.store.counts() for p in site.store.page(period, b"", 10**6)]
    identities, found = list(site.made.periods.values()), []
    for row, sealed in pairs:
        one = opened.parse(unseal(sealed, identities))
        assert opened.is_bound(row, one)
        found.append(one)
    return found


def titles(html: str) -> list[str]:
    """Return the headings of a page."""
    return re.findall(r"<h[12]>(.*?)</h[12]>", html)


# What is typed.


@pytest.mark.parametrize(
    "spell",
    [
        lambda digits: digits,
        lambda digits: " ".join(receipt.groups(digits)),
        lambda digits: "-".join(receipt.groups(digits)),
        lambda digits: digits.translate({48 + n: chr(0x1040 + n) for n in range(10)}),
        lambda digits: digits.translate({48 + n: chr(0x1090 + n) for n in range(10)}),
        lambda digits: f"\u200b {digits[:9]}\u00a0\u2014 {digits[9:12]}\n\t{digits[12:]}\u104b ",
        lambda digits: (
            digits[:8] + chr(0x1040 + int(digits[8])) + chr(0x1090 + int(digits[9])) + digits[10:]
        ),
    ],
    ids=["plain", "groups", "hyphens", "burmese", "shan", "any spacing", "mixed numerals"],
)
def test_a_receipt_is_read_however_it_is_typed(
    site: Site, client: FlaskClient, spell: Callable[[str], str]
) -> None:
    digits = letter(client)
    answer(site, digits, BURMESE)
    found = post(client, "/en/back", receipt=spell(digits))
    assert found.status_code == 200
    assert BURMESE.splitlines()[0][:20] in found.text


def test_a_letter_wa_in_a_receipt_is_a_zero() -> None:
    digits = "0" * 23 + receipt.check_digit("0" * 23)
    assert typed.read("\u101d\u1040\u1090\u0030" * 5 + "\u101d" * 3 + digits[-1]) == digits


def test_a_mistyped_receipt_is_told_by_its_check_digit_alone(client: FlaskClient) -> None:
    digits = letter(client)
    other = str((int(digits[5]) + 1) % 10)
    long = typed.LONGEST
    for wrong in (
        digits[:5] + other + digits[6:],
        digits[:-1],
        digits + "0",
        "",
        "\0" * 24,
        "၁" * 23,
        "a" * 24,
        "²" * 24,
        digits + " " * long,
        f"{digits[:12]}x{digits[12:]}",
        "१" * 24,
    ):
        found = post(client, "/en/back", receipt=wrong)
        assert found.status_code == 400, wrong
        assert "This cannot be a receipt" in found.text
    assert post(client, "/en/back", other=digits).status_code == 400
    assert (
        client.post("/en/back", data={"receipt": [digits, digits]}, headers=ORIGIN).status_code
        == 400
    )
    huge = client.post("/en/back", data={"receipt": "1" * (10 << 20)}, headers=ORIGIN)
    assert huge.status_code == 413
    assert len({page.content_length for page in (huge, found)}) == 1


# What is shown.


def test_replies_are_shown_oldest_first_and_escaped(
    site: Site, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(returns, "MOST", 4)
    digits, day = letter(client), days.clock()
    answer(site, digits, "<b>နောက်ဆုံး</b>", ZAWGYI, day=day)
    box = mailbox(site, digits)
    to = Identity.from_seed(box.seed).recipient()
    early = Reply(reply.REPLY, day - timedelta(days=3), 7, "အရင်ဆုံး 😀\nsecond line")
    boxes(site).put([(box.id, secrets.token_bytes(16), reply.seal(early, to))])
    found = page_of(client, digits)
    order = ["အရင်ဆုံး 😀", "people have opened it", "&lt;b&gt;နောက်ဆုံး&lt;/b&gt;", ZAWGYI[:10]]
    places = [found.text.index(text) for text in order]
    assert places == sorted(places)
    assert "<b>" not in found.text
    assert found.content_length == 16384


def test_on_the_page_in_zawgyi_a_reply_is_in_zawgyi_too(site: Site, client: FlaskClient) -> None:
    digits, shown = letter(client, "/my-Qaag"), to_zawgyi(BURMESE)
    assert shown != BURMESE
    answer(site, digits, BURMESE, "Plain English, & <b>bold</b>.")
    found = page_of(client, digits, "/my-Qaag").text
    assert shown in found
    assert BURMESE not in found
    assert "Plain English, &amp; &lt;b&gt;bold&lt;/b&gt;." in found
    for path in ("", "/en"):
        assert BURMESE in page_of(client, digits, path).text
    # What a source typed comes back as it was typed, in whatever it was.
    for typed_back in (BURMESE, ZAWGYI):
        sent = post(client, "/my-Qaag/words", receipt=digits, words=typed_back)
        assert sent.status_code == 400
        assert typed_back in sent.text


def test_what_does_not_open_or_is_no_reply_is_passed_over(site: Site, client: FlaskClient) -> None:
    digits = letter(client)
    box, stranger = mailbox(site, digits), Identity.generate().recipient()
    to = Identity.from_seed(box.seed).recipient()
    decoy = reply.seal(Reply(reply.NOTICE, days.clock()), stranger)
    from intake.age.sealing import seal  # noqa: PLC0415 - what no desk of ours seals

    other = seal(b'{"day":"2026-01-01"}'.ljust(reply.PLAINTEXT), [to])
    rows = [decoy, other, b"", b"\0" * reply.SEALED]
    boxes(site).put([(box.id, bytes([n]) * 16, sealed) for n, sealed in enumerate(rows)])
    assert masked(page_of(client, digits).text) == masked(page_of(client, letter(client)).text)


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(b'"version":1', b'"version":2'),
        lambda line: line.replace(b'"kind":"reply"', b'"kind":"notice"'),
        lambda line: line.replace(b'"kind":"reply"', b'"kind":"order"'),
        lambda line: line.replace(b'"number":1', b'"number":-1'),
        lambda line: line.replace(b'"number":1', b'"number":true'),
        lambda line: line.replace(b'"text":"\xe1', b'"text": "\xe1'),
        lambda line: line.replace(b'"text":"', b'"text":["').replace(b'","version', b'"],"version'),
        lambda line: line[:-1],
        lambda line: line + b" ",
        lambda line: line[:-1] + b"\n",
        lambda _: b"",
    ],
    ids=[
        "version",
        "notice with a text",
        "kind",
        "negative",
        "no number",
        "spelling",
        "a list",
        "short",
        "long",
        "padding",
        "nothing",
    ],
)
def test_a_reply_has_one_spelling(change: Callable[[bytes], bytes]) -> None:
    made = Reply(reply.REPLY, days.clock(), 1, BURMESE[:200])
    assert reading.parse(made.plaintext()) == made
    with pytest.raises(BadFile):
        reading.parse(change(made.plaintext()))


def test_the_longest_reply_fits(site: Site, client: FlaskClient) -> None:
    digits = letter(client)
    answer(site, digits, "😀" * (reply.TEXT - 20), "က" * reply.TEXT)
    assert "😀" * (reply.TEXT - 20) in page_of(client, digits).text


# What is deleted.


def test_a_deleted_reply_is_gone_and_no_return_brings_it_back(
    site: Site, client: FlaskClient
) -> None:
    """Gone from database and journal, and what takes its place cannot be told from a reply (7)."""
    digits = letter(client)
    notice, first, second = answer(site, digits, "ပထမ", "ဒုတိယ")
    box = mailbox(site, digits)
    before = dict(boxes(site).waiting(box.id))
    found = post(client, "/en/back", receipt=digits, delete=first.hex())
    assert "ပထမ" not in found.text
    assert "ဒုတိယ" in found.text
    after = dict(boxes(site).waiting(box.id))
    assert after.keys() == before.keys() == {notice, first, second}
    assert {len(sealed) for sealed in after.values()} == {reply.SEALED}
    assert after[first].split(b"\n---")[0][:30] == before[first].split(b"\n---")[0][:30]
    files = [path.read_bytes() for path in site.settings.data.iterdir() if path.is_file()]
    piece = before[first][2000:2064]
    assert not any(piece in data for data in files)
    assert any(before[second][2000:2064] in data for data in files)  # the search is not blind
    boxes(site).put([(box.id, first, before[first])])  # the same return again, or a later one
    assert "ပထမ" not in page_of(client, digits).text
    assert dict(boxes(site).waiting(box.id)) == after


def test_nobody_deletes_in_another_mailbox(site: Site, client: FlaskClient) -> None:
    mine, other = letter(client), letter(client)
    (notice, text) = answer(site, other, "သူများစာ")
    for name in (notice.hex(), text.hex(), "", "00" * 16, "zz" * 16, text.hex() + "00"):
        assert post(client, "/en/back", receipt=mine, delete=name).status_code == 200
    assert "သူများစာ" in page_of(client, other).text


# What is added.


def test_words_and_the_wish_to_withdraw_are_rows_of_the_same_case(
    site: Site, client: FlaskClient
) -> None:
    digits = letter(client, account=BURMESE)
    seed = seed_in(page_of(client, digits, "").text)
    text = f"{ZAWGYI}\r\n\x07{CANARY}  "
    found = post(client, "/words", receipt=digits, _seed=seed, words=text)
    assert found.status_code == 200
    assert CANARY not in found.text
    gone = post(client, "/withdraw", receipt=digits, _seed=seed_in(found.text), sure="yes")
    assert gone.status_code == 200
    kinds = {one.kind: one for one in envelopes(site)}
    assert kinds.keys() == {"testimony", WORDS, WITHDRAWAL}
    assert kinds[WORDS].body == {"words": text.replace("\r\n", "\n")}
    assert len({one.case for one in kinds.values()}) == 1
    assert len({one.reply for one in kinds.values()}) == 1
    assert len({one.nonce for one in kinds.values()}) == 3
    assert kinds[WORDS].language == "my"


def test_words_sent_again_are_stored_once_also_after_a_restart(site: Site) -> None:
    """The answer was lost; Back, and sent again, to another worker or after a restart."""
    digits = letter(site.client())
    seed = seed_in(page_of(site.client(), digits).text)
    for _ in range(3):
        found = post(site.client(), "/en/words", receipt=digits, _seed=seed, words=BURMESE)
        assert found.status_code == 200
    for _ in range(2):
        again = post(site.client(), "/en/withdraw", receipt=digits, _seed=seed, sure="yes")
        assert again.status_code == 200
    assert sorted(one.kind for one in envelopes(site)) == ["testimony", WITHDRAWAL, WORDS]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"words": ""}, "There are no words"),
        ({"words": " \n\u200a"}, "There are no words"),
        ({"words": "က" * (LONGEST + 7)}, "this is 7 too long"),
        ({"words": "a\0b"}, "A sign in this cannot be shown"),
        ({"words": BURMESE, "receipt": "1234"}, "The receipt on this page was damaged"),
        ({"words": BURMESE, "_seed": "00"}, "This page was damaged"),
        ({"words": BURMESE, "_seed": None}, "This page was damaged"),
    ],
)
def test_words_that_cannot_be_stored_come_back(
    site: Site, client: FlaskClient, fields: dict[str, str | None], says: str
) -> None:
    digits = letter(client)
    seed = seed_in(page_of(client, digits).text)
    sent = {"receipt": digits, "_seed": seed, **fields}
    found = post(client, "/en/words", **{k: v for k, v in sent.items() if v is not None})
    assert found.status_code == 400
    assert says in found.text
    assert f">\n{fields['words']}</textarea>" in found.text.replace("\r\n", "\n")
    assert len(envelopes(site)) == 1
    assert found.content_length % 16384 == 0


def test_the_longest_words_fit_one_envelope(site: Site, client: FlaskClient) -> None:
    digits = letter(client)
    for text in ("\x01" * LONGEST, "😀" * LONGEST):
        seed = seed_in(page_of(client, digits).text)
        found = post(client, "/en/words", receipt=digits, _seed=seed, words=text)
        assert found.status_code == 200
    assert sorted(len(str(one.body)) > LONGEST for one in envelopes(site)) == [False, True, True]


def test_words_of_a_receipt_that_nobody_has_are_kept(site: Site, client: FlaskClient) -> None:
    """Nothing is looked up: a follow-up whose letter never came is a case of its own."""
    digits = receipt.receipt(secrets.token_bytes(32))
    seed = seed_in(client.get("/en").text)
    found = post(client, "/en/words", receipt=digits, _seed=seed, words=BURMESE)
    assert found.status_code == 200
    assert [one.kind for one in envelopes(site)] == [WORDS]


def test_a_withdrawal_needs_a_yes(site: Site, client: FlaskClient) -> None:
    digits = letter(client)
    seed = seed_in(page_of(client, digits).text)
    for sure in ({}, {"sure": "no"}, {"sure": ""}):
        found = post(client, "/en/withdraw", receipt=digits, _seed=seed, **sure)
        assert found.status_code == 400
        assert "tick the box first" in found.text
    assert len(envelopes(site)) == 1


@pytest.mark.parametrize("path", POSTS)
def test_only_our_own_page_may_post_to_the_way_back(
    site: Site, client: FlaskClient, path: str
) -> None:
    digits = letter(client)
    for headers in ({}, {"Origin": f"http://{'e' * 56}.onion"}, {"Origin": "null"}):
        sent = {"receipt": digits, "_seed": "00" * 32, "words": "x", "sure": "yes"}
        assert client.post(f"/en/{path}", data=sent, headers=headers).status_code == 403
    assert len(envelopes(site)) == 1


def test_the_way_out_is_there_when_the_site_is_closed(site: Site, client: FlaskClient) -> None:
    """And has numbers on it, and a title that says nothing."""
    site.settings.keyring.unlink()
    for path in ("/exit", "/en/exit", "/my-Qaag/exit"):
        answer = client.get(path)
        assert answer.status_code == 200
        shown = re.sub(r"<head>.*</head>|<[^>]+>", "", answer.text, flags=re.DOTALL)
        assert re.fullmatch(r"[\d\s×]+", shown)
    assert client.get("/en").status_code == 503


@pytest.mark.parametrize("path", [*POSTS, "key"])
def test_a_site_that_is_closed_or_cannot_store_says_so_and_keeps_what_was_typed(
    site: Site, client: FlaskClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = letter(client)
    sent = {"receipt": digits, "_seed": "ab" * 32, "words": CANARY, "sure": "yes"}

    def full(*_: object, **__: object) -> None:
        raise MachineTrouble("full", "no")

    def ask() -> tuple[int, str]:
        url = f"/en/{path}"
        found = client.get(url) if path == "key" else client.post(url, data=sent, headers=ORIGIN)
        return found.status_code, found.text

    with monkeypatch.context() as patch:
        patch.setattr(Store, "transaction", full)
        code, text = ask()
        assert code == {"key": 200, "file": 415}.get(path, 503)
        assert (CANARY in text) == (path == "words")
    site.settings.keyring.unlink()
    code, text = ask()
    assert code == 503
    assert (CANARY in text) == (path == "words")


@pytest.mark.parametrize("language", OFFERED)
@pytest.mark.parametrize("stored", [0, 1])
def test_a_file_of_which_nobody_knows_is_told_of(
    client: FlaskClient, language: str, stored: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last sync of its transaction failed: no page says that nothing was stored."""
    digits, add, added = letter(client), Store.add, itertools.count()

    def fail(*given: Any, **more: Any) -> bool:  # noqa: ANN401
        done = add(*given, **more)
        if next(added) == stored:
            raise MachineTrouble("the last sync failed", "")
        return done

    monkeypatch.setattr(Store, "add", fail)
    data = body(first(digits), file("ပုံ ၁.jpg", b"1"), file("ပုံ ၂.jpg", b"2"))
    path = "/file" if language == OFFERED[0] else f"/{language}/file"
    found = client.post(path, data=data, headers=ORIGIN, content_type=KIND)
    assert found.status_code == 503
    text = Wording.load(language).text
    doubt = "We cannot be sure that one file was stored. You can send it again; then it may be "
    assert text(f"{doubt}there twice. What came after it was not stored.") in unescape(found.text)
    assert text("Nothing was stored") not in unescape(found.text)
    assert (text("Files that are sealed and stored: {count}", count=1) in found.text) == stored


# What nobody learns.


def test_the_page_of_a_receipt_says_nothing_of_whether_it_was_ever_given(
    site: Site, client: FlaskClient
) -> None:
    """Unknown, unused, withdrawn, and with all replies deleted: status, headers, body are one."""
    unused, used, withdrawn, unknown = letter(client), letter(client), letter(client), ""
    unknown = receipt.receipt(secrets.token_bytes(32))
    for name in answer(site, used, "တစ်"):
        post(client, "/en/back", receipt=used, delete=name.hex())
    post(client, "/en/withdraw", receipt=withdrawn, _seed="ab" * 32, sure="yes")
    found = [page_of(client, digits) for digits in (unused, used, withdrawn, unknown)]
    assert {page.status_code for page in found} == {200}
    assert len({str(page.headers) for page in found}) == 1
    assert len({masked(page.text) for page in found}) == 1
    packed = [
        client.post("/back", data={"receipt": digits}, headers=ORIGIN)
        for digits in (unused, used, withdrawn, unknown) * 3
    ]
    assert {page.content_length for page in packed} == {16384}
    assert len({masked(page.text) for page in packed}) == 1


def test_a_mailbox_of_many_answers_has_pages(site: Site, client: FlaskClient) -> None:
    """The latest first; by its buttons all of them are found; who deletes stays where they are."""
    digits, texts = letter(client), [f"answer-{number}" for number in range(1, 7)]
    answer(site, digits, *texts)

    def look(**more: str) -> tuple[list[str], list[str], list[str]]:
        page = post(client, "/en/back", receipt=digits, **more).text
        found: list[list[str]] = [
            re.findall(rf'name="{name}" value="(\w+)"', page) for name in ("to", "place", "delete")
        ]
        assert (found[0] != []) == ("Earlier answers" in page or "Later answers" in page)
        return re.findall(r"answer-\d|people have opened", page), found[0] + found[1], found[2]

    assert look() == look(to="0") == look(place="0")
    assert look()[:2] == (texts[3:], ["1", "0"])
    assert look(to="1")[:2] == (texts[:3], ["2", "0", "1"])
    assert look(to="2", place="1")[:2] == (["people have opened"], ["1", "2"])
    (name, *_) = look(to="1")[2]
    assert look(delete=name, place="1")[:2] == (["people have opened", *texts[1:3]], ["0", "1"])
    for wrong in ("9", "-1", "၁", "x", "1" * 5000):
        assert look(to=wrong)[1][-1] == "1"  # there is a page


def test_a_mailbox_is_opened_so_many_at_a_time_and_letters_do_not_wait(
    site: Site, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every place of the host taken by others, who comes back is asked to come again."""
    digits = letter(client)
    monkeypatch.setattr(slowly, "PATIENCE", 0.3)
    leave, places = threading.Event(), slowly.Places(site.settings.data)

    def stay() -> None:
        with places._place():
            leave.wait(60)

    others = [threading.Thread(target=stay) for _ in range(slowly.PLACES)]
    for other in others:
        other.start()
    while not all((site.settings.data / f"place-{n}").exists() for n in range(slowly.PLACES)):
        time.sleep(0.01)
    time.sleep(0.1)
    busy = post(client, "/en/back", receipt=digits)
    assert busy.status_code == 429
    assert "Many people are here just now" in busy.text
    assert digits not in busy.text
    assert busy.content_length == 16384
    assert letter(client) != digits
    words = post(client, "/en/words", receipt=digits, _seed="ab" * 32, words=BURMESE)
    assert words.status_code == 200
    leave.set()
    for other in others:
        other.join()
    assert post(client, "/en/back", receipt=digits).status_code == 200


def test_who_waits_is_counted_and_a_place_is_given_back_after_a_defect(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = slowly.Places(site.settings.data)
    monkeypatch.setattr(slowly, "WAITING", 0)
    with pytest.raises(slowly.Busy):
        places.slowly(lambda: 1)
    monkeypatch.undo()

    def defect() -> None:
        raise ZeroDivisionError

    for _ in range(slowly.PLACES + 2):
        with pytest.raises(ZeroDivisionError):
            places.slowly(defect)
    assert places.slowly(lambda: 1) == 1


def test_a_defect_on_the_way_back_says_nothing(
    site: Site,
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    digits = letter(client)
    answer(site, digits, CANARY)

    def defect(*_: object) -> None:
        raise ValueError(CANARY + digits)

    monkeypatch.setattr(reading, "parse", defect)
    monkeypatch.setattr(Envelope, "plaintext", defect)
    for path in ("back", "words", "withdraw"):
        sent = {"receipt": digits, "_seed": "ab" * 32, "words": CANARY, "sure": "yes"}
        found = post(client, f"/en/{path}", **sent)
        assert found.status_code in {200, 500}
        assert CANARY not in found.text
        assert path == "back" or digits not in found.text
    said = capfd.readouterr()
    assert CANARY not in said.out + said.err
    assert digits not in said.out + said.err


@pytest.mark.slow
def test_a_thousand_unknown_and_a_thousand_unused_receipts(
    client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Same status, headers, length and body, and times that a two-sample test cannot tell apart.

    Kolmogorov and Smirnov, n = 1,000 and 1,000, in an order drawn from seed 6: D is above 0.0997
    with probability 10^-4 if there is no difference.
    """
    drawn = random.Random(6)
    unused = [letter(client) for _ in range(1000)]
    unknown = [receipt.receipt(secrets.token_bytes(32)) for _ in range(1000)]
    order = [(digits, "unused") for digits in unused] + [(digits, "unknown") for digits in unknown]
    drawn.shuffle(order)
    times: dict[str, list[float]] = {"unused": [], "unknown": []}
    seen = set()
    for digits, kind in order:
        begun = time.perf_counter()
        found = post(client, "/back", receipt=digits)
        times[kind].append(time.perf_counter() - begun)
        seen.add((found.status_code, str(found.headers), found.content_length, masked(found.text)))
    assert len(seen) == 1
    values = sorted({*times["unused"], *times["unknown"]})
    below = [[sum(t <= v for t in times[kind]) / 1000 for v in values[::8]] for kind in times]
    distance = max(abs(a - b) for a, b in zip(*below, strict=True))
    middle = {kind: sorted(found)[500] * 1000 for kind, found in times.items()}
    with capsys.disabled():
        print(f"\n  unknown and unused: D = {distance:.3f} of 0.0997, medians {middle} ms")  # noqa: T201
    assert distance < 0.0997
