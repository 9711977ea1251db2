"""A step recorded as a graph computes what an ordinary one does; where it cannot be recorded, nothing is lost."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mnistarena.engine.agreement import Snapshot
from mnistarena.engine.optimizer import Optimizers
from mnistarena.engine.step import GraphStep, Step, changes_the_host, recordable

cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def made(kind, device="cpu", model=None):
    torch.manual_seed(0)
    model = (model or nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))).to(device)
    rate = {"lr": torch.tensor(0.01, device=device), "capturable": True} if device == "cuda" else {"lr": 0.01}
    optimizer = Optimizers([torch.optim.Adam(model.parameters(), fused=True, **rate)])
    amp = torch.autocast(device, torch.bfloat16, enabled=False)
    return kind(model, lambda x, y: functional.cross_entropy(model(x), y), optimizer, amp=amp, gradient_clip=1.0)


def batches(device="cpu", count=6, size=32):
    generator = torch.Generator().manual_seed(1)
    for _ in range(count):
        x = torch.randn(size, 1, 4, 4, generator=generator).to(device)
        yield x, torch.randint(0, 3, (size,), generator=generator).to(device)


def train(step, device="cpu"):
    losses = []
    for number, (x, y) in enumerate([*batches(device), *batches(device, 1, 5)]):
        step.set_rate(1 / (1 + number))
        losses.append(step(x, y).item())
    return losses, [p.detach().cpu() for p in step.model.parameters()]


def test_without_a_device_to_record_on_the_step_stays_as_it_was(capsys):
    if torch.cuda.is_available():
        pytest.skip("here a step can be recorded")
    plain, graph = made(Step), made(GraphStep)
    before = copy.deepcopy(graph.model.state_dict())
    assert not recordable(graph.model, graph.optimizer, torch.device("cpu"))
    assert not graph.record(*next(batches()))
    assert "trained kernel by kernel: the step cannot be recorded" in capsys.readouterr().out
    assert all(torch.equal(value, before[name]) for name, value in graph.model.state_dict().items())
    assert train(plain)[0] == train(graph)[0]


class OnTheHost(nn.Module):
    """Draws noise, or counts, in a way of its own: a graph would repeat the first draw for ever."""

    def __init__(self, way):
        super().__init__()
        self.linear, self.way, self.calls = nn.Linear(16, 3), way, 0
        self.register_buffer("device_calls", torch.zeros(()))
        self.generator = np.random.default_rng(0)
        self.cache = None

    def forward(self, x):
        draw = {
            "numpy": np.random.rand,
            "python": random.random,
            "torch": lambda: torch.rand(()),
            "own": self.generator.random,
            "counts": self.count,
            "replaces": self.replace,
            "nothing": self.nothing,
        }
        return self.linear(x.flatten(1)) + draw[self.way]()

    def count(self):
        self.calls += 1
        return self.calls

    def replace(self):
        self.device_calls = self.device_calls + 1
        return self.device_calls

    def nothing(self):
        self.device_calls += 1
        self.cache = torch.ones(1) if self.cache is None else self.cache
        return self.cache


@pytest.mark.parametrize("way", ["numpy", "python", "torch", "own", "counts", "replaces", "nothing"])
def test_a_step_that_draws_or_counts_outside_the_device_is_not_recorded(way, capsys):
    step = made(GraphStep, model=OnTheHost(way))
    before, drawn = copy.deepcopy(step.model.state_dict()), (random.getstate(), np.random.rand())
    random.setstate(drawn[0])
    x, y = next(batches())
    assert changes_the_host(step.model, lambda: Step.__call__(step, x, y)) == (way != "nothing")
    assert step.model.calls == 0
    assert random.getstate() == drawn[0]
    assert all(torch.equal(value, before[name]) for name, value in step.model.state_dict().items())
    assert not step.record(x, y)
    said = capsys.readouterr().out
    assert ("draws random numbers or changes attributes" in said) == (way != "nothing")


class Drops(nn.Sequential):
    def __init__(self, **methods):
        super().__init__(nn.Flatten(), nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
        vars(self).update(methods)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=cuda)])
def test_two_ways_to_take_the_same_steps_are_compared_bit_by_bit(device):
    step = made(GraphStep, device, Drops())
    recorded = step.record(*next(batches(device, 1)))
    assert recorded == (device == "cuda")
    snapshot, given = Snapshot(step.model, step.optimizer, torch.device(device)), list(batches(device, 2))
    before = copy.deepcopy(step.model.state_dict())
    same = snapshot.compare(step.ordinary, step, given)  # on a GPU the replays, with its dropout
    if device == "cpu":
        assert (same.different, same.largest, same.share) == (0, 0, 0)
    assert same.share < 0.05
    assert same.numbers == sum(value.numel() for value in before.values())
    nothing = snapshot.compare(step.ordinary, lambda x, y: None, given)
    assert nothing.different > 0
    assert nothing.share == pytest.approx(1)
    other_draws = snapshot.compare(step.ordinary, lambda x, y: (torch.rand(1, device=device), step(x, y)), given)
    assert other_draws.share > 0.5
    assert all(torch.equal(value, before[name]) for name, value in step.model.state_dict().items())


@pytest.mark.parametrize("does", ["the step", "nothing"])
def test_replays_that_do_something_else_are_found_out(does, monkeypatch, capsys):
    class Replayed:
        def __init__(self, step):
            self.step = step

        def replay(self):
            if does == "the step":
                self.step.ordinary(self.step.images, self.step.targets)

    step = made(GraphStep)
    monkeypatch.setattr(step, "_recorded", lambda before: Replayed(step))
    assert step.record(*next(batches())) == (does == "the step")
    assert ("is 1 of their change away" in capsys.readouterr().out) == (does == "nothing")


def test_a_model_that_changes_between_steps_is_not_recorded():
    rate = {"lr": torch.tensor(0.01), "capturable": True}
    gpu = torch.device("cuda")
    for methods, wanted in (({}, True), ({"after_step": print}, False), ({"training_loss": lambda x, y, c: x}, False)):
        model = Drops(**methods)
        assert recordable(model, Optimizers([torch.optim.Adam(model.parameters(), **rate)]), gpu) == wanted
        assert not recordable(model, Optimizers([torch.optim.Adam(model.parameters())]), gpu)
        assert not recordable(model, Optimizers([torch.optim.SGD(model.parameters())]), gpu)


@cuda
def test_a_replayed_step_is_the_ordinary_step():
    plain, graph = made(Step, "cuda"), made(GraphStep, "cuda")
    assert graph.record(*next(batches("cuda")))
    (wanted, weights), (found, replayed) = train(plain, "cuda"), train(graph, "cuda")
    assert found == pytest.approx(wanted, rel=1e-4)
    for one, other in zip(weights, replayed, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


class AsksTheDevice(nn.Module):
    """Decides by a value on the device: no graph can hold that."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(16, 3)

    def forward(self, x):
        x = functional.dropout(x.flatten(1), 0.1, self.training)
        return self.linear(x) if x.sum().item() != 0 else self.linear(x + 1)


@cuda
def test_what_cannot_be_recorded_is_trained_without():
    graph = made(GraphStep, "cuda", AsksTheDevice())
    assert not graph.record(*next(batches("cuda")))
    losses, _ = train(graph, "cuda")
    assert all(loss > 0 for loss in losses)
