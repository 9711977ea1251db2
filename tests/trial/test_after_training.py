"""What comes after the last step of a training costs none of it: predictions are stored first."""

from __future__ import annotations

import pytest

from ..helpers import by_label

PLUGIN = """
import os
import signal

import torch
from torch import nn

from mnistarena import ModelDef, Params, hookimpl


class NoParams(Params):
    pass


class Net(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(64, task.n_classes))

    def forward(self, images):
        return self.net(images)


class Overlapping(Net):
    def __init__(self, task):
        super().__init__(task)
        values = torch.zeros(6)
        self.register_buffer("left", values[:4])
        self.register_buffer("right", values[2:])


class ExtraState(Net):
    def get_extra_state(self):
        return {"seen": object()}

    def set_extra_state(self, state):
        pass


class RaisesWhenMeasured(Net):
    def forward(self, images):
        if not self.training and images.abs().max() == 0:
            raise RuntimeError("nothing to see")
        return super().forward(images)


class DiesWhenMeasured(Net):
    def forward(self, images):
        if not self.training and images.abs().max() == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(images)


@hookimpl
def arena_models():
    kinds = {"plain": Net, "overlapping": Overlapping, "extra": ExtraState, "raises": RaisesWhenMeasured,
             "dies": DiesWhenMeasured}
    for name, kind in kinds.items():
        yield ModelDef(name, name, params=NoParams, build=lambda params, task, kind=kind: kind(task))
"""

SPEC = """
plugins = ["late.py"]
[benchmark]
name = "late"
metrics = ["accuracy"]
[[dataset]]
name = "digits"
[training]
epochs = 5
optimizer = { name = "adam", lr = 0.01 }
""" + "".join(f'[[model]]\nname = "{name}"\n' for name in ("plain", "overlapping", "extra", "raises", "dies"))


@pytest.fixture
def late(arena, tmp_path):
    (tmp_path / "late.py").write_text(PLUGIN)
    (tmp_path / "late.toml").write_text(SPEC)
    return arena("run", "late.toml")


def test_a_finished_training_survives_what_fails_after_it(late, arena, tmp_path):
    assert late.status == 0, late.err
    run = tmp_path / "runs" / "late"
    found = by_label(run)
    accuracy = found["plain"]["metrics"]["accuracy"]
    assert accuracy > 0.6
    for label, record in found.items():
        assert record["status"] == "done", record
        assert record["metrics"] == {"accuracy": accuracy}, f"{label}: the same network, the same bits"
    stored = {label: "model.safetensors" in record["files"] for label, record in found.items()}
    assert stored == {"plain": True, "overlapping": True, "extra": False, "raises": True, "dies": True}
    assert any(
        "the trained model is not stored: its state_dict holds a dict" in note for note in found["extra"]["notes"]
    )
    assert any(
        "the latency of a batch of 1 was not measured: RuntimeError: nothing to see" in note
        for note in found["raises"]["notes"]
    )
    assert any("not measured to its end: the process was ended by SIGKILL" in note for note in found["dies"]["notes"])
    assert found["dies"]["measurements"]["train_seconds"] > 0
    assert "dies on digits, seed 0 is trained, and is scored at the end: the process was ended by SIGKILL" in late.out
    again = arena("run", "late.toml")
    assert again.status == 0, again.err
    assert "5 finished before" in again.out
