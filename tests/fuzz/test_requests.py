"""Requests: tor's line, heads and bodies as the server frames them, Host and Origin, receipts.

Rules:
- The server's parser is gunicorn's, with the limits of the deployment. What it accepts is compared
  with a second one, written out here: the same method, target and body, and nothing of a body is
  read as another request.
- A receipt that is read back has its digits in what was typed, in their order.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

from flask import Request
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.http.parser import RequestParser
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from deploy import gunicorn_conf
from deploy.door.circuits import CIRCUIT, LONGEST, Line
from intake import receipt
from intake.errors import BadFile
from intake.form import LETTER_WA
from intake.server import requests, typed
from tests.door import line
from tests.fuzz.mutations import EDIT, FEW, Reader, Way, edited, outside, tiers
from tests.test_circuits import NOT_TORS

DIGITS = receipt.receipt(bytes(range(32)))
GROUPED = " ".join(DIGITS[at : at + 4] for at in range(0, 24, 4))
BURMESE = GROUPED.translate({48 + n: 0x1040 + n for n in range(10)})
ONION = b"a" * 56 + b".onion"


class Refusal(BadFile):
    """A refusal of the server, as one of ours."""


# tor's line


def greeted(data: bytes) -> tuple[bytes, bytes]:
    """Return the circuit, and what is there for the request."""
    theirs, ours = socket.socketpair()
    with theirs:
        found = Line(fileno=ours.detach())
        theirs.sendall(data[: 1 << 16])
        theirs.shutdown(socket.SHUT_WR)
        good, left = found.greet(), b""
        while good and (piece := found.recv(1 << 16)):
            left += piece
        found.close()
    if not good:
        raise Refusal("not tor's line")
    return found.circuit, left


def is_tors(found: tuple[bytes, bytes], data: bytes) -> bool:
    """Return whether the line is spelled as tor spells it, and the rest is there as it came."""
    circuit, left = found
    first, end, rest = data.partition(b"\r\n")
    words = first.split(b" ")
    right = words[:2] == [b"PROXY", b"TCP6"] and words[3] == b"::1" and len(words) == 6
    ports = all(word.isdigit() and len(word) < 6 for word in words[4:])
    return (
        right
        and ports
        and words[2] == circuit
        and bool(end)
        and rest[: len(left)] == left
        and len(left) + len(first) + 2 == min(len(data), 1 << 16)
    )


@tiers(FEW)
def test_a_line_of_tor(count: int) -> None:
    valid = line(0x1C) + b"GET"
    assert CIRCUIT.match(valid)
    others = b"".join(other[:LONGEST] for other in NOT_TORS.values())
    Reader(
        valid=valid,
        read=greeted,
        same=is_tors,
        ways=[outside(valid, others, len(valid))],
        reached=["not tor's line"],
    ).fuzz(count)


# Heads and bodies


def deployed() -> Config:
    """Return the server's configuration."""
    found = Config()
    for name in vars(gunicorn_conf).keys() & found.settings.keys():
        if name.startswith(("limit_", "header_", "forward", "secure_", "proxy_", "http_")):
            found.set(name, getattr(gunicorn_conf, name))
    return found


CONFIG = deployed()


class Asked(NamedTuple):
    """What is looked at in a request."""

    method: str
    target: str
    body: bytes


def parsed(data: bytes) -> Sequence[Asked]:
    """Return the requests on one connection, as the worker would take them."""
    found = []
    pieces = [data[at : at + 8192] for at in range(0, len(data), 8192)]
    try:
        for request in RequestParser(CONFIG, iter(pieces), ""):
            if any(name == "TRANSFER-ENCODING" for name, _ in request.headers):
                raise Refusal("chunks")
            got: Any = request
            found.append(Asked(got.method, got.uri, got.body.read()))
            if request.should_close():
                break
    except (ParseException, NoMoreData) as error:
        raise Refusal(type(error).__name__) from None
    if not found:
        raise Refusal("nothing")
    return found


def second(data: bytes, count: int) -> list[Asked]:
    """Return the first ``count`` requests, read by a plain second parser."""
    found, rest = [], data
    for _ in range(count):
        rest = rest.removeprefix(b"\r\n")
        head, end, rest = rest.partition(b"\r\n\r\n")
        assert end
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, version = first.split(" ")
        assert re.fullmatch(r"HTTP/1\.\d", version)
        pairs = [one.partition(":")[::2] for one in lines]
        lengths = [value.strip(" \t") for name, value in pairs if name.lower() == "content-length"]
        assert len(lengths) < 2
        assert not any(name.lower() == "transfer-encoding" for name, _ in pairs)
        size = int(lengths[0]) if lengths else 0
        found.append(Asked(method, target, rest[:size]))
        rest = rest[size:]
    return found


