"""Where a model that trains itself does so: in a trial, or in a check of the kit."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from mnistarena.engine.chain import Chain
from mnistarena.plugin.messages import HistoryRow, RowAdded, Send
from mnistarena.plugin.predictions import Output
from mnistarena.plugin.registry import Registry
from mnistarena.spec.schema import Training
from mnistarena.store.trial_folder import TrialFolder


def _ignore(*news: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class Host:
    """Where a model trains itself: in a trial, which has a folder and listens, or in a check.

    `read` are the keys of [training] that the model has read. `registry` is where the model of a teacher is looked up;
    None: what is installed. `groups` are those of the training images, int64 `(n,)`; None: there are none.
    """

    chain: Chain
    recipe: Training
    _: KW_ONLY
    device: torch.device
    seed: int
    output: Output
    uses: Collection[str] | None = None
    read: set[str] = field(default_factory=set)
    registry: Registry | None = None
    groups: NDArray[np.int64] | None = None
    folder: TrialFolder | None = None
    send: Send = _ignore
    note: Callable[[str], None] = _ignore

    def write_history(self, rows: list[HistoryRow]) -> None:
        """Set the history."""
        if self.folder is not None:
            self.folder.write_history(rows)

    def add(self, row: HistoryRow) -> None:
        """Add a row to the history, and tell it."""
        if self.folder is not None:
            self.folder.append_history(row)
        self.send(RowAdded(row))
