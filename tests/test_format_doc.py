"""docs/FORMAT.md and docs/vectors/ say what the code does; docs/ names what is there.

Rules:
- Every block of FORMAT.md marked ``vector`` has a test here, which recomputes it, or compares it
  with what the code writes. A block without a test fails, and so does a test without a block.
- The examples are opened by the code that reads such files, and made anew in the test, so a changed
  format shows. After a change that is meant: ``python -m tests.test_format_doc`` writes them again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from mnemonic import Mnemonic

from intake import (
    canonical,
    days,
    envelope,
    errors,
    files,
    installed,
    keyring,
    locked,
    quorum,
    receipt,
    reply,
    signatures,
    words,
)
from intake import store as stores
from intake.admin import setup
from intake.age.identity import Identity
from intake.age.passphrase import Passphrase
from intake.age.recipient import Recipient
from intake.age.sealing import seal
from intake.age.unsealing import unseal
from intake.bundle import (
    MAX_COUNT,
    MAX_LINE,
    MAX_SIZE,
    PART,
    SIGNERS,
    BundleHeader,
    Entry,
    ReturnHeader,
    fits,
)
from intake.bundle.reading import open_bundle, open_return
from intake.bundle.writing import write_bundle
from intake.ceremony import card, holder
from intake.desk import (
    acknowledging,
    casebook,
    cases,
    chain,
    copying,
    deciding,
    importing,
    opened,
    state,
)
from intake.desk.present import Present
from intake.server import mailbox, typed
from intake.settings import ROOT, Settings
from intake.wording import OFFERED
from tests.makers import FIRST, Deployment, identity, make_deployment, sealed_size

EXAMPLES = ROOT / "docs" / "vectors"
pytestmark = pytest.mark.usefixtures("slow_step")  # the examples have the real cost

TEXT = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^```vector (\S+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
EXAMPLES_OF_PATHS = {"docs/adr/NNNN-short-name.md", "intake/locale/shn/LC_MESSAGES/intake.po"}
PERIOD = "2026-w47"
PASSPHRASE = Passphrase("an example, not a secret", 10)


def table(name: str) -> dict[str, str]:
    """Return a block's lines as first word -> rest."""
    pairs = [line.partition(" ") for line in BLOCKS[name].splitlines()]
    assert len({first for first, _, _ in pairs}) == len(pairs), f"{name} names something twice"
    return {first: rest.strip() for first, _, rest in pairs}


def names(block: str) -> set[str]:
    return set(table(block))


def deployment() -> Deployment:
    return make_deployment(weeks=1, reviewers=2)


def sent() -> tuple[bytes, envelope.Envelope]:
    """Return row id and envelope of the example."""
    made, vector = deployment(), table("receipt")
    seed = bytes.fromhex(vector["seed"])
    body = canonical.load(vector["body"].encode())
    reply = receipt.reply_secret(made.deployment, receipt.receipt(seed))
    row = receipt.submission_id(receipt.nonce(seed), canonical.dump(body))
    return row, envelope.Envelope(
        kind=envelope.TESTIMONY,
        day=FIRST,
        language="my",
        keyring=(made.keyring.version, made.keyring.sha256),
        case=receipt.case_tag(reply),
        reply=reply,
        nonce=receipt.nonce(seed),
        body=body,
    )


