"""What a source was shown holds, wherever the power is cut."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from intake import receipt, reply
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.errors import NoMatchingKey
from intake.replies import Replies
from intake.reply import Reply
from intake.settings import ROOT
from tests.durability.cuts import Played, Run, Shown
from tests.durability.source import ACCOUNTS, Found, Source, look, server, starts
from tests.makers import FIRST
from tests.site_maker import make_site, seed_in
from tests.upload_maker import body, file, first

pytestmark = [pytest.mark.durability, pytest.mark.usefixtures("slow_step")]
DATA = bytes(range(256)) * 500  # 128,000 bytes in four slices, and the end


def letters(place: Path, checkout: Path = ROOT) -> Played:
    """Send letters, more words and a wish to withdraw; cut the power everywhere."""
    (place / "disk").mkdir(mode=0o700)
    site, source = make_site(place / "disk"), Source()
    run = Run(place / "disk", checkout)
    with run.site() as source.address:
        for account in ACCOUNTS:
            digits = source.letter(account)
        for path, kind, fields in (
            ("words", "words", {"words": "နောက်ထပ် စကား"}),
            ("withdraw", "withdrawal", {"sure": "yes"}),
        ):

            def stored(found: Found, _: int, __: str, kind: str = kind) -> None:
                kinds = [row["kind"] for row in found.of(digits)]
                assert kinds.count(kind) == 1, f"lost: {kind} that were confirmed"

            source.claims.append(None)
            seed = seed_in(source.ask("GET", "/en"))
            source.post(f"/en/{path}", {"_seed": seed, "receipt": digits, **fields}, stored)

    def judge(folder: Path, shown: Shown) -> None:
        found = look(folder, site.made)
        source.held(found, shown.answers)
        assert len(found.rows) <= len(ACCOUNTS) + 2, "half: a row of nobody"
        starts(found)

    return run, judge


def uploads(place: Path, checkout: Path = ROOT) -> Played:
    """Send two files at once, and a third; cut the power everywhere."""
    (place / "disk").mkdir(mode=0o700)
    site, source = make_site(place / "disk"), Source()
    run = Run(place / "disk", checkout)
    with run.site() as source.address:
        digits = source.letter("စာ")
        one, two, three = ("သက်သေ.jpg", DATA), ("", b"x"), ("🎥.mp4", DATA[::-1])
        source.upload(body(first(digits), file(*one), file(*two)), one, two)
        source.upload(body(first(digits), file(*three)), three)

    def judge(folder: Path, shown: Shown) -> None:
        found = look(folder, site.made)
        source.held(found, shown.answers)
        starts(found)

    return run, judge


def deletions(place: Path, checkout: Path = ROOT) -> Played:
    """Have a source delete a reply: then it is gone for good, and the other one waits."""
    (place / "disk").mkdir(mode=0o700)
    site, source = make_site(place / "disk"), Source()
    digits = receipt.receipt(bytes(range(32)))
    secret = receipt.reply_secret(site.made.deployment, digits)
    box = reply.mailbox(site.made.deployment, secret)
    identity = Identity.from_seed(box.seed)
    put = {
        bytes([n]) * 16: reply.seal(Reply(reply.REPLY, FIRST, n, "အဖြေ"), identity.recipient())
        for n in (1, 2)
    }
    store = Replies(site.settings.url, site.settings.data)
    store.put([(box.id, name, sealed) for name, sealed in put.items()])
    gone, stays = put

    def deleted(found: Found, _: int, __: str) -> None:
        waiting = dict(Replies(found.site.settings.url, found.site.settings.data).waiting(box.id))
        with contextlib.suppress(NoMatchingKey):
            unseal(waiting[gone], [identity])
            raise AssertionError("lost: a reply that was deleted opens")
        data = found.site.settings.data
        left = b"".join(path.read_bytes() for path in data.iterdir())
        assert put[gone][1000:1064] not in left, "lost: a reply that was deleted is still there"

    run = Run(place / "disk", checkout)
    with run.site() as source.address:
        source.post("/en/back", {"receipt": digits})
        source.post("/en/back", {"receipt": digits, "delete": gone.hex()}, deleted)

    def judge(folder: Path, shown: Shown) -> None:
        found = look(folder, site.made)
        source.held(found, shown.answers)
        own = server(folder)
        waiting = dict(Replies(own.url, own.data).waiting(box.id))
        assert waiting.keys() == put.keys(), "half: a reply has no place any more"
        assert waiting[stays] == put[stays], "lost: a reply that nobody deleted"
        starts(found)

    return run, judge


def test_every_receipt_that_was_shown_opens_after_a_power_cut(place: Path) -> None:
    run, judge = letters(place)
    run.cut(judge).hold("testimony, more words, a wish to withdraw")


def test_every_file_that_was_confirmed_is_whole_after_a_power_cut(place: Path) -> None:
    run, judge = uploads(place)
    run.cut(judge).hold("files of several slices")


def test_a_reply_that_was_deleted_stays_deleted_after_a_power_cut(place: Path) -> None:
    run, judge = deletions(place)
    run.cut(judge).hold("a reply deleted by its source")
