"""The desk pages in a real Chromium: every page without a script, the keys with one, and pictures.

The pictures go to a temporary folder, or, with PICTURES set, to that folder.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from intake import days
from tests.browser.chromium import DESK, NARROW, PHONE, chromium, picture, requests, resize
from tests.browser.test_browser import pictures
from tests.desk_browser import WAIT, served, session
from tests.desk_maker import ANSWERS, Desk, Sealed, sealed_row
from tests.makers import FIRST
from tests.test_desk import HOSTILE

__all__ = ["pictures"]

pytestmark = pytest.mark.browser

ACCOUNT = (
    "ညသန်းခေါင်မှာ တပ်ရင်းမှူးက ရွာကို ပစ်ဖို့ အမိန့်ပေးတယ်။ ကျွန်ုပ် မပစ်ခဲ့ပါ။\n\n"
    "နောက်နေ့ ထွက်ပြေးခဲ့တယ်။ လမ်းမှာ ရွာသားတွေက ထမင်းကျွေးတယ်။ အခု ဘေးကင်းတဲ့နေရာ ရောက်နေပြီ။"
)
ZAWGYI = "ရန္ကုန္မွာ တပ္ရင္းမႉးက အမိန္႔ေပးတယ္။ ကြၽန္ေတာ္ ထြက္ေျပးခဲ့တယ္။ မိသားစုကို စိုးရိမ္တယ္။"
PLACES = ("MMR006001", "MMR005016", "MMR016001", "MMR013", "MMR010")
WORST = dict.fromkeys(("account", "rank", "unit_no", "force", "urgency"), HOSTILE)


def people() -> list[Sealed]:
    """Return thirty testimonies that differ in what a list shows, a Zawgyi and a hostile one."""
    rows = []
    for n in range(30):
        answers = {
            **ANSWERS,
            "account": ZAWGYI if n == 1 else ACCOUNT,
            "c_count": "yes",
            "c_verify": "yes",
            "force": ("army", "army", "police", "army", "navy")[n % 5],
            "left": ("2021-08", "2021-04", "2022-01")[n % 3],
            "posted": PLACES[n % len(PLACES)],
            "rank": ("PTE", "SGT", "CPL", "CAPT")[n % 4],
            "unit_no": str((528, 25, 77, 101)[n % 4]),
            "urgency": ("later", "today", "skip", "days", "later", "skip")[n % 6],
            "vet_hint": "သင်တန်း အပတ်စဉ် ၅၄",
        }
        rows.append(sealed_row(f"person {n}", answers))
    return [*rows, sealed_row("hostile", {**WORST, "consent_store": "yes"})]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a desk with cases; the hostile one and the Zawgyi one are alice's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(days, "clock", lambda: FIRST)
        made = Desk(tmp_path_factory.mktemp("desk") / "desk")
        rows = people()
        made.bring(made.bundle_for("alice", True, rows[1], rows[-1], others=[rows[0], *rows[2:-1]]))
        yield made


@contextmanager
def opened(  # noqa: PLR0913 - whatever a test wants otherwise
    desk: Desk,
    folder: Path,
    *,
    language: str = "en",
    scripts: bool = False,
    text: int = 16,
    idle: float = 300,
) -> Iterator[tuple[webdriver.Chrome, str]]:
    """Yield a browser that came in and unlocked, and the start of every address."""
    made = session(desk, exports=folder, idle=idle)
    made.language = language
    with (
        served(made) as server,
        chromium(folder, cookies=True, scripts=scripts, text=text) as browser,
    ):
        browser.get(server.address)
        start = f"http://127.0.0.1:{server.port}/"
        assert browser.current_url == start
        yield browser, start


def find(browser: webdriver.Chrome, css: str) -> WebElement:
    """Return the first element."""
    return browser.find_element(By.CSS_SELECTOR, css)


def press(browser: webdriver.Chrome, css: str) -> None:
    """Press a button or a link, and wait for the next page."""
    page = find(browser, "html")
    find(browser, css).click()
    # While one page goes and the other comes, the driver may not know whose the element is.
    wait = WebDriverWait(browser, WAIT, ignored_exceptions=[WebDriverException])
    wait.until(staleness_of(page))


def unlock(browser: webdriver.Chrome) -> None:
    """Type the passphrase, and wait until the cases are there; the page looks again by itself."""
    find(browser, "#passphrase").send_keys("demo-alice")
    press(browser, "main button")
    WebDriverWait(browser, WAIT).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".bar nav"))


def shot(browser: webdriver.Chrome, folder: Path, name: str, most: int = 1500) -> None:
    """Take the page at both widths; it must never scroll sideways, nor on the narrowest phone."""
    for width in (NARROW, DESK, PHONE):
        resize(browser, width)
        file = folder / f"desk-{name}-{width}.png"
        size = picture(browser, file, most)
        assert size["width"] <= size["viewport"], f"{name} scrolls sideways at {width} px"
        if width == NARROW:
            file.unlink()
    resize(browser, DESK)


@pytest.mark.parametrize("language", ["en", "my"])
def test_a_reviewer_works_without_a_script(
    desk: Desk, tmp_path: Path, pictures: Path, language: str
) -> None:
    """Forms and links do all of it: unlock, list, filter, read, decide, undo, search, lock."""
    with opened(desk, tmp_path, language=language) as (browser, start):

        def take(name: str) -> None:
            shot(browser, pictures, f"{name}-{language}")

        secret = browser.current_url
        take("lock")
        unlock(browser)
        take("inbox")
        press(browser, 'a[href="/?danger=today"]')
        assert browser.current_url == f"{start}?danger=today"
        take("filtered")
        browser.get(start)
        hostile = sealed_row("hostile", {**WORST, "consent_store": "yes"}).case.hex()
        zawgyi = people()[1].case.hex()
        for name, tag in (("hostile", hostile), ("zawgyi", zawgyi)):
            browser.get(f"{start}case/{tag}")
            take(name)
        assert len(browser.find_elements(By.CSS_SELECTOR, ".copy .typed")) == 1
        find(browser, ".side details:nth-of-type(4) summary").click()
        for box in browser.find_elements(By.CSS_SELECTOR, "details[open] [type=checkbox]")[:2]:
            box.click()
        find(browser, "details[open] textarea").send_keys("ဖုန်းဖြင့် မေးပြီး၊ အပတ်စဉ် မှန်သည်။")
        take("decide")
        press(browser, "details[open] button")
        take("kept")
        press(browser, '.bar a[href="/sign"]')
        take("sign")
        before = len(browser.find_elements(By.CSS_SELECTOR, ".drafts li"))
        press(browser, ".drafts button")
        assert len(browser.find_elements(By.CSS_SELECTOR, ".drafts li")) == before - 1
        find(browser, "#query").send_keys("ရွာသား")
        press(browser, ".find button")
        assert browser.current_url == f"{start}search"
        assert len(browser.find_elements(By.CSS_SELECTOR, "a.case")) > 5
        take("search")
        press(browser, '.bar a[href="/tally"]')
        take("tally")
        browser.get(f"{start}nope")
        take("notice")
        browser.get(f"{start}case/{zawgyi}")
        press(browser, ".lock")
        assert find(browser, "#passphrase").is_displayed()
        for _ in range(3):  # what was shown is not shown again from the browser's memory
            browser.back()
            assert "အမိန့်" not in browser.page_source
        browser.get(secret)
        asked = requests(browser)
        assert len(asked) > 20
        assert [url for url in asked if not url.startswith(start)] == []
        assert [url for url in asked if "%E1" in url] == []
        assert complaints(browser) == []


def complaints(browser: webdriver.Chrome) -> list[str]:
    """Return what the browser complains of, but for the page that is not there."""
    said = [str(entry["message"]) for entry in browser.get_log("browser")]
    return [line for line in said if "404" not in line and "favicon" not in line]


def test_signing_in_a_browser(desk: Desk, tmp_path: Path, pictures: Path) -> None:
    with opened(desk, tmp_path) as (browser, start):
        unlock(browser)
        press(browser, "a.case")
        url = browser.current_url
        find(browser, ".side details:nth-of-type(1) summary").click()
        find(browser, "details[open] [type=checkbox]").click()
        press(browser, "details[open] button")
        press(browser, '.bar a[href="/sign"]')
        find(browser, "#passphrase").send_keys("demo-alice")
        press(browser, "main form.card button")
        WebDriverWait(browser, WAIT).until(lambda b: b.find_elements(By.CSS_SELECTOR, "a.case"))
        browser.get(url)
        assert find(browser, ".history .said").text == "Triaged"
        shot(browser, pictures, "signed")
        assert browser.current_url.startswith(start)


def test_a_page_that_nobody_looks_after_locks_itself(desk: Desk, tmp_path: Path) -> None:
    """Without a script, and from the browser's own memory too."""
    with opened(desk, tmp_path, idle=4) as (browser, start):
        unlock(browser)
        browser.get(f"{start}case/{people()[1].case.hex()}")
        assert "အမိန့်" in browser.page_source
        WebDriverWait(browser, WAIT).until(lambda b: b.find_elements(By.ID, "passphrase"))
        for _ in range(3):
            browser.back()
            assert "အမိန့်" not in browser.page_source


