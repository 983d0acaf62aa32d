"""The WSGI entry: ``python -m gunicorn --config deploy/gunicorn_conf.py`` serves it.

A secret that lies on the server, a form that cannot be used, or a platform that cannot seal stops
it. Without a valid keyring the site answers that it is closed; this says why on standard error.
"""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import Any

from intake import receipt
from intake.envelope import DECOY
from intake.errors import BadKeyring, Refused
from intake.server import decoys
from intake.server.letterbox import Source
from intake.server.returns import create_app
from intake.settings import Settings


def warm() -> None:
    """Go a letter's way once, storing nothing: who is forked from this process has all it needs."""
    letterbox, seed = app.extensions["site"].letterbox, receipt.new_seed()
    with contextlib.suppress(Refused):  # a closed site; and a row without bytes, as is meant
        today = letterbox.today()
        source = Source(receipt.nonce(seed), receipt.receipt(seed), "")
        row, _ = letterbox.row(today, source, DECOY, {})
        nothing: Any = None
        letterbox.store.add([(row, nothing)], today.period)
    app.test_client().post("/", data={"_seed": ""}, headers={"Origin": "http://localhost"})


try:
    settings = Settings.from_environment()
    app = create_app(settings)
    app.extensions["decoys"] = partial(decoys.run, settings)  # for the workers to run
    app.extensions["warm"] = warm  # for a process to run that others are forked from
    for name in app.jinja_env.list_templates(["html"]):
        if name.startswith("source/"):
            app.jinja_env.get_template(name)  # once for all processes that are forked from this one
    app.extensions["site"].letterbox.today()
except BadKeyring as closed:
    print(f"The site is closed. {closed.what}\n  → python -m intake.admin status", file=sys.stderr)  # noqa: T201
except Refused as refused:
    sys.exit(f"{refused.what}\n  → {refused.hint}")
