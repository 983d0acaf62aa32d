"""A mailbox and what waits in it, made as the desk makes them, for tests of the way back."""

from __future__ import annotations

import re
import secrets
from datetime import date
from typing import Any

from flask.testing import FlaskClient

from intake import days, receipt, reply
from intake.age.identity import Identity
from intake.replies import Replies
from intake.reply import Mailbox, Reply
from tests.site_maker import ORIGIN, Site, receipt_in, seed_in, submit


def boxes(site: Site) -> Replies:
    """Return the replies of a site's store, opened apart from the app's own."""
    return Replies(site.settings.url, site.settings.data)


def mailbox(site: Site, digits: str) -> Mailbox:
    """Return the mailbox of a receipt, as the desk finds it."""
    deployment = site.made.keyring.deployment
    return reply.mailbox(deployment, receipt.reply_secret(deployment, digits))


def answer(site: Site, digits: str, *texts: str, day: date | None = None) -> list[bytes]:
    """Put a notice and answers into the mailbox of a receipt; return their ids."""
    box, day = mailbox(site, digits), day or days.clock()
    to = Identity.from_seed(box.seed).recipient()
    found = [(box.notice, Reply(reply.NOTICE, day))]
    found += [
        (secrets.token_bytes(16), Reply(reply.REPLY, day, number, text))
        for number, text in enumerate(texts, 1)
    ]
    boxes(site).put([(box.id, name, reply.seal(one, to)) for name, one in found])
    return [name for name, _ in found]


def letter(client: FlaskClient, path: str = "/en", **answers: Any) -> str:  # noqa: ANN401
    """Send a letter; return its receipt."""
    found = submit(client, path, **answers)
    assert found.status_code == 200
    return receipt_in(found.text)


def post(client: FlaskClient, path: str, **fields: Any) -> Any:  # noqa: ANN401
    """POST to the way back from a page of ours."""
    return client.post(path, data=fields, headers=ORIGIN)


def page_of(client: FlaskClient, digits: str, path: str = "/en") -> Any:  # noqa: ANN401
    """Return the page of a case, which knows the receipt and has a fresh seed."""
    found = post(client, f"{path}/back", receipt=digits)
    assert found.status_code == 200
    assert seed_in(found.text)
    return found


def masked(html: str) -> str:
    """Return a page without its named tokens: seed, receipt and filler in hidden fields."""
    return re.sub(r'name="(_seed|receipt|_fill)" value="\w*"', r'name="\1"', html)
