"""Intervals and verdicts over several splits of one small sample of images, with real learners of known truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.cells import Cells, Limit, table
from mnistarena.data.draws import draw
from mnistarena.data.splits import SplitRule
from mnistarena.plugin.components import Dataset
from mnistarena.stats import splits as statistics
from mnistarena.stats.intervals import Difference
from mnistarena.stats.splits import Layout
from mnistarena.stats.verdicts import judge

Array = NDArray[np.float64]
Labels = NDArray[np.int64]

FEATURES = 10
"""Of each of two halves, which say equally much of the class: a learner sees one half, so two that see different ones
are equally good, and have nothing in common but the labels."""
SCALES = np.tile(np.linspace(0, 1, FEATURES), 2)
"""How far apart the classes are by each feature, from not at all to `World.apart`."""
TRUTH = 4000
"""Training samples whose mean accuracy is the truth."""


@dataclass(frozen=True)
class Scheme:
    """So many splits, by a rule."""

    splits: int
    rule: SplitRule

    def trained(self, n: int) -> int:
        """How many of n images a split trains on."""
        return round(n * (1 - (self.rule.test_share or 1 / self.splits)))


SCHEMES = {
    "5 folds": Scheme(5, SplitRule(folds=5)),
    "5 random splits": Scheme(5, SplitRule(test_share=0.2)),
    "20 folds": Scheme(20, SplitRule(folds=20)),
    "20 random splits": Scheme(20, SplitRule(test_share=0.2)),
}


@dataclass(frozen=True)
class World:
    """`n` images of two classes: normal features, whose means are up to ± `apart`.

    `group` is the standard deviation of what ten images of a group share; 0: there are no groups.
    """

    n: int
    apart: float
    group: float = 0.0

    def sample(self, rng: np.random.Generator, n: int) -> tuple[Array, Labels, Labels | None]:
        """Features `(n, 2 × FEATURES)`, labels and groups `(n,)`."""
        labels = rng.permutation(np.arange(n) % 2)
        features = rng.standard_normal((n, 2 * FEATURES)) + self.apart * SCALES * (2 * labels[:, None] - 1)
        if not self.group:
            return features, labels, None
        groups = np.arange(n) // 10
        return features + self.group * rng.standard_normal((n, 2 * FEATURES))[groups], labels, groups

    def accuracy(self, weights: Array, offset: float) -> float:
        """That of a linear classifier, over all images there could be."""
        spread = np.sqrt((weights @ weights) * (1 + self.group**2))
        ends = self.apart * (weights @ SCALES) + np.array([offset, -offset])
        return float(special.ndtr(ends / spread).mean())


@dataclass(frozen=True)
class Learner:
    """A linear classifier on one half of the features.

    "nearest" takes the nearer mean, "stump" only the feature whose means are furthest apart in training, and "ridge" is
    a regression on five features that its seed draws.
    """

    kind: Literal["nearest", "stump", "ridge"]
    half: int

    def fit(self, rng: np.random.Generator, features: Array, labels: Labels) -> tuple[Array, float]:
        """Weights `(2 × FEATURES,)` and offset."""
        own, weights = self.half * FEATURES + np.arange(FEATURES), np.zeros(2 * FEATURES)
        if self.kind == "ridge":
            own = rng.choice(own, FEATURES // 2, replace=False)
            x, y = features[:, own], 2.0 * labels - 1
            centre = x.mean(axis=0)
            x = x - centre
            weights[own] = np.linalg.solve(x.T @ x + np.eye(len(own)), x.T @ (y - y.mean()))
            return weights, float(y.mean() - weights[own] @ centre)
        low, high = (features[labels == c].mean(axis=0) for c in (0, 1))
        if self.kind == "stump":
            own = own[[np.argmax((high - low)[own])]]
        weights[own] = (high - low)[own]
        return weights, -float(weights @ (low + high)) / 2


@cache
def truth(world: World, learner: Learner, trained: int) -> float:
    """The mean accuracy over training samples and seeds."""
    rng, found = np.random.default_rng([trained, round(100 * world.apart), len(learner.kind), 9]), []
    first = replace(learner, half=0)
    for _ in range(TRUTH):
        features, labels, _ = world.sample(rng, trained)
        found.append(world.accuracy(*first.fit(rng, features, labels)))
    return float(np.mean(found))


def benchmarked(
    rng: np.random.Generator, world: World, learners: Sequence[Learner], scheme: Scheme, seeds: int
) -> tuple[list[NDArray[np.bool_]], Layout]:
    """Each learner's correctness matrix over one sample of images, split several times."""
    features, labels, groups = world.sample(rng, world.n)
    blank = np.zeros((world.n, 1, 1, 1), np.uint8)
    data = Dataset(blank, labels, test_images=blank, test_labels=labels, class_names=("a", "b"), train_groups=groups)
    found: list[list[NDArray[np.bool_]]] = [[] for _ in learners]
    seed, tested = int(rng.integers(2**31)), []
    for number in range(scheme.splits):
        split = draw(data, replace(scheme.rule, split_seed=seed, split=number), "").split
        tested.append(split.test)
        for learner, matrix in zip(learners, found, strict=True):
            models = [
                learner.fit(rng, features[split.train], labels[split.train])
                for _ in range(seeds if learner.kind == "ridge" else 1)
            ]
            scores = np.array([features[split.test] @ weights + offset for weights, offset in models])
            matrix.append((scores > 0) == labels[split.test])
    rows, sizes = np.concatenate(tested), [len(part) for part in tested]
    each = len(rows) / scheme.splits
    layout = Layout(
        np.repeat(np.arange(scheme.splits), sizes),
        rows,
        ratio=each / (world.n - each),
        groups=None if groups is None else groups[rows],
    )
    return [np.concatenate(matrix, axis=1) for matrix in found], layout


