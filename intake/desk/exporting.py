"""Cases as JSON: for tools of others, on the same machine.

Rules:
- ASCII only: everything else is escaped by JSON itself, so the file is safe to print.
- Testimony as it was stored, codes and not labels; what cannot be read is named.
- What would let somebody answer in the source's place stays sealed: reply secret and nonce.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from intake.desk.page import provenance
from intake.desk.reading import Opened
from intake.desk.state import Case


def dump(cases: Iterable[tuple[Case, Sequence[Opened]]]) -> str:
    """Return a JSON array of cases."""
    array = [
        {
            "assigned": list(case.assigned),
            "case": case.tag.hex(),
            "envelopes": [_envelope(item) for item in opened],
            "state": case.state,
        }
        for case, opened in cases
    ]
    return json.dumps(array, ensure_ascii=True, indent=1, sort_keys=True) + "\n"


def _envelope(item: Opened) -> dict[str, object]:
    return {
        "body": item.envelope.body if item.envelope else None,
        "bundle": item.bundle.number if item.bundle else None,
        "day": item.received.day.isoformat(),
        "fault": item.fault or None,
        "id": item.received.id.hex(),
        "kind": item.received.kind,
        "language": item.envelope.language if item.envelope else None,
        "provenance": provenance(item),
    }
