"""The WSGI entry: ``gunicorn -c deploy/gunicorn_conf.py app:app``.

Without a valid keyring the site answers that it is closed; this says on standard error why, and
what to do next. A secret that lies on the server stops it.
"""

from __future__ import annotations

import sys

from intake.errors import Refused
from intake.server.letterbox import Letterbox
from intake.server.site import create_app
from intake.settings import Settings

settings = Settings.from_environment()
try:
    app = create_app(settings)
except Refused as refused:
    sys.exit(f"{refused.what}\n  → {refused.hint}")
try:
    Letterbox(settings).today()
except Refused as refused:
    sys.stderr.write(
        f"The site is closed. {refused.what}\n  → Run: python -m intake.admin status\n"
    )
