"""The audit of a dataset of a plan; what takes long is kept beside the downloaded data, by fingerprint."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.data.audit import Looked, audit, look
from mnistarena.data.duplicates import Near
from mnistarena.errors import StoreError
from mnistarena.paths import data_dir
from mnistarena.plan.recipe import LoadedDataset, Trial
from mnistarena.plugin.audit_record import AuditRecord
from mnistarena.plugin.components import Dataset
from mnistarena.store.files import pack, unpack, write_file

_VERSION = 2
"""Of what `look` finds: another one means that it looks again."""
_KEPT = 4 << 20
"""Bytes of images from which on looking takes longer than reading what was found."""


def audited(data: LoadedDataset, trials: Iterable[Trial] = ()) -> AuditRecord:
    """The audit of a dataset, as these trials split it; without trials, in each split of seed 0.

    A dataset without test images that the spec does not split has no split.
    """
    found = {(t.drawn_by, t.split): t.draw for t in trials if t.recipe.data is data}
    if not found and len(data.whole.test_labels):
        drawn_by = 0 if data.table.split_seed == "seed" else None
        found = {(drawn_by, number): data.draw(0, number) for number in data.table.numbers}
    return audit(data.dataset, looked_at(data.dataset, data.fingerprint), data.fingerprint, draws=found)


def looked_at(dataset: Dataset, fingerprint: str) -> Looked:
    """What the arrays of a dataset hold: read where it was kept. A file that cannot be used costs time alone."""
    if dataset.train_images.nbytes + dataset.test_images.nbytes < _KEPT:
        return look(dataset)
    path = data_dir() / "audits" / f"{fingerprint}-{_VERSION}.npz"
    with suppress(StoreError, KeyError):
        found = _unpacked(unpack(path))
        if _fits(found, len(dataset.train_labels) + len(dataset.test_labels)):
            return found
    found = look(dataset)
    arrays: dict[str, NDArray[Any]] = {"firsts": found.firsts, "lows": found.lows, "highs": found.highs}
    if found.near is not None:
        arrays |= {"pairs": found.near.pairs, "correlations": found.near.correlations}
    with suppress(StoreError):
        write_file(path, pack(arrays))
    return found


def _unpacked(arrays: dict[str, NDArray[Any]]) -> Looked:
    near = Near(arrays["pairs"], arrays["correlations"]) if "pairs" in arrays else None
    return Looked(arrays["firsts"], near, lows=arrays["lows"], highs=arrays["highs"])


def _fits(found: Looked, n: int) -> bool:
    """Whether arrays that were read can be what `look` found in `n` images."""
    rows = [found.firsts] if found.near is None else [found.firsts, found.near.pairs.ravel()]
    fits = all(of.dtype == np.int64 and ((of >= 0) & (of < n)).all() for of in rows)
    fits &= all(of.shape == (n,) for of in (found.firsts, found.lows, found.highs))
    fits &= found.lows.dtype == found.highs.dtype == np.uint8
    near = found.near
    return bool(fits) and (
        near is None or (near.pairs.shape == (len(near.correlations), 2) and near.correlations.dtype == np.float32)
    )
