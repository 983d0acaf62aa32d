"""What may stand in which file: the rules of the house, and a reader that says what breaks them.

The import contracts (pyproject.toml) see imports only, and only those below ``intake/``. This reads
every import, name and string in the code, so that a call that decrypts, a secret key, or a way
around the contracts is found though nothing new is imported.

Rules:
- What a server gets names nothing that opens, and imports no module that does, but for ``MAILBOX``:
  it opens replies with a key made from the receipt that its source just typed. The one secret that
  the server keeps signs bundles and opens nothing (``SIGNER``).
- Elsewhere too, only the reading half of age calls what opens; all others go through ``unseal``.
- Nothing is imported, fetched or run by a name that is made at run time.
- What is imported from outside stands on the lists below. To add to them, answer first: can it load
  code, run a program, or open a connection?
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from intake.settings import ROOT

ROOMS = ("intake.ceremony", "intake.desk")  # offline: they are not on a server
# What a server loads beside intake/.
SERVED = (
    *("app.py", "deploy/gunicorn_conf.py"),
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("deploy/door/*.py")),
)
SIGNER = "intake/admin/setup.py"
MAILBOX = "intake.server.mailbox"
SEEKER = "intake/misplaced.py"  # finds secrets by how they are spelled


def _reading_half() -> tuple[str, ...]:
    """Return the modules that the contract of age's layers puts above the half that seals."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "age")
    above = re.findall(r"\w+", " ".join(layers[: layers.index("sealing")]))
    return tuple(f"intake.age.{name}" for name in above)


HALF = _reading_half()
LOCKS = ("intake.locked", "intake.quorum", "intake.age.armor")
OPENING = (*HALF, *LOCKS)
CLOSED = (*ROOMS, *OPENING)  # what nothing on a server imports, but for the mailbox
ABSENT = (*ROOMS, *LOCKS)  # what a server runs without

# In a name, whatever stands before and after it.
PRIMITIVE = r"(?i:decrypt|decaps|unwrap|private_?key)|^exchange$"
OPENS = rf"{PRIMITIVE}|(?i:unseal)|Identity$"
SECRET = "AGE-SECRET-KEY"

# Whole names: what finds or runs code by a name made at run time.
BUILTIN = r"compile|eval|exec"  # bare only; re.compile is another thing
BY_NAME = (
    r"__(builtins|dict|getattribute|import|loader|spec|subclasses)__|attrgetter|getattr|getmembers|"
    r"get_(annotations|type_hints)|globals|import_(module|string)|locals|methodcaller|vars"
)
LOADS = r"sys\.(meta_path|modules|path|path_hooks)|os\.(exec\w+|fork\w*|popen|\w*spawn\w*|system)"

# What may be imported from outside, and what is in it.
PLAIN = (
    r"__future__|argparse|base64|collections|contextlib|cryptography|dataclasses|datetime|enum|"
    r"fcntl|functools|getpass|gettext|hashlib|hmac|inspect|io|itertools|json|markupsafe|"
    r"mnemonic|os|pathlib|platform|re|resource|secrets|shutil|stat|sys|time|tomllib|traceback|"
    r"typing|unicodedata|zlib"
)
SERVER = (
    rf"{PLAIN}|flask|flask_wtf|gevent|gunicorn|sqlalchemy|tempfile|types\.FrameType|urllib\.parse|"
    r"werkzeug|wtforms"
)
# Worker processes (``desk/cores.py``) unpickle, by name, what this process sent them, and it what
# they sent back, through pipes that nobody else writes to. Nothing of a file or stick is unpickled.
WORKERS = r"concurrent\.futures|multiprocessing\.(get_context|parent_process)|signal|threading"
DESK = rf"{PLAIN}|{WORKERS}|array|csv|gc|heapq|jinja2|math|mmap|myanmartools|tempfile"
# The desk pages listen on loopback. Flask and werkzeug could run a program or fetch; nothing there
# asks them to (tests/test_pages.py looks), and webbrowser runs the browser that is installed.
PAGES = rf"{DESK}|flask|webbrowser|werkzeug"


class Zone(NamedTuple):
    """What is refused in some files: names, and modules of ours; ``outside`` may be imported."""

    opens: str
    closed: tuple[str, ...]
    outside: str


