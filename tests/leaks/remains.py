"""What may remain of a day: rows of one size in no order, and no time, count or byte beside them.

The first line of each message is the word for what broke. Every byte that is kept has its check:
the store's file is what its rows make of it, in whatever order and whenever they came; a bundle is
its list and these rows; every other file is a day, a number, a hash, a key or nothing.

Chance: for n >= 340 pairs without any order Spearman's rho passes 0.25 with a probability of 4 in a
million (the normal approximation: 4.6 standard deviations of 1/sqrt(n - 1)); of the eight that are
taken, with less than 1 in 10^4. That of ``tests/test_maintaining.py`` is for its own n.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from intake import reply
from intake.age.unsealing import unseal
from intake.bundle.reading import open_bundle
from intake.envelope import SEALED
from tests.leaks.chain import Chain
from tests.leaks.day import PIECE, Lived, pieces
from tests.table import record
from tests.test_maintaining import BOUND, rho
from tests.test_store import COLUMNS, tables

HOW = "make leaks"
FEWEST = 340  # rows, for the bound that is stated
DAY = r"\d{4}-\d\d-\d\d"
HASH = r"[0-9a-f]{64}"
NUMBERED = rf'\{{"number":\d{{1,6}},"sha256":"{HASH}"\}}'
# All files of a data folder but the store's, and all that may be in each.
FILES = {
    "bundle.key": rf"{HASH}\n?",
    "bundles": NUMBERED,
    "exporting": "",
    "floor": DAY,
    "intake.db-journal": "",
    "installed": rf'{{"file":"{HASH}","sha256":"{HASH}","version":\d{{1,6}},"words":"[a-z, ]+"}}',
    "lock": "",
    "maintained": DAY,
    "maintaining": "",
    "returns": NUMBERED,
} | {f"place-{number}": "" for number in range(64)}
INSIDE = {"body", "case", "day", "keyring", "kind", "language", "nonce", "reply", "size", "version"}
START = 100  # bytes after age's first line, by which a row is told
PAGE = 4096  # bytes
COUNTER, VALID_FOR = 24, 92  # bytes of an SQLite header (file format, 1.3)
MOST = 10**6  # of a number that is no time: a second of our days has ten digits


def check_tables(chain: Chain) -> None:
    """The tables have no other columns than they may have, no counter and no rowid."""
    columns, statements = tables(chain.database)
    more = {name: found for name, found in columns.items() if found != COLUMNS.get(name)}
    rowids = sum("WITHOUT ROWID" not in str(sql) for sql in statements)
    figure = f"{len(more)}, {rowids}"
    record("tables with other columns than id, mailbox, period, sealed; with a rowid", figure, HOW)
    assert "sqlite_sequence" not in columns, "counter"
    assert not rowids, "rowid"
    assert columns == COLUMNS, f"columns\n{columns}"


def check_rows(lived: Lived) -> None:
    """Whoever was told so has a row, and all rows have one size."""
    sizes = {len(sealed) for sealed in lived.rows.values()}
    answers = {len(sealed) for sealed in lived.replies.values()}
    record(
        "pages that say something is stored, and no row came",
        f"{len(lived.lies)} of {lived.events}",
        HOW,
    )
    record(
        "sizes of rows, and of replies",
        f"{sorted(sizes)}, {sorted(answers)} of {len(lived.rows)} and {len(lived.replies)}",
        HOW,
    )
    assert not lived.lies, f"row\n{lived.lies}"
    assert sizes == {SEALED}, f"size\n{sizes}"
    assert answers == {reply.SEALED}, f"size\n{answers}"


def check_order(lived: Lived) -> None:
    """After the night nothing is in the order it came, in the file or in a journal of it."""
    rows = [lived.rows[row] for row in lived.kept]
    answers = list(lived.replies.values())
    data, kinds = lived.chain.database.read_bytes(), (rows, answers)
    begins = [_page(data, kind[0]) for kind in kinds]
    before = _orders(lived.before, rows, begins[0])
    files = data, _journal(lived.chain)
    found = [
        rho for one in files for of in zip(kinds, begins, strict=True) for rho in _orders(one, *of)
    ]
    counted = f"{len(rows)} rows and {len(answers)} replies"
    figure = f"{max(found):.2f} of {counted}; before the night {max(before):.2f}"
    what = "rank correlation of arrival with place after the night, in file and journal, greatest"
    record(what, figure, HOW)
    assert max(before) > 0.9, "the order cannot be seen, so that its absence says nothing"
    assert max(found) < BOUND, f"order\n{found}"
    assert len(rows) >= FEWEST, "too few for the bound that is stated"


def _page(data: bytes, row: bytes) -> int:
    """Return at which byte of a row a page of the file begins; it is the same for all of a size."""
    place = next(p for at in (2500, 2600) if (p := data.find(row[at : at + PIECE])) >= 0)
    at = row.find(data[place : place + PIECE])
    return at - place % PAGE + 4  # after the number of the next page


def _orders(data: bytes, rows: Sequence[bytes], page: int) -> list[float]:
    """Return rho of where each row begins, and of where that later page of it begins."""
    begin = {row[22 : 22 + START]: n for n, row in enumerate(rows)}  # after age's first line
    first = {
        begin[key]: found.start()
        for found in re.finditer(rb"age-encryption\.org/v1\n", data)
        if (key := data[found.end() : found.end() + START]) in begin
    }
    later = {row[page : page + 16]: n for n, row in enumerate(rows)}
    # Pages of the file are aligned; those in a journal begin at a multiple of eight bytes.
    places_of = range(4, len(data), PAGE) if data.startswith(b"SQLite") else range(0, len(data), 8)
    words = ((at, data[at : at + 16]) for at in places_of)
    places = {later[word]: at for at, word in words if word in later}
    assert first.keys() == places.keys() == set(range(len(rows))), "a row is not in the file"
    return [abs(rho([where[n] for n in range(len(rows))])) for where in (first, places)]


def _journal(chain: Chain) -> bytes:
    """Return the journal of a transaction that touches every row, which is then undone."""
    path = chain.database.with_name("intake.db-journal")
    connection = sqlite3.connect(chain.database, isolation_level=None)
    try:
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.execute("UPDATE envelopes SET period = 'x', sealed = zeroblob(34427)")
        connection.execute("UPDATE replies SET sealed = zeroblob(5755)")
        data = path.read_bytes()
        connection.execute("ROLLBACK")
    finally:
        connection.close()
    return data


def check_counters(lived: Lived, rebuilt: bytes) -> None:
    """The file counts no change, and is what the same rows make at another time, put at once."""
    data = lived.chain.database.read_bytes()
    numbers = [int.from_bytes(data[at : at + 4]) for at in (COUNTER, VALID_FOR)]
    was = int.from_bytes(lived.before[COUNTER : COUNTER + 4])
    record("changes that the file counts, after the night", f"{numbers[0]}; before it {was}", HOW)
    apart = _apart(data, rebuilt)
    record(
        "bytes by which it differs from a file of the same rows, put at once at another time",
        f"{apart} of {len(data):,}",
        HOW,
    )
    assert was > lived.events // 2, "the counter cannot be seen"
    assert numbers == [1, 1], f"counter\n{numbers}"
    assert apart == 0, f"rebuilt\n{apart}"


def _apart(one: bytes, other: bytes) -> int:
    if one == other:
        return 0
    return sum(a != b for a, b in zip(one, other, strict=False)) + abs(len(one) - len(other))


def check_deleted(lived: Lived) -> None:
    """What was deleted is in no file, though it was in one: before the night already."""
    marks = [mark for sealed in lived.gone for mark in pieces(sealed)]
    left = {name: sum(mark in data for mark in marks) for name, data in lived.files.items()}
    kept = [pieces(lived.rows[row])[0] in lived.before for row in lived.kept[:50]]
    figure = (
        f"{sum(left.values())} of {len(marks)} pieces of {len(lived.gone)}, in {len(left)} files"
    )
    record("bytes of deleted rows and replies, before the night", figure, HOW)
    assert all(kept), "what is kept cannot be seen"
    assert not sum(left.values()), f"deleted\n{left}"


def check_times(lived: Lived) -> None:
    """No time finer than a day, and no count of what came, is in any file or name."""
    data = lived.chain.site.settings.data
    odd = [path.name for path in data.iterdir() if not _plain(path)]
    numbers, texts = _manifest(lived)
    inner = _inside(lived, numbers)
    odd += [text for text in [*texts, *inner] if re.search(r"\d[:T]\d\d|\d{10}", text)]
    odd += [f"{number}" for number in numbers if number >= MOST]
    checked = f"{len(FILES)} kinds of file, 1 bundle, {len(lived.rows)} envelopes opened"
    record(
        "times finer than a day, counters, or other files than these",
        f"{len(odd)} in {checked}",
        HOW,
    )
    touched = sorted(p.name for p in data.iterdir() if p.stat().st_mtime >= lived.began)
    record(
        "files whose time of change says when somebody came or maintenance ran (disclosed)",
        ", ".join(touched),
        HOW,
    )
    assert not odd, f"times\n{odd[:9]}"


def _plain(path: Path) -> bool:
    if path.name == "intake.db":
        return True  # what its rows make of it: ``check_counters``
    shape = FILES.get(path.name)
    return shape is not None and re.fullmatch(shape, path.read_text("utf-8")) is not None


def _manifest(lived: Lived) -> tuple[list[int], list[str]]:
    """Return the numbers and texts of a bundle's head; the rest of it are the rows themselves."""
    made, size = lived.chain.site.made, lived.bundle.stat().st_size
    name = re.fullmatch(r"[0-9a-f]{8}-\d+\.bundle|[\w-]+\.bundle", lived.bundle.name)
    assert name, f"times\n{lived.bundle.name}"
    with open_bundle(lived.bundle, made.keyring.bundle_key, made.deployment) as opened:
        bodies = {entry.id: body for entry, body, _ in opened}
    assert bodies == {row: lived.rows[row] for row in bodies}, "a bundle has other rows"
    head = lived.bundle.read_bytes()[: size - SEALED * len(bodies)].decode("ascii")
    line, _, rest = head.partition("\n")
    listed = re.fullmatch(rf"(?:\w+ )?[0-9a-f]{{128}}\n+(?:[0-9a-f]{{32}} {HASH}\n)+", rest)
    assert listed, f"times\n{rest[:300]}"
    return _leaves(json.loads(line))


