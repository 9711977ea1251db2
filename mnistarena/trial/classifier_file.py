"""A fitted scikit-learn classifier as a file: skops' format, which is read without running any code of the file."""

from __future__ import annotations

import io
import sys
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from mnistarena.errors import TrialError, first_line
from mnistarena.plugin.single_file import same_content

PARTS = (
    "collections.OrderedDict",
    "mnistarena.trial.fitting.Relabelled",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""Types that are no estimators, are not on skops' own list, and do nothing but hold what they are given.

Trees are followed by scikit-learn without looking at their bounds, so those of a file are checked before they are used.
"""

UNPACKED = 8 << 30
"""Bytes that a file may unpack to."""


def classifier_bytes(classifier: Any) -> bytes:
    """A fitted classifier in skops' format; raises what skops raises where it cannot hold it."""
    import skops.io

    return skops.io.dumps(classifier, compression=zipfile.ZIP_DEFLATED, compresslevel=1)


def classifier_from(data: bytes, *, package: str, features: int) -> Any:
    """The classifier that a file holds, for images of so many features; raises `TrialError` where it is not safe.

    A file may come from anybody, and a type that it names is imported and called. So it may name skops' own list of
    scikit-learn's and numpy's types, `PARTS`, and estimators of scikit-learn and of `package`, the model's plugin, that
    are imported already, where `package` may be a single file that lay in another folder when the model was trained.
    Nothing else: neither functions, nor other classes, nor other libraries.
    """
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    copies: set[str] = set()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            if sum(entry.file_size for entry in file.infolist()) > UNPACKED:
                raise TrialError(f"it unpacks to more than {UNPACKED >> 30} GiB")
        named = skops.io.get_untrusted_types(data=data)
        modules = {name.rpartition(".")[0] for name in named}
        copies = {name for name in modules - sys.modules.keys() if same_content(name, package)}
        sys.modules.update(dict.fromkeys(copies, sys.modules.get(package)))  # type: ignore[arg-type]
        if refused := [name for name in named if not _is_trusted(name, package)]:
            raise TrialError(
                f"it holds {', '.join(refused)}, and only scikit-learn's own types and estimators of the model's "
                "plugin (classes derived from sklearn.base.BaseEstimator) are read from a file"
            )
        with warnings.catch_warnings():
            # Answers of a model that another version stored may be others.
            warnings.simplefilter("error", InconsistentVersionWarning)
            found = skops.io.loads(data, trusted=named)
        for part in _parts(found, set()):
            _check_bounds(part, features)
    except TrialError:
        raise
    except Exception as problem:  # a file that is no archive, a schema without a field, a version of scikit-learn
        raise TrialError(f"it cannot be read: {type(problem).__name__}: {first_line(problem)}") from problem
    finally:
        for name in copies:
            del sys.modules[name]
    return found


def _is_trusted(name: str, package: str) -> bool:
    """Whether a type may be named by a file; only modules that are imported already are looked at."""
    from sklearn.base import BaseEstimator

    module, _, attribute = name.rpartition(".")
    found = getattr(sys.modules.get(module), attribute, None)
    if not isinstance(found, type) or not (found.__module__ == module or same_content(found.__module__, module)):
        return False
    return name in PARTS or (
        issubclass(found, BaseEstimator) and found.__module__.partition(".")[0] in ("sklearn", package)
    )


def _parts(value: object, seen: set[int]) -> Iterator[object]:
    """All objects of a classifier that have attributes, and its trees."""
    if id(value) in seen or isinstance(value, (str, bytes, bytearray, type)):
        return
    seen.add(id(value))
    inside: list[object] = []
    if isinstance(value, np.ndarray):
        inside = list(value.flat) if value.dtype == object else []
    elif isinstance(value, dict):
        inside = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        inside = list(value)
    else:
        yield value
        inside = list(getattr(value, "__dict__", {}).values())
    for one in inside:
        yield from _parts(one, seen)


def _check_bounds(part: object, features: int) -> None:
    """Raise `TrialError` where a tree leads outside its nodes, back, or to a feature that is not there."""
    kind = type(part).__name__
    if kind == "Tree":
        tree: Any = part
        if not 0 < tree.node_count <= tree.capacity:
            raise TrialError("it cannot be read: a tree has not the nodes that it says")
        nodes = {"left": tree.children_left, "right": tree.children_right, "feature": tree.feature}
        leaf = nodes["left"] == -1
    elif kind == "TreePredictor":
        table = part.nodes  # type: ignore[attr-defined]
        nodes = {"left": table["left"], "right": table["right"], "feature": table["feature_idx"]}
        leaf = table["is_leaf"] != 0
        if table["is_categorical"].any():
            raise TrialError("it cannot be read: a tree asks for categories")
    else:
        return
    inner = np.flatnonzero(~leaf)
    for side in ("left", "right"):
        below = nodes[side][inner].astype(np.int64)
        if (below <= inner).any() or (below >= len(leaf)).any():
            raise TrialError("it cannot be read: a tree leads outside its nodes")
    asked = nodes["feature"][inner]
    if (asked < 0).any() or (asked >= features).any():
        raise TrialError("it cannot be read: a tree asks for a feature that the images do not have")
