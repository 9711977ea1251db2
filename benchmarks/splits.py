"""How often intervals over training samples, seeds and images hold the truth, with real learners on small data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mnistarena.data.draws import draw
from mnistarena.data.splits import SplitRule
from mnistarena.plugin.components import Dataset
from mnistarena.stats.splits import Layout

Array = NDArray[np.float64]

FEATURES = 10
"""Of each of two halves, which say equally much of the class: a learner sees one half, so two that see different ones
are equally good, and have nothing in common but the labels."""
TRUTH = 4000
"""Training samples whose mean accuracy is the truth."""
SCHEMES = {"folds = 5": SplitRule(folds=5, split=0), "splits = 5, a fifth": SplitRule(test_share=0.2, split=0)}


@dataclass(frozen=True)
class World:
    """Images of two classes: Gaussian features, with `apart` the distance of each half's means from the middle.

    `group` is the standard deviation of what the images of one of `n / 10` groups share; 0: there are no groups.
    """

    n: int
    apart: float
    group: float = 0.0

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Array, NDArray[np.int64], NDArray[np.int64] | None]:
        """Features `(n, 2 × FEATURES)`, labels and groups `(n,)`."""
        labels = rng.permutation(np.arange(n) % 2)
        features = rng.standard_normal((n, 2 * FEATURES)) + self.apart / np.sqrt(FEATURES) * (2 * labels[:, None] - 1)
        if not self.group:
            return features, labels, None
        groups = np.arange(n) // 10
        return features + self.group * rng.standard_normal((n, 2 * FEATURES))[groups], labels, groups

    def accuracy(self, weights: Array, offset: float) -> float:
        """That of a linear classifier, over all images there could be."""
        spread = np.sqrt((weights @ weights) * (1 + self.group**2))
        middle = weights.sum() * self.apart / np.sqrt(FEATURES)
        return float(special.ndtr((middle + np.array([offset, -offset])) / spread).mean())


@dataclass(frozen=True)
class Learner:
    """A linear classifier on one half of the features: nearest mean, or ridge regression on half of these.

    Ridge regression draws its features from the seed.
    """

    half: int
    seeded: bool

    def fit(self, rng: np.random.Generator, features: Array, labels: NDArray[np.int64]) -> tuple[Array, float]:
        """Weights `(2 × FEATURES,)` and offset."""
        own = self.half * FEATURES + np.arange(FEATURES)
        weights = np.zeros(2 * FEATURES)
        if not self.seeded:
            means = [features[labels == c][:, own].mean(axis=0) for c in (0, 1)]
            weights[own] = means[1] - means[0]
            return weights, -float(weights[own] @ (means[0] + means[1])) / 2
        own = rng.choice(own, FEATURES // 2, replace=False)
        x, y = features[:, own], 2.0 * labels - 1
        centre = x.mean(axis=0)
        x = x - centre
        weights[own] = np.linalg.solve(x.T @ x + np.eye(len(own)), x.T @ (y - y.mean()))
        return weights, float(y.mean() - weights[own] @ centre)


@cache
def truth(world: World, learner: Learner, n_train: int) -> float:
    """The mean accuracy over training samples and seeds."""
    rng = np.random.default_rng([n_train, learner.half, learner.seeded, round(100 * world.apart), 9])
    found = []
    for _ in range(TRUTH):
        features, labels, _ = world.sample(rng, n_train)
        found.append(world.accuracy(*learner.fit(rng, features, labels)))
    return float(np.mean(found))


def benchmarked(
    rng: np.random.Generator, world: World, learners: tuple[Learner, ...], rule: SplitRule, seeds: int, count: int = 5
) -> tuple[list[NDArray[np.bool_]], Layout]:
    """Each learner's correctness matrix over one sample of images, split `count` times."""
    features, labels, groups = world.sample(rng, world.n)
    blank = np.zeros((world.n, 1, 1, 1), np.uint8)
    data = Dataset(blank, labels, test_images=blank, test_labels=labels, class_names=("a", "b"), train_groups=groups)
    found: list[list[NDArray[np.bool_]]] = [[] for _ in learners]
    tested, numbers = [], []
    seed = int(rng.integers(2**31))
    for number in range(count):
        one = SplitRule(0, seed, split=number, folds=rule.folds, test_share=rule.test_share)
        split = draw(data, one, "").split
        for learner, matrix in zip(learners, found, strict=True):
            models = [
                learner.fit(rng, features[split.train], labels[split.train])
                for _ in range(seeds if learner.seeded else 1)
            ]
            scores = np.array([features[split.test] @ weights + offset for weights, offset in models])
            matrix.append((scores > 0) == labels[split.test])
        tested.append(split.test)
        numbers.append(np.full(len(split.test), number))
    n_test = np.mean([len(rows) for rows in tested])
    rows = np.concatenate(tested)
    together = None if groups is None else groups[rows]
    layout = Layout(np.concatenate(numbers), rows, ratio=float(n_test / (world.n - n_test)), groups=together)
    return [np.concatenate(matrix, axis=1) for matrix in found], layout
