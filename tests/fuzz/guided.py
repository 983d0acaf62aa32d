"""Every reader of foreign bytes under libFuzzer: what an input reaches leads to the next one.

    python tests/fuzz/guided.py tests/fuzz/test_age.py ...     (make fuzz)

Procedure, for each test of the tier `fuzz`, which says how many inputs it wants:
1. Its seeds are the valid file, and what its ways make of it.
2. In a process of its own atheris makes inputs. The first byte says how the rest is meant: as the
   file itself, or as the choices that Hypothesis makes a recipe of, so that what is led goes behind
   signatures, seals and MACs too.
3. Each input is held as in ``mutations.py``: refused by one of ours, or the very same thing; in
   bounded time and memory.
4. After so many inputs the process ends. How many, and how many edges of our code were met, is
   printed. An input that breaks something is kept in ``.fuzz/``, and how to repeat it is said:

    FUZZ_REPLAY=.fuzz/test_a_bundle/crash-... make fuzz ARGS="-k test_a_bundle"

`FUZZ` is the number of inputs of the largest readers; a hundred thousand is a million in all.
Where atheris cannot be had (it comes for Linux on x86-64), the same tests make their mutations
without a guide, and this says so.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.fuzz.mutations import Run

try:
    import atheris  # type: ignore[import-not-found, import-untyped, unused-ignore]
except ImportError:
    atheris = None

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / ".fuzz"
OURS = ("intake", "deploy", "gunicorn", "werkzeug")  # what is watched
LEAST = 1000  # inputs of each target, however few are asked for
MADE = 200  # seeds that the ways make
DRAWN = 20  # seeds that are chance, for recipes
RECIPE = 1024  # bytes of chance that a recipe takes, at most
RAW, RECIPES = b"\x00", b"\xff"  # a half of all bytes each
LONGEST = 1 << 14  # bytes of an input, or twice the valid file
PATIENCE = 120  # seconds for one input; what holds it tightly is in mutations.py
MEMORY = 4096  # MiB
WATCHED = 5  # times as long as else a reading may take: what is watched is Python, not C
EDGES = re.compile(r"\bcov: (\d+)")


def main(arguments: list[str]) -> int:
    """Run the tests of the tier; return pytest's exit code."""
    sys.path.insert(0, str(ROOT))
    tests = ["-m", "fuzz", "-q", "-s", "--no-header", *arguments]
    replay = os.environ.get("FUZZ_REPLAY")
    if atheris is None and not replay:
        sys.stdout.write("atheris does not come for this machine: mutations without a guide\n")
        return pytest.main(tests)
    if replay:
        return pytest.main([*tests, "-p", "tests.fuzz.guided"])
    with atheris.instrument_imports(include=OURS):
        return pytest.main([*tests, "-p", "tests.fuzz.guided"])


def pytest_configure() -> None:
    """Lead what the tests read."""
    from tests.fuzz.mutations import Run  # noqa: PLC0415 - what it imports is watched

    Run.guide = staticmethod(guided)


def pytest_terminal_summary(terminalreporter: Any) -> None:  # noqa: ANN401 - pytest's own
    """Say how many inputs there were in all."""
    terminalreporter.write_line(f"{sum(TOTAL.values()):,} inputs, {len(TOTAL)} targets")


TOTAL: Counter[str] = Counter()


