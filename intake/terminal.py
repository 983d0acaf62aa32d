"""The one place that prints, asks and exits. Every tool's ``__main__`` goes through it.

Rules:
- Everything is printed through :func:`visible`, whoever wrote it.
- What the work yields goes to standard output; progress, questions and refusals to standard error.
- A defect shows its place in our code, never a value: tracebacks may hold a source's words.
- A command is a function; its docstring is its ``--help``, and a table says what it is given.
- Passphrases are typed on the terminal. ``--demo-passphrases`` takes them from a file instead, and
  then every one must begin with ``demo-``, which no tool accepts without that option.
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

from intake import files
from intake.age.passphrase import Passphrase
from intake.errors import Misuse, Refused, Unsafe, WrongPassphrase

DEMO = "demo-"
DEMO_WORK = 10  # log2 of scrypt's N: a demo's passphrases are no secret
MINIMUM = 20  # characters of a passphrase that a person chose
INTERRUPTED = 130  # exit code after Ctrl-C, as shells have it
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_STEP = 50  # how many items between two prints of progress
_OURS = Path(__file__).resolve().parent

FLAG: dict[str, Any] = {"action": "store_true"}
PATH: dict[str, Any] = {"type": Path, "metavar": "PATH"}
PATHS: dict[str, Any] = {**PATH, "nargs": "+"}

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
    print(visible(refused.what), file=sys.stderr)
    if refused.hint:
        print(f"  → {visible(refused.hint)}", file=sys.stderr)
    sys.exit(refused.exit)


def _drop_output() -> None:
    """Send what is left of the output nowhere, so that Python's own last flush is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(*lines: str) -> None:
    """Print lines, made :func:`visible`."""
    for line in lines:
        print(visible(line), flush=True)


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
        """Return ``name``'s passphrase; a new one is typed twice and must be long."""
        if self.demo:
            text = self._known.get(name, "")
            if not text.startswith(DEMO):
                raise Misuse(f"The demo has no passphrase for {name}.", "Run: make demo-clean")
            return Passphrase(text, DEMO_WORK)
        text = _typed(f"Passphrase of {name}, {purpose}: ")
        if text.startswith(DEMO):
            raise Unsafe("This is a demo's passphrase.", "Use keys that a real ceremony made.")
        if new and len(text) < MINIMUM:
            hint = "Take seven words drawn by dice or by a tool, not chosen by you."
            raise Unsafe(f"The passphrase is shorter than {MINIMUM} characters.", hint)
        if new and _typed("The same again: ") != text:
            raise WrongPassphrase("The two were not the same.", "Nothing was made. Run it again.")
        return Passphrase(text)


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
        prog=f"python -m intake.{tool}",
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
    argparse is to know of an argument, by its name; one that is not there is a path.
    """
    texts = {name: inspect.getdoc(do) or "" for name, (do, _) in table.items()}
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
            how = options.get(argument, PATH) | must
            if not argument.startswith("-"):
                how["metavar"] = argument.upper()
            own.add_argument(argument, **how)
    return made
