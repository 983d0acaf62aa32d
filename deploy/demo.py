"""The shop window: three folders stand for three machines, and one testimony goes the whole way.

``demo/ceremony`` and ``demo/desk`` stand for machines that never had a network, ``demo/server`` for
the one behind the onion, ``demo/stick`` for what is carried between them. Everything runs in
subprocesses, with the commands that people type; each sees its own folder only. The keys are real,
the passphrases are the demo's, and no tool accepts them anywhere else.

    python deploy/demo.py serve     the scripted path once, then a site to try (PORT, ONCE=1)
    python deploy/demo.py read      carry the stick and read, as `r` does, from another terminal
    python deploy/demo.py desk      the desk pages, in this machine's browser, until Ctrl-C
    python deploy/demo.py recover   read it all without Intake, with stock age (docs/RECOVERY.md)
    python deploy/demo.py clean     erase demo/
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import re
import secrets
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import termios
import time
import tty
import webbrowser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from html import unescape
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy import recovery  # noqa: E402 - after the path is set
from deploy.steps import Steps  # noqa: E402
from intake.settings import Settings  # noqa: E402

DEMO = ROOT / "demo"
SERVER, DESK, CEREMONY, STICK = (DEMO / n for n in ("server", "desk", "ceremony", "stick"))
PASSPHRASES = DEMO / "passphrases"
LATER = CEREMONY / "keyring-2"
CASEBOOK, COPY = DESK / "casebook", DESK / "second-copy"
ROOTS = ("root-1", "root-2")
REVIEWERS = ("reviewer-a", "reviewer-b", "reviewer-c")
QUORUM = "2"
WEEKS = 4
WIDTH = 90  # of a line of what changes in the keyring
BANNER = "DEMO: do not send real testimony"
HOST = "127.0.0.1"
PORTS = 50  # how many are tried from PORT on
WAIT = 30  # seconds for the server to answer
MEMORY = Path("/dev/shm")  # noqa: S108 - in memory, as docs/RECOVERY.md wants it
LEFT_OUT = ("11b.", "13.", "15.")  # steps of recovery that have another way, or make a file
AGAIN = "If something is missing or too old in demo/: make demo-clean, then make demo."
URLENCODED = "application/x-www-form-urlencoded"
REPLY = "ကျေးဇူးတင်ပါတယ်။ သင်တန်း အပတ်စဉ်ကို ပြောပြနိုင်ပါသလား။"
WORDS = "အပတ်စဉ် ၅၄ ပါ။"
NAME, FILE = "ဓာတ်ပုံ ၁.jpg", 200_000
TESTIMONY = {
    "consent_store": "yes",
    "c_count": "yes",
    "c_verify": "yes",
    "intent": ["certify", "testify"],
    "urgency": "days",
    "situation": "hiding",
    "force": "army",
    "rank": "SGT",
    "unit_type": "LIB",
    "unit_no": "၂၅",
    "posted": "MMR006001",
    "left-year": "2021",
    "left-month": "8",
    "needs": ["shelter", "medical"],
    "vet_hint": "သင်တန်း အပတ်စဉ် ၅၄",
    "account": ("ဒါက စမ်းသပ်စာ ဖြစ်ပါတယ်။ တပ်ရင်းက ရွာထဲကို ပစ်ဖို့ အမိန့်ပေးတယ်။\nကျွန်ုပ် မပစ်ခဲ့ပါ။ ညတွင်း ထွက်ပြေးခဲ့တယ်။ 😔"),
}


def tool(name: str, *arguments: object, allow: tuple[int, ...] = (0,)) -> str:
    """Run one of Intake's tools as a person would; return what it printed, or stop the demo."""
    demo = [] if name == "admin" else ["--demo-passphrases", str(PASSPHRASES)]
    command = [sys.executable, "-m", f"intake.{name}", *demo, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode not in allow:
        shown = " ".join([f"python -m intake.{name}", *map(str, arguments)])
        sys.exit(f"The demo stopped at: {shown}\n{done.stdout}{done.stderr}\n{AGAIN}")
    return done.stdout


def environment() -> dict[str, str]:
    """Return the environment of every subprocess: the server's folders, and nothing secret.

    There are no decoys, also where the shell asks for some: what arrives is what was sent.
    """
    folders = {"INTAKE_DATA": str(SERVER / "data"), "INTAKE_KEYS": str(SERVER / "keys")}
    about = {"INTAKE_ABOUT": str(ROOT / "deploy" / "about.example.toml")}
    return about | os.environ | folders | {"INTAKE_DECOYS": "0"}


def hold_ceremony(clock: Steps) -> None:
    """Make every key, have the periods tried, and install the keyring that both roots signed."""
    for folder in (SERVER / "keys", DESK / "keys", DESK / "pages", CEREMONY, STICK):
        folder.mkdir(parents=True)
    names = (*ROOTS, *REVIEWERS)
    PASSPHRASES.touch(mode=0o600)
    PASSPHRASES.write_text("".join(f"{n} demo-{secrets.token_hex(8)}\n" for n in names))
    for name in ROOTS:
        tool("ceremony", "root", name, "--out", CEREMONY)
    clock.step("key ceremony: two roots, each under a passphrase of its own")
    for name in REVIEWERS:
        tool("ceremony", "reviewer", name, "--body", "Demo body", "--out", DESK / "keys")
    cards = [DESK / "keys" / name / "card.json" for name in REVIEWERS]
    clock.step("three reviewers, any two of whom are a quorum")
    shared: list[str | Path] = ["--quorum", QUORUM, "--reviewers", *cards]
    shared += ["--out", CEREMONY, "--yes"]
    tool("ceremony", "archive", *shared)
    today = datetime.now(tz=UTC).date()
    monday = today - timedelta(days=today.weekday())
    tool("ceremony", "periods", "--from", monday.isoformat(), "--weeks", str(WEEKS), *shared)
    packages = sorted(path.parent for path in CEREMONY.glob("*/package.json"))
    tool("ceremony", "attest", *packages, *present(*REVIEWERS[:2]))
    clock.step("the archive and four weekly periods, kept only as quorum packages, and tried")
    key = re.search(r"\b[0-9a-f]{64}\b", tool("admin", "init"))
    if key is None:
        sys.exit("The demo stopped: admin init printed no public key.")
    clock.step("server: the store, and the key that signs bundles and opens nothing")
    draft, keyring = CEREMONY / "draft", CEREMONY / "keyring"
    last = monday + timedelta(weeks=WEEKS, days=-1)
    periods = [path for path in packages if path.name != "archive"]
    tool(
        *("ceremony", "propose", "--out", draft, "--expires", last.isoformat()),
        *("--threshold", "2", "--roots", *(CEREMONY / name / "card.json" for name in ROOTS)),
        *("--reviewers", *cards, "--archive", CEREMONY / "archive", "--periods", *periods),
        *("--bundle-key", key[0]),
    )
    for name in ROOTS:
        tool("ceremony", "sign", draft, "--root", CEREMONY / name, "--yes")
    signatures = [CEREMONY / f"draft.{name}.sig" for name in ROOTS]
    tool("ceremony", "assemble", draft, *signatures, "--out", keyring)
    for package in packages:
        shutil.copytree(package, DESK / "packages" / package.name)
    shutil.copy(keyring, STICK)
    clock.step("the keyring, signed by both roots, goes onto the stick")
    tool(
        "desk",
        "init",
        "--casebook",
        CASEBOOK,
        "--keyring",
        STICK / "keyring",
        "--desk",
        "desk-a",
        "--yes",
    )
    tool("admin", "keyring", "install", STICK / "keyring", "--demo", "--yes")
    clock.step("server: keyring installed, the letterbox is open")


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Run the same WSGI server as the deployment; stop it, and nothing else, at the end."""
    port = free_port(int(os.environ.get("PORT") or 8000))
    command = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn_conf.py"]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() | {"INTAKE_BIND": f"{HOST}:{port}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
    )
    try:
        deadline = time.monotonic() + WAIT
        while not answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                process.terminate()
                sys.exit(f"The server did not start.\n{process.communicate()[1]}")
            time.sleep(0.1)
        yield f"http://{HOST}:{port}/"
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WAIT)
        process.kill()
        process.communicate()


def free_port(wanted: int) -> int:
    """Return the first port from ``wanted`` on that nobody uses."""
    for port in range(wanted, wanted + PORTS):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                if port != wanted:
                    print(f"     Port {wanted} is taken; this demo takes {port}.")
                return port
    sys.exit(f"No port from {wanted} to {wanted + PORTS - 1} is free. Set PORT to another one.")


def answers(port: int) -> bool:
    """Return whether the site answers on ``port``."""
    with (
        contextlib.suppress(OSError),
        contextlib.closing(HTTPConnection(HOST, port, timeout=2)) as c,
    ):
        c.request("GET", "/")
        return c.getresponse().status < 500  # noqa: PLR2004 - 503 is a closed site
    return False


def ask(url: str, path: str, body: bytes | None = None, kind: str = URLENCODED) -> str:
    """Ask the site for a page, or post to it as a browser does; return the page."""
    address = url.removeprefix("http://").rstrip("/")
    headers = {"Content-Type": kind, "Origin": url.rstrip("/")}
    with contextlib.closing(HTTPConnection(address, timeout=WAIT)) as connection:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        page = gzip.decompress(answer.read()).decode()
    if answer.status != HTTPStatus.OK:
        sys.exit(f"The demo stopped: the site answered {answer.status} to {path}.")
    return unescape(page)


def seed_on(page: str) -> str:
    """Return the hidden seed of a page."""
    return str(re.findall(r'name="_seed" value="(\w+)"', page)[0])


def send_testimony(url: str) -> str:
    """Fill in the form as a browser does; return the receipt's digits."""
    fields = {**TESTIMONY, "_seed": seed_on(ask(url, "/"))}
    fields["account"] = str(fields["account"]).replace("\n", "\r\n")
    page = ask(url, "/", urlencode(fields, doseq=True).encode())
    return " ".join(re.findall(r"<small>(\d{4})</small>", page))


def come_back(url: str, digits: str) -> str:
    """Type a receipt in Burmese digits; return the page of its mailbox."""
    typed = digits.translate({ord("0") + n: chr(0x1040 + n) for n in range(10)})
    return ask(url, "/en/back", urlencode({"receipt": typed}).encode())


def send_file(url: str, digits: str, name: str, data: bytes) -> None:
    """Send a file under a receipt, as a browser does."""
    mark = b"--" + secrets.token_hex(16).encode()
    start = mark + b"\r\nContent-Disposition: form-data; name="
    body = start + b'"receipt"\r\n\r\n' + digits.encode() + b"\r\n"
    body += start + b'"file"; filename="' + name.encode() + b'"\r\n\r\n' + data + b"\r\n"
    kind = f"multipart/form-data; boundary={mark[2:].decode()}"
    ask(url, "/en/file", body + mark + b"--\r\n", kind)


def rows() -> dict[bytes, bytes]:
    """Return what is in the server's store."""
    with contextlib.closing(
        sqlite3.connect(f"file:{SERVER}/data/intake.db?mode=ro", uri=True)
    ) as db:
        return dict(db.execute("SELECT id, sealed FROM envelopes").fetchall())


def announce(sealed: bytes) -> None:
    """Show all that the server has of one testimony."""
    print(f"\n     1 sealed envelope arrived: {len(sealed):,} bytes. This is all the server has:")
    middle = sealed[len(sealed) // 2 :]
    for line in (middle[:32], middle[32:64]):
        print(f"       {line.hex(' ', 2)}")


def tell_decoys() -> None:
    """Say that there are no decoys here, and how many a real site makes."""
    usual = Settings(DEMO, DEMO).decoys
    print(f"     Decoys a day: none in this demo, {usual} on a server (INTAKE_DECOYS).")


def present(*names: str) -> list[str | Path]:
    """Return the options that say which reviewers are here."""
    return [option for name in names for option in ("--reviewer", DESK / "keys" / name)]


def carry() -> list[Path]:
    """Export to the stick and import at the desk; return the new bundles."""
    before = set(STICK.glob("*.bundle"))
    tool("admin", "export", STICK, "--all")
    fresh = sorted(set(STICK.glob("*.bundle")) - before)
    for bundle in fresh:
        with bundle.open("rb") as file:
            period = json.loads(file.readline())["period"]
        said = tool(
            *("desk", "import", bundle, "--casebook", CASEBOOK),
            *("--package", DESK / "packages" / period, *present(*REVIEWERS[:2])),
        )
        print("\n".join(f"     {line}" for line in said.splitlines()))
    return fresh


def cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return every case that one of two reviewers can open: number -> reviewer and answers."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for name in REVIEWERS[:2]:
        said = tool("desk", "export", "--casebook", CASEBOOK, "--reviewer", DESK / "keys" / name)
        for case in json.loads(said):
            found.setdefault(case["case"], (name, case))
    return found


def read(shown: set[str]) -> list[Path]:
    """Print every case not ``shown`` yet as escaped text; return the pages made for a browser."""
    pages = []
    for number, (name, _) in cases().items():
        if number in shown:
            continue
        shown.add(number)
        page = DESK / "pages" / f"{secrets.token_hex(4)}.html"
        print(f"\n     {name} was assigned to this case and opens it:\n")
        keys = ["--casebook", CASEBOOK, "--reviewer", DESK / "keys" / name]
        print(tool("desk", "read", number, *keys, "--html", page, "--text"))
        pages.append(page)
    return pages


def acknowledge() -> None:
    """Let the server delete what was read back twice, and answer sources; all reviewers sign."""
    back = STICK / f"{len(list(STICK.glob('*.return'))) + 1:06}.return"
    tool("desk", "copy", "--casebook", CASEBOOK, "--to", COPY)
    where = ("--casebook", CASEBOOK, "--second-copy", COPY, "--out", back)
    said = tool("desk", "acknowledge", *where, "--yes", *present(*REVIEWERS))
    said += tool("admin", "acknowledge", back)
    told = (line for line in said.splitlines() if line.startswith(("To sources", "Return")))
    print(*(f"     {line}" for line in told), sep="\n")


def answer(number: str, name: str) -> None:
    """Write and sign the reply of a reviewer to a case."""
    text = DESK / "reply.txt"
    text.write_text(REPLY, encoding="utf-8")
    case = ("--casebook", CASEBOOK, *present(name))
    tool("desk", "reply", number, "--text", text, *case)
    text.unlink()


def answer_all() -> None:
    """Do what `a` does: answer each case that was not answered, and carry the return."""
    for number, (name, case) in cases().items():
        if not any("id" in decision for decision in case["decisions"]):
            answer(number, name)
    acknowledge()
    print("     Come back with a receipt: /back (Burmese), /en/back (English)\n")


def decide(number: str, people: list[str]) -> str:
    """Let both reviewers of a case verify it; return what a tally of all cases says."""
    for name in people:
        why = ("--as", "verified", "--ground", "course_fits", "--ground", "unit_fits")
        tool("desk", "decide", number, *why, "--casebook", CASEBOOK, *present(name))
    archive = ("--archive", DESK / "packages" / "archive", *present(*REVIEWERS[:2]))
    return tool("desk", "tally", "--casebook", CASEBOOK, *archive)


def show_desk() -> None:
    """Show the desk pages to a reviewer who has cases. Only in a demo may a network be up."""
    reader = next((name for name, _ in cases().values()), REVIEWERS[0])
    command: list[str | Path] = [sys.executable, "-m", "intake.desk"]
    command += ["--demo-passphrases", PASSPHRASES, "open"]
    where = ["--casebook", CASEBOOK, *present(reader), "--despite-network"]
    print(f"  To lock and unlock the pages: the passphrase of {reader} is in demo/passphrases.\n")
    with contextlib.suppress(KeyboardInterrupt):
        subprocess.run(
            [*command, *where, *["--browser"] * has_browser()],
            cwd=ROOT,
            env=environment(),
            check=False,
        )


def scripted(url: str, clock: Steps) -> None:
    """One Burmese testimony goes the whole way by itself, and an answer comes back."""
    before = set(cases())
    digits = send_testimony(url)
    clock.step(f"a source: form filled in over HTTP, receipt {digits}")
    for sealed in rows().values():
        announce(sealed)
    tell_decoys()
    thief()
    carry()
    clock.step("the stick: exported, signed, carried, opened by a quorum at the desk")
    pages = read({*before})
    rows_read = [row for _, case in cases().values() for row in case["envelopes"]]
    sent = {key: TESTIMONY[key] for key in ("account", "vet_hint", "force", "rank", "posted")}
    if not any(sent.items() <= row["body"]["answers"].items() for row in rows_read):
        sys.exit("The demo stopped: what was read is not what was sent.")
    clock.step(
        f"the desk: read, and equal to what was typed; page in {pages[-1].relative_to(ROOT)}"
    )
    since = time.time() - (ROOT / "LICENSE").stat().st_mtime  # when this checkout was made
    whole = clock.last - clock.start
    print(f"     From nothing to read: {whole:.1f} s. From clone to read: {since:.0f} s.")
    found = ((n, case["assigned"]) for n, (_, case) in cases().items() if n not in before)
    number, people = next(found)
    told = decide(number, people)
    wanted = ("Internal", "  All cases in", "  Counted  ", "  Military", "  Battalion")
    print(*(f"     {line}" for line in told.splitlines() if line.startswith(wanted)), sep="\n")
    clock.step(f"decided: {' and '.join(people)} each signed that it is verified; and the tally")
    answer(number, people[0])
    acknowledge()
    if rows():
        sys.exit("The demo stopped: the server kept what the reviewers acknowledged.")
    clock.step("a reply written, and acknowledged by reviewers; the server has no letter left")
    converse(url, digits, number, people[0])
    clock.step("the source came back: read the reply, added words and a file; equal at the desk")
    if not LATER.exists():
        rotate(clock)
    night(clock)


def converse(url: str, digits: str, number: str, name: str) -> None:
    """Let the source come back, read, add words and a file; and see at the desk what came."""
    page, data = come_back(url, digits), secrets.token_bytes(FILE)
    if REPLY not in page or "people have opened it" not in page:
        sys.exit("The demo stopped: the reply is not in the mailbox.")
    print(f"\n     In the mailbox: a note that the letter was opened, and: {REPLY}")
    words = {"receipt": digits, "_seed": seed_on(page), "words": WORDS}
    ask(url, "/en/words", urlencode(words).encode())
    send_file(url, digits, NAME, data)
    sealed = len(rows()) - 1
    print(f"     Added: words, and a file of {FILE:,} bytes in {sealed} sealed rows of one size.")
    carry()
    out = DESK / "files"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    said = tool("desk", "files", number, "--casebook", CASEBOOK, *present(name), "--out", out)
    if [path.read_bytes() for path in out.iterdir()] != [data]:
        sys.exit(f"The demo stopped: the file at the desk is not the one that was sent.\n{said}")
    acknowledge()


def rotate(clock: Steps) -> None:
    """Make the next keyring, and try to bring the one before back."""
    out, before = CEREMONY / "next", CEREMONY / "keyring"
    tool(
        *("ceremony", "rotate", "--previous", before, "--out", out),
        *("--weeks", WEEKS, *present(*REVIEWERS[:2])),
    )
    draft = out / "draft"
    for name in ROOTS:
        root = ("--root", CEREMONY / name)
        tool("ceremony", "sign", draft, *root, "--previous", before, "--yes")
    signatures = [out / f"draft.{name}.sig" for name in ROOTS]
    tool("ceremony", "assemble", draft, *signatures, "--out", LATER, "--previous", before)
    for package in sorted(path.parent for path in out.glob("*/package.json")):
        shutil.copytree(package, DESK / "packages" / package.name)
    shutil.copy(LATER, STICK)
    clock.step(f"rotation: one command made {WEEKS} more weeks' keys, and both roots signed")
    tool("admin", "keyring", "install", LATER, "--demo")
    tool("desk", "keyring", LATER, "--casebook", CASEBOOK)
    said = tool("ceremony", "diff", before, LATER)
    whole = (line if "Fingerprint" in line else line[:WIDTH] for line in said.splitlines())
    print("\n".join(f"     {line}" for line in whole))
    tool("admin", "keyring", "install", STICK / "keyring", "--demo", "--yes", allow=(3,))
    clock.step("keyring 2 is in force; a stale stick with keyring 1 was refused")


def night(clock: Steps) -> None:
    """Nightly maintenance, while the site serves: the store's file forgets how it came about."""
    before = changes()
    tool("admin", "maintain")
    print(f"     The store's file counted {before} changes; it counts {changes()} now.")
    clock.step("the night: a fresh file for the store, in which nothing lies in the order it came")


def changes() -> int:
    """Return how many transactions the store's file has counted (SQLite's file format, 1.3.7)."""
    with (SERVER / "data" / "intake.db").open("rb") as file:
        return int.from_bytes(file.read(28)[24:])


def thief() -> None:
    """Show what a thief of the server's folder could read."""
    print(f"\n     A thief of {SERVER.relative_to(ROOT)} has:")
    for path in sorted(path for path in SERVER.rglob("*") if path.is_file()):
        print(f"       {path.stat().st_size:>9,} bytes  {path.relative_to(SERVER)}")
    everything = b"".join(p.read_bytes() for p in SERVER.rglob("*") if p.is_file())
    burmese = re.findall(r"[\u1000-\u109f]{3,}", everything.decode("utf-8", "ignore"))
    secret = b"AGE-SECRET-KEY" in everything
    print(f"     Burmese words found in all of it: {len(burmese)}.")
    print(f"     Keys that open an envelope: {'FOUND' if secret else 'none'}.")
    print("     The one secret, data/bundle.key, signs bundles and opens nothing.\n")


def interact(url: str) -> None:
    """Wait for testimonies and keys until Ctrl-C."""
    print(f"\n  {BANNER}\n  {url}  (Burmese)   {url}en  (English)")
    print(f"  {url}my-Qaag  (Burmese in Zawgyi, for phones that show only that)\n")
    keys = sys.stdin.isatty()
    if keys:
        print("  r  carry the stick and read what arrived     t  what a thief of the server has")
        print("  a  answer every source, and carry the return")
        actions: dict[str, Callable[[], None]] = {"r": read_and_open, "t": thief, "a": answer_all}
    else:
        print("  make demo-read, from another terminal, carries the stick and reads.")
        actions = {}
    print("  Ctrl-C  stop\n", flush=True)
    if has_browser():
        webbrowser.open(url)
    known = set(rows())
    with cbreak(keys):
        while True:
            if select.select([sys.stdin] if keys else [], [], [], 0.5)[0]:
                actions.get(sys.stdin.read(1), lambda: None)()
            now = rows()
            for row in now.keys() - known:
                announce(now[row])
            sys.stdout.flush()
            known = set(now)


def read_and_open(*, everything: bool = False) -> None:
    """Do what `r` does: carry, read what is new (or everything), open the pages."""
    shown = set() if everything else set(cases())
    if not carry():
        print("     Nothing new is in the store.")
    for page in read(shown):
        print(f"     Page: {page.relative_to(ROOT)}")
        if has_browser():
            webbrowser.open(page.as_uri())


def recover() -> None:
    """Take the demo's folders through docs/RECOVERY.md, with stock programs and none of ours."""
    try:
        age = recovery.stock_age()
    except recovery.NoAge as missing:
        sys.exit(str(missing))
    if not MEMORY.is_dir():
        sys.exit(f"{MEMORY}, a folder in memory, is not on this machine. Recovery is for Linux.")
    if not rows():  # the scripted one was acknowledged, and is on the stick and at the desk only
        with serving() as url:
            send_testimony(url)
    words = dict(line.split(" ", 1) for line in PASSPHRASES.read_text().splitlines())
    keyring = LATER if LATER.exists() else CEREMONY / "keyring"
    line = keyring.read_bytes().split(b"\n", 1)[0]
    places: dict[str, object] = {"SERVER": SERVER / "data", "STICK": STICK, "CASEBOOK": CASEBOOK}
    places |= {"PEOPLE": DESK / "keys", "PACKAGES": DESK / "packages"}
    places |= {"KEYRING": keyring, "FINGERPRINT": hashlib.sha256(line).hexdigest()}
    places |= {"OPENERS": " ".join(REVIEWERS[:2]), "FORM": ROOT / "intake/forms/cdm.toml"}
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir=MEMORY) as memory:
        folder, places["RAM"] = Path(name), f"{memory}/recovery"
        steps = [b for b in recovery.blocks() if not b.title.startswith(LEFT_OUT)]
        path = recovery.programs(folder / "programs", age)
        blocks = folder / "blocks"
        blocks.mkdir()
        for block, said in recovery.play(
            [recovery.filled(block, places) for block in steps],
            blocks,
            path,
            lambda asked: words[re.findall(r"passphrase of (\S+):", asked)[-1]],
        ):
            print(f"\n  {block.title}")
            print("".join(f"     {line}\n" for line in said.splitlines()), end="", flush=True)
            if "STOP" in said and not block.title.startswith("4."):  # a demo may be swapped out
                sys.exit("The recovery stopped here.")


def has_browser() -> bool:
    """Return whether a person with a screen is there."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) or (
        sys.platform == "darwin"
    )


@contextlib.contextmanager
def cbreak(wanted: bool) -> Iterator[None]:
    """Give single keys, where there is a terminal, and put it back as it was."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the demo's folder, so that no other terminal erases or serves it meanwhile."""
    DEMO.mkdir(exist_ok=True)
    folder = os.open(DEMO, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        sys.exit("The demo runs in another terminal. Stop it there with Ctrl-C, then try again.")
    finally:
        os.close(folder)


def erase() -> None:
    """Empty the demo's folder; the folder itself stays, because it is held."""
    for path in DEMO.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def serve() -> None:
    """Hold the ceremony if there was none, play the scripted path, then serve."""
    clock, first = Steps(), not (SERVER / "keys" / "keyring").exists()
    print(f"\n  {BANNER}\n")
    if first:
        erase()
        hold_ceremony(clock)
    with serving() as url:
        once = bool(os.environ.get("ONCE"))
        if once or not any(STICK.glob("*.return")):  # it never went the whole way
            scripted(url, clock)
            print(f"\n     All of it took {time.monotonic() - clock.start:.1f} s.")
            print("     To see the desk's pages: make demo-desk")
            print("     To read it without Intake, with stock age and a shell: make demo-recover")
        if not once:
            interact(url)


def main() -> None:
    """Do what the command line asks."""
    command = sys.argv[1] if len(sys.argv) > 1 else "serve"
    then: dict[str, Callable[[], None]] = {
        "desk": show_desk,
        "read": partial(read_and_open, everything=True),
        "recover": recover,
    }
    if command == "clean":
        with alone():
            erase()
        DEMO.rmdir()
    elif command == "serve":
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # as a closed window sends
            signal.signal(ending, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt), alone():
            serve()
    elif command in then and (CASEBOOK / "casebook.json").exists():
        then[command]()
    elif command in then:
        sys.exit("There is no demo yet. Run: make demo")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
