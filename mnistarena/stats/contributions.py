"""What each image contributes to a figure: values `(n,)` whose mean is the figure, so that one model fits all figures.

Of a mean over images they are its terms. Of a figure of the whole set they are θ + ψ_i, ψ_i the image's influence: n
times the derivative of the figure with respect to the image's weight, whose sum is 0 (Hampel 1974, JASA 69; Efron 1982,
The Jackknife, the Bootstrap and Other Resampling Plans, chapter 6). Their variance over n is that of the figure,
to first order. `labels` and `predicted` are classes `(n,)`, `matrix` is `consistency.confusion` of them, float64. Pure
functions: numpy only, no files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]

BLOCKS = 30
"""Blocks of images that `jackknife` leaves out, one after the other."""


def problem(values: NDArray[Any], figure: float, n: int) -> str | None:
    """What keeps `values` from being the contributions of n images to a figure; None where nothing does."""
    if values.shape != (n,) or values.dtype.kind not in "bfi":
        return f"returned {values.dtype} of the shape {values.shape}; return a number for each image, ({n},)"
    if not np.isfinite(values).all():
        return "returned values that are not finite"
    mean = float(values.mean())
    if abs(mean - figure) > 1e-6 * max(1.0, abs(figure)):
        return f"returned values whose mean is {mean:.6g}, but the figure is {figure:.6g}"
    return None


def log_loss(probabilities: NDArray[np.floating[Any]], labels: Ints) -> Floats:
    """Negative log-probability of the true class, in nats; probabilities are clipped at 2.2e-16."""
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return -np.log(np.maximum(given, np.finfo(np.float64).eps))


def brier(probabilities: NDArray[np.floating[Any]], labels: Ints) -> Floats:
    """Squared distance between probabilities and the true class, from 0 to 2."""
    wanted = np.eye(probabilities.shape[1])[labels]
    found: Floats = ((probabilities - wanted) ** 2).sum(axis=1)
    return found


def top_k(scores: NDArray[np.floating[Any]], labels: Ints, k: int) -> NDArray[np.bool_]:
    """Whether the true class is among the `k` with the highest scores; the lower class wins a tie."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found: NDArray[np.bool_] = (best == labels[:, None]).any(axis=1)
    return found


def calibration_error(right: NDArray[np.bool_], confidence: Floats, bins: int) -> Floats:
    """Of the expected calibration error over `bins` of equal mass: ±(confidence − right), signed as the image's bin is.

    The bins' edges count as fixed.
    """
    found = np.empty(len(right))
    for rows in np.array_split(np.argsort(confidence, kind="stable"), min(bins, len(right))):
        gaps = confidence[rows] - right[rows]
        found[rows] = np.copysign(1.0, gaps.sum()) * gaps
    return found


def of_cells(figure: float, slopes: Floats, labels: Ints, predicted: Ints) -> Floats:
    """Of a figure of the confusion matrix: θ + n ∂θ/∂cell, `slopes` `(classes, classes)` being its derivatives.

    The figure must not change where all counts are multiplied by a number.
    """
    found: Floats = figure + len(labels) * slopes[labels, predicted]
    return found


def recall(matrix: Floats, of: int) -> tuple[float, Floats]:
    """Recall of class `of`, which has images, and its slopes."""
    slopes, true = np.zeros_like(matrix), matrix[of].sum()
    figure = float(matrix[of, of] / true)
    slopes[of] = -figure / true
    slopes[of, of] += 1 / true
    return figure, slopes


def precision(matrix: Floats, of: int) -> tuple[float, Floats]:
    """Precision of class `of`, which is predicted, and its slopes."""
    figure, slopes = recall(matrix.T, of)
    return figure, slopes.T


def balanced_accuracy(matrix: Floats) -> tuple[float, Floats]:
    """Recall averaged over the classes that are there, and its slopes."""
    true = matrix.sum(axis=1)
    pull = (true > 0) / np.maximum(true, 1.0) / (true > 0).sum()
    each = np.diag(matrix) / np.maximum(true, 1.0)
    return float(pull @ np.diag(matrix)), np.diag(pull) - (pull * each)[:, None]


def f1(matrix: Floats, *, weighted: bool) -> tuple[float, Floats]:
    """F1 averaged over classes that are true or predicted, or `weighted` by their images, and its slopes."""
    true = matrix.sum(axis=1)
    both = true + matrix.sum(axis=0)
    scores = 2 * np.diag(matrix) / np.maximum(both, 1.0)
    weights = true / true.sum() if weighted else (both > 0) / (both > 0).sum()
    figure = float(weights @ scores)
    pull = weights / np.maximum(both, 1.0)
    slopes = np.diag(2 * pull) - (pull * scores)[:, None] - (pull * scores)[None, :]
    if weighted:
        slopes = slopes + ((scores - figure) / true.sum())[:, None]
    return figure, slopes


