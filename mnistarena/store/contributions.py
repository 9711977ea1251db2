"""What each test image contributes to each metric of a trial, in its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.store.files import pack, unpack, write_atomically
from mnistarena.store.json_files import ADVICE, with_advice

CONTRIBUTIONS = "contributions.npz"
_VALUES, _BLOCKS = "values ", "blocks "
"""What the names of arrays begin with; the metric's label follows."""


@dataclass(frozen=True)
class Contribution:
    """What each test image contributes to a metric, bool or float64 `(n,)`.

    `blocks` `(n,)` says which images were left out together where it comes from a jackknife.
    """

    values: NDArray[Any]
    blocks: NDArray[np.int64] | None = None

    def agrees_with(self, other: Contribution) -> bool:
        """Whether both are the same bits; blocks depend on the dataset's groups, and where they differ it may be."""
        if self.blocks is not None and other.blocks is not None and not np.array_equal(self.blocks, other.blocks):
            return True
        return np.array_equal(self.values, other.values)


class ContributionsFile:
    """The file of a trial that holds its contributions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, found: Mapping[str, Contribution]) -> None:
        """Store contributions by the metrics' labels; without any the file is removed."""
        if not found:
            self.path.unlink(missing_ok=True)
            return
        arrays = {_VALUES + label: one.values for label, one in found.items()}
        arrays |= {_BLOCKS + label: one.blocks for label, one in found.items() if one.blocks is not None}
        write_atomically(self.path, pack(arrays))

    def read(self) -> dict[str, Contribution]:
        """The contributions by the metrics' labels; empty where there is no file."""
        if not self.path.is_symlink() and not self.path.exists():
            return {}
        arrays = with_advice(unpack, self.path)
        if any(a.ndim != 1 or a.dtype.kind not in "bfi" or not np.isfinite(a).all() for a in arrays.values()):
            raise StoreError(f"{self.path} holds no contributions of images{ADVICE}")
        labels = [name.removeprefix(_VALUES) for name in arrays if name.startswith(_VALUES)]
        return {label: Contribution(arrays[_VALUES + label], arrays.get(_BLOCKS + label)) for label in labels}
