"""The notebooks of examples/notebooks, executed: `make notebooks` writes their outputs anew."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "notebooks"

SECONDS = 300
"""How long one cell may take."""


def executed(path: Path, folder: Path) -> Any:
    """The notebook with the outputs that it has now; its cells run in `folder`. Raises where a cell fails."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=SECONDS, resources=resources, record_timing=False).execute()
    return notebook


def said(notebook: Any) -> list[str]:
    """What each code cell prints and shows, as text. Numbers, which depend on the machine, are left out."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            texts = [output.get("text") or output["data"]["text/plain"] for output in cell.outputs]
            found.append(" ".join(re.sub(r"[\d.,%]+|\bnan\b", "", "".join(texts)).split()))
    return found


if __name__ == "__main__":
    for path in sorted(FOLDER.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(executed(path, Path(folder)), path)
