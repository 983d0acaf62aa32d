"""The one place that prints, asks and exits. Every tool's ``__main__`` goes through it.

Rules:
- Everything is printed through :func:`visible`, whoever wrote it.
- What the work yields goes to standard output; progress, questions and refusals to standard error.
- A defect shows its place in our code, never a value: tracebacks may hold a source's words.
- A command is a function; its docstring is its ``--help``, and a table says what it is given.
- Passphrases are typed on the terminal. ``--demo-passphrases`` takes them from a file instead, and
  then every one must begin with ``demo-``, which no tool accepts without that option.
- A new passphrase is drawn, never chosen. It is shown in the terminal's alternate screen, which has
  no scrollback, and nowhere else; then it must be typed, so that it is on paper before it locks.
"""

import argparse
import getpass
import inspect
import os
import sys
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from intake import files, words
from intake.age.passphrase import Passphrase
from intake.errors import Misuse, Refused, Unsafe, WrongPassphrase

DEMO = "demo-"
DEMO_WORK = 10  # log2 of scrypt's N: a demo's passphrases are no secret
TRIES = 3  # to type a new passphrase as it was shown
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_TERMINAL = Path("/dev/tty")  # where a person is, wherever input and output go
_CLEAR = "\x1b[H\x1b[2J"  # for a terminal that has no alternate screen
_ENTER, _LEAVE = f"\x1b[?1049h{_CLEAR}", f"{_CLEAR}\x1b[?1049l"
_STEP = 50  # how many items between two prints of progress
_OURS = Path(__file__).resolve().parent
_CALLED = os.environ.get("INTAKE_CALLED", "")  # how a host calls its admin's tool

FLAG: dict[str, Any] = {"action": "store_true"}
PATH: dict[str, Any] = {"type": Path, "metavar": "PATH"}
PATHS: dict[str, Any] = {**PATH, "nargs": "+"}
NUMBER: dict[str, Any] = {"type": int, "metavar": "NUMBER"}
REVIEWER = {**PATH, "action": "append", "help": "a reviewer's folder; once for each"}
YES = {**FLAG, "help": "do not ask"}

Item = TypeVar("Item")
Commands = Mapping[str, tuple[Callable[[argparse.Namespace], None], str]]
Options = Mapping[str, dict[str, Any]]


