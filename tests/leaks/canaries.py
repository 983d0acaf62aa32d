"""Words that no program writes by itself, and every spelling in which they could be found again.

Rules:
- A canary is a core and a number: the core is searched for, the number says whose it was.
- The cores of heads and of bodies differ: what is in a head, a browser or tor wrote, and no source.
- What is compressed or sealed is not found. The answers are compressed, and are opened first.
"""

from __future__ import annotations

import base64
import quopri
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_from_bytes

from intake.zawgyi import to_zawgyi

HEADS = ("canaryh9r2k8vb", "ဆျိုင်ဠုပ်ဈမ်းဂျွဲဖက်")
ASCII = "canaryq7x5f1dw"
BURMESE = "ဂေါက်ဇလုပ်ဆွမ်ဠီဈုံဖြောက်"
ZAWGYI = to_zawgyi("ဗြောင်ဇြုပ်ဍီညှုံဖျောက်ထြူ")
NUMBER = "၇၄၁၉၆၃"  # of a unit: six digits at most
BODIES = (ASCII, BURMESE, ZAWGYI)
SCRIPTS = {"latin": ASCII, "burmese": BURMESE, "zawgyi": ZAWGYI}


class Hit(NamedTuple):
    """A canary that was found: its core, how it was spelled, and some bytes around it."""

    core: str
    spelling: str
    around: bytes


def mark(core: str, number: int) -> str:
    """Return the canary of a case."""
    return f"{core}{number:04}"


def spellings(text: str) -> dict[str, bytes]:
    """Return the name and the bytes of every spelling of ``text`` that differs from the others."""
    octets = text.encode()
    wide = {"UTF-16-LE": text.encode("utf-16-le"), "UTF-16-BE": text.encode("utf-16-be")}
    wide |= {"UTF-32-LE": text.encode("utf-32-le"), "UTF-32-BE": text.encode("utf-32-be")}
    found = {"UTF-8": octets, "upper case": text.upper().encode(), **wide}
    found["UTF-8 taken for Latin-1"] = octets.decode("latin-1").encode()
    found["percent"] = quote_from_bytes(octets, "").encode()
    found["percent, lower"] = "".join(f"%{one:02x}" for one in octets).encode()
    found["percent, upper"] = found["percent, lower"].upper()
    found["percent, lower, twice"] = found["percent, lower"].replace(b"%", b"%25")
    found["percent, upper, twice"] = found["percent, upper"].replace(b"%", b"%25")
    units = [text.encode("utf-16-be")[at : at + 2].hex() for at in range(0, len(text) * 2, 2)]
    found["JSON"] = "".join(f"\\u{one}" for one in units).encode()
    found["JSON, upper"] = "".join(f"\\u{one.upper()}" for one in units).encode()
    found["JSON in JSON"] = found["JSON"].replace(b"\\", b"\\\\")
    found["repr of bytes"] = repr(octets)[2:-1].encode()
    found["octal"] = "".join(f"\\{one:03o}" for one in octets).encode()
    found["quoted-printable"] = quopri.encodestring(octets).replace(b"=\n", b"").strip()
    found["entities"] = "".join(f"&#{ord(one)};" for one in text).encode()
    found["entities, hex"] = "".join(f"&#x{ord(one):x};" for one in text).encode()
    found["entities, HEX"] = "".join(f"&#x{ord(one):X};" for one in text).encode()
    for name, inner in {"": octets, " of UTF-16": wide["UTF-16-LE"]}.items():
        found[f"hex{name}"] = inner.hex().encode()
        found[f"HEX{name}"] = inner.hex().upper().encode()
        for shift in range(3):
            found[f"base64{name}, {shift}"] = _base64(inner, shift)
            found[f"base64url{name}, {shift}"] = _base64(inner, shift).translate(_URL)
    return {
        name: value
        for value, name in {value: name for name, value in reversed(found.items())}.items()
    }


_URL = bytes.maketrans(b"+/", b"-_")


def _base64(octets: bytes, shift: int) -> bytes:
    """Return what all base64 texts share that hold ``octets`` after ``shift`` bytes of a group."""
    whole = base64.b64encode(bytes(shift) + octets)
    return whole[(0, 2, 3)[shift] : len(whole) // 4 * 4 - 4]


class Search:
    """Cores, spelled in every way, and secrets as they are and in hex."""

    def __init__(
        self, texts: Iterable[str] = (*BODIES, *HEADS), secrets: Iterable[bytes] = ()
    ) -> None:
        """Prepare; ``secrets`` may be texts that have few spellings, too."""
        self.patterns = {(t, how): spelled for t in texts for how, spelled in spellings(t).items()}
        for number, secret in enumerate(secrets):
            self.patterns[f"secret {number}", "raw"] = secret
            self.patterns[f"secret {number}", "hex"] = secret.hex().encode()

    def within(self, data: bytes) -> Iterator[Hit]:
        """Yield the first place of each spelling that is in ``data``."""
        for (core, how), spelled in self.patterns.items():
            if (at := data.find(spelled)) >= 0:
                yield Hit(core, how, data[max(0, at - 60) : at + len(spelled) + 40])


def of_receipt(digits: str) -> Iterator[bytes]:
    """Yield what a receipt could stand as: Latin or Burmese digits, spaced, escaped or not."""
    burmese = digits.translate({48 + n: 0x1040 + n for n in range(10)})
    for text in (digits, burmese):
        groups = [text[at : at + 4] for at in range(0, len(text), 4)]
        for spaced in (text, " ".join(groups), "-".join(groups), "+".join(groups)):
            yield from {spaced.encode(), quote(spaced).encode(), ascii(spaced)[1:-1].encode()}
