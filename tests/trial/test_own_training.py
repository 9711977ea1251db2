"""A model that trains itself: fit(training) has the engine's data, history, checkpoints and place in the report."""

from __future__ import annotations

import json
import signal

import numpy as np
import pytest
import torch
from torch import nn

import mnistarena
from mnistarena.store.results import read_run

from ..helpers import bits, by_label
from ..observed import Stop

PLUGIN = '''
import time

import torch
from torch import nn
from torch.nn import functional

from mnistarena import ModelDef, Params, hookimpl


class NoParams(Params):
    pass


def network(task):
    channels, height, width = task.image_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, 32), nn.ReLU(), nn.Dropout(0.2),
                         nn.Linear(32, task.n_classes))


class Loop(nn.Module):
    """An ordinary loop, as its author would write it."""

    pause = 0.0

    def __init__(self, task):
        super().__init__()
        self.net = network(task)

    def forward(self, images):
        return self.net(images)

    def fit(self, training):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        state = training.resume()
        first = 0
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            first = state["epoch"]
        for epoch in range(first, training.epochs):
            for images, labels in training.batches(epoch):
                loss = functional.cross_entropy(self(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                training.step(loss, batch=len(labels))
                time.sleep(self.pause)
            training.validate()
            training.checkpoint({"optimizer": optimizer.state_dict(), "epoch": epoch + 1})


class Slow(Loop):
    pause = 0.01


class Neighbour(nn.Module):
    """The label of the nearest training image; what it keeps has the shape of what it was given."""

    def __init__(self, task):
        super().__init__()
        self.n_classes = task.n_classes
        self.register_buffer("images", None)
        self.register_buffer("labels", torch.zeros(0, dtype=torch.int64))

    def fit(self, training):
        batches = list(training.in_order())
        self.images = torch.cat([images.flatten(1) for images, _ in batches])
        self.labels = torch.cat([labels for _, labels in batches])

    def forward(self, images):
        nearest = torch.cdist(images.flatten(1), self.images).argmin(1)
        return 10.0 * functional.one_hot(self.labels[nearest], self.n_classes).float()


class Forgetful(Loop):
    """It keeps what it learns outside its buffers."""

    def fit(self, training):
        super().fit(training)
        self.shift = 5 * torch.eye(10)[3]

    def forward(self, images):
        return super().forward(images) + getattr(self, "shift", 0)


class Lightning(Loop):
    fit = None

    def training_step(self, batch, index):
        raise NotImplementedError

    def configure_optimizers(self):
        raise NotImplementedError


class NoModule:
    def fit(self, training):
        pass

    def predict(self, images):
        pass


class Diverges(Loop):
    def fit(self, training):
        for images, labels in training.batches(0):
            training.step(float("nan"))
        training.validate()


class LogsNan(Loop):
    def fit(self, training):
        training.step(0.5, similarity=float("nan"))


class TwoAtOnce(Loop):
    def fit(self, training):
        for _ in zip(training.batches(0), training.batches(0)):
            training.step(0.5)


class Lazy(nn.Module):
    def __init__(self, task):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(task.n_classes))

    def forward(self, images):
        return self.net(images)


class AsksForTooMuch(Loop):
    def fit(self, training):
        training.test_images


class TooFew(Loop):
    def fit(self, training):
        next(training.batches(0, batch_size=5000, drop_last=True))


class Views(Loop):
    """What each way of reading an epoch gives, in buffers that are stored."""

    def __init__(self, task):
        super().__init__(task)
        for name in ("plain", "plain_labels", "views", "views_labels"):
            self.register_buffer(name, None)

    def fit(self, training):
        plain, pairs = [list(one) for one in (training.batches(1), training.views(1, 3, drop_last=True))]
        for name, batches in ("plain", plain), ("views", [(torch.stack(v, 1), labels) for v, labels in pairs]):
            setattr(self, name, torch.cat([images for images, _ in batches]))
            setattr(self, f"{name}_labels", torch.cat([labels for _, labels in batches]))
        training.step(0.0)


@hookimpl
def arena_models():
    kinds = (TooFew, Views, Loop, Slow, Neighbour, Forgetful, Lightning, NoModule, Diverges, Lazy, AsksForTooMuch)
    for kind in (*kinds, LogsNan, TwoAtOnce):
        build = lambda params, task, kind=kind: kind(task) if kind is not NoModule else kind()
        yield ModelDef(kind.__name__.lower(), kind.__name__, params=NoParams, build=build)
    for name, uses in (("declared", ("epochs", "batch_size")), ("underdeclared", ("batch_size",))):
        yield ModelDef(name, name, params=NoParams, build=lambda params, task: Loop(task), uses=uses)
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
epochs = {epochs}
batch_size = 32
"""


def spec(folder, *models, epochs=6):
    (folder / "own.py").write_text(PLUGIN)
    text = SPEC.format(epochs=epochs) + "".join(f'[[model]]\nname = "{name}"\n' for name in models)
    (folder / "own.toml").write_text(text)


def test_models_that_train_themselves_are_trained_measured_stored_and_restored(arena, tmp_path):
    spec(tmp_path, "loop", "neighbour", "forgetful", "lazy")
    done = arena("run", "own.toml")
    assert done.status == 0, done.out + done.err
    run = tmp_path / "runs" / "own"
    found = by_label(run)
    for record in found.values():
        assert record["status"] == "done", record
    assert abs(found["loop"]["metrics"]["accuracy"] - plain_loop()) < 0.03
    assert found["neighbour"]["metrics"]["accuracy"] == nearest_neighbour()
    measured = found["loop"]["measurements"]
    assert measured["steps"] == 6 * 39
    assert measured["epochs"] == 6
    assert any("read of [training]: batch_size, epochs; say so by uses=" in note for note in found["loop"]["notes"])
    (folder,) = run.glob("trials/loop*")
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] / 3
    assert rows[-1]["validation_accuracy"] > 0.9
    assert rows[0]["logged"] == {"batch": pytest.approx(1237 / 39)}
    trials = {trial.label: trial for trial in mnistarena.load_run(run).trials}
    images = (255 * digits()[2]).round().to(torch.uint8).numpy()
    for label in ("loop", "neighbour", "lazy"):
        restored = trials[label].restore(plugins=[tmp_path / "own.py"])
        np.testing.assert_allclose(
            restored.probabilities(images), trials[label].predictions().probabilities, atol=1e-5, err_msg=label
        )
    assert "model.safetensors" not in found["forgetful"]["files"]
    assert any("built anew with the stored weights it answers otherwise" in n for n in found["forgetful"]["notes"])


def test_no_time_is_estimated_by_a_training_that_is_not_the_models(arena, tmp_path):
    spec(tmp_path, "loop")
    planned = arena("plan", "own.toml")
    assert (
        "it trains itself: how long its fit(training) takes is known after its first trial" in planned.out + planned.err
    )


def test_a_training_of_ones_own_goes_on_after_a_stop_with_the_same_bits(arena, tmp_path):
    for name in ("whole", "stopped"):
        (tmp_path / name).mkdir()
        spec(tmp_path / name, "slow", epochs=4)
    assert arena("run", "own.toml", cwd=tmp_path / "whole").status == 0
    run = tmp_path / "stopped" / "runs" / "own"
    with pytest.raises(KeyboardInterrupt):
        mnistarena.run(tmp_path / "stopped" / "own.toml", out=run, observer=Stop(2, signal.SIGTERM))
    assert read_run(run).trials[0].status == "interrupted"
    again = arena("run", "own.toml", cwd=tmp_path / "stopped")
    assert "1 trial continues from a checkpoint" in again.out
    assert by_label(run)["slow"]["measurements"]["resumed_at_step"] >= 39
    assert bits(run) == bits(tmp_path / "whole" / "runs" / "own")


def test_settings_that_a_model_does_not_use_are_no_part_of_its_trials(arena, tmp_path):
    spec(tmp_path, "declared", "underdeclared")
    assert arena("run", "own.toml").status == 1
    run = tmp_path / "runs" / "own"
    found = by_label(run)
    assert found["declared"]["identity"]["training"] == {"epochs": 6, "batch_size": 32}
    assert not any("say so by uses=" in note for note in found["declared"]["notes"])
    assert 'fit(training) reads training.epochs, which "uses"' in found["underdeclared"]["error"]["message"]
    again = arena("run", "own.toml", "--only", "declared", "--set", "training.precision=bf16")
    assert "1 finished before" in again.out
    (tmp_path / "own.toml").write_text((tmp_path / "own.toml").read_text() + "training.loss = 'brier'\n")
    refused = arena("validate", "own.toml")
    assert '"loss" has no meaning for "underdeclared": it uses batch_size; leave it out' in refused.err + refused.out


def test_what_cannot_be_trained_is_refused_in_a_sentence(arena, tmp_path):
    spec(tmp_path, "lightning", "nomodule", "diverges", "asksfortoomuch", "toofew", "logsnan")
    two = '[[model]]\nname = "twoatonce"\ntransforms = [{ name = "random-erasing" }]\n'
    (tmp_path / "own.toml").write_text((tmp_path / "own.toml").read_text() + two)
    arena("run", "own.toml")
    messages = {label: record["error"]["message"] for label, record in by_label(tmp_path / "runs" / "own").items()}
    assert "lightning is a Lightning module: its training_step" in messages["lightning"]
    assert "nomodule has fit(training), but is no torch.nn.Module" in messages["nomodule"]
    assert "the loss is nan at step 1" in messages["diverges"]
    assert "drop_last leaves nothing to train on: there are 1237 images" in messages["toofew"]
    assert 'the logged "similarity" is nan at step 1' in messages["logsnan"]
    assert "both draw from one random generator" in messages["twoatonce"]
    assert 'a training has no "test_images"; [training] has epochs' in messages["asksfortoomuch"]


def test_views_are_of_the_same_images_each_with_its_own_random_transforms(arena, tmp_path):
    from safetensors.numpy import load_file

    spec(tmp_path, "views")
    with open(tmp_path / "own.toml", "a") as file:
        file.write('transforms = [{ name = "random-erasing", probability = 1, value = -1 }]\n')
    assert arena("run", "own.toml").status == 0
    assert by_label(tmp_path / "runs" / "own")["views"]["measurements"]["epochs"] == round((1237 + 1216) / 1237, 4)
    (stored,) = tmp_path.glob("runs/own/trials/*/model.safetensors")
    found = load_file(stored)
    views, plain = found["views"], found["plain"]
    assert views.shape == (1216, 3, 1, 8, 8)
    np.testing.assert_array_equal(found["views_labels"], found["plain_labels"][:1216])
    left = (views != -1).all(axis=1) & (plain[:1216] != -1)  # what is erased in none of the four
    assert left.any(axis=(1, 2, 3)).mean() > 0.9
    for view in range(3):
        np.testing.assert_array_equal(views[:, view][left], plain[:1216][left])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (views[:, one] != views[:, other]).any(axis=(1, 2, 3)).mean() > 0.9


def digits():
    from mnistarena import DataContext
    from mnistarena.builtin.datasets import digits
    from mnistarena.data.splits import SplitRule, split_dataset

    data = digits.load_digits(digits.NoParams(), DataContext(None))
    rows = split_dataset(data, SplitRule(200)).train
    images, test = (torch.from_numpy(np.array(a)).float() / 255 for a in (data.train_images[rows], data.test_images))
    return images, torch.from_numpy(data.train_labels[rows]), test, torch.from_numpy(data.test_labels)


def plain_loop() -> float:
    """The same network in a loop without this package; its accuracy on the test split."""
    images, labels, test, wanted = digits()
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(6):
        for rows in torch.randperm(len(images)).split(32):
            loss = nn.functional.cross_entropy(net(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        return (net.eval()(test).argmax(1) == wanted).double().mean().item()


def nearest_neighbour() -> float:
    images, labels, test, wanted = digits()
    nearest = torch.cdist(test.flatten(1), images.flatten(1)).argmin(1)
    return (labels[nearest] == wanted).double().mean().item()
