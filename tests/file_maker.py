"""What a source sends after the testimony, as the rows that a server keeps: a file, words, a wish.

Rules:
- The form's ``seed`` gives the receipt, and so the case; each file has a nonce of its own.
- What a test wants wrong, it changes in the envelopes before they are sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from functools import partial

from intake import envelope, receipt
from intake.bundle import Entry
from intake.envelope import CONTENT, SLICE, Envelope
from tests.desk_maker import PERIOD, Sealed, deployment
from tests.makers import FIRST, Deployment


def follow(  # noqa: PLR0913 - whatever a test wants otherwise
    seed: str,
    kind: str,
    body: object,
    content: bytes = b"",
    *,
    day: date = FIRST,
    nonce: bytes = b"",
    made: Deployment | None = None,
) -> Envelope:
    """Return one envelope of the case that the form with this ``seed`` began."""
    made = made or deployment()
    reply = receipt.reply_secret(
        made.deployment, receipt.receipt(hashlib.sha256(seed.encode()).digest())
    )
    return Envelope(
        kind=kind,
        day=day,
        language="my",
        keyring=(made.keyring.version, made.keyring.sha256),
        case=receipt.case_tag(reply),
        reply=reply,
        nonce=nonce or hashlib.sha256(b"nonce" + seed.encode()).digest(),
        body=body,
        content=content,
    )


def slices_of(  # noqa: PLR0913 - whatever a test wants otherwise
    seed: str,
    data: bytes,
    name: str = "a.jpg",
    *,
    number: int = 0,
    made: Deployment | None = None,
    day: date = FIRST,
) -> list[Envelope]:
    """Return a file's envelopes, the end last; ``number`` tells files of one case apart."""
    nonce = hashlib.sha256(f"file {seed} {number}".encode()).digest()
    contents = [data[start : start + CONTENT] for start in range(0, len(data), CONTENT)]
    digest, size = hashlib.sha256(data).hexdigest(), len(data)
    end = {"name": name, "number": len(contents), "sha256": digest, "size": size}
    given = partial(follow, seed, SLICE, nonce=nonce, made=made, day=day)
    return [*(given({"number": n}, one) for n, one in enumerate(contents)), given(end)]


def sealed(*envelopes: Envelope, made: Deployment | None = None) -> list[Sealed]:
    """Return the rows."""
    recipient = (made or deployment()).periods[PERIOD].recipient()
    found = []
    for one in envelopes:
        row = envelope.seal(one, recipient)
        entry = Entry(one.row, hashlib.sha256(row).digest())
        found.append(Sealed(entry, row, one.case, one.plaintext()))
    return found


def without(envelopes: Iterable[Envelope], number: int) -> list[Envelope]:
    """Return all but the slice of that number."""
    return [one for one in envelopes if one.body != {"number": number}]


def altered(one: Envelope) -> Envelope:
    """Return a slice with another first byte, under its own, right row id."""
    return replace(one, content=bytes([one.content[0] ^ 1]) + one.content[1:])
