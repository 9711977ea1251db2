"""Rows of the tables that a run is exported as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mnistarena.plugin.messages import ViewDefinition
from mnistarena.plugin.predictions import Predictions
from mnistarena.text import visible

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


def image_names(split: Mapping[str, NDArray[Any]]) -> dict[int, str]:
    """What a stored test split calls its images, by index; empty where it has no names for them."""
    names = map(visible, split["names"].tolist()) if "names" in split else ()
    return dict(zip(split["index"].tolist(), names, strict=False))


def prediction_rows(found: Predictions, names: Mapping[int, str]) -> Iterator[Row]:
    """A row a test image, with its name where there are `names`, by index."""
    has_probabilities = found.output == "probabilities"
    columns: dict[str, list[Any]] = {
        "index": found.index.tolist(),
        **({"name": [names.get(index, "") for index in found.index.tolist()]} if names else {}),
        "true": found.labels.tolist(),
        "predicted": found.predicted.tolist(),
        "probability": found.probabilities.max(axis=1).tolist() if has_probabilities else [None] * len(found.labels),
        "correct": (found.predicted == found.labels).tolist(),
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))
