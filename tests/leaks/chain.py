"""The deployed chain on a checkout of its own: site behind tor's door, and the admin's commands.

Rules:
- What is served is a copy, broken on purpose or not, and holds no test: what is found in it, or in
  a folder that was empty before, the site put there.
- The home and the temporary folder are new, and a core may be as large as it likes.
"""

from __future__ import annotations

import contextlib
import gzip
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests import door
from tests.door import Door
from tests.mutants import Mutant
from tests.site_maker import Site, make_site
from tests.spine import WAIT
from tests.test_end_to_end import checkout

_CIRCUITS = count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: 0 if nothing did; ``text`` is the page."""

    status: int
    text: str
    raw: bytes

    @classmethod
    def read(cls, raw: bytes) -> Answer:
        """Take an answer apart, also one that began with "100 Continue"."""
        raw = raw.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, _, body = raw.partition(b"\r\n\r\n")
        if not head:
            return cls(0, "", raw)
        page = gzip.decompress(body).decode() if body.startswith(b"\x1f\x8b") else body.decode()
        return cls(int(head.split()[1]), page, head)


@dataclass(frozen=True, slots=True)
class Chain:
    """A site whose release may be broken; ``folder`` holds all that it may write to."""

    release: Path
    folder: Path
    site: Site

    @classmethod
    def make(cls, folder: Path, mutant: Mutant | None = None) -> Chain:
        """Put up a site."""
        folder.mkdir(exist_ok=True)
        release = checkout(folder / "release")
        if mutant:
            mutant.apply(release)
        return cls._with(release, folder)

    @property
    def database(self) -> Path:
        """The store's file."""
        return self.site.settings.data / "intake.db"

    def beside(self, folder: Path) -> Chain:
        """Return another site of the same release and deployment, with an empty store."""
        return self._with(self.release, folder)

    @classmethod
    def _with(cls, release: Path, folder: Path) -> Chain:
        for name in ("home", "tmp", "stick"):
            (folder / name).mkdir(parents=True)
        made = cls(release, folder, make_site(folder))
        made.database.unlink()
        made.admin("init")  # its own code makes the tables
        return made

    @property
    def environment(self) -> dict[str, str]:
        """What its processes are told."""
        own = {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp")}
        return door.settings(self.site) | own

    @contextlib.contextmanager
    def served(
        self, *before: str, more: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> Iterator[Door]:
        """Serve it; what it prints is in the file ``log``."""
        path = self.folder / "site.sock"
        told = {**self.environment, "INTAKE_BIND": f"unix:{path}", **(more or {})}
        with (
            cores(),
            door.behind(
                self.site,
                path,
                *before,
                options=options,
                more=told,
                root=self.release,
                log=self.folder / "log",
            ) as opened,
        ):
            yield opened

    def log(self) -> bytes:
        """Return what was printed so far."""
        return (self.folder / "log").read_bytes()

    def admin(self, *arguments: str | Path, code: int = 0) -> str:
        """Run a command of the admin's; return what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "intake.admin", *map(str, arguments)],
            cwd=self.release,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT,
        )
        assert done.returncode == code, f"admin\n{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def ids(self) -> set[bytes]:
        """Return the ids of all rows."""
        store = self.site.store
        with store.transaction() as connection:
            found = connection.exec_driver_sql("SELECT id FROM envelopes").scalars()
            return {bytes(one) for one in found}


@contextlib.contextmanager
def cores() -> Iterator[None]:
    """Let what is started meanwhile leave a core of any size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def ask(at: Door, *pieces: bytes, half: bool = False) -> Answer:
    """Send these on a new circuit; return what comes until it hangs up."""
    return Answer.read(at.ask(door.line(next(_CIRCUITS)), *pieces, half=half))


def head(
    target: str, *lines: str | bytes, method: str = "POST", origin: str = "http://localhost"
) -> bytes:
    """Return the head of a request as a browser sends it, with more lines."""
    own: list[str | bytes] = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close"]
    own += [f"Origin: {origin}"] * (method == "POST")
    raw = (one.encode() if isinstance(one, str) else one for one in (*own, *lines, "", ""))
    return b"\r\n".join(raw)


def post(
    target: str, kind: str, body: bytes, *lines: str | bytes, origin: str = "http://localhost"
) -> bytes:
    """Return a POST with a body of one kind."""
    sized = (f"Content-Type: {kind}", f"Content-Length: {len(body)}")
    return head(target, *sized, *lines, origin=origin) + body
