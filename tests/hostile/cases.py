"""A case of the matrix: what is sent on one connection, and which constant answers come back.

Rules:
- Each case holds the canary, but where it says that it has no room for it.
- Where a refusal is due, the request is a whole letter but for the one thing: so a refusal that is
  left out shows as a row.
- No two cases send the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from tests.site_maker import LEAST

CANARY = "c4n4ry"
BURMESE = "ကနာရီ"
HOST = "localhost"
URLENCODED = "application/x-www-form-urlencoded"
BODY = urlencode({"_seed": "7" * 64, **LEAST, "account": f"{CANARY} {BURMESE}"}, doseq=True)
LETTER = BODY.encode()
OWN = {"Host": HOST, "Origin": f"http://{HOST}"}
CLOSED = "closed"  # nobody was spoken to
MAYBE = "maybe "  # or an end: what came in one piece with a request was read with it, or not yet

B4 = "below 400"
FORM = "en form"
RECEIPT = "en receipt"
Lines = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Case:
    """What is sent after tor's line, or with ``own`` instead of it; what comes back, in order.

    ``expects`` are names of constant answers; an end of the connection without any is "closed".
    ``bare`` answers are without body, as to HEAD. ``plain`` has no canary in it. ``half`` says that
    the client ends its side after all is sent; without that it waits for the other one.
    """

    name: str
    sent: bytes
    expects: tuple[str, ...]
    own: bool = False
    bare: bool = False
    plain: bool = False
    half: bool = True

    @property
    def stored(self) -> int:
        """Return how many rows this comes to."""
        return sum(name.endswith(" receipt") for name in self.expects)


def case(name: str, sent: bytes | str, *expects: str, **more: Any) -> Case:  # noqa: ANN401
    """Return a case."""
    data = sent.encode() if isinstance(sent, str) else sent
    return Case(name, data, expects, **more)


def head(  # noqa: PLR0913, PLR0917 - the parts of a request
    method: str | bytes = "GET",
    target: str | bytes = "/en",
    lines: Any = (),  # noqa: ANN401 - lines as they are, or a mapping
    version: str | bytes = "HTTP/1.1",
    own: Any = None,  # noqa: ANN401
    end: bytes = b"\r\n",
    close: bool = True,
) -> bytes:
    """Return a request's head: ``own`` lines first, then ``lines``."""
    raw = [b" ".join(map(octets, (method, target, version)))]
    raw += [octets(f"{k}: {v}") for k, v in (OWN if own is None else own).items()]
    raw += [b"Connection: close"] * close
    extra = [f"{k}: {v}" for k, v in lines.items()] if isinstance(lines, dict) else lines
    return end.join([*raw, *map(octets, extra), b"", b""])


def octets(text: str | bytes) -> bytes:
    """Return text as UTF-8, bytes as they are."""
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def letter(lines: Any = (), body: bytes = LETTER, **more: Any) -> bytes:  # noqa: ANN401
    """Return a whole letter with more lines in its head; ``kind`` and ``length`` may be others."""
    kind, length = more.pop("kind", URLENCODED), more.pop("length", len(body))
    known = [b"Content-Type: " + octets(kind)] if kind is not None else []
    known += [b"Content-Length: %b" % octets(str(length))] if length is not None else []
    extra = [f"{k}: {v}" for k, v in lines.items()] if isinstance(lines, dict) else list(lines)
    return head("POST", more.pop("target", "/en"), [*known, *extra], **more) + body


def both(name: str, lines: Any, got: str, posted: str | None = None, **more: Any) -> list[Case]:  # noqa: ANN401
    """Return a visit and a letter with these lines; ``got`` stands for both where it is all."""
    second = got if posted is None else posted
    visit = head(lines=lines, **more)
    return [
        case(
            f"GET, {name}",
            visit,
            got,
            plain=not any(octets(word) in visit for word in (CANARY, BURMESE)),
        ),
        case(f"POST, {name}", letter(lines, **more), second),
    ]


def renamed(cases: list[Case], name: str) -> list[Case]:
    """Return the cases under the name of their axis."""
    return [replace(one, name=f"{name}: {one.name}") for one in cases]