def test_keys_move_with_a_little_script(desk: Desk, tmp_path: Path) -> None:
    with opened(desk, tmp_path, scripts=True) as (browser, start):
        unlock(browser)
        seen = [a.get_attribute("href") for a in browser.find_elements(By.CSS_SELECTOR, "a.case")]
        links = [str(link) for link in seen]

        def key(*keys: str) -> None:
            webdriver.ActionChains(browser).send_keys(*keys).perform()

        key("j", "j", "k", "j")
        assert browser.switch_to.active_element.get_attribute("href") == links[1]
        key(Keys.ENTER)
        wait_for(browser, links[1])
        key("j")
        wait_for(browser, links[2])
        key("k")
        wait_for(browser, links[1])
        before = browser.current_url
        key("u")
        WebDriverWait(browser, WAIT).until(lambda b: b.current_url != before)
        assert browser.current_url in links
        before = browser.current_url
        key("/")
        assert browser.switch_to.active_element.get_attribute("id") == "query"
        key("jku/")  # typed, and no keys any more
        assert find(browser, "#query").get_attribute("value") == "jku/"
        assert browser.current_url == before
        assert complaints(browser) == []
        assert links[0].startswith(start)


def wait_for(browser: webdriver.Chrome, url: str) -> None:
    """Wait until a page is there."""
    end = time.monotonic() + WAIT
    while browser.current_url != url:
        assert time.monotonic() < end, browser.current_url
        time.sleep(0.05)


