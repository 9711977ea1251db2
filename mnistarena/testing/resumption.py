"""The check that an interrupted training goes on with the same bits, for torch modules of both kinds."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.short_training import BATCH, answers, difference, fit, images_of, recipe, to_train

if TYPE_CHECKING:
    from torch import nn

    from mnistarena.engine.checkpoint import Checkpoints
    from mnistarena.testing.model_under_test import ModelUnderTest

STEPS, FIRST = 6, 3
"""Steps of the training, and after how many of them it is interrupted."""


def resumes(model: ModelUnderTest) -> None:
    """A training that is interrupted, and goes on in a new network, gives the outputs of one that was not."""
    images = images_of(model, 8)
    whole = answers(_trained(model, model.build()), images)
    kept: list[Any] = []
    _interrupted(model, kept)
    if not kept:
        raise NotApplicable("its training wrote no checkpoint, so that an interrupted one starts again")
    resumed = answers(_trained(model, model.build(), found=kept[-1]), images)
    if not whole.equal(resumed):
        if not whole.equal(answers(_trained(model, model.build()), images)):
            raise NotApplicable('no two of its trainings are the same: see "same-seed"')
        raise Nonconformity(
            f"interrupted and continued, outputs differ by up to {difference(whole, resumed):.3g} from those of one "
            "training; keep whatever training changes in parameters or buffers (register_buffer), or, with "
            "fit(training), in the state that training.checkpoint gets"
        )


def _interrupted(model: ModelUnderTest, kept: list[Any]) -> None:
    """Train until the first checkpoint after `FIRST` steps, or of a model that trains itself until its first one."""
    from mnistarena.engine.checkpoint import Checkpoints, Interrupted

    calls = 0

    def asked() -> bool:
        nonlocal calls
        calls += 1
        return calls >= FIRST

    def write(state: Any, arrays: Any) -> None:
        kept.append((state, {name: array.copy() for name, array in arrays.items()}))

    with suppress(Interrupted):
        _trained(model, model.build(), checkpoints=Checkpoints(write, asked=asked))


def _trained(
    model: ModelUnderTest, network: nn.Module, *, checkpoints: Checkpoints | None = None, found: Any = None
) -> nn.Module:
    from mnistarena.engine import training
    from mnistarena.engine.checkpoint import Checkpoints
    from mnistarena.trial.model import trains_itself

    checkpoints = checkpoints or Checkpoints(found=found)
    if trains_itself(network):
        return fit(model, network, model.steps, checkpoints=checkpoints)
    part, split = to_train(model, network)
    assert split.n >= BATCH * 2
    training.train(part, split, recipe(model, STEPS), seed=0, checkpoints=checkpoints, output=model.output)
    return network
