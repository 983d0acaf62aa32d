"""Quorum packages of 2 of 3 and 3 of 5, opened by stock age, step by step as docs/RECOVERY.md says.

Rules:
- The packages are made by the key ceremony; each reviewer has a folder with a quorum identity under
  a passphrase. From there on only the document's blocks and stock programs act.
- What is opened lies in a folder of its own below /dev/shm, and is gone afterwards.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from deploy import recovery
from intake import canonical, keyring, locked, quorum
from intake.age.passphrase import Passphrase
from intake.ceremony import package
from intake.keyring import Period
from tests import makers
from tests.makers import FIRST, Deployment, make_deployment

pytestmark = pytest.mark.interop

WORDS = "demo-ပန်းခြံ-မိုး"
OPENED = b"age-encryption.org/v1\n"
SECRET = b"AGE-SECRET-KEY-PQ-1"


@dataclass(frozen=True, slots=True)
class Kit:
    """A deployment, and the folder with everything that its people have."""

    made: Deployment
    folder: Path
    names: list[str]  # of the packages

    def play(self, age: Path, openers: Sequence[str], to: Path) -> dict[str, str]:
        """Let these reviewers follow steps 2 to 7; return what each said, and what it left."""
        ram = Path(tempfile.mkdtemp(dir="/dev/shm"))
        places: dict[str, object] = {
            "PEOPLE": self.folder / "people",
            "PACKAGES": self.folder / "packages",
            "KEYRING": self.folder / "keyring",
            "FINGERPRINT": self.made.keyring.sha256.hex(),
            "OPENERS": " ".join(openers),
            "RAM": ram,
        }
        chosen = [b for b in recovery.blocks() if b.title.split(".")[0] in set("234567")]
        to.mkdir()
        path = recovery.programs(to / "programs", age)
        run = to / "run"
        run.mkdir()
        try:
            said = {
                block.title.split(".")[0]: text
                for block, text in recovery.play(
                    [recovery.filled(block, places) for block in chosen], run, path, lambda _: WORDS
                )
            }
            keys = sorted(key.stem for key in ram.glob("*.key"))
        finally:
            shutil.rmtree(ram)
        return {**said, "keys": " ".join(keys)}


@pytest.fixture(scope="module")
def age() -> Path:
    """Return an age that knows hybrid keys. Without one this fails, and says what to do."""
    return recovery.stock_age()


@pytest.fixture(scope="module", params=[(2, 3), (3, 5)], ids=["2 of 3", "3 of 5"])
def kit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Make an archive and a period for a quorum, and the keyring that names them."""
    needed, count = request.param
    folder = tmp_path_factory.mktemp("kit")
    made = make_deployment(weeks=1, reviewers=count, quorum=needed)
    to = {name: str(who.quorum.recipient()) for name, who in made.reviewers.items()}
    days = (FIRST, FIRST + timedelta(days=6))
    archive = package.make(folder / "packages" / "archive", to, needed)
    week = package.make(folder / "packages" / "2026-w47", to, needed, days)
    period = Period(week.name, *days, week.recipient, {})
    periods = [makers.attested(period, made.reviewers, needed)]
    draft = {**made.draft, "archive": archive.recipient, "periods": periods}
    raw = makers.sign(canonical.dump(draft), made.roots)
    (folder / "keyring").write_bytes(raw)
    for name, who in made.reviewers.items():
        own = folder / "people" / name
        own.mkdir(parents=True)
        locked.lock(own / "quorum.age", who.quorum.encode(), Passphrase(WORDS, 10))
    made = replace(made, raw=raw, keyring=keyring.parse(raw))
    return Kit(made, folder, [archive.name, week.name])


def test_a_quorum_opens_every_package(kit: Kit, age: Path, tmp_path: Path) -> None:
    """The first and the last of all quorums, as the document says."""
    everyone = list(kit.made.reviewers)
    needed = kit.made.keyring.quorum
    for number, openers in enumerate((everyone[:needed], everyone[-needed:])):
        said = kit.play(age, openers, tmp_path / str(number))
        assert said["5"].count("good") == 1 + len(kit.made.roots)
        assert said["6"].count("good") == needed
        assert sorted(said["7"].splitlines()) == [f"good: {name}" for name in sorted(kit.names)]
        assert said["keys"].split() == sorted([*openers, *kit.names])


def test_one_less_opens_none(kit: Kit, age: Path, tmp_path: Path) -> None:
    """Neither as the document says, nor with the file of another quorum under their names."""
    everyone = list(kit.made.reviewers)
    openers = everyone[: kit.made.keyring.quorum - 1]
    said = kit.play(age, openers, tmp_path / "as it says")
    assert (said["7"].count("STOP"), "good" in said["7"]) == (2, False)
    folder = tmp_path / "renamed"
    shutil.copytree(kit.folder, folder)
    for name in kit.names:
        own = folder / "packages" / name
        whole = own / f"{'+'.join(everyone[: kit.made.keyring.quorum])}.age"
        shutil.copy(whole, own / f"{'+'.join(openers)}.age")
    said = Kit(kit.made, folder, kit.names).play(age, openers, tmp_path / "run")
    assert (said["7"].count("STOP"), "good" in said["7"]) == (2, False)
    assert said["keys"].split() == sorted(openers)


@pytest.fixture
def keys(kit: Kit) -> Iterator[dict[str, Path]]:
    """Return the reviewers' identities as files in memory."""
    ram = Path(tempfile.mkdtemp(dir="/dev/shm"))
    found = {name: ram / f"{name}.key" for name in kit.made.reviewers}
    for name, path in found.items():
        path.write_text(f"{kit.made.reviewers[name].quorum.encode()}\n")
    yield found
    shutil.rmtree(ram)


def test_every_file_opens_in_its_order_and_in_no_other(
    kit: Kit, age: Path, keys: dict[str, Path]
) -> None:
    """One command for each reviewer; between them, and for anybody else, a sealed file."""

    def peel(sealed: bytes, name: str) -> bytes | None:
        done = subprocess.run(
            [age, "-d", "-i", keys[name]], input=sealed, capture_output=True, check=False
        )
        return done.stdout if done.returncode == 0 else None

    for package_name in kit.names:
        folder = kit.folder / "packages" / package_name
        identities = set()
        for subset in itertools.combinations(keys, kit.made.keyring.quorum):
            layer: bytes | None = (folder / f"{'+'.join(subset)}.age").read_bytes()
            for name in subset:
                assert layer is not None
                assert layer.startswith(OPENED)
                assert not [other for other in keys if other != name and peel(layer, other)]
                layer = peel(layer, name)
            assert layer is not None
            assert layer.startswith(SECRET)
            identities.add(layer)
        (identity,) = identities
        ours = quorum.open_package(folder, {n: w.quorum for n, w in kit.made.reviewers.items()})
        assert identity.decode() == f"{ours.encode()}\n"
