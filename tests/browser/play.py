"""A window on a site, through a wire: what a source does there, and what the server has of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from intake.age.unsealing import unseal
from intake.wording import OFFERED
from tests.browser.windows import Window, window
from tests.browser.wire import Wire, wire
from tests.site_maker import Site, make_site
from tests.upload_maker import sealed_rows

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "ရွာကို မီးရှို့ဖို့ အမိန့်ပေးတယ်။ ကျွန်ုပ် မလိုက်နာခဲ့ပါ။"
MAIN = "main form button"


def environment(site: Site, **settings: str) -> dict[str, str]:
    """Return the environment in which a server serves the site."""
    folders = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **folders, **settings}


@dataclass(frozen=True, slots=True, repr=False)
class Play:
    """A window on a site, through a wire, in one of the languages."""

    site: Site
    wire: Wire
    window: Window
    environment: dict[str, str]
    language: str = OFFERED[0]

    def at(self, path: str = "") -> str:
        """Return the address of a page; without a ``path``, of the form."""
        start = "" if self.language == OFFERED[0] else f"/{self.language}"
        return f"http://{self.wire.address}{start}{path}"

    @property
    def rows(self) -> int:
        """How many envelopes the server has."""
        return sum(self.site.store.counts().values())

    def opened(self) -> list[dict[str, Any]]:
        """Open every row with the periods' keys, and return the line of each."""
        keys = list(self.site.made.periods.values())
        opened = (unseal(sealed, keys) for _, sealed in sealed_rows(self.site))
        return [json.loads(plaintext.partition(b"\n")[0]) for plaintext in opened]

    def kinds(self) -> list[str]:
        """Return what each row is."""
        return [str(line["kind"]) for line in self.opened()]

    def fill(self) -> None:
        """Open the form, and answer what is needed."""
        self.window.go(self.at())
        self.answer_least()

    def answer_least(self) -> None:
        """Answer what is needed in the form that is open, and say a little."""
        for name, value in {"intent": "testify", "urgency": "skip", "force": "army"}.items():
            self.window.click(f'input[name="{name}"][value="{value}"]')
        self.window.write("#account", ACCOUNT)
        self.window.click("#consent_store")

    def digits(self) -> str:
        """Return the receipt on the page in Latin digits, "" if none is."""
        groups = self.window.texts(".r li")
        return "".join(str(int(digit)) for group in groups for digit in group.split()[0])

    def come_back(self, typed: str) -> None:
        """Type a receipt."""
        self.window.go(self.at("/back"))
        self.window.write("#receipt", typed)
        self.window.press(MAIN)


@pytest.fixture(params=["chromium", "firefox"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Play]:
    """A site that is not served yet, and a window of each browser."""
    site = make_site(tmp_path)
    with wire() as line, window(request.param, tmp_path) as shown:
        yield Play(site, line, shown, environment(site))
