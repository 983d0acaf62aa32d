"""Planted breaches of the house's boundaries, and what the gate must say of each.

A breach is text that is put at the end of files (a file that is not there is made), and then:

- ``says``: each line of the code's reader (tests/boundaries.py) on the file, without its number;
- ``breaks``: the contracts of pyproject.toml that break, by id, and what the report of each says.

What is not said here must not be said: a breach that two gates see is named by both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SITE = "intake/server/site.py"
PAGE = "intake/desk/page.py"
DOOR = "intake/desk/pages/guard.py"
CARD = "intake/ceremony/card.py"
ADMIN = "intake/admin/status.py"
HYBRID = "cryptography.hazmat.primitives.hpke"
KEYS = "cryptography.hazmat.primitives.asymmetric"


class Breach(NamedTuple):
    """One breach: what is planted, and what is said of it."""

    plant: Mapping[str, str]
    says: tuple[str, ...] = ()
    breaks: Mapping[str, str] = {}


def late(statement: str) -> str:
    """Return an import that runs only when a function is called."""
    return f"\n\ndef late() -> None:\n    {statement}\n"


BREACHES = {
    # Worker processes, and no more of what makes them.
    "desk listens": Breach(
        {PAGE: late("from multiprocessing.connection import Listener")},
        (f"{PAGE}: imports multiprocessing.connection.Listener",),
    ),
    "desk unpickles": Breach({PAGE: late("import pickle")}, (f"{PAGE}: imports pickle",)),
    # Rooms, and who may import what opens.
    "server imports the desk": Breach(
        {SITE: late("from intake.desk import state")},
        (f"{SITE}: imports intake.desk.state",),
        {
            "layers": "intake.server.site -> intake.desk.state",
            "online-rooms": "intake.server.site -> intake.desk.state",
            "site": "intake.server.site -> intake.desk.state",
        },
    ),
    "server imports admin": Breach(
        {SITE: late("from intake.admin import setup")},
        breaks={
            "layers": "intake.server.site -> intake.admin.setup",
            "site": "intake.server.site -> intake.admin.setup",
        },
    ),
    "desk imports the ceremony": Breach(
        {PAGE: late("from intake.ceremony import proposal")},
        breaks={"layers": "intake.desk.page -> intake.ceremony.proposal"},
    ),
    "server imports what unseals": Breach(
        {SITE: late("import intake.age.unsealing")},
        (f"{SITE}: imports intake.age.unsealing",),
        {"online-rooms": "intake.server.site -> intake.age.unsealing"},
    ),
    "admin opens packages": Breach(
        {ADMIN: late("from intake import quorum")},
        (f"{ADMIN}: imports intake.quorum",),
        {"online-rooms": "intake.admin is not allowed to import intake.quorum"},
    ),
    "admin unlocks secrets": Breach(
        {ADMIN: late("from intake.locked import unlock")},
        (f"{ADMIN}: imports intake.locked.unlock",),
        {"online-rooms": "intake.admin is not allowed to import intake.locked"},
    ),
    "the site makes words": Breach(
        {SITE: late("from intake import words")},
        breaks={"site": "intake.server.site -> intake.words"},
    ),
    "the site takes the list of words itself": Breach(
        {SITE: late("import mnemonic")}, breaks={"site": "intake.server.site -> mnemonic"}
    ),
    "for types only": Breach(
        {
            SITE: "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
            "    from intake.age.identity import Identity\n"
        },
        (f"{SITE}: imports intake.age.identity.Identity",),
        {"online-rooms": "intake.server.site -> intake.age.identity"},
    ),
    "by a relative name": Breach(
        {SITE: late("from ..age import unsealing")},
        (f"{SITE}: imports ..age.unsealing",),
        {"online-rooms": "intake.server.site -> intake.age.unsealing"},
    ),
    "through a shared module": Breach(
        {"intake/receipt.py": late("from intake.age.unsealing import unseal")},
        ("intake/receipt.py: imports intake.age.unsealing.unseal",),
        {"online-rooms": "intake.receipt -> intake.age.unsealing"},
    ),
    "through the half of age that seals": Breach(
        {"intake/age/sealing.py": late("from intake.age.identity import Identity")},
        ("intake/age/sealing.py: imports intake.age.identity.Identity",),
        {"age": "intake.age.sealing -> intake.age.identity"},
    ),
    "unsealing that seals": Breach(
        {"intake/age/unsealing.py": late("from intake.age import sealing")},
        breaks={"two-halves": "intake.age.unsealing -> intake.age.sealing"},
    ),
    "the package's attribute": Breach(
        {SITE: "from intake import age\n\nage.identity.PREFIX\n"}, (f"{SITE}: imports intake.age",)
    ),
    "the package's attribute, spelled out": Breach(
        {SITE: "import intake.age.recipient\n\nintake.age.identity.PREFIX\n"},
        (f"{SITE}: names intake.age.identity", f"{SITE}: names intake.age.identity.PREFIX"),
    ),
    "what the package gave out once": Breach(
        {SITE: "from intake.age import unseal\n"}, (f"{SITE}: imports intake.age.unseal",)
    ),
    "all of a package": Breach(
        {SITE: "from intake.age import *\n"}, (f"{SITE}: imports intake.age.*",)
    ),
    # What has no place.
    "a module without a place": Breach(
        {"intake/helper.py": "A = 1\n"}, breaks={"layers": "- intake.helper"}
    ),
    "a package without a place": Breach(
        {"intake/extra/__init__.py": ""}, breaks={"layers": "- intake.extra"}
    ),
    "a folder that is no package": Breach(
        {"intake/loose/hidden.py": "A = 1\n"},
        ("intake/loose/hidden.py: a folder without __init__.py, which the contracts do not see",),
    ),
    "a new module that opens, in age": Breach(
        {"intake/age/opener.py": "SUITE.decrypt(share, key)\n"},
        ("intake/age/opener.py: names SUITE.decrypt",),
        {"age": "- intake.age.opener"},
    ),
    "a new module in age, imported by the server": Breach(
        {"intake/age/opener.py": "A = 1\n", SITE: late("from intake.age import opener")},
        breaks={"age": "- intake.age.opener", "online-rooms": "server.site -> intake.age.opener"},
    ),
    "code without source": Breach(
        {"intake/age/opener.pyc": ""}, ("intake/age/opener.pyc: code without its source",)
    ),
    "the entry imports the desk": Breach(
        {"app.py": "import intake.desk.state\n"}, ("app.py: imports intake.desk.state",)
    ),
    "gunicorn's configuration imports what unseals": Breach(
        {"deploy/gunicorn_conf.py": late("from intake.age.unsealing import unseal")},
        ("deploy/gunicorn_conf.py: imports intake.age.unsealing.unseal",),
    ),
    "the entry imports a module beside intake/": Breach(
        {"app.py": "import helper\n", "helper.py": "import intake.desk\n"},
        ("app.py: imports helper",),
    ),
    # Names made at run time, and code from elsewhere.
    "import_module": Breach(
        {SITE: "import importlib\nimportlib.import_module('intake.age.' + 'unsealing')\n"},
        (f"{SITE}: imports importlib", f"{SITE}: names importlib.import_module"),
    ),
    "__import__": Breach(
        {SITE: "__import__('intake.age.' + 'unsealing')\n"}, (f"{SITE}: names __import__",)
    ),
    "importlib.util": Breach(
        {SITE: "from importlib import util\n"}, (f"{SITE}: imports importlib.util",)
    ),
    "runpy": Breach(
        {SITE: "from runpy import run_module\n"}, (f"{SITE}: imports runpy.run_module",)
    ),
    "sys.modules": Breach(
        {SITE: "import sys\nsys.modules['intake.desk']\n"}, (f"{SITE}: names sys.modules",)
    ),
    "modules of sys": Breach(
        {SITE: "from sys import modules as m\n"}, (f"{SITE}: imports sys.modules",)
    ),
    "exec": Breach({SITE: "exec(hidden)\n"}, (f"{SITE}: names exec",)),
    "getattr": Breach(
        {SITE: "getattr(suite, 'de' + 'crypt')(share)\n"}, (f"{SITE}: names getattr",)
    ),
    "attrgetter": Breach(
        {SITE: "from operator import attrgetter\n"}, (f"{SITE}: imports operator.attrgetter",)
    ),
    "vars": Breach({SITE: "vars(suite)['de' + 'crypt']\n"}, (f"{SITE}: names vars",)),
    "pickle": Breach({SITE: "import pickle\n"}, (f"{SITE}: imports pickle",)),
    "marshal": Breach({SITE: "from marshal import loads\n"}, (f"{SITE}: imports marshal.loads",)),
    "ctypes": Breach({SITE: "import ctypes.util\n"}, (f"{SITE}: imports ctypes.util",)),
    "a subprocess": Breach(
        {SITE: "import subprocess\nsubprocess.run(['age', '-d'])\n"},
        (f"{SITE}: imports subprocess",),
    ),
    "a program": Breach({SITE: "import os\nos.execvp('age', [])\n"}, (f"{SITE}: names os.execvp",)),
    # Calls that open, and keys.
    "a call that decrypts": Breach(
        {"intake/envelope.py": "SUITE.decrypt(share, key, info)\n"},
        ("intake/envelope.py: names SUITE.decrypt",),
    ),
    "a call that decapsulates": Breach(
        {ADMIN: "key.decapsulate(share)\n"}, (f"{ADMIN}: names key.decapsulate",)
    ),
    "a call that exchanges": Breach(
        {SITE: "found.key.exchange(share)\n"}, (f"{SITE}: names found.key.exchange",)
    ),
    "a decryptor": Breach({SITE: "Cipher(a, b).decryptor()\n"}, (f"{SITE}: names .decryptor",)),
    "under another name": Breach(
        {SITE: f"from {HYBRID} import decrypt as d\n"}, (f"{SITE}: imports {HYBRID}.decrypt",)
    ),
    "by a pattern": Breach(
        {SITE: "match suite:\n    case object(decrypt=d):\n        d(share)\n"},
        (f"{SITE}: names .decrypt",),
    ),
    "an X25519 key": Breach(
        {SITE: f"from {KEYS}.x25519 import X25519PrivateKey as K\n"},
        (f"{SITE}: imports {KEYS}.x25519.X25519PrivateKey",),
    ),
    "an ML-KEM key": Breach(
        {SITE: f"from {KEYS} import mlkem\n\nmlkem.MLKEM768PrivateKey.generate()\n"},
        (f"{SITE}: names mlkem.MLKEM768PrivateKey",),
    ),
    "a key from a file": Breach(
        {SITE: "serialization.load_pem_private_key(b'')\n"},
        (f"{SITE}: names serialization.load_pem_private_key",),
    ),
    "a signing key in the site": Breach(
        {SITE: "Ed25519PrivateKey.generate()\n"}, (f"{SITE}: names Ed25519PrivateKey",)
    ),
    "another key where the bundle key is": Breach(
        {"intake/admin/setup.py": f"from {HYBRID} import MLKEM768X25519PrivateKey\n"},
        (f"intake/admin/setup.py: imports {HYBRID}.MLKEM768X25519PrivateKey",),
    ),
    "an identity": Breach({SITE: "Identity.parse(text)\n"}, (f"{SITE}: names Identity",)),
    "a secret in the code": Breach(
        {SITE: "KEY = f'AGE-SECRET-KEY-PQ-1{rest}'\n"}, (f"{SITE}: spells AGE-SECRET-KEY",)
    ),
    "a secret in bytes": Breach(
        {ADMIN: "KEY = b'AGE-SECRET-KEY-1QQ'\n"}, (f"{ADMIN}: spells AGE-SECRET-KEY",)
    ),
    # Offline.
    "desk imports the store": Breach(
        {PAGE: late("from intake.store import Store")},
        breaks={"offline-rooms": "intake.desk is not allowed to import intake.store"},
    ),
    "desk imports SQLAlchemy": Breach(
        {PAGE: late("import sqlalchemy")},
        (f"{PAGE}: imports sqlalchemy",),
        {"offline-rooms": "intake.desk.page -> sqlalchemy"},
    ),
    "desk opens a socket": Breach(
        {PAGE: late("import socket")},
        (f"{PAGE}: imports socket",),
        {"offline-rooms": "intake.desk.page -> socket"},
    ),
    "desk serves": Breach(
        {PAGE: late("import flask")},
        (f"{PAGE}: imports flask",),
        {"offline-rooms": "intake.desk.page -> flask"},
    ),
    "the desk pages connect": Breach(
        {DOOR: late("import http.client")},
        (f"{DOOR}: imports http.client",),
        {"offline-rooms": "intake.desk.pages.guard -> http"},
    ),
    "the desk pages decrypt by themselves": Breach(
        {DOOR: "SUITE.decrypt(share, key)\n"}, (f"{DOOR}: names SUITE.decrypt",)
    ),
    "ceremony fetches": Breach(
        {CARD: late("import urllib.request")},
        (f"{CARD}: imports urllib.request",),
        {"offline-rooms": "intake.ceremony.card -> urllib"},
    ),
    "desk connects through a shared module": Breach(
        {"intake/files.py": late("import http.client")},
        ("intake/files.py: imports http.client",),
        {"offline-rooms": "intake.files -> http"},
    ),
    "desk runs a program that connects": Breach(
        {PAGE: late("import subprocess")}, (f"{PAGE}: imports subprocess",)
    ),
    "desk imports by name": Breach(
        {PAGE: "__import__('soc' + 'ket')\n"}, (f"{PAGE}: names __import__",)
    ),
    "desk decrypts by itself": Breach(
        {PAGE: "SUITE.decrypt(share, key)\n"}, (f"{PAGE}: names SUITE.decrypt",)
    ),
    "a key that opens, made at the ceremony": Breach(
        {CARD: "X25519PrivateKey.generate()\n"}, (f"{CARD}: names X25519PrivateKey",)
    ),
    "a lock that decrypts by itself": Breach(
        {"intake/locked.py": "cipher.decrypt(nonce, data, None)\n"},
        ("intake/locked.py: names cipher.decrypt",),
    ),
}
