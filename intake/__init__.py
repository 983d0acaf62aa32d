"""Intake: a sealed letterbox for testimony.

One room for each person who uses it, and the trust boundary is a folder:

- ``server/``   sources: the site, which seals every testimony before anything is stored
- ``admin/``    admins, on the server: init, keyring, export, acknowledge, status, doctor
- ``ceremony/`` admins, offline: roots, reviewers, periods, quorums, signing
- ``desk/``     reviewers, offline: import, casebook, read, acknowledge, export

and beneath them what they share:

- ``form`` the declared form · ``declaration`` its checks · ``wording`` its languages
- ``zawgyi`` Burmese as old phones have it, and back
- ``about`` what a group says of itself
- ``receipt`` what a form hides · ``locked`` secrets at rest · ``quorum`` what k of n open
- ``reply`` what travels back, and its mailbox · ``replies`` those in the store
- ``envelope`` the sealed row · ``keyring`` whom to seal to and believe · ``signatures`` on it
- ``installed`` the keyring in force · ``days`` the day to act on · ``rows`` the store, for admins
- ``bundle/`` what travels · ``store`` the tables · ``settings`` where things are
- ``misplaced`` secrets where none belongs · ``sentences`` a keyring read aloud · ``words`` for it
- ``age/`` the file format · ``canonical`` JSON with one spelling · ``files`` durable files
- ``terminal`` the one place that prints and asks · ``errors`` everything we refuse

Import rule: ``server | admin | ceremony | desk`` → the shared modules → ``age`` → ``errors``. Rooms
never import each other. ``server`` and ``admin`` hold nothing that opens an envelope, and only
``server/mailbox`` opens a reply, with the key that follows from its source's own receipt. ``desk``
and ``ceremony`` hold nothing that connects to a network or a database; only ``desk/pages`` listens,
on loopback. ``make check`` enforces it.
"""