PLAIN = b"GET /en?x=1 HTTP/1.1\r\nHost: localhost\r\nX: \xe1\x80\x80\r\n\r\n"
POSTED = (
    b"POST /en HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 5\r\n\r\na=%E1" + PLAIN
)
LINES = st.sampled_from(
    [
        *(b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: +5", b"Content-Length:5"),
        *(b"Content-Length: 5\r\n 5", b"content-length: 05", b"Content_Length: 7", b"X:"),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"Transfer-Encoding : chunked"),
        *(b"Connection: close", b"Connection: keep-alive", b"Expect: 100-continue", b"X: \0"),
        *(
            b" folded",
            b"Host: a",
            b": x",
            b"X: " + b"x" * 4100,
            b"X\xe9: x",
            b"Content-Length: \xb2",
        ),
        *(b"", b"Upgrade: h2c", b"Trailer: Host", b"X: a\nContent-Length: 5", b"X: a\rY: b"),
    ]
)


def lines_way() -> Way:
    """Return the way that puts lines into a head, and changes bytes."""
    some = st.lists(LINES, max_size=70) | st.lists(LINES, max_size=3)
    recipes = st.tuples(some, st.integers(0, 1 << 16), st.lists(EDIT, max_size=1))

    def build(recipe: Any, step: int) -> bytes:  # noqa: ANN401 - a recipe
        lines, place, edits = recipe
        parts = POSTED.split(b"\r\n")
        at = 1 + (place + step) % 3
        data = b"\r\n".join([*parts[:at], *lines, *parts[at:]])
        return edited(data, edits, place + step, 120)

    return recipes, build


@tiers(FEW)
def test_a_head_and_its_body(count: int) -> None:
    Reader(
        valid=POSTED,
        read=parsed,
        same=lambda found, data: second(data, len(found)) == list(found),
        ways=[outside(POSTED, PLAIN, 140), lines_way(), lines_way()],
        reached=[
            "chunks",
            "InvalidHeader",
            "InvalidRequestLine",
            "NoMoreData",
            "InvalidHTTPVersion",
        ],
        weight=200,
    ).fuzz(count)


# Host and Origin


def direct(data: bytes) -> tuple[str, str]:
    """Return Host and Origin of a letter that is taken."""
    host, _, origin = data.partition(b"\n")
    environ: dict[str, Any] = {"REQUEST_METHOD": "POST", "wsgi.url_scheme": "http"}
    environ |= {"HTTP_HOST": host.decode("latin-1"), "HTTP_ORIGIN": origin.decode("latin-1")}
    request = Request(environ)
    try:
        requests.check_direct(request)
        requests.check_origin(request)
    except HTTPException as error:
        raise Refusal(str(error.code)) from None
    return environ["HTTP_HOST"], environ["HTTP_ORIGIN"]


OWN = re.compile(
    r"(?a:([\w-]+\.)*[a-zA-Z2-7]{56}\.(?i:onion)|(?i:localhost)|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
)


def ours(found: tuple[str, str], _: bytes) -> bool:
    """Return whether they agree, and name an onion or this machine."""
    host, origin = found
    scheme, site = origin.split("://")
    same = {host, host.removesuffix(":80"), host.removesuffix(":443")}
    return scheme in {"http", "https"} and site in same and bool(OWN.fullmatch(host))


@tiers(FEW)
def test_a_host_and_an_origin(count: int) -> None:
    valid = ONION + b":8080\nhttp://" + ONION + b":8080"
    local = b"localhost\nhttps://localhost"
    Reader(
        valid=valid,
        read=direct,
        same=ours,
        ways=[outside(valid, local), outside(local, b"[::1]:80\nhttp://127.0.0.1")],
        reached=["421", "403"],
    ).fuzz(count)


# Receipts


def read_back(data: bytes) -> str:
    """Return the digits of a receipt that was typed."""
    found = typed.read(data.decode("utf-8", "replace"))
    if found is None:
        raise Refusal("no receipt")
    return found


def spells(found: str, data: bytes) -> bool:
    """Return whether these are the digits that were typed, and the last one checks them."""
    text = data.decode("utf-8", "replace").replace(LETTER_WA, "0")
    there = "".join(str(int(sign)) for sign in text if sign.isdecimal())
    return found == there and receipt.check_digit(found[:-1]) == found[-1]


@tiers(FEW)
def test_a_receipt_that_is_typed_back(count: int) -> None:
    Reader(
        valid=GROUPED.encode(),
        read=read_back,
        same=spells,
        ways=[outside(GROUPED.encode(), BURMESE.encode()), outside(BURMESE.encode(), b"0" * 24)],
        reached=["no receipt"],
    ).fuzz(count)
