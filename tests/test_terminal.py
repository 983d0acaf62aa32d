"""The terminal: nothing a source wrote acts on it, and nothing that goes wrong tells a value."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pty
import re
import select
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import canonical, errors, locked, terminal, words
from intake.age.passphrase import Passphrase
from intake.errors import Misuse, Refused, Unsafe, WrongPassphrase
from intake.settings import ROOT

CANARY = "canary-7f3a"
LONG = "seven words drawn by dice or tool"
WAIT = 30  # seconds
SPELLED = {
    "escape": "\x1b[2J",
    "bell": "\x07",
    "backspace": "\x08",
    "carriage return": "\r",
    "tab": "\t",
    "delete": "\x7f",
    "eight-bit CSI": "\x9b",
    "next line": "\x85",
    "right-to-left override": "\u202e",
    "isolate": "\u2066",
    "Arabic letter mark": "\u061c",
    "zero width space": "\u200b",
    "joiner": "\u200d",
    "soft hyphen": "\xad",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "private use": "\ue000",
    "private plane": "\U0010fffd",
    "unassigned": "\u0378",
    "not a character": "\uffff",
    "lone surrogate": "\ud800",
}
KEPT = {
    "Burmese": "မြန်မာနိုင်ငံ၊ တပ်မတော် ၂၅။",
    "Shan": "ၵႃႈၶၢမ်ႇ တႆး ႑",
    "Mon": "ဘာသာမန် ၚ ၛ",
    "Karen": "ကညီကျိာ် ၡ ၢ ၣ",
    "Zawgyi": "\u1031\u1019\u107e\u1004\u1039\u1038",
    "emoji": "😀🙏🏽❤\ufe0f",
    "Latin": "Ünïcode “quotes” and §1",
    "lines": "one\ntwo",
}


def tool(do: Callable[[], None]) -> Callable[[], argparse.ArgumentParser]:
    """Return a parser of no arguments whose command is ``do``."""

    def build() -> argparse.ArgumentParser:
        parser = terminal.parser("test", "A test.", "  none")
        parser.set_defaults(do=lambda _: do())
        return parser

    return build


def refusals(kind: type[Refused] = Refused) -> Iterator[type[Refused]]:
    for each in kind.__subclasses__():
        if each.__module__ == errors.__name__:
            yield each
        yield from refusals(each)


def exit_code(monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> int:
    monkeypatch.setattr(sys, "argv", ["test"])
    with pytest.raises(SystemExit) as caught:
        terminal.run(tool(do))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.mark.parametrize("text", SPELLED.values(), ids=SPELLED.keys())
def test_what_acts_on_a_terminal_is_spelled(text: str) -> None:
    spelled = f"<U+{ord(text[0]):04X}>"
    assert terminal.visible(f"a{text}b") == f"a{spelled}{text[1:]}b"
    assert terminal.visible(text[0], keep="") == spelled


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
def test_what_people_write_stays(text: str) -> None:
    assert terminal.visible(text) == text


@given(st.text(st.characters(), max_size=60))
def test_no_hidden_character_comes_through(text: str) -> None:
    shown = terminal.visible(text)
    shown.encode("utf-8")
    assert not {unicodedata.category(c) for c in shown.replace("\n", "")} & {
        *("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    }
    assert terminal.visible(shown) == shown
    assert "\n" not in terminal.visible(text, keep="")


def test_every_refusal_has_its_documented_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = {}
    for kind in refusals():

        def refuse(kind: type[Refused] = kind) -> None:
            print("half a result", end="")  # noqa: T201 - what the tool printed before
            raise kind("It broke\x1b[2J.", "Mend it\u202e.")

        codes[kind.__name__] = exit_code(monkeypatch, refuse)
        out, err = capsys.readouterr()
        assert out == "half a result"
        assert err == "It broke<U+001B>[2J.\n  → Mend it<U+202E>.\n"
    assert codes == {
        "BadRequest": 1,
        "Misuse": 2,
        "BadKeyring": 3,
        "BadFile": 4,
        "NoMatchingKey": 5,
        "WrongPassphrase": 5,
        "Unsafe": 6,
        "MachineTrouble": 7,
        "NoRoom": 7,
        "Incomplete": 8,
    }


def test_a_refusal_without_a_hint_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise Misuse("No.")

    assert exit_code(monkeypatch, refuse) == 2
    assert capsys.readouterr().err == "No.\n"


def test_done_is_zero(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(monkeypatch, lambda: terminal.say("done")) == 0
    assert capsys.readouterr() == ("done\n", "")


def test_whatever_is_said_is_made_visible(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("a\x1b[2J", "b\u202e")
    terminal.say()
    assert capsys.readouterr().out == "a<U+001B>[2J\nb<U+202E>\n"


class Telling(Exception):  # noqa: N818 - a defect of any name
    """A defect whose message, like that of most, holds a value."""


def fall(error: BaseException) -> None:
    try:
        int(CANARY)
    except ValueError as cause:
        raise error from cause


@pytest.mark.parametrize(
    "error",
    [Telling(CANARY), ValueError(CANARY), UnicodeEncodeError("utf-8", CANARY, 0, 1, CANARY)],
)
def test_a_defect_tells_its_place_and_no_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def do(local: str = CANARY) -> None:
        assert local
        fall(error)

    assert exit_code(monkeypatch, do) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert CANARY not in err
    assert f"{type(error).__name__} at test_terminal.py:" in err
    assert "Traceback" not in err


def test_a_defect_in_a_library_shows_the_last_place_of_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def do() -> None:
        canonical.load(5)  # type: ignore[arg-type]

    assert exit_code(monkeypatch, do) == 1
    assert "AttributeError at canonical.py:" in capsys.readouterr().err
    broken: list[object] = [object()]
    assert exit_code(monkeypatch, lambda: terminal.say(*map(json.dumps, broken))) == 1
    assert "TypeError at encoder.py:" in capsys.readouterr().err  # nothing of ours is below run


def test_a_defect_in_a_process_tells_no_value() -> None:
    done = process(f"raise KeyError({CANARY!r})")
    assert done.returncode == 1
    assert CANARY.encode() not in done.stdout + done.stderr
    assert done.stderr.startswith(b"A defect in Intake: KeyError at ")


def test_ctrl_c_ends_without_a_traceback() -> None:
    # A shell starts jobs in the background with the signal ignored; a terminal does not.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    done = process(f"{heard}; signal.raise_signal(signal.SIGINT)")
    assert done.returncode == 130
    assert done.stderr == b"Stopped. Nothing was half written; run it again.\n"


@pytest.mark.parametrize("lines", [1, 9999])
def test_a_reader_that_went_away_is_no_defect(lines: int) -> None:
    """As in ``... list | head -1``: the rest has nowhere to go, and no traceback shows.

    One line is still in the buffer when the tool ends; 9,999 fill it while the tool works.
    """
    body = f"for _ in range({lines}): print('x' * 99)"
    with subprocess.Popen(
        [sys.executable, "-c", script(body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=buffered(),
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait() == 1


def test_a_reader_that_went_away_before_a_refusal() -> None:
    """What was printed before a refusal is still in the buffer when nobody reads it any more."""
    body = "r, w = os.pipe(); os.dup2(w, 1); os.close(w); os.close(r)\n"
    body += "    print('x'); raise errors.Incomplete('Less came.', 'b')"
    done = process(body)
    assert b"Traceback" not in done.stderr
    assert b"Less came." in done.stderr
    assert done.returncode == 8


def test_a_wrong_command_line_is_two() -> None:
    done = process("pass", "--nonsense")
    assert done.returncode == 2
    assert b"unrecognized arguments" in done.stderr


def test_a_file_name_in_a_wrong_command_line_does_not_act() -> None:
    """As when a shell fills in what lies on a stick."""
    for name in ("\x1b[2J", "\u202egnp"):
        done = process("pass", name)
        assert done.returncode == 2
        assert b"<U+" in done.stderr
        assert name.encode() not in done.stderr


def test_help_names_every_exit_code_and_not_the_demo_option() -> None:
    text = process("pass", "--help").stdout.decode()
    for code in range(9):
        assert f"{code} " in text.partition("exit codes:")[2]
    assert "demo" not in text


def test_progress_is_silent_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(terminal.progress("Opening", range(120))) == list(range(120))
    assert capsys.readouterr() == ("", "")


def test_progress_counts_where_somebody_watches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(terminal.progress("Opening", iter(range(120)), 120)) == list(range(120))
    out, err = capsys.readouterr()
    assert out == ""
    assert "50 of 120" in err
    assert "done." in err


@pytest.mark.parametrize("held", [False, True])
def test_progress_that_breaks_ends_its_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], held: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    def do() -> None:
        items = terminal.progress("Opening", range(120))
        held_by = items if held else None  # a traceback keeps what a frame holds
        del items
        for _ in held_by or terminal.progress("Opening", range(120)):
            raise Misuse("It broke.")

    assert exit_code(monkeypatch, do) == 2
    assert capsys.readouterr().err == "\rOpening: 0 of 120\nIt broke.\n"


def test_confirm_takes_only_a_persons_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal:
        answer = ""

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.answer

    person = Terminal()
    monkeypatch.setattr(sys, "stdin", person)
    for person.answer in ("", "y\n", "no\n", "yes please\n", "\n"):
        with pytest.raises(Misuse, match="not yes"):
            terminal.confirm("Really?")
    person.answer = " YES\n"
    terminal.confirm("Really?")
    monkeypatch.setattr(Terminal, "isatty", lambda _: False)
    with pytest.raises(Misuse, match="a person's yes"):
        terminal.confirm("Really?")
    terminal.confirm("Really?", assume=True)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What will be typed, in order, at the questions for a passphrase."""
    answers: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda _: answers.pop(0))
    return answers


