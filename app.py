"""The WSGI entry: ``python -m gunicorn --config deploy/gunicorn_conf.py`` serves it.

A secret that lies on the server, a form that cannot be used, or a platform that cannot seal stops
it. Without a valid keyring the site answers that it is closed; this says why on standard error.
"""

from __future__ import annotations

import sys
from functools import partial

from intake.errors import BadKeyring, Refused
from intake.server import decoys
from intake.server.returns import create_app
from intake.settings import Settings

try:
    settings = Settings.from_environment()
    app = create_app(settings)
    app.extensions["decoys"] = partial(decoys.run, settings)  # for the workers to run
    for name in app.jinja_env.list_templates(["html"]):
        if name.startswith("source/"):
            app.jinja_env.get_template(name)  # once for all processes that are forked from this one
    app.extensions["site"].letterbox.today()
except BadKeyring as closed:
    print(f"The site is closed. {closed.what}\n  → python -m intake.admin status", file=sys.stderr)  # noqa: T201
except Refused as refused:
    sys.exit(f"{refused.what}\n  → {refused.hint}")
