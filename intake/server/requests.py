"""What comes in: one body of one kind, read strictly, from our own page.

Rules:
- The body is ``application/x-www-form-urlencoded`` in UTF-8. Anything else is refused, never
  repaired: a replacement character would be a change to testimony.
- It is read once into memory, and at most ``limit`` bytes of it; nothing is spooled to disk. A body
  that stops early is refused: half a testimony is not a testimony.
- A field of filler blurs the length of the words to whoever watches the line. It is dropped here,
  whatever is in it, so that nothing that is kept depends on it.
- It comes straight from a browser at our onion address: whoever stands between the two reads every
  word, and a form that is not shown is one in which nobody writes.
- A refusal carries a status and one of our own sentences, and nothing of the request.
"""

import re
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.exceptions import BadRequest, Forbidden, MisdirectedRequest, UnsupportedMediaType

from intake.receipt import SEED

URLENCODED = "application/x-www-form-urlencoded"
MOST_FIELDS = 1000
_HOST = re.compile(r"(([\w-]+\.)*[a-z2-7]{56}\.onion|localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_PROXY = re.compile(r"x-tor2web|via|(x-)?forwarded.*|x-(original|real)-.*|c(f|dn)-.*|.*client-ip")


def check_direct(request: Request) -> None:
    """Refuse what comes through a proxy that strips Tor (tor2web and the like).

    Host, and Origin if it names one, must be a v3 onion address or loopback, and no header may be
    there that a forwarding proxy adds (RFC 9110, 7.6.3; RFC 7239). One that hides itself is not
    seen. Raises 421 (RFC 9110, 15.5.20).
    """
    sent = {name.lower(): value.lower() for name, value in request.headers.items()}
    hosts = [sent.get("host", "")]
    if "//" in sent.get("origin", ""):
        hosts.append(sent["origin"].split("//")[1])
    if any(map(_PROXY.fullmatch, sent)) or not all(map(_HOST.fullmatch, hosts)):
        raise MisdirectedRequest


def check_origin(request: Request) -> None:
    """Refuse a POST that another site made the browser send.

    Origin must be the Host's. Chromium sends no Sec-Fetch-Site to an http onion, and Firefox sends
    both; a browser that sends no Origin must say ``Sec-Fetch-Site: same-origin``. Raises 403.
    """
    origin = request.headers.get("Origin")
    if origin is None:
        ours = request.headers.get("Sec-Fetch-Site") == "same-origin"
    else:
        ours = origin in {f"http://{request.host}", f"https://{request.host}"}
    if not ours:
        raise Forbidden


def read_fields(request: Request, limit: int) -> dict[str, list[str]]:
    """Return name -> values of the body, without the filler.

    Raises 415 for another kind of body, 413 for one over ``limit`` bytes, and 400 for one that is
    not UTF-8, not well formed, or has more than a thousand fields or more than one filler.
    """
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if (request.mimetype, charset) != (URLENCODED, "utf-8"):
        raise UnsupportedMediaType
    request.max_content_length = limit
    body = request.get_data(cache=False)  # 413 if too large, 400 if the line broke half-way
    fields: dict[str, list[str]] = {}
    try:
        pairs = parse_qsl(
            body.decode("ascii"),  # a browser escapes everything else
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise BadRequest from None
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    if len(fields.pop("_fill", [])) > 1:
        raise BadRequest
    return fields


def pop_seed(fields: dict[str, list[str]]) -> bytes | None:
    """Take the form's hidden seed out; None if it did not arrive as it was sent."""
    try:
        (text,) = fields.pop("_seed", [])
        seed = bytes.fromhex(text)
    except ValueError:
        return None
    return seed if (len(seed), seed.hex()) == (SEED, text) else None