def demo_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "passphrases"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_typed_passphrase_has_the_full_work(typed: list[str]) -> None:
    typed.append("short")
    given_ = terminal.Passphrases().ask("alice", "to read")
    assert (given_.text, given_.work) == ("short", 18)
    assert not terminal.Passphrases().demo


def test_a_demo_passphrase_opens_nothing_real(typed: list[str]) -> None:
    typed.append(f"demo-{LONG}")
    with pytest.raises(Unsafe, match="demo"):
        terminal.Passphrases().ask("alice", "to read")
    assert typed == []


def test_a_real_passphrase_is_not_for_the_demo(tmp_path: Path, typed: list[str]) -> None:
    typed.append(LONG)
    path = demo_file(tmp_path, f"alice demo-{LONG}\nbob {LONG}\n")
    source = terminal.Passphrases(path)
    assert source.demo
    demo = source.ask("alice", "to read", new=True)
    assert (demo.text, demo.work) == (f"demo-{LONG}", 10)
    for name in ("bob", "carol"):
        with pytest.raises(Misuse, match=f"no passphrase for {name}") as caught:
            source.ask(name, "to read")
        assert LONG not in caught.value.what + caught.value.hint
    assert typed == [LONG]  # a demo never asks


@pytest.mark.parametrize("data", [b"alice\n", b"alice demo-a\n\n", b"alice demo-\xff\n"])
def test_a_demos_file_that_is_none_is_a_misuse(tmp_path: Path, data: bytes) -> None:
    path = demo_file(tmp_path, "")
    path.write_bytes(data)
    with pytest.raises(Misuse, match="not a demo's passphrases") as caught:
        terminal.Passphrases(path)
    assert "demo-a" not in caught.value.what + caught.value.hint