ONLINE = Zone(OPENS, CLOSED, SERVER)
DOOR = Zone(OPENS, CLOSED, rf"{SERVER}|deploy\.door")
# It asks the system to keep workers' memory to themselves: prctl(2), which Python has not.
PROCESS = Zone(OPENS, CLOSED, rf"{PLAIN}|ctypes|signal|socket")
# It forks, and what it forks has pipes and sockets to its parent; it runs no program.
STEM = Zone(OPENS, CLOSED, rf"{SERVER}|deploy\.door|gc|mmap|select|signal|socket|struct")
TURNS = Zone(OPENS, CLOSED, rf"{SERVER}|deploy\.door|mmap|weakref")
# It knocks at the site's own socket, a file, to see that somebody answers.
KNOCK = Zone(OPENS, CLOSED, rf"{SERVER}|socket")
BOX = Zone(PRIMITIVE, ABSENT, SERVER)
OFFLINE = Zone(PRIMITIVE, (), DESK)
LOOPBACK = Zone(PRIMITIVE, (), PAGES)
READING = Zone(r"(?!)", (), DESK)
ZONES = (
    (HALF, READING),
    ((MAILBOX,), BOX),
    (("deploy.door.disposable",), STEM),
    (("deploy.door.processes",), PROCESS),
    (("deploy.door.turns",), TURNS),
    (("deploy.gunicorn_conf", "deploy.door"), DOOR),
    (("intake.admin.host",), KNOCK),
    (("intake.desk.pages",), LOOPBACK),
    (CLOSED, OFFLINE),
)


def within(name: str, modules: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of ``modules``, or in one."""
    parts = name.split(".")
    return any(".".join(parts[:n]) in modules for n in range(1, len(parts) + 1))


def breaches(root: Path) -> Iterator[str]:
    """Yield ``file:line: what`` for all that breaks a rule in the checkout at ``root``."""
    for path in [*map(root.joinpath, SERVED), *sorted((root / "intake").rglob("*"))]:
        name = path.relative_to(root).as_posix()
        if path.suffix == ".py":
            yield from (f"{name}:{n}: {what}" for n, what in refused(path.read_text("utf-8"), name))
            if name not in SERVED and not path.with_name("__init__.py").exists():
                yield f"{name}:0: a folder without __init__.py, which the contracts do not see"
        elif path.suffix in {".pyc", ".pyd", ".so"} and path.parent.name != "__pycache__":
            yield f"{name}:0: code without its source"


def refused(source: str, name: str) -> Iterator[tuple[int, str]]:
    """Yield the line of each breach in one file, and what stands there."""
    module = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    zone = next((zone for modules, zone in ZONES if within(module, modules)), ONLINE)
    for line, kind, what in sorted(set(_mentions(ast.parse(source)))):
        word = what.rpartition(".")[2]
        signs = word == "Ed25519PrivateKey" and (zone in {OFFLINE, LOOPBACK} or name == SIGNER)
        spells = kind == "spells" and (zone is READING or name == SEEKER)
        if (
            (re.search(zone.opens, word) and not signs)
            or re.fullmatch(BY_NAME, word)
            or (re.fullmatch(LOADS, what) and not (zone is STEM and what == "os.fork"))
            or within(what, zone.closed)
            or (kind == "imports" and not _importable(what, zone))
            or (kind == "names" and re.fullmatch(BUILTIN, what))
            or (kind == "spells" and not spells)
        ):
            yield line, f"{kind} {what}"


def _importable(what: str, zone: Zone) -> bool:
    if what.startswith("intake."):
        # A package gives out its modules as attributes, which no contract sees.
        return what != "intake.age" and not what.endswith("*")
    return re.match(rf"({zone.outside})(\.|$)", what) is not None


def _mentions(tree: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield line, kind and dotted name of all that a module imports or names."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(lineno=line, names=names):
                yield from ((line, "imports", alias.name) for alias in names)
            case ast.ImportFrom(lineno=line, module=module, names=names, level=level):
                start = "." * level + (f"{module}." if module else "")
                yield from ((line, "imports", start + alias.name) for alias in names)
            case ast.Name() | ast.Attribute():
                yield node.lineno, "names", _dotted(node)
            case ast.MatchClass(lineno=line, kwd_attrs=names):  # it reads attributes, too
                yield from ((line, "names", f".{name}") for name in names)
            case ast.Constant(lineno=line, value=str() | bytes() as text) if SECRET in str(text):
                yield line, "spells", SECRET


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{_dotted(value)}.{name}"
    return ""
