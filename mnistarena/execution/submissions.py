"""What an executor is asked to do for a trial of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from mnistarena.data.arrays import write_arrays
from mnistarena.environment import Conditions
from mnistarena.plan.contents import Plan
from mnistarena.plan.recipe import Trial
from mnistarena.plugin.executor import Job, Mode, PluginFile, Submission
from mnistarena.plugin.messages import MetricRequest, ViewDefinition
from mnistarena.text import unique_slug


@dataclass(frozen=True)
class Submissions:
    """Makes the submissions of a plan's trials; `scratch` is a folder for their datasets and temporary files.

    `plugins` are the plan's single-file plugins, as the workers are to load them.
    """

    plan: Plan
    scratch: Path
    _: KW_ONLY
    conditions: Conditions
    plugins: tuple[PluginFile, ...]
    checkpoint_every: float = 30.0

    def write_datasets(self, trials: Iterable[Trial]) -> None:
        """Write the arrays that the workers of these trials read."""
        for trial in trials:
            if not (folder := self._arrays(trial)).exists():
                write_arrays(trial.draw.dataset, trial.draw.split, folder, test=trial.search is None)

    def _arrays(self, trial: Trial) -> Path:
        # Trials of a search could not see test images if they tried to.
        kind = "data" if trial.search is None else "search"
        folder = self.scratch / kind / unique_slug(trial.recipe.data.label)
        if not trial.recipe.data.table.several:
            return folder
        return folder / str(trial.seed if trial.split is None else trial.split)

    def _metrics(self, trial: Trial) -> tuple[MetricRequest, ...]:
        """What a trial is asked to compute: the metrics of the plan, or the one that its search looks at."""
        if trial.search is None:
            return tuple(metric.request() for metric in self.plan.metrics)
        return () if trial.search.metric is None else (trial.search.metric.request(),)

    def of(
        self,
        trial: Trial,
        folder: Path,
        mode: Mode = "train",
        views: Sequence[ViewDefinition] = (),
        *,
        latency: bool = True,
    ) -> Submission:
        """A trial's submission; `folder` is the trial's, `views` are those that it predicts; see `Job`."""
        recipe = trial.recipe
        job = Job(
            folder,
            trial.identity,
            conditions=self.conditions,
            data=self._arrays(trial),
            temporary=self.scratch / "tmp" / trial.id,
            mode=mode,
            params=recipe.params.model_dump_json(),
            task=trial.draw.task,
            metrics=self._metrics(trial),
            views=tuple(views),
            keep_model=self.plan.benchmark.keep_models and trial.search is None,
            latency=latency,
            checkpoint_every=self.checkpoint_every,
            files=recipe.files,
            plugins=self.plugins,
        )
        limit = recipe.training.time_limit
        return Submission(
            trial.id, job, name=trial.name, seconds=recipe.time_limit, limit=limit, resources=recipe.resources
        )
