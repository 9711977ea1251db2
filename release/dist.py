"""Every distribution of this repository as an sdist and a wheel: `python -m release.dist [FOLDER [PROJECT …]]`.

A wheel is built from the unpacked sdist, so what an sdist lacks is seen at once. The backend is called directly: a
process and an environment for each distribution would take most of the time, and a network.
"""

from __future__ import annotations

import os
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import tomli

from release.projects import ROOT, projects


def build(folder: Path, sources: Sequence[Path]) -> list[Path]:
    """The wheels of these projects, in `folder` beside their sdists. Wheels and sdists that were there are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    folder, sources = folder.absolute(), [source.absolute() for source in sources]
    for path in (*folder.glob("*.whl"), *folder.glob("*.tar.gz")):
        path.unlink()
    return [_build(folder, source) for source in sources]


def _build(folder: Path, source: Path) -> Path:
    backend = tomli.loads((source / "pyproject.toml").read_text("utf-8"))["build-system"]["build-backend"]
    hooks = import_module(backend)
    os.chdir(source)
    sdist = folder / hooks.build_sdist(str(folder))
    with tempfile.TemporaryDirectory() as unpacked:
        with tarfile.open(sdist) as archive:
            archive.extractall(unpacked)
        os.chdir(Path(unpacked) / sdist.name.removesuffix(".tar.gz"))
        wheel = hooks.build_wheel(str(folder))
        os.chdir(folder)
    return folder / wheel


if __name__ == "__main__":
    into, *given = map(Path, sys.argv[1:] or ["dist"])
    for path in build(into, given or projects(ROOT)):
        print(path.name)
