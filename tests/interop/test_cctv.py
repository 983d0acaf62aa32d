"""Every public test vector of the format: C2SP/CCTV, from the npm package cctv-age.

Each is an age file with one feature or one fault. What must come out is not only the verdict but
its kind, and of a file that breaks off every byte that was whole until then.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import json
import zlib
from collections.abc import Callable

import pytest

from intake.age.armor import ArmorFailure, dearmor
from intake.age.classic import ClassicIdentity
from intake.age.header import HeaderFailure
from intake.age.identity import PREFIX as HYBRID_PREFIX
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.unsealing import AnyIdentity, MacFailure, PayloadFailure, unseal_stream
from intake.errors import NoMatchingKey, Refused
from tests.interop.peers import node

pytestmark = pytest.mark.interop

KINDS: dict[str, type[Refused]] = {
    "no match": NoMatchingKey,
    "HMAC failure": MacFailure,
    "header failure": HeaderFailure,
    "payload failure": PayloadFailure,
    "armor failure": ArmorFailure,
}
KNOWN = {"expect", "payload", "identity", "passphrase", "armored", "compressed"}
KNOWN |= {"file key", "comment"}


@functools.cache
def vectors() -> dict[str, bytes]:
    return {name: base64.b64decode(text) for name, text in json.loads(node("vectors")).items()}


def identity(text: str) -> AnyIdentity:
    hybrid = text.startswith(HYBRID_PREFIX)
    return Identity.parse(text) if hybrid else ClassicIdentity.parse(text)


def test_there_are_as_many_as_were_published() -> None:
    assert len(vectors()) == 143


@pytest.mark.parametrize("name", vectors())
def test_a_public_vector(name: str, record_property: Callable[[str, object], None]) -> None:
    record_property("vector", name)
    head, _, data = vectors()[name].partition(b"\n\n")
    lines = [line.partition(": ")[::2] for line in head.decode().splitlines()]
    facts, keys = dict(lines), [(key, value) for key, value in lines]
    assert facts.keys() <= KNOWN
    identities: list[AnyIdentity] = [identity(value) for key, value in keys if key == "identity"]
    identities += [Passphrase(value) for key, value in keys if key == "passphrase"]
    if facts.get("compressed"):
        data = zlib.decompress(data)
    sink = io.BytesIO()
    verdict = "success"
    try:
        binary = dearmor(data) if facts.get("armored") else data
        unseal_stream(io.BytesIO(binary), sink, identities)
    except Refused as refused:
        verdict = next(kind for kind, error in KINDS.items() if isinstance(refused, error))
    assert verdict == facts["expect"]
    if "payload" in facts:
        assert hashlib.sha256(sink.getvalue()).hexdigest() == facts["payload"]
    else:
        assert not sink.getvalue()
