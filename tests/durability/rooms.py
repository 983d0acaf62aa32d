"""Servers and desks for runs, and their commands on a rebuilt disk, in this process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from unittest import mock

from intake.admin import __main__ as admin_tool
from intake.bundle import Entry, ReturnHeader
from intake.bundle.reading import open_bundle
from intake.bundle.writing import write_return
from intake.desk import __main__ as desk_tool
from intake.errors import Refused
from intake.rows import Rows
from intake.settings import Settings
from tests.durability.source import server
from tests.makers import Deployment
from tests.site_maker import Site, make_site
from tests.test_maintaining import row


def make_server(place: Path, count: int = 0, *, install: bool = True) -> Site:
    """Return a server below ``place/disk`` with rows that look sealed, and an empty stick."""
    root = place / "disk"
    root.mkdir(mode=0o700)
    (root / "stick").mkdir()
    site = make_site(root, install=install)
    fill(site, range(count))
    return site


def fill(site: Site, numbers: Iterable[int]) -> list[Entry]:
    """Store rows of the first period; return their entries, in order of their ids."""
    made = [row(n) for n in numbers]
    site.store.add(made, site.made.keyring.periods[0].name)
    entries = [Entry(name, hashlib.sha256(sealed).digest()) for name, sealed in made]
    return sorted(entries, key=lambda entry: entry.id)


def stored(folder: Path) -> dict[bytes, bytes]:
    """Return the rows of a server below a folder; all of its periods."""
    own = server(folder)
    store = Rows(own.url, own.data)
    return {name: s for period in store.counts() for name, s in store.page(period, b"", 10**6)}


def signed(
    made: Deployment,
    path: Path,
    rows: list[Entry],
    replies: tuple[list[Entry], list[bytes]] = ([], []),
    number: int = 1,
) -> None:
    """Write a return that two reviewers signed."""
    header = ReturnHeader(
        deployment=made.deployment,
        number=number,
        keyring=(made.keyring.version, made.keyring.sha256),
        size=len(replies[1][0]) if replies[1] else 0,
    )
    signers = {name: made.reviewers[name].signing.sign for name in ("alice", "bob")}
    write_return(path, header, signers, rows, replies)


def whole(path: Path, made: Deployment) -> set[bytes]:
    """Return the ids of the rows of a bundle, all of which are whole. Raises ``AssertionError``."""
    with open_bundle(path, made.bundle_key.public_key().public_bytes_raw(), made.deployment) as one:
        assert all(verdict == "ok" for _, _, verdict in one), "half: a bundle is not whole"
        return {entry.id for entry in one.entries}


def admin(folder: Path, *words: object) -> str:
    """Run a command on the server below ``folder``; return what it says.

    Raises ``AssertionError`` if it refuses.
    """
    own: Settings = server(folder)
    told = {"INTAKE_DATA": str(own.data), "INTAKE_KEYS": str(own.keys)}
    with mock.patch.dict(os.environ, told):
        return _run(lambda: admin_tool.build().parse_args(list(map(str, words))), words)


def desk(root: Path, casebook: Path, *words: object) -> str:
    """Run a command on a casebook, with the demo's passphrases of a desk; as :func:`admin`."""
    given = ["--demo-passphrases", root / "demo", *words, "--casebook", casebook]
    return _run(lambda: desk_tool.build().parse_args(list(map(str, given))), words)


def _run(parse: Callable[[], object], words: tuple[object, ...]) -> str:
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            given = parse()
            given.do(given)  # type: ignore[attr-defined]
    except Refused as refused:
        what = f"half: {words[0]} refuses on this disk: {refused.what}"
        raise AssertionError(what) from None
    return said.getvalue()
