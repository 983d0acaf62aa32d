"""The spine as real processes: server, export, import, read and acknowledge, in their own folders.

:func:`play` takes the folder of a checkout, so that the same play runs on the real one and on
copies with a deliberate breakage; the server and its admin may run another one. Each assertion says
in one word what it guards; the mutants in ``mutants.py`` name the word that must catch them.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

from intake import canonical, days, keyring, locked
from intake.age.passphrase import Passphrase
from tests.boundaries import ABSENT, within
from tests.makers import Deployment, make_deployment, sign

PASSPHRASE = "demo-one-for-all"
CANARY = "ရဲဘော်canary၇"
HOSTILE = (
    f"{CANARY} <script>alert(1)</script>\r\n\x1b]52;c;ZXZpbA==\x07 \u202eevil =HYPERLINK(1) 😀"
)
SIZE = 34_427
WAIT = 30  # seconds
# Python loads this before anything else. It notes each module of ours that is ever asked for, there
# or not: a worker says nothing of what fails in a request.
WATCH = """
import os, sys
from pathlib import Path
class Watch:
    def find_spec(name, *_):
        if name.startswith("intake"):
            with Path(__file__).with_name("asked").open("a") as file:
                file.write(name + chr(10))
sys.meta_path.insert(0, Watch)
"""


@dataclass(frozen=True, slots=True, repr=False)
class Machines:
    """Folders that stand for machines, the checkouts they run, and the keys of everybody."""

    root: Path
    folder: Path
    made: Deployment
    online: Path  # the checkout on the server

    def __getitem__(self, name: str) -> Path:
        """Return the folder of a machine."""
        return self.folder / name

    @property
    def environment(self) -> dict[str, str]:
        """The server's settings."""
        server = self["server"]
        own = {"INTAKE_DATA": str(server / "data"), "INTAKE_KEYS": str(server / "keys")}
        own["PYTHONPATH"] = str(self["watch"])
        return {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"} | own

    def run(self, tool: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a tool to its end."""
        root, env, demo = self.online, self.environment, []
        if tool != "admin":
            root, demo = self.root, ["--demo-passphrases", self["passphrases"]]
            del env["PYTHONPATH"]
        return subprocess.run(
            [sys.executable, "-m", f"intake.{tool}", *map(str, (*demo, *arguments))],
            cwd=root,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT,
        )


def play(root: Path, folder: Path, online: Path | None = None) -> None:
    """Play the whole spine on the checkout in ``root``. Raises ``AssertionError``."""
    machines = set_up(root, folder, online)
    install(machines)
    witness(machines)
    with server(machines) as address:
        digits = submit(address)
        assert submit(address) != digits, "receipts"
    check_store(machines)
    bundle = export(machines)
    import_(machines, bundle)
    read(machines)
    acknowledge(machines)
    check_asked(machines)


def set_up(root: Path, folder: Path, online: Path | None = None) -> Machines:
    """Make the machines' folders and keys; the server makes its own bundle key."""
    today = days.clock()
    made = make_deployment(first=today - timedelta(days=today.weekday()), weeks=2, demo=True)
    machines = Machines(root, folder, made, online or root)
    for name in ("server/keys", "desk/keys", "desk/package", "stick", "watch"):
        machines[name].mkdir(parents=True)
    (machines["watch"] / "sitecustomize.py").write_text(WATCH)
    lines = "".join(f"{name} {PASSPHRASE}\n" for name in made.reviewers)
    machines["passphrases"].touch(mode=0o600)
    machines["passphrases"].write_text(lines)
    for who in made.reviewers.values():
        own = machines["desk"] / "keys" / who.name
        own.mkdir()
        word = Passphrase(PASSPHRASE, 10)
        locked.lock(own / "signing.age", who.signing.private_bytes_raw().hex(), word)
        for name, identity in {"quorum": who.quorum, **who.quarters}.items():
            locked.lock(own / f"{name}.age", identity.encode(), word)
        card = {**who.facts(), "format": "intake reviewer card 1", "demo": True}
        (own / "card.json").write_bytes(canonical.dump(card))
    make_package(machines)
    return machines


def make_package(machines: Machines) -> None:
    """Write this week's quorum package with the ceremony's own writing half."""
    from intake.age.sealing import seal  # noqa: PLC0415 - the package's layout, spelled out here

    made = machines.made
    period = made.keyring.periods[0]
    names = [who.name for who in made.reviewers.values()][:2]
    inner = seal(
        made.periods[period.name].encode().encode() + b"\n",
        [made.reviewers[names[1]].quorum.recipient()],
    )
    outer = seal(inner, [made.reviewers[names[0]].quorum.recipient()])
    folder = machines["desk"] / "package"
    (folder / f"{'+'.join(names)}.age").write_bytes(outer)
    facts = {"format": "intake package 1", "quorum": 2, "reviewers": names, "secret": "period"}
    (folder / "package.json").write_bytes(canonical.dump({**facts, **period.facts()}))


def install(machines: Machines) -> None:
    """Install a keyring that two roots signed; one that only one signed is refused."""
    done = machines.run("admin", "init")
    public = re.search(r"\b[0-9a-f]{64}\b", done.stdout)
    assert public is not None, done.stderr
    made = machines.made
    line = canonical.dump({**made.draft, "bundle_key": public[0]})
    whole, half = (sign(line, dict(list(made.roots.items())[:n])) for n in (2, 1))
    stick = machines["stick"] / "keyring"
    stick.write_bytes(half)
    refused = machines.run("admin", "keyring", "install", stick, "--demo", "--yes")
    assert refused.returncode == 3, "signatures"
    assert not (machines["server"] / "keys" / "keyring").exists(), "signatures"
    stick.write_bytes(whole)
    done = machines.run("admin", "keyring", "install", stick, "--demo", "--yes")
    assert done.returncode == 0, done.stderr
    desk = ("--casebook", machines["desk"] / "casebook", "--desk", "desk-a", "--yes")
    done = machines.run("desk", "init", "--keyring", stick, *desk)
    assert done.returncode == 0, done.stderr


def witness(machines: Machines) -> None:
    """Have SQLite itself note every value that ever stands in a row, however briefly."""
    with contextlib.closing(sqlite3.connect(machines["server"] / "data" / "intake.db")) as db:
        db.execute("CREATE TABLE witness (sealed)")
        note = "BEGIN INSERT INTO witness VALUES (NEW.sealed); END"
        db.execute(f"CREATE TRIGGER inserted AFTER INSERT ON envelopes {note}")
        db.execute(f"CREATE TRIGGER updated AFTER UPDATE ON envelopes {note}")


@contextlib.contextmanager
def server(machines: Machines) -> Iterator[str]:
    """Serve the checkout on the server; yield ``host:port``."""
    try:
        with serve(machines.online, machines.environment) as address:
            yield address
    finally:
        check_asked(machines)


@contextlib.contextmanager
def serve(
    root: Path, environment: Mapping[str, str], *tracer: str, options: Sequence[str] = ()
) -> Iterator[str]:
    """Serve a checkout with the configuration of the deployment; yield ``host:port``.

    It makes no decoys, unless it is told to: so every row is one that was sent. ``options`` for
    gunicorn come after it; the last may name another app.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    process = subprocess.Popen(
        [
            *tracer,
            sys.executable,
            "-m",
            "gunicorn",
            "--config",
            "deploy/gunicorn_conf.py",
            *options,
        ],
        cwd=root,
        env={"INTAKE_DECOYS": "0", **environment, "INTAKE_BIND": address},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(process, address)
        yield address
        assert process.poll() is None, "restart"
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=WAIT)
        assert CANARY not in said, "log"


def check_asked(machines: Machines) -> None:
    """Server and admin asked for no module of an offline room, nor for one that unlocks."""
    asked = set((machines["watch"] / "asked").read_text(encoding="utf-8").split())
    assert {"intake.admin.setup", "intake.server.letterbox"} <= asked, "watch"
    closed = sorted(name for name in asked if within(name, ABSENT))
    assert not closed, f"asked for {', '.join(closed)}"


def wait_for(process: subprocess.Popen[str], address: str) -> None:
    """Return when the server takes connections."""
    host, port = address.split(":")
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.05)
    assert process.stdout is not None
    raise AssertionError(process.stdout.read() if process.poll() is not None else "slow server")


def submit(address: str) -> str:
    """Fill in the form over a real socket, as a browser does; return the receipt's digits."""
    with contextlib.closing(HTTPConnection(address, timeout=WAIT)) as connection:
        connection.request("GET", "/en")
        answer = connection.getresponse()
        page = gzip.decompress(answer.read()).decode()
        assert answer.status == 200, page
        assert not {"Date", "Server", "Set-Cookie"} & {name for name, _ in answer.getheaders()}
        seed = re.search(r'name="_seed" value="(\w+)"', page)
        assert seed is not None, page
        fields = {
            "_seed": seed[1],
            "consent_store": "yes",
            "intent": "testify",
            "urgency": "skip",
            "force": "police",
            "account": HOSTILE,
        }
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": f"http://{address}",
        }
        connection.request("POST", "/en", urlencode(fields), headers)
        answer = connection.getresponse()
        page = gzip.decompress(answer.read()).decode()
    assert answer.status == 200, unescape(page)
    assert CANARY not in page, "echo"
    return "".join(re.findall(r"<li>(\d{4})</li>", page))


def check_store(machines: Machines) -> None:
    """Nothing but sealed envelopes of one size ever stood in a row, nor lies in any file."""
    with contextlib.closing(sqlite3.connect(machines["server"] / "data" / "intake.db")) as db:
        seen = [bytes(row[0]) for row in db.execute("SELECT sealed FROM witness")]
        db.executescript("DROP TRIGGER inserted; DROP TRIGGER updated; DROP TABLE witness")
    assert [len(sealed) for sealed in seen] == [SIZE] * 2, "sealed"
    assert all(sealed.startswith(b"age-encryption.org/v1\n") for sealed in seen), "sealed"
    everything = b"".join(p.read_bytes() for p in machines["server"].rglob("*") if p.is_file())
    for spelling in (CANARY.encode(), CANARY.encode("utf-16-le"), ascii(CANARY)[1:-1].encode()):
        assert spelling not in everything, "sealed"


def export(machines: Machines) -> Path:
    """Export to the stick; return the bundle."""
    done = machines.run("admin", "export", machines["stick"])
    assert done.returncode == 0, done.stderr
    (bundle,) = machines["stick"].glob("*.bundle")
    return bundle


def import_(machines: Machines, bundle: Path) -> None:
    """Import it by quorum; a bundle whose header was altered is refused."""
    desk = machines["desk"]
    present = [x for name in ("alice", "bob") for x in ("--reviewer", desk / "keys" / name)]
    book = ("--casebook", desk / "casebook", "--package", desk / "package", *present)
    forged = machines["stick"] / "forged.bundle"
    forged.write_bytes(bundle.read_bytes().replace(b'"left":0', b'"left":7', 1))
    refused = machines.run("desk", "import", forged, *book)
    assert refused.returncode == 4, "bundle"
    done = machines.run("desk", "import", bundle, *book)
    assert "2 in the bundle, 2 opened" in done.stdout, done.stdout + done.stderr
    assert "0 missing" in done.stdout, done.stdout
    assert done.returncode == 0, done.stderr


def read(machines: Machines) -> None:
    """Read both cases as text and as a page: whole, equal, and with nothing that acts."""
    desk = machines["desk"]
    for name in ("alice", "bob"):
        who = ("--casebook", desk / "casebook", "--reviewer", desk / "keys" / name)
        listed = machines.run("desk", "list", *who)
        for number in sorted(set(re.findall(r"\b[0-9a-f]{8}\b", listed.stdout))):
            page = desk / f"{name}-{number}.html"
            done = machines.run("desk", "read", number, *who, "--text", "--html", page)
            assert done.returncode == 0, done.stdout + done.stderr
            html = page.read_text(encoding="utf-8")
            assert "<script" not in html, "escape"
            for output in (done.stdout, listed.stdout, html):
                assert not set(output) & {"\x1b", "\x07", "\u202e"}, "escape"
            assert typed(done.stdout) == HOSTILE.replace("\r\n", "\n"), "equal"
            assert page.stat().st_mode & 0o077 == 0, "private"


def acknowledge(machines: Machines) -> None:
    """Two reviewers acknowledge what was read back from a second copy; the server deletes it."""
    desk, back = machines["desk"], machines["stick"] / "1.return"
    book = ("--casebook", desk / "casebook")
    copied = machines.run("desk", "copy", *book, "--to", desk / "copy")
    assert copied.returncode == 0, copied.stderr
    signers = [x for name in ("bob", "carol") for x in ("--reviewer", desk / "keys" / name)]
    where = ("--second-copy", desk / "copy", "--out", back)
    done = machines.run("desk", "acknowledge", *book, *where, *signers)
    assert done.returncode == 0, done.stdout + done.stderr
    done = machines.run("admin", "acknowledge", back)
    assert "2 deleted, 0 already gone" in done.stdout, done.stdout + done.stderr
    facts = json.loads(machines.run("admin", "status", "--json").stdout)
    assert (facts["bundle"], facts["return"], facts["rows"]) == (1, 1, {}), facts
    done = machines.run("admin", "doctor")
    assert not re.search(r"^FAIL", done.stdout, re.MULTILINE), done.stdout
    assert done.returncode == 0, done.stderr


def typed(text: str) -> str:
    """Return the account as it was typed, from the escaped text."""
    lines = [line.strip()[2:] for line in text.splitlines() if line.strip().startswith("│")]
    return re.sub(r"<U\+([0-9A-F]{4,6})>", lambda m: chr(int(m[1], 16)), "\n".join(lines))


assert keyring.MINIMUM == 2  # the play signs with two roots, and refuses one
