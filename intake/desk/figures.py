"""A tally to be looked at: as text for a terminal, as a page, as CSV and JSON for other tools.

Rules:
- Each of them says that it is never to be published, of what day it is, whose keys opened how many
  of all cases, and under which keyring.
- What somebody typed, a note, goes through ``visible``. Labels come from the form of this machine.
- The table (CSV) is written as that of ``exporting``: no cell is a formula. JSON is ASCII.
"""

import json

from intake.desk import charts, exporting, page, visible
from intake.desk.tables import Row, Table
from intake.desk.tally import Tally
from intake.wording import Wording

NOTICE = "Internal: never publish"
FACTS = ("Day", "Opened with", "Cases opened, of all", "Keyring", "Who is expected")


def facts(tally: Tally) -> dict[str, str]:
    """Return, by msgid, what a tally is of. The last may be what somebody typed."""
    covers = tally.covers
    cases = f"{tally.opened:,} / {covers.total:,}"
    told = (covers.day.isoformat(), covers.keys, cases, covers.keyring, tally.assumed.note)
    return {name: value for name, value in zip(FACTS, told, strict=True) if value}


def shown(table: Table) -> list[Row]:
    """Return the rows to show: of months and other places, only those with somebody in them."""
    long = table.key in {"left", "posted"}
    return [row for row in table.rows if row.number or not long]


def text(tally: Tally) -> str:
    """Return the tally for a terminal, in columns."""
    lines = [NOTICE, ""]
    width = max(len(row.label) for table in tally.tables.values() for row in table.rows)
    lines += [f"{name:{width}}  {visible.line(told)}" for name, told in facts(tally).items()]
    for table in tally.tables.values():
        lines += ["", table.title, *([f"  {table.note}"] * bool(table.note))]
        lines += [f"  {row.label:{width}}{row.number:>8,}" for row in shown(table)]
    return "\n".join(lines)


def html(tally: Tally, my: Wording, *, demo: bool) -> bytes:
    """Return the tally as one HTML page, UTF-8. ``tally_body.html`` is what stands inside."""
    return page.render("tally.html", **inside(tally), my=my.text, demo=demo).encode()


def inside(tally: Tally) -> dict[str, object]:
    """Return what ``tally_body.html`` needs, beside ``my``: what looks up a msgid."""
    drawn = {"timeline": charts.timeline, "widths": charts.widths, "height": charts.HEIGHT}
    told = {"tally": tally, "facts": facts(tally), "notice": NOTICE}
    return {**told, **drawn, "shown": shown, "zip": zip}


def as_csv(tally: Tally) -> bytes:
    """Return the tally for a spreadsheet: table, code, label, number."""
    rows: list[tuple[object, ...]] = [("table", "code", "label", "number"), ("", "", NOTICE, "")]
    rows += [("", "", name, value) for name, value in facts(tally).items()]
    rows += [(part.key, *row) for part in tally.tables.values() for row in part.rows]
    return exporting.spreadsheet(map(visible.line, row) for row in rows)


def as_json(tally: Tally) -> bytes:
    """Return the tally as JSON in ASCII: numbers by code, in each table."""
    told = {"notice": NOTICE, **tally.covers._asdict(), "day": tally.covers.day.isoformat()}
    numbers = {table.key: table.numbers for table in tally.tables.values()}
    everything = {**told, "opened": tally.opened, "note": tally.assumed.note, "tables": numbers}
    return f"{json.dumps(everything, indent=1)}\n".encode("ascii")