def test_a_demos_file_is_private_too(tmp_path: Path) -> None:
    with pytest.raises(Unsafe):
        terminal.Passphrases(demo_file(tmp_path, "alice demo-a\n", 0o644))
    with pytest.raises(Misuse):
        terminal.Passphrases(tmp_path / "none")


def test_ten_words_of_the_list_are_taken_whatever_their_capitals_and_spaces(
    typed: list[str],
) -> None:
    drawn = words.passphrase()
    typed[:] = [drawn, f" {drawn.upper().replace(' ', '   ')} "]
    assert {terminal.Passphrases().ask("alice", "to read").text for _ in range(2)} == {drawn}


@pytest.mark.parametrize("text", ["Seven  words That somebody chose", "တပ်ရင်း  ၅၂၈ 😀", " ", ""])
def test_what_a_person_chose_before_is_taken_as_it_is(typed: list[str], text: str) -> None:
    typed.append(text)
    assert terminal.Passphrases().ask("alice", "to read").text == text


ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
ASKED = "from the paper: "


def drawing(path: Path) -> str:
    """Return a tool that asks for a new passphrase, and writes what it was given to ``path``."""
    ask = "given = terminal.Passphrases().ask('alice', 'the keys', new=True)"
    return script(f"{ask}\n    open({str(path)!r}, 'x').write(given.text)")


