"""The data folder, the store and the bundle key.

Rules:
- ``init`` makes what is not there and changes nothing that is, so it may be run again at any time.
- The folder is 0700 and the key 0600. What others could read is refused, never repaired in silence.
- The bundle key signs bundles and opens nothing: the seed of an Ed25519 key (RFC 8032), 64 hex
  digits. Its public half goes into the keyring, and a server with another key exports nothing.
"""

import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import inspect

from intake import files
from intake.errors import BadFile, BadKeyring, Misuse, Unsafe
from intake.keyring import Keyring
from intake.settings import Settings
from intake.signatures import octets
from intake.store import Store, metadata

_SEED = 32  # bytes
_OPEN = stat.S_IRWXG | stat.S_IRWXO


def init(settings: Settings) -> tuple[list[str], bytes]:
    """Make the data folder, the store and the bundle key, each only if it is not there.

    Return the names of what was made, and the public half of the bundle key.
    """
    new = []
    if not settings.data.exists():
        files.make_folder(settings.data)
        new.append("data folder")
    check_folder(settings)
    store = Store(settings.url, settings.data)
    with store.transaction() as connection:
        lacking = metadata.tables.keys() - inspect(connection).get_table_names()
    store.create()
    new += ["store"] * bool(lacking)
    if not settings.bundle_key.exists():
        seed = secrets.token_bytes(_SEED).hex().encode()
        files.write(settings.bundle_key, seed + b"\n", replace=False)
        new.append("bundle key")
    return new, public(bundle_key(settings))


def check_folder(settings: Settings) -> None:
    """Refuse a data folder that is not there, that others can enter, or that is somebody else's.

    Raises :class:`Misuse`, :class:`Unsafe`, :class:`MachineTrouble`.
    """
    if not settings.data.is_dir():
        hint = "Make it with: python -m intake.admin init (INTAKE_DATA says where)"
        raise Misuse(f"There is no data folder {settings.data}.", hint)
    if settings.data.stat().st_mode & _OPEN:
        what = f"Other users of this machine can enter {settings.data}."
        raise Unsafe(what, f"Close it, and find out who looked: chmod 700 {settings.data}")
    # A file that root has made here is one that the site cannot write.
    inside = settings.data.iterdir() if _ours(settings.data) else [settings.data]
    if other := [path for path in inside if not _ours(path)]:
        what = f"Not owned by the user who runs this, or read-only: {', '.join(map(str, other))}."
        raise Unsafe(what, f"On a host, run intake-admin; if need be: chown -R intake: {other[0]}")


def _ours(path: Path) -> bool:
    try:
        facts = path.lstat()
        return facts.st_uid == os.geteuid() and bool(facts.st_mode & stat.S_IWUSR)
    except FileNotFoundError:
        return True  # it came and went


def bundle_key(settings: Settings) -> Ed25519PrivateKey:
    """Return the bundle key. Raises :class:`Misuse`, :class:`Unsafe` or :class:`BadFile`."""
    check_folder(settings)
    if not settings.bundle_key.exists():
        raise Misuse("This server has no bundle key.", "Make it with: python -m intake.admin init")
    data = files.read(settings.bundle_key, 256, private=True)
    try:
        seed = octets(data.decode("ascii").removesuffix("\n"), _SEED)
    except ValueError:
        raise BadFile(
            f"{settings.bundle_key} is damaged.",
            "Take it from the backup. Without one: move it away, run init, and let the key "
            "ceremony name the new key in the next keyring.",
        ) from None
    return Ed25519PrivateKey.from_private_bytes(seed)


def signer(settings: Settings, keyring: Keyring) -> Ed25519PrivateKey:
    """Return the bundle key if it is the one that ``keyring`` names, or :class:`BadKeyring`."""
    key = bundle_key(settings)
    if public(key) != keyring.bundle_key:
        hint = f"Let the key ceremony name this one: --bundle-key {public(key).hex()}"
        raise BadKeyring("The keyring names another bundle key than this server's.", hint)
    return key


def public(key: Ed25519PrivateKey) -> bytes:
    """Return the public half, 32 bytes."""
    return key.public_key().public_bytes_raw()
