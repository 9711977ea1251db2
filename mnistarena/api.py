"""The interface for Python: run a spec, read a run, with its verdicts as tables and its trained models.

docs/python.md shows all of it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mnistarena.plugin.settings import Settings
from mnistarena.store import results
from mnistarena.store.results import StoredRun, StoredTrial

if TYPE_CHECKING:
    import pandas as pd

    from mnistarena.execution.observer import Observer
    from mnistarena.execution.options import Options
    from mnistarena.inference.restore import Restored
    from mnistarena.report.view import ReportData
    from mnistarena.store.rows import Row
    from mnistarena.verify import Finding

Table = Literal["trials", "history", "predictions", "probabilities", "views"]


class TrialResult(StoredTrial):
    """One trial of a run: a recipe (`label`) on a dataset with a seed, and what became of it."""

    run: Run

    def restore(self, device: str = "cpu", *, plugins: Sequence[str | os.PathLike[str]] = ()) -> Restored:
        """Its trained model, ready to predict: `restore().probabilities(images)`, images uint8 `(n, C, H, W)`.

        A scikit-learn classifier, which is not stored, is fitted again. `plugins` are the single-file plugins that
        the run used. Raises `ArenaError` where the model cannot be had.
        """
        from mnistarena.inference.restore import restore

        return restore(self.run, self, device, plugins=plugins)


class Run(StoredRun):
    """A run folder, read. In Jupyter it shows its verdict and leaderboard.

    Raises `StoreError` where a stored file that a verdict needs is damaged.
    """

    trials: tuple[TrialResult, ...]

    @cached_property
    def view(self) -> ReportData:
        """Everything that the report shows, as plain dataclasses."""
        from mnistarena.report.view import build

        return build(self)

    def rows(self, what: str = "trials", *, only: Sequence[str] = (), dataset: str | None = None) -> Iterator[Row]:
        """Flat rows of a tidy table: `trials`, `history`, `predictions`, `probabilities` or `views`.

        trials: a row a trial: id, label, dataset, seed, split if any, status, then every metric and scalar
        measurement; `time_to_target` (s) where the spec has a target and the training reached it.
        history: a row a trial and epoch. predictions: a row a trial and test image: index into the test split, true
        class, predicted class, its probability (None where there is none), whether it is right, its name if it has one.
        probabilities: the same rows, with the name of the true class, and as `p_NAME` the probability of each class,
        float32 as it is stored; trials of models that give no probabilities are left out.
        views: a row a trial and further view of the test images: its name, parameter and severity, and the accuracy
        on it.

        `only` selects labels by patterns, `dataset` one dataset. Raises `ArenaError` where nothing is called so, and
        for probabilities where the datasets have different classes.
        """
        from mnistarena.store.rows import rows

        return rows(self, what, only=only, dataset=dataset)

    def frame(self, what: Table = "trials", *, only: Sequence[str] = (), dataset: str | None = None) -> pd.DataFrame:
        """A tidy table: `trials`, `history`, `predictions`, `probabilities` or `views`; `rows` says what each holds.

        `only` selects labels by patterns, `dataset` one dataset.
        """
        import pandas as pd

        return pd.DataFrame(list(self.rows(what, only=only, dataset=dataset)))

    def leaderboard(self) -> pd.DataFrame:
        """A row a recipe and dataset, the best first: its places, accuracy with 95 % interval, verdict.

        `figure` is the one that decides, with its interval; it is the accuracy where the spec names no other.
        Published figures, of which there are no predictions, are no rows: `view.comparisons[…].published` has them.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "dataset": comparison.label,
                "label": row.label,
                "best_place": row.place and row.place[0],
                "worst_place": row.place and row.place[1],
                "seeds": row.finished,
                "accuracy": row.accuracy and row.accuracy.estimate,
                "low": row.accuracy and row.accuracy.low,
                "high": row.accuracy and row.accuracy.high,
                "figure": row.decided and row.decided.estimate,
                "figure_low": row.decided and row.decided.low,
                "figure_high": row.decided and row.decided.high,
                "reference": comparison.reference,
                "verdict": row.verdict,
                "train_seconds": row.train_seconds,
                "parameters": row.parameters,
            }
            for comparison in self.view.comparisons
            for row in comparison.rows
        )

    def pairs(self) -> pd.DataFrame:
        """A row a pair of recipes and dataset: verdict on `a`, difference, interval, Holm-adjusted p, P(a > b)."""
        import pandas as pd

        from mnistarena.report.downloads import pair_rows

        return pd.DataFrame(pair_rows(self.view))

    def report(
        self,
        *,
        html: bool = True,
        markdown: bool = True,
        latex: bool = False,
        paper: bool = False,
        template: str | os.PathLike[str] | None = None,
    ) -> list[Path]:
        """Write report.html, and report.md with figures/, into the run folder; returns the paths of what is written.

        `latex`: report.tex, a table a dataset. `paper`: figures/paper/, every figure as PDF and SVG.
        """
        from mnistarena.report.write import write_report

        return write_report(self.path, html=html, markdown=markdown, latex=latex, paper=paper, template=template)

    def verify(
        self,
        *,
        sample: int | None = 1,
        seed: int | None = None,
        jobs: int = 1,
        plugins: Sequence[str | os.PathLike[str]] = (),
    ) -> Iterator[Finding]:
        """Recompute every figure from the stored predictions, and run `sample` trials again (None: all of them).

        `seed` fixes which trials are drawn. Yields a finding for each check, with `ok` and a `text`.
        """
        from mnistarena.verify import verify

        return verify(self.path, sample=sample, chance=random.Random(seed), jobs=jobs, plugins=plugins)

    def _repr_html_(self) -> str:
        from mnistarena.report.render import render_notebook

        return render_notebook(self.view)


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run folder; raises `StoreError` where it is not one, or is damaged.

    Safe on a run folder from elsewhere: nothing is unpickled, links are not followed, and control characters in
    any text are shown as escapes.
    """
    return _public(results.read_run(path))


def run(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    only: Sequence[str] = (),
    overrides: Sequence[str] = (),
    plugins: Sequence[str | os.PathLike[str]] = (),
    options: Options | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a spec, given as a path or as a mapping, and return its results.

    `out` is the run folder (default: `runs/<name of the spec file>`); `only` selects model labels by
    pattern; `overrides` set keys, such as `"training.epochs=1"`; `plugins` are paths of plugins that are single
    Python files; `options` say how it is run, such as `Options(jobs=1, device="cuda")`; `observer` is told what
    happens: without one, a Jupyter notebook shows how far the run is. Finished trials are not run again.
    Raises `SpecError` with every problem of the spec before anything runs. A trial that fails is
    recorded, and the others continue: see `Run.complete`.
    """
    from mnistarena.execution.jupyter import shown
    from mnistarena.execution.run import execute

    with shown(observer) as told:
        found = execute(spec, out=out, only=only, overrides=overrides, plugins=plugins, options=options, observer=told)
    return _public(found)


