"""The keyring's refusals, as a table of steps: one keyring, one expected answer.

Rules:
- Each row changes one thing about a keyring that is otherwise right, and signs the result anew
  unless the signature is what is wrong. So a row passes for its own reason and no other.
- The reasons are compared, not only the class: a keyring refused for another reason is a red test.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import canonical, installed, keyring, signatures
from intake.errors import BadKeyring
from intake.keyring import Period
from tests import makers
from tests.makers import FIRST, Deployment, make_deployment

MADE = make_deployment(weeks=2, roots=3)  # threshold 2
STRANGER = makers.signing_key("a stranger")
UNKNOWN = "not a keyring that this version"
SIGNATURE = "signature on the keyring does not verify"
FEW_ROOTS = "Too few roots signed"
QUORUM = "quorum does not fit"
TWICE = "stands in the keyring twice"
OVERLAP = "overlap or are out of order"
FORGED = "attestation of period 2026-w47 does not verify"
FEW_OPENED = "Too few reviewers opened the package of period 2026-w47"


def signed(made: Deployment = MADE, **changes: object) -> bytes:
    """Return the keyring with ``changes``, signed by everyone."""
    return makers.sign(canonical.dump({**made.draft, **changes}), made.roots)


def signed_by(*names: str, line: bytes | None = None) -> bytes:
    """Return the keyring signed by the roots of these names, in this order, doubles included."""
    line = line or canonical.dump(MADE.draft)
    pairs = [(name, MADE.roots[name]) for name in names]
    return line + b"\n" + b"".join(makers.signature_lines(pairs, keyring.CONTEXT + line))


def first_period(**changes: object) -> bytes:
    """Return the keyring whose first period has these changes, signed."""
    first, *others = MADE.draft["periods"]
    return signed(periods=[{**first, **changes}, *others])


def spans(*edges: tuple[int, int], names: str = "abcdef") -> bytes:
    """Return the keyring with periods from and to these days after the first, attested."""
    found = [
        Period(
            name,
            FIRST + timedelta(days=a),
            FIRST + timedelta(days=b),
            str(makers.identity(f"period {number}").recipient()),
            {},
        )
        for number, (name, (a, b)) in enumerate(zip(names, edges, strict=False))
    ]
    return signed(periods=[makers.attested(one, MADE.reviewers) for one in found])


def without(field: str) -> bytes:
    """Return the keyring that lacks a field, signed."""
    draft = {name: value for name, value in MADE.draft.items() if name != field}
    return makers.sign(canonical.dump(draft), MADE.roots)


def attestations(signer: str, **keys: object) -> dict[str, str]:
    """Return attestations of the first period: those there are, and one by ``signer``."""
    marks = dict(MADE.draft["periods"][0]["attestations"])
    period = MADE.keyring.periods[0]
    marks[signer] = STRANGER.sign(period.statement()).hex()
    return {**marks, **{name: str(mark) for name, mark in keys.items()}}


def attested_otherwise() -> dict[str, str]:
    """Return attestations by the right reviewers, of the same period with one day more."""
    first = MADE.keyring.periods[0]
    longer = replace(first, last=first.last + timedelta(days=1))
    marks: dict[str, str] = makers.attested(longer, MADE.reviewers)["attestations"]
    return marks


def reviewers(
    count: int, *, removed: int = 0, quarter: str = "2026q4", body: str = "Body"
) -> list[dict[str, Any]]:
    """Return ``count`` reviewers as a keyring has them, the last ``removed`` of them removed."""
    names = [*makers.NAMES, "frank", "grace"][:count]
    found = [makers.make_reviewer(name).facts() for name in names]
    for number, one in enumerate(found, 1):
        other = makers.identity(f"{one['name']} other")
        one["body"], one["quarters"] = body, {quarter: str(other.recipient())}
        if number > count - removed:
            one["removed"] = {f"{one['name']}.desk": [3, "00" * 32]}
    return found


def twins(field: str) -> list[dict[str, Any]]:
    """Return three reviewers, the third with the first one's ``field``."""
    found = [who.facts() for who in MADE.reviewers.values()]
    found[2][field] = found[0][field]
    return found


