"""A source who comes to the site, and what is found of them on a disk afterwards."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from intake import envelope, receipt
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.settings import Settings
from tests import spine
from tests.makers import Deployment
from tests.site_maker import LEAST, Site, receipt_in, seed_in, submit
from tests.upload_maker import KIND, files

# Burmese, Zawgyi, emoji, nothing, and as much as fits.
ACCOUNTS = ("ရွာကို မီးရှို့ခိုင်းတယ်။", "\u1031\u107e\u1010\u103c\u1033", "🪖🕊️", "", "က" * 2000)

FORM = "application/x-www-form-urlencoded"
Claim = Callable[["Found", int, str], None]


@dataclass(slots=True)
class Found:
    """A rebuilt server: its settings, and every row, opened."""

    site: Site
    rows: list[dict[str, Any]]

    def of(self, digits: str) -> list[dict[str, Any]]:
        """Return what the case of a receipt has."""
        reply = receipt.reply_secret(self.site.made.deployment, digits)
        return [row for row in self.rows if row["case"] == receipt.case_tag(reply).hex()]


@dataclass(slots=True)
class Source:
    """Somebody at the site of ``address``, and for each answer a claim that it made."""

    address: str = ""
    claims: list[Claim | None] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: bytes | None = None, kind: str = "", *, fine: int = 200
    ) -> str:
        """Ask once; return the page."""
        status, page = self._ask(method, path, body, kind)
        assert status == fine, page
        return page

    def try_post(
        self, path: str, sent: Mapping[str, object] | bytes, kind: str = FORM
    ) -> tuple[int, str]:
        """Send a form that may be refused; return status and page."""
        body = sent if isinstance(sent, bytes) else urlencode(dict(sent), doseq=True).encode()
        return self._ask("POST", path, body, kind)

    def _ask(self, method: str, path: str, body: bytes | None, kind: str) -> tuple[int, str]:
        headers = {"Origin": f"http://{self.address}", "Content-Type": kind} if body else {}
        with contextlib.closing(HTTPConnection(self.address, timeout=spine.WAIT)) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, gzip.decompress(answer.read()).decode()

    def post(self, path: str, fields: Mapping[str, object], claim: Claim | None = None) -> str:
        """Send a form; ``claim`` says what its answer promises."""
        body = urlencode(dict(fields), doseq=True).encode()
        self.claims.append(claim)
        return self.ask("POST", path, body, FORM)

    def letter(self, account: str) -> str:
        """Send a testimony; return the receipt."""
        self.claims.append(None)
        seed = seed_in(self.ask("GET", "/en"))

        def stored(found: Found, _: int, page: str) -> None:
            bodies = [
                row["body"]["answers"].get("account", "")
                for row in found.of(receipt_in(page))
                if row["kind"] == "testimony"
            ]
            assert bodies == [account], "lost: a testimony whose receipt was shown"

        return receipt_in(self.post("/en", {"_seed": seed, **LEAST, "account": account}, stored))

    def upload(self, sent: bytes, *names: tuple[str, bytes]) -> None:
        """Send files; ``names`` are theirs, each with its bytes."""

        def stored(found: Found, _: int, __: str) -> None:
            there = files(found.site)
            assert all(one in there for one in names), "lost: a file that was confirmed"

        self.claims.append(stored)
        self.ask("POST", "/en/file", sent, KIND)

    def held(self, found: Found, answers: list[tuple[int, str]]) -> None:
        """Check every claim of these answers. Raises ``AssertionError``."""
        for number, (status, page) in enumerate(answers):
            assert status == 200, page
            if claim := self.claims[number]:
                claim(found, number, page)


def server(folder: Path) -> Settings:
    """Return the settings of a server below a folder."""
    return Settings(folder / "data", folder / "keys")


def look(folder: Path, made: Deployment) -> Found:
    """Open all that a disk holds: the database is sound, each row whole, each file whole.

    Raises ``AssertionError`` with "half" for anything else.
    """
    settings = server(folder)
    site = Site(made, settings)
    rows = [row for period in site.store.counts() for row in site.store.page(period, b"", 10**6)]
    identities = tuple(made.periods.values())
    with contextlib.closing(sqlite3.connect(settings.data / "intake.db")) as database:
        (told,) = database.execute("PRAGMA integrity_check").fetchall()
    assert told == ("ok",), "half: the database is damaged"
    opened = []
    for _, sealed in rows:
        assert len(sealed) == envelope.SEALED, "half: a row is not whole"
        opened.append(_opened(sealed, identities))
    try:
        files(site)
    except AssertionError:
        raise AssertionError("half: a file is not whole") from None
    return Found(site, opened)


def starts(found: Found) -> None:
    """Start the program on this disk, without any repair, and send it one more letter."""
    client = found.site.client()
    answer = submit(client, "/en", account="နောက်တစ်ယောက်")
    assert answer.status_code == 200, "half: the site does not start on this disk"
    again = look(found.site.settings.data.parent, found.site.made)
    assert len(again.of(receipt_in(answer.text))) == 1, "half: the site does not store on this disk"


@cache
def _opened(sealed: bytes, identities: tuple[Identity, ...]) -> dict[str, Any]:
    line = unseal(sealed, list(identities)).partition(b"\n")[0]
    found: dict[str, Any] = json.loads(line)
    return found
