"""`make version` writes one version for the core and its plugins."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnistarena.version import __version__

from ..helpers import ROOT

HOLDERS = [
    *("pyproject.toml", "mnistarena/version.py", "CITATION.cff", "CHANGELOG.md", "docs/plugins.md"),
    *("templates/plugin/common/pyproject.toml.j2", "release/__init__.py", "release/projects.py", "release/version.py"),
    *(path.relative_to(ROOT).as_posix() for path in ROOT.glob("plugins/*/pyproject.toml")),
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the files that hold a version."""
    for name in HOLDERS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def version(tree: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "release.version", *given], cwd=tree, capture_output=True, text=True, timeout=60
    )


def text(tree: Path) -> dict[str, str]:
    return {name: (tree / name).read_text("utf-8") for name in HOLDERS if (tree / name).is_file()}


def test_the_core_its_plugins_and_what_they_need_of_each_other_move_together(tree: Path):
    before = text(tree)
    done = version(tree, "7.3.1")
    assert done.returncode == 0, done.stderr
    after = text(tree)
    assert sorted(done.stdout.split()) == sorted(name for name in HOLDERS if before[name] != after[name])
    assert '__version__ = "7.3.1"' in after["mnistarena/version.py"]
    assert "version: 7.3.1" in after["CITATION.cff"]
    for name in HOLDERS:
        if name.startswith("plugins/"):
            assert 'version = "7.3.1"' in after[name]
            assert '"mnistarena>=7.3,<8"' in after[name]
    assert all(
        f'"{plugin}>=7.3,<8"' in after["pyproject.toml"]
        for plugin in re.findall(r'"(mnistarena-[a-z0-9-]+)>=', before["pyproject.toml"])
    )
    told = ("CHANGELOG.md", "release/version.py")
    assert not re.search(r"mnistarena(-[a-z-]+)?>=0", "".join(held for name, held in after.items() if name not in told))

    # Before 1.0 the second number counts; a version before the release itself must fit, too.
    assert version(tree, "0.4.0rc1").returncode == 0
    assert '"mnistarena>=0.4.0rc1,<0.5"' in (tree / "plugins/mnistarena-cnn/pyproject.toml").read_text()
    assert version(tree, __version__).returncode == 0
    assert text(tree) == before


def test_nothing_is_written_for_what_is_no_version_and_a_file_without_one_is_named(tree: Path):
    before = text(tree)
    for given in ((), ("next",), ("1.2",), ("1.2.3", "4.5.6")):
        done = version(tree, *given)
        assert done.returncode == 1
        assert done.stderr == "error: give one version of three numbers, such as 0.2.0 or 0.2.0rc1\n"
    assert text(tree) == before
    (tree / "CITATION.cff").unlink()
    done = version(tree, "0.2.0")
    assert done.returncode == 1
    assert "CITATION.cff has nothing that fits" in done.stderr
    assert text(tree) == {name: held for name, held in before.items() if name != "CITATION.cff"}
