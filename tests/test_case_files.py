"""A source's files at the desk: through real rows and a real import, byte for byte, or named."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import stat
import tracemalloc
from datetime import date
from pathlib import Path

import pytest

from intake import canonical, days, terminal
from intake.desk import assembling, casebook, caseload, page, reading, record, searching, visible
from intake.desk.caseload import Caseload
from intake.desk.slices import File
from intake.envelope import CONTENT, SLICE, WITHDRAWAL, WORDS, Envelope
from intake.errors import BadFile, Incomplete, Misuse
from intake.settings import FORM
from intake.wording import Wording
from tests import desks as at
from tests.case_maker import FORM_HERE
from tests.desk_maker import Desk, Sealed, sealed_row
from tests.file_maker import altered, follow, sealed, slices_of, without
from tests.makers import FIRST

SEED = "one"
NEXT_QUARTER = date(2027, 1, 4)
NAMES = {
    "burmese": "ဓာတ်ပုံ ၁.jpg",
    "bidi": "\u202egnp.exe",
    "path": "../../etc/cron.d/x",
    "hostile": "a\x00b\n\x1b[2J",
    "empty": "",
    "longest": "က" * 4096,
    "emoji": "🪖🕊️.png",
}


def data_of(size: int, seed: str = "data") -> bytes:
    """Return bytes that no two places have alike."""
    return hashlib.shake_256(seed.encode()).digest(size)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(days, "clock", lambda: FIRST)
    return Desk(tmp_path / "desk")


def bring(desk: Desk, *envelopes: Envelope, first: bool = True) -> Caseload:
    """Import a case of alice's with these envelopes, and read the casebook with her keys."""
    rows: list[Sealed] = [sealed_row(SEED)] * first + sealed(*envelopes)
    desk.bring(at.bundle_of(desk, ("alice", "bob"), *rows))
    return load(desk)


def load(desk: Desk, *names: str) -> Caseload:
    book = casebook.load(desk.casebook)
    return caseload.load(book, at.keys(desk, *(names or ("alice",))), FORM_HERE)


def files_of(found: Caseload) -> list[File]:
    (case,) = found.state.cases.values()
    return [item.file for item in found.opened(case) if item.file]


def write(found: Caseload, file: File, folder: Path) -> tuple[Path, str]:
    return assembling.write(found.book.folder, file, found.identities, folder)


def shown(found: Caseload) -> str:
    (case,) = found.state.cases.values()
    return page.text(case, found.opened(case))


