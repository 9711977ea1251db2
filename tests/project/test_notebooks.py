"""The notebooks run, and the outputs that are stored in them are those of this code."""

from __future__ import annotations

from pathlib import Path

import nbformat
import notebooks
import pytest


@pytest.mark.parametrize("path", sorted(notebooks.FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_says_what_it_said_when_it_was_stored(path: Path, tmp_path: Path):
    stored = notebooks.said(nbformat.read(path, as_version=4))
    assert any(stored)
    assert notebooks.said(notebooks.executed(path, tmp_path)) == stored, "run: make notebooks"
