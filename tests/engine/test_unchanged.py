"""A block leaves no trace in a model, however the model keeps its state."""

from __future__ import annotations

import copy
import random
from collections import deque

import numpy as np
import pytest
import torch
from torch import nn

from mnistarena.engine.random_state import capture_streams
from mnistarena.engine.unchanged import unchanged

CPU = torch.device("cpu")


class Memory:
    def __init__(self):
        self.seen = [0]


class Odd(nn.Module):
    """Keeps state in every way that a module can."""

    def __init__(self):
        super().__init__()
        self.linear, self.norm = nn.Linear(4, 3), nn.BatchNorm1d(3)
        self.register_buffer("hidden", torch.zeros(2), persistent=False)
        self.register_buffer("spread", torch.zeros(1).expand(5))
        self.calls, self.log, self.recent, self.by_name = 0, [], deque([1], 3), {"a": [1]}
        self.array, self.plain = np.zeros(3), torch.zeros(2)
        self.memory = Memory()
        self.numpy, self.python, self.torch = np.random.default_rng(1), random.Random(1), torch.Generator()
        self.teacher = [nn.Linear(4, 3)]

    def __deepcopy__(self, memo):
        raise TypeError("not to be copied")

    def forward(self, images):
        self.calls += 1
        self.log.append(self.calls)
        self.recent.append(2)
        self.by_name["a"].append(2)
        self.array += 1
        self.plain += 1
        self.hidden = self.hidden + 1
        self.memory.seen.append(1)
        self.later = torch.ones(1)
        self.linear.weight.data = self.linear.weight.data.clone() + 1
        with torch.no_grad():
            self.teacher[0].weight += 1
        drawn = self.numpy.random() + self.python.random() + float(torch.rand(1, generator=self.torch))
        noise = torch.rand(1) + random.random() + np.random.rand()
        return self.norm(self.linear(images)) + drawn + noise


def state(model):
    plain = (model.calls, model.log, model.recent, model.by_name, model.memory.seen, model.training)
    generators = model.numpy.bit_generator.state, model.python.getstate(), model.torch.get_state().tolist()
    tensors = [*model.state_dict().values(), model.hidden, model.plain, *model.teacher[0].state_dict().values()]
    return copy.deepcopy(plain), generators, [t.tolist() for t in tensors], model.array.tolist()


def streams():
    drawn, generators = capture_streams(CPU)
    return drawn, generators["cpu"].tolist()


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_of_a_step(fails):
    model = Odd()
    before, drawn, weight = state(model), streams(), model.linear.weight
    pointer = weight.data_ptr()
    try:
        with unchanged(model, CPU):
            model.eval()
            model.train()
            model(torch.rand(8, 4)).sum().backward()
            torch.optim.SGD(model.parameters(), 1.0).step()
            model.eval()
            assert state(model)[2] != before[2]
            if fails:
                raise RuntimeError("out of memory")
    except RuntimeError:
        assert fails
    assert state(model) == before
    assert streams() == drawn
    assert not hasattr(model, "later")
    assert model.linear.weight is weight, "an optimizer holds this very parameter"
    assert weight.data_ptr() == pointer
    assert all(parameter.grad is None for parameter in model.parameters())


def test_tied_parameters_stay_tied():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    kept = model[0].weight.clone()
    with unchanged(model, CPU), torch.no_grad():
        model[0].weight.mul_(2)
    assert model[1].weight is model[0].weight
    assert torch.equal(model[0].weight, kept)


def test_a_lazy_module_that_was_initialised_in_the_block_works_after_it():
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
    with unchanged(model, CPU):
        model(torch.rand(2, 1, 4, 4))
    assert model(torch.rand(2, 1, 4, 4)).shape == (2, 3)
