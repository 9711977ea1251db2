"""What of a run folder no report needs."""

from __future__ import annotations

from pathlib import Path

from mnistarena.store.run_folder import RunFolder
from mnistarena.store.trial_folder import MODEL_FILES


def disposable(folder: RunFolder, wanted: set[str], kinds: set[str]) -> list[tuple[Path, int]]:
    """Files that no report needs, with their bytes; `wanted` are the ids of trials that are in the spec.

    Kinds: `checkpoints`, `models`, `dropped` (trials that are no longer in the spec), `damaged`.
    """
    found: list[Path] = []
    trials = [path for kind in ("trials", "searches") for path in sorted((folder.path / kind).glob("*"))]
    for path in trials:
        if path.is_symlink() or not path.is_dir():
            continue
        if path.name.rpartition("-")[2] not in wanted:
            found += [path] if "dropped" in kinds else []
            continue
        for kind, pattern in (("checkpoints", "checkpoint*"), *(("models", name) for name in MODEL_FILES)):
            found += sorted(path.glob(pattern)) if kind in kinds else []
    if "damaged" in kinds and (folder.path / "damaged").is_dir():
        found.append(folder.path / "damaged")
    return [(path, _bytes(path)) for path in found]


def _bytes(path: Path) -> int:
    parts = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return sum(part.lstat().st_size for part in parts if not part.is_dir())
