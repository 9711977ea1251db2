"""The checks of a torch module that ask for the same numbers twice, or for others; each is the check of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnistarena.testing.check import Nonconformity, NotApplicable
from mnistarena.testing.short_training import answers, difference, images_of, train

if TYPE_CHECKING:
    import torch

    from mnistarena.testing.model_under_test import ModelUnderTest

STEPS = 6
"""Steps of the trainings that are compared."""


def answers_of(model: ModelUnderTest, seed: int = 0, *, again: bool = False) -> torch.Tensor:
    """The outputs of a network that is built and trained with a seed, or of another one, `again`."""

    def find() -> torch.Tensor:
        return answers(train(model, model.build(seed), STEPS, seed), images_of(model, 8))

    found: torch.Tensor = model.once(("answers", seed, again), find)
    return found


def same_seed(model: ModelUnderTest) -> None:
    """Two networks, built and trained with the same seed, give the same outputs."""
    one, two = answers_of(model), answers_of(model, again=True)
    if not one.equal(two):
        raise Nonconformity(
            f"built and trained twice with one seed, outputs differ by up to {difference(one, two):.3g}; draw from the "
            "global generators of torch, numpy or random, which the engine seeds, and never from the clock"
        )


def deterministic_as_said(model: ModelUnderTest) -> None:
    """A network with `deterministic=True` gives the same outputs with another seed."""
    if not model.definition.deterministic:
        raise NotApplicable("it does not say deterministic=True")
    one, two = answers_of(model), answers_of(model, 1)
    if not one.equal(two):
        raise Nonconformity(
            f"deterministic=True, but another seed changes outputs by up to {difference(one, two):.3g}; leave it out"
        )


def seed_matters(model: ModelUnderTest) -> None:
    """A network without `deterministic=True` gives other outputs with another seed."""
    if model.definition.deterministic:
        raise NotApplicable("it says deterministic=True")
    if model.output == "labels":
        raise NotApplicable("labels of two different networks may be equal")
    if answers_of(model).equal(answers_of(model, 1)):
        raise Nonconformity(
            "built and trained with two seeds, the outputs are the same bits, and a run counts such seeds as one; set "
            "no seed of your own, the engine seeds torch, numpy and random, or say deterministic=True"
        )


def evaluation_repeats(model: ModelUnderTest) -> None:
    """In evaluation mode the same images get the same outputs twice."""
    images = images_of(model, 8)
    one, two = answers(model.trained, images), answers(model.trained, images)
    if not one.equal(two):
        raise Nonconformity(
            f"in evaluation mode the same images gave other outputs, by up to {difference(one, two):.3g}; use "
            "nn.Dropout, or ask self.training before drawing anything"
        )