@pytest.mark.parametrize("size", [0, 1, CONTENT - 1, CONTENT, CONTENT + 1, 3 * CONTENT])
def test_a_file_comes_out_as_it_went_in(desk: Desk, tmp_path: Path, size: int) -> None:
    data = data_of(size)
    found = bring(desk, *slices_of(SEED, data))
    (file,) = files_of(found)
    assert file.whole
    path, note = write(found, file, tmp_path)
    assert path.read_bytes() == data
    assert note == ""
    assert re.fullmatch("[0-9a-f]{16}", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*"))


def test_a_large_file_is_never_in_memory_whole(desk: Desk, tmp_path: Path) -> None:
    data = data_of(1 << 20)
    found = bring(desk, *slices_of(SEED, data))
    tracemalloc.start()
    try:
        (file,) = files_of(found)
        path, _ = write(found, file, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.read_bytes() == data
    assert peak < len(data) / 2


def test_the_command_writes_all_files_of_a_case_and_names_none_by_its_own_name(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = {name: data_of(100 + place, name) for place, name in enumerate(NAMES.values())}
    envelopes = [
        one
        for place, (name, data) in enumerate(wanted.items())
        for one in slices_of(SEED, data, name, number=place)
    ]
    found = bring(desk, *envelopes)
    (case,) = found.state.cases.values()
    out = tmp_path / "out"
    given = (case.number, *desk.here("alice"), "--out", out)
    with pytest.raises(Misuse, match="no folder"):
        desk.run("files", *given)
    out.mkdir()
    capsys.readouterr()
    desk.run("files", *given)
    said = capsys.readouterr().out
    assert sorted(p.read_bytes() for p in out.iterdir()) == sorted(wanted.values())
    assert said.count("Dangerzone") == 1
    for path in out.iterdir():
        assert re.fullmatch("[0-9a-f]{16}", path.name)
        name = next(name for name, data in wanted.items() if data == path.read_bytes())
        shown = visible.line(name[:120]) or "-"
        assert terminal.visible(f"{path.name} ← {shown}") in said
        assert hashlib.sha256(path.read_bytes()).hexdigest() in said
    assert "\u202e" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_is_spelled_wherever_it_is_shown(desk: Desk, name: str) -> None:
    found = bring(desk, *slices_of(SEED, b"x", name))
    (case,) = found.state.cases.values()
    opened = found.opened(case)
    assert f"│ {visible.line(name)}".rstrip() in shown(found)
    html = page.html(case, opened, Wording.load("my", FORM), demo=False).decode()
    assert f'<p class="typed">{visible.html(name)}</p>' in html
    assert b"\x1b" not in html.encode()


def test_a_case_is_told_in_the_order_of_days_and_begins_with_the_testimony(desk: Desk) -> None:
    later = FIRST.replace(day=FIRST.day + 1)
    more = [follow(SEED, WORDS, {"words": typed}, day=day) for typed, day in WORDS_SENT]
    found = bring(desk, *slices_of(SEED, data_of(CONTENT * 2), day=later), *more)
    (case,) = found.state.cases.values()
    kinds = [(item.received.day, item.received.kind) for item in found.opened(case)]
    assert kinds[0] == (FIRST, "testimony")
    assert [day for day, _ in kinds] == sorted(day for day, _ in kinds)
    assert kinds[-1] == (later, SLICE)
    assert len(kinds) == 2 + len(more)
    text = shown(found)
    for typed, _ in WORDS_SENT:
        assert visible.text(typed).split("\n")[0] in text
    assert text.count("More words of") == len(more)
    assert "does not know" not in text


WORDS_SENT = [
    ("ကျွန်တော် ထပ်ပြောချင်တာ ရှိသေးတယ်။", FIRST),
    ("\u1031\u107e\u1010\u103c\u1033 zawgyi", FIRST),
    ("🕊️ \u202e\x1b[2J\nsecond line", FIRST),
    ("", FIRST),
]


def test_words_that_follow_are_searched_and_count_as_no_testimony(desk: Desk) -> None:
    typed = "တပ်ရင်း ၅၂၈ မှာ ရှိတုန်းက အကြောင်း"
    found = bring(desk, follow(SEED, WORDS, {"words": typed}), *slices_of(SEED, b"secret bytes"))
    ((tag, facts),) = found.facts.items()
    index = searching.Index({tag: facts.text})
    assert index.find("တပ်ရင်း") == [tag]
    assert "secret" not in facts.text
    assert facts.answers["rank"] == "SGT"
    assert facts.faults == ()


def test_bytes_of_files_are_not_opened_to_read_a_case(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bring(desk, *slices_of(SEED, data_of(5 * CONTENT)))
    opened: list[int | None] = []
    real = reading.open_words

    def spy(*given: object) -> Envelope:
        opened.append(len((envelope := real(*given)).content))  # type: ignore[arg-type]
        return envelope

    monkeypatch.setattr(reading, "open_words", spy)
    (case,) = found.state.cases.values()
    found.opened(case)
    load(desk)
    assert opened == [0, 0, 0]  # the testimony and the end, and the testimony for the list


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_missing_slice_is_counted_and_the_next_bundle_brings_it(
    desk: Desk, tmp_path: Path, lost: int
) -> None:
    data = data_of(2 * CONTENT + 5)
    every = slices_of(SEED, data)
    found = bring(desk, *without(every, lost))
    (file,) = files_of(found)
    assert (file.here, file.missing, file.whole) == (2, 1, False)
    with pytest.raises(Incomplete, match="1 of the 3 parts of this file: not here"):
        write(found, file, tmp_path)
    assert "2 of 3 parts" in shown(found)
    out = tmp_path / "out"
    out.mkdir()
    (case,) = found.state.cases.values()
    with pytest.raises(Incomplete, match="1 files of this case are not whole"):
        desk.run("files", case.number, *desk.here("alice"), "--out", out)
    assert not list(out.iterdir())
    line, _, _ = (desk.root / "1.bundle").read_bytes().partition(b"\n")
    desk.bring(desk.bundle(sealed(*every), 2, previous=hashlib.sha256(line).digest())[0])
    (file,) = files_of(found := load(desk))
    assert write(found, file, tmp_path)[0].read_bytes() == data


def test_a_file_without_its_end_is_shown_and_waits(desk: Desk, tmp_path: Path) -> None:
    every = slices_of(SEED, data_of(2 * CONTENT))
    found = bring(desk, *every[:-1])
    (file,) = files_of(found)
    assert (file.end, file.here) == (None, 2)
    assert "2 parts of a file. Its end is not here yet" in shown(found)
    with pytest.raises(Incomplete, match="The end of this file"):
        write(found, file, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["desk"]


def test_slices_that_are_not_the_whole_leave_nothing(desk: Desk, tmp_path: Path) -> None:
    first, *others = slices_of(SEED, data_of(2 * CONTENT))
    found = bring(desk, altered(first), *others)
    (file,) = files_of(found)
    assert file.whole
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadFile, match="not the whole"):
        write(found, file, out)
    assert not list(out.iterdir())


@pytest.mark.parametrize("harm", [b"", b"x" * 40])
def test_a_damaged_blob_is_named_and_leaves_nothing(
    desk: Desk, tmp_path: Path, harm: bytes
) -> None:
    found = bring(desk, *slices_of(SEED, data_of(3 * CONTENT)))
    (file,) = files_of(found)
    path = record.blob_path(desk.casebook, file.parts[1].blob)
    path.write_bytes(harm)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(BadFile, match="missing or damaged"):
        write(found, file, out)
    assert not list(out.iterdir())


def test_two_files_of_one_case_do_not_mix(desk: Desk, tmp_path: Path) -> None:
    one, two = data_of(3 * CONTENT, "one"), data_of(2 * CONTENT + 1, "two")
    found = bring(desk, *slices_of(SEED, one, "1"), *slices_of(SEED, two, "2", number=1))
    written = {f.end.name: write(found, f, tmp_path)[0] for f in files_of(found) if f.end}
    assert {name: path.read_bytes() for name, path in written.items()} == {"1": one, "2": two}


def test_a_file_that_came_twice_is_shown_once_the_fuller_one(desk: Desk, tmp_path: Path) -> None:
    data = data_of(2 * CONTENT)
    broken = without(slices_of(SEED, data), 1)
    found = bring(
        desk, *broken, *slices_of(SEED, data, number=1), *slices_of(SEED, data, "b", number=2)
    )
    again, other = sorted(files_of(found), key=lambda file: not file.again)
    assert (again.again, other.again) == (1, 0)
    assert again.whole
    assert write(found, again, tmp_path)[0].read_bytes() == data
    assert "The same file came 1 more times" in shown(found)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"number": -1}, b"x"),
        ({"number": True}, b"x"),
        ({"number": "0"}, b"x"),
        ({"number": 0}, b""),
        ({"number": 0}, b"x" * (CONTENT + 1)),
        ({"number": 0, "more": 1}, b"x"),
        ({}, b"x"),
        ([0], b"x"),
        (None, b""),
        ({"name": "a", "number": 2, "sha256": "00" * 32, "size": 1}, b""),
        ({"name": "a", "number": 1, "sha256": "00" * 31, "size": 1}, b""),
        ({"name": "a", "number": 1, "sha256": "AB" * 32, "size": 1}, b""),
        ({"name": "a", "number": 1, "sha256": "00" * 32, "size": True}, b""),
        ({"name": "a", "number": 0, "sha256": "00" * 32, "size": -1}, b""),
        ({"name": 1, "number": 1, "sha256": "00" * 32, "size": 1}, b""),
        ({"name": "a", "number": 1, "sha256": "00" * 32, "size": 1}, b"x"),
    ],
)
def test_a_slice_of_another_shape_is_kept_and_shown_as_it_came(
    desk: Desk, body: object, content: bytes
) -> None:
    found = bring(desk, follow(SEED, SLICE, body, content))
    (case,) = found.state.cases.values()
    (odd,) = [item for item in found.opened(case) if item.received.kind == SLICE]
    assert (odd.received.part, odd.file, odd.fault) == (None, None, "")
    assert odd.envelope is not None
    assert (odd.envelope.body, odd.envelope.content) == (body, content)
    assert f"│ {canonical.dump(body).decode()}" in shown(found)