def tells(text: str, drawn: str) -> bool:
    """Return whether two of the drawn words stand together in ``text``; one may by chance."""
    found = drawn.split()
    return any(f"{one} {other}" in text.lower() for one, other in itertools.pairwise(found))


class Person:
    """Somebody at a real terminal, at which a tool is started.

    What the tool prints to its output and errors goes elsewhere, so that what is on the terminal
    was written to the terminal itself.
    """

    def __init__(self, code: str, *arguments: str | Path) -> None:
        """Start the tool whose code is given."""
        self.ours, theirs = pty.openpty()
        own = "import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # Ctrl-C reaches it
        self.child = subprocess.Popen(
            [sys.executable, "-X", "utf8", "-c", own + code, *arguments],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd=ROOT,
            env=buffered(),
        )
        os.close(theirs)
        self.screen = ""

    def sees(self, text: str) -> str:
        """Wait for ``text``; return what the terminal got since the last call, to its end."""
        while text not in self.screen:
            assert select.select([self.ours], [], [], WAIT)[0], self.screen
            self.screen += os.read(self.ours, 1 << 16).decode()
        seen, _, self.screen = self.screen.partition(text)
        return seen + text

    def sees_words(self, *, again: bool = False) -> str:
        """Wait for the ten words, and return them as they are to be typed."""
        seen = self.sees("Press Enter when they are written.\r\n")
        assert seen.count(ENTER) == 1
        assert ("Those were other words." in seen) == again
        shown = seen.partition(ENTER)[2]
        found = re.findall("^    ((?:[a-z]+ ){4}[a-z]+)\r$", shown, re.MULTILINE)
        assert len(found) == 2
        return " ".join(found)

    def types(self, text: str) -> None:
        """Type a line."""
        os.write(self.ours, text.encode() + b"\n")

    def ends(self) -> tuple[int, str]:
        """Wait for the end; return the exit code, and all that was printed or is on the screen."""
        out, err = self.child.communicate(timeout=WAIT)
        while select.select([self.ours], [], [], 0)[0]:
            try:
                self.screen += os.read(self.ours, 1 << 16).decode()
            except OSError:  # what Linux says when nobody has the other end
                break
        return self.child.returncode, self.screen + out.decode() + err.decode()

    def leaves(self) -> None:
        """End what still runs."""
        self.child.kill()
        self.child.communicate()
        os.close(self.ours)


@pytest.fixture
def sit() -> Iterator[Callable[..., Person]]:
    """Sit down at a terminal, with the code of a tool and its arguments; leave it after."""
    people: list[Person] = []

    def down(code: str, *arguments: str | Path) -> Person:
        people.append(Person(code, *arguments))
        return people[-1]

    yield down
    for person in people:
        person.leaves()


@pytest.mark.parametrize(
    "spell", [str, str.upper, lambda text: f"  {text.title().replace(' ', '   ')} "]
)
def test_a_new_passphrase_is_drawn_shown_and_typed(
    tmp_path: Path, sit: Callable[..., Person], spell: Callable[[str], str]
) -> None:
    person = sit(drawing(tmp_path / "given"))
    drawn = person.sees_words()
    person.types("")
    left = person.sees(LEAVE)
    assert not tells(left, drawn)
    person.sees(ASKED)
    person.types(spell(drawn))
    code, after = person.ends()
    assert (code, (tmp_path / "given").read_text()) == (0, drawn)
    assert not tells(after, drawn)  # nor did typing show them
    assert set(drawn.split()) <= set(words._list().wordlist)


