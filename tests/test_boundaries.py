"""What is deployed to the server can open nothing: read from the code, not from a promise.

Import contracts (pyproject.toml) say who may import whom. This reads every call and name in what
the server gets, so that a decrypting call, a secret key or a way around the contracts is found
though nothing new is imported. The one secret the server keeps signs bundles and opens nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from intake.settings import ROOT

# The reading half of age, and what holds or opens secrets offline. ``terminal`` asks passphrases
# for the offline tools; it seals and opens nothing.
OFFLINE = {"desk", "ceremony"}
OPENING = {"age/identity.py", "age/unsealing.py", "locked.py", "quorum.py"}
SIGNER = "admin/setup.py"
CALLS = {"decrypt", "decrypt_into", "decapsulate", "exchange", "unseal", "unseal_stream", "unwrap"}
DYNAMIC = {"__import__", "compile", "eval", "exec", "import_module"}
LAZY = "age/__init__.py"  # the convenience for outsiders, which imports by name


def deployed() -> list[Path]:
    """Return every module that a server gets and may not be able to open anything with."""
    found = [ROOT / "app.py", ROOT / "deploy" / "gunicorn_conf.py"]
    for path in sorted((ROOT / "intake").rglob("*.py")):
        name = path.relative_to(ROOT / "intake")
        if name.parts[0] not in OFFLINE and name.as_posix() not in OPENING:
            found.append(path)
    return found


def breaches(source: str, name: str) -> Iterator[str]:
    """Yield what in a module's source could open something, or hide that it does."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=word) | ast.Name(id=word):
                pass
            case ast.alias(name=word):
                word = word.rpartition(".")[2]
            case _:
                continue
        if word in CALLS or (word in DYNAMIC and name != LAZY and node_is_builtin(node)):
            yield f"line {getattr(node, 'lineno', 0)}: {word}"
        signs = word == "Ed25519PrivateKey" and name == SIGNER
        if word.endswith("PrivateKey") and not signs:
            yield f"line {getattr(node, 'lineno', 0)}: {word}"


def node_is_builtin(node: ast.AST) -> bool:
    """Return whether a dynamic name is used bare or imported; ``re.compile`` is another thing."""
    return isinstance(node, ast.Name | ast.alias) or (
        isinstance(node, ast.Attribute) and node.attr == "import_module"
    )


@pytest.mark.parametrize("path", deployed(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_that_is_deployed_to_the_server_opens_anything(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix().removeprefix("intake/")
    assert list(breaches(path.read_text(encoding="utf-8"), name)) == []


@pytest.mark.parametrize(
    "planted",
    [
        "SUITE.decrypt(share, key, info)",
        "def late():\n    from intake.age.unsealing import unseal\n",
        "import importlib\nimportlib.import_module('intake.age.unsealing')",
        "__import__('intake.age.' + 'unsealing')",
        "from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey",
        "key.exchange(share)",
        "exec(hidden)",
        "Ed25519PrivateKey.generate()",
    ],
)
def test_a_planted_breach_is_found(planted: str) -> None:
    assert list(breaches(planted, "server/site.py"))


def test_the_parts_that_open_are_named_rightly() -> None:
    """Each exception is a file that exists, and that would be found if it were no exception."""
    for name in OPENING:
        source = (ROOT / "intake" / name).read_text(encoding="utf-8")
        assert list(breaches(source, name)), name
    setup = (ROOT / "intake" / SIGNER).read_text(encoding="utf-8")
    assert list(breaches(setup, "elsewhere.py"))
