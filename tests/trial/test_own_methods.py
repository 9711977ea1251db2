"""A model that takes part in its training by methods of its own is run, stored, restored, planned and checked."""

from __future__ import annotations

import numpy as np
import torch

import mnistarena
from mnistarena.builtin.datasets import digits

from ..helpers import by_label

PLUGIN = '''
import copy

from mnistarena import ModelDef, Params, hookimpl


def build(params, task):
    import torch
    from torch import nn
    from torch.nn import functional

    class Prototypes(nn.Module):
        """Whitened pixels and a layer, taught by its own mean; in the end it answers by the nearest mean of a class."""

        auxiliary = ("teacher",)

        def __init__(self, task):
            super().__init__()
            self.body = nn.Sequential(nn.Flatten(), nn.Linear(task.image_shape[1] * task.image_shape[2], 32), nn.ReLU())
            self.head = nn.Linear(32, task.n_classes)
            self.teacher = copy.deepcopy(self.body).requires_grad_(False)
            for name in ("mean", "scale", "prototypes"):
                self.register_buffer(name, None)

        def features(self, images):
            return self.body((images - self.mean) / self.scale)

        def forward(self, images):
            if self.prototypes is None:
                return self.head(self.features(images))
            return -torch.cdist(self.features(images), self.prototypes)

        def on_start(self, context):
            images = torch.cat([images for images, _ in context.in_order()])
            self.mean, self.scale = images.mean(0), images.std(0) + 0.1
            context.note(f"whitened by {len(images)} images")

        def training_loss(self, images, labels, context):
            features = self.features(images)
            loss = functional.cross_entropy(self.head(features), labels)
            return loss + 0.1 * context.step / context.total * functional.mse_loss(features, self.teacher(images))

        def after_step(self, context):
            for mean, value in zip(self.teacher.parameters(), self.body.parameters()):
                mean.lerp_(value, 0.1)

        def on_end(self, context):
            features, labels = zip(*[(self.features(images), labels) for images, labels in context.in_order()])
            features, labels = torch.cat(features), torch.cat(labels)
            self.prototypes = torch.stack([features[labels == c].mean(0) for c in range(context.task.n_classes)])

    return Prototypes(task)


@hookimpl
def arena_models():
    return [ModelDef("prototypes", "its own methods", params=Params, build=build)]
'''

SPEC = """
plugins = ["own.py"]
[benchmark]
name = "own"
metrics = ["accuracy"]
seeds = [0]
[[dataset]]
name = "digits"
validation = 200
[training]
epochs = 5
optimizer = { name = "adam", lr = 0.01 }
[[model]]
name = "prototypes"
"""


def test_a_model_with_methods_of_its_own_is_run_stored_restored_planned_and_checked(arena, tmp_path):
    (tmp_path / "own.py").write_text(PLUGIN)
    (tmp_path / "own.toml").write_text(SPEC)
    planned = arena("plan", "own.toml")
    assert "not estimated" not in planned.out + planned.err
    assert arena("run", "own.toml").status == 0
    run = tmp_path / "runs" / "own"
    record = by_label(run)["prototypes"]
    assert record["status"] == "done", record
    assert record["metrics"]["accuracy"] > 0.9
    assert "whitened by 1237 images" in record["notes"]
    assert record["measurements"]["parameters"] == 64 * 32 + 32 + 32 * 10 + 10
    (trial,) = mnistarena.load_run(run).trials
    images = np.array(digits.load_digits(digits.NoParams(), mnistarena.DataContext(None)).test_images)
    found = trial.restore(plugins=[tmp_path / "own.py"]).probabilities(images)
    np.testing.assert_allclose(found, trial.predictions().probabilities, atol=1e-5)
    (stored,) = run.glob("trials/*/model.safetensors")
    from safetensors.torch import load_file

    assert {name.partition(".")[0] for name in load_file(stored)} == {"body", "head", "mean", "scale", "prototypes"}
    assert torch.isfinite(load_file(stored)["prototypes"]).all()
    checked = arena("check", "prototypes", "--plugin", "own.py")
    assert checked.status == 0, checked.out + checked.err
