"""What MLflow has of a run, read back from a local store: every row and every figure of the run folder, each once."""

from __future__ import annotations

import mnistarena_mlflow
import pytest
from mlflow import MlflowClient

import mnistarena
import mnistarena.testing
from tests.observed import MODEL, SPEC, figures, run_interrupted

(MLFLOW,) = mnistarena_mlflow.arena_observers()


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A local store; MLflow puts artifacts beside where it was started, and sends nothing."""
    folder = tmp_path_factory.mktemp("mlflow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield f"sqlite:///{folder}/mlflow.db"


def runs(client, **tags):
    """The runs with these tags."""
    (experiment,) = [one for one in client.search_experiments() if one.name == "observed"]
    asked = " and ".join(f"tags.`{key.replace('__', '.')}` = '{value}'" for key, value in tags.items())
    return client.search_runs([experiment.experiment_id], asked)


def points(client, run):
    """Every value of a run's metrics, in order."""
    histories = {key: client.get_metric_history(run.info.run_id, key) for key in run.data.metrics}
    return {key: sorted((one.step, one.value) for one in history) for key, history in histories.items()}


def test_every_row_and_figure_is_read_back_once_after_an_interruption_too(uri, tmp_path):
    (tmp_path / "slow.py").write_text(MODEL)
    options = mnistarena.Options("cpu", 1, threads=1, observers={"mlflow": {"uri": uri}})
    how = {"out": tmp_path / "run", "plugins": [tmp_path / "slow.py"], "options": options}
    run_interrupted(**how)
    client = MlflowClient(tracking_uri=uri)
    (begun,) = runs(client, label="slow")
    assert begun.info.status == "KILLED"
    run = mnistarena.run(SPEC, **how)
    assert run.complete
    (parent,) = runs(client, mnistarena__folder=tmp_path / "run")
    assert parent.info.status == "FINISHED"
    verdicts = {key: value for key, value in parent.data.tags.items() if key.startswith("verdict/")}
    board = run.leaderboard()
    assert verdicts == {f"verdict/digits/{row.label}": row.verdict for row in board.itertuples() if row.verdict}
    assert verdicts
    for trial in run.trials:
        (found,) = runs(client, mnistarena__trial=trial.id)
        assert points(client, found) == figures(trial)
        assert found.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert (found.data.tags["label"], found.data.tags["seed"]) == (trial.label, str(trial.seed))
        assert {one.path for one in client.list_artifacts(found.info.run_id)} >= {"trial.json"}
        if trial.label == "slow":
            assert float(found.data.params["training.optimizer.lr"]) == 0.01
    # The interrupted trial went on in its own run.
    (resumed,) = [trial for trial in run.trials if "resumed_at_step" in trial.measurements]
    assert begun.info.run_id in {one.info.run_id for one in runs(client, mnistarena__trial=resumed.id)}

    # As after a kill: rows that come again. Then a trial that ran again elsewhere, with other figures.
    before = {trial.id: runs(client, mnistarena__trial=trial.id)[0].info.run_id for trial in run.trials}
    tell = MLFLOW.start(MLFLOW.params(uri=uri))
    tell({"event": "planned", "name": "observed", "folder": str(tmp_path / "run")})
    for trial, change in ((resumed, 0), (run.trials[0] if run.trials[0] != resumed else run.trials[1], 1)):
        named = {"trial": trial.id, "label": trial.label, "dataset": trial.dataset, "seed": trial.seed}
        tell({"event": "started", **named})
        for row in trial.history()[3:6]:
            tell({"event": "row", "row": {**row, "train_loss": row["train_loss"] + change}, **named})
        (now,) = runs(client, mnistarena__trial=trial.id)
        assert (now.info.run_id == before[trial.id]) == (change == 0)
        if change:
            losses = [value for _, value in points(client, now)["train_loss"]]
            assert losses == [row["train_loss"] + (n >= 3) for n, row in enumerate(trial.history()[:6])]
    tell({"event": "ended", "outcome": "complete"})
    for trial in run.trials:
        (found,) = runs(client, mnistarena__trial=trial.id)
        assert points(client, found) == figures(trial)


def test_it_keeps_the_promises_of_an_observer(uri):
    outcomes = {check.name: check.outcome() for check in mnistarena.testing.checks(MLFLOW, params={"uri": uri})}
    assert {name: outcome for name, outcome in outcomes.items() if outcome.status != "passed"} == {}
