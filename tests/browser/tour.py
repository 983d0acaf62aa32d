"""Every page that a source can see, in every state, shown in one window after the other.

Rules:
- The states are real: a real server, a real keyring that is taken away and put back, a real row for
  every receipt. Only what a browser cannot be made to cause is rendered here, the constant pages
  for a status, and what the layer below the app says to nonsense is fetched over a raw socket.
- A state is named once, and the name is stable: it names pictures.
- Scripts are on in this window, so that the tests can look into the page. The pages have none.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intake.form import Form
from intake.server.returns import LONGEST, create_app
from intake.server.site import notice
from intake.settings import ROOT
from tests.browser.play import ACCOUNT, MAIN, Play
from tests.browser.windows import ChromiumWindow
from tests.spine import WAIT
from tests.way_back import answer

FILE_MB = 1
# Of this tour's server: what a group says of itself is shown, and a file is soon too large.
SETTINGS = {
    "INTAKE_ABOUT": str(ROOT / "deploy" / "about.example.toml"),
    "INTAKE_FILE_MB": str(FILE_MB),
}
STATUSES = (400, 403, 404, 405, 408, 413, 415, 421, 429, 431, 500, 503)
REPLIES = (ACCOUNT, "Yes.\nWhen did it happen? 🙏", "အ" * 200)
NONSENSE = b"\x16\x03\x01 nonsense\r\n\r\n"
WORDS, FILE, WITHDRAW = (
    f'form[action$="/{name}"] button' for name in ("words", "file", "withdraw")
)


def long(length: int) -> str:
    """Return words of so many characters; one long word would keep the browser busy for minutes."""
    return (f"{ACCOUNT} " * length)[:length]


@dataclass(frozen=True, slots=True, repr=False)
class Tour:
    """A window that goes through every state of the site, in the language of the play."""

    play: Play
    window: ChromiumWindow
    folder: Path

    def states(self) -> Iterator[str]:
        """Bring the window into one state after the other, and yield the name of each."""
        yield from self.letter()
        digits = self.play.digits()
        yield from self.way_back(digits)
        yield from self.files(digits)
        yield from self.withdrawal(digits)
        for name in ("key", "exit"):
            self.window.go(self.play.at(f"/{name}"))
            yield name
        yield from self.notices()

    def letter(self) -> Iterator[str]:
        """The form in its states, and the receipt."""
        self.window.go(self.play.at())
        yield "form"
        wrong = self.spoil()
        self.window.press(MAIN)
        assert len(self.window.texts("#errors li")) == wrong
        yield "form-errors"
        self.play.fill()
        self.window.click('header [href="#Cover"]')
        yield "form-hidden"
        self.window.click('#Cover [href="#"]')
        assert self.window.value("#account") == ACCOUNT
        with self.closed():
            self.window.press(MAIN)
            yield "form-closed"
            self.window.go(self.play.at())
            yield "closed"
        self.play.fill()
        self.window.press(MAIN)
        yield "receipt"

    def way_back(self, digits: str) -> Iterator[str]:
        """Back with a receipt: mistyped, with nothing there, with answers; more words."""
        self.window.go(self.play.at("/back"))
        yield "back"
        self.play.come_back(digits[:-1])
        yield "back-mistyped"
        self.play.come_back(digits)
        yield "mailbox-empty"
        self.window.press(WORDS)
        yield "words-empty"
        self.put("#words", long(LONGEST + 1))
        self.window.press(WORDS)
        yield "words-long"
        self.put("#words", ACCOUNT)
        with self.closed():
            self.window.press(WORDS)
            yield "words-closed"
        self.window.press(WORDS)
        yield "words-stored"
        answer(self.play.site, digits, *REPLIES)
        self.play.come_back(digits)
        assert len(self.window.texts(".t")) == len(REPLIES)
        yield "mailbox-answers"

    def files(self, digits: str) -> Iterator[str]:
        """The second step: files."""
        self.play.come_back(digits)
        self.window.press(FILE)
        yield "file-none"
        for name, size in (("file-large", (FILE_MB << 20) + 1), ("file-stored", 1)):
            path = self.folder / name
            path.write_bytes(bytes(size))
            self.window.write("#file", str(path))
            self.window.press(FILE)
            yield name

    def withdrawal(self, digits: str) -> Iterator[str]:
        """The wish that all be deleted."""
        self.play.come_back(digits)
        self.window.press(WITHDRAW)
        yield "withdraw-unsure"
        self.window.click("#sure")
        self.window.press(WITHDRAW)
        assert not self.window.texts(WITHDRAW)
        yield "withdraw-asked"

    def notices(self) -> Iterator[str]:
        """The constant pages, each once, and the one of the layer below."""
        seen = set()
        app = create_app(self.play.site.settings)
        for status in STATUSES:
            with app.test_request_context():
                page = notice(app.extensions["site"], self.play.language, status).get_data()
            if page not in seen:
                seen.add(page)
                self.show(page)
                yield f"notice-{status}"
        self.show(self.refusal())
        yield "refusal"

    def refusal(self) -> bytes:
        """Return the page that answers what is no request."""
        host, _, port = self.play.wire.server.partition(":")
        with socket.create_connection((host, int(port)), WAIT) as line:
            line.sendall(NONSENSE)
            with line.makefile("rb") as file:
                head, _, page = file.read().partition(b"\r\n\r\n")
        return gzip.decompress(page) if b"gzip" in head else page

    def show(self, page: bytes) -> None:
        """Show a page that came another way than through the window."""
        file = self.folder / "page.html"
        file.write_bytes(page)
        self.window.go(file.as_uri())

    def put(self, css: str, text: str) -> None:
        """Put a text into a field at once; typing thousands of characters takes seconds."""
        field = self.window.browser.find_element("css selector", css)
        self.window.browser.execute_script("arguments[0].value = arguments[1]", field, text)

    def spoil(self) -> int:
        """Answer all that can be answered wrongly; return how many errors that must give."""
        form = Form.load(self.play.site.settings.form)
        wrong = {"number": "x", "date": "28"}
        for item in form.questions():
            if item.kind in {"text", "number", "date"}:
                text = wrong.get(item.kind, long(item.limit + 1))
                self.put(f'[name="{item.names()[-1]}"]', text)
        return sum(item.required or item.kind in {"text", *wrong} for item in form.questions())

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """Take the keyring away, and put it back."""
        path = self.play.site.settings.keyring
        kept = path.read_bytes()
        path.unlink()
        try:
            yield
        finally:
            path.write_bytes(kept)