def matthews(matrix: Floats) -> tuple[float, Floats]:
    """Matthews' correlation, and its slopes; 0 and no slopes where all images are of one class, or predicted as one."""
    true, guessed, total, hit = matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum(), np.trace(matrix)
    spread, wanted = total**2 - guessed @ guessed, total**2 - true @ true
    if spread * wanted == 0:
        return 0.0, np.zeros_like(matrix)
    figure = float((hit * total - true @ guessed) / np.sqrt(spread * wanted))
    top = total * np.eye(len(matrix)) + hit - guessed[:, None] - true[None, :]
    below = (total - guessed)[None, :] / spread + (total - true)[:, None] / wanted
    return figure, top / np.sqrt(spread * wanted) - figure * below


def cohen_kappa(matrix: Floats) -> tuple[float, Floats]:
    """Cohen's κ, and its slopes; two classes at least must be there."""
    true, guessed, total = matrix.sum(axis=1), matrix.sum(axis=0), matrix.sum()
    seen, chance = float(np.trace(matrix) / total), float(true @ guessed / total**2)
    seen_slopes = (np.eye(len(matrix)) - seen) / total
    chance_slopes = (guessed[:, None] + true[None, :]) / total**2 - 2 * chance / total
    figure = (seen - chance) / (1 - chance)
    return figure, seen_slopes / (1 - chance) - (1 - seen) / (1 - chance) ** 2 * chance_slopes


def roc_auc(scores: NDArray[np.floating[Any]], labels: Ints) -> Floats:
    """Of the area under the ROC curve of each class against the rest, averaged over classes, which must all be there.

    DeLong's placement values: the share of the other side that an image stands rightly above, or below, ties half
    (DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44).
    """
    n, classes = scores.shape
    found = np.zeros(n)
    for c in range(classes):
        inside = labels == c
        place = np.empty(n)
        for side, sign in ((inside, 1), (~inside, -1)):
            mine, others = sign * scores[side, c], np.sort(sign * scores[~side, c])
            below = np.searchsorted(others, mine, "left") + np.searchsorted(others, mine, "right")
            place[side] = below / (2 * len(others))
        figure = float(place[inside].mean())
        found += figure + (place - figure) * np.where(inside, n / inside.sum(), n / (~inside).sum())
    return found / classes


def average_precision(scores: NDArray[np.floating[Any]], labels: Ints) -> Floats:
    """Of the average precision of each class against the rest, averaged over classes, which must all be there."""
    n, classes = scores.shape
    found = np.zeros(n)
    for c in range(classes):
        order = np.argsort(-scores[:, c], kind="stable")
        sorted_scores = -scores[order, c]
        inside = (labels[order] == c).astype(np.float64)
        # Of each image: how many have its score or a higher one, and how many of those are of the class.
        count = np.searchsorted(sorted_scores, sorted_scores, "right")
        hits = np.cumsum(inside)[count - 1]
        first = np.searchsorted(sorted_scores, sorted_scores, "left")
        total = inside.sum()
        figure = float((inside * hits / count).sum() / total)
        # An image more of this score changes the precision at its score and at all lower ones.
        lower_inside = np.cumsum((inside / count)[::-1])[::-1][first]
        lower_all = np.cumsum((inside * hits / count**2)[::-1])[::-1][first]
        slopes = (inside * (hits / count + lower_inside - figure) - lower_all) / total
        found[order] += figure + n * slopes
    return found / classes


def blocks(n: int, groups: Ints | None = None) -> NDArray[np.int64]:
    """Which of at most `BLOCKS` blocks of like size each image belongs to, `(n,)`; whole groups where there are any.

    Drawn at random, but always the same for the same images, so that recipes can be compared block by block.
    """
    of, names = np.arange(n), n
    if groups is not None:
        of = np.unique(groups, return_inverse=True)[1].ravel()
        names = int(of.max()) + 1
    block = np.empty(names, np.int64)
    block[np.random.RandomState(0).permutation(names)] = np.arange(names) % BLOCKS
    return block[of]


def jackknife(figure: float, without: Callable[[NDArray[np.int64]], float], block: NDArray[np.int64]) -> Floats:
    """Of any figure: how it changes where a block of images is left out; all images of a block contribute the same.

    `without(rows)` is the figure of these rows alone, `figure` that of all.
    """
    found = np.empty(len(block))
    for one in np.unique(block):
        left = block == one
        share = float(left.mean())
        found[left] = (figure - without(np.flatnonzero(~left))) * (1 - share) / share
    return figure + found - found.mean()
