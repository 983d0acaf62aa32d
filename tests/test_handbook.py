"""The two handbooks, followed: every command in them runs, and what they promise comes true.

Rules:
- Each story runs once, on machines that are folders (deploy/handbook.py), with the project's own
  tools; the tests look at what is left of it on each machine and stick.
- What needs no story runs in ``make test``: the pages' grammar, their tables, their command lines.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import handbook
from deploy.handbook import Note, Step, Story, Wrong
from intake import quorum, terminal
from intake.age.identity import Identity
from intake.age.unsealing import unseal
from intake.desk import casebook
from intake.desk.present import arrive
from intake.desk.state import State, fold
from intake.settings import Settings

TOOLS = ("admin", "ceremony", "desk")
LAST = 10  # the keyring that the admins' page ends with


@dataclass(frozen=True)
class Page:
    """One handbook, and the numbers of its chapters."""

    path: Path
    chapters: range

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def parts(self) -> list[Step | Note]:
        return handbook.read(self.path)

    @property
    def steps(self) -> list[Step]:
        return [part for part in self.parts if isinstance(part, Step)]

    def used(self) -> dict[str, set[str]]:
        """Return which of our commands the page uses, and on which machines."""
        found: dict[str, set[str]] = defaultdict(set)
        for step in self.steps:
            for line in step.commands():
                if ours := typed(line):
                    own = step.place in {handbook.OWN, handbook.EACH}
                    place = "own" if own else step.machine()
                    found[f"{ours[0]} {ours[1]}"].add(place)
        return dict(found)

    def rows(self, title: str) -> list[list[str]]:
        """Return the cells of the table under a title."""
        whole = f"{self.text}\n## "
        section = re.search(rf"^## {title}\n(.*?)^## ", whole, re.MULTILINE | re.DOTALL)
        assert section is not None
        lines = [line for line in section[1].splitlines() if line.startswith("| `")]
        return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines]


ADMINS = Page(handbook.DOCUMENT, range(1, 19))
REVIEWERS = Page(handbook.DESK_PAGE, range(13))
BOTH = pytest.mark.parametrize("page", [ADMINS, REVIEWERS], ids=lambda page: page.path.stem)


def commands(tool: str) -> set[str]:
    """Return what a tool can do: ``keyring install`` and so on."""
    return set(importlib.import_module(f"intake.{tool}.__main__")._COMMANDS)


def typed(line: str) -> tuple[str, str, list[str]] | None:
    """Return tool, command and arguments of a line, None if it is no line of ours."""
    line = re.sub(r"\$\(.*\)", "00" * 32, line.replace("\\\n", " "))
    words = shlex.split(re.sub(r"\$[A-Z]+", "x", line), comments=True)
    if not words or words[0] not in TOOLS:
        return None
    tool, *rest = words
    rest = rest[: rest.index("|")] if "|" in rest else rest
    length = next((n for n in (2, 1) if " ".join(rest[:n]) in commands(tool)), 0)
    assert length, line
    return tool, " ".join(rest[:length]), rest


# The pages.


@BOTH
def test_every_block_is_followed(page: Page) -> None:
    assert len(page.steps) == page.text.count("```sh\n") > 30
    chapters = re.findall(r"^## (\d+)\.", page.text, re.MULTILINE)
    assert chapters == [str(number) for number in page.chapters]
    titles = {step.title.split(".")[0] for step in page.steps}
    assert handbook.NAMES in titles
    if page is ADMINS:
        assert titles >= set(chapters)


@BOTH
def test_every_line_is_one_that_its_tool_takes(page: Page) -> None:
    """So a renamed option shows at once, and not only when the page is followed."""
    parsers = {tool: importlib.import_module(f"intake.{tool}.__main__").build() for tool in TOOLS}
    lines = [ours for step in page.steps for line in step.commands() if (ours := typed(line))]
    for tool, _, arguments in lines:
        assert parsers[tool].parse_args(arguments).do
    assert len(lines) > 50


def test_every_command_is_on_a_page_or_has_a_reason() -> None:
    every = {f"{tool} {name}" for tool in TOOLS for name in commands(tool)}
    left = ADMINS.rows("Commands that are not on this page")
    names = {name for cells in left for name in ticked(cells)}
    assert ADMINS.used().keys() | names == every
    assert not ADMINS.used().keys() & names
    there = {name for cells in left if "(REVIEWERS.md)" in cells[1] for name in ticked(cells)}
    assert there == REVIEWERS.used().keys() - ADMINS.used().keys()


def test_the_tables_say_what_is_typed_on_which_machine() -> None:
    table = ADMINS.rows("Who does what, where")
    assert {name: {cells[2]} for cells in table for name in ticked(cells)} == ADMINS.used()
    table = REVIEWERS.rows("Every command")
    told = {name: set(cells[2].split(", ")) for cells in table for name in ticked(cells)}
    used = REVIEWERS.used().items()
    assert told == {name: places for name, places in used if name.startswith("desk ")}


@BOTH
def test_a_command_in_a_sentence_is_only_a_name(page: Page) -> None:
    """What is to be typed stands in a block, where it is followed."""
    inline = re.findall(rf"`((?:{'|'.join(TOOLS)}) [^`]*)`", page.text)
    assert set(inline) <= {f"{tool} {name}" for tool in TOOLS for name in commands(tool)}


def ticked(cells: list[str]) -> list[str]:
    """Return what stands in backticks in the first cell."""
    return re.findall(r"`([^`]+)`", cells[0])


@BOTH
def test_the_aliases_are_the_tools(page: Page) -> None:
    aliases = re.findall(r"^alias (\w+)='\.venv/bin/python -m ([\w.]+)'$", page.text, re.MULTILINE)
    tools = TOOLS if page is ADMINS else ("desk",)
    assert dict(aliases) == {tool: f"intake.{tool}" for tool in tools}


def test_every_name_was_given_before() -> None:
    everything: set[str] = set()
    for page in (ADMINS, REVIEWERS):
        known: set[str] = set()
        for step in page.steps:
            known |= set(re.findall(r"(?:^|\s)([A-Z_]+)=", step.text))
            wanted = set(re.findall(r"\$\{?([A-Z_]+)", step.text))
            assert wanted <= known, step.text
        everything |= known
    places = Story.__new__(Story)
    places.folder = Path()
    assert set(places.places()) < everything


@pytest.mark.parametrize(("page", "number"), [(ADMINS, 9), (REVIEWERS, 1)])
def test_what_makes_a_key_believed_is_compared(page: Page, number: int) -> None:
    """A chapter with a command that makes a key believed says in bold that people compare."""
    asking = r"ceremony (archive|periods|recover|sign)|--reviewers|desk init"
    found = re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", page.text, re.MULTILINE | re.DOTALL)
    titles = {step.title for step in page.steps if re.search(asking, step.text)}
    assert len(titles) == number
    for title in titles:
        assert re.search(r"\*\*[^*]*[Cc]ompare[^*]*\*\*", dict(found)[title]), title


def test_what_a_reviewer_is_told_to_look_for_is_what_the_tools_say() -> None:
    """Each message of the last chapter stands in the code, but for what changes (the dots)."""
    files = Path(handbook.ROOT / "intake").rglob("*.py")
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    code = re.sub(r'"\s+f?"', "", code) + os.strerror(errno.ENOSPC).lower()
    table = REVIEWERS.rows("12. When something is wrong")
    told = [said for cells in table for said in ticked(cells)]
    assert len(told) > 20
    for said in told:
        for piece in said.split("…"):
            assert piece.strip() in code, said


@BOTH
def test_nothing_on_the_page_answers_for_a_person(page: Page) -> None:
    assert not [s for s in page.steps if re.search(r"--yes|--demo|--despite", s.text)]


# What follows the page.


def write(folder: Path, text: str) -> list[Step | Note]:
    path = folder / "page.md"
    path.write_text(text, encoding="utf-8")
    return handbook.read(path)


STATUS = "an admin, on the server:\n\n```sh\nadmin status\n```\n"


def test_a_block_without_a_caption_is_refused(tmp_path: Path) -> None:
    for text in ("```sh\nls\n```\n", STATUS.replace("server:", "server"), "x, on it:\n\n" + STATUS):
        with pytest.raises(Wrong):
            write(tmp_path, text.replace("an admin, on the server:\n\n```", "a, at a bar:\n\n```"))


@pytest.mark.parametrize(
    ("seen", "said", "good"),
    [
        ("a …", "x\n  a b c\n", True),
        ("a …\nd", "a b\nc\nd\n", True),
        ("d\na …", "a b\nc\nd\n", False),  # another order
        ("a\na", "a\n", False),  # one line is seen once
        ("a", "ab\n", False),
        ("a.c", "abc\n", False),  # no pattern but the dots
        ("done.", "Reading: 0 of 5\rdone.\n", True),
    ],
)
def test_what_must_be_seen(seen: str, said: str, good: bool) -> None:
    step = Step("1.", "", ("alice",), "at the desk", 0, tuple(seen.splitlines()))
    if good:
        assert handbook.check_seen(step, said) is None  # type: ignore[func-returns-value]
    else:
        with pytest.raises(Wrong):
            handbook.check_seen(step, said)


@pytest.mark.parametrize("more", ["", "\nYou must see:\n\n```text\nGREEN\n```\n"])
def test_a_step_that_ends_otherwise_stops_the_story(tmp_path: Path, more: str) -> None:
    """A server without a keyring is red: its status exits with 8, and says so."""
    day = "<!-- day: 2026-11-30 -->\n"
    expected = write(tmp_path, f"{day}<!-- exit: 8 -->\n\n{STATUS}")
    (done,) = Story(tmp_path / "good").follow(expected)
    assert (done.tools, done.compared) == (("admin status",), 0)
    wrong = write(tmp_path, f"{day}{'<!-- exit: 8 -->' * bool(more)}\n\n{STATUS}{more}")
    with pytest.raises(Wrong, match="NOW"):
        list(Story(tmp_path / "wrong").follow(wrong))


def test_effort_counts_what_is_typed_and_who_stands_by() -> None:
    step = Step("1.", "A=1\n# no\nls \\\n  x\ncp a b\n", ("alice", "bob"), "at the desk", 0, ())
    assert step.commands() == ["ls    x", "cp a b"]
    table = list(handbook.effort([handbook.Done(step, "", 2, 40.0, ())]))
    assert table[1].split() == ["alice", "2", "2", "40.0", "s", "3"]  # 40 typing, 120, 40
    assert table[2].split() == ["bob", "0", "2", "40.0", "s", "3"]


def test_what_is_compared_is_counted() -> None:
    cards = "alice, sent by A: 0f\nbob, sent by B: 1e\nDid each reviewer … face to face? [yes/no] "
    first = "  Root rosa: 0f\n  Reviewer alice, sent by A: 1e\nServer's key for bundles: 2d\n"
    later = f"{first}What changes:\n- Root rhea: 0f\n+ Root rhea-2: 0f\n"
    asked = [cards, f"{first}Sign this? ", f"{later}Sign this? ", "Is this the fingerprint? "]
    assert [handbook.keys_in(question) for question in asked] == [2, 3, 1, 1]


# The story.


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Follow the admins' page to its end."""
    told = Story(tmp_path_factory.mktemp("handbook") / "story")
    for _ in told.follow(ADMINS.parts):
        pass
    return told


