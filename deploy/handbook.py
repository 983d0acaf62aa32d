r"""Follow the handbooks as tired people would, each at their own machine, days apart.

    python deploy/handbook.py             from nothing to keyring 2 on the server: who types what
    python deploy/handbook.py whole       docs/ADMINS.md to its end, and what each command printed
    python deploy/handbook.py reviewers   to its chapter 3, and then docs/REVIEWERS.md to its end

Rules:
- What runs is what stands in the document. A caption above a block says who types it and where; a
  block with "on every machine" is remembered there. Only "Your own names" is filled in.
- A machine is a folder, and a stick is a folder that all of them see. The ceremony machine forgets
  everything where the document says that it is switched off.
- Blocks "on the host" put up a server, as root on a whole Debian. Here they are left out; `make
  host` follows them.
- ``admin``, ``ceremony`` and ``desk`` are what the document calls them, on the day of the story
  (``at_day``), with a demo's passphrases. Questions are answered ``yes`` on a terminal.
- A block ends well, or as the comment above it says (``<!-- exit: 3 -->``). What stands under "You
  must see" was printed, line by line and in that order; ``…`` is anything.
- Between the steps, sources send testimonies to the server's own site, and reviewers read.
- Where ``desk open`` gives an address, its list of cases is fetched as by a browser, and Ctrl-C is
  typed. It opens although the machine that plays all this has a network.

Comments in the document for this file: ``day``, ``testimonies`` (how many come), ``exit``, ``off``
(a machine that forgets), ``seized`` (one that a thief has), ``read`` (who reads), ``case`` (CASE is
a case of exactly these from here on, about which nothing was decided), and ``strike`` and ``reply``
(what somebody writes into the file of passages, or of the answer to a source).
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import re
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from deploy import at_day, recovery  # noqa: E402 - after the path is set
from deploy.recovery import Block  # noqa: E402

DOCUMENT = ROOT / "docs" / "ADMINS.md"
DESK_PAGE = ROOT / "docs" / "REVIEWERS.md"
NAMES = "Your own names"
TO_SECOND = ("1.", "2.")  # the chapters that lead from nothing to keyring 2
TO_DESK = (*TO_SECOND, "3.")  # and those after which reviewers work
REVIEWERS = ("alice", "bob", "carol", "dave", "erin")
PEOPLE = ("rosa", "ruth", "rhea", *REVIEWERS)
PLACES = {
    "on the server": "server",
    "on the host": "host",
    "at the desk": "desk",
    "at the ceremony machine": "ceremony",
    "on every machine": "everywhere",
}
HOST = "on the host"  # root's blocks, on a whole Debian: `make host` follows them
OWN = "at their own machine"
EACH = f"each {OWN}"
TYPING = 20  # seconds that a command takes to type, or to find and paste; an estimate
COMPARING = 60  # seconds that a key or a fingerprint takes to be read out and compared; too
_ASKED = "[yes/no] "
_ADDRESS = re.compile(r"http://(127\.0\.0\.1:\d+)(/enter/\S+)")
ASKS = re.compile(rb"\[yes/no\] \Z|/enter/\S+\n[^\n]*Ctrl-C[^\n]*\n\Z")
_CTRL_C = "\x03"
_LOADING = 300  # tries, a fifth of a second apart
_PARTS = re.compile(
    r"^## (?P<title>[^\n]*)$"
    r"|^<!-- (?P<note>[a-z]+): (?P<value>[^\n]*) -->$"
    r"|^(?P<people>[a-z][a-z0-9, -]*?), (?P<place>(?:on|at|each at) [a-z ]+):\n\n"
    r"```sh\n(?P<text>.*?)^```$"
    r"(?:\n\nYou must see:\n\n```text\n(?P<seen>.*?)^```$)?"
    r"|^(?P<other>```sh)$",
    re.MULTILINE | re.DOTALL,
)
_TOOLS = """\
run() {{ # ROOM ARGUMENTS, as one of our tools, today; and note how it ended
  room=$1 code=0
  shift
  {python} {at_day} {day} "intake.$room" "$@" || code=$?
}}
note() {{
  printf '%s %s\\n' "$code" "$*" >>{log}
  return "$code"
}}
admin() {{
  case "$1 ${{2-}}" in
  "keyring install") run admin "$@" --demo ;;
  *) run admin "$@" ;;
  esac
  note admin "$@"
}}
ceremony() {{
  run ceremony --demo-passphrases {words} "$@"
  note ceremony "$@"
}}
desk() {{
  case "$1" in
  open) run desk --demo-passphrases {words} "$@" --despite-network ;;
  *) run desk --demo-passphrases {words} "$@" ;;
  esac
  note desk "$@"
}}
trap : INT
"""


@dataclass(frozen=True, slots=True)
class Step(Block):
    """A block of commands: who types it, where, on which day, and what must come of it."""

    people: tuple[str, ...]
    place: str
    exit: int
    seen: tuple[str, ...]

    def machine(self) -> str:
        """Return the machine's folder: the first one's own, or the place's."""
        return stick(self.people[0]) if self.place == OWN else PLACES[self.place]

    def commands(self) -> list[str]:
        """Return the commands that a person types: continued lines are one, names are none.

        Nor are the lines of a file that is written.
        """
        text = re.sub(r"<<'END'\n.*?\nEND\n", "\n", self.text, flags=re.DOTALL)
        lines = text.replace("\\\n", " ").splitlines()
        return [line for line in lines if not re.match(r"\s*(#|$|[A-Z_]+=\S*\s*(#|$))", line)]