def test_numbers_beyond_all_reason_cost_nothing(desk: Desk, tmp_path: Path) -> None:
    size = 10**15 - 1
    end = {"name": "a", "number": -(-size // CONTENT), "sha256": "00" * 32, "size": size}
    found = bring(
        desk,
        follow(SEED, SLICE, end),
        follow(SEED, SLICE, {"number": 10**14}, b"x"),
        follow(SEED, SLICE, {"number": 10**15 - 1}, b"x"),
    )
    (file,) = files_of(found)
    assert file.here == 0
    with pytest.raises(Incomplete):
        write(found, file, tmp_path)


def test_what_the_event_says_of_a_slice_must_be_what_it_is(desk: Desk) -> None:
    found = bring(desk, *slices_of(SEED, data_of(2 * CONTENT)))
    (file,) = files_of(found)
    told = file.parts[0]
    assert told.part is not None
    for wrong in (
        told.part._replace(number=1),
        told.part._replace(end=True),
        told.part._replace(file=bytes(16)),
        None,
    ):
        with pytest.raises(reading.Lie):
            reading.open_words(desk.casebook, told._replace(part=wrong), found.identities)
    assert reading.open_words(desk.casebook, told, found.identities).body == {"number": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"slice": None},
        {"slice": {}},
        {"slice": {"end": False, "file": "00" * 16, "key": None, "number": -1}},
        {"slice": {"end": 0, "file": "00" * 16, "key": None, "number": 0}},
        {"slice": {"end": False, "file": "00" * 15, "key": None, "number": 0}},
        {"slice": {"end": False, "file": "00" * 16, "key": "00" * 15, "number": 0}},
        {"slice": {"end": True, "file": "00" * 16, "key": "00" * 16, "number": 0}},
        {"slice": {"end": False, "file": "00" * 16, "key": "00" * 16, "number": 1}},
        {"slice": {"end": False, "file": "00" * 16, "key": None, "number": 0, "more": 0}},
        {"slice": {"end": False, "file": "00" * 16, "number": 0}},
        {"envelope": "words"},
    ],
)
def test_an_event_with_no_such_slice_makes_no_sense(desk: Desk, wrong: dict[str, object]) -> None:
    found = bring(desk, *slices_of(SEED, b"x"))
    (case,) = found.state.cases.values()
    (item,) = [one for one in case.received if one.part and not one.part.end]
    (raw,) = [row for row in item.event.what["rows"] if row["id"] == item.id.hex()]
    right = {"assigned": ["alice", "bob"], "kind": "received", "rows": [raw]}
    at.planted(desk, "carol", right, {**right, "rows": [raw | wrong]})
    assert [fault for fault in load(desk).state.faults if "makes no sense" in fault] == [
        "carol.desk-a: event 2 makes no sense to this version, and is left out."
    ]


