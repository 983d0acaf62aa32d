"""Files that sources send: whole and identical, or absent; never in the clear on a disk.

Rules:
- What is stored is opened as the desk opens it, joined, and compared with what was sent.
- A real gunicorn stands in wherever connections, memory, threads or signals matter.
"""

from __future__ import annotations

import io
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from intake.age.unsealing import unseal
from intake.envelope import CONTENT, SEALED
from intake.errors import BadKeyring, MachineTrouble
from intake.server import uploads
from intake.server.letterbox import Letterbox
from intake.server.spool import Spool
from intake.server.uploads import Limits, Received
from tests.site_maker import Site, make_site, submit
from tests.upload_maker import (
    BOUNDARY,
    DIGITS,
    body,
    file,
    files,
    first,
    request,
    sealed_rows,
    send,
)

BURMESE = "သက်သေ ဓာတ်ပုံ.jpg"
ZAWGYI = "ေျပာျပခ်င္တယ္.txt"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


def test_sizes_at_every_edge_arrive_identical(site: Site) -> None:
    sizes = (0, 1, 31_999, 32_000, 32_001, 1 << 20)
    sent = {f"{size}": os.urandom(size) for size in sizes}
    for name, data in sent.items():
        assert send(site, body(first(), file(name, data))) == Received(DIGITS, 1, "")
    assert dict(files(site)) == sent


def test_the_largest_file_arrives_identical(site: Site) -> None:
    data = os.urandom(25 << 20)
    assert send(site, body(first(), file(BURMESE, data))) == Received(DIGITS, 1, "")
    assert dict(files(site)) == {BURMESE: data}


def test_several_files_in_one_request_are_several_files_of_one_case(site: Site) -> None:
    sent = {BURMESE: b"1" * 40_000, ZAWGYI: b"", "😀": b"3", "4": b"\x00" * 32_000, "5": b"5"}
    parts = [file(name, data) for name, data in sent.items()]
    assert send(site, body(first(), *parts)) == Received(DIGITS, 5, "")
    assert dict(files(site)) == sent


@pytest.mark.parametrize(
    "name",
    [
        *(
            BURMESE,
            ZAWGYI,
            "😀🙏🏽",
            "\u202egpj.exe",
            "../../etc/passwd",
            "/dev/null",
            "C:\\x\\",
            "\\",
        ),
        *("a;b=c; name=x", "=HYPERLINK(1)", "<b>", "%2e%2e", " lead and trail ", "\x00\x1b[2J"),
        *("x" * 4096, "\U0001f600" * 4096, "\x01" * 4096, "CON", ".", "x\u2028y", "é", "e\u0301"),
    ],
)
def test_names_are_kept_as_they_came(site: Site, name: str) -> None:
    assert send(site, body(first(), file(name, b"x"))) == Received(DIGITS, 1, "")
    assert dict(files(site)) == {name: b"x"}
    known = {"bundle.key", "installed", "intake.db", "intake.db-journal", "lock", "floor"}
    assert {path.name for path in site.settings.data.iterdir()} <= known


@pytest.mark.parametrize(
    ("sent", "kept"), [('a"b', "a%22b"), ("a\r\nb", "a%0D%0Ab"), ("x" * 10_000, "x" * 4096)]
)
def test_names_that_a_browser_escapes_or_that_are_too_long(
    site: Site, sent: str, kept: str
) -> None:
    send(site, body(first(), file(sent, b"x")))
    assert dict(files(site)) == {kept: b"x"}


def test_no_file_was_chosen(site: Site) -> None:
    nothing = file("", b"")
    assert send(site, body(first(), nothing, nothing)) == Received(DIGITS, 0, "none")
    assert send(site, body(first())) == Received(DIGITS, 0, "none")
    assert files(site) == []
    mixed = body(first(), nothing, file("", b"nameless"), nothing, file("named", b""), nothing)
    assert send(site, mixed) == Received(DIGITS, 2, "")
    assert dict(files(site)) == {"": b"nameless", "named": b""}


def test_the_receipt_may_be_typed_in_burmese(site: Site) -> None:
    typed = DIGITS.translate({48 + n: 0x1040 + n for n in range(10)})
    assert send(site, body(first(f" {typed[:4]}-{typed[4:]} "), file("a", b"a"))).digits == DIGITS


def test_one_byte_over_keeps_what_came_before_and_reads_no_further(site: Site) -> None:
    limits = Limits(3, 40_000)
    right, over = b"r" * 40_000, b"o" * 40_001
    data = body(first(), file("right", right), file("over", over), file("after", b"a"))
    assert send(site, data, limits) == Received(DIGITS, 1, "too_large")
    assert dict(files(site)) == {"right": right}