def _inside(lived: Lived, numbers: list[int]) -> list[str]:
    """Return the texts in all envelopes but what their sources wrote; add the numbers."""
    found, identities = [], list(lived.chain.site.made.periods.values())
    for sealed in lived.rows.values():
        inside = json.loads(unseal(sealed, identities).partition(b"\n")[0])
        assert inside.keys() == INSIDE, f"times\n{sorted(inside)}"
        of, texts = _leaves({name: inside[name] for name in INSIDE - {"body", "size"}})
        numbers += of
        found += texts
    return found


def _leaves(value: Any) -> tuple[list[int], list[str]]:  # noqa: ANN401 - any JSON
    """Return the numbers and the texts of a value of JSON; what looks like a hash is left out."""
    if isinstance(value, dict | list):
        parts = [_leaves(one) for one in (value.values() if isinstance(value, dict) else value)]
        return [n for of, _ in parts for n in of], [text for _, of in parts for text in of]
    if isinstance(value, int):
        return [value], []
    return [], [] if re.fullmatch(r"(?:[0-9a-f]{32}){1,2}", str(value)) else [str(value)]


def check_all(lived: Lived, rebuilt: bytes) -> None:
    """Check all that holds of a day."""
    for check in (check_rows, check_deleted, check_times, check_order):
        check(lived)
    check_counters(lived, rebuilt)
