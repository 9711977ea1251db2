"""`arena new`: a package that passes its own tests and runs its own spec, unchanged."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mnistarena.plugin.registry import installed
from mnistarena.plugin.scaffold import write_package

NAMES = {
    "model": "wide-mlp",
    "dataset": "bars",
    "transform": "gamma",
    "metric": "worst_recall",
    "optimizer": "sign-descent",
    "loss": "one-minus",
    "schedule": "root",
    "augmentation": "grain",
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """One package of each kind, and the metadata that `pip install -e` would write for them."""
    site = tmp_path_factory.mktemp("site")
    registry = installed()
    for kind, name in NAMES.items():
        folder = write_package(kind, name, parent=site, registry=registry)
        (package,) = (path.parent for path in folder.glob("*/__init__.py"))
        (site / package.name).symlink_to(package)
        info = site / f"{package.name}-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {folder.name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[mnistarena]\n{package.name} = {package.name}\n")
    return site


def test_the_tests_of_all_kinds_pass(packages):
    path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *packages.glob("arena-*/tests")],
        cwd=packages,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


def test_the_models_spec_runs(arena, packages, tmp_path):
    result = arena("run", packages / "arena-wide-mlp" / "spec.toml", "--out", tmp_path / "run", plugins=packages)
    assert result.status == 0, result.out + result.err
    assert "wide-mlp on digits, seed 2" in result.out


@pytest.mark.parametrize("kind", [kind for kind in NAMES if kind != "model"])
def test_the_other_specs_are_valid(kind, arena, packages):
    folder = packages / f"arena-{NAMES[kind].replace('_', '-')}"
    result = arena("validate", folder / "spec.toml", plugins=packages)
    assert result.status == 0, result.err


def test_a_folder_a_name_and_a_rule_are_respected(arena, tmp_path):
    (tmp_path / "arena-mine").mkdir()
    for arguments, words in (
        (("model", "mine"), "arena-mine is there already; remove it, choose another name, or give another --path"),
        (("model", "cnn"), 'there is a model called "cnn" already, of mnistarena-cnn'),
        (("dataset", "Wide MLP"), "write lower-case letters and digits, words joined by single hyphens or underscores"),
    ):
        result = arena("new", *arguments)
        assert result.status == 2
        assert words in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["arena-mine"]


def test_it_says_what_it_wrote_and_what_to_do_next(arena, tmp_path):
    result = arena("new", "metric", "worst-recall", "--path", "plugins")
    assert result.status == 0, result.err
    folder = tmp_path / "plugins" / "arena-worst-recall"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    tests = "tests/test_arena_worst_recall.py"
    assert written == {"README.md", "pyproject.toml", "spec.toml", "arena_worst_recall/__init__.py", tests}
    assert all(str(name) in result.out for name in written)
    assert "pip install -e" in result.out
    assert "{{" not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
