"""Envelopes: whatever is inside, one size outside."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from cryptography.hazmat.backends.openssl.backend import backend
from hypothesis import given, settings
from hypothesis import strategies as st

from intake import canonical, envelope, form
from intake.age.identity import Identity
from intake.age.recipient import Recipient
from intake.age.unsealing import unseal
from intake.desk import opened
from intake.envelope import Envelope
from intake.errors import BadRequest, MachineTrouble
from intake.form import Form, Question
from intake.settings import FORM, ROOT

IDENTITY = Identity.from_seed(bytes(32))
RECIPIENT = IDENTITY.recipient()
TODAY = date(2026, 11, 18)
CDM = Form.load(FORM)
BLANK = Envelope(
    kind=envelope.TESTIMONY,
    day=TODAY,
    language="my",
    keyring=(999_999, b"\xff" * 32),
    case=b"\xee" * 16,
    reply=b"\xdd" * 32,
    nonce=b"\xcc" * 32,
    body={},
)
ZAWGYI = "\u1031\u1019\u107e\u1004\u1039\u1038"  # visual order, as old phones type it
LETTERS = [
    st.characters(min_codepoint=0x1000, max_codepoint=0x109F),  # Burmese, Mon, Karen, Shan
    st.characters(min_codepoint=0x1F300, max_codepoint=0x1FAFF),  # emoji
    st.characters(min_codepoint=1, max_codepoint=0x1F),  # six bytes each in JSON
    st.sampled_from(ZAWGYI + '"\\/\u2028\u202e\ufeff\x7f '),
    st.characters(min_codepoint=1, codec="utf-8"),
]


def typed(question: Question) -> st.SearchStrategy[dict[str, list[str]]]:
    """Return what a source can type into one question, and the form accepts."""
    if question.kind == "text":
        line = st.one_of(*(st.text(letters, max_size=40) for letters in LETTERS))
        # A short line again and again, cut at the limit: long texts without long examples.
        texts = st.tuples(line, st.sampled_from([1, 7, 5000])).map(
            lambda drawn: (drawn[0] * drawn[1])[: question.limit]
        )
        values = texts.map(lambda text: [text])
    elif question.kind == "many":
        codes = list(question.codes())
        values = st.one_of(st.lists(st.sampled_from(codes), unique=True), st.just(codes))
    elif question.kind == "date":
        names = question.names()
        return st.sampled_from([("", "", ""), ("2021", "2", ""), ("2021", "2", "1")]).map(
            lambda parts: {name: [part] for name, part in zip(names, parts, strict=True)}
        )
    else:
        answers = {"number": ["", "9" * question.limit, "\u1041"], "consent": ["yes", ""]}
        values = st.sampled_from(answers.get(question.kind) or ["", *question.codes()]).map(
            lambda value: [value]
        )
    if question.required:
        least = {"consent": "yes", "one": "".join(question.codes()[:1])}.get(question.kind, "")
        first = [least or (question.codes() or ("x",))[0]]
        values = values.map(lambda value: value if any(v.strip() for v in value) else first)
    return values.map(lambda value: {question.key: value})


FORMS = st.tuples(*map(typed, CDM.questions())).map(
    lambda parts: {name: value for part in parts for name, value in part.items()}
)


def told(**answers: str) -> form.Testimony:
    """Return what the form makes of these answers and of the least that it needs."""
    least = {q.key: ["yes" if q.kind == "consent" else q.codes()[0]] for q in needed()}
    accepted = CDM.validate(least | {key: [value] for key, value in answers.items()}, TODAY)
    assert isinstance(accepted, form.Testimony)
    return accepted


def needed() -> list[Question]:
    return [question for question in CDM.questions() if question.required]


def of(accepted: form.Testimony) -> Envelope:
    return replace(BLANK, body=accepted.as_object())


def lines(filled: Envelope) -> tuple[bytes, bytes]:
    """Return the envelope's line, and what follows its line feed."""
    line, _, rest = filled.plaintext().partition(b"\n")
    return line, rest


def room() -> int:
    """Return the bytes of content that fit a blank envelope of five-digit size."""
    return 32_768 - len(lines(replace(BLANK, kind="slice", content=bytes(10_000)))[0]) - 1


def test_the_sizes_that_the_format_names() -> None:
    assert envelope.PLAINTEXT == 32_768
    assert envelope.SEALED == 34_427
    assert len(envelope.seal(BLANK, RECIPIENT)) == 34_427


