"""An editable installation reads the checkout, copies nothing of it, and can be reached from another environment."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ..helpers import ROOT


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site-packages folder with an editable installation, and what an older version left there."""
    wheels, site = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site-packages")
    code = "import sys; from hatchling.build import build_editable; build_editable(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, wheels], cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_an_editable_installation_copies_no_file_of_the_checkout(site_packages: Path) -> None:
    copied = [path for path in site_packages.iterdir() if path.suffix not in (".pth", ".dist-info")]
    assert copied == []
    assert [path.read_text().split() for path in site_packages.glob("*.pth")] == [[str(ROOT)]]


def test_an_environment_chained_by_a_pth_file_finds_the_package(site_packages: Path, tmp_path: Path) -> None:
    # pip leaves empty folders behind when it replaces a version that had files there: without the checkout on
    # the path, Python would take this one for the package.
    (site_packages / "mnistarena" / "_resources").mkdir(parents=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], env=environment, check=True, timeout=120)
    (chained,) = venv.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("-packages")]
    (chained / "chained.pth").write_text("\n".join([str(site_packages), str(ROOT), *ours]))
    code = "import mnistarena, mnistarena.paths as paths; print(mnistarena.__file__, paths.resource('templates'))"
    command = [venv / "bin" / "python", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(ROOT / "mnistarena" / "__init__.py"), str(ROOT / "templates")]
