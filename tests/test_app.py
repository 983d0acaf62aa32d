"""The WSGI entry as gunicorn loads it: what it says, and what stops it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intake.errors import Misuse
from intake.settings import FORM, ROOT, Settings
from tests.site_maker import Site, make_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that is open."""
    return make_site(tmp_path)


def run(site: Site, script: str) -> subprocess.CompletedProcess[str]:
    """Run ``script`` as the server's user would, with this site's settings."""
    own = {"INTAKE_DATA": str(site.settings.data), "INTAKE_KEYS": str(site.settings.keys)}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "INTAKE_FORM": str(site.settings.form), **own},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_valid_keyring_opens_the_site_without_a_word(site: Site) -> None:
    done = run(site, "import app")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_keyring_it_says_what_to_do_next_and_serves_the_closed_page(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path, install=False)
    done = run(site, "from app import app; print(app.test_client().get('/en').status)")
    assert done.stdout == "503 SERVICE UNAVAILABLE\n"
    assert "The site is closed." in done.stderr
    assert "python -m intake.admin status" in done.stderr


@pytest.mark.parametrize("folder", ["keys", "data"])
def test_a_secret_stops_it(site: Site, folder: str, tmp_path: Path) -> None:
    (tmp_path / folder / "old.txt").write_text(site.made.archive.encode())
    done = run(site, "import app")
    assert done.returncode == 1
    assert "A secret lies on the server" in done.stderr
    assert "→" in done.stderr
    assert "Traceback" not in done.stderr
    assert "AGE-SECRET-KEY" not in done.stderr


def test_a_form_that_cannot_be_used_stops_it(tmp_path: Path) -> None:
    form = tmp_path / "form.toml"
    form.write_text(FORM.read_text(encoding="utf-8").replace("limit = 2000", "limit = 5000"))
    done = run(make_site(tmp_path, form), "import app")
    assert done.returncode == 1
    assert "admin doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_platform_that_cannot_seal_stops_it(site: Site) -> None:
    script = (
        "from cryptography.exceptions import UnsupportedAlgorithm\n"
        "from intake.age import recipient\n"
        "class Without:\n"
        "    def from_public_bytes(self, _):\n"
        "        raise UnsupportedAlgorithm('ML-KEM')\n"
        "recipient.MLKEM768PublicKey = Without()\n"
        "import app\n"
    )
    done = run(site, script)
    assert done.returncode == 1
    assert "ML-KEM" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("INTAKE_FILES", value) for value in ("abc", "-1", "51")),
        *(("INTAKE_FILE_MB", value) for value in ("0", "1025", "")),
        *(("INTAKE_FILL", value) for value in ("-1", "65537", "many")),
        *(("INTAKE_DECOYS", value) for value in ("-1", "86401", "0.5")),
    ],
)
def test_a_limit_of_files_that_is_none_is_named(name: str, value: str) -> None:
    with pytest.raises(Misuse, match=name):
        Settings.from_environment({name: value})
    assert Settings.from_environment({"INTAKE_FILES": "0", "INTAKE_FILE_MB": "1024"}).files == 0
