"""Mutations of foreign bytes, how they are counted, and what bounds the work on one.

Rules:
- A mutant is refused, by one of ``intake.errors``, or it is equal: it reads to the very same thing
  as the original, or what was read writes back to the very same bytes. Each test says how.
- A Hypothesis example is a recipe of edits; it is applied at :data:`PLACES` places of the file.
  Mutants are counted by their bytes: a test ends well only after that many different ones, none of
  them the original.
- A mutation goes behind a signature, a MAC or a seal too: the edits are made inside, and what is
  around them is made anew with the right keys.
- Bounds are relative. A mutant may take :data:`SLOWER` times the processor time of the valid file,
  for its size, and :data:`PACE` for each of its own bytes: an empty line is one, and a round of
  Python's; the least of three readings counts. It may take :data:`LARGER` times its memory, and
  ``weight`` bytes for each of its own: ``[],`` is three bytes of JSON and 64 of Python's, an empty
  line one and 57. So neither grows faster than the file. What is below a floor is noise.

To repeat a failure, run the same test again: the same recipes come in the same order, and
Hypothesis prints the smallest failing one. (Sealing draws its own chance, so the bytes of a seal
differ from run to run.) ``make fuzz`` has what is read led by what it reaches (``guided.py``).
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import statistics
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pytest
from hypothesis import given, note, seed, settings
from hypothesis import strategies as st

from intake.errors import BadFile, BadKeyring, NoMatchingKey, Refused

MANY = int(os.environ.get("FUZZ", "100000"))
FEW = MANY // 10
FAST = 40  # in every `make test`
PLACES = 20  # mutants of one recipe; four where there are few
ROUNDS = 20  # of Hypothesis, at most, until all mutants are different
STRIDE = 7919  # between two of them; prime, so that they do not meet
SLOWER, LARGER, WEIGHT = 20, 4, 60
FLOOR_TIME, PACE = 0.02, 1e-6  # seconds of this thread's processor time; for each byte
FLOOR_MEMORY = 1 << 20  # bytes
ENOUGH = 2_000  # mutants to meet all that a reader says
SAMPLE = 100  # one mutant of so many is measured for memory; of the large ones, ten times more
MAX_SIZE = 1 << 21  # bytes of a mutant

T = TypeVar("T")


def tiers(full: int, fast: int = FAST) -> pytest.MarkDecorator:
    """Run the test with few mutants always, and with ``full`` of them where `fuzz` is asked for."""
    many = pytest.param(full, marks=pytest.mark.fuzz, id="many")
    return pytest.mark.parametrize("count", [pytest.param(fast, id="few"), many])


# Bytes.


class Edit(NamedTuple):
    """One change of bytes."""

    how: str
    place: int
    size: int
    new: bytes


def _flip(data: bytes, at: int, edit: Edit) -> bytes:
    return data[:at] + bytes([data[at] ^ (edit.size % 255 + 1)]) + data[at + 1 :] if data else b"x"


BYTES: Mapping[str, Callable[[bytes, int, Edit], bytes]] = {
    "flip": lambda data, at, edit: _flip(data, min(at, len(data) - 1), edit),
    "bit": lambda data, at, edit: _flip(
        data, min(at, len(data) - 1), edit._replace(size=(1 << edit.size % 8) - 1)
    ),
    "insert": lambda data, at, edit: data[:at] + edit.new + data[at:],
    "overwrite": lambda data, at, edit: data[:at] + edit.new + data[at + len(edit.new) :],
    "delete": lambda data, at, edit: data[:at] + data[at + edit.size % 200 + 1 :],
    "double": lambda data, at, edit: data[: at + edit.size % 200] + data[at:],
    "swap": lambda data, at, edit: (
        data[:at]
        + data[at + edit.size % 200 : at + edit.size % 400]
        + data[at : at + edit.size % 200]
        + data[at + edit.size % 400 :]
    ),
    "cut": lambda data, at, _: data[:at],
    "swell": lambda data, at, edit: (
        data[:at] + (edit.new * (edit.size * 10 ** (at % 3)))[:MAX_SIZE] + data[at:]
    ),
}
TOKENS = (
    *(b"\n", b"\r\n", b"\x00", b" ", b"\t", b"=", b"%", b"&", b"+", b"/", b"\\", b'"', b"'"),
    *(b"{}", b"[]", b"{", b"}", b"[", b"]", b",", b":", b"-", b"0", b"1", b"-0", b"1e3", b"1.0"),
    *(
        b"null",
        b"true",
        b"NaN",
        b'"\\ud800"',
        b"\\u0061",
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
    ),
    *("ဗိုလ်".encode(), "ေျပာ".encode(), "😀".encode(), "\u212a".encode(), "٣".encode()),
    *(b"a", b"A", b"f", b"00", b"11" * 32, b"\n-> x\n\n", b"--- ", b"-> scrypt ", b"%00", b"%ff"),
)
NEW = st.sampled_from(TOKENS) | st.binary(min_size=1, max_size=6)
PLACE = st.integers(0, 1 << 16)
EDIT = st.builds(
    Edit, st.sampled_from(sorted({*BYTES, "splice"})), PLACE, st.integers(1, 4000), NEW
)
EDITS = st.lists(EDIT, min_size=1, max_size=3)


def edited(data: bytes, edits: Sequence[Edit], step: int, dense: int, other: bytes = b"") -> bytes:
    """Return ``data`` after all ``edits``, ``step`` strides further on.

    Every second place is among the first ``dense`` bytes, where most of what is checked stands;
    half of these are at the end of a line, where base64 and numbers have their other spellings.
    """
    for edit in edits:
        place = edit.place + step * STRIDE
        at = place // 4 % (dense + 1) if place % 2 else place * 31 % (len(data) + 1)
        if place % 4 == 1:
            at = max(at, data.find(b"\n", at, dense) - place // 4 % 3)
        if edit.how == "splice":
            data = data[:at] + other[at : at + edit.size] + data[at + edit.size :]
        else:
            data = BYTES[edit.how](data, min(at, len(data)), edit)
    return data[:MAX_SIZE]


# JSON.

JUNK: Sequence[Any] = [
    *(None, True, False, 0, 1, -1, 2, 5, 10**15 - 1, 10**15, -(10**15), 10**400),
    *(1.0, float("nan"), [], {}, [[]], [None], [1, 2], [0] * 40, {"": None}, {"a": {"a": []}}),
    *("", " ", "a", "alice", "0", "5", "٣", "1_000", "0x5", "00" * 16, "00" * 32, "AB" * 32),
    *("2026-11-16", "2026-11-31", "20261116", "2026-W47-1", "9999-12-31", "0001-01-01", "2026q5"),
    *("ဗိုလ်ကြီး", "ေျပာျပခ်င္တယ္", "😀", "\x00", "\x1b[2J", "\u202e", "\ud800", "é", "e\u0301"),
    *("age1pq1", "AGE-SECRET-KEY-PQ-1", "\u212a", "__proto__", "a\nb", "../a", "x" * 5000),
    [[[[[[[[[[[[[1]]]]]]]]]]]]],
]  # fmt: skip
VALUES = st.sampled_from(range(len(JUNK))).map(JUNK.__getitem__) | st.one_of(
    st.text(max_size=6), st.integers(-(10**16), 10**16)
)


class Graft(NamedTuple):
    """One change of a value inside a JSON document."""

    how: str
    place: int
    junk: Any


def _others(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    """Return values that are nearly the same: of another type, size or spelling."""
    match value:
        case bool() | None:
            return [not value, int(bool(value)), str(value).lower(), [value], {}, ""]
        case float():
            return [str(value), [value], 1]
        case int():
            more = [str(value), value % 10**15 / 2, bool(value), [value], {str(value): value}]
            return [value + 1, value - 1, -value, value + 10**15, 10**15 - 2, value * 1000, *more]
        case str():
            half = len(value) // 2
            more = [[value], list(value), {value: value}, value.encode("utf-8", "replace").hex()]
            cases = [value.upper(), value.swapcase(), value.title(), value.translate(_WIDE)]
            sizes = [value[:half], value[1:], value * 2, value + " ", " " + value, value + "\n"]
            digits = [int(value)] if value.isdecimal() and len(value) < 400 else [value[::-1]]
            return more + cases + sizes + digits
        case list():
            names = {str(item): item for item in value}
            more = [names, "".join(map(str, value)), value[0] if value else {}, {}, None, ""]
            return [value + value[:1], value[::-1], value[:-1], value[1:], [value], *more]
        case dict():
            pairs = [[key, item] for key, item in value.items()]
            upper = {key.upper(): item for key, item in value.items()}
            return [pairs, list(value), list(value.values()), upper, [value], {}, None, [], ""]
    raise TypeError


_WIDE = {48 + n: 0xFF10 + n for n in range(10)}  # digits of full width
_ZERO_WIDTH = "\u200b"


def _copy(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _spots(root: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Yield container and key of every value."""
    keys = list(root) if isinstance(root, dict) else range(len(root))
    for key in keys:
        yield root, key
        if isinstance(root[key], dict | list):
            yield from _spots(root[key])


