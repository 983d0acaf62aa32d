r"""Run the blocks of docs/RECOVERY.md as a stranger would, pasted one after the other.

Rules:
- What runs is what stands in the document; only what is right of each ``=`` in "Where your things
  are" is filled in, as a reader does.
- ``PATH`` is one folder of links: to the programs that the block "The tools" asks for, and to no
  other. So no Python and nothing of this checkout can be on the way, and the list in the document
  is whole.
- Passphrases are typed on a terminal of their own, because age asks there and nowhere else.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import termios
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "RECOVERY.md"
PLACES = "2. Where your things are"
TOOLS = "3. The tools"
PARTS = re.compile(r"^##+ ([^\n]*)$|^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(rb"(Enter|Confirm) passphrase[^\n]*: \Z")
CLEARED = re.compile(r"[^\n]*\n\x1b\[F\x1b\[K")  # a question that age took back
WAIT = 300  # seconds of silence before a session is given up
OLD = re.compile(r"v?(0|1\.[012])\b")
NO_AGE = """\
Recovery needs age 1.3 or later, which knows hybrid keys, and here it is not.
Debian: make peers. Elsewhere: install age 1.3 or later, or name its path in STOCK_AGE."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block of the document: the heading that it stands under, and its commands."""

    title: str
    text: str


class NoAge(Exception):  # noqa: N818 - it says what is missing
    """There is no age that is new enough."""


def stock_age() -> Path:
    """Return the first age of ``STOCK_AGE``, ``.peers/bin`` and ``PATH`` that is new enough.

    Raises :class:`NoAge`, whose text says what to do.
    """
    wanted = os.environ.get("STOCK_AGE")
    for path in [wanted] if wanted else [str(ROOT / ".peers/bin/age"), shutil.which("age")]:
        if path and os.access(path, os.X_OK):
            command = [path, "--version"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0 and not OLD.match(done.stdout):
                return Path(path).resolve()
    raise NoAge(NO_AGE)


def blocks(document: Path = DOCUMENT) -> list[Block]:
    """Return the document's blocks of commands, in order."""
    found, title = [], ""
    text = document.read_text(encoding="utf-8")
    for heading, body in PARTS.findall(text):
        title = heading or title
        if body:
            found.append(Block(title, body))
    return found


def filled(block: Block, places: Mapping[str, object]) -> Block:
    """Return the block; if it is "Where your things are", with the reader's own places."""
    return Block(
        block.title, with_places(block.text, places) if block.title == PLACES else block.text
    )


def with_places(text: str, places: Mapping[str, object]) -> str:
    """Return lines such as ``STICK=/media/stick`` with other places."""
    for name, place in places.items():
        line = f"{name}={shlex.quote(str(place))}"
        example = re.search(rf"^{name}=.*$", text, re.MULTILINE)
        if example is None:
            raise KeyError(name)
        text = text.replace(example[0], line)
    return text


def programs(folder: Path, age: Path) -> Path:
    """Make ``folder``, with links to the programs that the block "The tools" asks for."""
    text = next(block.text for block in blocks() if block.title == TOOLS)
    asked = re.search(r"for tool in (.*?); do", text, re.DOTALL)
    folder.mkdir()
    for name in asked[1].replace("\\", "").split() if asked else []:
        found = str(age) if name == "age" else shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    return folder


def play(
    chosen: Iterable[Block],
    folder: Path,
    path: object,
    answer: Callable[[str], str],
    asks: re.Pattern[bytes] = PROMPT,
) -> Iterator[tuple[Block, str]]:
    """Run blocks in one ``sh``, in the empty folder ``folder``; yield each with what it printed.

    ``answer`` gets what was printed since the last answer, and returns what to type. It is asked
    when what was printed ends as ``asks`` says; age's questions for a passphrase, if not given.
    """
    chosen, marks = list(chosen), []
    script = ""
    for number, block in enumerate(chosen):
        (folder / f"{number}.sh").write_text(block.text, encoding="utf-8")
        marks.append(f"\x1e{number}\n".encode())
        script += f". ./{number}.sh\nprintf '\\036{number}\\n'\nread -r go\n"
    (folder / "all.sh").write_text(script, encoding="utf-8")
    shell = shutil.which("dash") or "/bin/sh"
    process, terminal = pty.fork()
    if process == 0:
        modes = termios.tcgetattr(0)
        modes[1] &= ~termios.OPOST  # no CR of the terminal's own
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, modes)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores, and shells do not
        os.chdir(folder)
        own = {"PATH": str(path), "HOME": str(folder)}  # and nothing of the caller's
        os.execve(shell, ["sh", "all.sh"], own)  # noqa: S606 - a shell is what is wanted
    try:
        yield from _talk(terminal, zip(chosen, marks, strict=True), answer, asks)
    finally:
        os.close(terminal)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _talk(
    terminal: int,
    chosen: Iterable[tuple[Block, bytes]],
    answer: Callable[[str], str],
    asks: re.Pattern[bytes],
) -> Iterator[tuple[Block, str]]:
    said = b""
    for block, mark in chosen:
        asked = 0
        while mark not in said:
            said += _more(terminal)
            if asks.search(said, asked):
                text = said[asked:].decode("utf-8", "replace")
                asked = len(said)
                os.write(terminal, answer(text).encode() + b"\n")
        now, _, said = said.partition(mark)
        yield block, CLEARED.sub("", now.decode("utf-8", "replace"))
        os.write(terminal, b"\n")  # the shell waits, so that the caller sees what the block left


def _more(terminal: int) -> bytes:
    if not select.select([terminal], [], [], WAIT)[0]:
        raise TimeoutError(f"The shell was silent for {WAIT} seconds.")
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # what Linux says at the end of a terminal
        raise EOFError("The shell ended before the last block.") from None
