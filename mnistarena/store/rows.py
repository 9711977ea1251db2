"""Rows of the tables that a run is exported as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.messages import ViewDefinition
from mnistarena.plugin.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = Mapping[str, Any]
"""A row of a tidy table: values by column."""


def view_rows(views: Sequence[ViewDefinition], right: NDArray[np.bool_]) -> Iterator[Row]:
    """A row a view; `right` is bool `(views, n)`."""
    for view, accuracy in zip(views, right.mean(axis=1).tolist(), strict=True):
        yield {
            "view": view["name"],
            "parameter": view.get("parameter"),
            "severity": view.get("severity"),
            "accuracy": accuracy,
        }


def prediction_rows(found: Predictions) -> Iterator[Row]:
    """A row a test image."""
    has_probabilities = found.output == "probabilities"
    columns: dict[str, list[Any]] = {
        "index": found.index.tolist(),
        "true": found.labels.tolist(),
        "predicted": found.predicted.tolist(),
        "probability": found.probabilities.max(axis=1).tolist() if has_probabilities else [None] * len(found.labels),
        "correct": (found.predicted == found.labels).tolist(),
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))
