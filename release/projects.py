"""The distributions of this repository: the core and its plugins."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def projects(root: Path = ROOT) -> list[Path]:
    """The folders with a pyproject.toml, the core's first."""
    return [root, *sorted(path.parent for path in root.glob("plugins/*/pyproject.toml"))]
