"""Canonical JSON: every value has one spelling, and every other spelling is refused."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intake import canonical
from intake.errors import BadFile

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers(-(10**15) + 1, 10**15 - 1) | TEXT
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
).filter(lambda value: depth(value) <= canonical.MAX_DEPTH)

SAME_VALUE = {
    "space after the colon": b'{"a": 1}',
    "space after the comma": b"[1, 2]",
    "space before": b" 1",
    "line feed after": b"1\n",
    "key order": b'{"b":1,"a":2}',
    "doubled key": b'{"a":1,"a":1}',
    "doubled key, other value": b'{"a":1,"a":2}',
    "escaped ASCII": b'"\\u0061"',
    "escaped slash": b'"\\/"',
    "escaped Burmese": b'"\\u1019"',
    "escaped emoji": b'"\\ud83d\\ude00"',
    "upper-case escape": b'"\\u001F"',
    "long escape of a tab": b'"\\u0009"',
    "escaped key": b'{"\\u0061":1}',
    "minus zero": b"-0",
    "leading zero": b"01",
    "plus": b"+1",
    "float": b"1.0",
    "float that is none": b"0.5",
    "exponent": b"1e3",
    "NaN": b"NaN",
    "infinity": b"Infinity",
    "minus infinity": b"-Infinity",
    "float in an object": b'{"a":[1.0]}',
    "BOM": b"\xef\xbb\xbf1",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "lone surrogate": b'"\\ud800"',
    "lone surrogate in bytes": b'"\xed\xa0\x80"',
    "lone surrogate as a key": b'{"\\udfff":1}',
    "overlong UTF-8": b'"\xc0\x80"',
    "bad UTF-8": b'"\xff"',
    "raw control character": b'"\x01"',
    "sixteen digits": b"1000000000000000",
    "minus sixteen digits": b"-1000000000000000",
    "five thousand digits": b"1" * 5000,
    "other words for true": b"True",
    "single quotes": b"'a'",
    "trailing comma": b"[1,]",
    "comment": b"[1/**/]",
    "two values": b"1 2",
    "nothing": b"",
    "thirteen deep": b"[" * 13 + b"]" * 13,
    "deep in objects": b'{"a":' * 13 + b"1" + b"}" * 13,
    "endlessly deep": b"[" * 200_000 + b"]" * 200_000,
}
HAVE_NO_FORM: dict[str, object] = {
    "float": 1.0,
    "float inside": {"a": [0.5]},
    "NaN": float("nan"),
    "infinity": float("inf"),
    "sixteen digits": 10**15,
    "minus sixteen digits": -(10**15),
    "lone surrogate": "\ud800",
    "number as a key": {1: 2},
    "true as a key": {True: 1},
    "null as a key": {None: 1},
    "thirteen deep": json.loads("[" * 13 + "]" * 13),
    "a time": datetime(2026, 11, 22, tzinfo=UTC),
    "bytes that change": bytearray(1),
    "bytes as a key": {b"a": 1},
    "a set": {1},
}


def depth(value: Any) -> int:  # noqa: ANN401 - JSON
    """Count the containers around the innermost value."""
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


def same(one: Any, two: Any) -> bool:  # noqa: ANN401 - JSON
    """Compare as JSON does: unlike Python, true is not 1."""
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return bool(one == two)


@given(VALUES)
def test_what_is_dumped_is_loaded(value: canonical.Value) -> None:
    data = canonical.dump(value)
    assert same(canonical.load(data), value)
    assert same(json.loads(data), value)


@given(VALUES, st.randoms(use_true_random=False))
def test_every_other_spelling_of_a_value_is_refused(value: Any, random: Any) -> None:  # noqa: ANN401
    data = canonical.dump(value)
    other = json.dumps(
        shuffled(value, random),
        ensure_ascii=random.random() < 0.5,
        indent=random.choice((None, 1)),
        separators=random.choice(((",", ":"), (", ", ":"), (",", ": "))),
    ).encode()
    if other == data:
        assert same(canonical.load(other), value)
    else:
        with pytest.raises(BadFile):
            canonical.load(other)


@given(VALUES, st.data())
def test_no_altered_byte_gives_the_same_value(value: canonical.Value, data: st.DataObject) -> None:
    spelled = bytearray(canonical.dump(value))
    place = data.draw(st.integers(0, len(spelled) - 1))
    spelled[place] ^= data.draw(st.integers(1, 255))
    try:
        loaded = canonical.load(bytes(spelled))
    except BadFile:
        return
    assert not same(loaded, value)
    assert canonical.dump(loaded) == spelled


@given(st.binary(max_size=40))
def test_of_any_bytes_only_the_canonical_load(data: bytes) -> None:
    with contextlib.suppress(BadFile):
        assert canonical.dump(canonical.load(data)) == data


@pytest.mark.parametrize("data", SAME_VALUE.values(), ids=SAME_VALUE.keys())
def test_refused_spelling(data: bytes) -> None:
    with pytest.raises(BadFile) as caught:
        canonical.load(data)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("value", HAVE_NO_FORM.values(), ids=HAVE_NO_FORM.keys())
def test_what_could_not_be_read_back_is_not_written(value: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        canonical.dump(value)


def test_the_edges_that_are_allowed() -> None:
    for data in (b"[" * 12 + b"]" * 12, b"999999999999999", b"-999999999999999", b'"\x7f"'):
        assert canonical.dump(canonical.load(data)) == data
    assert canonical.dump({"b": (1, True), "a": "မြန်မာ\u2028/\x1f"}) == (
        '{"a":"မြန်မာ\u2028/\\u001f","b":[1,true]}'.encode()
    )
    assert type(canonical.load(b"1")) is int
    assert canonical.load(b"true") is True


def test_bytes_are_written_as_hex_and_days_as_days() -> None:
    value = {"hash": (1, b"\x00\xff"), "none": b"", "day": date(2026, 11, 2)}
    assert canonical.dump(value) == b'{"day":"2026-11-02","hash":[1,"00ff"],"none":""}'


def test_keys_sort_by_code_point() -> None:
    assert canonical.dump({"\U0001f600": 1, "\uffee": 2}) == '{"\uffee":2,"\U0001f600":1}'.encode()


def test_an_object_has_exactly_its_keys() -> None:
    assert canonical.load_object(b'{"a":1,"b":2}', {"a", "b"}) == {"a": 1, "b": 2}
    for data in (b'{"a":1}', b'{"a":1,"b":2,"c":3}', b'["a","b"]', b'"ab"', b"null"):
        with pytest.raises(BadFile):
            canonical.load_object(data, {"a", "b"})


def shuffled(value: Any, random: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the same value, its keys in chance order."""
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key], random) for key in keys}
    return [shuffled(item, random) for item in value] if isinstance(value, list) else value
