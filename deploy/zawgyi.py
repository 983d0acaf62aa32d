"""Unicode Burmese as somebody types it with a Zawgyi font, for made-up people.

Rules:
- Zawgyi has no standard. This writes the everyday letters and stacks of Burmese; ICU's
  ``Zawgyi-my`` reads them back. What it does not know stays as it is.
- Nothing of Intake reads Zawgyi with this table; that is the desk's own work.
"""

from __future__ import annotations

import re

_BASE = "[\u1000-\u1021\u1023-\u1027\u1029\u102a\u103f\u104e]"
_CLUSTER = re.compile(
    f"(?P<kinzi>\u1004\u103a\u1039)?(?P<base>{_BASE})(?P<under>\u1039[\u1000-\u1021])?"
    "(?P<marks>[\u102b-\u103e]*)"
)
_UNDER = dict(
    zip(
        "ကခဂဃစဆဇဈဋဌဍဏတထဒဓနပဖဗဘမလအ",
        "\u1060\u1061\u1062\u1063\u1065\u1066\u1068\u1069\u106c\u106d\u106e\u1070\u1071\u1073\u1075"
        "\u1076\u1077\u1078\u1079\u107a\u107b\u107c\u1085\u1000",
        strict=True,
    )
)
_WIDE = frozenset("ကဃဆဏတထဘယလသဟအ\u103f")
_LOW = "\u102f\u1030"  # u and uu, which move aside below a long letter
_SIMPLE = str.maketrans(
    {"\u103a": "\u1039", "\u103b": "\u103a", "\u103d": "\u103c", "\u103e": "\u103d"}
)


def zawgyi(text: str) -> str:
    """Return ``text`` in Zawgyi."""
    return _CLUSTER.sub(_cluster, text)


def _cluster(found: re.Match[str]) -> str:
    base, marks = found["base"], found["marks"]
    before = "\u1031" if "\u1031" in marks else ""
    if "\u103c" in marks:
        before += "\u107e" if base in _WIDE else "\u103b"
    marks = marks.replace("\u1031", "").replace("\u103c", "")
    after = marks.translate(_SIMPLE)
    if found["under"]:
        after = _UNDER.get(found["under"][1], "") + after
    if found["kinzi"]:
        after = "\u1064" + after
    return before + base + after
