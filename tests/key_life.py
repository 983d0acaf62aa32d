"""A deployment whose keys live: three rooms in one folder, driven by the commands people type.

Rules:
- Every key is made by a ceremony's command; every file that travels lies where its command put it.
- Commands run in this process, through the parser of their tool, with a demo's passphrases.
- The day is :attr:`Life.day`; whoever asks for the clock gets it.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from intake import days, files, keyring
from intake.admin import __main__ as admin
from intake.ceremony import __main__ as ceremony
from intake.desk import __main__ as desk
from intake.keyring import Keyring
from intake.server.site import create_app
from intake.settings import Settings
from tests.site_maker import browser, receipt_in, submit

FIRST = date(2026, 11, 16)  # a Monday
ROOTS = ("rosa", "ruth")
FOUNDERS = ("alice", "bob", "carol")
PEOPLE = (*FOUNDERS, "dave")
W47, W48 = "2026-w47", "2026-w48"


@dataclass(slots=True)
class Life:
    """Everybody's folders under ``root``, and the day."""

    root: Path
    patch: pytest.MonkeyPatch
    day: date = FIRST
    stick: Path = field(init=False)

    def __post_init__(self) -> None:
        """Set clock and folders."""
        self.stick = self.root / "stick"
        self.patch.setattr(days, "clock", lambda: self.day)
        self.patch.setenv("INTAKE_DATA", str(self.root / "data"))
        self.patch.setenv("INTAKE_KEYS", str(self.root / "public"))

    @property
    def settings(self) -> Settings:
        """The server's."""
        return Settings.from_environment()

    def ceremony(self, *arguments: object) -> str:
        """Run a command of the ceremony; return what it says, raise what it refuses."""
        words = ["--demo-passphrases", self.root / "words", *arguments]
        return _run(ceremony, words)

    def desk(self, command: str, *arguments: object) -> str:
        """Run a command on the desk's casebook."""
        words = ["--demo-passphrases", self.root / "words", command, *arguments]
        return _run(desk, [*words, "--casebook", self.root / "casebook"])

    def admin(self, *arguments: object) -> str:
        """Run a command on the server."""
        return _run(admin, arguments)

    def keyring(self, version: int = 1) -> Path:
        """Return where a keyring lies."""
        return self.stick / f"keyring-{version}"

    def read(self, version: int = 1) -> Keyring:
        """Return a keyring that was assembled."""
        return keyring.parse(self.keyring(version).read_bytes())

    def here(self, *names: str) -> list[object]:
        """Return the options that say who is present."""
        return [part for name in names for part in ("--reviewer", self.root / name)]

    def cards(self, *names: str) -> list[Path]:
        """Return people's cards."""
        return [self.root / name / "card.json" for name in names]

    def start(self) -> None:
        """Hold the first ceremony, install keyring 1, and make the desk's casebook."""
        self.stick.mkdir()
        words = "".join(f"{name} demo-words-of-{name}\n" for name in (*ROOTS, "rhea", *PEOPLE))
        files.write(self.root / "words", words.encode())
        for name in (*ROOTS, "rhea"):
            self.ceremony("root", name, "--out", self.root)
        for name in PEOPLE:
            self.ceremony("reviewer", name, "--body", f"Body of {name}", "--out", self.root)
        made = ["--quorum", 2, "--out", self.root / "made", "--yes"]
        made += ["--reviewers", *self.cards(*FOUNDERS)]
        self.ceremony("archive", *made)
        self.ceremony("periods", "--from", FIRST, "--weeks", 2, *made)
        packages = [self.root / "made" / name for name in ("archive", W47, W48)]
        self.ceremony("attest", *packages, *self.here("alice", "bob"))
        said = self.admin("init")
        key = re.search(r"[0-9a-f]{64}", said)
        assert key is not None
        draft = self.root / "made" / "draft"
        self.ceremony(
            *("propose", "--out", draft, "--expires", "2026-11-29", "--threshold", 2),
            *("--roots", *self.cards(*ROOTS), "--reviewers", *self.cards(*FOUNDERS)),
            *("--archive", packages[0], "--periods", *packages[1:], "--bundle-key", key[0]),
        )
        self.sign(draft, 1)
        self.admin("keyring", "install", self.keyring(1), "--demo", "--yes")
        self.desk("init", "--keyring", self.keyring(1), "--desk", "desk-a", "--yes")

    def sign(self, draft: Path, version: int, names: Sequence[str] = ROOTS) -> str:
        """Let roots sign, and assemble; return what the first of them was told."""
        before = ["--previous", self.keyring(version - 1)] if version > 1 else []
        told = [
            self.ceremony("sign", draft, "--root", self.root / name, *before, "--yes")
            for name in names
        ]
        signatures = [draft.with_name(f"{draft.name}.{name}.sig") for name in names]
        self.ceremony("assemble", draft, *signatures, "--out", self.keyring(version), *before)
        return told[0]

    def rotate(self, version: int, *more: object, who: Sequence[str] = ("alice", "bob")) -> str:
        """Make what keyring ``version`` needs, in the folder ``made-<version>``."""
        out = self.root / f"made-{version}"
        before = self.keyring(version - 1)
        return self.ceremony("rotate", "--previous", before, "--out", out, *self.here(*who), *more)

    def install(self, version: int) -> None:
        """Sign, assemble, and put in force on the server and at the desk."""
        self.sign(self.root / f"made-{version}" / "draft", version)
        self.admin("keyring", "install", self.keyring(version), "--demo")
        self.desk("keyring", self.keyring(version))

    def send(self, account: str) -> str:
        """Send a testimony; return the digits of its receipt."""
        client = browser(create_app(self.settings))
        return receipt_in(submit(client, account=account).text)

    def export(self, *more: object) -> list[Path]:
        """Export to the stick; return the new bundles."""
        before = set(self.stick.glob("*.bundle"))
        self.admin("export", self.stick, *more)
        return sorted(set(self.stick.glob("*.bundle")) - before)

    def bring(self, bundle: Path, *package: Path, who: Sequence[str] = ("alice", "bob")) -> str:
        """Import a bundle at the desk."""
        named = [part for path in package for part in ("--package", path)]
        return self.desk("import", bundle, *named, *self.here(*who))

    def acknowledge(self, number: int, who: Sequence[str] = ("bob", "carol")) -> Path:
        """Copy, and let two sign what the server may delete."""
        self.desk("copy", "--to", self.root / "copy")
        out = self.stick / f"{number}.return"
        self.desk(
            "acknowledge", "--second-copy", self.root / "copy", "--out", out, *self.here(*who)
        )
        return out


def _run(tool: object, arguments: Sequence[object]) -> str:
    given = tool.build().parse_args([*map(str, arguments)])  # type: ignore[attr-defined]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        given.do(given)
    return said.getvalue()


@contextlib.contextmanager
def living(root: Path) -> Iterator[Life]:
    """Yield a life in an empty folder; the clock is set back after."""
    with pytest.MonkeyPatch.context() as patch:
        yield Life(root, patch)
