"""Uploads as a browser writes them, and files as the desk finds them, for tests."""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Request

from intake import envelope, receipt
from intake.age.unsealing import unseal
from intake.server.letterbox import Letterbox
from intake.server.uploads import Limits, Received, receive
from tests.site_maker import Site

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
KIND = f"multipart/form-data; boundary={BOUNDARY}"
DIGITS = receipt.receipt(bytes(range(32)))
LIMITS = Limits(5, 25 << 20)

Part = tuple[str, bytes]  # the head of a part after "form-data", and its bytes


def now(work: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the work returns
    """Do the work here: the stand-in for a thread, where a test needs none."""
    return work()


def first(digits: str = DIGITS) -> Part:
    """Return the part with the receipt."""
    return '; name="receipt"', digits.encode()


def file(name: str, data: bytes) -> Part:
    """Return the part of a file, its name escaped as browsers do."""
    for character in '"\r\n':
        name = name.replace(character, f"%{ord(character):02X}")
    return f'; name="file"; filename="{name}"', data


def body(*parts: Part) -> bytes:
    """Return the body that a browser sends."""
    pieces = []
    for head, data in parts:
        kind = "\r\nContent-Type: application/octet-stream" if "filename" in head else ""
        line = f"--{BOUNDARY}\r\nContent-Disposition: form-data{head}{kind}\r\n\r\n"
        pieces.append(line.encode() + data + b"\r\n")
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()


def request(
    data: bytes,
    kind: str = KIND,
    length: int | None = None,
    stream: Any = None,  # noqa: ANN401
) -> Request:
    """Return a request with this body; ``length`` is what it says of itself."""
    environ: Mapping[str, Any] = {
        "wsgi.input": stream or io.BytesIO(data),
        "CONTENT_LENGTH": str(len(data) if length is None else length),
        "CONTENT_TYPE": kind,
        "REQUEST_METHOD": "POST",
    }
    return Request(dict(environ))


def send(
    site: Site,
    data: bytes | Request,
    limits: Limits = LIMITS,
    *,
    today: Any = None,  # noqa: ANN401
) -> Received:
    """Receive a body as the route does."""
    letterbox = Letterbox(site.settings)
    sent = data if isinstance(data, Request) else request(data)
    return receive(sent, letterbox, today or letterbox.today(), "en", limits, now)


def sealed_rows(site: Site) -> list[tuple[bytes, bytes]]:
    """Return all rows of all periods."""
    return [row for period in site.store.counts() for row in site.store.page(period, b"", 10**6)]


def files(site: Site) -> list[tuple[str, bytes]]:
    """Open all rows with the periods' identities, join the files; in order of names.

    Asserts that every slice is bound to its row, and that every file is whole.
    """
    found: dict[str, dict[int, tuple[Any, bytes]]] = defaultdict(dict)
    identities = list(site.made.periods.values())
    for row, sealed in sealed_rows(site):
        assert len(sealed) == envelope.SEALED
        line, _, rest = unseal(sealed, identities).partition(b"\n")
        raw = json.loads(line)
        if raw["kind"] != envelope.SLICE:
            continue
        content = rest[: raw["size"]]
        spelled = json.dumps(raw["body"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        words = spelled.encode() + content
        assert receipt.submission_id(bytes.fromhex(raw["nonce"]), b"slice\n" + words) == row
        found[raw["nonce"]][raw["body"]["number"]] = raw["body"], content
    return sorted(map(_joined, found.values()))


def _joined(slices: dict[int, tuple[Any, bytes]]) -> tuple[str, bytes]:
    assert sorted(slices) == list(range(len(slices)))
    *parts, (end, nothing) = (slices[number] for number in sorted(slices))
    whole = b"".join(content for _, content in parts)
    assert not nothing
    assert all(body == {"number": number} for number, (body, _) in enumerate(parts))
    assert [len(content) for _, content in parts] == _lengths(len(whole))
    assert (end["size"], end["sha256"]) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert end.keys() == {"name", "number", "sha256", "size"}
    return end["name"], whole


def _lengths(size: int) -> list[int]:
    rest: Iterable[int] = [size % envelope.CONTENT] if size % envelope.CONTENT else []
    return [envelope.CONTENT] * (size // envelope.CONTENT) + list(rest)