def run(build: Callable[[], argparse.ArgumentParser]) -> NoReturn:
    """Parse the command line, call the command's ``do(arguments)``, and exit with its code."""
    arguments = build().parse_args()
    try:
        arguments.do(arguments)
        sys.stdout.flush()
    except Refused as refused:
        _refuse(refused)
    except KeyboardInterrupt:
        print("Stopped. Nothing was half written; run it again.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last line of defence says where, never what
        places = traceback.extract_tb(error.__traceback__)
        ours = [place for place in places[1:] if _OURS in Path(place.filename).parents]
        place = (ours or places)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        traceback.clear_frames(error.__traceback__)  # ends a line of progress
        print(f"A defect in Intake: {type(error).__name__} at {where}.", file=sys.stderr)
        print("Nothing more was done. Please report this line.", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)


def _refuse(refused: Refused) -> NoReturn:
    traceback.clear_frames(refused.__traceback__)  # ends a line of progress
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    print(visible(_called(refused.what)), file=sys.stderr)
    if refused.hint:
        print(f"  → {visible(_called(refused.hint))}", file=sys.stderr)
    sys.exit(refused.exit)


def _drop_output() -> None:
    """Send what is left of the output nowhere, so that Python's own last flush is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(*lines: str) -> None:
    """Print lines, made :func:`visible`."""
    for line in lines:
        print(visible(_called(line)), flush=True)


def _called(text: str) -> str:
    return text.replace("python -m intake.admin", _CALLED) if _CALLED else text


def visible(text: str, keep: str = "\n") -> str:
    """Return ``text`` with everything that could act on a terminal spelled out, as ``<U+202E>``.

    Control, format (bidi), surrogate, private-use and unassigned characters and line separators
    are spelled; ``keep`` stays. Burmese letters and marks, and emoji, stay.
    """
    return "".join(
        c if c in keep or unicodedata.category(c) not in _HIDDEN else f"<U+{ord(c):04X}>"
        for c in text
    )


def progress(label: str, items: Iterable[Item], total: int | None = None) -> Iterator[Item]:
    """Yield ``items``, counting on standard error where a person watches."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    watched = sys.stderr.isatty()
    last = ""  # if it ends early, the line is ended as it is
    try:
        for number, item in enumerate(items):
            if watched and number % _STEP == 0:
                print(f"\r{label}: {number} of {total or '?'}", end="", file=sys.stderr, flush=True)
            yield item
        last = f"\r{label}: done.{' ' * 20}"
    finally:
        if watched:
            print(last, file=sys.stderr, flush=True)


def confirm(question: str, *, assume: bool = False) -> None:
    """Ask; anything but ``yes`` stops the tool. ``assume`` is the tool's ``--yes``."""
    if assume:
        return
    if not sys.stdin.isatty():
        raise Misuse("This needs a person's yes.", "Run it in a terminal, or add --yes.")
    print(f"{question} [yes/no] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != "yes":
        raise Misuse("Not done: the answer was not yes.", "Run it again when you are sure.")


class Passphrases:
    """Where a tool gets passphrases from: the terminal, or a demo's file."""

    def __init__(self, demo: Path | None = None) -> None:
        """Read the demo's file, lines of ``<name> <passphrase>``, if there is one."""
        self.demo = demo is not None
        self._known: dict[str, str] = {}
        if demo is not None:
            data = files.read(demo, 1 << 16, private=True)
            try:
                self._known = dict(line.split(" ", 1) for line in data.decode().splitlines())
            except ValueError:
                hint = "Each of its lines is: NAME demo-PASSPHRASE"
                raise Misuse(f"{demo} is not a demo's passphrases.", hint) from None

    def ask(self, name: str, purpose: str, *, new: bool = False) -> Passphrase:
        """Return ``name``'s passphrase; a new one is drawn, shown, and typed to prove it.

        Raises :class:`WrongPassphrase` if it was not, and then nothing may be made.
        """
        if self.demo:
            text = self._known.get(name, "")
            if not text.startswith(DEMO):
                raise Misuse(f"The demo has no passphrase for {name}.", "Run: make demo-clean")
            return Passphrase(text, DEMO_WORK)
        if new:
            return Passphrase(_drawn(f"The new passphrase of {name}, for {purpose}:"))
        text = _typed(f"Passphrase of {name}, {purpose}: ")
        if text.startswith(DEMO):
            raise Unsafe("This is a demo's passphrase.", "Use keys that a real ceremony made.")
        return Passphrase(words.as_drawn(text))


def _drawn(title: str) -> str:
    """Return a new passphrase, which a person has on paper."""
    text = words.passphrase()
    half = words.DRAWN // 2
    drawn = text.split()
    problem: tuple[str, ...] = ()
    for _ in range(TRIES):
        _show(
            *problem,
            *(title, "", f"    {' '.join(drawn[:half])}", f"    {' '.join(drawn[half:])}", ""),
            "Write the ten words on paper, in this order, and keep the paper apart from the stick:",
            "whoever has both has the keys, and without the paper nobody has them.",
            "They are shown only now. Press Enter when they are written.",
        )
        if words.as_drawn(_typed("Type the ten words from the paper: ")) == text:
            return text
        problem = ("Those were other words. Look where the paper differs.", "")
    hint = "Nothing was made. Run it again; other words are drawn then."
    raise WrongPassphrase("What was typed is not what was shown.", hint)


def _show(*lines: str) -> None:
    """Show ``lines`` on the terminal until Enter, in the screen that is forgotten after."""
    try:
        with (
            _TERMINAL.open("w", encoding="utf-8") as screen,
            _TERMINAL.open("rb", buffering=0) as keys,
        ):
            try:
                screen.write(_ENTER + "".join(f"{visible(line)}\n" for line in lines))
                screen.flush()
                keys.readline()
            finally:
                screen.write(_LEAVE)
    except OSError:
        what = "There is no terminal to show a new passphrase on."
        raise Misuse(what, "Run it in a terminal.") from None


def _typed(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise Misuse("No passphrase was typed.", "Run it in a terminal.") from None


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line, and spells the parts of it that it repeats."""

    def error(self, message: str) -> NoReturn:
        """Exit with 2: a name of a file on a stick may be somebody else's, and act."""
        super().error(visible(message))


def parser(tool: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a tool's parser: description first, examples and exit codes last."""
    codes = (
        "exit codes: 0 done · 1 defect · 2 command line · 3 keyring · 4 damaged or forged file ·\n"
        "5 key or passphrase · 6 unsafe · 7 machine · 8 done, but something is missing"
    )
    made = _Parser(
        prog=_called(f"python -m intake.{tool}"),
        description=description,
        epilog=f"examples:\n{examples}\n\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument(
        "--demo-passphrases", dest="demo", type=Path, metavar="FILE", help=argparse.SUPPRESS
    )
    return made


def commands(
    tool: str, build: Callable[[], object], table: Commands, options: Options
) -> argparse.ArgumentParser:
    """Return a tool's parser of commands, each with its docstring for help.

    The tool's own help is the docstring of ``build``, and all examples of its commands.

    ``table`` maps a command's name, ``show`` or ``keyring show``, to what does it and to its
    arguments, those it need not have in brackets: ``draft --root [--out]``. ``options`` says what
    argparse is to know of an argument, by its name, or by that of the command and its own; one that
    is not there is a path.
    """
    texts = {name: _called(inspect.getdoc(do) or "") for name, (do, _) in table.items()}
    lines = "\n".join(texts.values()).splitlines()
    examples = "\n".join(line for line in lines if line.startswith(" "))
    made = parser(tool, inspect.getdoc(build) or "", examples)
    groups = {"": made.add_subparsers(title="commands", metavar="COMMAND", required=True)}
    for name, (do, arguments) in table.items():
        group, _, last = name.rpartition(" ")
        if group not in groups:
            inner = ", ".join(other for other in table if other.startswith(f"{group} "))
            above = groups[""].add_parser(group, help=inner, allow_abbrev=False)
            groups[group] = above.add_subparsers(title="commands", metavar="COMMAND", required=True)
        what, _, more = texts[name].partition("\n\n")
        own = groups[group].add_parser(last, help=what, description=what, epilog=more)
        own.formatter_class, own.allow_abbrev = made.formatter_class, False
        own.set_defaults(do=do)
        for word in arguments.split():
            argument = word.strip("[]")
            must: dict[str, Any] = {"required": True} if word.startswith("-") else {}
            how = options.get(f"{name} {argument}", options.get(argument, PATH)) | must
            if not argument.startswith("-"):
                how["metavar"] = argument.upper()
            own.add_argument(argument, **how)
    return made