@dataclass(frozen=True, slots=True)
class Note:
    """What a comment tells this file: a day, testimonies that come, a machine that goes off."""

    title: str
    kind: str
    value: str


class Wrong(Exception):  # noqa: N818 - it says what went wrong
    """A step did not end as the document says."""


def read(document: Path = DOCUMENT) -> list[Step | Note]:
    """Return steps and comments in order. Raises :class:`Wrong` for a block without a caption."""
    found: list[Step | Note] = []
    title, ends = "", 0
    for part in _PARTS.finditer(document.read_text(encoding="utf-8")):
        title = part["title"] or title
        if part["other"]:
            raise Wrong(f"{title}: a block has no caption that says who types it, and where.")
        if part["note"] == "exit":
            ends = int(part["value"])
        elif part["note"]:
            found.append(Note(title, part["note"], part["value"]))
        elif part["text"]:
            people = tuple(re.split(r", | and ", part["people"]))
            if part["place"] not in {*PLACES, OWN, EACH}:
                raise Wrong(f"{title}: there is no place called “{part['place']}”.")
            seen = tuple((part["seen"] or "").splitlines())
            found.append(Step(title, part["text"], people, part["place"], ends, seen))
            ends = 0
    return found


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was done: what it printed, how many keys were compared, how long it took."""

    step: Step
    said: str
    compared: int
    seconds: float
    tools: tuple[str, ...]


@dataclass
class Story:
    """The machines, and what happened on them so far."""

    folder: Path
    day: str = ""
    names: str = ""
    sent: dict[str, str] = field(default_factory=dict)  # the mark in a testimony, and its day
    heard: dict[str, set[str]] = field(default_factory=dict)  # who reads it
    lost: set[str] = field(default_factory=set)  # what a seized server took along
    cases: list[str] = field(default_factory=list)  # the tags that CASE was the number of
    pages: list[str] = field(default_factory=list)  # what ``desk open`` showed
    done: list[Done] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Lay out the machines and sticks, each machine with a folder that is memory."""
        for name in (*PEOPLE, *PLACES.values(), *(f"sticks/{name}" for name in self.sticks())):
            (self.folder / name / "memory").mkdir(parents=True, exist_ok=True)
        self._server()
        words = self.folder / "words"
        words.touch(mode=0o600)
        owners = [name + more for name in PEOPLE for more in ("", "-2")]
        words.write_text("".join(f"{name} demo-{secrets.token_hex(8)}\n" for name in owners))
        (self.folder / "log").touch()

    def _server(self) -> None:
        for name in ("data", "keys"):
            (self.folder / "server" / name).mkdir(mode=0o700, parents=True)

    @staticmethod
    def sticks() -> tuple[str, ...]:
        """Return the names of all that is carried."""
        return ("white", "blue", "red", "twin", "copy", *PEOPLE)

    def places(self) -> dict[str, object]:
        """Return what "Your own names" is filled in with."""
        sticks = self.folder / "sticks"
        found: dict[str, object] = {name.upper(): sticks / name for name in REVIEWERS}
        found |= {"STICK": sticks / "white", "RED": sticks / "red", "TWIN": sticks / "twin"}
        found |= {"CASEBOOK": self.folder / "desk/casebook", "COPY": sticks / "copy/casebook"}
        found |= {"MINE": "casebook", "MEMORY": "memory", "CARRY": sticks / "blue"}
        server = self.folder / "server"
        return found | {"INTAKE_DATA": server / "data", "INTAKE_KEYS": server / "keys"}

    def follow(self, parts: Iterable[Step | Note]) -> Iterator[Done]:
        """Do what the document says, and yield each step. Raises :class:`Wrong`."""
        for part in parts:
            if isinstance(part, Note):
                self._heed(part)
            elif part.place == HOST:
                continue
            elif part.place == "on every machine":
                text = part.text
                if part.title == NAMES:
                    names = set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))
                    given = self.places().items()
                    text = recovery.with_places(text, {k: v for k, v in given if k in names})
                self.names += text
            else:
                each = part.place == EACH
                for one in [replace(part, people=(n,), place=OWN) for n in part.people * each] or [
                    part
                ]:
                    self.done.append(self._do(one))
                    yield self.done[-1]

    def _heed(self, note: Note) -> None:
        match note.kind:
            case "day":
                self.day = note.value
            case "testimonies":
                self.send(int(note.value))
            case "read":
                self.read_all(note.value.split(", "))
            case "case":
                self.cases.append(self.choose(note.value.split(", ")))
                self.names += f"CASE={self.cases[-1][:8]}\n"
            case "strike" | "reply":
                reader, text = note.value.split(": ")
                path = self.folder / reader / "memory" / f"{note.kind}.txt"
                path.write_text(text, encoding="utf-8")
            case "seized":
                self.lost = self.sent.keys() - self.heard.keys()
                (self.folder / note.value).rename(self.folder / "thief")
                self._server()
            case "off":
                shutil.rmtree(self.folder / note.value)
                (self.folder / note.value).mkdir()
            case _:
                raise Wrong(f"{note.title}: “{note.kind}” means nothing here.")

    def _do(self, step: Step) -> Done:
        home, log = self.folder / step.machine(), self.folder / "log"
        before = len(log.read_text().splitlines())
        questions: list[str] = []
        own = self.own(step.people[0]) if step.place == OWN else ""
        script = f"{self.prelude()}{own}{step.text}"
        text = f"trap : INT\ncd {shlex.quote(str(home))}\n(\nset -e\n{script})\necho =$?=\n"

        def answer(asked: str) -> str:
            if address := _ADDRESS.search(asked):
                self.pages.append(browse(*address.groups()))
                return _CTRL_C
            questions.append(asked)
            return "yes"

        start = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            path = os.environ["PATH"]
            block = Block(step.title, text)
            ((_, said),) = recovery.play([block], Path(name), path, answer, ASKS)
        seconds = time.monotonic() - start
        said, _, code = said.rstrip("=\n").rpartition("=")
        said = said.replace(_ASKED, f"{_ASKED}yes\n")  # as a terminal shows what is typed
        lines = log.read_text().splitlines()[before:]
        codes = {line.split(" ", 1)[0] for line in lines} - {"0", str(step.exit)}
        if int(code) != step.exit or codes:
            raise Wrong(f"{step.title}\n{step.text}\nended with {code}, {lines}\n{said}")
        check_seen(step, said)
        tools = tuple(line.split(" ", 1)[1] for line in lines)
        return Done(step, said, sum(map(keys_in, questions)), seconds, tools)

    def prelude(self) -> str:
        """Return what makes the document's commands and names known to a shell."""
        quoted = {
            "python": shlex.quote(sys.executable),
            "at_day": shlex.quote(str(at_day.__file__)),
            "day": shlex.quote(self.day),
            "log": shlex.quote(str(self.folder / "log")),
            "words": shlex.quote(str(self.folder / "words")),
        }
        return _TOOLS.format_map(quoted) + self.names

    def own(self, name: str) -> str:
        """Return what the file of names of this person says otherwise than that of the others."""
        path = self.folder / "sticks" / stick(name)
        return f"ME={name} OWN={shlex.quote(str(path))} BODY='Body of {stick(name)}'\n"

    def tool(self, *words: object, given: str | None = None, server: str = "server") -> str:
        """Run one of our modules as the story's people do, or its thief; return what it printed."""
        data = self.folder / server
        own = {"INTAKE_DATA": data / "data", "INTAKE_KEYS": data / "keys"}
        command = [sys.executable, str(at_day.__file__), self.day, *map(str, words)]
        done = subprocess.run(
            command,
            env=os.environ | {name: str(path) for name, path in own.items()},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Wrong(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def send(self, count: int) -> None:
        """Let ``count`` sources fill in the form of the server, today."""
        marks = [f"စမ်း-{len(self.sent) + number:03}" for number in range(1, count + 1)]
        self.tool("deploy.handbook", "post", given=json.dumps(marks))
        self.sent |= dict.fromkeys(marks, self.day)

    def read_all(self, reviewers: Iterable[str]) -> None:
        """Let these reviewers read what they can at the desk."""
        for reviewer in reviewers:
            for mark in self.reads(reviewer):
                self.heard.setdefault(mark, set()).add(reviewer)

    def reads(self, reviewer: str) -> set[str]:
        """Return the marks of the testimonies that this reviewer reads at the desk."""
        rows = [row for case in self.exported(reviewer, "desk") for row in case["envelopes"]]
        return {row["body"]["answers"]["vet_hint"] for row in rows}

    def exported(self, reviewer: str, machine: str) -> list[dict[str, Any]]:
        """Return what ``desk export`` gives to this reviewer, from the casebook of a machine."""
        keys = self.folder / "sticks" / stick(reviewer) / reviewer
        book = ("--casebook", self.folder / machine / "casebook", "--reviewer", keys)
        words = ("--demo-passphrases", self.folder / "words")
        found: list[dict[str, Any]] = json.loads(self.tool("intake.desk", *words, "export", *book))
        return found

    def choose(self, people: list[str]) -> str:
        """Return the tag of a case of these, about which nothing was decided yet."""
        for case in self.exported(people[0], people[0]):
            if case["assigned"] == people and not (case["decisions"] or case["withdrawn"]):
                return str(case["case"])
        raise Wrong(f"{' and '.join(people)} have no case that is new.")


def browse(host: str, path: str) -> str:
    """Open the desk pages as a browser does, and return the list of cases."""
    cookie = ""
    for _ in range(_LOADING):
        connection = http.client.HTTPConnection(host, timeout=recovery.WAIT)
        connection.request("GET", path, headers={"Cookie": cookie})
        answer = connection.getresponse()
        shown = answer.read().decode()
        connection.close()
        cookie, path = answer.headers.get("Set-Cookie", cookie).partition(";")[0], "/"
        if answer.status == 200 and 'href="/case/' in shown:  # noqa: PLR2004
            return shown
        time.sleep(0.2)
    raise Wrong(f"The desk pages showed no case, and {answer.status} at the end.")


def keys_in(question: str) -> int:
    """Return how many keys and fingerprints a question asks to compare with paper; at least one.

    Cards are read out face to face; a root who signs looks at each key that is new to them.
    """
    new = question.rpartition("What changes:")[2]
    cards = re.findall(r"^[^\s,]+, sent by ", new, re.MULTILINE)
    if "Sign this" in question:
        cards = re.findall(r"^(?:  |\+ )?(?:Root|Reviewer|Server's key)\b", new, re.MULTILINE)
    return max(1, len(cards))


def stick(name: str) -> str:
    """Return the name of the person whose key it is: ``rhea-2`` is rhea's second one."""
    return name.removesuffix("-2")


def check_seen(step: Step, said: str) -> None:
    """Raise :class:`Wrong` unless the lines of "You must see" were printed, in that order."""
    rest = iter(said.replace("\r", "\n").splitlines())
    for wanted in step.seen:
        pattern = re.compile(".*".join(map(re.escape, wanted.strip().split("…"))))
        if not any(pattern.fullmatch(line.strip()) for line in rest):
            raise Wrong(f"{step.title}\n{step.text}\ndid not show: {wanted}\n{said}")


def texts() -> Iterator[str]:
    """Yield accounts for ever: Burmese, Zawgyi, emoji, nothing, and as much as there is room."""
    while True:
        yield "တပ်ရင်းက ရွာထဲကို ပစ်ဖို့ အမိန့်ပေးတယ်။\r\nကျွန်ုပ် မပစ်ခဲ့ပါ။ ညတွင်း ထွက်ပြေးခဲ့တယ်။"
        yield "ေက်းဇူးျပဳၿပီး ကူညီပါ။ ကၽြန္ေတာ္ တပ္ကေန ထြက္ေျပးလာတာပါ။"
        yield "😔🏚️ ကူညီပါ 🙏🏽"
        yield ""
        yield "က" * 2000


def post() -> None:
    """Fill in the site's form once for each mark on standard input, as sources do."""
    from intake.server.site import create_app  # noqa: PLC0415 - on the server's day, not before
    from intake.settings import Settings  # noqa: PLC0415

    client = create_app(Settings.from_environment()).test_client(use_cookies=False)
    least = {"consent_store": "yes", "intent": ["certify"], "urgency": "skip", "force": "army"}
    for mark, text in zip(json.load(sys.stdin), texts(), strict=False):
        seed = re.search(
            r'name="_seed" value="(\w+)"', gzip.decompress(client.get("/").data).decode()
        )
        if seed is None:
            sys.exit("The site is closed.")
        fields: dict[str, Any] = {"_seed": seed[1], **least, "account": text, "vet_hint": mark}
        answer = client.post("/", data=fields, headers={"Origin": "http://localhost"})
        page = gzip.decompress(answer.data).decode()
        if answer.status_code != 200 or len(re.findall(r"<small>\d{4}</small>", page)) != 6:  # noqa: PLR2004
            sys.exit(f"The site answered {answer.status_code} and gave no receipt.")


def effort(done: Iterable[Done]) -> Iterator[str]:
    """Yield a table: who types how many commands, who stands by, and for how long."""
    typed: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    machine: dict[str, float] = defaultdict(float)
    there: dict[str, float] = defaultdict(float)
    for one in done:
        count = len(one.step.commands())
        typed[one.step.people[0]] += count
        for name in one.step.people:
            asked[name] += one.compared
            machine[name] += one.seconds
            there[name] += one.seconds + count * TYPING + one.compared * COMPARING
    yield f"{'person':10} {'commands':>8} {'compared':>8} {'machine':>10} {'minutes':>8}"
    for name in sorted(there, key=lambda name: (-there[name], name)):
        counts = f"{typed[name]:8} {asked[name]:8} {machine[name]:8.1f} s"
        yield f"{name:10} {counts} {there[name] / 60:8.0f}"
    yield f"{'all':10} {typed.total():8}"
    yield "Commands: typed by this person. Compared: keys and fingerprints, by all who are there."
    yield "Machine: measured, with a demo's passphrases; each real one takes a second more."
    yield f"Minutes: an estimate, machine and {TYPING} s a command, {COMPARING} s what is compared."


def main() -> None:
    """Follow the document."""
    if sys.argv[1:] == ["post"]:
        post()
        return
    whole, desk = sys.argv[1:] == ["whole"], sys.argv[1:] == ["reviewers"]
    chapters = (NAMES, *(TO_DESK if desk else TO_SECOND))
    parts = [p for p in read() if whole or p.title.startswith(chapters)]
    parts += read(DESK_PAGE) if desk else []
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as name:
        story = Story(Path(name) / "story")
        title = ""
        for done in story.follow(parts):
            if done.step.title != title:
                title = done.step.title
                print(f"\n{title}  ({story.day})")
            print(f"  {', '.join(done.step.people)}, {done.step.place}  ({done.seconds:.1f} s)")
            if whole or desk:
                lines = done.step.text.splitlines() + done.said.splitlines()
                print("".join(f"     {line}\n" for line in lines), end="", flush=True)
        print()
        print(*effort(story.done), sep="\n")


if __name__ == "__main__":
    main()
