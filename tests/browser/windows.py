"""One window of a browser, with the same few verbs whichever browser it is.

Elements are named by CSS, and the first one is meant. What is folded around it is unfolded first,
by a click on each summary, as a source does it. :meth:`press` and :meth:`reload` wait for the page
that comes, be it the browser's own page about a line that broke. No script of a page runs, and no
cookie is kept.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from tests.browser.chromium import chromium
from tests.browser.firefox import ELEMENT, WAIT, Firefox, RefusedError, firefox

BROKEN = "Reached error page"  # Firefox says so of its own page
UNFOLDS = "details:not([open]) > summary"
FOLDED = "ancestor::details[not(@open)]/summary"  # XPath; the outermost comes first


class Window(Protocol):
    """What a source does, and sees."""

    def go(self, url: str) -> None: ...
    def texts(self, css: str) -> list[str]: ...
    def values(self, css: str) -> list[str]: ...
    def value(self, css: str) -> str: ...
    def write(self, css: str, text: str) -> None: ...
    def click(self, css: str) -> None: ...
    def press(self, css: str) -> None: ...
    def press_twice(self, css: str) -> None: ...
    def reload(self) -> None: ...
    def back(self) -> None: ...
    def title(self) -> str: ...
    def url(self) -> str: ...


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not done():
        assert time.monotonic() < deadline, "the page did not come"
        time.sleep(0.1)


class ChromiumWindow:
    """A window of Chromium."""

    def __init__(self, browser: webdriver.Chrome) -> None:
        self.browser = browser

    def _all(self, css: str) -> list[Any]:
        return self.browser.find_elements(By.CSS_SELECTOR, css)

    def _one(self, css: str) -> Any:  # noqa: ANN401 - selenium's elements are of several classes
        one = self._all(css)[0]
        for summary in one.find_elements(By.XPATH, FOLDED):
            if summary != one:
                centre(self.browser, summary).click()
        return centre(self.browser, one)

    def _page(self) -> str:
        """Return a name of the page that is shown, "" while an empty one stands in between."""
        with contextlib.suppress(WebDriverException):
            body = self.browser.find_element(By.CSS_SELECTOR, "body")
            return str(body.id) if body.text else ""
        return ""

    def _next(self, old: str) -> None:
        _until(lambda: self._page() not in {"", old})

    def go(self, url: str) -> None:
        self.browser.get(url)

    def texts(self, css: str) -> list[str]:
        return [str(one.text) for one in self._all(css)]

    def values(self, css: str) -> list[str]:
        return [str(one.get_property("value")) for one in self._all(css)]

    def value(self, css: str) -> str:
        return self.values(css)[0]

    def write(self, css: str, text: str) -> None:
        self._one(css).send_keys(text)

    def click(self, css: str) -> None:
        self._one(css).click()

    def press(self, css: str) -> None:
        old = self._page()
        self.click(css)
        self._next(old)

    def press_twice(self, css: str) -> None:
        old = self._page()
        ActionChains(self.browser).double_click(self._one(css)).perform()
        self._next(old)

    def reload(self) -> None:
        old = self._page()
        self.browser.refresh()
        self._next(old)

    def back(self) -> None:
        old = self._page()
        self.browser.back()
        self._next(old)

    def title(self) -> str:
        return str(self.browser.title)

    def url(self) -> str:
        return str(self.browser.current_url)


class FirefoxWindow:
    """A window of Firefox."""

    def __init__(self, browser: Firefox) -> None:
        self.browser = browser

    def _all(self, css: str) -> list[str]:
        found = self.browser("WebDriver:FindElements", using="css selector", value=css)
        return [str(one[ELEMENT]) for one in found]

    def _one(self, css: str) -> str:
        one = self._all(css)[0]
        by = {"using": "xpath", "value": FOLDED}
        for found in self.browser("WebDriver:FindElements", element=one, **by):
            if found[ELEMENT] != one:
                self.browser("WebDriver:ElementClick", id=found[ELEMENT])
        return one

    def _page(self) -> str:
        """Return a name of the page that is shown, "" while an empty one stands in between."""
        with contextlib.suppress(RefusedError):
            self.browser("WebDriver:AcceptAlert")  # yes, send again
        with contextlib.suppress(RefusedError, IndexError):
            body = self._all("body")[0]
            return body if self.browser("WebDriver:GetElementText", id=body) else ""
        return ""

    def _do(self, command: str, **parameters: object) -> None:
        """Have a page loaded; say yes if the browser asks whether to send again."""
        old = self._page()
        try:
            self.browser(command, **parameters)
        except RefusedError as error:
            if BROKEN not in str(error):
                raise
        _until(lambda: self._page() not in {"", old})

    def go(self, url: str) -> None:
        self._do("WebDriver:Navigate", url=url)

    def texts(self, css: str) -> list[str]:
        return [str(self.browser("WebDriver:GetElementText", id=one)) for one in self._all(css)]

    def values(self, css: str) -> list[str]:
        asked = ({"id": one, "name": "value"} for one in self._all(css))
        return [str(self.browser("WebDriver:GetElementProperty", **one)) for one in asked]

    def value(self, css: str) -> str:
        return self.values(css)[0]

    def write(self, css: str, text: str) -> None:
        self.browser("WebDriver:ElementSendKeys", id=self._one(css), text=text)

    def click(self, css: str) -> None:
        self.browser("WebDriver:ElementClick", id=self._one(css))

    def press(self, css: str) -> None:
        self._do("WebDriver:ElementClick", id=self._one(css))

    def press_twice(self, css: str) -> None:
        self.write(css, "")  # brings it into sight
        to = {"type": "pointerMove", "x": 0, "y": 0, "origin": {ELEMENT: self._one(css)}}
        tap = [{"type": f"pointer{which}", "button": 0} for which in ("Down", "Up")]
        mouse = {"type": "pointer", "id": "mouse", "actions": [to, *tap, *tap]}
        self._do("WebDriver:PerformActions", actions=[mouse])

    def reload(self) -> None:
        self._do("WebDriver:Refresh")

    def back(self) -> None:
        self._do("WebDriver:Back")

    def title(self) -> str:
        return str(self.browser("WebDriver:GetTitle"))

    def url(self) -> str:
        return str(self.browser("WebDriver:GetCurrentURL"))


def centre(browser: webdriver.Chrome, one: Any) -> Any:  # noqa: ANN401 - as above
    """Scroll there, as a source does: what is in sight for a driver may be under the page's bar."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", one)
    return one


def unfold(shown: ChromiumWindow) -> int:
    """Unfold all that is seen folded; return how many there were."""
    seen = [
        one for one in shown.browser.find_elements(By.CSS_SELECTOR, UNFOLDS) if one.is_displayed()
    ]
    for one in seen:
        centre(shown.browser, one).click()
    return len(seen)


@contextlib.contextmanager
def window(name: str, folder: Path, socks: str = "") -> Iterator[Window]:
    """Yield a window of the browser with this name, behind a proxy; it ends with the block."""
    if name == "chromium":
        with chromium(folder, socks=socks) as browser:
            yield ChromiumWindow(browser)
    else:
        with firefox(folder, socks) as marionette:
            yield FirefoxWindow(marionette)
