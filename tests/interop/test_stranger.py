"""A reader written from docs/FORMAT.md alone, in another language, reads what this code writes.

It is ``tests/node/reader.mjs``. It shares no line with ``intake/``, and its age is typage.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from intake import canonical
from intake.bundle import BundleHeader, Entry
from intake.bundle.writing import write_bundle
from intake.envelope import TESTIMONY, Envelope, seal
from tests import random_casebooks
from tests.make_vectors import VECTORS
from tests.makers import FIRST, make_deployment
from tests.test_vectors import File, read_casebook

pytestmark = pytest.mark.interop

NODE = Path(__file__).parents[1] / "node"
DONE, DIFFERENCES, REFUSED = 0, 1, 4
BY_CHANCE = 600  # casebooks; their seeds are 0, 1, 2 …
KINDS = (
    "format",
    "example",
    "age",
    "envelope",
    "keyring",
    "bundle",
    "reply",
    "package",
    "event",
    "casebook",
)

MADE = make_deployment(weeks=1)
PERIOD = "2026-w47"
IDENTITY = MADE.periods[PERIOD].encode()
NONCE = bytes(range(32))
BODY = {
    "answers": {
        "words": "ဗိုလ်ကြီး က\u1037\u103a\nက\u103a\u1037 🕊️ \U0010ffff\uffff e\u0301",
        "signs": '\x00\x1b\x7f\t\u2028 "\\/',
        "many": ["", "ထွက်", "👩🏽‍🚒"],
        "\uffff": "this key sorts before the next, in UTF-16 after it",
        "\U0001f600": "an emoji's key",
    },
    "form": "cdm",
    "version": 1,
}
ROW = hmac.digest(NONCE, canonical.dump(BODY), hashlib.sha256)[:16]


def node(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program of ``tests/node``."""
    engine = Path(sys.executable).with_name("node")
    if not engine.exists() or not (NODE / "node_modules" / "age-encryption").is_dir():
        pytest.fail("Node or its packages are missing; run: make peers")
    command = [engine, NODE / program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def facts(*arguments: str | Path) -> Any:  # noqa: ANN401 - whatever a command prints
    """Return what the reader says of a file that it accepts."""
    ran = node("reader.mjs", *arguments)
    assert (ran.returncode, ran.stderr) == (DONE, "")
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return one file of each kind, as this code writes them."""
    folder = tmp_path_factory.mktemp("written")
    kinds = ("envelope", "keyring", "next", "bundle")
    paths = {kind: folder / kind for kind in kinds}
    envelope = Envelope(
        kind=TESTIMONY,
        day=FIRST,
        language="my",
        keyring=(1, MADE.keyring.sha256),
        case=bytes(range(16)),
        reply=bytes(range(32)),
        nonce=NONCE,
        body=BODY,
    )
    sealed = seal(envelope, MADE.periods[PERIOD].recipient())
    paths["envelope"].write_bytes(sealed)
    paths["keyring"].write_bytes(MADE.raw)
    paths["next"].write_bytes(MADE.follow(expires="2026-12-31").raw)
    header = BundleHeader(
        deployment=MADE.deployment,
        number=1,
        previous=bytes(32),
        period=PERIOD,
        keyring=(1, MADE.keyring.sha256),
        size=len(sealed),
        left=7,
    )
    entry = Entry(ROW, hashlib.sha256(sealed).digest())
    write_bundle(paths["bundle"], header, [entry], [sealed], MADE.bundle_key.sign)
    return paths


def arguments(kind: str, path: Path, files: dict[str, Path]) -> list[str | Path]:
    """Return the command line that reads a file of that kind."""
    more: dict[str, list[str | Path]] = {
        "envelope": ["--identity", IDENTITY, "--row", ROW.hex()],
        "keyring": [],
        "bundle": ["--keyring", files["keyring"]],
    }
    return [kind, path, *more[kind]]


def test_a_stranger_reads_the_words_that_were_typed(files: dict[str, Path]) -> None:
    read = facts(*arguments("envelope", files["envelope"], files))
    assert read["body"] == BODY
    assert read["body-sha256"] == hashlib.sha256(canonical.dump(BODY)).hexdigest()
    assert (read["kind"], read["day"]) == (TESTIMONY, FIRST.isoformat())
    assert read["case"] == bytes(range(16)).hex()


def test_a_stranger_refuses_a_row_under_another_id(files: dict[str, Path]) -> None:
    *same, _ = arguments("envelope", files["envelope"], files)
    assert node("reader.mjs", *same, bytes(16).hex()).returncode == REFUSED


def test_a_stranger_follows_the_chain_of_keyrings(files: dict[str, Path]) -> None:
    chain = (files["keyring"], files["next"])
    fingerprint = hashlib.sha256(files["next"].read_bytes().split(b"\n")[0]).hexdigest()
    expected = {"version": 2, "fingerprint": fingerprint, "signers": sorted(MADE.roots)}
    assert facts("keyring", *chain) == expected
    assert node("reader.mjs", "keyring", *reversed(chain)).returncode == REFUSED


def test_a_stranger_finds_every_envelope_of_a_bundle(files: dict[str, Path]) -> None:
    read = facts(*arguments("bundle", files["bundle"], files))
    assert (read["verdicts"], read["doubled"], read["stray"]) == (["ok"], 0, 0)
    assert read["rows"] == [[ROW.hex(), hashlib.sha256(files["envelope"].read_bytes()).hexdigest()]]
    assert (read["period"], read["left"]) == (PERIOD, 7)


def first(marker: bytes) -> Callable[[bytes], int]:
    """Return what finds the byte behind ``marker``."""
    return lambda data: data.index(marker) + len(marker)


def line(number: int) -> Callable[[bytes], int]:
    """Return what finds the last byte of a line, before its LF."""
    return lambda data: sum(len(part) + 1 for part in data.split(b"\n")[:number]) - 2


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        pytest.param("envelope", first(b"age-encryption.org/"), id="envelope-version"),
        pytest.param("envelope", first(b"mlkem768x25519 "), id="envelope-stanza"),
        pytest.param("envelope", first(b"\n--- "), id="envelope-mac"),
        pytest.param("envelope", lambda data: len(data) // 2, id="envelope-words"),
        pytest.param("envelope", lambda data: len(data) - 1, id="envelope-end"),
        pytest.param("keyring", first(b'"deployment":"'), id="keyring-deployment"),
        pytest.param("keyring", first(b'"name":"'), id="keyring-name"),
        pytest.param("keyring", line(2), id="keyring-signature"),
        pytest.param("bundle", first(b'"left":'), id="bundle-left"),
        pytest.param("bundle", line(2), id="bundle-signature"),
        pytest.param("bundle", line(3), id="bundle-list"),
    ],
)
def test_a_stranger_refuses_a_file_with_one_byte_changed(
    kind: str, place: Callable[[bytes], int], files: dict[str, Path], tmp_path: Path
) -> None:
    data = bytearray(files[kind].read_bytes())
    data[place(bytes(data))] ^= 1
    broken = tmp_path / kind
    broken.write_bytes(data)
    ran = node("reader.mjs", *arguments(kind, broken, files))
    assert (ran.returncode, ran.stdout) == (REFUSED, "")


def test_a_stranger_names_an_envelope_that_was_altered(
    files: dict[str, Path], tmp_path: Path
) -> None:
    data = bytearray(files["bundle"].read_bytes())
    data[-1] ^= 1
    broken = tmp_path / "bundle"
    broken.write_bytes(data)
    assert facts(*arguments("bundle", broken, files))["verdicts"] == ["altered"]


def test_a_stranger_judges_every_vector_as_its_file_says() -> None:
    ran = node("vectors.mjs")
    assert (ran.returncode, ran.stderr) == (DONE, ""), ran.stdout
    counts = [part.split() for part in ran.stdout.strip().split(", ")]
    assert [kind for kind, _, _, _ in counts] == list(KINDS)
    assert all(int(agreed) == int(count) > 0 for _, agreed, _, count in counts)


def test_a_stranger_makes_the_same_of_casebooks_by_chance(tmp_path: Path) -> None:
    """What our fold says of each stands in a vector; the stranger's must say so too."""
    (tmp_path / "casebook").mkdir()
    shutil.copytree(VECTORS / "keyring", tmp_path / "keyring")
    faults: Counter[str] = Counter()
    for seed in range(BY_CHANCE):
        body = random_casebooks.casebook(seed)
        file = File([("keyring", "quorum-of-all")], body, tmp_path)
        told, named = read_casebook(file)
        faults.update({key for key, value in told.items() if value not in {"-", "[]", "{}"}})
        told |= {"expect": "refused" if named else "accepted", "keyring": "quorum-of-all"}
        head = "".join(f"{key}: {value}\n" for key, value in told.items())
        (tmp_path / "casebook" / f"{seed}").write_bytes(head.encode() + b"\n" + body)
    ran = node("vectors.mjs", tmp_path)
    told_of = [line for line in ran.stdout.splitlines() if line.startswith("casebook ")]
    assert told_of == []
    assert f"casebook {BY_CHANCE} of {BY_CHANCE}" in ran.stdout
    assert min(faults.values()) > BY_CHANCE // 20, faults


def test_no_vectors_are_no_success(tmp_path: Path) -> None:
    ran = node("vectors.mjs", tmp_path)
    assert ran.returncode == DIFFERENCES
    assert ran.stdout.count(" 0 of 0") == len(KINDS) - 3