def test_follow_ups_are_acknowledged_when_another_reviewer_opens_them(desk: Desk) -> None:
    more = [follow(SEED, WORDS, {"words": "ထပ်ပြောမယ်"}), *slices_of(SEED, data_of(CONTENT + 1))]
    found = bring(desk, *more)
    rows = len(found.state.pending)
    assert rows == 1 + len(more)
    desk.run("copy", "--to", desk.root / "second")
    out = desk.root / "1.return"
    with pytest.raises(Incomplete, match=f"stay on the server: {rows}"):
        desk.acknowledge(out, "alice", "carol")  # alice recorded them, and cannot vouch for herself
    assert not out.exists()
    desk.acknowledge(out, "bob", "carol")
    assert not desk.state("alice").pending


def test_a_wish_to_withdraw_is_acknowledged_and_hides_files_too(desk: Desk, tmp_path: Path) -> None:
    found = bring(desk, follow(SEED, WITHDRAWAL, {}), *slices_of(SEED, data_of(CONTENT)))
    (case,) = found.state.cases.values()
    assert case.hidden
    assert found.opened(case) == []
    with pytest.raises(Misuse, match="being withdrawn"):
        desk.run("files", case.number, *desk.here("alice"), "--out", tmp_path)
    desk.run("copy", "--to", desk.root / "second")
    desk.acknowledge(desk.root / "1.return", "bob", "carol")
    assert not desk.state("alice").pending
    at.withdraw(desk, "alice", case.tag)
    at.withdraw(desk, "bob", case.tag)
    assert at.words_left(desk.casebook) == set()