WORLDS = {
    "60 images": World(60, 0.4),
    "200 images": World(200, 0.4),
    "200 images in groups of 10": World(200, 0.5, 0.5),
    "600 images": World(600, 0.5),
}
KINDS: tuple[tuple[Literal["nearest", "stump", "ridge"], int], ...] = (
    *(("nearest", 1), ("stump", 1)),
    *(("ridge", 1), ("ridge", 3), ("ridge", 5)),
)
MANY = KINDS[1:3]
"""With more splits."""
COLUMNS = (
    *("mean", "difference", "called, though equal", "equal at the margin"),
    *("equals, without n_test/n_train", "equals, by images alone", "width to that by images"),
)


def small_samples(cells: Cells) -> Iterator[str]:
    """Several splits of one sample: intervals hold the truth, and false verdicts, %

    The learner of a row against nearest means of other features (nearest means against a stump), and against itself on
    other features, which is as good. The last columns, beside, are of the intervals of such equals without parts of the
    variance.
    """
    for title, scheme in SCHEMES.items():
        rows = []
        for name, world in WORLDS.items():
            for kind, seeds in KINDS if scheme.splits == 5 else MANY:
                row = [f"{name}, {kind}" + (f", k = {seeds}" if kind == "ridge" else "")]
                widths: list[float] = []
                measure = partial(_counted, world, kind, scheme, seeds, widths)
                key = (8, world.n, round(10 * world.group), len(kind), seeds, len(title))
                limits: tuple[Limit, ...] = ("least", "least", "most", "most", "", "")
                row += cells.measure(key, measure, limits, f"{title} of {row[0]}")
                rows.append([*row, f"{np.mean(widths):.1f}"])
        yield from ("", f"{title}:", "")
        yield from table(["", *COLUMNS], rows)


def _counted(
    world: World,
    kind: Literal["nearest", "stump", "ridge"],
    scheme: Scheme,
    seeds: int,
    widths: list[float],
    rng: np.random.Generator,
    repeats: int,
) -> list[int]:
    """How often each column's thing happens; `widths` get how much wider an interval is than that by images alone."""
    learners = Learner(kind, 0), Learner("stump" if kind == "nearest" else "nearest", 1), Learner(kind, 1)
    accuracy, other_accuracy = (truth(world, learner, scheme.trained(world.n)) for learner in learners[:2])
    gap = accuracy - other_accuracy
    found = []
    for _ in range(repeats):
        (first, other, equal), layout = benchmarked(rng, world, learners, scheme, seeds)
        mean = statistics.mean(first, layout)
        apart, alike = statistics.differences([(first, other), (first, equal)], layout)
        narrow, images = (_narrowed(alike, count) for count in (scheme.splits, None))
        widths.append((alike.high - alike.low) / (images[1] - images[0]))
        found.append(
            [
                mean.low <= accuracy <= mean.high,
                apart.low <= gap <= apart.high,
                judge([alike])[0].verdict in ("better", "worse"),
                judge([apart], margin=abs(gap))[0].verdict == "equal",
                narrow[0] <= 0.0 <= narrow[1],
                images[0] <= 0.0 <= images[1],
            ]
        )
    return [int(count) for count in np.sum(found, axis=0)]


def _narrowed(pair: Difference, count: int | None) -> tuple[float, float]:
    """An interval with so many independent splits, or without their part (None)."""
    (part,) = pair.components
    square = 0.0 if count is None else part.square
    component = replace(part, seeds=count or 1, square=square, interaction=pair.image_variance * (count or 1))
    interval = replace(pair, components=(component,)).interval()
    return interval.low, interval.high
