"""Axis of lines that mean something to somebody: caches, proxies, frameworks, other protocols.

Each for a visit and for a letter. What means nothing here changes nothing, to the byte.
"""

from __future__ import annotations

from tests.hostile.cases import (
    B4,
    CANARY,
    FORM,
    HOST,
    RECEIPT,
    Case,
    both,
    case,
    head,
    letter,
    renamed,
)

ONION = f"http://{'a' * 56}.onion"
NOTHING = [
    *("Range: bytes=0-0", "Range: bytes=0-0,1-1,2-2", "Range: bytes=-5", "Range: c4n4ry=1-2"),
    "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(400)),
    *(f'If-Match: "{CANARY}"', "If-Match: *", f'If-None-Match: "{CANARY}"', "If-None-Match: *"),
    "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT",
    "If-Modified-Since: c4n4ry",
    "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
    f'If-Range: "{CANARY}"',
    *("Upgrade: websocket\r\nSec-WebSocket-Key: YzRuNHJ5YzRuNHJ5YzRuNA==", "Upgrade: TLS/1.0"),
    "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    *(f"Upgrade: {CANARY}", f"Connection: {CANARY}", "Connection: Host", "Connection: keep-alive"),
    *("Keep-Alive: timeout=100000, max=1", "TE: trailers", f"Trailer: {CANARY}"),
    *(f"X-HTTP-Method-Override: {name}" for name in ("DELETE", "PUT", "GET", "POST", CANARY)),
    *("X-HTTP-Method: DELETE", "X-Method-Override: PUT", f"X-Rewrite-URL: /{CANARY}"),
    *(f"X-{name}: /{CANARY}" for name in ("Sendfile", "Accel-Redirect", "Rewrite", "Original")),
    *("Max-Forwards: 0", f"Proxy: http://{CANARY}", f"Proxy-Authorization: Basic {CANARY}"),
    f"Proxy-Connection: {CANARY}",
    *(f"Authorization: Bearer {CANARY}", f"Cookie: session={CANARY}", "Cookie: ; = ; =; \x80"),
    *("Cookie: " + "a=b; " * 700, 'Cookie: $Version="1"; x="' + "\\" * 900 + '"'),
    *("Accept-Encoding: identity", "Accept-Encoding: identity;q=1, *;q=0", "Accept-Encoding: br"),
    *("Accept-Encoding: gzip;q=0", "Accept: application/json", f"Accept: {CANARY}/{CANARY}"),
    *("Accept: " + "text/html;q=0.1," * 200, "Accept-Charset: utf-16", "Accept-Language: en"),
    *("Accept-Language: " + "my;q=0.1," * 300, f"Referer: http://{CANARY}/", "DNT: 1"),
    *(f"User-Agent: {CANARY}", f"From: {CANARY}", "Pragma: no-cache", "Age: 1"),
    *("Cache-Control: only-if-cached", "Cache-Control: max-age=0", "Prefer: return=minimal"),
    *("Content-Encoding: gzip", f"Content-Encoding: {CANARY}", "Content-Range: bytes 0-1/2"),
    *(f"Content-Location: /{CANARY}", f"Content-Language: {CANARY}", f"Content-MD5: {CANARY}"),
    *(f'Content-Disposition: form-data; name="{CANARY}"', f"Content-Script-Type: {CANARY}"),
    *("Destination: /en", "Depth: infinity", f"Lock-Token: <{CANARY}>", f"SOAPAction: {CANARY}"),
    *("Early-Data: 1", f"Alt-Used: {CANARY}", "Priority: u=0", f"X-Request-ID: {CANARY}"),
    *(f"Traceparent: 00-{CANARY}", f"X-WAP-Profile: http://{CANARY}", "Save-Data: on"),
    *(f"Path-Info: /{CANARY}", f"Script-Name: /{CANARY}", f"Query-String: {CANARY}"),
    *(f"Request-Method: {CANARY}", f"Remote-User: {CANARY}", f"Remote-Addr: {CANARY}"),
    *(f"Server-Name: {CANARY}", f"X-CSRF-Token: {CANARY}", "X-Requested-With: XMLHttpRequest"),
    *("Access-Control-Request-Method: PUT", f"Service-Worker: {CANARY}", "Upgrade-Insecure: 1"),
    *("Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-GPC: 1"),
    f"X: () {{ :;}}; echo {CANARY}",
    *("Expect: 100-continue", "Expect: 100-Continue"),
]
PROXIES = [
    *(f"Via: 1.1 {CANARY}", f"Forwarded: for={CANARY}", "Forwarded: for=127.0.0.1;proto=https"),
    *(f"X-Forwarded-{n}: {CANARY}" for n in ("For", "Host", "Proto", "Port", "Prefix", "Server")),
    *("X-Forwarded-For: 127.0.0.1", "X-Forwarded-Ssl: on", f"X-Forwarded: {CANARY}"),
    *(f"X-Real-IP: {CANARY}", f"X-Original-URL: /{CANARY}", f"X-Original-Host: {CANARY}"),
    *(f"CF-Connecting-IP: {CANARY}", f"CF-Ray: {CANARY}", f"CDN-Loop: {CANARY}"),
    *(f"True-Client-IP: {CANARY}", f"X-Client-IP: {CANARY}", f"X-Cluster-Client-IP: {CANARY}"),
    *(f"X-Tor2web: {CANARY}", "x-tor2web: 1", f"Client-IP: {CANARY}"),
]
EXPECTATIONS = [f"{CANARY}", "", "100-continue, 100-continue"]
ORIGINS: dict[str, tuple[dict[str, str], str]] = {
    "none": ({}, "en 403"),
    "none, of our page": ({"Sec-Fetch-Site": "same-origin"}, RECEIPT),
    "none, of another": ({"Sec-Fetch-Site": "cross-site"}, "en 403"),
    "none, of ours in capitals": ({"Sec-Fetch-Site": "SAME-ORIGIN"}, "en 403"),
    "none, of two": ({"Sec-Fetch-Site": "same-origin, cross-site"}, "en 403"),
    "none, a referrer": ({"Referer": f"http://{HOST}/en?{CANARY}"}, "en 403"),
    "opaque": ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, "en 403"),
    "empty": ({"Origin": ""}, "en 403"),
    "another onion": ({"Origin": ONION}, "en 403"),
    "another site": ({"Origin": f"http://{CANARY}"}, "en 421"),
    "another that begins so": ({"Origin": f"http://{HOST}.{CANARY}"}, "en 421"),
    "another port": ({"Origin": f"http://{HOST}:81"}, "en 403"),
    "with a path": ({"Origin": f"http://{HOST}/{CANARY}"}, "en 421"),
    "with a slash": ({"Origin": f"http://{HOST}/"}, "en 421"),
    "with a name": ({"Origin": f"http://{CANARY}@{HOST}"}, "en 421"),
    "of a file": ({"Origin": "file://"}, "en 421"),
    "two": ({"Origin": f"http://{HOST} http://{CANARY}"}, "en 421"),
    "capitals": ({"Origin": f"HTTP://{HOST.upper()}"}, "en 403"),
    "no scheme": ({"Origin": HOST}, "en 403"),
    "another scheme": ({"Origin": f"ws://{HOST}"}, "en 403"),
    "TLS": ({"Origin": f"https://{HOST}"}, RECEIPT),
}


def meanings() -> list[Case]:
    """Lines that mean nothing here, or that a proxy adds; expectations; origins of a letter."""
    cases = []
    for line in NOTHING:
        cases += renamed(
            both(f"{line[:40]!r}", [line, f"X-Seen: {CANARY}"], FORM, RECEIPT), "as if not"
        )
    for line in PROXIES:
        cases += renamed(both(f"{line[:40]!r}", [line, f"X-Seen: {CANARY}"], "en 421"), "proxy")
    for value in EXPECTATIONS:
        cases += renamed(both(f"{value!r}", [f"Expect: {value}", f"X: {CANARY}"], B4), "expect")
    for name, (lines, found) in ORIGINS.items():
        own = {"Host": HOST, **lines}
        cases.append(case(f"origin, {name}", letter(own=own), found))
        for door in ("/back", "/words", "/withdraw", "/file"):
            if found != RECEIPT:
                raw = letter(own=own, target=f"/en{door}")
                cases.append(case(f"origin at {door}, {name}", raw, found))
    twice = head(lines=[f"Origin: {ONION}", f"X: {CANARY}"])
    cases.append(case("origin, two lines", twice, "en 421"))
    return cases
