"""The site, whose letterbox throws away what was validated: what sealing and storing stand beside.

Only a bench serves it. All else is the site's: the keyring is read, the form is validated, the page
with the receipt is made.
"""

from __future__ import annotations

from app import app

__all__ = ["app"]


def throw_away(*_: object) -> None:
    """Take a testimony, and do nothing."""


setattr(app.extensions["site"].letterbox, "post", throw_away)  # noqa: B010 - a method of its class
