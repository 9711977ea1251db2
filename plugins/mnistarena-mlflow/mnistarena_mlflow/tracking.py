"""A run in MLflow: a run of its own, and one nested in it for each trial."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run

from mnistarena import RunEvent, load_run
from mnistarena.executors import TrialFolder

if TYPE_CHECKING:
    from mnistarena_mlflow import MlflowParams

CURVES = ("train_loss", "validation_loss", "validation_accuracy", "validation_monitor", "learning_rate")
AT_ONCE = 100
"""Metrics or parameters of one call: MLflow takes no more parameters."""

STATUS = {"done": "FINISHED", "failed": "FAILED", "timeout": "FAILED", "interrupted": "KILLED"}
OUTCOME = {"complete": "FINISHED", "interrupted": "KILLED"}

Points = dict[tuple[str, int], float]
"""Values by metric and step."""


class Tracking:
    """What MLflow has of a run."""

    def __init__(self, params: MlflowParams) -> None:
        logging.getLogger("mlflow").setLevel(logging.WARNING)
        self.client, self.params = MlflowClient(tracking_uri=params.uri), params
        self.run = Path()
        self.experiment = self.parent = ""
        self.runs: dict[str, Run] = {}
        """The runs of trials, by the trial's id."""
        self.known: dict[str, Points] = {}
        """What these have, by the trial's id; of a run that was there before, once it is needed."""

    def tell(self, event: RunEvent) -> None:
        """Take an event of the run."""
        kind = event["event"]
        if kind == "planned":
            self._plan(event["name"], Path(event["folder"]))
        elif kind == "started":
            self.client.update_run(self._run_of(event).info.run_id, status="RUNNING")
        elif kind == "row":
            self._log(event, _points(event["row"]))
        elif kind in STATUS:
            self._end_trial(event, self._stored(event["trial"]), STATUS[kind])
        elif kind == "ended":
            self._end(event["outcome"])

    # ---- The run

    def _plan(self, name: str, folder: Path) -> None:
        """Find the experiment, the run of this run folder and those of its trials, or make them."""
        self.run = folder
        title = self.params.experiment or name
        found = self.client.get_experiment_by_name(title)
        self.experiment = self.client.create_experiment(title) if found is None else found.experiment_id
        key = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
        parents = self._search("mnistarena.run", key)
        parent = next(parents, None) or self.client.create_run(
            self.experiment, run_name=name, tags={"mnistarena.run": key, "mnistarena.folder": str(folder)}
        )
        self.parent = parent.info.run_id
        self.client.update_run(self.parent, status="RUNNING")
        for run in self._search("mlflow.parentRunId", self.parent):
            self.runs.setdefault(run.data.tags.get("mnistarena.trial", ""), run)

    def _search(self, tag: str, value: str) -> Iterator[Run]:
        """The runs of the experiment with a tag, the newest first."""
        token = None
        while True:
            page = self.client.search_runs(
                [self.experiment],
                f"tags.`{tag}` = '{value}'",
                order_by=["attributes.start_time DESC"],
                page_token=token,
            )
            yield from page
            token = page.token
            if not token:
                return

    def _end(self, outcome: str) -> None:
        """Write the trials that were done before, and the verdicts."""
        run = load_run(self.run)
        for trial in run.trials:
            if trial.done:
                named = {"trial": trial.id, "label": trial.label, "dataset": trial.dataset, "seed": trial.seed}
                named |= {} if trial.split is None else {"split": trial.split}
                self._end_trial(named, trial.folder, "FINISHED")
        if any(trial.done for trial in run.trials):
            for row in run.leaderboard().to_dict("records"):
                if row["verdict"]:
                    key = _key(f"verdict/{row['dataset']}/{row['label']}")
                    self.client.set_tag(self.parent, key, str(row["verdict"]))
        if self.params.artifacts:
            self._upload(self.parent, (self.run / name for name in ("plan.json", "spec.toml")))
        self.client.set_terminated(self.parent, OUTCOME.get(outcome, "FAILED"))

    # ---- A trial

    def _stored(self, trial: str) -> TrialFolder:
        """The folder of a trial in the run folder."""
        return TrialFolder(next(path for of in ("trials", "searches") for path in self.run.glob(f"{of}/*-{trial}")))

    def _run_of(self, named: Mapping[str, Any]) -> Run:
        """The run of the trial that an event names; made where there is none."""
        trial = named["trial"]
        if trial not in self.runs:
            tags = {key: str(named[key]) for key in ("label", "dataset", "seed", "split") if key in named}
            self.runs[trial] = self.client.create_run(
                self.experiment,
                run_name=_name(named),
                tags={"mlflow.parentRunId": self.parent, "mnistarena.trial": trial, **tags},
            )
            self.known[trial] = {}
        if trial not in self.known:
            run = self.runs[trial]
            histories = (self.client.get_metric_history(run.info.run_id, key) for key in run.data.metrics)
            self.known[trial] = {(one.key, one.step): one.value for one in itertools.chain(*histories)}
        return self.runs[trial]

    def _log(self, named: Mapping[str, Any], points: Points, *, whole: bool = False) -> None:
        """Write what is not there yet. Where something else is there, another run takes the place of this one.

        Points that are `whole` are all that the run may have; else those of the run folder are written anew, too.
        """
        run, known = self._run_of(named), self.known[named["trial"]]
        other = any(known.get(at, value) != value for at, value in points.items())
        if other or (whole and known.keys() - points.keys()):
            self.client.delete_run(run.info.run_id)
            del self.runs[named["trial"]]
            run, known = self._run_of(named), self.known[named["trial"]]
            if not whole:
                first = min(step for _, step in points)
                before = (row for row in self._stored(named["trial"]).history() if row["step"] < first)
                points = {at: value for row in before for at, value in _points(row).items()} | points
        now = int(time.time() * 1000)
        metrics = [Metric(key, value, now, step) for (key, step), value in points.items() if (key, step) not in known]
        for some in _in_parts(metrics):
            self.client.log_batch(run.info.run_id, metrics=some)
        known.update(points)

    def _end_trial(self, named: Mapping[str, Any], stored: TrialFolder, status: str) -> None:
        """Write what the record of a trial says, unless it is there."""
        record = stored.read()
        if record is None or self._run_of(named).data.tags.get("mnistarena.record") == record["digest"]:
            return
        points = {at: value for row in stored.history() for at, value in _points(row).items()}
        if status == "FINISHED":
            steps = int(record["measurements"].get("steps", 0))
            figures = record["metrics"].items()
            points |= {(_key(f"test/{label}"), steps): value for label, value in figures if value is not None}
        self._log(named, points, whole=True)
        run = self._run_of(named)
        identity = record["identity"]
        asked = _flat({"model": identity["model"], "training": identity["training"]})
        params = [Param(key, value) for key, value in asked if key not in run.data.params]
        for some in _in_parts(params):
            self.client.log_batch(run.info.run_id, params=some)
        if self.params.artifacts:
            self._upload(run.info.run_id, (stored.path / name for name in ("trial.json", "log.txt")))
        self.client.set_tag(run.info.run_id, "mnistarena.record", record["digest"])
        self.client.set_terminated(run.info.run_id, status)
        self.runs[named["trial"]] = self.client.get_run(run.info.run_id)

    def _upload(self, run: str, files: Iterable[Path]) -> None:
        for path in files:
            if path.is_file():
                self.client.log_artifact(run, str(path))


def _name(named: Mapping[str, Any]) -> str:
    """The name of a trial's run."""
    further = [f"split {named['split']}"] if "split" in named else []
    further += [f"search {named['search']['repeat']}, trial {named['search']['number']}"] if "search" in named else []
    return ", ".join([f"{named['label']} on {named['dataset']}", f"seed {named['seed']}", *further])


def _in_parts(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _points(row: Mapping[str, Any]) -> Points:
    """The figures of a row of a history."""
    named = {**{name: row.get(name) for name in CURVES}, **{f"logged/{k}": v for k, v in row.get("logged", {}).items()}}
    return {(_key(name), int(row["step"])): value for name, value in named.items() if value is not None}


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """The parameters in nested tables, with dots, as text."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield _key(f"{prefix}{key}"), value if isinstance(value, str) else json.dumps(value)


def _key(text: str) -> str:
    """A name that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", text)[:250]
