"""A site in a folder, with an installed keyring and an empty store, for tests of the server."""

from __future__ import annotations

import gzip
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from intake import days, files, installed
from intake.rows import Rows
from intake.server.returns import create_app
from intake.settings import FORM, Settings
from tests.makers import Deployment, make_deployment

ORIGIN = {"Origin": "http://localhost"}
LEAST = {"consent_store": "yes", "intent": ["certify"], "urgency": "skip", "force": "army"}


class Browser(FlaskClient):
    """Inflates every page, as a browser does. ``content_length`` is what came on the wire."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:  # noqa: ANN401
        """Ask for a page; the answer holds its text."""
        answer = super().open(*args, **kwargs)
        packed = answer.data
        assert answer.headers["Content-Encoding"] == "gzip"
        if packed:  # none on HEAD
            assert answer.content_length == len(packed)
            answer.response = [gzip.decompress(packed)]
        return answer


def browser(app: Flask) -> FlaskClient:
    """Return a browser on ``app``, which keeps no cookies."""
    app.test_client_class = Browser
    return app.test_client(use_cookies=False)


@dataclass(frozen=True, slots=True, repr=False)
class Site:
    """A deployment, its settings, and its store; :meth:`client` starts the app anew."""

    made: Deployment
    settings: Settings

    @property
    def store(self) -> Rows:
        """The store, opened apart from the app's own."""
        return Rows(self.settings.url, self.settings.data)

    def client(self) -> FlaskClient:
        """Return a browser on a freshly started app."""
        return browser(create_app(self.settings))

    def install(self, made: Deployment) -> None:
        """Put the deployment's keyring in force, as ``admin keyring install`` does."""
        self.settings.keyring.write_bytes(made.raw)
        installed.write_record(self.settings, made.raw)


def make_site(folder: Path, form: Path = FORM, *, install: bool = True) -> Site:
    """Return a site whose periods begin this week."""
    settings = Settings(folder / "data", folder / "keys", form)
    for path in (settings.data, settings.keys):
        path.mkdir(mode=0o700)
    today = days.clock()
    monday = today - timedelta(days=today.weekday())
    site = Site(make_deployment(first=monday, weeks=2), settings)
    site.store.create()
    files.write(settings.bundle_key, site.made.bundle_key.private_bytes_raw().hex().encode())
    if install:
        site.install(site.made)
    return site


def seed_in(html: str) -> str:
    """Return the hidden seed of a form."""
    found = re.search(r'name="_seed" value="([0-9a-f]{64})"', html)
    assert found is not None
    return found[1]


def receipt_in(html: str) -> str:
    """Return the 24 digits of a receipt page, whatever its numerals."""
    groups = re.findall(r"<li>(\d{4})\b", html)
    assert len(groups) == 6
    return "".join(str(int(digit)) for group in groups for digit in group)


def submit(client: FlaskClient, path: str = "/", seed: str | None = None, **answers: Any) -> Any:  # noqa: ANN401
    """POST a testimony of the fewest answers and these; with a fresh form's seed by default."""
    seed = seed or seed_in(client.get(path).text)
    return client.post(path, data={"_seed": seed, **LEAST, **answers}, headers=ORIGIN)