@given(FORMS)
def test_whatever_the_form_accepts_has_the_one_size(answers: dict[str, list[str]]) -> None:
    accepted = CDM.validate(answers, TODAY)
    assert isinstance(accepted, form.Testimony), accepted
    filled = of(accepted)
    plaintext = filled.plaintext()
    assert len(plaintext) == 32_768
    read = json.loads(plaintext)
    assert opened.testimony(read["body"]) == accepted
    assert canonical.dump(read) == lines(filled)[0]
    assert len(envelope.seal(filled, RECIPIENT)) == 34_427


def test_from_the_least_to_the_greatest_testimony_one_size() -> None:
    greatest = {question.key: question.greatest() for question in CDM.questions()}
    texts = [question.key for question in CDM.questions() if question.kind == "text"]
    filled = [
        of(told()),
        of(form.Testimony(CDM.id, CDM.version, greatest)),
        *(of(told(**{texts[-1]: words})) for words in ("မြန်မာ", ZAWGYI, "😀", "\x01\t", "x")),
    ]
    assert {len(each.plaintext()) for each in filled} == {32_768}
    sealed = [envelope.seal(each, RECIPIENT) for each in filled]
    assert {len(each) for each in sealed} == {34_427}
    for each, row in zip(filled, sealed, strict=True):
        assert unseal(row, [IDENTITY]) == each.plaintext()


@settings(max_examples=20)
@given(st.binary(max_size=200), st.sampled_from([1, 100, 163]))
def test_content_follows_the_line_as_it_is(part: bytes, times: int) -> None:
    content = (part * times)[: room()]
    line, rest = lines(replace(BLANK, kind="slice", content=content))
    read = canonical.load(line)
    assert isinstance(read, dict)
    assert read["size"] == len(content)
    assert rest == content + b" " * (32_768 - len(line) - 1 - len(content))


def test_content_fits_to_the_last_byte_and_not_one_more() -> None:
    brim = replace(BLANK, kind="slice", content=b"\xff" * room())
    assert brim.plaintext().endswith(b"\xff")
    assert len(envelope.seal(brim, RECIPIENT)) == 34_427
    for over in (room() + 1, 32_768, 1 << 20):
        with pytest.raises(BadRequest, match="does not fit") as caught:
            envelope.seal(replace(BLANK, kind="slice", content=b"\xff" * over), RECIPIENT)
        assert "Nothing was stored" in caught.value.hint
    with pytest.raises(BadRequest):
        replace(BLANK, body={"words": "x" * 32_768}).plaintext()


def test_the_line_says_everything_in_one_spelling() -> None:
    line, rest = lines(replace(BLANK, body={"b": "မြန်မာ", "a": []}))
    assert canonical.load(line) == {
        "body": {"a": [], "b": "မြန်မာ"},
        "case": "ee" * 16,
        "day": "2026-11-18",
        "keyring": {"sha256": "ff" * 32, "version": 999_999},
        "kind": "testimony",
        "language": "my",
        "nonce": "cc" * 32,
        "reply": "dd" * 32,
        "size": 0,
        "version": 1,
    }
    assert rest == b" " * len(rest)


def test_a_stock_parser_in_another_process_reads_it() -> None:
    script = "import json,sys; print(json.load(sys.stdin.buffer)['body']['words'])"
    words = "\u1019\u103c\u1014\u103a\u1019\u102c \U0001f600"
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8", "-c", script],
        input=replace(BLANK, body={"words": words}).plaintext(),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.decode().strip() == words


def test_two_seals_of_one_envelope_share_nothing_but_the_form_of_the_file() -> None:
    one, two = envelope.seal(BLANK, RECIPIENT), envelope.seal(BLANK, RECIPIENT)
    prefix = b"age-encryption.org/v1\n-> mlkem768x25519 "
    assert one.startswith(prefix)
    assert two.startswith(prefix)
    assert one[len(prefix) : len(prefix) + 32] != two[len(prefix) : len(prefix) + 32]
    assert one[-1000:] != two[-1000:]


def test_self_check_passes_and_keeps_nothing() -> None:
    envelope.self_check(RECIPIENT)


def test_self_check_finds_a_seal_of_another_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "seal_age", lambda plaintext, _: plaintext)
    with pytest.raises(MachineTrouble, match="wrong size"):
        envelope.self_check(RECIPIENT)


def test_a_platform_without_ml_kem_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "mlkem_supported", lambda: False, raising=True)
    with pytest.raises(MachineTrouble, match="has no ML-KEM-768") as caught:
        envelope.self_check(Recipient.parse(str(RECIPIENT)))
    assert "make setup" in caught.value.hint
    with pytest.raises(MachineTrouble, match="has no ML-KEM-768"):
        Identity.generate()
