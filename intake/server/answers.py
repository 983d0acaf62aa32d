"""What goes out: one HTML page with its style inside, strict headers, and no trace of when.

Rules:
- Every answer says ``no-store`` and carries no cookie, Date, Server or ETag (the WSGI server's
  configuration leaves out those two).
- The policy allows the one style by its hash, posting to ourselves, and nothing else: a page that
  could be made to load or run something would betray a source at Tor Browser's lower levels too.
- ``Referrer-Policy: same-origin`` keeps the Origin of our own POST; ``no-referrer`` would make it
  ``null`` (measured), and the rule against forged posts needs it.
"""

import base64
import hashlib
import zlib

from flask import Response

LEVEL, GZIP = 9, 31  # zlib's words for the smallest, and for a gzip header without name and time
MEMORY = 5  # the more often the code is made anew, the better what was typed fits beside our words
SIZE = 16_384  # bytes; the length of every page is a multiple of it


def headers(style: str) -> dict[str, str]:
    """Return the headers of every answer, for a page with this one ``<style>``."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


def finish(response: Response, fixed: dict[str, str]) -> Response:
    """Add the ``fixed`` headers, compress, and fill to a whole size.

    Compression makes the length follow from what is on the page, also from a drawn number; so it is
    filled afterwards, in the gzip header. Whoever does not ask for gzip gets it all the same: the
    length must not hang on a header, and without one any coding will do (RFC 9110, 12.5.3).
    """
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP, MEMORY)
    page = packer.compress(response.get_data()) + packer.flush()
    fill = -(len(page) + 2) % SIZE
    # RFC 1952: flag 4 is for a field that nobody reads, with its length.
    page = page[:3] + b"\4" + page[4:10] + fill.to_bytes(2, "little") + bytes(fill) + page[10:]
    response.set_data(page)
    response.headers.extend({"Content-Encoding": "gzip", **fixed})
    return response
