"""The bench of the chain, small, without OnionShare: what it measures did its work, or it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

import pytest

from deploy import bench_chain, chains, trials
from deploy.bench_chain import Bench, picture, show
from deploy.chains import Chain, Discarding, Shared, account, bodies
from intake.form import Form
from intake.settings import FORM, ROOT
from tests.spine import WAIT

Begun = Callable[[type[Chain]], Chain]


@pytest.fixture
def begun(tmp_path: Path) -> Iterator[Begun]:
    """Start servers; end them afterwards."""
    started: list[Chain] = []

    def begin(kind: type[Chain]) -> Chain:
        started.append(kind(tmp_path / str(len(started))))
        started[-1].begin()
        return started[-1]

    yield begin
    for server in started:
        server.stop()


def test_it_counts_what_is_stored(begun: Begun, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench([begun(Chain), begun(Discarding), begun(Shared)])
    bench.run(1, 0.5)
    bench.fill(60)
    chain, other, shared = bench.facts()
    assert shared["submissions"] == shared["stored"] >= 20
    assert chain["submissions"] == chain["stored"] >= 60
    assert (other["submissions"] >= 60, other["stored"]) == (True, 0)
    for each in (chain, other):
        assert each["RSS"]["after"] >= each["RSS"]["idle"] > 0
        assert each["rates"].keys() == {"1", "16"}
    servers = [chain, other]
    found = {"servers": servers, "bytes": 1024, "cores": 2, "python": "3", "write": 0.001}
    found |= {"rounds": 1, "seconds": 0.5}
    show(found)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("Intake's chain") for line in lines) == 2
    drawing = ET.fromstring(picture(found))  # noqa: S314 - our own
    words = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    assert [words.count(each["name"]) for each in (chain, other)] == [2, 2]
    assert len(list(drawing.iter("{http://www.w3.org/2000/svg}rect"))) == 4
    many = found | {"servers": servers * 2 + servers[:1]}
    assert picture(many).count("<rect ") == 10  # every one has its bar


class Dropping(Chain):
    """A chain that shows receipts for what it throws away."""

    app = Discarding.app


class Storing(Discarding):
    """A baseline that does the work which it is to leave out."""

    app = Chain.app


@pytest.mark.parametrize("kind", [Dropping, Storing])
def test_a_store_that_holds_something_else_ends_the_run(begun: Begun, kind: type[Chain]) -> None:
    server = begun(kind)
    with pytest.raises(SystemExit, match="were to be stored"):
        Bench([server]).submit(server, 1, most=1)


class Open(Chain):
    """A chain that asks for no line."""

    def command(self) -> list[str]:
        """Return how it is started: tor's line is taken where there is one."""
        file = self.path.with_name("open.py")
        peek = 'super(type(line), line).recv(5, 2) != b"PROXY" or Worker.greeted(self, line)'
        file.write_text(chains.BEHIND.replace("return True", f"return {peek}"))
        own = super().command()
        return [str(file) if word == "deploy/gunicorn_conf.py" else word for word in own]


def test_a_chain_that_serves_whom_tor_did_not_send_ends_the_run(begun: Begun) -> None:
    with pytest.raises(SystemExit, match="serves whom tor did not send"):
        begun(Open)


class Mistaken(Chain):
    """Its visitors expect the receipt of another seed."""

    def visit(self) -> chains.Visit:
        """Return one visit's request, and another's receipt."""
        return super().visit()[0], super().visit()[1]


def test_another_receipt_ends_the_run(begun: Begun) -> None:
    server = begun(Mistaken)
    with pytest.raises(SystemExit, match="did not answer as it must"):
        Bench([server]).submit(server, 1, most=1)


def test_what_is_submitted() -> None:
    """1 KB of Burmese, with each field that a browser sends, and fillers of many lengths."""
    text = account()
    assert len(text.encode()) == chains.SIZE
    assert sum("\u1000" <= letter <= "\u109f" for letter in text) > 300
    made = bodies(text, 16384)
    fields = [parse_qs(body.decode(), keep_blank_values=True) for body in made]
    assert {each["account"][0] for each in fields} == {text}
    lengths = [len(each.pop("_fill")[0]) for each in fields]
    assert (min(lengths), max(lengths), len(set(lengths))) == (0, 16384, chains.FILLERS)
    names = {name for question in Form.load(FORM).questions() for name in question.names()}
    assert {frozenset(each) for each in fields} == {frozenset(fields[0])}
    assert set(fields[0]) - {"_seed"} <= names


def test_a_restart_is_waited_out(begun: Begun) -> None:
    """The trial of it, with the socket in another's hands."""
    found = trials.restart(begun(Chain), "")
    assert found["answer"] == "HTTP/1.1 200"
    assert found["rows"] == 1
    assert found["seconds"] >= trials.AWAY


def test_the_search_of_memory_finds_what_is_there() -> None:
    """Its control: in this process there is a mark, in each spelling once at least."""
    mark = "".join(reversed("ကခဂဃ" * 6))
    kept = [mark.encode(), mark.encode("utf-16-le")]
    found = trials.count(os.getpid(), kept)
    assert found >= len(kept)


def test_no_answer_is_taken_for_another() -> None:
    for answer in (b"HTTP/1.1 503 X\r\n\r\n", b""):
        with pytest.raises(SystemExit):
            trials.good(answer, b"200")


def test_it_says_what_it_takes() -> None:
    script = ROOT / "deploy" / "bench_chain.py"
    for wrong in (["--rounds", "x"], ["--posts", "many"], ["--what"]):
        done = subprocess.run(
            [sys.executable, script, *wrong],
            capture_output=True,
            text=True,
            check=False,
            timeout=WAIT,
        )
        assert done.returncode == 2
        assert "usage:" in done.stderr


def test_a_write_takes_time(tmp_path: Path) -> None:
    assert bench_chain.durable_write(tmp_path) > 0
    assert not list(tmp_path.iterdir())
