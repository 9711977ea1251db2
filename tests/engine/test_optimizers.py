"""Every optimizer that torch.optim exports can be named, and does what it does in a plain torch loop."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from mnistarena import TrialError
from mnistarena.spec import optimizers

from .recipes import loop, recipe, same, trained

ALL = {
    name.lower(): one
    for name, one in vars(torch.optim).items()
    if inspect.isclass(one) and issubclass(one, torch.optim.Optimizer) and one is not torch.optim.Optimizer
}


def matrices():
    """A network whose parameters all have two dimensions."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16, bias=False), nn.Tanh(), nn.Linear(16, 10, bias=False))


def test_all_of_torch_are_known():
    assert {name: class_name for name, (class_name, _) in optimizers.optimizers().items()} == {
        name: one.__name__ for name, one in ALL.items()
    }
    for name, one in ALL.items():
        assert list(optimizers.arguments(name)) == list(inspect.signature(one).parameters)[1:], name


# SparseAdam is refused by name; test_vocabulary has LBFGS.
@pytest.mark.parametrize("name", sorted(ALL.keys() - {"sparseadam", "lbfgs"}))
def test_each_trains_as_in_a_plain_loop(name):
    wanted = recipe(optimizer={"name": name, "lr": 0.01}, epochs=1)
    ours, _, _ = trained(wanted, matrices())
    theirs = matrices()
    loop(theirs, ALL[name](theirs.parameters(), lr=0.01), epochs=1)
    same(ours, theirs)


def test_what_takes_only_matrices_names_the_others_and_groups_help():
    def convolutional():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10))

    with pytest.raises(TrialError, match=r'"muon" takes only .* two dimensions, which 0\.weight, 0\.bias, 2\.bias are'):
        trained(recipe(optimizer={"name": "muon"}), convolutional())
    others = [{"match": pattern, "optimizer": {"name": "adamw"}} for pattern in ("0.*", "*.bias")]
    _, _, rows = trained(recipe(optimizer={"name": "muon", "lr": 0.02}, groups=others), convolutional())
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
