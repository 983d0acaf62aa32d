"""Bundles and returns: what is whole comes out, damage is named, a forgery is refused whole."""

from __future__ import annotations

import ast
import hashlib
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from intake import bundle, canonical
from intake.bundle import BundleHeader, Entry, ReturnHeader
from intake.bundle.reading import Opened, open_bundle, open_return
from intake.bundle.writing import write_bundle, write_manifest, write_return
from intake.errors import BadFile, MachineTrouble, Misuse
from tests.makers import Deployment, make_deployment, signing_key

MADE = make_deployment(weeks=1)
SIZE = 40
BODIES = [bytes([65 + n]) * SIZE for n in range(4)]
ENTRIES = [Entry(bytes([n]) * 16, hashlib.sha256(body).digest()) for n, body in enumerate(BODIES)]
HEADER = BundleHeader(
    deployment=MADE.deployment,
    number=1,
    previous=bytes(32),
    period="2026-w47",
    keyring=(1, MADE.keyring.sha256),
    size=SIZE,
    left=7,
)
ALL_OK = ["ok"] * len(BODIES)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("bundle") / HEADER.name
    write_bundle(path, HEADER, ENTRIES, BODIES, MADE.bundle_key.sign)
    return path.read_bytes()


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a path that is written again and again."""
    return tmp_path_factory.mktemp("spot") / "file"


def put(path: Path, data: bytes) -> None:
    """Write over what is there: a file cut to nothing first is flushed to the disk, thousands."""
    path.touch()
    with path.open("r+b") as file:
        file.write(data)
        file.truncate()


def take(path: Path, data: bytes, made: Deployment = MADE) -> tuple[dict[Entry, str], list[Any]]:
    """Return the verdict on each entry, and what came twice and the stray bytes."""
    put(path, data)
    key = made.bundle_key.public_key().public_bytes_raw()
    with open_bundle(path, key, made.deployment) as opened:
        verdicts = dict[Entry, str]()
        for entry, body, verdict in opened:
            assert entry not in verdicts
            assert (body is not None) == (verdict == "ok")
            assert body is None or hashlib.sha256(body).digest() == entry.sha256
            verdicts[entry] = verdict
        assert set(verdicts) == set(opened.entries)
        return verdicts, [opened.doubled, opened.stray]


def values(path: Path, data: bytes) -> tuple[list[str], list[Any]]:
    verdicts, rest = take(path, data)
    return [verdicts[entry] for entry in ENTRIES], rest


def test_what_was_written_is_read(spot: Path, whole: bytes) -> None:
    spot.write_bytes(whole)
    with open_bundle(spot, MADE.keyring.bundle_key, MADE.deployment) as opened:
        assert opened.header.number == 1
        assert opened.header.count == 4
        assert opened.header.left == 7
        assert opened.header.sha256 == hashlib.sha256(whole.split(b"\n")[0]).digest()
        assert opened.entries == tuple(ENTRIES)
        first = list(opened)
        assert first == [(e, b, "ok") for e, b in zip(ENTRIES, BODIES, strict=True)]
        assert list(opened) == first
        assert (opened.doubled, opened.stray) == ([], 0)


def test_the_name_and_line_1_say_nothing_of_a_time(whole: bytes) -> None:
    assert HEADER.name == f"{MADE.deployment.hex()[:8]}-000001.bundle"
    facts = canonical.load(whole.split(b"\n")[0])
    assert isinstance(facts, dict)
    told = "count deployment format keyring left list number period previous size"
    assert " ".join(sorted(facts)) == told


def test_the_order_of_entries_given_does_not_matter(tmp_path: Path, whole: bytes) -> None:
    digest = write_bundle(tmp_path / "b", HEADER, ENTRIES[::-1], BODIES, MADE.bundle_key.sign)
    assert (tmp_path / "b").read_bytes() == whole
    assert digest == hashlib.sha256(whole).hexdigest()


def test_an_empty_bundle_is_a_statement(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    write_bundle(path, HEADER, [], [], MADE.bundle_key.sign)
    assert take(path, path.read_bytes()) == ({}, [[], 0])
    assert take(path, path.read_bytes() + b"x") == ({}, [[], 1])


def test_a_manifest_is_a_bundle_whose_envelopes_are_missing(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "note"
    header = write_manifest(path, HEADER, ENTRIES, MADE.bundle_key.sign)
    assert whole.startswith(path.read_bytes())
    assert header.count == 4
    assert values(path, path.read_bytes()) == (["missing"] * 4, [[], 0])


def test_every_flipped_byte_is_refused_or_named(spot: Path, whole: bytes) -> None:
    start = len(whole) - SIZE * len(BODIES)
    for place in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):
            data = bytearray(whole)
            data[place] ^= flip
            if place < start:
                with pytest.raises(BadFile):
                    take(spot, bytes(data))
            else:
                expected = list(ALL_OK)
                expected[(place - start) // SIZE] = "altered"
                assert values(spot, bytes(data)) == (expected, [[], 0])


def test_every_cut_is_refused_or_named(spot: Path, whole: bytes) -> None:
    start = len(whole) - SIZE * len(BODIES)
    for length in range(len(whole)):
        if length < start:
            with pytest.raises(BadFile):
                take(spot, whole[:length])
        else:
            there = (length - start) // SIZE
            expected = ALL_OK[:there] + ["missing"] * (4 - there)
            assert values(spot, whole[:length]) == (expected, [[], 0])


A, B, C, D = BODIES
X = b"x" * SIZE


@pytest.mark.parametrize(
    ("bodies", "verdicts", "doubled", "stray"),
    [
        ([A, B, C, D], "oooo", [], 0),
        ([A, C, D], "omoo", [], 0),
        ([A, A, B, C, D], "oooo", [0], 0),
        ([A, B, C, D, D, D], "oooo", [3, 3], 0),
        ([A, B, A, D], "oomo", [0], 0),
        ([D, C, B, A], "oooo", [], 0),
        ([A, X, C, D], "oaoo", [], 0),
        ([A, X, B, C, D], "oooo", [], SIZE),
        ([A, B, C, D, b"more"], "oooo", [], 4),
        ([A, B, C, D, X, X, X, X, X, X], "oooo", [], 6 * SIZE),
        ([A, B, C, D[:-1]], "ooom", [], 0),
        ([X, X, X, X], "aaaa", [], 0),
        ([], "mmmm", [], 0),
    ],
)
def test_damage_is_named_and_the_rest_comes_out(  # noqa: PLR0913, PLR0917
    spot: Path,
    whole: bytes,
    bodies: list[bytes],
    verdicts: str,
    doubled: list[int],
    stray: int,
) -> None:
    head = whole[: len(whole) - SIZE * len(BODIES)]
    words = {"o": "ok", "m": "missing", "a": "altered"}
    expected = [words[letter] for letter in verdicts]
    again = [ENTRIES[n] for n in doubled]
    assert values(spot, head + b"".join(bodies)) == (expected, [again, stray])


@given(data=st.data())
def test_no_change_of_a_bundle_goes_unnamed(spot: Path, whole: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 200)))
    other = data.draw(st.binary(max_size=100) | st.just(whole[start:end] * 2))
    changed = whole[:start] + other + whole[end:]
    try:
        found, rest = values(spot, changed)
    except BadFile:
        assert changed != whole
    else:
        assert ((found, rest) == (ALL_OK, [[], 0])) == (changed == whole)


@given(st.binary(max_size=400))
def test_anything_else_is_refused(spot: Path, data: bytes) -> None:
    with pytest.raises(BadFile):
        take(spot, data)
    with pytest.raises(BadFile):
        read_return(spot, data)


def test_a_bundle_of_another_deployment_or_key_is_refused(spot: Path, whole: bytes) -> None:
    spot.write_bytes(whole)
    key = MADE.keyring.bundle_key
    with pytest.raises(BadFile, match="another deployment"), open_bundle(spot, key, bytes(32)):
        pass
    other = signing_key("other").public_key().public_bytes_raw()
    with pytest.raises(BadFile, match="signature"), open_bundle(spot, other, MADE.deployment):
        pass


def signed(facts: dict[str, Any], listed: bytes, bodies: bytes = b"") -> bytes:
    """Return what a server that holds the bundle key and lies could make."""
    line = canonical.dump({**facts, "list": hashlib.sha256(listed).hexdigest()})
    signature = MADE.bundle_key.sign(b"intake bundle 1\n" + line).hex().encode()
    return line + b"\n" + signature + b"\n" + listed + bodies


def facts_of(whole: bytes) -> dict[str, Any]:
    facts = canonical.load(whole.split(b"\n")[0])
    assert isinstance(facts, dict)
    return dict(facts)


LISTED = b"".join(entry.line() for entry in ENTRIES)


def test_the_liar_of_the_next_test_is_believed_when_it_does_not_lie(
    spot: Path, whole: bytes
) -> None:
    assert signed(facts_of(whole), LISTED, b"".join(BODIES)) == whole
    assert values(spot, whole)[0] == ALL_OK


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 3},
        {"count": 5},
        {"count": -1},
        {"count": True},
        {"count": 10**6},
        {"count": "4"},
        {"size": 0},
        {"size": 1 << 21},
        {"number": 0},
        {"number": 2},
        {"previous": "11" * 32},
        {"previous": "0" * 63},
        {"period": "../../etc"},
        {"period": ""},
        {"period": 5},
        {"period": None},
        {"left": -1},
        {"left": "0"},
        {"left": "a line that looks like ours"},
        {"format": "intake bundle 2"},
        {"format": "intake return 1"},
        {"deployment": "AB" * 32},
        {"deployment": 7},
        {"keyring": []},
        {"keyring": {"version": 1}},
        {"keyring": {"version": True, "sha256": "00" * 32}},
        {"keyring": {"version": 1, "sha256": "00" * 32, "more": 1}},
        {"more": 1},
        {"listed": "00" * 32},
    ],
)
def test_a_signed_lie_in_line_1_is_refused(
    spot: Path, whole: bytes, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadFile):
        take(spot, signed(facts_of(whole) | changes, LISTED, b"".join(BODIES)))


@pytest.mark.parametrize("field", ["count", "keyring", "previous", "format"])
def test_a_field_left_out_of_line_1_is_refused(spot: Path, whole: bytes, field: str) -> None:
    facts = facts_of(whole)
    del facts[field]
    with pytest.raises(BadFile):
        take(spot, signed(facts, LISTED))


@pytest.mark.parametrize(
    "spell",
    [
        lambda lines: lines[::-1],
        lambda lines: [lines[0], *lines[:3]],
        lambda lines: [lines[0], lines[0][:33] + lines[1][33:], *lines[2:]],
        lambda lines: [lines[0].replace(b" ", b"\t"), *lines[1:]],
        lambda lines: [lines[0].upper(), *lines[1:]],
        lambda lines: [b"0" + lines[0][:32] + lines[0][34:].replace(b"\n", b"a\n"), *lines[1:]],
        lambda lines: [b"\xff" * 98, *lines[1:]],
        lambda lines: [b"  " + lines[0][2:], *lines[1:]],
    ],
    ids=[
        "reversed",
        "the first twice",
        "one id twice",
        "a tab",
        "capitals",
        "an odd digit",
        "no ascii",
        "spaces",
    ],
)
def test_a_signed_list_with_another_spelling_is_refused(
    spot: Path, whole: bytes, spell: Callable[[list[bytes]], list[bytes]]
) -> None:
    listed = b"".join(spell([entry.line() for entry in ENTRIES]))
    assert len(listed) == len(LISTED)
    with pytest.raises(BadFile):
        take(spot, signed(facts_of(whole), listed, b"".join(BODIES)))


def test_bytes_that_are_not_there_are_no_envelope(spot: Path, whole: bytes) -> None:
    # The hash of nothing, and of a piece that is too short, in a list of a server that lies.
    for body in (b"", b"short"):
        entry = Entry(bytes(16), hashlib.sha256(body).digest())
        facts = facts_of(whole) | {"count": 1}
        assert take(spot, signed(facts, entry.line(), body))[0] == {entry: "missing"}


def test_one_envelope_under_two_ids_comes_out_twice(tmp_path: Path) -> None:
    twins = [Entry(bytes([n]) * 16, ENTRIES[0].sha256) for n in range(2)]
    path = tmp_path / "twins"
    write_bundle(path, HEADER, twins, [A, A], MADE.bundle_key.sign)
    assert take(path, path.read_bytes()) == (dict.fromkeys(twins, "ok"), [[], 0])


@pytest.mark.parametrize(
    "bodies", [[A, B, C], [A, B, C, D, D], [A, B, D, C], [A, B, C, D[:-1]], [A, B, C, X], []]
)
def test_other_envelopes_than_listed_make_no_file(tmp_path: Path, bodies: list[bytes]) -> None:
    with pytest.raises(BadFile):
        write_bundle(tmp_path / "b", HEADER, ENTRIES, bodies, MADE.bundle_key.sign)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("header", "entries"),
    [
        (HEADER, [ENTRIES[0], ENTRIES[0]]),
        (HEADER, [ENTRIES[0], replace(ENTRIES[1], id=ENTRIES[0].id)]),
        (replace(HEADER, size=0), []),
        (replace(HEADER, number=2), []),
        (replace(HEADER, previous=b"1" * 32), []),
        (replace(HEADER, period="No Name"), []),
        (replace(HEADER, left=-1), []),
    ],
)
def test_what_the_reader_would_refuse_is_not_written(
    tmp_path: Path, header: BundleHeader, entries: Sequence[Entry]
) -> None:
    with pytest.raises(Misuse):
        write_bundle(tmp_path / "b", header, entries, [], MADE.bundle_key.sign)
    assert list(tmp_path.iterdir()) == []


def test_a_full_file_stays_below_what_a_fat_stick_takes() -> None:
    size = 34_427
    head = bundle.MAX_LINE + 129 + bundle.fits(size) * bundle.ENTRY
    assert bundle.fits(size) > 80_000
    assert head + bundle.fits(size) * size <= bundle.PART < 3 << 30
    assert bundle.fits(1) == bundle.MAX_COUNT


def test_neither_half_holds_more_than_a_few_envelopes(tmp_path: Path) -> None:
    size, count = 1 << 16, 200

    def body(number: int) -> bytes:
        return number.to_bytes(2, "big") * (size // 2)

    entries = [Entry(n.to_bytes(16, "big"), hashlib.sha256(body(n)).digest()) for n in range(count)]
    path = tmp_path / "big"
    tracemalloc.start()
    try:
        header = replace(HEADER, size=size)
        write_bundle(path, header, entries, map(body, range(count)), MADE.bundle_key.sign)
        with open_bundle(path, MADE.keyring.bundle_key, MADE.deployment) as opened:
            assert Counter(verdict for _, _, verdict in opened) == {"ok": count}
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > count * size
    assert peak < 20 * size


def test_what_is_not_there_or_no_file_is_a_misuse(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Misuse), open_bundle(path, bytes(32), bytes(32)):
            pass


def test_a_stick_that_fails_is_a_sentence(
    spot: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        name = str(spot)

        def readline(self, _: int) -> bytes:
            raise OSError(5, "Input/output error")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    spot.write_bytes(whole)
    monkeypatch.setattr(Path, "open", lambda *_: Broken())
    with pytest.raises(MachineTrouble, match="input/output"), open_bundle(spot, b"", b""):
        pass


def test_writing_and_reading_do_not_import_each_other() -> None:
    for half, other in (("writing", "reading"), ("reading", "writing")):
        source = Path(bundle.__file__).with_name(f"{half}.py").read_text("utf-8")
        names = {
            name
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in [getattr(node, "module", "") or "", *(a.name for a in node.names)]
        }
        assert not any(other in name for name in names)


# Returns

RETURN = ReturnHeader(deployment=MADE.deployment, number=3, keyring=(1, MADE.keyring.sha256))
REPLIES = [
    Entry(bytes([n]) * 16, hashlib.sha256(body).digest(), mailbox=bytes([9 - n]) * 16)
    for n, body in enumerate(BODIES)
]
SIGNERS = {name: keys.signing.sign for name, keys in MADE.reviewers.items()}
TWO = {name: SIGNERS[name] for name in ("alice", "bob")}


def read_return(path: Path, data: bytes, made: Deployment = MADE) -> Opened[ReturnHeader]:
    put(path, data)
    with open_return(path, made.keyring) as opened:
        return opened


@pytest.fixture(scope="module")
def returned(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("return") / RETURN.name
    write_return(path, RETURN, TWO, ENTRIES)
    return path.read_bytes()


def test_a_return_is_read_with_its_acknowledgements(spot: Path, returned: bytes) -> None:
    opened = read_return(spot, returned)
    assert opened.acknowledged == tuple(ENTRIES)
    assert opened.entries == ()
    assert (opened.header.number, opened.header.acknowledged, opened.header.size) == (3, 4, 0)
    assert RETURN.name.endswith("-000003.return")


def test_a_return_carries_replies(tmp_path: Path) -> None:
    path = tmp_path / "r"
    ordered = [body for _, body in sorted(zip(REPLIES, BODIES, strict=True), key=_by_line)]
    write_return(path, replace(RETURN, size=SIZE), SIGNERS, ENTRIES[:1], (REPLIES, ordered))
    with open_return(path, MADE.keyring) as opened:
        assert opened.acknowledged == tuple(ENTRIES[:1])
        found = {entry: (body, verdict) for entry, body, verdict in opened}
    assert found == {r: (b, "ok") for r, b in zip(REPLIES, BODIES, strict=True)}
    assert found.keys() == set(REPLIES)


def _by_line(pair: tuple[Entry, bytes]) -> bytes:
    return pair[0].line()


def test_every_flipped_byte_of_a_return_is_refused(spot: Path, returned: bytes) -> None:
    for place in range(len(returned)):
        for flip in (0x01, 0x20):
            data = bytearray(returned)
            data[place] ^= flip
            with pytest.raises(BadFile):
                read_return(spot, bytes(data))


def test_every_cut_of_a_return_is_refused(spot: Path, returned: bytes) -> None:
    for length in range(len(returned)):
        with pytest.raises(BadFile):
            read_return(spot, returned[:length])


def parts(returned: bytes) -> tuple[bytes, list[bytes], bytes]:
    """Return line 1, the signature lines, and the rest from the empty line on."""
    line, rest = returned.split(b"\n", 1)
    signatures, listed = rest.split(b"\n\n", 1)
    return line + b"\n", [s + b"\n" for s in signatures.split(b"\n")], b"\n" + listed


def forgeries() -> Iterator[tuple[str, Callable[[bytes, list[bytes]], list[bytes]]]]:
    stranger = signing_key("stranger")
    context = b"intake return 1\n"

    def by(name: str, key: Ed25519PrivateKey, line: bytes, context: bytes = context) -> bytes:
        return f"{name} {key.sign(context + line[:-1]).hex()}\n".encode()

    alice = MADE.reviewers["alice"].signing
    bob = MADE.reviewers["bob"].signing
    carol = MADE.reviewers["carol"].signing
    yield "none", lambda _, __: []
    yield "one", lambda _, two: two[:1]
    yield "one twice", lambda _, two: [two[0], two[0]]
    yield "one under two names", lambda line, two: [two[0], by("bob", alice, line)]
    yield "a stranger", lambda line, two: [two[0], by("mallory", stranger, line)]
    yield "a stranger as a reviewer", lambda line, two: [two[0], by("bob", stranger, line)]
    yield "two and a stranger", lambda line, two: [*two, by("mallory", stranger, line)]
    yield "two and a bad third", lambda line, two: [*two, by("carol", stranger, line)]
    yield "two and one again", lambda _, two: [*two, two[0]]
    yield "a root", lambda line, two: [two[0], by("rosa", MADE.roots["rosa"], line)]
    yield "another context", lambda line, two: [two[0], by("bob", bob, line, b"intake bundle 1\n")]
    yield "no context", lambda line, two: [two[0], by("bob", bob, line, b"")]
    yield "capitals", lambda _, two: [two[0], two[1].upper()]
    yield "many", lambda line, two: [*two, by("carol", carol, line), *two, *two]


@pytest.mark.parametrize("forge", [pytest.param(f, id=name) for name, f in forgeries()])
def test_a_return_needs_two_active_reviewers_and_no_other_signature(
    spot: Path, returned: bytes, forge: Callable[[bytes, list[bytes]], list[bytes]]
) -> None:
    line, two, rest = parts(returned)
    assert read_return(spot, line + b"".join(two) + rest).header.number == 3
    with pytest.raises(BadFile):
        read_return(spot, line + b"".join(forge(line, two)) + rest)


def test_the_signature_of_a_removed_reviewer_is_refused(spot: Path, tmp_path: Path) -> None:
    reviewers = [dict(facts) for facts in MADE.draft["reviewers"]]
    reviewers[1]["removed"] = {"bob.desk": [1, "00" * 32]}
    after = MADE.follow(reviewers=reviewers)
    path = tmp_path / "r"
    for names, accepted in (
        ("alice bob", False),
        ("alice bob carol", False),
        ("alice carol", True),
    ):
        write_return(path, RETURN, {name: SIGNERS[name] for name in names.split()}, ENTRIES)
        assert read_return(spot, path.read_bytes()).header.number == 3
        if accepted:
            assert read_return(spot, path.read_bytes(), after).header.number == 3
        else:
            with pytest.raises(BadFile, match="active"):
                read_return(spot, path.read_bytes(), after)


def test_a_return_of_another_deployment_is_refused(spot: Path, returned: bytes) -> None:
    with pytest.raises(BadFile, match="another deployment"):
        read_return(spot, returned, make_deployment(weeks=1, label="other"))


def test_a_bundle_is_no_return_and_a_return_no_bundle(
    spot: Path, whole: bytes, returned: bytes
) -> None:
    with pytest.raises(BadFile):
        read_return(spot, whole)
    with pytest.raises(BadFile):
        take(spot, returned)


@pytest.mark.parametrize(
    ("header", "signers", "replies"),
    [
        (RETURN, {}, ()),
        (RETURN, {"alice": SIGNERS["alice"]}, ()),
        (RETURN, TWO, REPLIES),
        (replace(RETURN, size=SIZE), TWO, ()),
        (replace(RETURN, number=0), TWO, ()),
    ],
)
def test_a_return_that_nobody_would_take_is_not_written(
    tmp_path: Path,
    header: ReturnHeader,
    signers: dict[str, bundle.Sign],
    replies: Sequence[Entry],
) -> None:
    with pytest.raises(Misuse):
        write_return(tmp_path / "r", header, signers, ENTRIES, (replies, ()))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(MachineTrouble, match="no space left"):
        write_bundle(tmp_path / "b", HEADER, ENTRIES, BODIES, MADE.bundle_key.sign)
    assert list(tmp_path.iterdir()) == []
