"""Do intervals and verdicts hold for figures other than accuracy, and where images come in groups?

Simulated recipes give probabilities of five classes of unlike size. The logit of image i's true class is μ_m + h_i +
g_mi + u_ms + e_msi, as in benchmarks/simulate.py, those of the others are normal and the image's own; groups, where
there are any, share a part of h. What a figure truly is, the mean over seeds of what it is on endless images, comes
from a draw of a million images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.cells import Cells, Limit, table
from mnistarena.stats import contributions
from mnistarena.stats.consistency import confusion
from mnistarena.stats.crossed import Crossed
from mnistarena.stats.verdicts import judge

Floats = NDArray[np.float64]

CLASSES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
HARD, OWN, NOISE, RIVAL, SHARP = 1.0, 0.35, 0.5, 0.6, 3.0
"""Standard deviations of h, g, e and of the rivals' logits; what all logits are multiplied by."""
LEVELS = {"79 %": (1.75, 0.08), "96 %": (3.05, 0.1)}
"""μ, which gives about this accuracy, and the seeds' standard deviation u of unstable recipes."""
GAP = 0.15
"""By how much μ of two recipes differs where they differ."""
TOGETHER = 20
"""Images of a group; three fifths of the variance of h are then the group's."""
SHARE = 0.6
_TRUTH_SEEDS, _TRUTH_IMAGES = 40, 25_000

Contribute = Callable[[Floats, NDArray[np.int64]], Floats]