def test_what_follows_a_testimony_that_is_not_here_is_a_case_of_its_own(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = bring(
        desk,
        follow(SEED, WORDS, {"words": "ကျွန်တော်ပါ"}),
        *slices_of(SEED, data_of(CONTENT)),
        first=False,
    )
    (case,) = found.state.cases.values()
    assert not case.begun
    assert case.day == FIRST
    for command in ("list", "read"):
        desk.run(command, *([case.number] * (command == "read")), *desk.here("alice"))
    assert "ကျွန်တော်ပါ" in capsys.readouterr().out
    for form in ("json", "csv"):
        desk.run("export", "--format", form, "--out", tmp_path / form, *desk.here("alice"))
    desk.run("tally", *desk.here("alice"))
    (file,) = files_of(found)
    assert write(found, file, tmp_path)[0].read_bytes() == data_of(CONTENT)


def test_exports_name_files_and_carry_no_byte_of_them(desk: Desk, tmp_path: Path) -> None:
    name, data = "=1+1\u202e.jpg", b"=secret bytes"
    bring(desk, *slices_of(SEED, data, name), *slices_of(SEED, data, name, number=1))
    for form in ("json", "csv"):
        desk.run("export", "--format", form, "--out", tmp_path / form, *desk.here("alice"))
        assert b"secret" not in (tmp_path / form).read_bytes()
    ((exact),) = json.loads((tmp_path / "json").read_bytes())
    (file,) = [one["file"] for one in exact["envelopes"] if one["file"]]
    digest = hashlib.sha256(data).hexdigest()
    assert file == {"name": name, "number": 1, "sha256": digest, "size": len(data), "here": 1}
    (row,) = csv.DictReader(io.StringIO((tmp_path / "csv").read_text("utf-8-sig")))
    assert (row["files"], row["envelopes"], row["rank"]) == ("1", "2", "SGT")


def test_a_redacted_case_has_words_and_never_a_file(desk: Desk, tmp_path: Path) -> None:
    words = follow(SEED, WORDS, {"words": "ထပ်ပြောမယ် secret"})
    found = bring(desk, words, *slices_of(SEED, b"bytes of it", "name of it"))
    (case,) = found.state.cases.values()
    strike = tmp_path / "strike"
    strike.write_text("secret")
    given = (case.number, "--keep", "words,account", "--strike", strike, *desk.here("alice"))
    desk.run("redact", *given, "--out", tmp_path / "out.html")
    made = (tmp_path / "out.html").read_text()
    assert "ထပ်ပြောမယ်" in made
    for gone in ("secret", "name of it", "bytes of it"):
        assert gone not in made
