"""Read age's ASCII armor, in which a colleague may send a file by mail. Nothing of ours writes it.

After C2SP ``age.md``, "ASCII armor"::

    armor = *whitespace begin EOL *(64base64char EOL) 1*64base64char EOL end *whitespace
    EOL   = LF / CRLF

Rules:
- Base64 is the standard alphabet with padding, and canonical.
- Armor is a second spelling of the same file. So it is read only where a person hands a file in,
  never where a file is known by its hash.
"""

from __future__ import annotations

import base64
import contextlib

from intake.age import grammar
from intake.errors import BadFile

BEGIN = b"-----BEGIN AGE ENCRYPTED FILE-----"
END = b"-----END AGE ENCRYPTED FILE-----"
_SPACE = b" \t\r\n"


class ArmorFailure(BadFile):
    """The armor is not what the grammar allows."""


def armored(data: bytes) -> bool:
    """Return whether ``data`` begins as armor does."""
    return data.lstrip(_SPACE).startswith(BEGIN)


def dearmor(data: bytes) -> bytes:
    """Return the binary age file that armor carries. Raises :class:`ArmorFailure`."""
    begin, *lines = data.strip(_SPACE).replace(b"\r\n", b"\n").split(b"\n")
    end = lines.pop() if lines else b""
    text = b"".join(lines)
    wrapped = [text[i : i + grammar.COLUMNS] for i in range(0, len(text), grammar.COLUMNS)]
    if (begin, end, lines) == (BEGIN, END, wrapped):
        with contextlib.suppress(ValueError):
            binary = base64.b64decode(text, validate=True)
            if base64.b64encode(binary) == text:
                return binary
    raise ArmorFailure(
        "The file's armor is damaged: it was cut or altered.",
        "Copy the whole of it again, from the line BEGIN to the line END.",
    )
