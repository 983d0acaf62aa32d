"""Axes of what stands in a request's head: method, target, version, lines, Host, PROXY line.

RFC 9110 and 9112 are the grammar; ``docs`` of smuggling call most of the rest by name.
"""

from __future__ import annotations

from intake.wording import OFFERED
from tests.hostile.cases import (
    B4,
    BURMESE,
    CANARY,
    CLOSED,
    FORM,
    HOST,
    LETTER,
    MAYBE,
    OWN,
    RECEIPT,
    URLENCODED,
    Case,
    both,
    case,
    head,
    letter,
    octets,
)
from tests.test_circuits import NOT_TORS

ONION = "a" * 56 + ".onion"
PATHS = {"": "form", "/back": "form/back", "/key": "form/key", "/exit": "form/exit"}
DOORS = ("/words", "/withdraw", "/file")
ODD = ("OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "PROPFIND", "SEARCH", "QUERY", "C4N4RY")
BAD = {
    "small": "get",
    "mixed": "Get",
    "short": "GE",
    "long": "C4N4RY" * 4,
    "10 KB": "G" * 10_000,
    "none": "",
    "sign": "G@T",
    "slash": "G/T",
    "list": "GET,POST",
    "brackets": "[GET]",
    "Burmese": BURMESE,
    "NUL": "GE\0T",
    "escape": "\x1b[2J",
    "tab": "GET\t",
    "space before": " GET",
    "two spaces": "GET ",
    "letters of full width": "\uff27\uff25\uff34",
}


def methods() -> list[Case]:
    """Every method at every door in every language; what is no method."""
    seen = f"?{CANARY}"
    cases = []
    for language in OFFERED:
        start = "" if language == OFFERED[0] else f"/{language}"
        for path in (*PATHS, *DOORS, "/nowhere"):
            where = (start + path or "/") + seen
            status = 404 if path == "/nowhere" else 405
            odd = f"{language} {status}"
            cases += [case(f"{m} {where}", head(m, where), odd) for m in ODD]
            shown = f"{language} {PATHS[path]}" if path in PATHS else odd
            cases.append(case(f"HEAD {where}", head("HEAD", where), shown, bare=True))
    cases.append(case("CONNECT", head("CONNECT", f"{CANARY}:80"), "my 404"))
    cases += [case(name, head(m, f"/en?{CANARY}"), B4) for name, m in BAD.items()]
    return cases


TARGETS: dict[str, tuple[str | bytes, str]] = {
    "absolute": (f"http://{HOST}/en?{CANARY}", FORM),
    "absolute, of another": (f"http://{CANARY}.onion/en", FORM),
    "absolute, TLS": (f"https://{CANARY}/en", FORM),
    "absolute, a query alone": (f"http://{CANARY}?{CANARY}", "my form"),
    "slashes that could be one": (f"//en?{CANARY}", FORM),
    "slashes within": (f"/en//back?{CANARY}", "en 404"),
    "absolute, no path": (f"http://{CANARY}", "my form"),
    "absolute, ftp": (f"ftp://{CANARY}/en", FORM),
    "absolute, with a name": (f"http://{CANARY}:x@{HOST}/en", FORM),
    "authority": (f"{CANARY}:80", B4),
    "star": ("*", B4),
    "no slash": (CANARY, B4),
    "two slashes": (f"//{CANARY}/en", "my 404"),
    "slashes": ("/" * 500 + CANARY, "my 404"),
    "dots": (f"/en/../{CANARY}", "en 404"),
    "dots, escaped": (f"/%2e%2e/%2e%2e/etc/{CANARY}", "my 404"),
    "dots, twice escaped": (f"/..%252f..%252f{CANARY}", "my 404"),
    "backslash": (f"/en\\..\\{CANARY}", "my 404"),
    "file": (f"/en/..;/{CANARY}.php", "en 404"),
    "static": (f"/static/{CANARY}.css", "my 404"),
    "NUL, escaped": (f"/en%00{CANARY}", "my 404"),
    "NUL": (f"/en\0{CANARY}", B4),
    "raw Burmese": (f"/en/{BURMESE}", B4),
    "raw Latin-1": (b"/en/c4n4ry\xe9", B4),
    "Burmese, escaped": ("/en/" + "".join(f"%{b:02X}" for b in BURMESE.encode()), "en 404"),
    "half a surrogate": (f"/en/%ED%A0%80{CANARY}", "en 404"),
    "overlong": (f"/%C0%AF{CANARY}", "my 404"),
    "no UTF-8": (f"/%ff%fe{CANARY}", "my 404"),
    "percent": (f"/en/%{CANARY}", "en 404"),
    "percent at the end": (f"/{CANARY}%", "my 404"),
    "wide escape": (f"/%u0065n{CANARY}", "my 404"),
    "escaped letter": (f"/%65n?{CANARY}", FORM),
    "escaped slash": (f"/en%2f{CANARY}", "en 404"),
    "fragment": (f"/en#{CANARY}", FORM),
    "fragment first": (f"#{CANARY}", B4),
    "query": (f"/en?{CANARY}=1&{CANARY}=2", FORM),
    "query alone": (f"?{CANARY}", B4),
    "query, bad": (f"/en?%ff%{CANARY}", FORM),
    "two queries": (f"/en?{CANARY}?#?", FORM),
    "parameter": (f"/en;{CANARY}", "my 404"),
    "slash after": (f"/en/?{CANARY}", "en 404"),
    "capitals": (f"/EN?{CANARY}", "my 404"),
    "receipt": (f"/en/back?receipt={CANARY}", "en form/back"),
    "method in it": (f"/en?_method=DELETE&{CANARY}", FORM),
    "markup": (f"/en/<script>{CANARY}</script>", "en 404"),
    "template": ("/en/{{7*7}}" + CANARY, "en 404"),
    "lookup": ("/en/${jndi:ldap://" + CANARY + "}", "en 404"),
    "quotes": (f"/en/'\"`{CANARY}", "en 404"),
    "line end, escaped": (f"/en%0d%0aSet-Cookie:%20{CANARY}", "my 404"),
    "return": (f"/en\r{CANARY}", B4),
    "line end": (f"/en\n{CANARY}", B4),
    "tab": (f"/en\t{CANARY}", B4),
    "space": (f"/en {CANARY}", B4),
    "escape sign": (f"/en\x1b]52;{CANARY}\x07", B4),
    "delete sign": (f"/en\x7f{CANARY}", B4),
    "bracket": (f"http://[{CANARY}/en", B4),
    "none": ("", B4),
    "longest": ("/en?" + CANARY.ljust(2048 - len("GET /en? HTTP/1.1"), "x"), FORM),
    "longer": ("/en?" + CANARY.ljust(2049 - len("GET /en? HTTP/1.1"), "x"), B4),
    "10 KB": ("/en?" + CANARY * 1700, B4),
    "1 MB": ("/" + CANARY * 170_000, B4),
    "many parts": ("/a" * 1000 + CANARY, "my 404"),
    "many fields": ("/en?" + "a&" * 1000 + CANARY, FORM),
}
# The door that a POST comes to where a GET gets a page.
POSTED = {FORM: RECEIPT, "my form": "my receipt", "en form/back": "en unsure"}


def targets() -> list[Case]:
    """Every target, asked for and posted to."""
    cases = []
    for name, (target, found) in TARGETS.items():
        plain = name in {"star", "none"}
        cases.append(case(f"GET {name}", head("GET", target), found, plain=plain))
        if name in {"longest", "longer"}:  # to the byte, and a byte more, with GET
            continue
        to = POSTED.get(found, found)
        cases.append(case(f"POST {name}", letter(target=target), to))
    return cases


VERSIONS: dict[str, tuple[str | bytes, str]] = {
    "0.9": ("HTTP/0.9", B4),
    "1.0": ("HTTP/1.0", FORM),
    "1.2": ("HTTP/1.2", FORM),
    "1.9": ("HTTP/1.9", FORM),
    "2.0": ("HTTP/2.0", B4),
    "2": ("HTTP/2", B4),
    "3": ("HTTP/3", B4),
    "9.9": ("HTTP/9.9", B4),
    "1.10": ("HTTP/1.10", B4),
    "01.1": ("HTTP/01.1", B4),
    "1": ("HTTP/1", B4),
    "1.": ("HTTP/1.", B4),
    "comma": ("HTTP/1,1", B4),
    "negative": ("HTTP/-1.1", B4),
    "none": ("", B4),
    "no number": ("HTTP/", B4),
    "small": ("http/1.1", B4),
    "another protocol": ("RTSP/1.0", B4),
    "canary": (f"{CANARY}/1.1", B4),
    "canary after": (f"HTTP/1.1 {CANARY}", B4),
    "space after": ("HTTP/1.1 ", B4),
    "tab after": ("HTTP/1.1\t", B4),
    "NUL after": ("HTTP/1.1\0", B4),
    "Burmese digits": ("HTTP/၁.၁", B4),
    "full width": ("HTTP/\uff11.\uff11", B4),
    "10 KB": ("HTTP/1.1" + "1" * 10_000, B4),
}


def versions() -> list[Case]:
    """Every version, for a visit and for a letter."""
    cases = []
    for name, (version, found) in VERSIONS.items():
        got = head("GET", f"/en?{CANARY}", version=version)
        cases.append(case(f"GET {name}", got, found))
        posted = RECEIPT if found == FORM else found
        cases.append(case(f"POST {name}", letter(version=version), posted))
    own = {"Host": HOST}
    cases.append(
        case(
            "1.0, kept",
            head(
                version="HTTP/1.0",
                own=own,
                close=False,
                lines={"Connection": "keep-alive", "X": CANARY},
            )
            * 2,
            FORM,
            FORM,
        )
    )
    cases.append(case("1.0, no Host", head(version="HTTP/1.0", own={"X": CANARY}), "en 421"))
    cases.append(case("a line alone", f"GET /{CANARY}\r\n", B4))
    cases.append(case("a line and an empty one", f"GET /{CANARY}\r\n\r\n", B4))
    return cases


NAMES: dict[str, str | bytes] = {
    "no name": f": {CANARY}",
    "space before the colon": f"X : {CANARY}",
    "tab before the colon": f"X\t: {CANARY}",
    "no colon": CANARY,
    "space in it": f"X {CANARY}: x",
    "NUL in it": f"X\0{CANARY}: x",
    "Burmese": f"{BURMESE}: x",
    "Latin-1": b"X\xdf: c4n4ry",
    "brackets": f"({CANARY}): x",
    "slash": f"X/{CANARY}: x",
    "at": f"X@{CANARY}: x",
    "quotes": f'"{CANARY}": x',
    "comma": f"X,{CANARY}: x",
    "delete sign": f"X\x7f{CANARY}: x",
    "a request": f"GET /{CANARY} HTTP/1.1",
    "markup": f"<b>{CANARY}</b>: x",
}
VALUES: dict[str, str | bytes] = {
    "NUL": f"X: \0{CANARY}",
    "return": f"X: {CANARY}\rY: x",
    "line end": f"X: {CANARY}\nY: x",
    "escape": f"X: \x1b]0;{CANARY}\x07",
    "delete sign in it": f"X: {CANARY}\x7f",
    "bell": f"X: \x07{CANARY}",
    "vertical tab": f"X: \x0b{CANARY}",
    "fold, space": f"X: a\r\n {CANARY}",
    "fold, tab": f"X: a\r\n\t{CANARY}",
    "fold, many": f"X: {CANARY}" + "\r\n a" * 1000,
    "fold, empty": f"X: {CANARY}\r\n ",
    "fold of a length": f"Content-Length:\r\n 5\r\nX: {CANARY}",
    "longer than a line may be": "X: " + CANARY * 700,
    "a byte longer": "X: " + CANARY.ljust(4096 - 4, "x"),
    "1 MB": "X: " + CANARY * 170_000,
}
FINE: dict[str, str | bytes] = {
    "as long as it may be": "X: " + CANARY.ljust(4096 - 5, "x"),
    "empty": f"X-{CANARY}:",
    "no space": f"X:{CANARY}",
    "spaces": f"X: \t {CANARY} \t ",
    "Burmese": f"X: {BURMESE} {CANARY}",
    "Latin-1": b"X: c4n4ry \xff\x80",
    "half a surrogate": b"X: c4n4ry \xed\xa0\x80",
    "a format": f"X: %s%n%x{CANARY}",
    "all signs of a name": f"!#$%&'*+-.^`|~0aZ: {CANARY}",
    "underscore": f"X_{CANARY}: x",
    "underscored length": f"Content_Length: {CANARY}",
    "underscored coding": f"Transfer_Encoding: {CANARY}",
    "underscored script": f"SCRIPT_NAME: /{CANARY}",
    "a variable": f"HTTP-HOST: {CANARY}",
    "wsgi": f"wsgi.url_scheme: {CANARY}",
    "the same twice": f"X: {CANARY}\r\nX: 2",
    "the same by case": f"X-A: {CANARY}\r\nx-a: 2",
    "60 lines": "\r\n".join(f"X-{CANARY}-{n}: x" for n in range(59)),
    "59 of one name": "\r\n".join([f"X: {CANARY}"] * 59),
}
MANY = {
    "65 lines": "\r\n".join(f"X-{CANARY}-{n}: x" for n in range(62)),
    "200 lines": f"X: {CANARY}\r\n" * 199 + "X: x",
    "10,000 lines": f"X: {CANARY}\r\n" * 9999 + "X: x",
    "10 MB of cookies, in one line": "Cookie: " + f"{CANARY}=x; " * 1_000_000,
    "10 MB of cookies, in lines": "\r\n".join(["Cookie: " + CANARY * 600] * 2800),
    "100,000 short lines": "\r\n".join(["a:b"] * 100_000 + [f"X: {CANARY}"]),
}


def lines() -> list[Case]:
    """Names, values, counts and lengths of lines; and their ends."""
    cases = []
    for table, found in ((NAMES, B4), (VALUES, B4), (MANY, B4)):
        for name, line in table.items():
            cases += both(name, [line], found)
    for name, line in FINE.items():
        cases += both(f"{name}, allowed", [line], FORM, RECEIPT)
    for name, first in {"space": b" X: c4n4ry", "tab": b"\tX: c4n4ry"}.items():
        raw = b"GET /en HTTP/1.1\r\n" + first + b"\r\nHost: localhost\r\n\r\n"
        cases.append(case(f"{name} before the first", raw, B4))
    ends = {
        "LF": b"\n",
        "CR": b"\r",
        "LF CR": b"\n\r",
        "CR CR LF": b"\r\r\n",
        "none": b" ",
        "NEL": b"\x85",
        "LS": "\u2028".encode(),
    }
    for name, end in ends.items():
        cases.append(case(f"ends, {name}", head(lines={"X": CANARY}, end=end), *ended(name)))
        cases.append(case(f"ends, {name}, a letter", letter({"X": CANARY}, end=end), *ended(name)))
    starts = {
        "CR LF": (b"\r\n", FORM),
        "two": (b"\r\n\r\n", B4),
        "LF": (b"\n", B4),
        "1,000": (b"\r\n" * 1000, B4),
        "1 MB": (b"\r\n" * 500_000, B4),
        "NUL": (b"\0", B4),
        "a mark of order": (b"\xef\xbb\xbf", B4),
        "10 MB of NUL": (b"\0" * 10**7, B4),
    }
    for name, (start, found) in starts.items():
        cases.append(case(f"before it, {name}", start + head(lines={"X": CANARY}), found))
    return cases


def ended(name: str) -> tuple[str, ...]:
    """Return what comes where no line of a head ends: an end of the connection, or a refusal."""
    return (CLOSED,) if name in {"CR", "none", "NEL", "LS"} else (B4,)


HOSTS: dict[str, tuple[str | bytes, str]] = {
    "localhost, with a port": (f"{HOST}:81", ""),
    "loopback": ("127.0.0.1:8000", ""),
    "loopback, IPv6": ("[::1]", ""),
    "an onion": (ONION, ""),
    "an onion, its subdomain": (f"www.{ONION}", ""),
    "empty": ("", "en 421"),
    "canary": (CANARY, "en 421"),
    "canary, an onion's subdomain": (f"{CANARY}.onion", "en 421"),
    "an onion of before": (f"{'a' * 16}.onion", "en 421"),
    "an onion too long": (f"{'a' * 57}.onion", "en 421"),
    "not base32": (f"{'1' * 56}.onion", "en 421"),
    "a gate": (f"{ONION}.{CANARY}", "en 421"),
    "a gate of tor2web": (f"{ONION}.ws", "en 421"),
    "a dot after": (f"{ONION}.", "en 421"),
    "a name before": (f"{CANARY}@{HOST}", "en 421"),
    "a path": (f"{HOST}/{CANARY}", "en 421"),
    "a fragment": (f"{HOST}#{CANARY}", "en 421"),
    "a query": (f"{HOST}?{CANARY}", "en 421"),
    "two ports": (f"{HOST}:80:{CANARY}", "en 421"),
    "a port of letters": (f"{HOST}:{CANARY}", "en 421"),
    "a port too large": (f"{HOST}:999999", "en 421"),
    "a list": (f"{HOST}, {CANARY}", "en 421"),
    "a space in it": (f"{HOST} {CANARY}", "en 421"),
    "a tab in it": (f"{HOST}\t{CANARY}", "en 421"),
    "markup": (f"<{CANARY}>", "en 421"),
    "quotes": (f'"{HOST}"', "en 421"),
    "Burmese": (BURMESE, "en 421"),
    "punycode": ("xn--c4n4ry-x1d", "en 421"),
    "253 signs": (f"{CANARY}." * 36, "en 421"),
    "4 KB": (CANARY * 600, "en 421"),
    "another loopback": ("127.1", "en 421"),
    "a number": ("2130706433", "en 421"),
    "no address": ("0.0.0.0", "en 421"),  # noqa: S104 - a name, and refused
    "loopback with a zone": (f"[::1%25{CANARY}]", "en 421"),
    "NUL": (f"{HOST}\0{CANARY}", B4),
}


def hosts() -> list[Case]:
    """Every Host, for a visit, and for a letter whose Origin agrees with it."""
    cases = []
    for name, (host, found) in HOSTS.items():
        own = {"X-Seen": CANARY}
        line = b"Host: " + octets(host)
        origin = b"Origin: http://" + octets(host)
        got, posted = (FORM, RECEIPT) if not found else (found, found)
        cases.append(case(f"GET {name}", head(lines=[line], own=own), got))
        cases.append(case(f"POST {name}", letter([line, origin], own=own), posted))
    twice = {"the same": HOST, "another": CANARY}
    for name, second in twice.items():
        cases += both(f"two, {name}", [f"Host: {second}", f"X: {CANARY}"], B4)
    cases.append(case("none", head(own={"X": CANARY}), "en 421"))
    none = letter(own={"Origin": f"http://{HOST}"})
    cases.append(case("none, a letter", none, "en 421"))
    cases.append(case("small letters", head(own={"host": HOST, "X": CANARY}), FORM))
    cases.append(
        case(
            "the target's, not its own",
            letter(target=f"http://{CANARY}/en", own={**OWN, "Host": CANARY}),
            "en 421",
        )
    )
    return cases


def circuits() -> list[Case]:
    """What is not tor's line, with a letter after it; and another line where none is due."""
    cases = [
        case(name, first + letter(), CLOSED, own=True)
        for name, first in NOT_TORS.items()
        if name not in {"half of it", "nothing"}
    ]
    cases += [
        case("nothing but a letter", letter(), CLOSED, own=True),
        case("half of it", NOT_TORS["half of it"] + letter(), CLOSED, own=True),
        case("canary", f"PROXY {CANARY}\r\n".encode() + letter(), CLOSED, own=True),
        case("Burmese", f"PROXY TCP6 {BURMESE}\r\n".encode() + letter(), CLOSED, own=True),
        case("1 MB", CANARY.encode() * 170_000, CLOSED, own=True),
        case("a second one", b"PROXY TCP6 fc00:dead:beef:4dad::0:7 ::1 7 80\r\n" + letter(), B4),
        case(
            "after a visit", head(close=False) + b"PROXY UNKNOWN\r\n" + letter(), FORM, MAYBE + B4
        ),
    ]
    assert URLENCODED.encode() in letter()
    assert LETTER in letter()
    return cases
