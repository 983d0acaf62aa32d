"""What the hidden filler hides of how much was written, and what it costs: exact, not simulated.

    python deploy/bench_filler.py                    2,000 made-up testimonies
    python deploy/bench_filler.py --count 10000

Whoever watches the line counts Tor cells. X is the number of cells that a testimony fills without
filler, Y the number that is seen, when the filler's length is drawn evenly from 0 to the most.
I(X; Y) is what Y tells of X: no more of any secret that hangs on the length, however one guesses.

Rules:
- The people are made up (``population.py``); their distribution stands for that of sources. Bodies
  are urlencoded as a browser does, all fields of the form included.
- A filler of every length is as likely as any other, so each probability is a count, divided.
- The filler is drawn for each page anew. Who sends n times lets a watcher see n draws; they then
  know least and greatest, which say nearly all that the n say.

Run it as `make bench-filler`.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from urllib.parse import quote_plus

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from deploy.population import people  # noqa: E402 - after the path is set
from intake.form import Answer, Form  # noqa: E402
from intake.settings import FORM, Settings  # noqa: E402

CELL, CELL_ON_THE_LINE = 498, 514  # bytes of a Tor cell that carry data, and all of them
LINE = 50_000  # bits per second
FILLERS = (0, 4096, 8192, 16384, 32768, 65536)  # bytes
DEFAULT = Settings(Path(), Path()).fill
TIMES = (2, 4, 8, 16)
Lengths = Mapping[int, int]  # bytes of a body without filler -> how many people send it


def body(form: Form, answers: Mapping[str, Answer]) -> str:
    """Return the body that a browser sends for these answers, with an empty filler."""
    pairs = [("_seed", "0" * 64), ("_fill", "")]
    for item in form.questions():
        answer = answers.get(item.key, "")
        typed = [answer] if isinstance(answer, str) else list(answer)
        if item.kind == "date":
            parts = [*typed[0].split("-"), "", "", ""]
            typed = [part.lstrip("0") for part in parts[: len(item.names())]]
            pairs += zip(item.names(), typed, strict=True)
        elif typed[0:1] != [""] or item.kind in {"text", "number"} or item.show == "select":
            pairs += [(item.key, text.replace("\n", "\r\n")) for text in typed]
    return "&".join(f"{name}={quote_plus(text)}" for name, text in pairs)


def lengths(seed: int, count: int) -> Lengths:
    """Return the lengths of the bodies of made-up testimonies."""
    form = Form.load(FORM)
    return Counter(len(body(form, one.answers)) for one in people(seed, count))


def cells(size: int) -> int:
    """Return how many Tor cells so many bytes fill."""
    return -(-size // CELL)


def entropy(shares: Iterable[float]) -> float:
    """Return the entropy of a distribution, in bits."""
    return -sum(share * math.log2(share) for share in shares if share > 0)


def seen(length: int, filler: int) -> dict[Hashable, float]:
    """Return the distribution of the cells that are seen."""
    first, last = cells(length), cells(length + filler)
    ends = [min(length + filler, cell * CELL) for cell in range(first, last + 1)]
    starts = [length - 1, *ends]
    counts = (end - start for start, end in zip(starts, ends, strict=False))
    every = filler + 1
    return {first + at: count / every for at, count in enumerate(counts)}


def seen_again(length: int, filler: int, times: int) -> dict[Hashable, float]:
    """Return the distribution of the least and the greatest number of cells in ``times`` draws."""
    below = [0.0, *itertools.accumulate(seen(length, filler).values())]
    first, most = cells(length), len(below) - 1
    # All draws within [low, high): a corner of empty ranges stands around it.
    within = [[max(0.0, y - x) ** times for y in [*below, 0.0]] for x in [*below, 0.0]]
    return {
        (first + low, first + high - 1): within[low][high]
        - within[low + 1][high]
        - within[low][high - 1]
        + within[low + 1][high - 1]
        for low in range(most)
        for high in range(low + 1, most + 1)
    }


def information(found: Lengths, look: Callable[[int], Mapping[Hashable, float]]) -> float:
    """Return I(X; Y) in bits, if ``look`` returns the distribution of Y for a length."""
    everybody = sum(found.values())
    of_class: dict[int, dict[Hashable, float]] = defaultdict(lambda: defaultdict(float))
    for length, count in found.items():
        joint = of_class[cells(length)]
        for what, share in look(length).items():
            joint[what] += share * count / everybody
    total: dict[Hashable, float] = defaultdict(float)
    for joint in of_class.values():
        for what, share in joint.items():
            total[what] += share
    both = entropy(share for joint in of_class.values() for share in joint.values())
    classes = entropy(sum(joint.values()) for joint in of_class.values())
    return classes + entropy(total.values()) - both


def seconds(filler: float) -> float:
    """Return how long so many bytes take on the slow line, in whole cells."""
    return cells(math.ceil(filler)) * CELL_ON_THE_LINE * 8 / LINE


def report(found: Lengths) -> Iterable[str]:
    """Yield the table."""
    classes: Counter[int] = Counter()
    for length, count in found.items():
        classes[cells(length)] += count
    everybody = classes.total()
    told = entropy(count / everybody for count in classes.values())
    yield f"{everybody:,} made-up testimonies, {min(found):,} to {max(found):,} bytes on the wire,"
    yield f"in {len(classes)} classes of Tor cells; entropy of the class {told:.2f} bits"
    yield f"{'filler, at most':>16}{'I(X; Y)':>12}{'of all':>9}{'median':>10}{'worst':>9}"
    for filler in FILLERS:
        bits = information(found, lambda length, most=filler: seen(length, most))  # type: ignore[misc]
        mark = "  the default" if filler == DEFAULT else ""
        yield (
            f"{filler // 1024:12} KiB{bits:7.2f} bits{bits / told:9.0%}"
            f"{seconds(filler / 2):8.1f} s{seconds(filler):7.1f} s{mark}"
        )
    yield f"at {LINE // 1000} kbit/s"
    yield f"{DEFAULT // 1024} KiB, when one source sends the same words n times:"
    for times in TIMES:
        bits = information(found, lambda length, n=times: seen_again(length, DEFAULT, n))  # type: ignore[misc]
        left = 2 * DEFAULT / (times + 1)
        yield f"{times:8} times{bits:7.2f} bits{bits / told:9.0%}, {left:,.0f} bytes stay open"


def main() -> None:
    """Read the command line; print the table."""
    asks = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asks.add_argument("--count", type=int, default=2000, help="testimonies")
    asks.add_argument("--seed", type=int, default=1)
    given = asks.parse_args()
    print("\n".join(report(lengths(given.seed, given.count))))


if __name__ == "__main__":
    main()