def guided(run: Run) -> None:
    """Have ``run`` read what it wants. Raises AssertionError if an input broke something."""
    test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].removesuffix(" (call)")
    name = re.sub(r"\W+", "_", test.replace("many", "")).strip("_")
    if replay := os.environ.get("FUZZ_REPLAY"):
        one_input(run)(Path(replay).read_bytes())
        run.read = run.count
        pytest.skip(f"{replay} is read without harm")
    run.count = max(run.count, LEAST)
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "corpus").mkdir(parents=True)
    begin = seeds(run)  # (1)
    for number, each in enumerate(begin):
        (folder / "corpus" / str(number)).write_bytes(each)
    start, child = time.monotonic(), os.fork()
    if not child:
        fuzz(run, folder, begin)  # (2); it never returns
    _, status = os.waitpid(child, 0)
    log = (folder / "log").read_text(encoding="utf-8", errors="replace")
    crashes = [path for kind in ("crash", "timeout", "oom") for path in folder.glob(f"{kind}-*")]
    if status or crashes:
        place = (crashes or [folder / "log"])[0].relative_to(ROOT)
        how = f'FUZZ_REPLAY={place} make fuzz ARGS="-k {test.partition("[")[0]}"'
        raise AssertionError(f"{log[-3000:]}\n{name} broke. Once more: {how}")
    told = json.loads((folder / "told").read_text(encoding="utf-8"))
    run.read, run.met = told["read"], Counter(told["met"])
    run.measure(WATCHED)  # for those that come without a guide
    edges = max(map(int, EDGES.findall(log)), default=0)
    assert edges, "no edge was met: nothing is watched"
    TOTAL[name] += run.read
    spent = time.monotonic() - start
    words = f"{run.read:7,} inputs, {told['seen']:7,} different, {edges:5,} edges, {spent:4.0f} s"
    sys.stdout.write(f"  {name:55} {words}\n")
    shutil.rmtree(folder)


def seeds(run: Run) -> list[bytes]:
    """Return what libFuzzer begins with."""
    from hypothesis import Phase, given, settings  # noqa: PLC0415 - as above

    found = [RAW + run.reader.valid] if run.reader.raw else []
    chance = random.Random(run.count)
    found += [RECIPES + chance.randbytes(RECIPE) for _ in range(DRAWN)]

    @settings(max_examples=MADE, phases=[Phase.generate])
    @given(run.recipes)
    def made(recipe: Any) -> None:  # noqa: ANN401 - a recipe
        way, rest = recipe
        found.append(RAW + run.reader.ways[way][1](rest, 0))

    if run.reader.raw:
        made()
    return found


def one_input(run: Run) -> Callable[[bytes], None]:
    """Return what reads one input."""
    from hypothesis import given, settings  # noqa: PLC0415 - as above
    from hypothesis import strategies as st  # noqa: PLC0415

    @settings(max_examples=1)
    @given(run.recipes, st.integers(0, run.places - 1))
    def recipe(chosen: Any, step: int) -> None:  # noqa: ANN401 - a recipe
        way, rest = chosen
        run.take(run.reader.ways[way][1](rest, step))

    by_recipe: Callable[[bytes], object] = recipe.hypothesis.fuzz_one_input  # type: ignore[attr-defined]

    def read(data: bytes) -> None:
        if run.reader.raw and data[:1] < b"\x80":
            run.take(data[1:])
        else:
            by_recipe(data[1:])

    return read


def fuzz(run: Run, folder: Path, begin: list[bytes]) -> None:
    """Read inputs until there were enough, and end this process."""
    out = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for stream in (1, 2):
        os.dup2(out, stream)
    read = one_input(run)
    begun = False
    longest = max(2 * len(run.reader.valid), min(LONGEST, max(map(len, begin))))

    def keeping(data: bytes) -> None:
        try:
            read(data)
        except BaseException:
            (folder / f"crash-{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise

    def one(data: bytes) -> None:
        nonlocal begun
        if not begun:
            begun = True
            run.measure(WATCHED)
            for each in begin:  # whole; libFuzzer cuts what is long
                keeping(each)
        keeping(data)
        if run.read >= run.count:  # (4)
            told = {"met": run.met, "read": run.read, "seen": len(run.seen)}
            (folder / "told").write_text(json.dumps(told), encoding="utf-8")
            sys.stderr.flush()
            os._exit(0)

    options = [f"-max_len={longest}", f"-timeout={PATIENCE}", f"-rss_limit_mb={MEMORY}", "-seed=9"]
    try:
        atheris.Setup(
            [str(folder), *options, f"-artifact_prefix={folder}/", str(folder / "corpus")], one
        )
        atheris.Fuzz()
    finally:  # it raises what an input raised, or ends as a program does: here is neither
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
