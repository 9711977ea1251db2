"""Event files of TensorBoard, read back: every row and every figure of the run folder, each once."""

from __future__ import annotations

import mnistarena_tensorboard
import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

import mnistarena
import mnistarena.testing
from tests.observed import MODEL, SPEC, figures, run_interrupted

(TENSORBOARD,) = mnistarena_tensorboard.arena_observers()


def scalars(folder):
    """What TensorBoard reads of a trial's scalars: by tag a list of steps and values."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    found.Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}, found


def expected(trial):
    """The same from the run folder, at the precision of TensorBoard."""
    return {tag: [(step, float(np.float32(value))) for step, value in points] for tag, points in figures(trial).items()}


def test_every_row_and_figure_is_read_back_once_after_an_interruption_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(MODEL)
    options = mnistarena.Options("cpu", 1, threads=1, observers={"tensorboard": {}})
    how = {"out": "run", "plugins": ["slow.py"], "options": options}
    run_interrupted(**how)
    run = mnistarena.run(SPEC, **how)
    assert run.complete
    assert any("resumed_at_step" in trial.measurements for trial in run.trials)
    for trial in run.trials:
        found, read = scalars(tmp_path / "run" / "tensorboard" / trial.folder.path.name)
        assert found == expected(trial)
        content = plugin_data_pb2.HParamsPluginData.FromString(
            read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        )
        hparams = content.session_start_info.hparams
        assert hparams["label"].string_value == trial.label
        assert hparams["seed"].number_value == trial.seed
        if trial.label == "slow":
            assert hparams["training.optimizer.lr"].number_value == 0.01

    # As after a kill: rows past the checkpoint, which come again. And into another folder: what was done before.
    tell = TENSORBOARD.start(TENSORBOARD.params(folder="elsewhere"))
    slow, other = (trial for trial in run.trials if trial.label == "slow")
    tell({"event": "planned", "folder": str(tmp_path / "run")})
    for first in (0, 3):
        tell({"event": "started", "trial": slow.id})
        for row in slow.history()[first : first + 6]:
            tell({"event": "row", "trial": slow.id, "row": row})
    tell({"event": "interrupted", "trial": slow.id})
    found, _ = scalars(tmp_path / "elsewhere" / slow.folder.path.name)
    assert found["train_loss"] == expected(slow)["train_loss"][:9]
    tell({"event": "ended"})
    for trial in (slow, other):
        assert scalars(tmp_path / "elsewhere" / trial.folder.path.name)[0] == expected(trial)


@mnistarena.testing.parametrize(TENSORBOARD)
def test_it_keeps_the_promises_of_an_observer(check):
    check.run()