@pytest.mark.handbook
class TestStory:
    def test_every_testimony_is_read_by_its_two_reviewers(self, story: Story) -> None:
        """All but those that a seized server took along, and nobody reads those."""
        assert len(story.sent) == 23
        assert len(story.lost) == 2
        assert story.heard.keys() == story.sent.keys() - story.lost
        assert {len(readers) for readers in story.heard.values()} == {2}

    def test_a_retired_week_is_gone_on_all_copies(self, story: Story) -> None:
        there = {path.parent for path in story.folder.rglob("package.json")}
        assert not {path for path in there if path.name in {"2026-w49", "2027-w01"}}
        assert {path.parent.name for path in there} == {"red", "twin"}
        red, twin = (
            {path.name for path in there if path.parent.name == stick} for stick in ("red", "twin")
        )
        assert red == twin
        assert {"2026-w50", "2027-w03-k8", "archive"} < red

    def test_nothing_that_opens_is_on_the_white_stick_or_the_server(self, story: Story) -> None:
        for place in ("sticks/white", "server", "desk"):
            names = {path.name for path in (story.folder / place).rglob("*")}
            assert names
            assert not {name for name in names if name.endswith(".age")}

    def test_the_last_keyring_is_in_force_on_the_server_and_at_the_desk(self, story: Story) -> None:
        places = story.places()
        record = json.loads((Path(str(places["INTAKE_DATA"])) / "installed").read_bytes())
        book = casebook.load(Path(str(places["CASEBOOK"])))
        assert (record["version"], book.keyring.version) == (LAST, LAST)
        assert record["sha256"] == book.keyring.sha256.hex()
        assert {one.name for one in book.keyring.active} == {"bob-2", "dave", "erin"}
        assert book.keyring.roots.keys() == {"rosa", "rhea-2", "ruth-2"}

    def test_no_older_stick_brings_its_keyring_back(self, story: Story) -> None:
        white, settings = story.folder / "sticks/white", self.settings(story)
        before = (settings.keyring.read_bytes(), settings.installed.read_bytes())
        for number in (1, LAST - 1):
            with pytest.raises(Wrong, match=f"Keyring {number} does not follow keyring {LAST}"):
                self.install(story, white / f"keyring-{number}")
        assert (settings.keyring.read_bytes(), settings.installed.read_bytes()) == before

    @pytest.mark.parametrize("name", ["alice", "bob", "carol"])
    def test_whoever_was_removed_is_refused(self, story: Story, name: str) -> None:
        with pytest.raises(Wrong, match=f"{name} is not an active reviewer"):
            story.reads(name)

    def test_after_its_last_day_the_site_is_closed(self, story: Story) -> None:
        before = dict(story.sent)
        with pytest.raises(Wrong, match="The site is closed"):
            story.send(1)
        assert story.sent == before

    def test_everybody_is_in_the_table_of_effort(
        self, story: Story, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It is shown, up to keyring 2."""
        table = list(handbook.effort(story.done))
        people = {name for done in story.done for name in done.step.people}
        assert people == {line[:10].strip() for line in table[1:-4]}
        assert people == {*handbook.PEOPLE, "an admin", "bob-2", "rhea-2", "ruth-2"}
        first = [done for done in story.done if done.step.title.startswith(handbook.TO_SECOND)]
        with capsys.disabled():
            sys.stdout.write("\n" + "\n".join(handbook.effort(first)) + "\n")

    def test_what_a_thief_of_the_server_signs_is_named(self, story: Story) -> None:
        """The desk takes it, as a stick that comes late; and says whose it may be."""
        loot = story.folder / "loot"
        loot.mkdir()
        day, story.day = story.day, "2027-02-01"
        try:
            story.tool("intake.admin", "export", loot, "--all", server="thief")
            (bundle,) = loot.glob("*.bundle")
            red = story.folder / "sticks/red"
            sticks = [story.folder / "sticks" / name for name in ("bob/bob-2", "dave/dave")]
            people = [word for stick in sticks for word in ("--reviewer", stick)]
            book = ("--casebook", story.places()["CASEBOOK"], "--package", red / "2027-w04-k8")
            words = ("--demo-passphrases", story.folder / "words")
            said = story.tool("intake.desk", *words, "import", bundle, *book, *people)
        finally:
            story.day = day
        assert f"{len(story.lost)} in the bundle, {len(story.lost)} opened" in said
        assert "1  server that the newest keyring replaced signed this" in said

    @staticmethod
    def settings(story: Story) -> Settings:
        places = story.places()
        return Settings(Path(str(places["INTAKE_DATA"])), Path(str(places["INTAKE_KEYS"])))

    @staticmethod
    def install(story: Story, path: Path) -> None:
        story.tool("intake.admin", "keyring", "install", path, "--demo", "--yes")


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Follow the admins' page until reviewers can work, and then theirs to its end."""
    told = Story(tmp_path_factory.mktemp("desks") / "story")
    before = [p for p in ADMINS.parts if p.title.startswith((handbook.NAMES, *handbook.TO_DESK))]
    for _ in told.follow([*before, *REVIEWERS.parts]):
        pass
    return told


@pytest.fixture(scope="module")
def archive(desks: Story) -> Identity:
    """Open the archive, which opens every case at every desk."""
    keyring = casebook.load(desks.folder / "desk/casebook").keyring
    folders = [desks.folder / "sticks" / name / name for name in ("alice", "bob")]
    present = arrive(folders, keyring, terminal.Passphrases(desks.folder / "words"))
    keys = {who.name: who.quorum() for who in present}
    return quorum.open_package(desks.folder / "sticks/red/archive", keys, keyring.archive)


def casebooks(story: Story) -> list[Path]:
    """Return all casebooks on all machines, and their copies on all sticks."""
    return sorted(path.parent for path in story.folder.rglob("casebook.json"))


def seen(folder: Path, archive: Identity) -> State:
    """Return what a casebook says to the archive."""
    return fold(casebook.load(folder).chains([archive]))


def words(folder: Path, archive: Identity) -> Iterator[bytes]:
    """Yield what every file of words in a folder says to the archive, whether it counts or not."""
    for path in sorted(folder.glob("blobs/??/*")):
        if data := path.read_bytes():
            yield unseal(data, [archive])


@pytest.mark.handbook
class TestDesks:
    def test_there_are_four_desks_and_five_copies(self, desks: Story) -> None:
        names = {str(path.relative_to(desks.folder)) for path in casebooks(desks)}
        people = ("alice", "bob", "carol")
        assert names == {
            *(f"{machine}/casebook" for machine in ("desk", *people)),
            *("sticks/copy/casebook", "sticks/blue/desk"),
            *(f"sticks/blue/desk-{name}" for name in people),
        }

    def test_every_testimony_is_read_by_its_two_reviewers(self, desks: Story) -> None:
        assert len(desks.sent) == 31
        assert desks.heard.keys() == desks.sent.keys()
        assert {len(readers) for readers in desks.heard.values()} == {2}

    def test_the_pages_list_the_cases_of_their_reviewer(self, desks: Story) -> None:
        (shown,) = desks.pages
        mine = [mark for mark, readers in desks.heard.items() if "alice" in readers]
        assert len(set(re.findall(r"/case/([0-9a-f]{32})", shown))) == len(mine)
        assert desks.cases[0] in shown

    def test_what_two_decided_stands_at_every_desk(self, desks: Story, archive: Identity) -> None:
        verified, settled, withdrawn, _ = map(bytes.fromhex, desks.cases)
        for folder in casebooks(desks):
            state = seen(folder, archive)
            assert state.faults == []
            assert state.cases[verified].state == "verified"
            assert state.cases[verified].voices == {"alice", "bob"}
            assert (state.cases[settled].state, state.cases[settled].conflict) == ("triaged", ())
            assert state.cases[withdrawn].erased

    def test_withdrawn_words_are_in_no_casebook_and_no_copy(
        self, desks: Story, archive: Identity
    ) -> None:
        """All others are in each of them; what else keeps the words, the page says."""
        for folder in casebooks(desks):
            opened = list(words(folder, archive))
            (gone,) = (m for m in desks.sent if not any(m.encode() in text for text in opened))
            assert desks.heard[gone] == {"bob", "carol"}
        assert "the bundle that brought it, on the white stick" in REVIEWERS.text

    def test_the_old_keys_are_gone_and_open_cases_are_read_with_the_new(self, desks: Story) -> None:
        assert {path.name for path in desks.folder.rglob("20??q?.age")} == {"2027q1.age"}
        verified, settled, withdrawn, _ = desks.cases
        for name in ("alice", "carol"):
            cases = {case["case"]: case for case in desks.exported(name, name)}
            assert cases[settled]["state"] == "triaged"
            assert len(cases[settled]["decisions"]) == 3
            assert not {verified, withdrawn} & cases.keys()  # they are the archive's now
            faults = [item["fault"] for case in cases.values() for item in case["envelopes"]]
            assert set(faults) == {None}

    def test_nothing_in_clear_is_left_on_any_machine_or_stick(self, desks: Story) -> None:
        assert not list(desks.folder.rglob("memory/*"))
        texts = [*desks.sent, *(text for text, _ in zip(handbook.texts(), range(5), strict=False))]
        needles = [spelled for text in texts if text for spelled in spellings(text[:40])]
        assert found_in(desks.folder, needles) == []
        control = desks.folder / "alice/control"
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            control.write_text(texts[0], encoding=encoding)
            assert found_in(desks.folder, needles) == [control]
        control.unlink()


def spellings(text: str) -> Iterator[bytes]:
    """Yield the ways in which a text could stand in a file."""
    yield from (text.encode(one) for one in ("utf-8", "utf-16-le", "utf-16-be"))
    yield json.dumps(text).strip('"').encode()


def found_in(folder: Path, needles: list[bytes]) -> list[Path]:
    """Return the files in which any of them stands."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(map(path.read_bytes().__contains__, needles))]