def judge(
    y_true: Any,
    predictions: Mapping[str, Any],
    *,
    class_names: Sequence[str] | None = None,
    images: Any = None,
    names: Sequence[str] | None = None,
    groups: Any = None,
    name: str = "test images",
    metrics: Sequence[str] = ("accuracy", "f1_weighted", "log_loss"),
    decide: str = "accuracy",
    margin: str | float | None = None,
    baseline: str | None = None,
    deterministic: Sequence[str] = (),
    out: str | os.PathLike[str] | None = None,
) -> Run:
    """Judge models by their predictions alone, whatever they were trained with; nothing is trained.

    `y_true` `(n,)` are the classes of the test images, as numbers from 0 or by name. `predictions` holds for each
    model's label a list with an array for each seed that it was trained with, or one array, or a pattern of files:
    probabilities `(n, n_classes)`, or predicted classes `(n,)`. Classes are in the order of `class_names`, by default
    of their numbers, else of their names. `images`, uint8 `(n, C, H, W)` or `(n, H, W)`, and `names` are for the
    report's pictures; `groups` `(n,)` says which images belong together, such as those of one patient.
    `metrics`, `decide`, `margin` and `baseline` are as in a spec's `[benchmark]`; `deterministic` are the labels of
    models whose training does not depend on a seed. `out` is the run folder, by default a new temporary one.
    Raises `DataError` or `SpecError` with what is wrong.
    """
    from mnistarena.execution.judge import TestImages, judge_predictions

    benchmark: Settings = {"name": name, "metrics": list(metrics), "decide": decide}
    benchmark |= {"margin": margin} if margin is not None else {}
    benchmark |= {"baseline": baseline} if baseline is not None else {}
    return _public(
        judge_predictions(
            TestImages(y_true, class_names, images, names, groups),
            predictions,
            benchmark=benchmark,
            deterministic=deterministic,
            out=None if out is None else Path(out),
        )
    )


def _public(found: StoredRun) -> Run:
    trials = tuple(TrialResult(**vars(trial)) for trial in found.trials)
    made = Run(**{**vars(found), "trials": trials})
    for trial in trials:
        object.__setattr__(trial, "run", made)
    return made
