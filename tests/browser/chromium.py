"""A real Chromium with no way out: as a source has it, no scripts, no cookies; or with them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

NARROW, PHONE, DESK = 320, 360, 1280  # CSS pixels
ALLOW, BLOCK = 1, 2  # chromium's content settings
TEXT = 16  # CSS pixels of plain text
FLAGS = (
    *("--headless=new", "--disable-gpu", "--disable-background-networking", "--no-first-run"),
    *("--disable-component-update", "--disable-sync", "--disable-quic", "--lang=en-US"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@contextlib.contextmanager
def chromium(
    folder: Path,
    *,
    scripts: bool = False,
    cookies: bool = False,
    text: int = TEXT,
    socks: str = "",
) -> Iterator[webdriver.Chrome]:
    """Yield a browser with an empty profile in ``folder``; it ends with the block.

    ``socks`` is the proxy (``host:port``) through which it asks for everything, names included.
    """
    options = Options()
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
    if socks:
        flags += [f"--proxy-server=socks5://{socks}", "--disable-features=HttpsUpgrades"]
    for flag in flags:
        options.add_argument(flag)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    allowed = {"javascript": scripts, "cookies": cookies}
    settings: dict[str, int] = {
        f"profile.managed_default_content_settings.{name}": ALLOW if on else BLOCK
        for name, on in allowed.items()
    }
    settings["webkit.webprefs.default_font_size"] = text
    options.add_experimental_option("prefs", settings)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = Service("/usr/bin/chromedriver")
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def requests(browser: webdriver.Chrome) -> list[str]:
    """Return the URLs requested since the last call; ``data:`` and the browser's own ask nobody."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    urls = [params["request"]["url"] for params in sent]
    return [url for url in urls if not url.startswith(("data:", "chrome"))]


def resize(browser: webdriver.Chrome, width: int) -> None:
    """Make the page ``width`` CSS pixels wide; a phone's width with a phone's behaviour."""
    phone = width < DESK
    size = {
        "width": width,
        "height": 780,
        "deviceScaleFactor": 1.5 if phone else 1,
        "mobile": phone,
    }
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_script("scrollTo(0, 0)")  # where a bar that stays covers nothing


def fits(browser: webdriver.Chrome) -> bool:
    """Return whether the page does not scroll sideways."""
    metrics = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})
    # Not of the layout's viewport: on a phone it grows with what is too wide for it.
    return bool(metrics["cssContentSize"]["width"] <= metrics["cssVisualViewport"]["clientWidth"])


def text_size(browser: webdriver.Chrome, size: int) -> None:
    """Make plain text ``size`` CSS pixels high, as a setting of the browser does."""
    sizes = {"standard": size, "fixed": size}
    browser.execute_cdp_cmd("Page.setFontSizes", {"fontSizes": sizes})


def picture(browser: webdriver.Chrome, file: Path, most: int, top: int = 0) -> dict[str, Any]:
    """Write a PNG of the page from ``top``, at most ``most`` CSS pixels; return the page's size."""
    metrics = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})
    size: dict[str, Any] = metrics["cssContentSize"]
    clip = {"x": 0, "y": top, "width": size["width"], "scale": 1}
    clip["height"] = min(size["height"] - top, most)
    options = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", options)
    file.write_bytes(base64.b64decode(shot["data"]))
    return {**size, "viewport": metrics["cssVisualViewport"]["clientWidth"]}
