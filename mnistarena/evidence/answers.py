"""What the finished trials of a recipe answered: seed by seed, in all splits, on which test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import StoreError
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats.consistency import confusion, weighted_f1_gap
from mnistarena.stats.splits import Layout
from mnistarena.store.findings import repeated_seeds
from mnistarena.store.records import DatasetRecord
from mnistarena.store.results import StoredRun, StoredTrial
from mnistarena.text import drawn

Answered = list[tuple[StoredTrial, Predictions]]
"""The trials of one seed, one a split, each with its predictions."""


@dataclass(frozen=True)
class Groups:
    """The groups of a dataset's test images, read where the first recipe needs them."""

    run: StoredRun
    dataset: DatasetRecord

    @cached_property
    def _stored(self) -> dict[int, int]:
        split = self.run.test_split(self.dataset["label"])
        if "groups" not in split:
            raise StoreError(f"{self.dataset['label']}: the groups of its test images are not stored")
        return dict(zip(split["index"].tolist(), split["groups"].tolist(), strict=True))

    def of(self, index: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """The groups of some test images; None where the dataset has none."""
        if not index.size or not self.dataset.get("test_groups"):
            return None
        if missing := set(index.tolist()) - self._stored.keys():
            raise StoreError(f"{self.dataset['label']}: the test image {min(missing)} is of no stored group")
        return np.array([self._stored[row] for row in index.tolist()], np.int64)


def repeated_of(planned: Sequence[StoredTrial]) -> tuple[StoredTrial, ...]:
    """The trials of seeds that repeat an earlier one bit for bit, in every split."""
    repeated = repeated_seeds(planned)
    other = {trial.seed for trial in planned if trial not in repeated}
    return tuple(trial for trial in repeated if trial.seed not in other)


def counted_of(
    trials: Sequence[StoredTrial], n_classes: int, names: dict[str, str]
) -> tuple[list[Answered], list[str]]:
    """Of each seed that finished in all splits its trials; and what contradicts itself."""
    contradictions: list[str] = []
    index: dict[int | None, NDArray[np.int64]] = {}
    seeds: dict[int, Answered] = {trial.seed: [] for trial in trials}
    for trial in trials:
        if not trial.done:
            continue
        found = trial.predictions()
        which = f"{trial.label}, {drawn(trial.seed, trial.split)}"
        if found.n_classes != n_classes:
            raise StoreError(f"{which}: its predictions are not on {n_classes} classes")
        if not np.array_equal(index.setdefault(trial.split, found.index), found.index):
            contradictions.append(f"{which}, predicted other test images; left out")
            continue
        contradictions += contradictions_of(trial, names, confusion(found.labels, found.predicted, n_classes))
        seeds[trial.seed].append((trial, found))
    splits = {trial.split for trial in trials}
    return [one for one in seeds.values() if len(one) == len(splits)], contradictions


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The predictions of one seed in all splits, one after the other."""
    if len(parts) == 1:
        return parts[0]
    shared = set.intersection(*(set(part.extras) for part in parts))
    extras = {name: [part.extras[name] for part in parts] for name in sorted(shared)}
    return replace(
        parts[0],
        index=np.concatenate([part.index for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        extras={
            name: np.concatenate(values)
            for name, values in extras.items()
            if len({(value.dtype, value.shape[1:]) for value in values}) == 1
        },
    )


def layout_of(dataset: DatasetRecord, answered: Answered, groups: Groups) -> Layout | None:
    """Which split and image each column is of, and of which group; None where there is one split only."""
    if answered[0][0].split is None:
        return None
    index = np.concatenate([found.index for _, found in answered])
    split = np.concatenate([np.full(len(found.index), trial.split) for trial, found in answered])
    tested, count = len(index) / len(answered), dataset.get("n_images", 0)
    if count <= tested or len(answered) < 2:
        raise StoreError(f"{dataset['label']}: the plan says of {count} images that {tested:g} are tested in a split")
    return Layout(split, index, ratio=tested / (count - tested), groups=groups.of(index))


def contradictions_of(trial: StoredTrial, names: dict[str, str], matrix: NDArray[np.int64]) -> list[str]:
    """Stored figures that the stored predictions do not give."""
    accuracy = float(np.diag(matrix).sum() / matrix.sum())
    expected = {"accuracy": accuracy, "f1_weighted": accuracy + weighted_f1_gap(matrix)}
    found = (
        contradiction(trial, label, expected[names[label]], "predictions")
        for label in trial.metrics
        if names.get(label) in expected
    )
    return [text for text in found if text]


def contradiction(trial: StoredTrial, label: str, expected: float, source: str) -> str:
    """That a stored figure is not the one that its `source` gives; empty where it is, or where there is no figure."""
    value = trial.metrics[label]
    if value is None or abs(expected - value) <= 1e-6 * max(1.0, abs(value)):
        return ""
    return (
        f"{trial.label}, {drawn(trial.seed, trial.split)}: {label} is stored as {value:.6f}, "
        f"but its {source} give {expected:.6f}"
    )
