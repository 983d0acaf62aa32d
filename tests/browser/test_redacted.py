"""A redacted case file in a real Chromium: on both widths, and printed into a PDF.

What is struck must not be in the PDF either, as a reader of PDFs finds it, or in its streams.
"""

from __future__ import annotations

import base64
import re
import subprocess
import unicodedata
import zlib
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By

from intake.desk import redaction
from tests.browser.chromium import DESK, NARROW, PHONE, chromium, picture, requests, resize
from tests.case_maker import CASE, MY, case, told

pytestmark = pytest.mark.browser

NAME = "မောင်ကျော်စွာ"
STRIKE = [NAME, "Kyaw Swar", "528", "Kengtung", "👨\u200d👩\u200d👧"]
ANSWERS = {
    "account": f"တပ်ရင်းမှူး {NAME} က ရွာကို ပစ်ဖို့ အမိန့်ပေးတယ်။\nU KYAW SWAR \u202egnp.exe "
    f"{' '.join(NAME)} <script>document.title='x'</script> 👨\u200d👩\u200d👧 ကျွန်တော် မပစ်ခဲ့ပါ။",
    "vet_hint": f"သင်တန်း အပတ်စဉ် ၅၄ {NAME}",
    "unit_no": "528",
    "posted": "MMR016001",
    "rank": "SGT",
    "c_quote": "yes",
}


def written(folder: Path) -> Path:
    found = [told(ANSWERS)]
    keep = [key for key in ANSWERS if not key.startswith("c_")]
    file = redaction.redact(case(*found), found, keep, STRIKE, MY)
    path = folder / "redacted.html"
    path.write_bytes(redaction.html(file, MY, demo=False))
    return path


def texts_of(pdf: Path) -> tuple[str, str]:
    """Return what pdftotext reads, and all that can be unpacked, as Latin, UTF-8 and UTF-16."""
    done = subprocess.run(
        ["/usr/bin/pdftotext", pdf, "-"], capture_output=True, check=True, timeout=60
    )
    data = pdf.read_bytes()
    streams = [data]
    for found in re.finditer(rb"stream\r?\n", data):
        try:
            streams.append(zlib.decompressobj().decompress(data[found.end() :]))
        except zlib.error:
            continue
    inside = b"\n".join(streams)
    read = (inside.decode(name, "ignore") for name in ("latin-1", "utf-8", "utf-16-be"))
    return done.stdout.decode(), "\n".join(read)


def test_a_redacted_page_shows_and_prints_nothing_that_is_struck(tmp_path: Path) -> None:
    path = written(tmp_path)
    with chromium(tmp_path) as browser:
        requests(browser)
        browser.get(path.as_uri())
        assert requests(browser) == [path.as_uri()]
        assert browser.title.startswith("Redacted case file")
        for width in (NARROW, PHONE, DESK):
            resize(browser, width)
            size = picture(browser, tmp_path / f"redacted-{width}.png", 3000)
            assert size["width"] <= size["viewport"], f"scrolls sideways at {width} px"
            bars = browser.find_elements(By.CSS_SELECTOR, ".struck")
            assert len({bar.size["width"] for bar in bars}) == 1
        assert len(bars) == 8  # one is the sample
        said = browser.find_element(By.TAG_NAME, "body").text
        printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})
    pdf = tmp_path / "redacted.pdf"
    pdf.write_bytes(base64.b64decode(printed["data"]))
    read, inside = texts_of(pdf)
    assert "Redacted case file" in read
    assert read.count("struck out") >= len(bars)  # seen without printed backgrounds, too
    assert "Sergeant" in read
    assert "အမိန့်ပေးတယ်" in read  # Burmese that is there is found
    for text in (said, read, inside):
        plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()
        for gone in (*STRIKE, MY("Kengtung")):
            if text is not inside or not gone.isdecimal():  # a PDF is full of numbers
                assert re.sub(r"\s", "", gone).casefold() not in plain
        for gone in (CASE.hex()[:8], "alice", "2026-11-19", str(path.parent)):
            assert gone not in text
