"""What Python and Jupyter users hold in their hands: a run with its verdicts, as frames and as a table to look at."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mnistarena import results

if TYPE_CHECKING:
    import pandas as pd

    from mnistarena.execute import Options
    from mnistarena.observer import Observer
    from mnistarena.report.view import View


class Run(results.Run):
    """A run folder, read. In Jupyter it shows its verdict and leaderboard.

    Raises `StoreError` where a stored file that a verdict needs is damaged.
    """

    @cached_property
    def view(self) -> View:
        """All that the report shows, as plain dataclasses."""
        from mnistarena.report.view import build

        return build(self)

    def leaderboard(self) -> pd.DataFrame:
        """A row a recipe and dataset, highest mean first: its places, accuracy with 95 % interval, verdict."""
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

        return pd.DataFrame(pair_rows(self.view))

    def _repr_html_(self) -> str:
        from mnistarena.report.render import render_notebook

        return render_notebook(self.view)


def pair_rows(view: View) -> list[dict[str, Any]]:
    """Every pair of every dataset as a flat row."""
    from mnistarena.report.downloads import pair_row

    return [
        {"dataset": comparison.label, **pair_row(pair)} for comparison in view.comparisons for pair in comparison.pairs
    ]


def load_run(path: str | os.PathLike[str]) -> Run:
    """Read a run folder; raises `StoreError` where it is none or is damaged.

    Safe on a stranger's folder: nothing is unpickled, links are not followed, and control characters in
    any text are shown as escapes.
    """
    return _held(results.load_run(path))


def run(
    spec: str | os.PathLike[str] | Mapping[str, Any],
    *,
    out: str | os.PathLike[str] | None = None,
    only: tuple[str, ...] = (),
    set: tuple[str, ...] = (),
    options: Options | None = None,
    observer: Observer | None = None,
) -> Run:
    """Run a spec, given as a path or as a mapping, and return its results.

    `out` is the run folder (default: `runs/<name of the spec file>`); `only` selects model labels by
    pattern; `set` overrides keys, such as `"training.epochs=1"`; `options` say how it is run, such as
    `Options(jobs=1, device="cuda")`. What is finished there is not run again.
    Raises `SpecError` with every problem of the spec before anything runs. A trial that fails is
    recorded, and the others go on: see `Run.complete`.
    """
    from mnistarena import execute

    return _held(execute.run(spec, out=out, only=only, set=set, options=options, observer=observer))


def _held(found: results.Run) -> Run:
    return Run(found.path, found.plan, found.environment, found.spec, found.trials)
