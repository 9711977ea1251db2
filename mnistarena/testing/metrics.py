"""What a metric promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mnistarena.components import Predictions
from mnistarena.testing.check import Check, Nonconformity, NotApplicable
from mnistarena.testing.subject import Subject

IMAGES = 240

Extras = Callable[[int], Mapping[str, Any]]


class MetricSubject(Subject):
    """A metric, tried on predictions drawn at random and on perfect ones."""

    kind = "metric"

    def __init__(self, definition: Any, module: str, params: Mapping[str, Any], extras: Extras = lambda n: {}) -> None:
        super().__init__(definition, module, params)
        self.extras = extras

    def checks(self) -> list[Check]:
        """The checks of a metric."""
        return [
            *super().checks(),
            Check("value", "a finite number, or None", self.check_value),
            Check("repeatable", "the same predictions give the same figure", self.check_repeatable),
            Check("any-order", "the order of the images does not matter", self.check_order),
            Check("direction", "perfect predictions are no worse than random ones", self.check_direction),
            Check("predictions-untouched", "the predictions stay as they are", self.check_untouched),
        ]

    def predictions(self, n_classes: int = 10, perfect: bool = False) -> Predictions:
        """Predictions of 240 images, the same at each call; the perfect ones give the true class all."""
        random = np.random.RandomState(0)
        labels = np.arange(IMAGES, dtype=np.int64) % n_classes
        random.shuffle(labels)
        chances = np.eye(n_classes)[labels] if perfect else random.dirichlet(np.ones(n_classes), IMAGES)
        return Predictions(labels, chances, np.arange(IMAGES, dtype=np.int64), dict(self.extras(IMAGES)))

    def value(self, predictions: Predictions) -> float:
        """The figure; `NotApplicable` where the metric has none for these predictions."""
        found = self.definition.compute(predictions, self.params)
        if found is None:
            raise NotApplicable("it is None for plain predictions: give extras=, what the metric looks at")
        return float(found)

    def check_value(self) -> None:
        """For two classes and for ten."""
        for n_classes in (2, 10):
            found = self.definition.compute(self.predictions(n_classes), self.params)
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
        """A metric draws nothing."""
        first, second = (self.value(self.predictions()) for _ in range(2))
        if first != second:
            raise Nonconformity(f"the same predictions gave {first} and then {second}; seed what it draws")

    def check_order(self) -> None:
        """The same images in another order."""
        one = self.predictions()
        order = np.random.RandomState(1).permutation(IMAGES)
        extras = {name: values[order] for name, values in one.extras.items()}
        other = Predictions(one.labels[order], one.probabilities[order], one.index[order], extras)
        first, second = self.value(one), self.value(other)
        if not np.isclose(first, second, rtol=1e-9, atol=1e-12):
            raise Nonconformity(
                f"the same images in another order give {second}, not {first}; use index where rows matter"
            )

    def check_direction(self) -> None:
        """`higher_is_better` says which way is good."""
        random, perfect = self.value(self.predictions()), self.value(self.predictions(perfect=True))
        higher = self.definition.higher_is_better
        if (perfect < random) if higher else (perfect > random):
            raise Nonconformity(
                f"perfect predictions give {perfect:.6g} and random ones {random:.6g}, though higher_is_better is "
                f"{higher}; turn that round, or the figure"
            )

    def check_untouched(self) -> None:
        """Other metrics get the same arrays."""
        given, kept = self.predictions(), self.predictions()
        self.definition.compute(given, self.params)
        for name in ("labels", "probabilities", "index"):
            if not np.array_equal(getattr(given, name), getattr(kept, name)):
                raise Nonconformity(f"compute changed predictions.{name}; work on a copy")
        for name, values in kept.extras.items():
            if not np.array_equal(given.extras[name], values):
                raise Nonconformity(f'compute changed predictions.extras["{name}"]; work on a copy')
