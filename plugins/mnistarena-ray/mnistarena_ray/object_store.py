"""What many trials need, put into Ray's object store once: Ray brings it to each node once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mnistarena.executors import Job


class ObjectStore:
    """References into Ray's store: to datasets by their folder, to files by their digest."""

    def __init__(self) -> None:
        self._datasets: dict[Path, Any] = {}
        self._files: dict[str, Any] = {}

    def arrays(self, job: Job) -> Any:
        """A reference to the arrays of the job's dataset, by name."""
        if job.data not in self._datasets:
            files = sorted(job.data.glob("*.npy")) if job.data.is_dir() else []
            self._datasets[job.data] = _put({file.stem: np.load(file, mmap_mode="r") for file in files})
        return self._datasets[job.data]

    def files(self, job: Job) -> list[Any]:
        """References to the contents of the files that `files_of` names, in its order; raises OSError."""
        for digest, path in files_of(job).items():
            if digest not in self._files:
                self._files[digest] = _put(np.fromfile(path, np.uint8))
        return [self._files[digest] for digest in files_of(job)]

    def clear(self) -> None:
        """Forget all references, so that Ray frees what they stand for."""
        self._datasets.clear()
        self._files.clear()


def files_of(job: Job) -> dict[str, Path]:
    """The files that travel with a job, by digest: weights that its model reads, and single-file plugins."""
    return {**job.files, **{plugin.digest: plugin.path for plugin in job.plugins}}


def _put(value: object) -> Any:
    import ray

    return ray.put(value)