def test_more_files_than_allowed(site: Site) -> None:
    data = body(first(), *(file(str(n), b"x") for n in range(10_000)))
    limits = Limits(3, 1 << 20)
    assert send(site, data, limits) == Received(DIGITS, 3, "too_many")
    assert files(site) == [("0", b"x"), ("1", b"x"), ("2", b"x")]
    assert send(site, body(first(), file("0", b"")), Limits(0, 1)).trouble == "too_many"
    nothing = body(first(), *[file("", b"")] * 10_000)
    assert send(site, nothing, limits) == Received(DIGITS, 0, "too_many")


def test_a_body_that_could_not_fit_is_not_begun(site: Site) -> None:
    sent = request(body(first(), file("a", b"a")), length=200 << 20)
    with pytest.raises(RequestEntityTooLarge):
        send(site, sent)
    assert sealed_rows(site) == []


BAD_RECEIPTS = [
    *("", "0", DIGITS[:-1], DIGITS[:-1] + str((int(DIGITS[-1]) + 1) % 10), DIGITS + "0"),
    *("x" * 24, "\x00" * 24, " " * 201, "\u1040" * 100_000, "\ud800"),
]


@pytest.mark.parametrize("digits", BAD_RECEIPTS)
def test_a_receipt_that_cannot_be_right(site: Site, digits: str) -> None:
    head = '; name="receipt"', digits.encode("utf-8", "surrogatepass")
    with pytest.raises((BadRequest, RequestEntityTooLarge)) as refused:
        send(site, body(head, file("a", b"canary")))
    assert "canary" not in str(refused.value.get_response().data)
    assert sealed_rows(site) == []


ONE = file("canary", b"canary")
LAST = f"--{BOUNDARY}--\r\n".encode()
WHOLE = body(first(), ONE)


@pytest.mark.parametrize(
    "data",
    [
        body(ONE, first()),
        body(first(), first(), ONE),
        body(('; name="other"', b"x"), first(), ONE),
        body(first(), ('; name="other"', b"x"), ONE),
        body(first(), ('; name="file"', b"no name at all")),
        body(first(), ('; name="files"; filename="x"', b"x")),
        body(first(), ('; filename="x"; name="file"', b"x")),
        body(first(), ("; name=file; filename=x", b"x")),
        body(first(), ("", b"x")),
        body(ONE),
        body(),
        b"",
        LAST,
        b"\r\n" + LAST,
        WHOLE[:-4],
        WHOLE[: -len(LAST)],
        WHOLE[: -len(LAST) - 2],
        WHOLE[: WHOLE.index(b"canary") + 3],
        WHOLE[: WHOLE.index(b"octet-stream")],
        WHOLE[: len(body(first())) - len(LAST)],
        WHOLE.replace(b"Content-Disposition", b"Content-Disposal"),
        WHOLE.replace(b'"canary"', b'"\xff\xfe"'),
        WHOLE.replace(b'"canary"', b'"\xed\xa0\x80"'),
        WHOLE.replace(b"--" + BOUNDARY.encode() + b"\r\n", b"--x\r\n", 1),
        WHOLE.replace(BOUNDARY.encode(), b"x"),
        WHOLE.replace(b"\r\n\r\n", b"\r\n"),
    ],
    ids=range(26),
)
def test_what_no_page_of_ours_sends(site: Site, data: bytes) -> None:
    with pytest.raises(HTTPException) as refused:
        send(site, data)
    assert refused.value.code in {400, 413}
    assert "canary" not in str(refused.value.get_response().data)
    assert refused.value.__cause__ is None
    assert sealed_rows(site) == []