def test_text_of_twice_the_size_fits(desk: Desk, tmp_path: Path) -> None:
    with opened(desk, tmp_path, text=32, language="my") as (browser, start):
        unlock(browser)
        for path in ("", "sign", "search", "tally", f"case/{people()[1].case.hex()}"):
            browser.get(start + path)
            for width in (640, DESK):
                resize(browser, width)
                size = picture(browser, tmp_path / "large.png", 900)
                assert size["width"] <= size["viewport"], f"/{path} at {width} px"


def test_every_page_can_be_used_by_keyboard(desk: Desk, tmp_path: Path) -> None:
    with opened(desk, tmp_path, scripts=True) as (browser, start):
        unlock(browser)
        for path in ("", f"case/{people()[1].case.hex()}"):
            browser.get(start + path)
            webdriver.ActionChains(browser).send_keys(Keys.TAB).perform()
            skip = browser.switch_to.active_element
            assert skip.get_attribute("href") == f"{start}{path}#main"
            assert skip.is_displayed()
            assert skip.size["height"] > 20
            assert skip.value_of_css_property("outline-style") == "solid"
            levels = [
                int(h.tag_name[1]) for h in browser.find_elements(By.CSS_SELECTOR, "h1, h2, h3")
            ]
            assert levels[0] == 1
            assert levels.count(1) == 1
