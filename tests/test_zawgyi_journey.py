"""Zawgyi typed into the form, all the way to the reviewer: unchanged, named, and read in a copy."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from intake import days, envelope
from intake.age.unsealing import unseal
from intake.bundle import Entry
from intake.desk import opened
from intake.wording import OFFERED, ZAWGYI
from tests.desk_browser import entered, served, session
from tests.desk_maker import PERIOD, Desk, Sealed
from tests.makers import FIRST
from tests.site_maker import Site, make_site
from tests.test_zawgyi import UNICODE
from tests.test_zawgyi import ZAWGYI as TYPED
from tests.way_back import letter, page_of, post

MIXED = f"{TYPED}\r\n{UNICODE}\r\nတပ္ရင္း 528"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site on the first day of the desk tests' period."""
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    return make_site(tmp_path)


def carried(site: Site) -> list[Sealed]:
    """Return the sealed rows as a stick carries them to a desk."""
    found = []
    for row, sealed in site.store.page(PERIOD, b"", 10**6):
        plain = unseal(sealed, [site.made.periods[PERIOD]])
        entry = Entry(row, hashlib.sha256(sealed).digest())
        found.append(Sealed(entry, sealed, opened.parse(plain).case, plain))
    return found


@pytest.mark.parametrize("language", OFFERED)
def test_zawgyi_reaches_the_reviewer_as_it_was_typed(
    site: Site, tmp_path: Path, language: str
) -> None:
    client, path = site.client(), "" if language == "my" else f"/{language}"
    digits = letter(client, path or "/", account=MIXED, unit_no="၅၂၈")
    assert page_of(client, digits, path or "").status_code == 200
    form = {"receipt": digits, "_seed": "ab" * 32, "words": TYPED}
    assert post(client, f"{path}/words", **form).status_code == 200

    rows = carried(site)
    inside = {one.kind: one for one in (opened.parse(row.plaintext) for row in rows)}
    assert {one.language for one in inside.values()} == {language}
    told: Any = inside[envelope.TESTIMONY].body
    assert told["answers"]["account"] == MIXED.replace("\r\n", "\n")
    assert told["answers"]["unit_no"] == "528"
    assert inside[envelope.WORDS].body == {"words": TYPED}

    desk = Desk(tmp_path / "desk", site.made)
    desk.bring(desk.bundle_for("alice", True, *rows))
    with served(session(desk)) as server:
        browser = entered(server)
        browser.unlock()
        page = browser.get(f"/case/{rows[0].case.hex()}").text
    for typed, copy in ((MIXED, f"{UNICODE}\n{UNICODE}\nတပ်ရင်း 528"), (TYPED, UNICODE)):
        original = typed.replace("\r\n", "\n")
        assert f'<p class="typed"><bdi>{original}</bdi></p>' in page
        assert f'The same in Unicode</summary><p class="typed"><bdi>{copy}</bdi></p>' in page
    assert page.count("Lines in Zawgyi. They are converted in a copy") == 2
    assert page.count("written on the page in Zawgyi") == 2 * (language == ZAWGYI)
