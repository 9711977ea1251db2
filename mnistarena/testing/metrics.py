"""The checks of a metric."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnistarena.errors import NoValue
from mnistarena.plugin.components import MetricDef
from mnistarena.plugin.predictions import Predictions
from mnistarena.stats import contributions
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.component import ComponentUnderTest

IMAGES = 240

Extras = Callable[[int], Mapping[str, NDArray[Any]]]
"""A function of the number of images that gives the extras of predictions: arrays of so many rows."""


class MetricUnderTest(ComponentUnderTest):
    """A metric, tried on predictions drawn at random and on perfect ones."""

    kind = "metric"
    definition: MetricDef

    def __init__(
        self,
        definition: MetricDef,
        module: str | os.PathLike[str],
        params: Mapping[str, Any],
        *,
        extras: Extras = lambda n: {},
    ) -> None:
        super().__init__(definition, module, params)
        self.extras = extras

    def checks(self) -> list[Check]:
        """The checks of a metric."""
        return [
            *super().checks(),
            Check("value", "a finite number, or None", function=self.check_value),
            Check("repeatable", "the same predictions give the same figure", function=self.check_repeatable),
            Check("any-order", "the order of the images does not matter", function=self.check_order),
            Check("direction", "perfect predictions are not worse than random ones", function=self.check_direction),
            Check("parts", "what images contribute has the figure as its mean", function=self.check_parts),
            Check("share", "a share is from 0 to 1", function=self.check_share),
            Check("predictions-untouched", "compute does not change the predictions", function=self.check_untouched),
        ]

    def predictions(self, n_classes: int = 10, perfect: bool = False) -> Predictions:
        """Predictions of 240 images, the same at each call; perfect ones give the true class the probability 1."""
        random = np.random.RandomState(0)
        labels = np.arange(IMAGES, dtype=np.int64) % n_classes
        random.shuffle(labels)
        probabilities = np.eye(n_classes)[labels] if perfect else random.dirichlet(np.ones(n_classes), IMAGES)
        index = np.arange(IMAGES, dtype=np.int64)
        return Predictions(labels, probabilities, index=index, extras=dict(self.extras(IMAGES)))

    def compute(self, predictions: Predictions) -> float | None:
        """What the metric returns; None where it says that it has no value."""
        try:
            return self.definition.compute(predictions, self.params)
        except NoValue:
            return None

    def value(self, predictions: Predictions) -> float:
        """The figure; `NotApplicable` where the metric has none for these predictions."""
        found = self.compute(predictions)
        if found is None:
            raise NotApplicable("it is None for plain predictions: give extras=, what the metric looks at")
        return float(found)

    def check_value(self) -> None:
        """For two classes and for ten, the figure is one finite number or None."""
        for n_classes in (2, 10):
            found: object = self.compute(self.predictions(n_classes))
            if found is None:
                continue
            if isinstance(found, bool) or not isinstance(found, (int, float, np.integer, np.floating)):
                raise Nonconformity(
                    f"compute returned {type(found).__name__} for {n_classes} classes; return one float, or None where "
                    "the figure has no meaning"
                )
            if not np.isfinite(found):
                raise Nonconformity(
                    f"compute returned {found} for random predictions of {n_classes} classes; clip what is divided by "
                    "or taken the logarithm of, or return None"
                )

    def check_repeatable(self) -> None:
        """The same predictions give the same figure: a metric draws no random numbers."""
        first, second = (self.value(self.predictions()) for _ in range(2))
        if first != second:
            raise Nonconformity(f"the same predictions gave {first} and then {second}; seed what it draws")

    def check_order(self) -> None:
        """The same images in another order give the same figure."""
        one = self.predictions()
        order = np.random.RandomState(1).permutation(IMAGES)
        extras = {name: values[order] for name, values in one.extras.items()}
        other = Predictions(one.labels[order], one.probabilities[order], index=one.index[order], extras=extras)
        first, second = self.value(one), self.value(other)
        if not np.isclose(first, second, rtol=1e-9, atol=1e-12):
            raise Nonconformity(
                f"the same images in another order give {second}, not {first}; use index where rows matter"
            )

    def check_direction(self) -> None:
        """`higher_is_better` is right: perfect predictions are not worse than random ones."""
        random, perfect = self.value(self.predictions()), self.value(self.predictions(perfect=True))
        higher = self.definition.higher_is_better
        if (perfect < random) if higher else (perfect > random):
            raise Nonconformity(
                f"perfect predictions give {perfect:.6g} and random ones {random:.6g}, though higher_is_better is "
                f"{higher}; change that, or the sign of the figure"
            )

    def check_parts(self) -> None:
        """`per_image`, where there is one, gives a finite number for each image, and their mean is the figure."""
        if self.definition.per_image is None:
            raise NotApplicable("it has no per_image, so that intervals come from a jackknife over blocks of images")
        for perfect in (False, True):
            given = self.predictions(perfect=perfect)
            figure = self.value(given)
            problem = contributions.problem(np.asarray(self.definition.per_image(given, self.params)), figure, IMAGES)
            if problem:
                raise Nonconformity(f"per_image {problem}")

    def check_share(self) -> None:
        """With `share`, the figure is from 0 to 1, for random predictions and for perfect ones."""
        if not self.definition.share:
            raise NotApplicable("it is no share")
        for perfect in (False, True):
            found = self.value(self.predictions(perfect=perfect))
            if not 0 <= found <= 1:
                raise Nonconformity(f"share is True, but the figure is {found:.6g}; leave share out")

    def check_untouched(self) -> None:
        """Compute and `per_image` leave the predictions as they are: other metrics get the same arrays."""
        given, kept = self.predictions(), self.predictions()
        if self.compute(given) is not None and self.definition.per_image is not None:
            self.definition.per_image(given, self.params)
        for name in ("labels", "probabilities", "index"):
            if not np.array_equal(getattr(given, name), getattr(kept, name)):
                raise Nonconformity(f"compute changed predictions.{name}; work on a copy")
        for name, values in kept.extras.items():
            if not np.array_equal(given.extras[name], values):
                raise Nonconformity(f'compute changed predictions.extras["{name}"]; work on a copy')
