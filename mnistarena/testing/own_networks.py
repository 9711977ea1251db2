"""The checks of a torch module that trains itself; each function is the check of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnistarena.plugin.components import Task
from mnistarena.plugin.predictions import Output
from mnistarena.testing import networks, repetition
from mnistarena.testing.check import Nonconformity
from mnistarena.testing.family import Family
from mnistarena.testing.resumption import resumes
from mnistarena.testing.short_training import answers, briefly_trained, images_of

if TYPE_CHECKING:
    from torch import nn

    from mnistarena.testing.model_under_test import ModelUnderTest

BETTER = 1.5
"""How many times as often as by chance the trained model must be right on the images that it was trained on."""


def answer_problem(network: nn.Module, task: Task, output: Output) -> str | None:
    """Nothing is asked of it before its training."""
    return None


def output(model: ModelUnderTest) -> None:
    """Trained, its outputs have the right shape, are finite, and are what they are called."""
    networks.require_outputs(model, model.trained_or_raise)


def logits(model: ModelUnderTest) -> None:
    """Outputs that are called logits are not probabilities."""
    networks.require_logits(model, model.trained)


def learns(model: ModelUnderTest) -> None:
    """Its own training makes it right more often than by chance on the digits that it was trained on."""
    images, labels = model.digits
    found = answers(model.trained, images_of(model, len(images)))
    predicted = found.long() if model.output == "labels" else found.argmax(1)
    share = float((predicted.numpy() == labels).mean())
    if share < BETTER / model.chain.task.n_classes:
        raise Nonconformity(
            f"after fit(training) it is right on {100 * share:.0f} % of the {len(labels)} digits that it learned from; "
            "does it train what forward uses? If it only needs longer: steps="
        )


def uses(model: ModelUnderTest) -> None:
    """`uses` names every key of [training] that its own training reads."""
    _ = model.trained  # whose training reads them
    said, read = model.definition.uses, tuple(sorted(model.read))
    if said is None:
        raise Nonconformity(
            f"its fit(training) read {', '.join(read) or 'nothing'} of [training], and its ModelDef does not say so: "
            f"changing any other setting would train it again. Write uses={read} in its ModelDef"
        )
    if missing := sorted(model.read.difference(said)):
        raise Nonconformity(
            f"its fit(training) read {', '.join(missing)} of [training], which uses leaves out: each of its trials "
            f"would fail there. Write uses={tuple(sorted({*said, *read}))} in its ModelDef"
        )


def input_untouched(model: ModelUnderTest) -> None:
    """Forward in evaluation mode does not change the images."""
    import torch

    images = images_of(model, 8).clone()
    before = images.clone()
    with torch.no_grad():
        model.trained.eval()(images)
    if not images.equal(before):
        raise Nonconformity("forward changes the images that it is given; no in-place operation on the input")


FAMILY = Family(
    "torch module that trains itself",
    {
        "output": output,
        "logits": logits,
        "learns": learns,
        "same-seed": repetition.same_seed,
        "deterministic-as-said": repetition.deterministic_as_said,
        "seed-matters": repetition.seed_matters,
        "evaluation-repeats": repetition.evaluation_repeats,
        "evaluation-alone": networks.evaluation_alone,
        "uses": uses,
        "state": networks.state,
        "resumes": resumes,
        "input-untouched": input_untouched,
    },
    train=briefly_trained,
    answer_problem=answer_problem,
)