def classic() -> str:
    """Return an X25519 recipient, which no keyring may hold (age's own example)."""
    return "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


RAW, LINE = MADE.raw, canonical.dump(MADE.draft)
ROOT_KEYS: Mapping[str, str] = MADE.draft["roots"]

# What is refused by itself: name, bytes, reason.
REFUSED: list[tuple[str, bytes, str]] = [
    ("empty", b"", UNKNOWN),
    ("unsigned", LINE + b"\n", FEW_ROOTS),
    ("below the threshold", signed_by("rosa"), FEW_ROOTS),
    ("one root twice", signed_by("rosa", "rosa"), UNKNOWN),
    ("one root twice, with another", signed_by("rosa", "ruth", "rosa"), UNKNOWN),
    (
        "a stranger in a root's name",
        signed_by("rosa")
        + signatures.signature_line("ruth", STRANGER.sign(keyring.CONTEXT + LINE)),
        SIGNATURE,
    ),
    (
        "a stranger in their own name",
        RAW + signatures.signature_line("zoe", STRANGER.sign(keyring.CONTEXT + LINE)),
        SIGNATURE,
    ),
    (
        "a surplus bad signature",
        signed_by("rosa", "ruth") + signatures.signature_line("rhea", bytes(64)),
        SIGNATURE,
    ),
    (
        "two roots' signatures swapped",
        RAW.replace(b"rosa ", b"r0sa ").replace(b"ruth ", b"rosa ").replace(b"r0sa ", b"ruth "),
        SIGNATURE,
    ),
    (
        "a signature without the context",
        signed_by("rosa") + signatures.signature_line("ruth", MADE.roots["ruth"].sign(LINE)),
        SIGNATURE,
    ),
    ("a signature in capitals", LINE + RAW[len(LINE) :].upper(), UNKNOWN),
    ("two spaces before a signature", RAW.replace(b"\nruth ", b"\nruth  "), UNKNOWN),
    ("a space after a signature", RAW[:-1] + b" \n", UNKNOWN),
    ("CRLF", RAW.replace(b"\n", b"\r\n"), UNKNOWN),
    ("no LF at the end", RAW[:-1], UNKNOWN),
    ("an empty line at the end", RAW + b"\n", UNKNOWN),
    ("an empty line at the start", b"\n" + RAW, UNKNOWN),
    ("a byte order mark", b"\xef\xbb\xbf" + RAW, UNKNOWN),
    ("cut in the middle of line 1", RAW[: len(LINE) // 2], UNKNOWN),
    ("cut in the middle of a signature", RAW[:-40] + b"\n", UNKNOWN),
    ("not UTF-8", makers.sign(LINE.replace(b"Body", b"B\xffdy"), MADE.roots), UNKNOWN),
    ("UTF-16", RAW.decode().encode("utf-16"), UNKNOWN),
    ("too large", signed(reviewers=reviewers(3, body="B" * (1 << 20))), UNKNOWN),
    ("100 MB", b"a" * 100_000_000 + b"\n", UNKNOWN),
    ("nested too deep", makers.sign(b"[" * 100_000, MADE.roots), UNKNOWN),
    (
        "white space in line 1",
        makers.sign(LINE.replace(b'"version":', b'"version": '), MADE.roots),
        UNKNOWN,
    ),
    (
        "an escaped letter",
        makers.sign(LINE.replace(b"alice", rb"\u0061lice", 1), MADE.roots),
        UNKNOWN,
    ),
    (
        "a key of JSON twice",
        makers.sign(LINE.replace(b'"version":1', b'"version":1,"version":1'), MADE.roots),
        UNKNOWN,
    ),
    (
        "a key of JSON twice, hidden deep",
        makers.sign(
            LINE.replace(b'"removed":null', b'"removed":null,"removed":null', 1), MADE.roots
        ),
        UNKNOWN,
    ),
    (
        "keys in another order",
        makers.sign(b'{"version":1,' + LINE[1:].replace(b',"version":1', b""), MADE.roots),
        UNKNOWN,
    ),
    ("no object", makers.sign(b"[]", MADE.roots), UNKNOWN),
    ("an unknown field", signed(algorithm="ed25519"), UNKNOWN),
    ("an unknown field in a period", first_period(note=""), UNKNOWN),
    ("another format", signed(format="intake keyring 2"), UNKNOWN),
    *((f"without {field}", without(field), UNKNOWN) for field in sorted(keyring.FIELDS)),
    ("version 0", signed(version=0), UNKNOWN),
    ("version true", signed(version=True), UNKNOWN),
    ("version as text", signed(version="1"), UNKNOWN),
    ("a first version that follows another", signed(previous="11" * 32), UNKNOWN),
    ("a second version that follows none", signed(version=2), UNKNOWN),
    ("a hash of 31 bytes", signed(version=2, previous="11" * 31), UNKNOWN),
    ("a hash in capitals", signed(version=2, previous="AB" * 32), UNKNOWN),
    ("a day of another spelling", signed(issued="20261116"), UNKNOWN),
    ("a day that there is not", signed(expires="2026-11-31"), UNKNOWN),
    ("a day with a time", signed(issued="2026-11-16T00:00"), UNKNOWN),
    ("expiry before issue", signed(expires="2026-11-15"), UNKNOWN),
    ("demo as a number", signed(demo=0), UNKNOWN),
    ("threshold 1", signed(threshold=1), UNKNOWN),
    ("a threshold above the roots", signed(threshold=4), FEW_ROOTS),
    (
        "one root only",
        makers.sign(
            canonical.dump({**MADE.draft, "roots": {"rosa": ROOT_KEYS["rosa"]}}),
            {"rosa": MADE.roots["rosa"]},
        ),
        FEW_ROOTS,
    ),
    ("one key under two names", signed(roots={**ROOT_KEYS, "zoe": ROOT_KEYS["rosa"]}), TWICE),
    ("a root with a capital", signed(roots={**ROOT_KEYS, "Zoe": "11" * 32}), UNKNOWN),
    ("a root that leaves and stays", signed(leaving={"rosa": ROOT_KEYS["rosa"]}), UNKNOWN),
    ("quorum 1", signed(quorum=1), UNKNOWN),
    ("a float", makers.sign(LINE.replace(b'"quorum":2', b'"quorum":2.0'), MADE.roots), UNKNOWN),
    ("a quorum above the reviewers", signed(quorum=4), FEW_OPENED),
    ("one reviewer under two names", signed(reviewers=twins("key")), TWICE),
    ("one quorum recipient for two", signed(reviewers=twins("quorum")), TWICE),
    ("one recipient of a quarter for two", signed(reviewers=twins("quarters")), TWICE),
    ("the archive is a period", signed(archive=MADE.draft["periods"][0]["recipient"]), TWICE),
    ("the server's key is a root's", signed(bundle_key=ROOT_KEYS["rosa"]), TWICE),
    ("6 reviewers", signed(reviewers=reviewers(6)), QUORUM),
    ("1 reviewer left", signed(reviewers=reviewers(3, removed=2)), QUORUM),
    ("a reviewer twice", signed(reviewers=[*reviewers(3), *reviewers(1)]), UNKNOWN),
    ("a reviewer's quarter 5", signed(reviewers=reviewers(3, quarter="2026q5")), UNKNOWN),
    ("a classic archive", signed(archive=classic()), UNKNOWN),
    ("a classic period", first_period(recipient=classic()), UNKNOWN),
    ("an attestation missing", first_period(attestations={}), FEW_OPENED),
    ("an attestation by a stranger", first_period(attestations=attestations("zoe")), FORGED),
    ("an attestation forged", first_period(attestations=attestations("bob")), FORGED),
    ("a surplus attestation forged", first_period(attestations=attestations("carol")), FORGED),
    ("attestations of other days", first_period(attestations=attested_otherwise()), FORGED),
    ("another recipient than attested", first_period(recipient=MADE.draft["archive"]), FORGED),
    ("periods that are an object", signed(periods={}), UNKNOWN),
    ("periods that are text", signed(periods=""), UNKNOWN),
    ("periods that overlap", spans((0, 6), (6, 9)), OVERLAP),
    ("one period in another", spans((0, 6), (2, 3)), OVERLAP),
    ("one period twice", spans((0, 6), (0, 6)), OVERLAP),
    ("two periods of one name", spans((0, 6), (7, 9), names="aa"), OVERLAP),
    ("periods out of order", spans((7, 9), (0, 6)), OVERLAP),
    ("a period that ends before it begins", spans((6, 0)), OVERLAP),
]  # fmt: skip


@pytest.mark.parametrize(("data", "reason"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refused(data: bytes, reason: str) -> None:
    with pytest.raises(BadKeyring, match=re.escape(reason)):
        keyring.parse(data)


@pytest.mark.parametrize(
    "data",
    [
        RAW,
        signed_by("rosa", "ruth"),
        signed_by("ruth", "rhea"),
        signed(reviewers=reviewers(5)),
        signed(reviewers=reviewers(7, removed=2)),
        signed(periods=[]),
        spans((0, 0), (1, 1), (3, 9)),
    ],
)
def test_accepted(data: bytes) -> None:
    """What the table leaves alone: without this, a keyring that is always refused would pass it."""
    assert keyring.parse(data).sha256 == hashlib.sha256(data.split(b"\n")[0]).digest()


def test_what_is_read_is_what_was_written() -> None:
    found = keyring.parse(RAW)
    assert (found.version, found.threshold, found.quorum, found.demo) == (1, 2, 2, False)
    assert found.roots == {name: bytes.fromhex(key) for name, key in ROOT_KEYS.items()}
    assert found.archive == str(MADE.archive.recipient())
    assert [period.recipient for period in found.periods] == [
        str(identity.recipient()) for identity in MADE.periods.values()
    ]
    assert found.signers == {"rosa", "ruth", "rhea"}
    assert [one.name for one in found.active] == ["alice", "bob", "carol"]


SHORT = make_deployment(weeks=1, reviewers=2).raw


def test_a_flipped_bit_anywhere_is_refused() -> None:
    """One bit of every byte of the signature lines, and of every 41st byte of line 1."""
    end = SHORT.index(b"\n")
    for position in [*range(0, end, 41), *range(end - 3, len(SHORT))]:
        _refuse_flip(position, 1 << position % 8)


@given(st.integers(0, len(SHORT) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(position: int, change: int) -> None:
    _refuse_flip(position, change)


def _refuse_flip(position: int, change: int) -> None:
    altered = bytearray(SHORT)
    altered[position] ^= change
    with pytest.raises(BadKeyring):
        keyring.parse(bytes(altered))


@given(st.integers(0, len(SHORT) - 1))
def test_any_cut_is_refused(length: int) -> None:
    with pytest.raises(BadKeyring):
        keyring.parse(SHORT[:length])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(BadKeyring):
        keyring.parse(data)


# Steps from the installed keyring to the next.

SECOND = MADE.follow()
OTHER = make_deployment(label="other", roots=3)
NEW_ROOTS = {name: makers.signing_key(f"new {name}") for name in ("ines", "iris")}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of roots: all old ones leave, two new ones come."""

    leaving: Mapping[str, object]
    signers: tuple[str, ...]

    def raw(self) -> bytes:
        """Return the keyring after MADE's, signed by the named old and new roots."""
        keys = {**MADE.roots, **NEW_ROOTS}
        roots = {name: makers.public(key) for name, key in NEW_ROOTS.items()}
        step = {"version": 2, "previous": MADE.keyring.sha256.hex(), "roots": roots}
        line = canonical.dump({**MADE.draft, **step, "leaving": self.leaving})
        return makers.sign(line, {name: keys[name] for name in self.signers})


def step(**changes: object) -> bytes:
    """Return the keyring after MADE's, with these changes."""
    return MADE.follow(**changes).raw


STEPS: list[tuple[str, Callable[[], bytes], str | None]] = [
    ("the next version", step, None),
    ("the same again", lambda: RAW, "Keyring 1 does not follow keyring 1"),
    ("the same version, other content", lambda: signed(expires="2026-12-31"), "does not follow"),
    ("a gap", lambda: step(version=3), "Keyring 3 does not follow keyring 1"),
    ("a wrong previous", lambda: step(previous="11" * 32), "follows another keyring 1"),
    ("another deployment", lambda: OTHER.follow().raw, "another deployment"),
    ("a demo's", lambda: step(demo=True), "never follow each other"),
    ("another deployment's id", lambda: step(deployment="11" * 32), "another deployment"),
    (
        "new roots, signed by old and new",
        Change(ROOT_KEYS, ("rosa", "ruth", "ines", "iris")).raw,
        None,
    ),
    ("new roots, signed by the new only", Change(ROOT_KEYS, ("ines", "iris")).raw, "roots before"),
    (
        "new roots, signed by one old",
        Change(ROOT_KEYS, ("rosa", "ines", "iris")).raw,
        "roots before",
    ),
    ("new roots, signed by the old only", Change(ROOT_KEYS, ("rosa", "ruth")).raw, FEW_ROOTS),
    (
        "old roots that sign and are not named",
        Change({}, ("rosa", "ruth", "ines", "iris")).raw,
        SIGNATURE,
    ),
    (
        "one leaving root not named",
        Change(
            {name: ROOT_KEYS[name] for name in ("rosa", "ruth")},
            ("rosa", "ruth", "ines", "iris"),
        ).raw,
        "drops a root",
    ),
    (
        "another key under a root's name",
        lambda: makers.sign(
            canonical.dump(
                {**SECOND.draft, "roots": {**ROOT_KEYS, "rhea": makers.public(STRANGER)}}
            ),
            {**MADE.roots, "rhea": STRANGER},
        ),
        "drops a root",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "reason"), [row[1:] for row in STEPS], ids=[row[0] for row in STEPS]
)
def test_steps(make: Callable[[], bytes], reason: str | None) -> None:
    data = make()
    if reason is None:
        assert keyring.follow(MADE.keyring, [data]).version == 2
    else:
        with pytest.raises(BadKeyring, match=re.escape(reason)):
            keyring.follow(MADE.keyring, [data])


def test_nothing_real_follows_a_demo() -> None:
    """Anyone can sign as a demo's roots, and a step asks nobody to compare a fingerprint."""
    made = makers.make_deployment(demo=True)
    assert keyring.follow(made.keyring, [made.follow().raw]).demo
    with pytest.raises(BadKeyring, match="never follow each other"):
        keyring.follow(made.keyring, [made.follow(demo=False).raw])


def test_a_step_back_is_refused() -> None:
    with pytest.raises(BadKeyring, match="Keyring 1 does not follow keyring 2"):
        keyring.follow(SECOND.keyring, [RAW])


def test_a_chain_is_followed_and_a_gap_in_it_refused() -> None:
    third = SECOND.follow()
    assert keyring.follow(None, [RAW, SECOND.raw, third.raw]).version == 3
    assert keyring.follow(MADE.keyring, [SECOND.raw, third.raw]).version == 3
    for chain in ([RAW, third.raw], [RAW, third.raw, SECOND.raw], [SECOND.raw, RAW], []):
        with pytest.raises(BadKeyring):
            keyring.follow(None, chain)


def test_days() -> None:
    found = MADE.keyring  # 2026-11-16 to 2026-11-29
    installed.check_days(found, FIRST)
    installed.check_days(found, date(2026, 11, 29))
    with pytest.raises(BadKeyring, match="expired on 2026-11-29"):
        installed.check_days(found, date(2026, 11, 30))
    with pytest.raises(BadKeyring, match="still to come"):
        installed.check_days(found, date(2026, 11, 15))


def test_an_expired_keyring_is_still_a_step_in_a_chain() -> None:
    """Expiry counts for the last one only: parse and follow know no clock."""
    third = SECOND.follow(issued="2030-01-01", expires="2030-02-01")
    assert keyring.follow(MADE.keyring, [SECOND.raw, third.raw]).version == 3


def test_the_period_of_a_day() -> None:
    found = [MADE.keyring.period_of(FIRST + timedelta(days=day)) for day in (-1, 0, 6, 7, 13, 14)]
    names = [period.name if period else None for period in found]
    assert names == [None, "2026-w47", "2026-w47", "2026-w48", "2026-w48", None]