def test_wrong_words_are_shown_again_and_three_times_wrong_makes_nothing(
    tmp_path: Path, sit: Callable[..., Person]
) -> None:
    person = sit(drawing(tmp_path / "given"))
    shown = set()
    wrong = ("", words.passphrase(), "တပ်ရင်း")
    for number, text in enumerate(wrong):
        shown.add(person.sees_words(again=number > 0))
        person.types("")
        person.sees(LEAVE)
        person.sees(ASKED)
        person.types(text)
    assert len(shown) == 1
    code, after = person.ends()
    assert code == WrongPassphrase("").exit
    assert "Nothing was made." in after
    assert not tells(after, shown.pop())
    assert not (tmp_path / "given").exists()


def test_right_after_wrong_is_right(tmp_path: Path, sit: Callable[..., Person]) -> None:
    person = sit(drawing(tmp_path / "given"))
    for text in ("one word", None):
        drawn = person.sees_words(again=text is None)
        person.types("")
        person.sees(ASKED)
        person.types(text or drawn)
    assert person.ends()[0] == 0
    assert (tmp_path / "given").read_text() == drawn


@pytest.mark.parametrize("at", ["the words", "the question"])
def test_ctrl_c_leaves_the_screen_with_the_words(
    tmp_path: Path, sit: Callable[..., Person], at: str
) -> None:
    person = sit(drawing(tmp_path / "given"))
    drawn = person.sees_words()
    if at == "the question":
        person.types("")
        person.sees(LEAVE)
        person.sees(ASKED)
    os.write(person.ours, b"\x03")
    if at == "the words":
        person.sees(LEAVE)
    code, after = person.ends()
    assert code == terminal.INTERRUPTED
    assert "Stopped." in after
    assert "Traceback" not in after
    assert not tells(after, drawn)
    assert not (tmp_path / "given").exists()


def test_where_there_is_no_terminal_nothing_is_drawn(tmp_path: Path) -> None:
    """Not into a file or a pipe either, where words would stay."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", drawing(tmp_path / "given")],
        input=b"\n\n",
        capture_output=True,
        start_new_session=True,
        check=False,
        cwd=ROOT,
        env=buffered(),
    )
    assert done.returncode == Misuse("").exit
    said = "There is no terminal to show a new passphrase on.\n  → Run it in a terminal.\n"
    assert (done.stdout, done.stderr.decode()) == (b"", said)
    assert not (tmp_path / "given").exists()


def test_a_root_made_at_a_terminal_opens_with_the_paper(
    tmp_path: Path, sit: Callable[..., Person]
) -> None:
    """The whole command, with the real work; then what is locked opens with what was shown."""
    whole = "import runpy, sys\nsys.argv[0] = 'intake'\n"
    whole += "runpy.run_module('intake.ceremony', run_name='__main__')\n"
    person = sit(whole, "root", "rosa", "--out", tmp_path)
    drawn = person.sees_words()
    person.types("")
    person.sees(ASKED)
    person.types(drawn)
    code, said = person.ends()
    assert code == 0, said
    assert not tells(said, drawn)
    locked.signing_key(tmp_path / "rosa" / "signing.age", Passphrase(drawn))
    with pytest.raises(WrongPassphrase):
        locked.signing_key(tmp_path / "rosa" / "signing.age", Passphrase(drawn.upper()))


def test_nobody_there_to_type_is_no_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", nobody)
    with pytest.raises(Misuse, match="No passphrase was typed"):
        terminal.Passphrases().ask("alice", "to read")


def buffered() -> dict[str, str]:
    """Return an environment in which output waits in a buffer, as it does for most people."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def script(body: str) -> str:
    """Return a tool whose command does ``body``."""
    return (
        "import os, sys\n"
        "from intake import errors, terminal\n"
        "def do(_):\n"
        f"    {body}\n"
        "def build():\n"
        "    parser = terminal.parser('test', 'A test.', '  none')\n"
        "    parser.set_defaults(do=do)\n"
        "    return parser\n"
        "terminal.run(build)\n"
    )


def process(body: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-X", "utf8", "-c", script(body), *arguments],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=buffered(),
    )
