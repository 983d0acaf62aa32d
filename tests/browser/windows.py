"""One window of a browser, with the same few verbs whichever browser it is.

Elements are named by CSS. :meth:`press` and :meth:`reload` wait for the page that comes, be it the
browser's own page about a line that broke. No script of a page runs, and no cookie is kept.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By

from tests.browser.chromium import chromium
from tests.browser.firefox import ELEMENT, WAIT, Firefox, RefusedError, firefox

BROKEN = "Reached error page"  # Firefox says so of its own page


class Window(Protocol):
    """What a source does, and sees."""

    def go(self, url: str) -> None: ...
    def texts(self, css: str) -> list[str]: ...
    def value(self, css: str) -> str: ...
    def write(self, css: str, text: str) -> None: ...
    def click(self, css: str) -> None: ...
    def press(self, css: str) -> None: ...
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

    def value(self, css: str) -> str:
        return str(self._all(css)[0].get_property("value"))

    def write(self, css: str, text: str) -> None:
        self._all(css)[0].send_keys(text)

    def click(self, css: str) -> None:
        self._all(css)[0].click()

    def press(self, css: str) -> None:
        old = self._page()
        self.click(css)
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

    def value(self, css: str) -> str:
        one = self._all(css)[0]
        return str(self.browser("WebDriver:GetElementProperty", id=one, name="value"))

    def write(self, css: str, text: str) -> None:
        self.browser("WebDriver:ElementSendKeys", id=self._all(css)[0], text=text)

    def click(self, css: str) -> None:
        self.browser("WebDriver:ElementClick", id=self._all(css)[0])

    def press(self, css: str) -> None:
        self._do("WebDriver:ElementClick", id=self._all(css)[0])

    def reload(self) -> None:
        self._do("WebDriver:Refresh")

    def back(self) -> None:
        self._do("WebDriver:Back")

    def title(self) -> str:
        return str(self.browser("WebDriver:GetTitle"))

    def url(self) -> str:
        return str(self.browser("WebDriver:GetCurrentURL"))


@contextlib.contextmanager
def window(name: str, folder: Path) -> Iterator[Window]:
    """Yield a window of the browser with this name; it ends with the block."""
    if name == "chromium":
        with chromium(folder) as browser:
            yield ChromiumWindow(browser)
    else:
        with firefox(folder) as marionette:
            yield FirefoxWindow(marionette)
