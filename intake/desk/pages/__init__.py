"""The desk pages: what a reviewer sees in this machine's own browser, and in no other.

``network`` is the machine cut off · ``serving`` the server on loopback · ``guard`` who may ask, and
what every answer says · ``session`` the keys and what they open, for minutes · ``site`` routes ·
``inbox`` which cases, in which order · ``case`` one case · ``signing`` what waits for a signature ·
``language`` Burmese and English

Rules:
- Nothing here connects anywhere. ``serving`` listens on 127.0.0.1, and nowhere else.
- What a source wrote is in no URL, no log, no file name and no error; only in a page, through
  ``visible``, while the reviewer's keys are here.
- Every page works without a script.
"""
