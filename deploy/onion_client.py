r"""Make the key that opens the admin's onion: on the admin's own machine, never on the server.

    python3 deploy/onion_client.py NAME                        the key; the line for the server
    python3 deploy/onion_client.py NAME --address ADDRESS      the file for this machine's tor

The key is in ``NAME.key``, in the folder where it was made or that ``--in`` names, and is made
once. The file for tor, ``NAME.auth_private``, goes into the folder that ``ClientOnionAuthDir`` of
this machine's torrc names; in Tor Browser, paste its last field when the page asks for a key.

It needs Python 3.11 and ``openssl``, and nothing else.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import subprocess
import sys
from pathlib import Path

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
ADDRESS = re.compile(r"([a-z2-7]{56})(\.onion)?")
_KEY = 32  # bytes; the last ones of both encodings (RFC 8410)


def base32(data: bytes) -> str:
    """Return a key as tor spells it."""
    return base64.b32encode(data).decode().rstrip("=")


def openssl(*words: str, given: bytes = b"") -> bytes:
    """Run openssl, and return what it printed."""
    command = ["openssl", *words]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout


def private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, and never over another."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def main() -> None:
    """Make the key, or the file for tor."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="a name that is nobody's")
    parser.add_argument("--address", metavar="ADDRESS", help="of the admin's onion")
    parser.add_argument("--in", dest="folder", type=Path, default=Path(), metavar="FOLDER")
    given = parser.parse_args()
    if not NAME.fullmatch(given.name):
        sys.exit("A name has letters, digits, - and _ only.")
    key = given.folder / f"{given.name}.key"
    if not key.exists():
        private(key, openssl("genpkey", "-algorithm", "X25519").decode())
    secret = openssl("pkey", "-outform", "DER", given=key.read_bytes())[-_KEY:]
    public = openssl("pkey", "-pubout", "-outform", "DER", given=key.read_bytes())[-_KEY:]
    if given.address is None:
        print(f"{key} is there. It stays on this machine. On the server:")
        print(f"intake-host admin-onion --client {given.name}={base32(public)}")
        return
    if not (found := ADDRESS.fullmatch(given.address)):
        sys.exit("An address has 56 letters and digits, and .onion.")
    path = given.folder / f"{given.name}.auth_private"
    path.unlink(missing_ok=True)
    private(path, f"{found[1]}:descriptor:x25519:{base32(secret)}\n")
    print(f"{path} is there. Put it into the folder of ClientOnionAuthDir, and start tor anew.")


if __name__ == "__main__":
    main()