def _cells(figure: Callable[..., tuple[float, Floats]], probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    predicted = probabilities.argmax(axis=1)
    matrix = confusion(labels, predicted, len(CLASSES)).astype(np.float64)
    return contributions.of_cells(*figure(matrix), labels, predicted)


def _calibration_error(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    return contributions.calibration_error(probabilities.argmax(axis=1) == labels, probabilities.max(axis=1), 15)


def _jackknifed(probabilities: Floats, labels: NDArray[np.int64]) -> Floats:
    predicted = probabilities.argmax(axis=1)

    def f1(rows: NDArray[np.int64]) -> float:
        matrix = confusion(labels[rows], predicted[rows], len(CLASSES)).astype(np.float64)
        return contributions.f1(matrix, weighted=False)[0]

    every = np.arange(len(labels))
    return contributions.jackknife(f1(every), f1, contributions.blocks(len(labels)))


@dataclass(frozen=True)
class Kind:
    """A figure: what images contribute, whether it is a share, and whether its contributions are the same by blocks."""

    contribute: Contribute
    share: bool = True
    _: KW_ONLY
    by_blocks: bool = False


KINDS: dict[str, Kind] = {
    "accuracy": Kind(lambda p, y: p.argmax(axis=1) == y),
    "log loss": Kind(contributions.log_loss, False),
    "Brier": Kind(contributions.brier, False),
    "top 2": Kind(partial(contributions.top_k, k=2)),
    "balanced accuracy": Kind(partial(_cells, contributions.balanced_accuracy)),
    "macro F1": Kind(partial(_cells, partial(contributions.f1, weighted=False))),
    "weighted F1": Kind(partial(_cells, partial(contributions.f1, weighted=True))),
    "ROC AUC": Kind(contributions.roc_auc),
    "average precision": Kind(contributions.average_precision),
    "ECE": Kind(_calibration_error),
    "macro F1, by blocks": Kind(_jackknifed, by_blocks=True),
}


@dataclass(frozen=True)
class Images:
    """Images that are drawn: their true classes, how hard they are, the logits of all classes."""

    labels: NDArray[np.int64]
    hard: Floats
    _: KW_ONLY
    rivals: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, n: int, together: int = 1) -> Images:
        """n new images; with `together`, that many of a group share a part of how hard they are."""
        hard = rng.standard_normal(n)
        if together > 1:
            groups = np.repeat(rng.standard_normal(-(-n // together)), together)[:n]
            hard = np.sqrt(SHARE) * groups + np.sqrt(1 - SHARE) * hard
        labels = rng.choice(len(CLASSES), n, p=CLASSES)
        return cls(labels, HARD * hard, rivals=RIVAL * rng.standard_normal((n, len(CLASSES))))

    def answers(self, rng: np.random.Generator, own: Floats, seed: float) -> Floats:
        """The probabilities `(n, classes)` of one trained model; `own` is μ + g, `seed` u."""
        n = len(self.labels)
        logits = self.rivals.copy()
        logits[np.arange(n), self.labels] += self.hard + own + seed + NOISE * rng.standard_normal(n)
        return special.softmax(SHARP * logits, axis=1)


def recipe(rng: np.random.Generator, images: Images, level: float, seeds: Floats) -> list[Floats]:
    """The probabilities of each seed's model."""
    own = level + OWN * rng.standard_normal(len(images.labels))
    return [images.answers(rng, own, float(u)) for u in seeds]


@cache
def truths(level: float, spread: float, n: int) -> dict[str, float]:
    """What each figure truly is; the calibration error is that of n images, which it depends on."""
    rng = np.random.default_rng(1)
    seeds = spread * special.ndtri((np.arange(_TRUTH_SEEDS) + 0.5) / _TRUTH_SEEDS)
    found: dict[str, list[float]] = {name: [] for name in KINDS}
    for u in seeds:
        images = Images.draw(rng, _TRUTH_IMAGES)
        given = recipe(rng, images, level, np.array([u]))[0]
        for name, kind in KINDS.items():
            if name != "ECE" and not kind.by_blocks:
                found[name].append(float(kind.contribute(given, images.labels).mean()))
        parts = [slice(at, at + n) for at in range(0, _TRUTH_IMAGES - n + 1, n)]
        found["ECE"] += [float(_calibration_error(given[rows], images.labels[rows]).mean()) for rows in parts]
    found["macro F1, by blocks"] = found["macro F1"]
    return {name: float(np.mean(values)) for name, values in found.items()}


def _outcomes(
    n: int, k: int, level: str, stable: bool, names: tuple[str, ...], rng: np.random.Generator, repeats: int
) -> NDArray[np.int64]:
    """Of each figure: intervals of a mean and of a difference that hold, false calls, and false equals."""
    middle, spread = LEVELS[level]
    spread = 0.0 if stable else spread
    means = [truths(mu, spread, n) for mu in (middle, middle, middle - GAP)]
    found = np.zeros((len(names), 4), np.int64)
    for _ in range(repeats):
        images = Images.draw(rng, n)
        given = [recipe(rng, images, mu, spread * rng.standard_normal(k)) for mu in (middle, middle, middle - GAP)]
        for at, name in enumerate(names):
            found[at] += _one(name, given, images.labels, means)
    return found.ravel()


def _one(
    name: str, given: list[list[Floats]], labels: NDArray[np.int64], means: list[dict[str, float]]
) -> tuple[bool, bool, bool, bool]:
    kind = KINDS[name]
    groups = contributions.blocks(len(labels)) if kind.by_blocks else None
    matrices = [np.array([kind.contribute(one, labels) for one in seeds]) for seeds in given]
    crossed = Crossed(matrices, groups=groups, share=kind.share)
    truth = (means[0][name], means[2][name])
    (mean, difference), called = _judged(crossed, truth)
    equal = judge([crossed.difference(0, 2)], margin=abs(truth[0] - truth[1]))[0].verdict == "equal"
    return mean, difference, called, equal


def figures(cells: Cells) -> Iterator[str]:
    """Every deciding figure: 95 % intervals that hold the truth, and false verdicts, %"""
    names = tuple(KINDS)
    rows = []
    for n in (300, 10_000):
        for level in LEVELS:
            for stable in (True, False):
                for k in (3, 5):
                    where = f"{n:,} images, {level}, {'stable' if stable else 'unstable'}, {k}"
                    measure = partial(_outcomes, n, k, level, stable, names)
                    found = cells.measure(
                        (11, n, k, int(level[:2]), stable),
                        measure,
                        ["least", "least", "most", "most"] * len(names),
                        f"figures of {where}",
                    )
                    rows += [[f"{name}, {where}", *found[4 * at : 4 * at + 4]] for at, name in enumerate(names)]
    return table(["", "mean held", "difference held", "called, though equal", "equal at the margin"], rows)


def groups(cells: Cells) -> Iterator[str]:
    """Groups of 20 images that are alike: intervals that know of them hold the truth, and those that do not, %"""
    rows = []
    for n in (300, 10_000):
        for k in (3, 5):
            for name in ("accuracy", "log loss", "macro F1"):
                row = [f"{name}, {n:,} images, 79 %, {k}"]
                limits: list[Limit] = ["least", "least", "most", "", ""]
                measure = partial(_grouped, n, k, name)
                row += cells.measure((12, n, k, len(name)), measure, limits, f"groups of {row[0]}")
                rows.append(row)
    head = [
        "",
        "mean held",
        "difference held",
        "called, though equal",
        "mean, groups not known",
        "difference, not known",
    ]
    return table(head, rows)


def _grouped(n: int, k: int, name: str, rng: np.random.Generator, repeats: int) -> NDArray[np.int64]:
    kind, middle = KINDS[name], LEVELS["79 %"][0]
    truth = [truths(mu, 0.0, n)[name] for mu in (middle, middle - GAP)]
    of = np.arange(n) // TOGETHER
    found = np.zeros(5, np.int64)
    for _ in range(repeats):
        images = Images.draw(rng, n, TOGETHER)
        matrices = []
        for mu in (middle, middle, middle - GAP):
            # What is hard for one recipe alone is hard of whole groups, too.
            own = mu + OWN * np.repeat(rng.standard_normal(-(-n // TOGETHER)), TOGETHER)[:n]
            given = [images.answers(rng, own, 0.0) for _ in range(k)]
            matrices.append(np.array([kind.contribute(one, images.labels) for one in given]))
        for at, known in enumerate((of, None)):
            held, called = _judged(Crossed(matrices, groups=known, share=kind.share), truth)
            if at == 0:
                found[:3] += (*held, called)
            else:
                found[3:] += held
    return found


def _judged(crossed: Crossed, truth: Sequence[float]) -> tuple[tuple[bool, bool], bool]:
    """Whether intervals of the first recipe, and of it minus the third, hold; whether the second, its equal, is called.

    `truth` is that of the first and of the third.
    """
    mean, same, apart = crossed.mean(0), crossed.difference(0, 1), crossed.difference(0, 2)
    assert mean is not None
    assert same is not None
    assert apart is not None
    held = (mean.low <= truth[0] <= mean.high, apart.low <= truth[0] - truth[1] <= apart.high)
    return held, judge([same], margin=1e-9)[0].verdict in ("better", "worse")
