"""Only who comes straight to the onion address sees a form, and no page leads away from it."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from intake.settings import ROOT
from intake.wording import OFFERED, Wording
from tests import spine
from tests.site_maker import LEAST, ORIGIN, Site, make_site, seed_in, submit

ONION = f"{'intake7' * 8}.onion"
TOLD = "Somebody stands between you and this page, and can read what you write. Do not write here."
CURE = "Get Tor Browser, and open in it the address that ends in .onion."
CANARY = "ကျွန်ုပ်တို့ canary"
MOVED = 421
READ = 500  # what comes of it here
URLENCODED = "application/x-www-form-urlencoded"
DIRECT = [
    *("localhost", "localhost:8000", "LOCALHOST", "127.0.0.1", "127.0.0.1:65535", "[::1]"),
    *("[::1]:8000", ONION, ONION.upper(), f"{ONION}:80", f"www.{ONION}", f"a-b.c.{ONION}"),
]
THROUGH = [
    *(f"{ONION}.ly", f"{ONION}.to:443", ONION.replace(".onion", ".tor2web.io"), "", "x.example"),
    *(ONION[1:], f"x{ONION}", f"0{ONION[1:]}", f"{ONION}.", f"{ONION}:", f"{ONION}:a"),
    *("192.168.1.2", "127.0.0.1.x.example", "localhost.x.example", "[::2]", "0", f"{ONION}/x"),
    *(f"x.example,{ONION}", f"{ONION},{ONION}", f"{ONION} x.example", f"x@{ONION}"),
]
# Of tor2web, of RFC 9110 and 7239, and what common proxies add by themselves.
ADDED = [
    *("X-Tor2web", "x-tor2web", "Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Host"),
    *("X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-Port", "X-Forwarded", "X-Real-IP"),
    *("Forwarded-For", "X-Client-IP", "Client-IP", "True-Client-IP", "X-Cluster-Client-IP"),
    *("CF-Connecting-IP", "CF-Ray", "CDN-Loop", "X-Original-URL", "X-Original-Host"),
]
# Of Tor Browser, and the circuit that our own proxy will name.
OURS = {
    "User-Agent": "Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-GPC": "1",
    "Connection": "keep-alive",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "none",
    "Sec-Fetch-User": "?1",
    "Priority": "u=0, i",
    "X-Onion-Circuit": "7",
}
PATHS = {language: "/" if language == "my" else f"/{language}" for language in OFFERED}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that is open."""
    return make_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def client(site: Site) -> FlaskClient:
    """A browser on it."""
    return site.client()


def refused(answer: TestResponse, language: str = "en") -> bool:
    """Return whether it is the explanation, in the language, with nothing to write in."""
    told = Wording.load(language).text(f"{TOLD} Nothing was stored.")
    cure = Wording.load(language).text(CURE)
    found = answer.text
    shown = f">{told}</h1>" in found and f"<p>{cure}</p>" in found
    assert shown == (answer.status_code == MOVED)
    return shown and not re.search(r'<form|<input|<textarea| href="/(?!([\w-]+/)?exit")', found)


class Unread(io.BytesIO):
    """A body that nobody may read."""

    def read(self, *_: Any) -> bytes:  # noqa: ANN401 - as the real one
        raise AssertionError("read")

    readline = readinto = read  # type: ignore[assignment]


@pytest.mark.parametrize("host", DIRECT)
def test_who_comes_directly_sees_the_form(client: FlaskClient, host: str) -> None:
    page = client.get("/en", headers={**OURS, "Host": host, "Accept-Encoding": ""})
    assert (page.status_code, refused(page)) == (200, False)
    sent = {"_seed": seed_in(page.text), **LEAST}
    headers = {"Host": host, "Origin": f"http://{host.removesuffix(':80')}"}  # as browsers do
    assert client.post("/en", data=sent, headers=headers).status_code == 200


@pytest.mark.parametrize("host", THROUGH)
def test_a_host_that_is_not_ours_is_refused(client: FlaskClient, host: str) -> None:
    """GET and POST alike, known path or not; and an Origin of which only the proxy knows."""
    for path in ("/en", "/en/back", "/en/nowhere"):
        assert refused(client.get(path, headers={"Host": host}))
    for headers in ({"Host": host, "Origin": f"http://{host}"}, {"Origin": f"https://{host}"}):
        assert refused(client.post("/en", data={"account": CANARY}, headers=headers))


@pytest.mark.parametrize("name", ADDED)
def test_a_header_that_a_proxy_adds_is_refused(client: FlaskClient, name: str) -> None:
    for value in ("1", ONION, ""):
        assert refused(client.get("/en", headers={**OURS, name: value, "Accept-Encoding": ""}))
        assert refused(client.post("/en", data=LEAST, headers={**ORIGIN, name: value}))


