"""What a model says of images: probabilities, or scores or classes where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from mnistarena.errors import NoValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Output = Literal["logits", "log_probabilities", "probabilities", "scores", "labels"]
"""What a model returns: "scores" are any numbers, a larger one for a more likely class; "labels" are classes."""

Answers = Literal["probabilities", "scores", "labels"]
"""What is known of each image in the end: logits and log-probabilities become probabilities."""


@dataclass(frozen=True)
class Outputs:
    """What a model says of n images.

    `values` are float64 `(n, n_classes)` where `output` is "probabilities" (rows sum to 1) or "scores", int64 `(n,)`
    where it is "labels", the predicted classes.
    """

    values: NDArray[Any]
    output: Answers = "probabilities"
    _: KW_ONLY
    n_classes: int

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities float64 `(n, n_classes)`; raises `NoValue` where the model gives none."""
        if self.output != "probabilities":
            raise NoValue(f"the model gives {self.output}, no probabilities")
        return self.values

    @property
    def scores(self) -> NDArray[np.float64]:
        """Probabilities or scores, float64 `(n, n_classes)`, a larger one for a more likely class.

        Raises `NoValue` where the model gives labels only.
        """
        if self.output == "labels":
            raise NoValue("the model gives labels, no scores")
        return self.values

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most likely class of each image, int64 `(n,)`; the lowest class wins a tie."""
        if self.output == "labels":
            return self.values
        return self.values.argmax(axis=1).astype("int64", copy=False)


@dataclass(frozen=True)
class Predictions:
    """What one trained model predicts on the test split.

    `labels` int64 `(n,)`, the true classes; `values` and `output` as in `Outputs`, by default probabilities;
    `index` int64 `(n,)`, the row of each image in the dataset's test split; `extras`, named arrays of
    n rows that the model's `predict_extras` returned. `n_classes` must be given where `output` is "labels".
    """

    labels: NDArray[np.int64]
    values: NDArray[Any]
    _: KW_ONLY
    index: NDArray[np.int64]
    extras: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    output: Answers = "probabilities"
    n_classes: int = 0

    def __post_init__(self) -> None:
        if self.output != "labels":
            object.__setattr__(self, "n_classes", self.values.shape[1])
        elif self.n_classes < 1:
            raise ValueError('n_classes must be given where output is "labels"')

    def of(self, rows: NDArray[np.int64]) -> Predictions:
        """What is predicted of some images alone; `rows` are places in these arrays."""
        extras = {name: values[rows] for name, values in self.extras.items()}
        return replace(self, labels=self.labels[rows], values=self.values[rows], index=self.index[rows], extras=extras)

    @property
    def outputs(self) -> Outputs:
        """The same without the images' labels."""
        return Outputs(self.values, self.output, n_classes=self.n_classes)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities float64 `(n, n_classes)`, rows sum to 1; raises `NoValue` where the model gives none."""
        return self.outputs.probabilities

    @property
    def scores(self) -> NDArray[np.float64]:
        """Probabilities or scores, float64 `(n, n_classes)`; raises `NoValue` where the model gives labels only."""
        return self.outputs.scores

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most likely class of each image, int64 `(n,)`; the lowest class wins a tie."""
        return self.outputs.predicted
