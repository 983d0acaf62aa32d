"""Cases that leave the casebook: as JSON, and as a table for spreadsheets.

Rules:
- All that is written here is in the clear, and the reviewer's to guard and to delete.
- JSON is exact and ASCII: what a source wrote is escaped by JSON itself, so it is safe to print.
- The table (CSV, RFC 4180, UTF-8 with a mark so that spreadsheets show Burmese) is for reading and
  counting: all that a source wrote goes through ``visible``, every cell is quoted, and nothing in
  it can be a formula (OWASP, "CSV Injection"). Where exactness matters, take the JSON.
- Of a source's file here is what its end says; its bytes are in ``assembling``.
- A case whose source withdrew is there without words: whoever calls gives none of its envelopes.
- What would let somebody answer in the source's place stays sealed: reply secret and nonce.
"""

import csv
import io
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from intake.desk import page, reading, visible
from intake.desk.cases import REPLIED, Case
from intake.desk.reading import Opened
from intake.desk.slices import File
from intake.envelope import TESTIMONY
from intake.form import Answer, Form, each

Cases = Mapping[str, tuple[Case, Sequence[Opened]]]

_CASE = (
    *("case", "day", "state", "marks", "duplicate_of", "withdrawn"),
    *("assigned", "envelopes", "files", "unreadable"),
)
_FORMULA = re.compile(r"""(?:^|(?<=[,;|"'\t]))(?=\s*[=+\-@＝＋－＠])""")  # noqa: RUF001 - full width


def as_json(cases: Cases) -> str:
    """Return cases by tag as a JSON array in ASCII, with codes and not labels."""
    array = [
        {
            "assigned": case.assigned,
            "case": tag,
            "conflict": bool(case.conflict),
            "decisions": [
                {"author": d.author, "day": f"{d.day}", "grounds": d.grounds, **d.what}
                | ({"return": case.sent_in(d) or None} if d.kind == REPLIED else {})
                for d in case.decisions
            ],
            "duplicate_of": case.duplicate_of and case.duplicate_of.hex(),
            "envelopes": [
                {
                    "body": item.envelope and item.envelope.body,
                    "day": item.received.day.isoformat(),
                    "fault": item.fault or None,
                    "file": item.file and _file(item.file),
                    "id": item.received.id.hex(),
                    "kind": item.received.kind,
                    "language": item.envelope and item.envelope.language,
                    "provenance": page.provenance(item),
                }
                for item in opened
            ],
            "marks": sorted(case.marks),
            "state": case.state,
            "withdrawn": case.hidden,
        }
        for tag, (case, opened) in cases.items()
    ]
    return json.dumps(array, indent=1) + "\n"


def _file(file: File) -> dict[str, object]:
    """Return a file with how many parts are here; without its end, only that."""
    end = file.end._asdict() | {"sha256": file.end.sha256.hex()} if file.end else {}
    return {**end, "here": file.here}


def as_csv(cases: Cases, form: Form) -> bytes:
    """Return a table with a row for each case: its first testimony's codes, labels and words.

    A question with choices has two columns, ``rank`` and ``rank: label``. What ``form`` does not
    ask stands in the last one, with its key.
    """
    asked = form.labels()
    columns = [(key, f"{key}: label") if labels else (key,) for key, labels in asked.items()]
    rows = [[*_CASE, *itertools.chain(*columns), "other"]]
    for tag, (case, opened) in cases.items():
        answers, unreadable = _first(opened), sum(bool(item.fault) for item in opened)
        count = sum(item.file is not None for item in opened)
        row = [
            *(tag, f"{case.day}", case.state, " ".join(sorted(case.marks))),
            *((case.duplicate_of or b"").hex(), "yes" if case.hidden else ""),
            *(" ".join(case.assigned), f"{len(opened)}", f"{count}", f"{unreadable}"),
        ]
        for key, labels in asked.items():
            codes = each(answers.get(key, ()))
            row += [_line(codes), *([_line(labels.get(c, c) for c in codes)] if labels else [])]
        others = [(k, code) for k, own in answers.items() for code in each(own)]
        row.append(_line(f"{key}: {code}" for key, code in others if key not in asked))
        rows.append(row)
    return spreadsheet(rows)


def spreadsheet(rows: Iterable[Iterable[str]]) -> bytes:
    """Return rows as a table: all that is in a cell is there to be read, and is no formula."""
    table = io.StringIO(newline="")
    # Dangerous line: without it, a label or a note can run in the spreadsheet of who opens it.
    csv.writer(table, quoting=csv.QUOTE_ALL).writerows(map(harmless, row) for row in rows)
    return table.getvalue().encode("utf-8-sig")


def harmless(cell: str) -> str:
    """Return a cell in which an apostrophe stands before all that a spreadsheet could calculate.

    That is what begins with a formula's sign, be it after a quote or a separator: a program that
    splits cells otherwise than RFC 4180 has it would begin a new cell there.
    """
    return _FORMULA.sub("'", cell)


def _first(found: Sequence[Opened]) -> Mapping[str, Answer]:
    """Return the answers of the first testimony; none if it is damaged, or of no known shape."""
    sent = (i.envelope for i in found if i.envelope and i.envelope.kind == TESTIMONY)
    return next((said for said in map(reading.answers, sent) if said is not None), {})


def _line(texts: Iterable[str]) -> str:
    return ", ".join(map(visible.line, texts))