@pytest.mark.parametrize("language", OFFERED)
def test_it_is_said_in_the_language_of_the_path(client: FlaskClient, language: str) -> None:
    path = PATHS[language]
    assert refused(client.get(path, headers={"Via": "1.1 x"}), language)
    assert refused(client.put(path, headers={"Via": "1.1 x"}), language)


@pytest.mark.parametrize("name", ["X-Tor2web", "Via"])
def test_nothing_is_read_and_nothing_is_stored(site: Site, client: FlaskClient, name: str) -> None:
    """Not even the body of a form that would have been taken."""
    before, headers = site.store.counts(), {**ORIGIN, name: "1"}
    sent = {"_seed": seed_in(client.get("/en").text), **LEAST, "account": CANARY}
    answer = client.post("/en", data=sent, headers=headers)
    assert refused(answer)
    assert CANARY not in answer.text
    for path in ("/en", "/en/file", "/en/words"):
        kind = "multipart/form-data; boundary=x" if "file" in path else URLENCODED
        unread = {"input_stream": Unread(b"x=1"), "content_type": kind}
        assert refused(client.post(path, headers=headers, **unread))
        assert client.post(path, headers=ORIGIN, **unread).status_code == READ
    assert site.store.counts() == before
    assert client.post("/en", data=sent, headers=ORIGIN).status_code == 200


def test_a_real_server_hides_none_of_it(site: Site) -> None:
    """Gunicorn drops names with underscores, and takes no proxy's word; these must come through."""
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **own}

    def status(method: str, host: str | None, headers: dict[str, str]) -> int:
        with closing(HTTPConnection(address, timeout=spine.WAIT)) as connection:
            connection.putrequest(method, "/en", skip_host=True, skip_accept_encoding=True)
            sent = {**({} if host is None else {"Host": host}), **headers}
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status

    with spine.serve(ROOT, environment) as address:
        for host in (address, ONION):
            assert status("GET", host, OURS) == 200
        for host in (f"{ONION}.ly", "group.example", address.replace("127.0.0.1", "127.0.0.2")):
            assert status("GET", host, OURS) == MOVED
            assert status("POST", host, {"Content-Length": "0"}) == MOVED
        for name in ADDED:
            assert status("GET", address, {name: "1"}) == MOVED, name
            assert status("POST", address, {name: "1", "Content-Length": "0"}) == MOVED, name
        with closing(HTTPConnection(address, timeout=spine.WAIT)) as connection:
            connection.putrequest("GET", "/en", skip_host=True)
            connection.putheader("Host", ONION)
            connection.putheader("Host", "group.example")
            connection.endheaders()
            assert connection.getresponse().status in {400, MOVED}


def answers(site: Site, client: FlaskClient) -> Iterator[TestResponse]:
    """Yield what every route says to every method, and to a form that is right, and closed."""
    rules = [rule.rule for rule in client.application.url_map.iter_rules()]
    assert {*PATHS.values(), "/key", "/en/back"} <= set(rules)
    for path in sorted({*rules, "/nowhere", "/en/nowhere"}):
        for method in ("GET", "POST", "HEAD", "PUT", "OPTIONS"):
            yield client.open(path, method=method, headers=ORIGIN)
        yield client.get(path, headers={"Via": "1.1 x"})
        yield client.post(path)
    for path in PATHS.values():
        yield submit(client, path)
        yield submit(client, path, force="?")
    keyring = site.settings.keyring.read_bytes()
    site.settings.keyring.unlink()
    yield from map(client.get, PATHS.values())
    site.settings.keyring.write_bytes(keyring)


def test_no_page_leads_to_the_clear_web(site: Site, client: FlaskClient) -> None:
    """No Onion-Location, as header or in the page; no refresh; no URL but of this site (12)."""
    statuses = set()
    for answer in answers(site, client):
        statuses.add(answer.status_code)
        assert not {"Onion-Location", "Refresh", "Location", "Link", "Alt-Svc"} & {
            name.title() for name, _ in answer.headers
        }
        page = answer.text
        assert not re.search(
            r"onion-location|http-equiv|<base|<link(?! rel=\"icon\")", page, re.IGNORECASE
        )
        urls = re.findall(r"\b(?:href|src|action|formaction|cite|data)\s*=\s*\"([^\"]*)\"", page)
        assert all(re.match(r"/(?!/)|#|data:,$", url) for url in urls), urls
    assert statuses == {200, 400, 403, 404, 405, 415, MOVED, 503}