def came_later() -> list[envelope.Envelope]:
    """Return what the example's source sent later: words, and a file of a slice and an end."""
    first, content = sent()[1], "ဓာတ်ပုံ 🕊\n".encode() * 3
    told = {"number": 1, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    bodies: list[tuple[str, str, object, bytes]] = [
        (envelope.WORDS, "words", {"words": "နောက်ထပ် စကား"}, b""),
        (envelope.SLICE, "file", {"number": 0}, content),
        (envelope.SLICE, "file", {"name": "ဓာတ်ပုံ.txt", **told}, b""),
    ]
    return [
        replace(first, kind=kind, body=body, content=data, nonce=named("nonce", name))
        for kind, name, body, data in bodies
    ]


def named(what: str, name: str) -> bytes:
    """Return 32 bytes that follow from a name."""
    return hashlib.sha256(f"{what} {name}".encode()).digest()


def make_examples(folder: Path, work: Path) -> None:
    """Write every example into ``folder``; ``work`` is for what is on the way."""
    made = deployment()
    files.write(folder / "keyring", made.raw, files.PUBLIC)
    files.write(folder / "locked.age", seal(b"00" * 32 + b"\n", [PASSPHRASE]))
    make_package(folder / PERIOD, made)
    rows = sorted([sent()[1], *came_later()], key=lambda one: one.row)
    sealed = [envelope.seal(one, made.periods[PERIOD].recipient()) for one in rows]
    header = BundleHeader(
        deployment=made.deployment,
        number=1,
        previous=bytes(32),
        period=PERIOD,
        keyring=(made.keyring.version, made.keyring.sha256),
        size=envelope.SEALED,
        left=0,
    )
    pairs = zip(rows, sealed, strict=True)
    entries = [Entry(one.row, hashlib.sha256(data).digest()) for one, data in pairs]
    bundle = folder / header.name
    write_bundle(bundle, header, entries, sealed, made.bundle_key.sign)
    present = [make_present(work, made, name) for name in made.reviewers]
    with (
        mock.patch.object(days, "clock", return_value=FIRST),
        mock.patch.object(importing, "BATCH", 3),
    ):
        book = casebook.create(work / "casebook", made.raw, "desk-a")
        importing.run(book, bundle, folder / PERIOD, present)
        answer = {"id": named("reply", "").hex()[:32], "note": "ဖတ်ပြီးပါပြီ။ ဘယ်နေ့ကလဲ။"}
        deciding.write(book, [deciding.Draft(sent()[1].case, "replied", answer)], present[1])
        copying.copy(book, work / "second")
        out = folder / header.name.replace(".bundle", ".return")
        acknowledging.run(book, work / "second", present, out)
        make_decisions(book, present[1])
    for name in ("alice.desk-a", "bob.desk-a"):
        files.write(folder / name, (book.folder / "chains" / name).read_bytes())
    files.write(folder / "drafts", (book.folder / "drafts" / "bob.desk-a").read_bytes())


def make_decisions(book: casebook.Casebook, bob: Present) -> None:
    """Let bob decide, seal the case again, say that its source withdrew, and not yet sign more."""
    tag, note = sent()[1].case, "မေးခွန်း ပို့ပြီး 🕊"
    decisions = [
        deciding.Draft(tag, "decided", {"note": note, "state": "contacted"}, ("asked",)),
        deciding.Draft(tag, "marked", {"mark": "inside", "note": "", "on": True}, ("vouched",)),
        deciding.Draft(tag, "assigned", {"assigned": ["alice", "bob"]}),
    ]
    for draft in (*decisions, deciding.Draft(tag, "withdrawn", {"note": ""})):
        deciding.write(book, [draft], bob)
    kept = deciding.Drafts.load(book, bob.name, bob.quarters())
    for draft in decisions:
        kept.add(draft)
    kept.seen.add(tag)
    kept.save()


def make_package(folder: Path, made: Deployment) -> None:
    """Write the period's package; the ceremony's own tool would draw another identity."""
    folder.mkdir()
    period, people = made.keyring.periods[0], made.keyring.reviewers
    secret = made.periods[PERIOD].encode().encode() + b"\n"
    for one in reversed(people):
        secret = seal(secret, [Recipient.parse(one.quorum)])
    files.write(folder / "alice+bob.age", secret, files.PUBLIC)
    facts = {
        "first": str(period.first),
        "format": quorum.FORMAT,
        "last": str(period.last),
        "name": PERIOD,
        "quorum": 2,
        "recipient": period.recipient,
        "reviewers": [one.name for one in people],
        "secret": quorum.PERIOD,
    }
    files.write(folder / "package.json", canonical.dump(facts), files.PUBLIC)
    for name, signature in period.attestations.items():
        line = signatures.signature_line(name, signature)
        files.write(folder / f"attestation-{name}", line, files.PUBLIC)


def make_present(work: Path, made: Deployment, name: str) -> Present:
    """Write a reviewer's folder, and return them as present."""
    own, folder = made.reviewers[name], work / name
    folder.mkdir()
    locked.lock(folder / "signing.age", own.signing.private_bytes_raw().hex(), PASSPHRASE)
    locked.lock(folder / "quorum.age", own.quorum.encode(), PASSPHRASE)
    for quarter, key in own.quarters.items():
        locked.lock(folder / f"{quarter}.age", key.encode(), PASSPHRASE)
    found = made.keyring.reviewer(name)
    assert found is not None
    return Present(folder, found, PASSPHRASE)


def example_chain(path: Path) -> chain.Chain:
    """Return the chain in ``path``, read with the keys of everyone."""
    made = deployment()
    keys = [key for own in made.reviewers.values() for key in own.quarters.values()]
    return chain.read(path, keys, [made.keyring])


def test_every_block_has_a_test() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert {name for name in BLOCKS if f'"{name}"' not in source} == set()


def test_exit_codes() -> None:
    assert names("exit-codes") == {"0", *(str(k.exit) for k in errors.Refused.__subclasses__())}
    for code, meaning in table("exit-codes").items():
        assert re.search(rf"^{code}\s+{re.escape(meaning)}", str(errors.__doc__), re.MULTILINE)


def test_contexts() -> None:
    found = {" ".join(line.split()[:3]) + "\n" for line in BLOCKS["contexts"].splitlines()}
    row, example = sent()
    header = ReturnHeader(deployment=row * 2, number=1, keyring=example.keyring)
    bundle = BundleHeader(
        deployment=row * 2,
        number=1,
        keyring=example.keyring,
        previous=bytes(32),
        period=PERIOD,
        left=0,
    )
    statements = {one.statement().split(b"{")[0] for one in (header, bundle)}
    contexts = {keyring.CONTEXT, keyring.ATTESTATION, card._CONTEXT, chain.CONTEXT} | statements
    assert {one.encode() for one in found} == contexts


@pytest.mark.parametrize("line", BLOCKS["canonical-accepted"].splitlines())
def test_canonical_accepted(line: str) -> None:
    assert canonical.dump(canonical.load(line.encode())) == line.encode()


@pytest.mark.parametrize("line", BLOCKS["canonical-refused"].splitlines())
def test_canonical_refused(line: str) -> None:
    with pytest.raises(errors.BadFile):
        canonical.load(line.encode())


def test_age_key() -> None:
    vector = table("age-key")
    key = Identity.from_seed(bytes.fromhex(vector["seed"]))
    recipient = str(key.recipient())
    assert key.encode() == vector["identity"]
    assert len(recipient) == int(vector["recipient-length"])
    assert hashlib.sha256(recipient.encode()).hexdigest() == vector["recipient-sha256"]


@pytest.mark.parametrize("line", BLOCKS["age-sizes"].splitlines())
def test_age_sizes(line: str) -> None:
    vector = {key: int(value) for key, value in re.findall(r"([a-z]+)=(\d+)", line)}
    count, size = vector["recipients"], vector["plaintext"]
    chunks = max(1, -(-size // 65536))
    assert vector["size"] == sealed_size(size, count) == 70 + 1557 * count + 16 + size + 16 * chunks


@pytest.mark.parametrize("line", BLOCKS["passphrase-spelling"].splitlines())
def test_passphrase_spelling(line: str) -> None:
    """What was typed locks with the bytes that the document names: opened here without our code."""
    typed, used = ("".join(chr(int(c, 16)) for c in word.split("+")) for word in line.split())
    salt = bytes(16)
    sealed = Passphrase(typed, 10).cipher(salt, 10).encrypt(bytes(12), b"file key", None)
    key = hashlib.scrypt(
        used.encode(), salt=b"age-encryption.org/v1/scrypt" + salt, n=1 << 10, r=8, p=1, dklen=32
    )
    assert ChaCha20Poly1305(key).decrypt(bytes(12), sealed, None) == b"file key"


def test_receipt() -> None:
    vector = table("receipt")
    seed = bytes.fromhex(vector["seed"])
    nonce, digits = receipt.nonce(seed), receipt.receipt(seed)
    reply = receipt.reply_secret(bytes.fromhex(vector["deployment"]), digits)
    assert vector == {
        "seed": seed.hex(),
        "deployment": vector["deployment"],
        "nonce": nonce.hex(),
        "receipt": digits,
        "groups": " ".join(receipt.groups(digits)),
        "reply-secret": reply.hex(),
        "case-tag": receipt.case_tag(reply).hex(),
        "body": vector["body"],
        "row-id": receipt.submission_id(nonce, vector["body"].encode()).hex(),
    }


def test_decoy() -> None:
    vector = table("decoy")
    made = bytes.fromhex(vector["nonce"])
    place = (FIRST, "my", (1, bytes(32)), bytes(16), bytes(32))
    row = envelope.Envelope(envelope.DECOY, *place, made, {}).row
    assert vector["words"] == "decoy LF {}"
    assert row == receipt.submission_id(made, b"decoy\n{}")
    assert vector["row-id"] == row.hex()
    assert opened.is_decoy(row, made)


def test_check_digit() -> None:
    *steps, last = BLOCKS["check-digit"].splitlines()
    product, digits = 10, ""
    for step in steps:
        digit, total, after = map(int, re.findall(r"=(\d+)", step))
        assert total == ((product + digit) % 10 or 10)
        assert after == 2 * total % 11
        product, digits = after, digits + str(digit)
    assert f"For `{digits}`:" in TEXT
    assert last == f"check digit {receipt.check_digit(digits)}"


def test_receipt_typed() -> None:
    points = {
        key: "".join(chr(int(point, 16)) for point in line.split())
        for key, line in table("receipt-spelling").items()
    }
    assert points == {"zeros": typed.ZEROS, "spacers": typed.SPACERS}
    assert f"at most {typed.LONGEST} code points" in TEXT
    for line in BLOCKS["receipt-typed"].splitlines():
        given, read = line.rsplit(None, 1)
        assert str(typed.read(given)).lower() == read, line


def test_mailbox() -> None:
    """Step by step with other people's code; then as ours makes it."""
    vector, above = table("mailbox"), table("receipt")
    assert vector["reply-secret"] == above["reply-secret"]
    secret, salt = (bytes.fromhex(above[key]) for key in ("reply-secret", "deployment"))
    key = hashlib.scrypt(secret, salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 26, dklen=32)
    where, seed, notice = (
        HKDF(SHA256(), 32, b"", f"intake {label} 1".encode()).derive(key)
        for label in ("mailbox", "replies", "notice")
    )
    recipient = str(Identity.from_seed(seed).recipient()).encode()
    assert vector == {
        "reply-secret": above["reply-secret"],
        "mailbox": where[:16].hex(),
        "seed": seed.hex(),
        "notice": notice[:16].hex(),
        "recipient-sha256": hashlib.sha256(recipient).hexdigest(),
    }
    assert reply.mailbox(salt, secret) == reply.Mailbox(where[:16], seed, notice[:16])


def test_reply() -> None:
    assert names("reply-kinds") == reply.KINDS
    assert table("reply-sizes") == {
        "plaintext": str(reply.PLAINTEXT),
        "sealed": str(reply.SEALED),
        "text": str(reply.TEXT),
    }
    plaintext = reply.Reply(reply.REPLY, FIRST, 1, "😀" * reply.TEXT).plaintext()
    assert json.loads(plaintext).keys() == names("reply-fields")
    assert f"at most {reply.TEXT:,} code points; empty in a notice" in TEXT


def test_envelope() -> None:
    assert names("envelope-kinds") == set(envelope.KINDS)
    assert table("envelope-sizes") == {
        "plaintext": str(envelope.PLAINTEXT),
        "sealed": str(envelope.SEALED),
        "content": str(envelope.CONTENT),
    }
    plaintext = sent()[1].plaintext()
    line: Any = canonical.load(plaintext.split(b"\n", 1)[0])
    assert line.keys() == names("envelope-fields")
    assert json.loads(plaintext) == line
    languages = table("envelope-fields")["language"].partition("one of ")[2]
    assert languages.split(", ") == list(OFFERED)


def test_store() -> None:
    lines = [line.split()[:2] for line in BLOCKS["store-tables"].splitlines()]
    columns = [[t.name, c.name] for t in stores.metadata.sorted_tables for c in t.columns]
    assert sorted(lines) == sorted(columns)
    on_disk = [pragma for pragma in stores._PRAGMAS if not pragma.startswith("busy_timeout=")]
    assert BLOCKS["store-pragmas"].splitlines() == on_disk


def test_server_files(tmp_path: Path) -> None:
    settings, made = Settings(tmp_path / "data", tmp_path / "keys"), deployment()
    setup.init(settings)
    installed.write_record(settings, made.raw)
    days.write_floor(settings, FIRST)
    assert {path.name for path in settings.data.iterdir()} == names("server-files")
    record: Any = canonical.load(settings.installed.read_bytes())
    assert record.keys() == names("installed-fields")


def test_keyring() -> None:
    made = deployment()
    draft: Any = made.draft
    assert names("keyring-fields") == keyring.FIELDS == draft.keys()
    assert names("period-fields") == draft["periods"][0].keys()
    assert names("reviewer-fields") == draft["reviewers"][0].keys()
    example = keyring.parse((EXAMPLES / "keyring").read_bytes())
    assert (EXAMPLES / "keyring").read_bytes() == made.raw
    assert table("keyring-example") == {
        "size": str(len(made.raw)),
        "fingerprint": example.sha256.hex(),
        "signers": " ".join(sorted(example.signers)),
        "quorum": str(example.quorum),
    }


def test_fingerprint_words() -> None:
    """By hand, from the list alone; then as the code says it."""
    vector = table("fingerprint-words")
    assert vector["sha256"] == table("keyring-example")["fingerprint"]
    data = bytes.fromhex(vector["bytes"])
    assert vector["sha256"].startswith(vector["bytes"])
    assert len(data) == 20
    checksum = int.from_bytes(hashlib.sha256(data).digest()) >> 251
    assert vector["checksum"] == f"{checksum:05b}"
    number = int.from_bytes(data) << 5 | checksum
    places = [number >> shift & 2047 for shift in range(154, -1, -11)]
    assert vector["places"] == " ".join(map(str, places))
    listed = Mnemonic("english").wordlist
    text = "".join(f"{word}\n" for word in listed)
    assert f"`{hashlib.sha256(text.encode()).hexdigest()}`" in TEXT
    said = [listed[place] for place in places]
    assert vector["words"].replace(",", "").split() == said
    assert vector["words"] == words.fingerprint(bytes.fromhex(vector["sha256"]))


def test_cards_and_locked_files(tmp_path: Path) -> None:
    holder.make_reviewer(tmp_path / "alice", "A body", ["2026q4"], PASSPHRASE, demo=False)
    holder.make_root(tmp_path / "rosa", PASSPHRASE, demo=False)
    made = {path.name for path in (tmp_path / "alice").iterdir()}
    assert names("locked-files") | {card.NAME} == made
    for name, kind in (("alice", card.REVIEWER), ("rosa", card.ROOT)):
        found: Any = canonical.load((tmp_path / name / card.NAME).read_bytes())
        block = table("reviewer-card-fields" if name == "alice" else "root-card-fields")
        assert found.keys() == block.keys()
        assert block["format"] == f'"{kind}"'
        assert card.read(tmp_path / name, kind).name == name


def test_package() -> None:
    made, folder = deployment(), EXAMPLES / PERIOD
    assert names("package-fields") == quorum.FIELDS | {"first", "last"}
    keys = {name: own.quorum for name, own in made.reviewers.items()}
    expected = made.keyring.periods[0].recipient
    assert quorum.open_package(folder, keys, expected) == made.periods[PERIOD]
    (period,) = made.keyring.periods
    for path in folder.glob("attestation-*"):
        name, signature = signatures.split_signature(path.read_bytes().removesuffix(b"\n"))
        assert period.attestations[name] == signature


def test_bundle_and_return() -> None:
    made = deployment()
    (bundle,), (returned,) = EXAMPLES.glob("*.bundle"), EXAMPLES.glob("*.return")
    for path, block in ((bundle, "bundle-fields"), (returned, "return-fields")):
        first: Any = canonical.load(path.read_bytes().split(b"\n", 1)[0])
        assert first.keys() == names(block)
    row, example = sent()
    everything = {row: example} | {one.row: one for one in came_later()}
    with open_bundle(bundle, made.keyring.bundle_key, made.deployment) as file:
        for entry, sealed, verdict in file:
            found = opened.parse(unseal(sealed or b"", [made.periods[PERIOD]]))
            assert (found, verdict) == (everything.pop(entry.id), "ok")
            assert opened.is_bound(entry.id, found)
    assert not everything
    box = reply.mailbox(made.deployment, example.reply)
    key = Identity.from_seed(box.seed)
    with open_return(returned, made.keyring) as back:
        assert back.acknowledged == file.entries
        told = {one.id: mailbox.parse(unseal(sealed or b"", [key])) for one, sealed, _ in back}
    assert {one.mailbox for one in back.entries} == {box.id}
    assert sorted((one.kind, one.number) for one in told.values()) == [("notice", 0), ("reply", 1)]
    assert told.pop(box.notice).text == ""
    assert told.keys() == {named("reply", "")[:16]}
    assert table("bundle-limits") == {
        "file-bytes": str(PART),
        "line-1-bytes": str(MAX_LINE),
        "list-lines": str(MAX_COUNT),
        "piece-bytes": str(MAX_SIZE),
        "envelopes": str(fits(envelope.SEALED)),
        "signers": str(SIGNERS),
    }


def test_casebook() -> None:
    read = {name: example_chain(EXAMPLES / name) for name in ("alice.desk-a", "bob.desk-a")}
    events = [event for one in read.values() for event in one.events.values()]
    assert names("event-fields") == json.loads(events[0].line()).keys()
    assert names("row-verdicts") == set(state.VERDICTS)
    assert names("event-kinds") == state._KINDS.keys()
    found = {str(event.what["kind"]): event for event in events}
    cases_of_decisions = table("decision-fields").keys() - {"duplicate"}
    for kind, fields in table("event-kinds").items():
        more = names("acknowledged-fields") if kind == "acknowledged" else set()
        assert set(found[kind].what) == more | set(fields.split())
        assert (found[kind].case is not None) == (kind in cases_of_decisions)
    received = names("received-fields")
    for kind, known in (("received", received), ("resealed", received | names("resealed-fields"))):
        for row in found[kind].what["rows"]:
            told = row.keys() - known
            assert told == ({"slice"} if row["envelope"] == "slice" else set())
            assert not told or row["slice"].keys() == names("slice-fields")
    folded = state.fold(read)
    assert folded.faults == [fault for one in read.values() for fault in one.faults] == []
    row, example = sent()
    case = folded.cases[example.case]
    assert {one.id for one in case.received} == {row, *(one.row for one in came_later())}
    assert {one.part and (one.part.number, one.part.end) for one in case.received} == {
        None,
        (0, False),
        (1, True),
    }
    assert [told.note for told in case.replies.values()] == ["ဖတ်ပြီးပါပြီ။ ဘယ်နေ့ကလဲ။"]
    assert [case.sent_in(told) for told in case.replies.values()] == [*folded.heard.values()]
    assert (case.state, sorted(case.marks), case.hidden) == ("contacted", ["inside"], True)


def test_decisions() -> None:
    codes = {code: line.split() for code, line in table("decision-codes").items()}
    assert [c for c, line in codes.items() if line[0] == "state"] == list(cases.STATES)
    assert [c for c, line in codes.items() if line[0] == "mark"] == list(cases.MARKS)
    offered = {code: tuple(line[1:]) for code, line in codes.items() if line[1:]}
    assert offered == cases.OFFERED
    assert table("decision-labels") == {**cases.STATES, **cases.MARKS, **cases.GROUNDS}
    assert f"at most {cases.NOTE:,} code points" in TEXT
    values = {"note": "x", "state": "partial", "mark": "inside", "on": False, "of": "00" * 16}
    values["id"] = "00" * 16
    assert f"at most {reply.TEXT:,} code points" in TEXT
    for kind, fields in table("decision-fields").items():
        what = {field: values[field] for field in fields.split() if field != "kind"}
        what |= {"kind": "marked", "mark": kind} if kind == "duplicate" else {"kind": kind}
        cases.check(what, ())
        for field in what:
            with pytest.raises((ValueError, LookupError)):
                cases.check({name: value for name, value in what.items() if name != field}, ())


def test_drafts() -> None:
    bob = deployment().reviewers["bob"].quarters["2026q4"]
    line, mark, end = unseal((EXAMPLES / "drafts").read_bytes(), [bob]).split(b"\n")
    found: Any = canonical.load(line)
    assert found.keys() == names("drafts-fields")
    assert f'"{found["format"]}"' == table("drafts-fields")["format"]
    message = f"{found['format']}\n".encode() + line
    assert hmac.digest(bob.encode().encode(), message, "sha256").hex().encode() == mark
    assert end == b""
    assert [kind for _, kind, _, _ in found["pending"]] == ["decided", "marked", "assigned"]
    assert found["seen"] == [sent()[1].case.hex()]


def test_locked_example() -> None:
    assert unseal((EXAMPLES / "locked.age").read_bytes(), [PASSPHRASE]) == b"00" * 32 + b"\n"


def test_the_examples_are_those_that_the_code_makes(tmp_path: Path) -> None:
    made, work = tmp_path / "made", tmp_path / "work"
    made.mkdir()
    work.mkdir()
    make_examples(made, work)
    listed = {str(p.relative_to(made)) for p in made.rglob("*") if p.is_file()}
    there = {str(p.relative_to(EXAMPLES)) for p in EXAMPLES.rglob("*") if p.is_file()}
    assert listed == there == names("example-files")
    # Sealing draws its own chance. What is not sealed must be the same, byte for byte.
    same = {
        name for name in listed if not re.search(r"\.(age|bundle|return)$|desk-a$|drafts$", name)
    }
    for name in same:
        assert (made / name).read_bytes() == (EXAMPLES / name).read_bytes(), name
    for name in listed - same - {next(n for n in listed if n.endswith(".return"))}:
        assert (made / name).stat().st_size == (EXAMPLES / name).stat().st_size, name
    for name in ("alice.desk-a", "bob.desk-a"):
        again, before = example_chain(made / name), example_chain(EXAMPLES / name)
        assert [e.what["kind"] for e in again.events.values()] == [
            e.what["kind"] for e in before.events.values()
        ]


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_every_test_and_file_that_a_document_names_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tests = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert {name for name in named if f"def {name}(" not in tests} == set()
    # What begins with a slash lies on a host.
    ours = r"(?<![\w/])(?:intake|deploy|docs|tests|templates)/[\w/.-]*\.[a-z]+\b"
    files = set(re.findall(ours, text))
    assert {name for name in files - EXAMPLES_OF_PATHS if not (ROOT / name).exists()} == set()


def test_the_seeds_are_named_as_the_document_says() -> None:
    assert identity("alice quorum").seed == hashlib.sha256(b"identity alice quorum").digest()
    assert deployment().reviewers["alice"].quorum == identity("alice quorum")
    assert deployment().periods[PERIOD] == identity(PERIOD)
    assert deployment().archive == identity("archive")


if __name__ == "__main__":
    import shutil
    import tempfile

    shutil.rmtree(EXAMPLES, ignore_errors=True)
    EXAMPLES.mkdir()
    with tempfile.TemporaryDirectory() as name:
        make_examples(EXAMPLES, Path(name))
