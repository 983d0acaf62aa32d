"""A Burmese testimony typed in Chromium without JavaScript is read at the desk.

The pictures go to a temporary folder, or, with PICTURES set, to that folder (`make pictures`
refreshes docs/pictures with them).
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from intake import keyring, words
from intake.settings import ROOT
from tests.browser.chromium import DESK, NARROW, PHONE, chromium, picture, requests, resize
from tests.browser.play import MAIN
from tests.browser.windows import ChromiumWindow
from tests.spine import Machines, export, install, server, set_up, typed

pytestmark = pytest.mark.browser

ACCOUNT = (
    "ညသန်းခေါင်မှာ တပ်ရင်းမှူးက ရွာကို ပစ်ဖို့ အမိန့်ပေးတယ်။\n"
    "ကျွန်ုပ် မပစ်ခဲ့ပါ။\n\nနောက်နေ့ ထွက်ပြေးခဲ့တယ်။ ၂၀၂၁ <b>&amp;</b> \u200bမေး။"
)
HINT = "သင်တန်း အပတ်စဉ် ၅၄"
LINE = 26  # CSS pixels of a line of words, at most
FIELDS = {"vet_hint": HINT, "account": ACCOUNT, "unit_no": "၅၂၈"}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where pictures go."""
    folder = Path(os.environ.get("PICTURES") or tmp_path / "pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def both_sizes(browser: webdriver.Chrome, pictures: Path, name: str, most: int = 1100) -> None:
    """Take the page at both widths; it must never scroll sideways, nor on the narrowest phone."""
    for width in (NARROW, DESK, PHONE):
        resize(browser, width)
        size = picture(browser, pictures / f"{name}-{width}.png", most)
        assert size["width"] <= size["viewport"], f"{name} scrolls sideways at {width} px"
    (pictures / f"{name}-{NARROW}.png").unlink()


def foot(browser: webdriver.Chrome) -> str:
    """Return the words at the foot of the page, which a reader of screens reads in English."""
    listed = browser.find_element(By.CSS_SELECTOR, "aside ol")
    assert listed.get_attribute("lang") == "en"
    groups = listed.find_elements(By.CSS_SELECTOR, "li")
    assert all(group.size["height"] < 2 * LINE for group in groups), "a group does not fit a line"
    return ", ".join(group.text for group in groups)


def fill(window: ChromiumWindow) -> None:
    """Answer as a source would, all but the consent that is needed."""
    for name, value in {"intent": "testify", "urgency": "skip", "force": "army"}.items():
        window.click(f'input[name="{name}"][value="{value}"]')
    for name, value in {"rank": "SGT", "posted": "MMR006001", "left-year": "2021"}.items():
        window.click(f'[name="{name}"] option[value="{value}"]')
    for name, text in FIELDS.items():
        window.write(f'[name="{name}"]', text)


def test_a_testimony_typed_without_javascript_is_read_at_the_desk(
    tmp_path: Path, pictures: Path
) -> None:
    """Form, error with everything kept, receipt, bundle, desk: equal after CRLF to LF."""
    machines = set_up(ROOT, tmp_path / "machines")
    install(machines)
    with server(machines) as address, chromium(tmp_path) as browser:
        requests(browser)
        browser.get(f"http://{address}/")
        assert requests(browser) == [f"http://{address}/"]
        window = ChromiumWindow(browser)
        assert browser.find_element(By.CSS_SELECTOR, "html").get_attribute("lang") == "my"
        installed = (machines["server"] / "keys" / "keyring").read_bytes()
        fingerprint = words.fingerprint(keyring.parse(installed).sha256)
        both_sizes(browser, pictures, "form")
        assert foot(browser) == fingerprint
        fill(window)
        window.press(MAIN)  # the consent and the month are missing
        assert requests(browser) == [f"http://{address}/"]
        errors = [
            link.get_attribute("href")
            for link in browser.find_elements(By.CSS_SELECTOR, "#errors a")
        ]
        assert [str(link).rpartition("#")[2] for link in errors] == ["left", "consent_store"]
        for name, text in FIELDS.items():
            assert window.value(f'[name="{name}"]') == text
        both_sizes(browser, pictures, "error")
        window.click('[name="left-month"] option[value="8"]')
        window.click("#consent_store")
        window.press(MAIN)
        receipt = window.texts(".r small")
        assert re.fullmatch(r"(\d{4} ){5}\d{4}", " ".join(receipt))
        assert browser.get_cookies() == []
        both_sizes(browser, pictures, "receipt")
        assert foot(browser) == fingerprint
        window.reload()  # sends the same form again
        assert window.texts(".r small") == receipt
        page = carry(machines)
        browser.get(page.as_uri())
        assert requests(browser)[-1] == page.as_uri()
        both_sizes(browser, pictures, "desk")


def carry(machines: Machines) -> Path:
    """Export, import, read: the desk's page, equal to what was typed."""
    desk = machines["desk"]
    who = ("--casebook", desk / "casebook")
    present = [x for name in ("alice", "bob") for x in ("--reviewer", desk / "keys" / name)]
    done = machines.run(
        "desk", "import", export(machines), *who, "--package", desk / "package", *present
    )
    assert "1 in the bundle, 1 opened" in done.stdout, done.stdout + done.stderr
    for name in ("alice", "bob"):  # at least one of two was assigned
        mine = (*who, "--reviewer", desk / "keys" / name)
        listed = machines.run("desk", "list", *mine)
        if number := re.search(r"\b[0-9a-f]{8}\b", listed.stdout):
            page = desk / "case.html"
            done = machines.run("desk", "read", number[0], *mine, "--text", "--html", page)
            assert typed(done.stdout).split("\n", 2)[2] == f"2021-08\n{ACCOUNT}"
            return page
    raise AssertionError(listed.stdout)


def test_seconds_from_clone_to_read(tmp_path: Path) -> None:
    """The scripted demo, from nothing: the seconds are printed, and the result is its own check."""
    import shutil  # noqa: PLC0415
    import subprocess  # noqa: PLC0415 - only this test starts the demo

    clone = tmp_path / "clone"
    # What is hidden is no part of a clone, and may be another suite's root with devices in it.
    shutil.copytree(ROOT, clone, ignore=shutil.ignore_patterns(".*", "demo", "node_modules"))
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "deploy/demo.py", "serve"],
        cwd=clone,
        env=os.environ | {"ONCE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal to what was typed" in done.stdout
    sys.stdout.write(f"demo from nothing to read: {time.monotonic() - start:.1f} s\n")