@pytest.mark.parametrize(
    "kind",
    [
        *("", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"),
        *(
            "multipart/form-data",
            "multipart/form-data; boundary=",
            'multipart/form-data; boundary=""',
        ),
        f"multipart/form-data; boundary={'x' * 71}",
        "multipart/form-data; boundary=\u1000",
        'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary*=utf-8''%0d%0a",
    ],
)
def test_another_kind_of_body_or_an_odd_boundary(site: Site, kind: str) -> None:
    with pytest.raises(HTTPException) as refused:
        send(site, request(WHOLE, kind))
    assert refused.value.code == 415


@pytest.mark.parametrize(
    "start",
    [
        *(b"", b"\r\n", WHOLE[:10]),
        WHOLE[: WHOLE.index(DIGITS.encode())],
        WHOLE[: WHOLE.index(b'"canary"') + 1],
    ],
    ids=["nothing", "preamble", "first line", "receipt", "name"],
)
@pytest.mark.parametrize("unit", [b"x", b"\r\n", b"\n", b"-", b"0", b" ", b"a: b\r\n", b"; a*0=b"])
def test_a_part_that_never_ends_is_not_read_on(site: Site, start: bytes, unit: bytes) -> None:
    """Little more is read of 25 MB than may be held, and nothing is stored."""
    data = io.BytesIO(start + unit * ((25 << 20) // len(unit)))
    with pytest.raises((BadRequest, RequestEntityTooLarge)):
        send(site, request(data.getvalue(), stream=data))
    assert data.tell() <= uploads.HEADERS + uploads.PIECE
    assert sealed_rows(site) == []


def test_a_length_that_lies_or_is_missing(site: Site) -> None:
    for length in (len(WHOLE) + 1, len(WHOLE) - len(LAST), 0, -1):
        sent = request(WHOLE, length=length)
        if length > len(WHOLE):
            assert send(site, sent).stored == 1  # the last part had ended: what follows is not read
            continue
        with pytest.raises(BadRequest):
            send(site, sent)
    sent = request(WHOLE)
    del sent.environ["CONTENT_LENGTH"]
    with pytest.raises(BadRequest):
        send(site, sent)
    assert len(files(site)) == 1


def test_whatever_breaks_after_a_file_was_stored_the_answer_says_that_it_was(site: Site) -> None:
    start = body(first(), ONE)[: -len(LAST)]
    spoiled = (b"", body(first()), body(file("cut", b"x" * 9))[:-60], body(("", b"")))
    for count, more in enumerate(spoiled, 1):
        data = start + (more or f"--{BOUNDARY}\r\n".encode())
        assert send(site, data) == Received(DIGITS, 1, "stopped")
        assert len(sealed_rows(site)) == 2 * count
    assert files(site) == [("canary", b"canary")] * len(spoiled)


def test_before_and_after_midnight_is_one_file(site: Site) -> None:
    """The day changes while a file comes in, the period does not: nobody sends it again."""
    today = Letterbox(site.settings).today()
    yesterday = replace(today, day=today.day - timedelta(days=1))
    assert send(site, WHOLE, today=yesterday).stored == 1
    ((_, sealed), _) = sealed_rows(site)
    opened = unseal(sealed, list(site.made.periods.values()))
    assert f'"day":"{yesterday.day}"'.encode() in opened


def test_a_file_that_follows_an_old_keyring_is_not_stored(site: Site) -> None:
    today = Letterbox(site.settings).today()
    site.install(site.made.follow())
    assert send(site, WHOLE, today=today) == Received(DIGITS, 0, "keys")
    assert send(site, WHOLE, today=replace(today, period="2026-w01")).trouble == "keys"
    assert sealed_rows(site) == []
    assert send(site, WHOLE).stored == 1


def test_the_site_closes_while_a_file_comes_in(site: Site) -> None:
    today = Letterbox(site.settings).today()
    site.settings.keyring.unlink()
    with pytest.raises(BadKeyring):
        send(site, WHOLE, today=today)
    assert sealed_rows(site) == []


@contextmanager
def full(size: int) -> Iterator[None]:
    """Let the kernel refuse every write that would make a file larger than ``size``."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize(
    ("slices", "room"),
    [(8, 3 * SEALED), (8, 3 * SEALED + 100), (0, 100), (8, 10 * SEALED)],
    ids=["while spooling", "in a record", "at the end", "in the transaction"],
)
def test_a_disk_that_is_really_full(site: Site, slices: int, room: int) -> None:
    """Nothing of the file is stored, the words before it stay, and later it is taken."""
    assert submit(site.client()).status_code == 200
    words = sealed_rows(site)
    data = body(first(), file("f", b"f" * (slices * CONTENT)))
    with full(room):
        assert send(site, data) == Received(DIGITS, 0, "doubt")
    assert sealed_rows(site) == words
    assert send(site, data).stored == 1
    assert set(words) < set(sealed_rows(site))


def test_an_empty_spool_leaves_nothing_in_the_folder(tmp_path: Path) -> None:
    def seal(_: object, content: bytes) -> tuple[bytes, bytes]:
        return bytes(16), content.ljust(SEALED)

    asked: list[int] = []
    with Spool.within(tmp_path, seal, lambda: asked.append(0)) as spool:
        spool.take(bytes(CONTENT + 1))
        spool.end("x")
        assert list(tmp_path.iterdir()) == []
        assert len(list(spool.rows())) == 3
        assert len(list(spool.rows())) == 3
    assert len(asked) == 3
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MachineTrouble), Spool.within(tmp_path / "none", seal, lambda: None):
        pass
