"""The jobs that the checks of an executor give to it: metrics of stored predictions, and a small training."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from mnistarena.environment import Conditions
from mnistarena.execution.record import trained_record
from mnistarena.execution.resume import ScoringRequest
from mnistarena.execution.submissions import Submissions
from mnistarena.plan.contents import Plan
from mnistarena.plan.lookup import registry_for
from mnistarena.plan.recipe import Trial
from mnistarena.plan.resolve import resolve
from mnistarena.plugin.executor import Job, Submission
from mnistarena.plugin.messages import MetricRequest, Result
from mnistarena.plugin.predictions import Predictions
from mnistarena.spec.load import load_spec
from mnistarena.store.records import TrialRecord
from mnistarena.store.trial_folder import TrialFolder

SPEC = {
    "benchmark": {"name": "checks of an executor", "seeds": [0]},
    "dataset": [{"name": "digits", "train_limit": 32, "validation": 8, "test_limit": 16}],
    "training": {"epochs": 50, "batch_size": 8, "time_limit": "5m"},
    "model": [{"name": "executor-check"}],
}
"""Three steps in each epoch."""

TINY = Path(__file__).with_name("tiny_model.py")
"""The plugin of the network that is trained."""

NAP = 0.2
"""Seconds that each step of a training sleeps which is to be stopped: it would take half a minute."""

FAILING = "job-1"
"""The job that names a metric that does not exist."""


class Jobs:
    """Jobs whose files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def trial(self, key: str) -> TrialFolder:
        """The folder of the job with this key."""
        return TrialFolder(self.folder / key)

    def scoring(self, key: str, conditions: Conditions) -> Submission:
        """A job that computes the accuracy of stored predictions; `FAILING` wants other code than there is."""
        trial = self.trial(key)
        trial.reset()
        trial.write_predictions(predictions(key))
        source = "0" * 64 if key == FAILING else None
        job = Job(
            trial.path,
            {},
            conditions=conditions,
            data=self.folder / "data",
            temporary=self.folder / "tmp" / key,
            mode="score",
            metrics=(MetricRequest("accuracy", "accuracy", params="{}", source=source),),
        )
        return Submission(key, job, name=key, seconds=60.0, limit="60s")

    # ---- The training

    @cached_property
    def plan(self) -> Plan:
        """What an `arena run` of the training would do."""
        spec = load_spec(SPEC, plugins=[TINY])
        return resolve(spec, registry_for(spec))

    @property
    def planned(self) -> Trial:
        """The only trial of the plan."""
        return self.plan.trials()[0]

    def training(self, key: str, conditions: Conditions, *, nap: float = 0.0) -> Submission:
        """The training as a run gives it to its executor, from the checkpoint that is in its folder, if any."""
        trial = self.trial(key)
        trial.reset(keep_checkpoint=True)
        made = Submissions(self.plan, self.folder, conditions=conditions, plugins=self.plan.registry.files)
        if not (self.folder / "data").exists():
            made.write_datasets([self.planned])
        submission = made.of(self.planned, trial.path)
        temporary = self.folder / "tmp" / key  # two of the same trial may run side by side
        job = replace(submission.job, params=json.dumps({"nap": nap}), temporary=temporary)
        return replace(submission, key=key, job=job)

    def record(self, key: str, result: Result, conditions: Conditions) -> TrialRecord | None:
        """What a run would record of the training, written and read again; raises where it cannot be."""
        record = trained_record(
            self.planned,
            result,
            request=ScoringRequest.of(self.plan),
            conditions=conditions,
            began=None,
            measured=None,
        )
        self.trial(key).write(record)
        return self.trial(key).read()

    def step(self, key: str) -> int | None:
        """The step that the checkpoint in a job's folder was saved after; None where there is no checkpoint."""
        state = self.trial(key).checkpoint.state()
        return None if state is None else state.get("step")


def predictions(key: str) -> Predictions:
    """Random predictions of 50 images of 4 classes, for the job with this key."""
    random = np.random.RandomState(list(key.encode()))
    probabilities = random.dirichlet(np.ones(4), 50)
    return Predictions(random.randint(0, 4, 50).astype(np.int64), probabilities, index=np.arange(50))
