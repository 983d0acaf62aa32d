"""Files under a receipt: streamed in, sealed as they arrive, and each stored whole or not at all.

Procedure of :func:`receive`:
1. Read the receipt, the first part of the body. Without one that can be right nothing more is read.
2. Each part after it is a file. Its bytes are sealed slice by slice into a spool without a name.
3. When its last byte is in, its end is sealed, and all its rows go to the store in one durable
   transaction, if what was followed is still in force.

While little is free, words are still taken and files are not: before (2) seals a slice, and before
(3) writes a row, it is asked what would be left.

Rules:
- The body is ``multipart/form-data`` as browsers write it (WHATWG, form submission), read by
  Werkzeug's decoder in small pieces. No length in it is believed, and nothing of it is repaired.
- Any type and any name. The name is kept as it came, and never means anything here.
- Once a file is stored nothing raises: the answer says how many are, and that it stopped.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flask import Request
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)
from werkzeug.sansio.multipart import (
    Data,
    Event,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    State,
)

from intake.envelope import SLICE
from intake.errors import BadKeyring, MachineTrouble, NoRoom
from intake.server.inforce import InForce, load
from intake.server.letterbox import Letterbox, Source
from intake.server.spool import Spool
from intake.server.typed import read

PIECE = 32 * 1024  # bytes read at a time
HEADERS = 64 * 1024  # bytes in which a part's headers, or what is before the first part, must end
LONGEST_NAME = 4096  # characters
LONGEST_RECEIPT = 200  # bytes
MULTIPART = "multipart/form-data"
_BOUNDARY = r"[0-9A-Za-z'()+_,./:=?-]{1,70}"
_OUR_RECEIPT = re.compile(r'form-data; name="receipt"')
_OUR_FILE = re.compile(r'form-data; name="file"; filename="(.*)"')

Slowly = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many files, and how many bytes in each."""

    files: int
    size: int


@dataclass(frozen=True, slots=True)
class Received:
    """What became of an upload: the receipt's ``digits``, how many files are ``stored``, why not.

    ``trouble`` is "" (all are), "none" (nothing was chosen), "too_large", "too_many", "room" (from
    that file on), "keys" (they changed meanwhile: send again), "stopped" (the rest did not arrive)
    or "doubt" (the next one may be there or not, and what came after it is not).
    """

    digits: str
    stored: int
    trouble: str


def receive(  # noqa: PLR0913, PLR0917 - a request, and all that it is received with
    request: Request,
    letterbox: Letterbox,
    today: InForce,
    language: str,
    limits: Limits,
    slowly: Slowly,
) -> Received:
    """Store the files of ``request``. ``slowly`` does work while other requests go on.

    Raises 400, 413 or 415 for what our page does not send, and :class:`BadKeyring` if the site
    closed meanwhile; then nothing was stored.
    """
    request.max_content_length = limits.files * (limits.size + HEADERS) + HEADERS
    events = _events(request)
    digits = _digits(events)  # (1)
    upload = _Upload(letterbox, today, language, digits, limits.size, slowly)
    stored, trouble = 0, ""
    try:
        for number, name in enumerate(_parts(events, _OUR_FILE)):
            trouble = upload.store(name, events) if number < limits.files else "too_many"
            stored += not trouble
            if trouble not in {"", "none"}:
                break
        else:
            trouble = "" if stored else "none"
    except NoRoom:
        trouble = "room"
    except MachineTrouble:  # also of the last sync, after which the file may be there
        trouble = "doubt"
    except (HTTPException, BadKeyring):
        if not stored:
            raise
        trouble = "stopped"
    return Received(digits, stored, trouble)


@dataclass(frozen=True, slots=True, repr=False)
class _Upload:
    """What the files of one request have in common; ``limit`` is of bytes in each."""

    letterbox: Letterbox
    today: InForce
    language: str
    digits: str
    limit: int
    slowly: Slowly

    def store(self, name: str, events: Iterator[Event]) -> str:
        """Store the file that comes next, whole, and return "", or the trouble that kept it out."""
        source = Source(secrets.token_bytes(32), self.digits, self.language)
        seal = partial(self.letterbox.row, self.today, source, SLICE)
        check = partial(self.letterbox.store.check_room, self.letterbox.settings.kept.spools)
        with Spool.within(self.letterbox.settings.data, seal, check) as spool:
            for piece in _data(events):
                if spool.size + len(piece) > self.limit:
                    return "too_large"
                self.slowly(partial(spool.take, piece))  # (2)
            if not (name or spool.size):
                return "none"  # a browser sends this where no file was chosen
            return "" if self.slowly(partial(self._commit, spool, name)) else "keys"  # (3)

    def _commit(self, spool: Spool, name: str) -> bool:
        spool.end(name[:LONGEST_NAME])
        kept = self.letterbox.settings.kept.files
        return self.letterbox.store.add(spool.rows(), self.today.period, self._follows, kept)

    def _follows(self) -> bool:
        # What began before midnight is of the day it began: nobody sends 25 MB again for that.
        return replace(load(self.letterbox.settings), day=self.today.day) == self.today


def _events(request: Request) -> Iterator[Event]:
    """Yield what the decoder finds, up to the end of the last part."""
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != MULTIPART or not re.fullmatch(_BOUNDARY, boundary):
        raise UnsupportedMediaType
    decoder = MultipartDecoder(boundary.encode(), HEADERS)
    try:
        while decoder.state is not State.EPILOGUE:
            event = decoder.next_event()
            if isinstance(event, NeedData):
                decoder.receive_data(request.stream.read(PIECE) or None)
            else:
                yield event
    except ValueError:  # headers that are none, or not UTF-8; a body that ended too early
        raise BadRequest from None


def _parts(events: Iterator[Event], ours: re.Pattern[str]) -> Iterator[str]:
    """Yield what ``ours`` finds in the head of each part. Raises 400 for any other part."""
    for event in events:
        if isinstance(event, Field | File):
            # Werkzeug would undo escapes that no browser makes, and lose a name that ends in "\\".
            found = ours.fullmatch(event.headers["Content-Disposition"])
            if not found:
                raise BadRequest
            yield found[found.re.groups]


def _data(events: Iterator[Event]) -> Iterator[bytes]:
    """Yield the bytes of one part."""
    for event in events:
        if isinstance(event, Data):
            yield event.data
            if not event.more_data:
                return


def _digits(events: Iterator[Event]) -> str:
    """Return the digits of the receipt, which comes first. Raises 400 without one."""
    typed = bytearray()
    next(_parts(events, _OUR_RECEIPT), None)
    for piece in _data(events):
        typed += piece
        if len(typed) > LONGEST_RECEIPT:
            raise RequestEntityTooLarge
    digits = read(typed.decode("utf-8", "replace"))
    if digits is None:
        raise BadRequest
    return digits
