"""Canonical JSON: one value has exactly one spelling.

Rules:
- UTF-8, sorted keys, no white space, nothing escaped that need not be.
- Values are objects, arrays, strings, integers of at most 15 digits, true, false and null, never
  floats. Writing also takes bytes, which are spelled as lowercase hex, and days, ``YYYY-MM-DD``.
- Reading refuses every other spelling of the same value, doubled keys among them, by writing the
  value again and comparing. So a signed byte string has no second form that means the same.

The form is that of RFC 8785 for these values, except that keys sort by code point, not UTF-16 unit.
"""

import json
from datetime import date

from intake.errors import BadFile

MAX_INTEGER = 10**15
MAX_DEPTH = 12

Value = dict[str, "Value"] | list["Value"] | str | int | bool | None


def dump(value: object) -> bytes:
    """Return the one spelling of ``value``. Raises ``ValueError`` for what has none."""
    plain = _plain(value, MAX_DEPTH)
    text = json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8")


def load(data: bytes) -> Value:
    """Return the value that ``data`` spells. Raises :class:`BadFile` unless it is canonical."""
    try:
        value: Value = json.loads(data.decode("utf-8"))
        if dump(value) == data:  # floats, NaN and deep nesting have no spelling
            return value
    except (ValueError, RecursionError):
        pass
    hint = "The file was damaged or altered on its way. Fetch it again from where it was made."
    raise BadFile("A part of the file is not canonical JSON.", hint)


def load_object(data: bytes, keys: frozenset[str] | set[str]) -> dict[str, Value]:
    """Return the object that ``data`` spells, with exactly these ``keys``, or raise."""
    return check_object(load(data), keys)


def check_object(value: object, keys: frozenset[str] | set[str]) -> dict[str, Value]:
    """Return ``value`` if it is an object with exactly these ``keys``, or raise ``BadFile``."""
    if isinstance(value, dict) and value.keys() == keys:
        return value
    hint = "It may come from another version of Intake. Update this machine, or fetch it again."
    raise BadFile("A part of the file has missing or unknown fields.", hint)


def _plain(value: object, room: int) -> object:
    """Return ``value`` as ``json`` knows it, at most ``room`` deep. Raises ``ValueError``."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict) and room and set(map(type, value)) <= {str}:
        return {key: _plain(inner, room - 1) for key, inner in value.items()}
    if isinstance(value, list | tuple) and room:
        return [_plain(inner, room - 1) for inner in value]
    if type(value) is date:  # not a datetime, which is finer
        return value.isoformat()
    if isinstance(value, int) and abs(value) < MAX_INTEGER:
        return value
    raise ValueError("no canonical form")