def grafted(value: Any, grafts: Sequence[Graft], step: int) -> Any:  # noqa: ANN401 - JSON
    """Return a copy of a JSON value after all ``grafts``, ``step`` strides further on."""
    root = [_copy(value)]
    for graft in grafts:
        spots = list(_spots(root))
        place = graft.place + step * STRIDE
        holder, key = spots[place % len(spots)]
        old, junk = holder[key], _copy(graft.junk)
        others = _others(old)
        if graft.how == "drop" and holder is not root:
            del holder[key]
        elif graft.how == "rename" and isinstance(holder, dict):
            names = [str(junk), key + "x", key.upper(), key + _ZERO_WIDTH, key[:-1]]
            holder[names[place // 7 % len(names)]] = holder.pop(key)
        elif graft.how == "add" and isinstance(old, dict):
            old[str(junk)] = junk
        elif graft.how == "add" and isinstance(old, list):
            old.insert(place % (len(old) + 1), junk)
        elif graft.how == "copy":
            there, at = spots[place // 11 % len(spots)]
            holder[key] = _copy(there[at])
        elif graft.how == "junk":
            holder[key] = junk
        else:
            holder[key] = others[place // 13 % len(others)]
    return root[0]


def _plain(value: Any, **changes: Any) -> bytes:  # noqa: ANN401 - JSON
    how = {"ensure_ascii": False, "sort_keys": True, "separators": (",", ":"), **changes}
    return json.dumps(value, **how).encode("utf-8", "surrogatepass")


def _doubled(value: Any) -> bytes:  # noqa: ANN401 - JSON
    line = _plain(value)
    first = line[1:].partition(b",")[0]
    return b"{" + first + b"," + line[1:] if isinstance(value, dict) else line + line


SPELLINGS: Mapping[str, Callable[[Any], bytes]] = {
    "canonical": _plain,
    "spaced": lambda value: _plain(value, separators=(", ", ": ")),
    "escaped": lambda value: _plain(value, ensure_ascii=True),
    "unsorted": lambda value: _plain(
        dict(reversed(value.items())) if isinstance(value, dict) else value, sort_keys=False
    ),
    "doubled": _doubled,
}
GRAFT = st.builds(
    Graft,
    st.sampled_from(["other", "other", "junk", "copy", "drop", "add", "rename"]),
    PLACE,
    VALUES,
)


class Inside(NamedTuple):
    """A change of a JSON line behind a signature; ``variant`` says how it is signed again."""

    grafts: Sequence[Graft]
    spelling: str
    edits: Sequence[Edit]
    variant: int

    def line(self, value: Any, step: int) -> bytes:  # noqa: ANN401 - JSON
        """Return the line after all changes."""
        line = SPELLINGS[self.spelling](grafted(value, self.grafts, step))
        return edited(line, self.edits, step, len(line))


INSIDE = st.builds(
    Inside,
    st.lists(GRAFT, min_size=1, max_size=2),
    st.sampled_from(["canonical"] * 12 + sorted(SPELLINGS)),
    st.just(()) | st.just(()) | st.just(()) | st.lists(EDIT, max_size=1),
    st.integers(0, 1 << 16),
)


class Made(bytes):
    """A mutant that was sealed anew, by chance of its own: it counts as what is ``inside``."""

    inside = b""
    original = b""

    @classmethod
    def of(cls, sealed: bytes, inside: bytes, original: bytes) -> Made:
        """Keep both; ``original`` is what stood in the valid file."""
        made = cls(sealed)
        made.inside, made.original = inside, original
        return made


# A way from a recipe to a mutant: the recipes, and what makes one of the mutants of a recipe.
Way = tuple[st.SearchStrategy[Any], Callable[[Any, int], bytes]]


def outside(valid: bytes, other: bytes = b"", dense: int = 0) -> Way:
    """Return the way that changes bytes of the whole file; ``other`` gives pieces to splice."""
    near = dense or len(valid)
    return EDITS, lambda edits, step: edited(valid, edits, step, near, other)


def inside(value: Any, wrap: Callable[[bytes, int], bytes] = lambda line, _: line) -> Way:  # noqa: ANN401
    """Return the way that changes a JSON value, and signs or seals its line again by ``wrap``."""
    return INSIDE, lambda recipe, step: wrap(recipe.line(value, step), recipe.variant + step)


# A reader, and what it does with mutants.


@dataclass
class Reader(Generic[T]):
    """A function that reads foreign bytes, and what may come of it.

    ``same`` returns whether what was read is the very thing that the mutant spells. ``reached`` are
    words of the refusals that the mutants must have brought about: they say how deep they came.
    Some mutants must be read, too, where the reader ``accepts`` other things than the original.
    ``weight`` is how many bytes of memory it may take for each byte of a mutant. Where ``raw`` is
    False a file is the test's own frame around what is read, and only the ways make one.
    """

    valid: bytes
    read: Callable[[bytes], T]
    same: Callable[[T, bytes], bool]
    ways: Sequence[Way]
    refused: tuple[type[Refused], ...] = (BadFile, BadKeyring, NoMatchingKey)
    reached: Sequence[str] = ()
    accepts: bool = True
    weight: int = WEIGHT
    raw: bool = True

    def fuzz(self, count: int) -> None:
        """Read ``count`` mutants: led by what they reach, if there is a guide, or all different.

        A guide may stay where much is new. If it met too little, those without one come after it.
        """
        run = Run(self, count)
        if Run.guide:
            Run.guide(run)
        if not Run.guide or self.unmet(run):
            for number in range(ROUNDS):
                run.round(number)
            assert len(run.seen) == run.count
        assert run.read >= count
        assert not self.unmet(run)

    def unmet(self, run: Run) -> list[str]:
        """Return what the mutants should have met and did not; few of them come nowhere near."""
        if run.count < ENOUGH:
            return []
        words = [word for word in self.reached if not any(word in what for what in run.met)]
        return words + ["something to accept"] * (self.accepts and not run.met[""])


class Run:
    """What was read so far, and what it met: refusals by their words, "" for what was read."""

    guide: ClassVar[Callable[[Run], None] | None] = None  # by tests/fuzz/guided.py

    def __init__(self, reader: Reader[Any], count: int) -> None:
        self.met: Counter[str] = Counter()
        self.seen: set[bytes] = set()
        self.read = 0
        self.places = PLACES if count > FAST else 4
        self.reader, self.count, self._failed = reader, count, 0
        self._original = reader.read(reader.valid)
        self.measure()

    def measure(self, watched: int = 1) -> None:
        """Measure the valid file to compare with; what is ``watched`` may take longer."""
        self._bound = _Bound(self.reader, watched)

    @property
    def recipes(self) -> st.SearchStrategy[Any]:
        """Return recipes of every way, each with the way's number."""
        ways = enumerate(self.reader.ways)
        return st.one_of([st.tuples(st.just(number), way[0]) for number, way in ways])

    def round(self, number: int) -> None:
        """Read as many as are wanted still: some recipes give what was read before."""
        wanted = self.count - len(self.seen)

        @seed(number)
        @settings(max_examples=wanted // self.places + 5)
        @given(self.recipes)
        def examples(recipe: tuple[int, Any]) -> None:
            self.recipe(*recipe)

        if wanted:
            examples()

    def recipe(self, way: int, recipe: Any) -> None:  # noqa: ANN401 - a recipe of any way
        """Read the mutants of a recipe, as long as more are wanted."""
        for step in range(self.places):
            if len(self.seen) == self.count and not self._failed:
                return
            mutant = self.reader.ways[way][1](recipe, step)
            try:
                self.take(mutant)
            except BaseException:
                self._failed = self._failed or len(self.seen) + 1
                note(f"Mutant {self._failed} was the first to fail. The least, at step {step},")
                note(f"has {len(mutant)} bytes: {mutant[:300]!r}")
                raise

    def take(self, mutant: bytes) -> None:
        """Read a mutant, but not what is no mutant."""
        key, original = mutant, self.reader.valid
        if isinstance(mutant, Made):
            key, original = mutant.inside, mutant.original
        if key != original:
            self._attempt(mutant)
            self.read += 1
            self.seen.add(hashlib.sha256(key).digest())

    def _attempt(self, mutant: bytes) -> None:
        try:
            found = self._bound.time(mutant)
        except self.reader.refused as refused:
            self.met[refused.what] += 1
        else:
            # Python's True is 1, so equal is not yet the very same.
            equal = found == self._original and repr(found) == repr(self._original)
            assert equal or self.reader.same(found, mutant)
            self.met[""] += 1
        large = len(mutant) > 8 * len(self.reader.valid)
        if len(self.seen) % (SAMPLE // 10 if large else SAMPLE) == 0:
            self._bound.memory(mutant)


class _Bound:
    """The most time and memory that one reading may take, measured on the valid file."""

    def __init__(self, reader: Reader[Any], watched: int) -> None:
        self._reader, self._watched = reader, watched
        self._size = max(1, len(reader.valid))
        self._time = statistics.median(self._spent(reader.valid)[1] for _ in range(9))
        self._memory = self._peak(reader.valid)

    def time(self, mutant: bytes) -> Any:  # noqa: ANN401 - whatever is read
        """Return what is read, in bounded time."""
        each = SLOWER * self._time * max(1, len(mutant) / self._size)
        most = self._watched * (FLOOR_TIME + PACE * len(mutant) + each)
        outcome, spent = self._spent(mutant)
        if spent > most:
            spent = min(self._spent(mutant)[1] for _ in range(3))
        assert spent <= most, f"{spent:.3f} s of processor time, of {most:.3f}"
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    def memory(self, mutant: bytes) -> None:
        """Read in bounded memory."""
        most = FLOOR_MEMORY + LARGER * self._memory + self._reader.weight * len(mutant)
        peak = self._peak(mutant)
        if peak > most:  # once too much may have been something else's
            peak = min(self._peak(mutant) for _ in range(3))
        assert peak <= most, f"{peak} bytes at the peak, of {most}"

    def _spent(self, data: bytes) -> tuple[Any, float]:
        gc.disable()  # what Hypothesis keeps is not the reader's to collect
        start = time.thread_time()
        try:
            outcome = self._reader.read(data)
        except self._reader.refused as refused:
            outcome = refused
        finally:
            spent = time.thread_time() - start
            gc.enable()
        return outcome, spent

    def _peak(self, data: bytes) -> int:
        tracemalloc.start()
        try:
            self._spent(data)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def put(path: Path, data: bytes) -> Path:
    """Write over what is there: a file cut to nothing first is flushed to the disk, thousands."""
    path.touch(0o600)
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()
    return path


def refusing(read: Callable[[], T]) -> T:
    """Read; a ``ValueError``, which the caller in ``intake`` takes for a refusal, is one."""
    try:
        return read()
    except ValueError:
        raise BadFile("ValueError") from None
